#include "analysis/report/bound_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/report/units.hpp"
#include "analysis/results/summary_metrics.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;
using Unit = BoundComparison::Unit;

constexpr double kDifferent = 0.1;
/// Fractions closer than this are equal, however small they are.
constexpr double kNearFraction = 0.01;
/// What has to be seen before a rule speaks: peak over mean, shares of requests, of tokens.
constexpr double kSwing = 1.2;
constexpr double kNoticed = 0.01;

/// One service's part of the summary.
struct Measured {
    explicit Measured(const Json& service) : part(service) {}
    [[nodiscard]] std::optional<double> find(const char* path) const {
        return summary_number(part, path);
    }
    [[nodiscard]] double get(const char* path) const { return find(path).value_or(0); }
    [[nodiscard]] double turned_away(bool rejected = true) const {
        const double arrived = get("requests.arrived");
        const double lost = (rejected ? get("requests.rejected") : 0) + get("requests.timed_out") +
                            get("requests.failed");
        return arrived > 0 ? lost / arrived : 0;
    }
    [[nodiscard]] bool saturated() const { return get("saturated") > 0; }
    const Json& part;
};

/// What a comparison is about: decides which rules apply.
enum class About : std::uint8_t { wait, load, rate, pace, kv, replicas, blocked };

class VersionComparison {
  public:
    VersionComparison(const VersionBound& version, const scenarios::Scenario& scenario,
                      const SimulationResult& result, const Json& service)
        : v_(version), scenario_(scenario), result_(result), measured_(service) {}

    std::vector<BoundComparison> run() {
        if (!v_.alone) return {};
        if (!(v_.load.mean_rate > 0)) return {};
        if (v_.min_replicas != v_.max_replicas) {
            replicas();
        } else {
            fixed();
        }
        return std::move(out_);
    }

  private:
    [[nodiscard]] double count() const { return static_cast<double>(v_.at.front().replicas); }

    void fixed() {
        if (v_.simple) simple(*v_.simple);
        if (v_.llm) llm(*v_.llm);
        if (v_.dynamic) {
            add(About::load, "utilisation", "utilisation", Unit::fraction,
                std::min(1.0, v_.at.front().utilisation), measured_.find("gpu.busy_fraction"));
        }
        if (!v_.simple && v_.capacity_rps > 0) {
            add(About::rate, "requests/s", "requests_per_s", Unit::rate,
                std::min(v_.load.mean_rate, v_.capacity_rps * count()),
                measured_.find("throughput.requests_per_s"));
        }
    }
    void simple(const SimpleFigures& figures) {
        const bool limited = figures.waiting_room >= 0;
        const double load = v_.at.front().utilisation * (limited ? 1 - figures.blocked : 1);
        add(About::load, "utilisation", "utilisation", Unit::fraction, std::min(1.0, load),
            measured_.find("gpu.busy_fraction"));
        add(About::wait, "mean wait", "mean_wait_s", Unit::seconds, finite(figures.mean_wait_s),
            measured_.find("latency.queue_s.mean"));
        if (!limited && scenario_.spec.services[v_.service].calls.empty()) {
            add(About::wait, "p99 of the response", "response_p99_s", Unit::seconds,
                finite(figures.response_p99_s), measured_.find("latency.e2e_s.p99"));
        }
        if (limited) {
            const double arrived = measured_.get("requests.arrived");
            add(About::blocked, "turned away", "blocked", Unit::fraction, figures.blocked,
                arrived > 0 ? std::optional(measured_.get("requests.rejected") / arrived)
                            : std::nullopt);
        }
    }
    void llm(const LlmFigures& figures) {
        add(About::pace, "time per token", "tpot_s", Unit::seconds, figures.now.iteration_s,
            measured_.find("latency.tpot_s.mean"));
        add(About::kv, "KV cache in use", "kv_fraction", Unit::fraction, figures.now.kv_fraction,
            measured_.find("gpu.kv_fraction"));
    }
    void replicas() {
        const auto needed = [](const std::optional<std::int64_t>& n) -> std::optional<double> {
            if (!n) return std::nullopt;
            return static_cast<double>(*n);
        };
        add(About::replicas, "replicas, mean", "replicas_mean", Unit::count, needed(v_.for_mean),
            measured_.find("replicas.mean"));
        add(About::replicas, "replicas, peak", "replicas_peak", Unit::count, needed(v_.for_peak),
            measured_.find("replicas.max"));
    }

    [[nodiscard]] static std::optional<double> finite(double x) {
        return std::isfinite(x) ? std::optional(x) : std::nullopt;
    }
    void add(About about, std::string name, std::string key, Unit unit,
             std::optional<double> analytic, std::optional<double> simulated) {
        BoundComparison c{std::move(name), std::move(key), unit, analytic, simulated, false, {}};
        const double a = analytic.value_or(0);
        const double s = simulated.value_or(0);
        if (!simulated) {
            c.reasons.push_back("nothing was measured");
        } else if (!analytic) {
            c.differs = true;
            c.reasons.push_back(fmt::format(
                "more is asked for than it holds ({} utilisation): there is no equilibrium, and "
                "what was measured depends on how long the run is",
                percent_text(v_.at.front().utilisation)));
        } else {
            const double apart = std::fabs(a - s);
            c.differs = apart > kDifferent * std::max(std::fabs(a), std::fabs(s)) &&
                        !(unit == Unit::fraction && apart < kNearFraction);
            if (c.differs) explain(about, a, s, c.reasons);
        }
        out_.push_back(std::move(c));
    }

    void explain(About about, double a, double s, std::vector<std::string>& why) const {
        const bool more = s > a;
        if (measured_.saturated() && about != About::replicas) {
            why.push_back(
                "the backlog grows over the run: what was measured depends on how long "
                "the run is");
        }
        if (about == About::replicas) {
            explain_replicas(a, s, why);
        } else {
            if (v_.simple) explain_apart(about, more, why);
            if (about == About::wait) explain_wait(a, s, why);
            if (v_.simple) explain_limit(about, why);
            if (about == About::load && v_.dynamic && more) explain_batches(why);
            if (about == About::pace || about == About::kv) explain_llm(about, more, why);
            explain_swings(about, more, why);
            explain_losses(about, more, why);
        }
        explain_closed(about, more, why);
        if (!scenario_.spec.control.faults.empty()) {
            why.push_back(
                plural(static_cast<std::int64_t>(scenario_.spec.control.faults.size()), "fault") +
                " in the scenario, of which the formula knows nothing");
        }
        if (!why.empty()) return;
        why.push_back(v_.llm
                          ? "the formula is a mean over requests that meet at random: it knows no "
                            "variance, and not which of these requests meet"
                          : "none of the known reasons shows in the numbers");
    }
    void explain_swings(About about, bool more, std::vector<std::string>& why) const {
        const double swing = v_.load.peak_rate / v_.load.mean_rate;
        const bool raises = about == About::wait || about == About::pace || about == About::kv ||
                            about == About::blocked;
        if (!raises || !more || swing < kSwing) return;
        std::string text = fmt::format(
            "the rate swings: from {} on it is {} times the mean, {} utilisation instead of {}; "
            "the formula has the mean",
            clock_text(v_.load.peak_at_s), significant(swing),
            percent_text(v_.at.front().peak_utilisation), percent_text(v_.at.front().utilisation));
        if (v_.llm && about == About::pace) {
            text +=
                fmt::format(" (at that rate it gives {})", duration_text(v_.llm->peak.iteration_s));
        }
        why.push_back(std::move(text));
    }
    /// One replica, if requests are dealt out at random to all.
    [[nodiscard]] ServerQueue one_of(std::int64_t replicas) const {
        ServerQueue one = v_.simple->queue;
        const auto n = static_cast<double>(replicas);
        one.rate /= n;
        one.servers /= replicas;
        // Each request is kept with probability 1 / n.
        if (one.arrival_cv != 1) {
            one.arrival_cv = std::sqrt(1 + (one.arrival_cv * one.arrival_cv - 1) / n);
        }
        return one;
    }
    void explain_apart(About about, bool more, std::vector<std::string>& why) const {
        const std::int64_t replicas = v_.at.front().replicas;
        const std::int64_t room = v_.simple->waiting_room;
        // Queues apart turn more away, which leaves less to do.
        const bool turned = room >= 0 && (about == About::blocked || about == About::load);
        const bool fits =
            (about == About::wait && more) || (turned && more == (about != About::load));
        if (replicas < 2 || !fits) return;
        const ServerQueue one = one_of(replicas);
        std::string alone = "mean wait " + duration_text(one.mean_wait_s());
        if (room >= 0) {
            const serving::ServiceSpec& service = scenario_.spec.services[v_.service];
            const LimitedFigures figures = LimitedQueue{one, room / replicas}.figures(
                service.versions[v_.version].engine.simple->service_time);
            alone = turned ? percent_text(figures.blocked) + " turned away"
                           : "mean wait " + duration_text(figures.mean_wait_s);
        }
        why.push_back(fmt::format(
            "the formula has one queue for all {} replicas; each has its own ({} if requests were "
            "dealt out at random)",
            replicas, alone));
    }
    void explain_limit(About about, std::vector<std::string>& why) const {
        const SimpleFigures& simple = *v_.simple;
        if (simple.waiting_room < 0 || simple.exact) return;
        if (about != About::wait && about != About::load && about != About::blocked) return;
        const bool room = simple.waiting_room > 0;
        why.push_back(fmt::format(
            "{} assumes {}; here the coefficient of variation of the gaps is {}{}",
            room ? "M/M/c/K" : "Erlang B",
            room ? "exponential service and Poisson arrivals" : "Poisson arrivals",
            significant(simple.queue.arrival_cv),
            room ? ", of the service times " + significant(simple.queue.service_cv) : ""));
    }
    void explain_wait(double a, double s, std::vector<std::string>& why) const {
        const SimpleFigures& simple = *v_.simple;
        const std::int64_t replicas = v_.at.front().replicas;
        const double ready = measured_.get("replicas.mean");
        if (s > a && ready > 0 && ready < 0.99 * static_cast<double>(replicas)) {
            why.push_back(fmt::format("only {} of {} replicas were ready on average",
                                      significant(ready), replicas));
        }
        if (simple.waiting_room >= 0) return;
        const ServerQueue& queue = simple.queue;
        if (!queue.exact()) {
            why.push_back(fmt::format(
                "{}: gaps vary by {} and service times by {} (coefficients of variation)",
                queue.formula(), significant(queue.arrival_cv), significant(queue.service_cv)));
        }
        if (!queue.stable()) return;
        const double t = (result_.end - result_.measure_from).to_seconds();
        const double scatter = mean_wait_scatter(queue, t);
        if (std::fabs(s - a) <= 3 * scatter * a) {
            why.push_back(fmt::format(
                "one run of {} at this load scatters by about {} (one standard deviation)",
                clock_text(t), percent_text(scatter)));
        }
    }
    void explain_batches(std::vector<std::string>& why) const {
        const auto size = measured_.find("batches.mean_size");
        if (!size || *size > 0.9 * static_cast<double>(v_.dynamic->max_batch_size)) return;
        why.push_back(fmt::format(
            "the formula has full batches of {} ({} an item); those that ran had {} on average, "
            "and a single item takes {}",
            v_.dynamic->max_batch_size,
            duration_text(v_.dynamic->full_batch_s /
                          static_cast<double>(v_.dynamic->max_batch_size)),
            significant(*size), duration_text(v_.dynamic->single_s)));
    }
    void explain_llm(About about, bool more, std::vector<std::string>& why) const {
        const double preemptions = measured_.get("preemptions");
        const double arrived = measured_.get("requests.arrived");
        if (more && arrived > 0 && preemptions > kNoticed * arrived) {
            why.push_back(fmt::format(
                "{} for {} requests: the KV cache ({} of such sequences) fills up at times, and "
                "what is preempted is computed anew",
                plural(static_cast<std::int64_t>(preemptions), "preemption"),
                count_text(static_cast<std::int64_t>(arrived)), significant(v_.llm->kv_sequences)));
        }
        const double hits = measured_.get("kv_cache.prefix_hit_rate");
        if (hits > kNoticed) {
            why.push_back(fmt::format(
                "{} of prompt tokens were found in the prefix cache; the formula computes all",
                percent_text(hits)));
        }
        if (v_.load.lengths_differ) {
            why.push_back(fmt::format(
                "{} sources with different lengths share the engine; the formula has their mix",
                v_.load.sources));
        }
        if (about == About::kv && more && v_.llm->now.batch < 1.5) {
            why.push_back(
                "prompts hold KV cache while they are computed, which the formula leaves "
                "out");
        }
    }
    void explain_losses(About about, bool more, std::vector<std::string>& why) const {
        // The formula of a limited queue knows of those that it turns away.
        const bool limited = v_.simple && v_.simple->waiting_room >= 0;
        const double lost = measured_.turned_away(!limited);
        if (more || lost <= kNoticed || about == About::blocked) return;
        why.push_back(fmt::format("{} of requests {}timed out or failed", percent_text(lost),
                                  limited ? "" : "were turned away, "));
    }
    void explain_closed(About about, bool more, std::vector<std::string>& why) const {
        if (!v_.load.closed() || more || about == About::replicas) return;
        why.push_back(fmt::format("{} users who wait and think: the formula is {}",
                                  count_text(std::llround(v_.load.users)),
                                  v_.llm
                                      ? "their balance with requests of mean length and no queue"
                                      : "the most that they can ask for, with no waiting at all"));
    }
    void explain_replicas(double a, double s, std::vector<std::string>& why) const {
        if (s > a) {
            if (static_cast<double>(v_.min_replicas) > a) {
                why.push_back(fmt::format("min_replicas is {}", v_.min_replicas));
            }
            why.push_back(fmt::format(
                "the formula fills every replica to the last ({} requests/s each); {} aims lower, "
                "and keeps replicas for a while after a peak",
                rate_text(v_.capacity_rps), v_.autoscaler));
        } else {
            if (static_cast<double>(v_.max_replicas) < a) {
                why.push_back(fmt::format("max_replicas is {}", v_.max_replicas));
            }
            const double lost = measured_.turned_away();
            if (lost > kNoticed) {
                why.push_back(percent_text(lost) + " of requests were turned away or timed out");
            }
        }
        if (const auto lag = measured_.find("scale_events.capacity_lag_s.mean")) {
            why.push_back(fmt::format(
                "replicas came {} after they were asked for, {} at most", duration_text(*lag),
                duration_text(measured_.get("scale_events.capacity_lag_s.max"))));
        }
        const double swing = v_.load.peak_rate / v_.load.mean_rate;
        if (swing > kSwing) {
            why.push_back(
                fmt::format("the busiest window asks for {} times the mean", significant(swing)));
        }
    }

    const VersionBound& v_;
    const scenarios::Scenario& scenario_;
    const SimulationResult& result_;
    Measured measured_;
    std::vector<BoundComparison> out_;
};

}  // namespace

std::vector<std::vector<BoundComparison>> compare_bound(const Bound& bound,
                                                        const scenarios::Scenario& scenario,
                                                        const SimulationResult& result,
                                                        const Json& summary) {
    std::vector<std::vector<BoundComparison>> out;
    for (const VersionBound& version : bound.versions) {
        const std::string& service = scenario.spec.services[version.service].name;
        out.push_back(
            VersionComparison(version, scenario, result, summary.at("services").at(service)).run());
    }
    return out;
}

}  // namespace headroom::analysis
