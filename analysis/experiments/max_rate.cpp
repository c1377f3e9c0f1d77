#include "analysis/experiments/max_rate.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "analysis/experiments/metric_traits.hpp"
#include "analysis/experiments/replications.hpp"
#include "analysis/statistics/interval.hpp"

namespace headroom::analysis {

namespace {

using scenarios::Expectation;

/// Scales have this many significant digits, so that one can be typed as --rate-scale.
constexpr double kDigits = 1e5;

double rounded(double scale) {
    double shift = kDigits;
    for (; scale * shift >= 10 * kDigits; shift /= 10) {
    }
    for (; scale * shift < kDigits; shift *= 10) {
    }
    return std::round(scale * shift) / shift;
}

bool upper_bound(scenarios::Comparison comparison) {
    return comparison == scenarios::Comparison::less ||
           comparison == scenarios::Comparison::less_equal;
}
bool lower_bound(scenarios::Comparison comparison) {
    return comparison == scenarios::Comparison::greater ||
           comparison == scenarios::Comparison::greater_equal;
}
/// Whether the mean's confidence limit decides, and not each replication for itself.
bool by_mean(const Expectation& expectation) {
    return expectation.when == Expectation::When::whole_run &&
           (upper_bound(expectation.comparison) || lower_bound(expectation.comparison));
}

/// What satisfies the condition with how much to spare.
std::optional<double> margin_of(const Expectation& expectation, double value) {
    if (upper_bound(expectation.comparison)) return expectation.bound - value;
    if (lower_bound(expectation.comparison)) return value - expectation.bound;
    return std::nullopt;
}

/// Latencies of a run of finite length grow in proportion to the load at most; twice that is taken,
/// for preemptions and retries.
constexpr double kPaceSpare = 2;

/// Whether a condition that holds at both scales may be reached by `most`.
bool approaches(const Judgement& before, const Judgement& now, double from, double to,
                double most) {
    if (!before.margin || !now.margin) return before.mean != now.mean;
    const double pace = (*before.margin - *now.margin) / (to - from);
    return pace > 0 && (to >= most || kPaceSpare * pace * (most - to) >= *now.margin);
}
bool any_approaches(const ScalePoint& before, const ScalePoint& now, double most) {
    for (std::size_t i = 0; i < now.judgements.size(); ++i) {
        const Judgement& judgement = now.judgements[i];
        if (approaches(before.judgements[i], judgement, before.scale, now.scale, most)) return true;
    }
    return false;
}

/// Measurements so far, each scale once.
class Search {
  public:
    Search(const std::function<ScalePoint(double)>& measure, const SearchGoal& goal)
        : measure_(measure), goal_(goal) {}

    MaxRate run() {
        if (bracket() && bisect()) {
            if (goal_.probe) probe();
            if (out_.end == SearchEnd::found && out_.at(out_.broken_at)->unjudged()) {
                out_.end = SearchEnd::unjudged;
                out_.unjudged_at = std::exchange(out_.broken_at, 0);
            }
        }
        std::sort(out_.points.begin(), out_.points.end(),
                  [](const ScalePoint& a, const ScalePoint& b) { return a.scale < b.scale; });
        return std::move(out_);
    }

  private:
    /// Null: it did not finish.
    const ScalePoint* point(double scale) {
        if (const ScalePoint* known = out_.at(scale)) return known;
        ScalePoint measured = measure_(scale);
        if (measured.status != RunStatus::finished) {
            out_.end = SearchEnd::stopped;
            out_.status = measured.status;
            return nullptr;
        }
        out_.points.push_back(std::move(measured));
        return &out_.points.back();
    }
    static bool all_saturated(const ScalePoint& p) {
        return p.replications > 0 && p.saturated == p.replications;
    }

    /// False: there is an answer already, or none.
    bool bracket() {
        double scale = rounded(std::min(goal_.start, goal_.most));
        const ScalePoint* first = point(scale);
        if (first == nullptr) return false;
        return first->held ? climb(*first) : descend(scale);
    }
    bool climb(const ScalePoint& first) {
        out_.scale = first.scale;
        ScalePoint last = first;
        double step = goal_.step;
        while (true) {
            if (out_.scale >= rounded(goal_.most)) {
                out_.end = SearchEnd::still_holds;
                return false;
            }
            const ScalePoint* next = point(rounded(std::min(out_.scale * step, goal_.most)));
            if (next == nullptr) return false;
            if (!next->held) {
                out_.broken_at = next->scale;
                return true;
            }
            out_.scale = next->scale;
            if (all_saturated(last) && all_saturated(*next) &&
                !any_approaches(last, *next, goal_.most)) {
                out_.end = SearchEnd::cannot_break;
                return false;
            }
            last = *next;
            step = std::min(2.0, step * step);
        }
    }
    bool descend(double scale) {
        double step = goal_.step;
        while (true) {
            out_.broken_at = scale;
            const double lower = rounded(scale / step);
            if (lower < goal_.least) {
                out_.end = SearchEnd::never_holds;
                return false;
            }
            const ScalePoint* next = point(lower);
            if (next == nullptr) return false;
            if (next->held) {
                out_.scale = lower;
                return true;
            }
            scale = lower;
            step = std::min(2.0, step * step);
        }
    }
    bool bisect() {
        while (out_.broken_at > out_.scale * (1 + goal_.precision)) {
            const double middle = rounded(std::sqrt(out_.scale * out_.broken_at));
            if (middle <= out_.scale || middle >= out_.broken_at) break;
            const ScalePoint* next = point(middle);
            if (next == nullptr) return false;
            (next->held ? out_.scale : out_.broken_at) = middle;
        }
        return true;
    }
    void probe() {
        for (const double factor : {0.5, 0.8}) {
            if (point(rounded(out_.scale * factor)) == nullptr) return;
        }
        const double above = rounded(out_.broken_at * 1.25);
        const bool breaks = !out_.at(out_.broken_at)->unjudged();
        if (breaks && above <= goal_.most && point(above) == nullptr) return;
        for (const ScalePoint& p : out_.points) {
            const bool fails_below = p.scale < out_.scale && !p.held;
            const bool holds_above = p.scale > out_.broken_at && p.held;
            if (!fails_below && !holds_above) continue;
            out_.end = SearchEnd::not_monotone;
            out_.odd = p.scale;
        }
    }

    const std::function<ScalePoint(double)>& measure_;
    const SearchGoal& goal_;
    MaxRate out_;
};

}  // namespace

bool eased_by_traffic(const Expectation& expectation) {
    const MetricUnit unit = unit_of(expectation.metric);
    if (unit == MetricUnit::money) return false;  // more traffic costs more, a token less
    const Better better = better_when(expectation.metric);
    if (better == Better::lower || unit == MetricUnit::rate) {
        return lower_bound(expectation.comparison);
    }
    return better == Better::higher && upper_bound(expectation.comparison);
}

Judgement judge(const Expectation& expectation,
                std::span<const scenarios::ExpectationResult> results, double confidence) {
    Judgement out;
    std::vector<double> values;
    for (const scenarios::ExpectationResult& result : results) {
        if (!result.held) ++out.failed;
        if (!result.found) {
            ++out.missing;
            continue;
        }
        values.push_back(*result.found);
        const std::optional<double> margin = margin_of(expectation, *result.found);
        if (margin) out.margin = std::min(*margin, out.margin.value_or(*margin));
    }
    const bool whole = values.size() == results.size() && !values.empty();
    if (whole) out.mean = mean_interval(values).mean;
    if (!by_mean(expectation)) {
        out.held = !results.empty() && out.failed == 0;
        return out;
    }
    if (!whole) return out;
    // A one-sided limit is an end of the two-sided interval that leaves out twice as much.
    const Interval interval = mean_interval(values, 2 * confidence - 1);
    const bool upper = upper_bound(expectation.comparison);
    out.limit = upper ? interval.high() : interval.low();
    out.margin = margin_of(expectation, *out.limit);
    switch (expectation.comparison) {
        case scenarios::Comparison::less:
            out.held = *out.limit < expectation.bound;
            break;
        case scenarios::Comparison::less_equal:
            out.held = *out.limit <= expectation.bound;
            break;
        case scenarios::Comparison::greater:
            out.held = *out.limit > expectation.bound;
            break;
        default:
            out.held = *out.limit >= expectation.bound;
            break;
    }
    return out;
}

bool ScalePoint::unjudged() const {
    const auto fails = [](const Judgement& j) {
        return !j.held && (j.missing == 0 || j.failed > j.missing);
    };
    return !held && !judgements.empty() &&
           std::none_of(judgements.begin(), judgements.end(), fails);
}

const ScalePoint* MaxRate::at(double scale_of_it) const {
    const auto found = std::find_if(points.begin(), points.end(), [scale_of_it](const auto& p) {
        return p.scale == scale_of_it;
    });
    return found == points.end() ? nullptr : &*found;
}

MaxRate search_max_rate(const std::function<ScalePoint(double)>& measure, const SearchGoal& goal) {
    return Search(measure, goal).run();
}

double take_pessimistic_end(scenarios::Scenario& scenario) {
    double widest = 0;
    for (control::WorkloadSpec& workload : scenario.spec.control.workloads) {
        const serving::EngineSpec& engine =
            scenario.spec.services[workload.service].versions[workload.version].engine;
        const serving::ProfileInfo* profile = engine.llm       ? &engine.llm->profile
                                              : engine.dynamic ? &engine.dynamic->profile
                                                               : nullptr;
        if (profile == nullptr || !(profile->error_band > 0)) continue;
        const double slower = 1 / (1 + profile->error_band);
        widest = std::max(widest, profile->error_band);
        if (workload.speed_by_rank.empty()) workload.speed_by_rank = {1};
        for (double& speed : workload.speed_by_rank) speed *= slower;
        for (control::FaultSpec& fault : scenario.spec.control.faults) {
            const bool sets_speed = fault.kind == control::FaultSpec::Kind::set_speed;
            if (sets_speed && fault.target == workload.name) fault.speed *= slower;
        }
    }
    return widest;
}

RateStudy::RateStudy(Load load, RateStudyOptions options)
    : load_(std::move(load)), options_(std::move(options)) {}

ScalePoint RateStudy::measure(double scale) const {
    ScalePoint out;
    out.scale = scale;
    scenarios::LoadResult loaded = load_(scale);
    if (!loaded.scenario) {
        out.status = RunStatus::bad_input;
        for (const auto& diagnostic : loaded.diagnostics) {
            error_ += (error_.empty() ? "" : "\n") + diagnostic.text();
        }
        return out;
    }
    if (options_.pessimistic) take_pessimistic_end(*loaded.scenario);
    ReplicationOptions replications;
    replications.count = options_.replications;
    replications.threads = options_.threads;
    replications.stop = options_.stop;
    if (options_.progress) {
        replications.progress = [&](int finished) { options_.progress(scale, finished); };
    }
    const Replicated study = replicate(*loaded.scenario, replications);
    out.status = study.status;
    if (study.status != RunStatus::finished) {
        error_ = study.error;
        return out;
    }
    out.held = true;
    out.replications = static_cast<int>(study.runs.size());
    for (const Replication& run : study.runs) out.saturated += run.saturated ? 1 : 0;
    for (std::size_t i = 0; i < loaded.scenario->expectations.size(); ++i) {
        std::vector<scenarios::ExpectationResult> results;
        for (const Replication& run : study.runs) results.push_back(run.expectations[i]);
        out.judgements.push_back(
            judge(loaded.scenario->expectations[i], results, options_.confidence));
        out.held = out.held && out.judgements.back().held;
    }
    return out;
}

}  // namespace headroom::analysis
