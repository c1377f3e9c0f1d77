#include "scenarios/format.hpp"

#include "sim/control/control_spec.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "traces/generators/arrival_process.hpp"
#include "traces/generators/length_model.hpp"
#include "traces/readers/trace_format.hpp"
#include "traces/time_scale.hpp"

namespace headroom::scenarios {

namespace {

ParameterSpec lengths_format() {
    std::vector<std::string> presets;
    for (const traces::LengthPreset& preset : traces::length_presets()) {
        presets.emplace_back(preset.name);
    }
    return ParameterSpec::object(
               "lengths",
               {ParameterSpec::choice("preset", std::move(presets), "",
                                      "both lengths as in a public trace")
                    .optional_without_default(),
                ParameterSpec::object("prompt", traces::LengthModel::specs(),
                                      "prompt tokens, instead of the preset's; in sessions those "
                                      "the user adds each turn")
                    .optional_without_default(),
                ParameterSpec::object("output", traces::LengthModel::specs(),
                                      "output tokens, instead of the preset's")
                    .optional_without_default()},
               "how long prompts and outputs are: a preset, or both of prompt and output")
        .optional_without_default();
}

ParameterSpec trace_format() {
    std::vector<std::string> formats = {"auto"};
    for (const auto& [name, entry] : Registry<traces::TraceFormat>::instance().entries()) {
        formats.push_back(name);
    }
    return ParameterSpec::object(
               "trace",
               {ParameterSpec::text("file", "",
                                    "path, relative to this file; .gz and .zst are read")
                    .required(),
                ParameterSpec::choice("format", std::move(formats), "auto",
                                      "format of the rows; auto: by the first line"),
                ParameterSpec::number("rate_scale", 1, "2 is twice the request rate")
                    .at_least(traces::TimeScale::kLeast)
                    .at_most(traces::TimeScale::kMost),
                ParameterSpec::number("time_scale", 1, "times are multiplied by it")
                    .at_least(traces::TimeScale::kLeast)
                    .at_most(traces::TimeScale::kMost),
                ParameterSpec::duration("start", Duration::zero(),
                                        "rows before it are left out, in the trace's own time")
                    .at_most(kHorizonSeconds),
                ParameterSpec::duration("window", Duration::hours(1),
                                        "length of the part that is read, in the trace's own time")
                    .optional_without_default()
                    .above(0)
                    .at_most(kHorizonSeconds),
                ParameterSpec::duration("delay", Duration::zero(), "added to every time")
                    .at_most(kHorizonSeconds),
                ParameterSpec::boolean("require_contents", false,
                                       "a row that does not say what its tokens are (hash_ids) is "
                                       "an error; default: if an engine caches prefixes")},
               "requests of a recorded trace")
        .optional_without_default();
}

ParameterSpec closed_loop_format() {
    return ParameterSpec::object(
               "closed_loop",
               {ParameterSpec::integer("users", 1, "each has one request in flight at most")
                    .required()
                    .at_least(1)
                    .at_most(10'000'000),
                ParameterSpec::object("think_time", traces::duration_specs(Duration::seconds(1)),
                                      "between the end of a request and the user's next one"),
                ParameterSpec::duration("ramp", Duration::zero(), "over which the users start")
                    .at_most(kHorizonSeconds),
                ParameterSpec::duration("failure_pause", Duration::seconds(1),
                                        "pause after a request that did not complete, at least")
                    .above(0)
                    .at_most(kHorizonSeconds)},
               "users who wait for each answer, think, and ask again")
        .optional_without_default();
}

ParameterSpec sessions_format() {
    ParameterSpec turns = ParameterSpec::object(
        "turns",
        {ParameterSpec::choice("distribution", {"geometric", "fixed"}, "geometric", "shape"),
         ParameterSpec::number("mean", 3, "turns of a session").at_least(1).at_most(1e6)},
        "turns of a session");
    return ParameterSpec::object(
               "sessions",
               {std::move(turns),
                ParameterSpec::object("think_time", traces::duration_specs(Duration::seconds(10)),
                                      "between an answer and the next turn"),
                ParameterSpec::integer("system_prompt", 0, "tokens before the first turn's own")
                    .at_least(0)
                    .at_most(1e9)
                    .in("tokens"),
                ParameterSpec::integer("system_prompts", 1,
                                       "different system prompts; each session draws one")
                    .at_least(1)
                    .at_most(1e9),
                ParameterSpec::boolean("prefix_contents", true,
                                       "turns say what their tokens are, for caches of prefixes"),
                ParameterSpec::integer("max_context", 131072,
                                       "a session ends before its prompt and output exceed it")
                    .at_least(2)
                    .at_most(1e9)
                    .in("tokens")},
               "conversations: `arrivals` begin sessions, each turn repeats what was said before")
        .optional_without_default();
}

ParameterSpec metrics_format() {
    const control::MetricsPipelineSpec defaults;
    return ParameterSpec::object(
        "metrics",
        {ParameterSpec::duration("scrape_interval", defaults.scrape_interval, "between scrapes")
             .above(0)
             .at_most(kHorizonSeconds),
         ParameterSpec::duration("scrape_phase", defaults.scrape_phase, "time of the first scrape")
             .at_most(kHorizonSeconds),
         ParameterSpec::duration("delay", defaults.delay, "from a scrape to its being visible")
             .at_most(kHorizonSeconds),
         ParameterSpec::duration("window", defaults.window, "span of rates and averages")
             .above(0)
             .at_most(kHorizonSeconds)},
        "the metrics pipeline that autoscalers see the cluster through");
}

ParameterSpec network_format() {
    return ParameterSpec::object(
        "network",
        {ParameterSpec::quantity("registry_bandwidth", 0, "bytes/s",
                                 "shared by all image pulls; 0: not a limit"),
         ParameterSpec::quantity("weights_store_bandwidth", 0, "bytes/s",
                                 "shared by all weights loads; 0: not a limit")},
        "what all nodes share");
}

std::vector<ParameterSpec> run_fields() {
    return {
        ParameterSpec::text("$schema", "", "for editors: the schema of this file")
            .optional_without_default(),
        ParameterSpec::text("name", "", "short name, used in results; default: the file's")
            .optional_without_default(),
        ParameterSpec::text("description", "", "what the scenario shows"),
        ParameterSpec::text("extends", "",
                            "a scenario that this one is a merge patch on (RFC 7396)")
            .optional_without_default(),
        ParameterSpec::integer("seed", 1, "of all random streams")
            .at_least(0)
            .at_most(static_cast<double>(std::uint64_t{1} << 62)),
        ParameterSpec::duration("duration", Duration::hours(1),
                                "simulated time; with `drain` the "
                                "time after which no request comes")
            .optional_without_default()
            .above(0)
            .at_most(kHorizonSeconds),
        ParameterSpec::boolean("drain", false, "go on until every request has ended"),
        ParameterSpec::duration("measure_from", Duration::zero(),
                                "statistics leave out what lies before; counts do not")
            .at_most(kHorizonSeconds),
        ParameterSpec::number("rate_scale", 1,
                              "times the traffic: rates of arrivals and traces are multiplied by "
                              "it, and users of closed loops")
            .at_least(traces::TimeScale::kLeast)
            .at_most(traces::TimeScale::kMost),
        ParameterSpec::text("start", "", "UTC time of the start, as \"2023-11-16T18:00:00Z\"")
            .optional_without_default(),
        ParameterSpec::choice("initial", {"ready", "cold"}, "ready",
                              "whether the first replicas are there at the start or come up"),
        ParameterSpec::text("currency", "USD", "of all prices"),
    };
}

}  // namespace

ParameterSpec source_format() {
    ParameterSpec arrivals = policy_format<traces::ArrivalProcess>(
        "arrivals", "process", "", "when requests (or sessions) come");
    return ParameterSpec::object(
        "source",
        {ParameterSpec::text("service", "", "the service its requests enter at").required(),
         std::move(arrivals).optional_without_default(), trace_format(), closed_loop_format(),
         sessions_format(), lengths_format(),
         ParameterSpec::duration("until", Duration::hours(1),
                                 "no request at or after it; default: the scenario's duration")
             .optional_without_default()
             .above(0)
             .at_most(kHorizonSeconds),
         ParameterSpec::integer("max_requests", 1, "requests at most (of sessions: sessions)")
             .optional_without_default()
             .at_least(1),
         ParameterSpec::integer("priority", 0, "of its requests; lower is served first")
             .at_least(-1e9)
             .at_most(1e9),
         ParameterSpec::integer("tenant", 0, "of its requests").at_least(0).at_most(4e9),
         ParameterSpec::integer("adapter", 0, "LoRA adapter of its requests; 0: the base model")
             .at_least(0)
             .at_most(65535)},
        "a stream of requests: arrivals, a trace, or a closed loop");
}

const ParameterSpec& scenario_format() {
    static const ParameterSpec format = [] {
        std::vector<ParameterSpec> fields = run_fields();
        fields.push_back(ParameterSpec::map("services", service_format(), "what is served, by name")
                             .required()
                             .in("name"));
        fields.push_back(ParameterSpec::map("sources", source_format(), "the load, by name")
                             .required()
                             .in("name"));
        fields.push_back(
            ParameterSpec::map("node_pools", node_pool_format(),
                               "the cluster, by name; default: a pool with room for everything")
                .optional_without_default()
                .in("name"));
        fields.push_back(metrics_format());
        fields.push_back(policy_format<control::SchedulingPolicy>(
            "scheduling", "policy", "kube-default", "how pods find their nodes"));
        fields.push_back(network_format());
        fields.push_back(
            ParameterSpec::map("faults", fault_format(), "what goes wrong, by name").in("name"));
        fields.push_back(ParameterSpec::map(
            "expect",
            ParameterSpec::text("condition", "", "such as \"< 2\" or \">= 95%\"").required(),
            "metric to condition: \"latency.ttft_s.p99\", \"replicas at 10m\", "
            "\"replicas during 5m..20m\""));
        return ParameterSpec::object("scenario", std::move(fields), "A Headroom scenario.");
    }();
    return format;
}

}  // namespace headroom::scenarios
