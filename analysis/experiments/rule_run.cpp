#include "analysis/experiments/rule_run.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "sim/core/registry.hpp"

namespace headroom::analysis {

namespace {

using control::MetricKind;
using control::MetricReading;
using control::MetricRequest;
using control::MetricScope;
using control::MetricShape;
using control::PodSample;
using control::ScalingDecision;
using control::ScalingPod;
using control::ScalingPolicy;
using control::ScalingView;
using scenarios::RuleCase;
using scenarios::RuleSeries;
using scenarios::RuleTest;
using scenarios::SeriesSample;

/// What a view means by "long ago": before the test began.
constexpr Time kLongAgo = Time::picoseconds(-1);
constexpr const char* kQueue = "gateway_queue";

/// A series and what was last scraped of it.
struct Scraped {
    const RuleSeries* series = nullptr;
    std::vector<std::optional<PodSample>> pods;  ///< by pod; of a metric of pods
    std::optional<PodSample> service;            ///< of a metric of the service
};

class RuleWorld {
  public:
    RuleWorld(const RuleTest& test, const RuleCase& one) : test_(test), case_(one) {
        for (const RuleSeries& series : one.series) scraped_.push_back({&series, {}, {}});
        view_.start_unix_s = test.start_unix_s;
        for (std::int64_t i = 0; i < one.replicas; ++i) add_pod(kLongAgo, kLongAgo);
        desired_ = one.replicas;
    }

    [[nodiscard]] std::int64_t desired() const { return desired_; }
    [[nodiscard]] std::int64_t ready() const { return ready_at(now_); }

    void go_to(Time now) {
        now_ = now;
        for (std::size_t i = 0; i < view_.pods.size(); ++i) refresh_pod(i);
    }
    /// The next time after `now` at which a pod changes; Time::max(): none does.
    [[nodiscard]] Time next_change() const {
        Time next = Time::max();
        for (const Pod& pod : pods_) {
            for (const Time at : {pod.runs_at, pod.ready_at}) {
                if (at > now_) next = std::min(next, at);
            }
        }
        return next;
    }

    void set_desired(std::int64_t desired) {
        desired_ = desired;
        const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(desired, 0));
        if (wanted < pods_.size()) {
            pods_.resize(wanted);
            view_.pods.resize(wanted);
            for (Scraped& scraped : scraped_) {
                scraped.pods.resize(std::min(scraped.pods.size(), wanted));
            }
        }
        while (pods_.size() < wanted) {
            add_pod(now_ + test_.pending_time, now_ + test_.start_time);
        }
    }

    void scrape() {
        for (Scraped& scraped : scraped_) {
            const SeriesSample sample = sample_of(*scraped.series, index_at(now_));
            if (scraped.series->metric.scope == MetricScope::service) {
                keep(sample, sample.milli, scraped.service);
                continue;
            }
            scraped.pods.resize(pods_.size());
            const std::int64_t ready = ready_at(now_);
            for (std::size_t i = 0; i < pods_.size(); ++i) {
                if (pods_[i].ready_at > now_ || !applies(*scraped.series, i)) continue;
                keep(sample, share(*scraped.series, sample.milli, ready), scraped.pods[i]);
            }
        }
    }

    const ScalingView& view(const std::vector<MetricRequest>& requests) {
        view_.now = now_;
        view_.spec_replicas = desired_;
        view_.status_replicas = static_cast<std::int64_t>(pods_.size());
        view_.metrics.resize(requests.size());
        for (std::size_t i = 0; i < requests.size(); ++i) read(requests[i], view_.metrics[i]);
        view_.requests_wait = requests_wait();
        return view_;
    }

    [[nodiscard]] bool requests_wait() const {
        if (ready_at(now_) > 0) return false;
        return std::any_of(scraped_.begin(), scraped_.end(), [](const Scraped& scraped) {
            return scraped.series->metric.name == kQueue && scraped.service &&
                   scraped.service->value_milli > 0;
        });
    }

  private:
    struct Pod {
        Time runs_at;
        Time ready_at;
    };

    void add_pod(Time runs_at, Time ready_at) {
        const bool old = ready_at == kLongAgo;
        ScalingPod pod;
        pod.name = test_.workload + "-" + std::to_string(pods_.size());
        pod.start_time = old ? kLongAgo : now_;
        pod.ready_transition = *pod.start_time;
        pod.containers.push_back({test_.workload, test_.cpu_milli, test_.memory_milli});
        pods_.push_back({runs_at, ready_at});
        view_.pods.push_back(std::move(pod));
        refresh_pod(pods_.size() - 1);
    }

    void refresh_pod(std::size_t i) {
        ScalingPod& pod = view_.pods[i];
        pod.phase =
            pods_[i].runs_at <= now_ ? control::PodPhase::running : control::PodPhase::pending;
        if (pod.ready || pods_[i].ready_at > now_) return;
        pod.ready = true;
        pod.ready_transition = pods_[i].ready_at;
        if (pods_[i].ready_at != kLongAgo) view_.mean_time_to_ready = test_.start_time;
    }

    [[nodiscard]] std::int64_t ready_at(Time t) const {
        return std::count_if(pods_.begin(), pods_.end(),
                             [t](const Pod& pod) { return pod.ready_at <= t; });
    }
    [[nodiscard]] std::size_t index_at(Time t) const {
        return static_cast<std::size_t>((t - Time::zero()) / case_.interval);
    }
    /// The last value goes on.
    static SeriesSample sample_of(const RuleSeries& series, std::size_t index) {
        return series.samples[std::min(index, series.samples.size() - 1)];
    }

    /// Whether the series is about this pod: one's own goes before that of each.
    [[nodiscard]] bool applies(const RuleSeries& series, std::size_t pod) const {
        if (series.of == RuleSeries::Of::one_pod) return series.pod == pod;
        return std::none_of(case_.series.begin(), case_.series.end(), [&](const RuleSeries& other) {
            return other.of == RuleSeries::Of::one_pod && other.pod == pod &&
                   other.metric.name == series.metric.name;
        });
    }
    static std::int64_t share(const RuleSeries& series, std::int64_t milli, std::int64_t ready) {
        return series.of == RuleSeries::Of::total ? milli / std::max<std::int64_t>(ready, 1)
                                                  : milli;
    }
    void keep(const SeriesSample& sample, std::int64_t milli,
              std::optional<PodSample>& kept) const {
        if (sample.kind == SeriesSample::Kind::value) kept = {milli, now_, case_.interval};
        if (sample.kind == SeriesSample::Kind::stale) kept.reset();
    }

    /// What a live reader sees of a counter between two values.
    [[nodiscard]] std::int64_t grown(const RuleSeries& series, std::int64_t milli) const {
        const std::size_t index = index_at(now_);
        const SeriesSample next = sample_of(series, index + 1);
        const Duration since = (now_ - Time::zero()) % case_.interval;
        if (series.metric.shape != MetricShape::counter || next.kind != SeriesSample::Kind::value ||
            next.milli < milli) {
            return milli;
        }
        return milli + static_cast<std::int64_t>(Int128{next.milli - milli} * since.ps() /
                                                 case_.interval.ps());
    }

    void read(const MetricRequest& request, MetricReading& out) const {
        out = {};
        out.pods.resize(pods_.size());
        for (const Scraped& scraped : scraped_) {
            if (scraped.series->metric.name != request.name) continue;
            if (scraped.series->metric.scope == MetricScope::service) {
                read_service(scraped, request, out);
            } else {
                read_pods(scraped, request, out);
            }
        }
        const bool whole =
            request.kind == MetricKind::object || request.kind == MetricKind::external;
        if (whole && out.available && out.values_milli.empty()) {
            std::int64_t sum = 0;
            for (const auto& sample : out.pods) sum += sample ? sample->value_milli : 0;
            out.values_milli.push_back(sum);
        }
        if (whole) out.pods.clear();
        if (!out.available) out.error = "the series \"" + request.name + "\" has no value";
    }

    void read_service(const Scraped& scraped, const MetricRequest& request,
                      MetricReading& out) const {
        if (!scraped.service) return;
        out.available = true;
        out.timestamp = request.live ? now_ : scraped.service->timestamp;
        const std::int64_t milli = scraped.service->value_milli;
        out.values_milli = {request.live ? grown(*scraped.series, milli) : milli};
    }

    /// Live: of the pods that are ready now, past the scrape.
    void read_pods(const Scraped& scraped, const MetricRequest& request, MetricReading& out) const {
        const SeriesSample now = sample_of(*scraped.series, index_at(now_));
        const bool fresh = request.live && now.kind == SeriesSample::Kind::value;
        const std::int64_t ready = ready_at(now_);
        for (std::size_t i = 0; i < pods_.size(); ++i) {
            if (pods_[i].ready_at > now_ || !applies(*scraped.series, i)) continue;
            std::optional<PodSample> sample;
            if (i < scraped.pods.size()) sample = scraped.pods[i];
            if (fresh) {
                sample = {share(*scraped.series, now.milli, ready), now_, Duration::zero()};
            }
            if (!sample) continue;
            out.pods[i] = sample;
            out.available = true;
            out.timestamp = std::max(out.timestamp, sample->timestamp);
        }
    }

    const RuleTest& test_;
    const RuleCase& case_;
    Time now_ = Time::zero();
    std::int64_t desired_ = 0;
    std::vector<Pod> pods_;  ///< oldest first
    std::vector<Scraped> scraped_;
    ScalingView view_;
};

/// Something that comes back: the autoscaler's ticks, its samples, the scrapes.
struct Recurring {
    Time next;
    Duration every;

    bool due(Time now) {
        if (next != now) return false;
        next = every > Duration::zero() ? now.later_by(every) : Time::max();
        return true;
    }
};

class RuleRunner {
  public:
    RuleRunner(const RuleTest& test, const RuleCase& one)
        : end_(one.end),
          world_(test, one),
          policy_(make_policy<ScalingPolicy>(
              test.autoscaler.policy, {RandomStream(test.seed, "scaling/" + test.workload)})),
          requests_(policy_->metrics()) {
        const Time first = Time::zero() + test.autoscaler.phase;
        tick_ = {first, policy_->period()};
        observe_ = {policy_->observes_every() > Duration::zero() ? first : Time::max(),
                    policy_->observes_every()};
        scrape_ = {one.series.empty() ? Time::max() : Time::zero(), one.interval};
        run_.end = one.end;
    }

    RuleRun run(const std::atomic<bool>* stop) {
        run_.ready.append(Time::zero(), world_.ready());
        run_.desired.append(Time::zero(), world_.desired());
        Time now = Time::zero();
        while (now <= end_) {
            if (stop != nullptr && stop->load(std::memory_order_relaxed)) {
                run_.interrupted = true;
                break;
            }
            step(now);
            now = std::min({tick_.next, observe_.next, scrape_.next, world_.next_change()});
        }
        return std::move(run_);
    }

  private:
    void step(Time now) {
        world_.go_to(now);
        const bool scraped = scrape_.due(now);
        if (scraped) world_.scrape();
        if (observe_.due(now)) policy_->observe(world_.view(requests_));
        const bool woken = scraped && world_.requests_wait();
        if (tick_.due(now) || woken) decide(now);
        run_.ready.append(now, world_.ready());
        run_.desired.append(now, world_.desired());
    }

    void decide(Time now) {
        ScalingDecision decision = policy_->decide(world_.view(requests_));
        const std::int64_t before = world_.desired();
        run_.ticks.push_back({now, before, decision.desired, std::move(decision.reason),
                              std::move(decision.inputs)});
        if (decision.desired == before) return;
        const bool up = decision.desired > before;
        (up ? run_.ups : run_.downs) += 1;
        if (went_up_ && *went_up_ != up) ++run_.reversals;
        went_up_ = up;
        world_.set_desired(decision.desired);
    }

    Time end_;
    RuleWorld world_;
    std::unique_ptr<ScalingPolicy> policy_;
    std::vector<MetricRequest> requests_;
    Recurring tick_, observe_, scrape_;
    std::optional<bool> went_up_;
    RuleRun run_;
};

}  // namespace

RuleRun run_rule(const RuleTest& test, const RuleCase& one, const std::atomic<bool>* stop) {
    return RuleRunner(test, one).run(stop);
}

}  // namespace headroom::analysis
