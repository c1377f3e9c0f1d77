/// Runs a rule test: a scaling policy alone, tick by tick, on series that are written down.
///
///     const RuleRun run = run_rule(test, test.cases.front());
///     for (const RuleVerdict& verdict : judge(test, test.cases.front(), run)) ...
///
/// The policy is made by its registry and sees the same view as in a simulation. What differs is
/// the world: value i of a series is scraped at i * interval of the pods that are ready then, and
/// is what the policy sees until the next one (a counter that it reads live grows evenly in
/// between). A new pod is there at once, pending until `pending_time`, ready at `start_time`; a pod
/// that is too many goes at once, the youngest first. The pods of the start have been ready for
/// long. At one instant: pods become ready, then values are scraped, then the policy samples for
/// itself, then it decides; it is woken besides where `gateway_queue` is above zero and no pod is
/// ready. What a rule says beyond a number of replicas (evictions, requests, buffering) is not
/// carried out.
///
/// O(steps * pods * series); memory O(ticks).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "scenarios/rule_test.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/metrics/time_series.hpp"

namespace headroom::analysis {

struct RuleTick {
    Time at;
    std::int64_t before = 0;
    std::int64_t desired = 0;
    std::string reason;
    std::string inputs;
};

struct RuleRun {
    bool interrupted = false;  ///< `stop` was raised; the rest is not whole
    metrics::TimeSeries ready;
    metrics::TimeSeries desired;
    std::vector<RuleTick> ticks;  ///< all, in order
    std::int64_t ups = 0;         ///< changes of the desired number
    std::int64_t downs = 0;
    std::int64_t reversals = 0;  ///< changes opposite to the one before
    Time end;
};

struct RuleVerdict {
    scenarios::Location where;
    bool held = false;
    std::string message;  ///< "replicas at 7m == 8: found 2; at 5m15s hpa went from 8 to 2 (...)"
};

[[nodiscard]] RuleRun run_rule(const scenarios::RuleTest& test, const scenarios::RuleCase& one,
                               const std::atomic<bool>* stop = nullptr);

/// The expectations of the case, in their order; with what the rule said where one does not hold.
[[nodiscard]] std::vector<RuleVerdict> judge(const scenarios::RuleTest& test,
                                             const scenarios::RuleCase& one, const RuleRun& run);

}  // namespace headroom::analysis
