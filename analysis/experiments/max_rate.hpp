/// max_rate: the highest scale of a scenario's traffic at which all that it expects still holds.
///
///     RateStudy study(load, {.replications = 5, .threads = 2});
///     const MaxRate answer = search_max_rate([&](double x) { return study.measure(x); }, {});
///     answer.end, answer.scale, answer.broken_at, answer.points
///
/// Every scale is run under the same seeds, so all of them see the same randomness (common random
/// numbers) and what holds changes at one scale rather than by luck around it. A condition on a
/// metric of the run holds at a scale when the confidence limit of its mean over the replications
/// satisfies it: with < and <= the upper one-sided limit by Student's t, with > and >= the lower
/// one. Conditions with == or != and those on series must hold in every replication.
///
/// The search doubles (or halves) from the start until the answer is between two scales, then
/// halves that ratio until it is 1 + precision, and last looks at some scales below and above,
/// for where conditions hold again or fail before, "the highest" is no answer. It gives up doubling
/// where the system is saturated in all replications at two scales in a row, all conditions hold,
/// and none would be reached by the highest scale allowed at twice the pace of those two: in a run
/// of finite length latencies go on growing long after saturation. A condition that has no data
/// where it had some at a lower scale is not broken but cannot be judged there. Deterministic,
/// whatever the number of threads. O(log(1/precision)) scales.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scenarios/expectation.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

/// One expectation at one scale.
struct Judgement {
    bool held = false;
    std::optional<double> mean;   ///< over the replications; nothing: one of them has no value
    std::optional<double> limit;  ///< what the condition was held against, of metrics of the run
    int failed = 0;               ///< replications in which it does not hold by itself
    int missing = 0;              ///< replications without a value
    /// From what was judged to the bound, positive where it holds; nothing with == and !=.
    std::optional<double> margin;
};

/// All replications' results for one expectation.
[[nodiscard]] Judgement judge(const scenarios::Expectation& expectation,
                              std::span<const scenarios::ExpectationResult> results,
                              double confidence);

/// Whether more traffic makes it hold rather than break ("latency.e2e_s.p99 > 2"): it bounds no
/// rate from above.
[[nodiscard]] bool eased_by_traffic(const scenarios::Expectation& expectation);

struct ScalePoint {
    double scale = 1;
    RunStatus status = RunStatus::finished;  ///< else the rest says nothing
    bool held = false;
    int saturated = 0;  ///< replications whose backlog grows
    int replications = 0;
    std::vector<Judgement> judgements;  ///< by expectation

    /// It does not hold, and only for want of data: no replication that has some fails.
    [[nodiscard]] bool unjudged() const;
};

struct SearchGoal {
    double start = 1;
    double step = 2;  ///< first factor between scales; grows
    double precision = 0.01;
    double most = 100;  ///< no higher scale is tried
    double least = 1.0 / 1024;
    bool probe = true;  ///< look for where it is not monotone
};

enum class SearchEnd : std::uint8_t {
    found,
    still_holds,   ///< at the highest scale that may be tried
    never_holds,   ///< not even at the lowest
    cannot_break,  ///< saturated, all conditions hold, and none comes near its bound
    unjudged,      ///< from `unjudged_at` on a condition has no data
    not_monotone,  ///< found, but it fails below or holds above
    stopped        ///< a measurement did not finish; see `status`
};

struct MaxRate {
    SearchEnd end = SearchEnd::found;
    RunStatus status = RunStatus::finished;
    double scale = 0;                ///< the highest that held
    double broken_at = 0;            ///< the lowest above it that did not; 0: none was met
    double unjudged_at = 0;          ///< of unjudged: the lowest scale above without data
    double odd = 0;                  ///< of not_monotone: the scale that should have been otherwise
    std::vector<ScalePoint> points;  ///< all that were measured, ascending

    [[nodiscard]] const ScalePoint* at(double scale_of_it) const;
};

[[nodiscard]] MaxRate search_max_rate(const std::function<ScalePoint(double)>& measure,
                                      const SearchGoal& goal);

/// Slows every instance whose profile states an error band down to its pessimistic end: times
/// 1 + band as long. Returns the widest band; 0: no profile states one.
double take_pessimistic_end(scenarios::Scenario& scenario);

struct RateStudyOptions {
    int replications = 5;
    int threads = 1;
    double confidence = 0.95;
    bool pessimistic = false;
    const std::atomic<bool>* stop = nullptr;
    /// A run at this scale has ended, so many of all at it.
    std::function<void(double scale, int finished)> progress = {};
};

/// Loads and runs a scenario at scales of its traffic.
class RateStudy {
  public:
    using Load = std::function<scenarios::LoadResult(double scale)>;
    RateStudy(Load load, RateStudyOptions options);
    [[nodiscard]] ScalePoint measure(double scale) const;
    /// Of a bad_input: what was wrong.
    [[nodiscard]] const std::string& error() const { return error_; }

  private:
    Load load_;
    RateStudyOptions options_;
    mutable std::string error_;
};

}  // namespace headroom::analysis
