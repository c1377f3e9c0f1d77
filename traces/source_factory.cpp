#include "traces/source_factory.hpp"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "sim/core/check.hpp"
#include "traces/generators/closed_loop_source.hpp"
#include "traces/generators/generated_source.hpp"
#include "traces/generators/length_model.hpp"
#include "traces/generators/session_source.hpp"

namespace headroom::traces {

namespace {

constexpr double kMostSeconds = 8'640'000;  // Time::horizon_limit()

ParameterSpec limit_spec(std::string what) {
    return ParameterSpec::integer("limit", 1, std::move(what))
        .optional_without_default()
        .at_least(1);
}

void append(ParameterSpecs& specs, ParameterSpecs more) {
    for (ParameterSpec& spec : more) specs.push_back(std::move(spec));
}

ParameterSpec preset_spec() {
    std::vector<std::string> names;
    for (const LengthPreset& preset : length_presets()) names.emplace_back(preset.name);
    return ParameterSpec::choice("lengths", std::move(names), "azure-2023-conversation",
                                 "lengths of prompts and outputs that are not given by themselves");
}

ParameterSpec length_spec(const char* name, const char* help) {
    return ParameterSpec::object(name, LengthModel::specs(), help).optional_without_default();
}

ParameterSpecs attribute_specs() {
    return {
        ParameterSpec::integer("priority", 0, "of every request; lower is served first")
            .at_least(-2147483648.0)
            .at_most(2147483647.0),
        ParameterSpec::integer("tenant", 0, "of every request").at_least(0).at_most(4294967295.0),
        ParameterSpec::integer("adapter", 0, "of every request; 0 is the base model")
            .at_least(0)
            .at_most(65535),
    };
}

ParameterSpecs trace_specs() {
    return {
        ParameterSpec::text("path", "", "file: plain, .gz or .zst").required(),
        ParameterSpec::text("format", "", "azure-llm, csv or mooncake; empty: by the first line"),
        ParameterSpec::number("rate_scale", 1, "times are divided by it: 2 doubles the rate")
            .at_least(TimeScale::kLeast)
            .at_most(TimeScale::kMost),
        ParameterSpec::number("time_scale", 1, "times are multiplied by it")
            .at_least(TimeScale::kLeast)
            .at_most(TimeScale::kMost),
        limit_spec("requests at most"),
        ParameterSpec::duration("start", Duration::zero(), "where in the trace to begin")
            .at_most(kMostSeconds),
        ParameterSpec::duration("window", Duration::hours(1), "how much of the trace to use")
            .optional_without_default()
            .at_most(kMostSeconds),
        ParameterSpec::duration("delay", Duration::zero(), "when the trace begins in the run")
            .at_most(kMostSeconds),
        ParameterSpec::boolean("require_contents", false, "a row without hash_ids is an error"),
    };
}

ParameterSpecs open_loop_specs() {
    ParameterSpecs specs = {preset_spec(), length_spec("prompt", "tokens of a prompt"),
                            length_spec("output", "tokens generated"),
                            limit_spec("requests at most")};
    append(specs, attribute_specs());
    return specs;
}

ParameterSpecs closed_loop_specs() {
    ParameterSpecs specs = {
        ParameterSpec::integer("users", 1, "users at work").required().at_least(1).at_most(1e8),
        ParameterSpec::object("think", duration_specs(Duration::seconds(10)),
                              "from a request's end to the user's next one"),
        ParameterSpec::duration("ramp", Duration::zero(), "over which the users start")
            .at_most(kMostSeconds),
        ParameterSpec::duration("failure_pause", Duration::seconds(1),
                                "think time at least, after a request that did not complete")
            .above(0)
            .at_most(kMostSeconds),
        preset_spec(),
        length_spec("prompt", "tokens of a prompt"),
        length_spec("output", "tokens generated"),
        limit_spec("requests at most"),
    };
    append(specs, attribute_specs());
    return specs;
}

ParameterSpecs session_specs() {
    ParameterSpecs specs = {
        ParameterSpec::choice("turns", {"geometric", "fixed"}, "geometric",
                              "how the number of turns is distributed"),
        ParameterSpec::number("mean_turns", 3, "turns of a session on average; whole where fixed")
            .at_least(1)
            .at_most(1e6),
        ParameterSpec::object("think", duration_specs(Duration::seconds(30)),
                              "from a turn's end to the next turn"),
        ParameterSpec::object("new_tokens", LengthModel::specs(), "tokens the user adds in a turn")
            .required(),
        preset_spec(),
        length_spec("output", "tokens generated in a turn"),
        ParameterSpec::integer("system_prompt", 0, "tokens before the first words of a session")
            .at_least(0)
            .at_most(1e9),
        ParameterSpec::integer("system_prompts", 1, "different ones, drawn for each session")
            .at_least(1)
            .at_most(1e9),
        ParameterSpec::boolean("prefix_contents", true,
                               "turns say what their tokens are, for caches of prefixes"),
        ParameterSpec::integer("max_context", 131'072, "a session ends before it grows past this")
            .at_least(2)
            .at_most(1e9),
        limit_spec("sessions at most"),
    };
    append(specs, attribute_specs());
    return specs;
}

LengthModel length(const Parameters& p, const char* name, LengthModel::Role role) {
    if (p.given(name)) return LengthModel::from(p.object(name), role);
    const LengthPreset* preset = length_preset(p.text("lengths"));
    HEADROOM_CHECK(preset != nullptr, "an unknown preset passed the validation");
    return role == LengthModel::Role::prompt ? preset->prompt : preset->output;
}

serving::RequestAttributes attributes(const Parameters& p) {
    return {.priority = static_cast<std::int32_t>(p.integer("priority")),
            .tenant = static_cast<std::uint32_t>(p.integer("tenant")),
            .adapter = static_cast<std::uint16_t>(p.integer("adapter"))};
}

std::optional<std::int64_t> limit(const Parameters& p) {
    if (!p.given("limit")) return std::nullopt;
    return p.integer("limit");
}

std::unique_ptr<ArrivalProcess> arrivals_of(const PolicyChoice& choice,
                                            const SourceContext& context) {
    return make_policy<ArrivalProcess>(choice,
                                       {source_stream(context.seed, context.name, "arrival")});
}

std::unique_ptr<serving::RequestSource> make_open_loop(const Parameters& p,
                                                       const PolicyChoice& arrivals,
                                                       const SourceContext& context) {
    return std::make_unique<GeneratedSource>(
        GeneratedConfig{.name = context.name,
                        .seed = context.seed,
                        .arrivals = arrivals_of(arrivals, context),
                        .prompt = length(p, "prompt", LengthModel::Role::prompt),
                        .output = length(p, "output", LengthModel::Role::output),
                        .attributes = attributes(p),
                        .end = context.end,
                        .limit = limit(p)});
}

std::unique_ptr<serving::RequestSource> make_closed_loop(const Parameters& p,
                                                         const SourceContext& context) {
    return std::make_unique<ClosedLoopSource>(
        ClosedLoopConfig{.name = context.name,
                         .seed = context.seed,
                         .users = static_cast<std::uint32_t>(p.integer("users")),
                         .think = duration_distribution(p.object("think")),
                         .ramp = p.duration("ramp"),
                         .failure_pause = p.duration("failure_pause"),
                         .prompt = length(p, "prompt", LengthModel::Role::prompt),
                         .output = length(p, "output", LengthModel::Role::output),
                         .attributes = attributes(p),
                         .end = context.end,
                         .limit = limit(p)});
}

std::unique_ptr<serving::RequestSource> make_sessions(const Parameters& p,
                                                      const PolicyChoice& arrivals,
                                                      const SourceContext& context) {
    const bool geometric = p.text("turns") == "geometric";
    const double mean_turns = p.number("mean_turns");
    if (!geometric && mean_turns != std::floor(mean_turns)) {
        throw std::invalid_argument(
            "mean_turns is not whole; expected a whole number of turns where they are fixed");
    }
    return std::make_unique<SessionSource>(SessionConfig{
        .name = context.name,
        .seed = context.seed,
        .arrivals = arrivals_of(arrivals, context),
        .geometric_turns = geometric,
        .mean_turns = mean_turns,
        .think = duration_distribution(p.object("think")),
        .new_tokens = LengthModel::from(p.object("new_tokens"), LengthModel::Role::prompt),
        .output = length(p, "output", LengthModel::Role::output),
        .system_prompt = p.integer("system_prompt"),
        .system_prompts = p.integer("system_prompts"),
        .prefix_contents = p.boolean("prefix_contents"),
        .max_context = p.integer("max_context"),
        .attributes = attributes(p),
        .end = context.end,
        .limit = limit(p)});
}

}  // namespace

const std::vector<SourceKind>& source_kinds() {
    static const std::vector<SourceKind> kinds = {
        {"closed-loop", "users who wait for each answer and think before the next request", false,
         closed_loop_specs()},
        {"open-loop", "requests by an arrival process, whatever the system does", true,
         open_loop_specs()},
        {"sessions", "conversations of several turns", true, session_specs(), true},
        {"trace", "requests from a file", false, trace_specs(), true},
    };
    return kinds;
}

const SourceKind* find_source_kind(std::string_view name) {
    for (const SourceKind& kind : source_kinds()) {
        if (kind.name == name) return &kind;
    }
    return nullptr;
}

TraceOptions trace_options(const Parameters& p, const SourceContext& context) {
    TraceOptions options;
    options.format = p.text("format");
    options.rate_scale = p.number("rate_scale");
    options.time_scale = p.number("time_scale");
    options.limit = limit(p);
    options.start = p.duration("start");
    options.delay = p.duration("delay");
    options.end = context.end;
    options.require_contents = p.boolean("require_contents");
    if (p.given("window")) options.window = p.duration("window");
    return options;
}

std::unique_ptr<ArrivalProcess> make_arrivals(const PolicyChoice& arrivals,
                                              const SourceContext& context, std::string& error) {
    try {
        return arrivals_of(arrivals, context);
    } catch (const std::invalid_argument& problem) {
        error = problem.what();
        return nullptr;
    }
}

std::unique_ptr<serving::RequestSource> make_source(const SourceKind& kind,
                                                    const Parameters& parameters,
                                                    const PolicyChoice* arrivals,
                                                    const SourceContext& context,
                                                    std::string& error) {
    HEADROOM_CHECK(!kind.has_arrivals || arrivals != nullptr, "the source needs arrivals");
    try {
        if (kind.name == "open-loop") return make_open_loop(parameters, *arrivals, context);
        if (kind.name == "sessions") return make_sessions(parameters, *arrivals, context);
        if (kind.name == "closed-loop") return make_closed_loop(parameters, context);
    } catch (const std::invalid_argument& problem) {
        error = problem.what();
        return nullptr;
    }
    HEADROOM_CHECK(kind.name == "trace", "an unknown kind of source passed the validation");
    return open_trace(parameters.text("path"), trace_options(parameters, context), error);
}

}  // namespace headroom::traces
