/// Rule tests: unit tests of a scaling rule, in the manner of `promtool test rules`. No cluster and
/// no traffic: what the autoscaler sees is written down as series, and what it shall make of it as
/// expected replicas. The rule is that of a scenario's service, so that the very rule in use is
/// tested, or stands in the file:
///
///     {"scenario": "../chat.json", "service": "chat",
///      "tests": {"a lull of four minutes keeps the pods": {
///          "replicas": 8, "interval": "15s",
///          "series": {"requests_in_flight": "40x7 5x16 40x8"},
///          "expect": {"desired_replicas during 0s..6m": "== 8",
///                     "reason at 3m": "stabilization"}}}}
///
/// A series is of each pod ("requests_in_flight"), of all together, dealt evenly to the ready ones
/// ("requests_in_flight in total"), or of one pod, counted from 0 ("requests_in_flight of pod 2");
/// its values stand in rule_series.hpp. `expect` knows the replicas (ready) and desired_replicas
/// (asked for) "at" and "during", words of the autoscaler's reason ("reason at 3m"), and
/// the numbers of rule_metric_paths(). How a test is run stands in analysis/experiments/
/// rule_run.hpp.
///
/// All mistakes of a file and of the scenario that it names come at once, nothing is thrown.
/// Linear in the file and the values of its series, of which there may be ten million in all.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/diagnostic.hpp"
#include "scenarios/expectation.hpp"
#include "scenarios/located_json.hpp"
#include "scenarios/rule_series.hpp"
#include "scenarios/scenario.hpp"
#include "sim/control/control_spec.hpp"
#include "sim/control/metric_names.hpp"
#include "sim/core/parameter.hpp"

namespace headroom::scenarios {

/// One metric as the autoscaler sees it: value i at i * interval, the last one for ever.
struct RuleSeries {
    enum class Of : std::uint8_t {
        each_pod,  ///< of a metric of the service: its value
        total,     ///< over the ready pods
        one_pod,
    };
    control::MetricInfo metric{};
    Of of = Of::each_pod;
    std::size_t pod = 0;  ///< of one_pod
    std::vector<SeriesSample> samples;
};

/// A condition on numbers, or words that the autoscaler's reason shall hold.
struct RuleExpectation {
    Location where;
    std::string text;  ///< "replicas at 5m == 8", "reason at 5m: stabilization"
    std::optional<Expectation> condition;
    Time reason_at;            ///< where there is no condition
    std::string reason_words;  ///< likewise
};

struct RuleCase {
    std::string name;
    std::string description;
    Location where;
    std::int64_t replicas = 1;  ///< at the start, ready for long
    Duration interval;
    Time end;  ///< of its last value and its last expectation, whichever is later
    std::vector<RuleSeries> series;
    std::vector<RuleExpectation> expectations;
};

struct RuleTest {
    std::string name;
    std::string description;
    control::AutoscalerSpec autoscaler;
    std::string workload;  ///< whose rule it is; names the autoscaler and its random stream
    std::uint64_t seed = 1;
    std::optional<std::int64_t> start_unix_s;
    // A new pod: pending until pending_time, ready at start_time.
    Duration pending_time;
    Duration start_time;
    std::optional<std::int64_t> cpu_milli;     ///< what a pod requests
    std::optional<std::int64_t> memory_milli;  ///< bytes * 1000
    std::vector<RuleCase> cases;
};

struct RuleTestResult {
    std::optional<RuleTest> test;  ///< nothing: `diagnostics` says why
    Diagnostics diagnostics;
};

/// `options` are for the scenario whose rule is tested: `sets` change it, `catalogue` reads it.
[[nodiscard]] RuleTestResult load_rule_test(const std::string& path,
                                            const LoadOptions& options = {});

[[nodiscard]] const ParameterSpec& rule_test_format();
/// Its JSON Schema (draft-07), for `headroom schema rule-test`.
[[nodiscard]] nlohmann::json rule_test_schema();
/// Numbers over a whole test that `expect` may ask for, sorted.
[[nodiscard]] const std::vector<std::string>& rule_metric_paths();
/// What tells a rule test from a scenario: the key "tests".
[[nodiscard]] bool is_rule_test(const LocatedJson& document);

}  // namespace headroom::scenarios
