// Sources: arrivals with lengths, traces, closed loops, sessions.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "scenarios/build.hpp"
#include "traces/generators/closed_loop_source.hpp"
#include "traces/generators/generated_source.hpp"
#include "traces/generators/session_source.hpp"
#include "traces/readers/trace_reader.hpp"

namespace headroom::scenarios {

namespace {

using serving::RequestSource;
using Maker = std::function<std::unique_ptr<RequestSource>(std::uint64_t seed)>;

/// What a trace that opened while loading but no longer does becomes: an error in order.
class FailedSource final : public RequestSource {
  public:
    explicit FailedSource(std::string error) : error_(std::move(error)) {}
    [[nodiscard]] OptionalTime peek() override { return std::nullopt; }
    serving::Arrival take() override { return {}; }
    [[nodiscard]] const std::string& error() const override { return error_; }

  private:
    std::string error_;
};

/// Ends another source before `end`.
class EndedSource final : public RequestSource {
  public:
    EndedSource(std::unique_ptr<RequestSource> inner, Time end)
        : inner_(std::move(inner)), end_(end) {}
    [[nodiscard]] OptionalTime peek() override {
        const OptionalTime time = inner_->peek();
        return time && *time < end_ ? time : std::nullopt;
    }
    serving::Arrival take() override { return inner_->take(); }
    void completed(const serving::Completion& c) override { inner_->completed(c); }
    [[nodiscard]] bool answers_completions() const override {
        return inner_->answers_completions();
    }
    [[nodiscard]] const std::string& error() const override { return inner_->error(); }

  private:
    std::unique_ptr<RequestSource> inner_;
    Time end_;
};

struct Lengths {
    traces::LengthModel prompt;
    traces::LengthModel output;
};

/// What all kinds of sources share.
struct Common {
    std::string name;
    std::string pointer;
    Lengths lengths;
    serving::RequestAttributes attributes;
    std::optional<Time> end;
    std::optional<std::int64_t> limit;
};

/// The parameters with every rate in them (what is in requests/s) multiplied, within its range.
Parameters scale_rates(const Parameters& parameters, const ParameterSpecs& specs, double scale);

ParameterValue scale_rates(const ParameterValue& value, const ParameterSpec& spec, double scale) {
    if (!value.given()) return value;
    if (spec.unit == "requests/s" && spec.type == ParameterType::number) {
        const auto* whole = std::get_if<std::int64_t>(&value.data);
        const double rate = whole ? static_cast<double>(*whole) : std::get<double>(value.data);
        return {std::min(rate * scale, spec.maximum.value_or(rate * scale))};
    }
    if (spec.type == ParameterType::object) {
        const auto& inner = *std::get<std::shared_ptr<const Parameters>>(value.data);
        return {std::make_shared<const Parameters>(scale_rates(inner, spec.fields, scale))};
    }
    if (spec.type == ParameterType::list) {
        ParameterValue::List list =
            *std::get<std::shared_ptr<const ParameterValue::List>>(value.data);
        for (ParameterValue& entry : list) entry = scale_rates(entry, spec.fields.front(), scale);
        return {std::make_shared<const ParameterValue::List>(std::move(list))};
    }
    return value;
}

Parameters scale_rates(const Parameters& parameters, const ParameterSpecs& specs, double scale) {
    Parameters out = parameters;
    for (const ParameterSpec& spec : specs) {
        const ParameterValue* value = parameters.find(spec.name);
        if (value != nullptr) out.set(spec.name, scale_rates(*value, spec, scale));
    }
    return out;
}

/// The process of "arrivals", at the run's rate scale.
PolicyChoice arrivals_of(const BuildContext& context, const Parameters& source) {
    PolicyChoice choice = choice_of(source.object("arrivals"), "process");
    const auto* entry = Registry<traces::ArrivalProcess>::instance().find(choice.name);
    if (entry != nullptr && context.rate_scale != 1) {
        choice.parameters = scale_rates(choice.parameters, entry->specs, context.rate_scale);
    }
    return choice;
}

std::optional<traces::LengthModel> length_of(BuildContext& context, const std::string& pointer,
                                             const Parameters& lengths, const char* name,
                                             traces::LengthModel::Role role) {
    const std::string at = pointer + "/" + name;
    if (!lengths.given(name) || !context.clean(at)) return std::nullopt;
    const Parameters& parameters = lengths.object(name);
    const std::string& kind = parameters.text("distribution");
    if (kind == "uniform" && !context.written(at + "/max")) {
        context.complain(at, "expected the key \"max\" with a \"uniform\" distribution");
        return std::nullopt;
    }
    warn_of_unused(context, at, "distribution", kind, traces::LengthModel::unused(parameters));
    try {
        return traces::LengthModel::from(parameters, role);
    } catch (const std::invalid_argument& error) {
        context.complain(at, error.what());
        return std::nullopt;
    }
}

void build_lengths(BuildContext& context, const std::string& pointer, const Parameters& lengths,
                   Lengths& out) {
    using Role = traces::LengthModel::Role;
    const auto prompt = length_of(context, pointer, lengths, "prompt", Role::prompt);
    const auto output = length_of(context, pointer, lengths, "output", Role::output);
    if (lengths.given("preset")) {
        const traces::LengthPreset& preset = *traces::length_preset(lengths.text("preset"));
        out = {preset.prompt, preset.output};
    } else if (!(context.written(pointer + "/prompt") && context.written(pointer + "/output")) &&
               !context.written(pointer + "/preset")) {
        context.complain(pointer, "expected \"preset\", or both of \"prompt\" and \"output\"");
    }
    if (prompt) out.prompt = *prompt;
    if (output) out.output = *output;
}

/// Whether requests that enter at `service` meet an engine to which their lengths matter.
bool lengths_matter(const std::vector<serving::ServiceSpec>& services, std::uint32_t service) {
    std::vector<bool> seen(services.size(), false);
    std::vector<std::uint32_t> open = {service};
    while (!open.empty()) {
        const std::uint32_t at = open.back();
        open.pop_back();
        if (at >= services.size() || seen[at]) continue;
        seen[at] = true;
        for (const auto& version : services[at].versions) {
            if (version.engine.llm) return true;
        }
        open.insert(open.end(), services[at].calls.begin(), services[at].calls.end());
    }
    return false;
}

std::unique_ptr<traces::ArrivalProcess> make_arrivals(const PolicyChoice& choice,
                                                      const std::string& source,
                                                      std::uint64_t seed) {
    return make_policy<traces::ArrivalProcess>(
        choice, PolicyContext{traces::source_stream(seed, source, "arrival")});
}

/// Makes the process once, so that what its parameters contradict is said while loading. Says also
/// whether it goes on for ever: whether it still expects arrivals in the second half of the longest
/// horizon there is.
bool check_arrivals(BuildContext& context, const Common& common, const PolicyChoice& choice,
                    bool& endless, SourceLoad& load) {
    try {
        const std::shared_ptr<const traces::ArrivalProcess> process =
            make_arrivals(choice, common.name, context.seed);
        load.arrivals = process;
        const Time half = Time::zero() + (Time::horizon_limit() - Time::zero()) / 2;
        endless = process->expected_by(Time::horizon_limit()) > process->expected_by(half);
        return true;
    } catch (const std::invalid_argument& error) {
        context.complain(common.pointer + "/arrivals", error.what());
        return false;
    }
}

void warn_of_gaps(BuildContext& context, const std::string& pointer, const Parameters& arrivals) {
    if (arrivals.find("gaps") == nullptr) return;
    const std::string& gaps = arrivals.text("gaps");
    if (gaps != "poisson" && gaps != "constant") return;
    warn_of_unused(context, pointer, "gaps", gaps, {"cv"});
}

std::optional<Maker> build_generated(BuildContext& context, const Common& common,
                                     const Parameters& source, bool& endless, SourceLoad& load) {
    const PolicyChoice choice = arrivals_of(context, source);
    if (!check_arrivals(context, common, choice, endless, load)) return std::nullopt;
    warn_of_gaps(context, common.pointer + "/arrivals", choice.parameters);
    if (!source.given("sessions")) {
        return [common, choice](std::uint64_t seed) -> std::unique_ptr<RequestSource> {
            traces::GeneratedConfig config;
            config.name = common.name;
            config.seed = seed;
            config.arrivals = make_arrivals(choice, common.name, seed);
            config.prompt = common.lengths.prompt;
            config.output = common.lengths.output;
            config.attributes = common.attributes;
            config.end = common.end;
            config.limit = common.limit;
            return std::make_unique<traces::GeneratedSource>(std::move(config));
        };
    }
    const Parameters sessions = source.object("sessions");
    const Parameters& turns = sessions.object("turns");
    const bool geometric = turns.text("distribution") == "geometric";
    const double mean = turns.number("mean");
    if (!geometric && mean != static_cast<double>(static_cast<std::int64_t>(mean))) {
        context.complain(common.pointer + "/sessions/turns/mean",
                         "expected a whole number of turns where it is fixed");
    }
    const Distribution think = build_duration(context, common.pointer + "/sessions/think_time",
                                              sessions.object("think_time"));
    return [common, choice, sessions, geometric, mean,
            think](std::uint64_t seed) -> std::unique_ptr<RequestSource> {
        traces::SessionConfig config;
        config.name = common.name;
        config.seed = seed;
        config.arrivals = make_arrivals(choice, common.name, seed);
        config.geometric_turns = geometric;
        config.mean_turns = mean;
        config.think = think;
        config.new_tokens = common.lengths.prompt;
        config.output = common.lengths.output;
        config.system_prompt = sessions.integer("system_prompt");
        config.system_prompts = sessions.integer("system_prompts");
        config.prefix_contents = sessions.boolean("prefix_contents");
        config.max_context = sessions.integer("max_context");
        config.attributes = common.attributes;
        config.end = common.end;
        config.limit = common.limit;
        return std::make_unique<traces::SessionSource>(std::move(config));
    };
}

std::optional<Maker> build_closed_loop(BuildContext& context, const Common& common,
                                       const Parameters& parameters, SourceLoad& load) {
    if (!parameters.given("users")) return std::nullopt;
    traces::ClosedLoopConfig config;
    config.name = common.name;
    constexpr double kMostUsers = 1e8;
    const double users = static_cast<double>(parameters.integer("users")) * context.rate_scale;
    config.users = static_cast<std::uint32_t>(std::clamp(std::round(users), 1.0, kMostUsers));
    config.think = build_duration(context, common.pointer + "/closed_loop/think_time",
                                  parameters.object("think_time"));
    config.ramp = parameters.duration("ramp");
    config.failure_pause = parameters.duration("failure_pause");
    config.prompt = common.lengths.prompt;
    config.output = common.lengths.output;
    config.attributes = common.attributes;
    config.end = common.end;
    config.limit = common.limit;
    load.users = config.users;
    load.think_s = config.think.mean();
    return [config](std::uint64_t seed) -> std::unique_ptr<RequestSource> {
        traces::ClosedLoopConfig seeded = config;
        seeded.seed = seed;
        return std::make_unique<traces::ClosedLoopSource>(std::move(seeded));
    };
}

/// Whether an engine of the service that the source's requests enter at caches prefixes: then a
/// trace that says nothing of its contents is most likely a mistake.
bool caches_prefixes(const BuildContext& context, const std::string& source) {
    using Pointer = nlohmann::json::json_pointer;
    const nlohmann::json& root = context.document.value();
    const Pointer entry(source + "/service");
    if (!root.contains(entry) || !root.at(entry).is_string()) return false;
    // A name that the services have: as an index into what should be an object, one may throw.
    const std::string name = root.at(entry).get<std::string>();
    if (!context.find_service(name)) return false;
    const Pointer service(join_pointer("/services", name));
    if (!root.contains(service) || !root.at(service).is_object()) return false;
    const auto caches = [](const nlohmann::json& version) {
        static const Pointer key("/engine/enable_prefix_caching");
        return version.contains(key) && version.at(key) == true;
    };
    if (caches(root.at(service))) return true;
    const auto versions = root.at(service).find("versions");
    if (versions == root.at(service).end() || !versions->is_object()) return false;
    return std::any_of(versions->begin(), versions->end(), caches);
}

std::optional<Maker> build_trace(BuildContext& context, const Common& common,
                                 const Parameters& parameters) {
    const std::string at = common.pointer + "/trace/file";
    if (!parameters.given("file")) return std::nullopt;
    // Relative to the file that says so; what the command line says, to where the user stands.
    const Location where = context.document.where(at);
    std::filesystem::path path = parameters.text("file");
    if (where.line > 0 && path.is_relative()) {
        path = (std::filesystem::path(where.file).parent_path() / path).lexically_normal();
    }
    traces::TraceOptions options;
    if (parameters.text("format") != "auto") options.format = parameters.text("format");
    options.rate_scale = parameters.number("rate_scale") * context.rate_scale;
    if (options.rate_scale < traces::TimeScale::kLeast ||
        options.rate_scale > traces::TimeScale::kMost) {
        context.complain("/rate_scale", fmt::format("expected {:g} to {:g} together with the "
                                                    "trace's own, found {:g}",
                                                    traces::TimeScale::kLeast,
                                                    traces::TimeScale::kMost, options.rate_scale));
        return std::nullopt;
    }
    options.time_scale = parameters.number("time_scale");
    options.limit = common.limit;
    options.start = parameters.duration("start");
    if (parameters.given("window")) options.window = parameters.duration("window");
    options.delay = parameters.duration("delay");
    options.require_contents = context.written(common.pointer + "/trace/require_contents")
                                   ? parameters.boolean("require_contents")
                                   : caches_prefixes(context, common.pointer);
    for (const char* attribute : {"priority", "tenant", "adapter"}) {
        if (!context.written(common.pointer + "/" + attribute)) continue;
        context.complain(common.pointer + "/" + attribute,
                         "expected this only for generated requests: a trace has its own");
    }
    std::string error;
    if (traces::open_trace(path.string(), options, error) == nullptr) {
        context.complain(at, "expected a trace that can be read: " + error);
        return std::nullopt;
    }
    return [file = path.string(), options,
            end = common.end](std::uint64_t) -> std::unique_ptr<RequestSource> {
        std::string problem;
        std::unique_ptr<RequestSource> trace = traces::open_trace(file, options, problem);
        if (trace == nullptr) return std::make_unique<FailedSource>(problem);
        if (!end) return trace;
        return std::make_unique<EndedSource>(std::move(trace), *end);
    };
}

/// Which of the ways to make requests the file names; complains unless it is exactly one.
std::string kind_of(BuildContext& context, const std::string& pointer) {
    std::string kind;
    for (const char* candidate : {"arrivals", "closed_loop", "trace"}) {
        if (!context.written(pointer + "/" + candidate)) continue;
        if (!kind.empty()) {
            context.complain(pointer + "/" + candidate, "expected one of \"" + kind + "\" and \"" +
                                                            candidate + "\", found both");
        }
        kind = candidate;
    }
    if (kind.empty()) {
        context.complain(pointer,
                         "expected \"arrivals\", \"closed_loop\" or \"trace\": where the "
                         "requests come from");
    } else if (kind != "arrivals" && context.written(pointer + "/sessions")) {
        context.complain(pointer + "/sessions",
                         "expected \"arrivals\" beside it: sessions begin by them");
    }
    return kind;
}

SourceLoad::Kind load_kind(const std::string& kind, bool sessions) {
    if (kind == "trace") return SourceLoad::Kind::trace;
    if (kind == "closed_loop") return SourceLoad::Kind::closed_loop;
    return sessions ? SourceLoad::Kind::sessions : SourceLoad::Kind::arrivals;
}

Common build_common(BuildContext& context, const std::string& name, const Parameters& source,
                    const std::string& kind, bool lengths_needed) {
    Common common;
    common.name = name;
    common.pointer = join_pointer("/sources", name);
    common.attributes.priority = static_cast<std::int32_t>(source.integer("priority"));
    common.attributes.tenant = static_cast<std::uint32_t>(source.integer("tenant"));
    common.attributes.adapter = static_cast<std::uint16_t>(source.integer("adapter"));
    common.end = context.sources_end;
    if (source.given("until")) {
        const Time until = Time::zero() + source.duration("until");
        common.end = common.end ? std::min(*common.end, until) : until;
    }
    if (source.given("max_requests")) common.limit = source.integer("max_requests");
    const bool has_lengths = context.written(common.pointer + "/lengths");
    if (kind == "trace" && has_lengths) {
        context.complain(common.pointer + "/lengths", "expected no lengths: the trace has them");
    } else if (source.given("lengths")) {
        build_lengths(context, common.pointer + "/lengths", source.object("lengths"),
                      common.lengths);
    } else if (kind != "trace" && !kind.empty() && !has_lengths && lengths_needed) {
        context.complain(common.pointer,
                         "expected the key \"lengths\": the engine needs to know "
                         "how long prompts and outputs are");
    }
    return common;
}

}  // namespace

serving::SourceSpec build_source(BuildContext& context, const std::string& name,
                                 const Parameters& source,
                                 const std::vector<serving::ServiceSpec>& services,
                                 SourceLoad& load) {
    serving::SourceSpec out;
    out.name = name;
    const std::string pointer = join_pointer("/sources", name);
    bool lengths_needed = false;
    if (source.given("service")) {
        if (const auto index = context.find_service(source.text("service"))) {
            out.service = *index;
            lengths_needed = lengths_matter(services, *index);
        } else {
            context.unknown_service(pointer + "/service", source.text("service"));
        }
    }
    const std::string kind = kind_of(context, pointer);
    const Common common = build_common(context, name, source, kind, lengths_needed);
    load.kind = load_kind(kind, context.written(pointer + "/sessions"));
    load.prompt = common.lengths.prompt;
    load.output = common.lengths.output;
    load.end = common.end;
    load.limit = common.limit;
    std::optional<Maker> maker;
    bool endless = kind == "closed_loop";
    if (kind == "trace" && source.given("trace")) {
        maker = build_trace(context, common, source.object("trace"));
    } else if (kind == "closed_loop" && source.given("closed_loop") &&
               context.clean(pointer + "/closed_loop")) {
        maker = build_closed_loop(context, common, source.object("closed_loop"), load);
    } else if (kind == "arrivals" && source.given("arrivals") &&
               context.clean(pointer + "/arrivals") && context.clean(pointer + "/sessions")) {
        maker = build_generated(context, common, source, endless, load);
    }
    if (endless && context.only_drains && !common.end && !common.limit) {
        context.complain(pointer,
                         "expected \"until\" or \"max_requests\": a run that only drains "
                         "would never end");
    }
    if (maker) out.make = std::move(*maker);
    return out;
}

}  // namespace headroom::scenarios
