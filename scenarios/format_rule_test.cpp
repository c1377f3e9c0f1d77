// The format of rule tests, described: see rule_test.hpp.

#include <nlohmann/json.hpp>

#include "scenarios/format.hpp"
#include "scenarios/rule_test.hpp"
#include "scenarios/schema.hpp"

namespace headroom::scenarios {

namespace {

ParameterSpec tested_pod_format() {
    const auto quantity = [](const char* name, const char* unit, const char* help) {
        return ParameterSpec::quantity(name, 0, unit, help).optional_without_default();
    };
    return ParameterSpec::object(
        "pod",
        {ParameterSpec::object("requests",
                               {quantity("cpu", "m", "cores; default: the scenario's"),
                                quantity("memory", "bytes", "default: the scenario's")},
                               "what a utilization is of"),
         ParameterSpec::duration("pending_time", Duration::zero(),
                                 "a new pod is in phase Pending for so long")
             .at_most(kHorizonSeconds),
         ParameterSpec::duration("start_time", Duration::zero(),
                                 "from a pod's creation until it is ready")
             .at_most(kHorizonSeconds)},
        "how new pods come up");
}

ParameterSpec replicas_format(const char* help) {
    return ParameterSpec::integer("replicas", 1, help)
        .optional_without_default()
        .at_least(0)
        .at_most(100'000);
}

ParameterSpec interval_format(const char* help) {
    return ParameterSpec::duration("interval", Duration::seconds(15), help)
        .above(0)
        .at_most(kHorizonSeconds);
}

ParameterSpec case_format() {
    return ParameterSpec::object(
        "test",
        {ParameterSpec::text("description", "", "why it matters, told when it fails"),
         replicas_format("at the start; default: the file's"),
         interval_format("between two values; default: the file's").optional_without_default(),
         ParameterSpec::map(
             "series",
             ParameterSpec::text("values", "", "such as \"40x4 120x8 _ stale\"").required(),
             "metric to values: \"requests_in_flight\" of each pod, \"... in total\" over the "
             "ready pods, \"... of pod 0\""),
         ParameterSpec::map(
             "expect", ParameterSpec::text("condition", "", "such as \"== 8\"").required(),
             "\"replicas at 5m\", \"desired_replicas during 0s..6m\", \"scale_events.reversals\", "
             "\"reason at 5m\": words of the reason")
             .required()},
        "a test: what is seen, and what shall follow");
}

}  // namespace

const ParameterSpec& rule_test_format() {
    static const ParameterSpec format = [] {
        std::vector<ParameterSpec> fields = {
            ParameterSpec::text("$schema", "", "for editors: the schema of this file")
                .optional_without_default(),
            ParameterSpec::text("name", "", "short name, used in reports; default: the file's")
                .optional_without_default(),
            ParameterSpec::text("description", "", "what the rule shall do"),
            ParameterSpec::text("scenario", "",
                                "the scenario whose rule is tested, relative to this file")
                .optional_without_default(),
            ParameterSpec::text("service", "",
                                "its service; default: the only one with autoscaling")
                .optional_without_default(),
            autoscaler_format("autoscaling", "the rule itself, instead of a scenario"),
            tested_pod_format(),
            replicas_format("at the start; default: the scenario's, or min_replicas"),
            interval_format("between two values of a series"),
            ParameterSpec::text("start", "",
                                "UTC time of the start, as \"2023-11-16T18:00:00Z\"; default: the "
                                "scenario's")
                .optional_without_default(),
        };
        fields.push_back(
            ParameterSpec::map("tests", case_format(), "the tests, by name").required());
        return ParameterSpec::object("rule test", std::move(fields),
                                     "Tests of a Headroom scaling rule.");
    }();
    return format;
}

nlohmann::json rule_test_schema() {
    nlohmann::json schema = schema_of(rule_test_format());
    schema["$schema"] = "http://json-schema.org/draft-07/schema#";
    schema["title"] = "Headroom rule test";
    return schema;
}

}  // namespace headroom::scenarios
