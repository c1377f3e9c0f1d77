#include "policies/scaling/kpa/kpa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include "policies/scaling/invalid_decision.hpp"

namespace headroom::policies {

namespace {

using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;

constexpr Duration kSampleInterval = Duration::seconds(1);
constexpr double kLeastTarget = 0.01;

/// target and total of a pod, as resources/target.go resolves them from the annotations.
void resolve_target(const Parameters& parameters, bool is_rps, KpaDeciderSpec& spec) {
    const auto limit = static_cast<double>(parameters.integer("container_concurrency"));
    double total = is_rps ? 200.0 : 100.0;
    if (!is_rps && limit > 0.0) total = limit;
    if (parameters.given("target")) {
        total = parameters.number("target");
        if (!is_rps && limit > 0.0) total = std::min(total, limit);
    }
    const double utilization = parameters.number("target_utilization_percentage") / 100.0;
    spec.total_value = total;
    spec.target_value = std::max(kLeastTarget, total * utilization);
}

WindowAlgorithm parse_algorithm(const Parameters& parameters) {
    return parameters.text("metric_aggregation_algorithm") == "linear"
               ? WindowAlgorithm::linear
               : WindowAlgorithm::weighted_exponential;
}

/// The share of the stable window, in whole seconds and at least one bucket (resources/metric.go).
Duration panic_window(const Parameters& parameters) {
    const auto stable = static_cast<double>(parameters.duration("stable_window").ps());
    const double ps = stable * parameters.number("panic_window_percentage") / 100.0;
    const double seconds = std::round(ps / static_cast<double>(Duration::kPerSecond));
    return std::max(Duration::from_seconds(seconds), kSampleInterval);
}

KpaActivityConfig parse_activity(const Parameters& parameters) {
    KpaActivityConfig config;
    config.min_replicas = parameters.integer("min_replicas");
    config.max_replicas = parameters.integer("max_replicas");
    config.initial_scale = parameters.integer("initial_scale");
    config.reachable = parameters.boolean("reachable");
    config.enable_scale_to_zero = parameters.boolean("enable_scale_to_zero");
    config.stable_window = parameters.duration("stable_window");
    config.scale_to_zero_grace_period = parameters.duration("scale_to_zero_grace_period");
    config.scale_to_zero_pod_retention_period =
        parameters.duration("scale_to_zero_pod_retention_period");
    config.progress_deadline = parameters.duration("progress_deadline");
    return config;
}

/// nullopt: the view does not list the pods that it says exist.
std::optional<std::int64_t> ready_if_listed(const ScalingView& view) {
    if (static_cast<std::int64_t>(view.pods.size()) < view.status_replicas) return std::nullopt;
    return std::count_if(view.pods.begin(), view.pods.end(), [](const control::ScalingPod& pod) {
        return !pod.deleted && pod.phase == control::PodPhase::running && pod.has_ready_condition &&
               pod.ready;
    });
}

std::string limit_text(const KpaScale& scale, const KpaDeciderSpec& spec) {
    switch (scale.limit) {
        case KpaLimit::none:
            return {};
        case KpaLimit::max_scale_up_rate:
            return fmt::format(", {} allowed: max_scale_up_rate {:g}", scale.desired_pods,
                               spec.max_scale_up_rate);
        case KpaLimit::max_scale_down_rate:
            return fmt::format(", {} allowed: max_scale_down_rate {:g}", scale.desired_pods,
                               spec.max_scale_down_rate);
        case KpaLimit::activation_scale:
            return fmt::format(", {}: activation_scale", scale.desired_pods);
        case KpaLimit::panic:
            return fmt::format(", {} held: panic", scale.desired_pods);
        case KpaLimit::scale_down_delay:
            return fmt::format(", {} held: scale_down_delay", scale.desired_pods);
    }
    return {};
}

std::string hold_text(const KpaWant& want, const KpaActivityConfig& config) {
    const auto so_far = [&](const char* what, const char* period, Duration length) {
        return fmt::format("; last pod kept: {} for {:g} s, {} {:g} s", what,
                           want.elapsed.to_seconds(), period, length.to_seconds());
    };
    switch (want.hold) {
        case KpaHold::none:
            return {};
        case KpaHold::min_replicas:
            return fmt::format("; {} allowed: min_replicas", want.replicas);
        case KpaHold::initial_scale:
            return fmt::format("; {} allowed: initial_scale", want.replicas);
        case KpaHold::max_replicas:
            return fmt::format("; {} allowed: max_replicas", want.replicas);
        case KpaHold::unknown:
            return "; pods stay as they are";
        case KpaHold::no_zero:
            return "; 1 kept: enable_scale_to_zero is false";
        case KpaHold::active:
            return so_far("active", "stable_window", config.stable_window);
        case KpaHold::deactivating:
            return "; last pod kept: inactive from now on";
        case KpaHold::retention:
            return so_far("inactive", "scale_to_zero_pod_retention_period",
                          config.scale_to_zero_pod_retention_period);
        case KpaHold::grace:
            return so_far("activator in the path", "scale_to_zero_grace_period",
                          config.scale_to_zero_grace_period);
    }
    return {};
}

ParameterSpecs load_specs() {
    return {
        ParameterSpec::choice("metric", {"concurrency", "rps"}, "concurrency",
                              "what a pod is measured by: requests in flight or arriving a second"),
        ParameterSpec::number("target", 0.0,
                              "of the metric, per pod; by default container_concurrency, or 100 "
                              "(concurrency) or 200 (rps)")
            .optional_without_default()
            .at_least(kLeastTarget),
        ParameterSpec::number("target_utilization_percentage", 70.0,
                              "share of the target that the autoscaler aims for")
            .in("%")
            .at_least(1)
            .at_most(100),
        ParameterSpec::integer(
            "container_concurrency", 0,
            "requests that a pod takes at once; 0: no limit, and a target of 100")
            .at_least(0)
            .at_most(1000),
        ParameterSpec::choice("metric_aggregation_algorithm", {"linear", "weighted-exponential"},
                              "linear", "how a window averages its seconds"),
        ParameterSpec::duration("stable_window", Duration::seconds(60),
                                "window that decides outside a panic")
            .at_least(6)
            .at_most(3600),
        ParameterSpec::number("panic_window_percentage", 10.0,
                              "the panic window as a share of the stable one")
            .in("%")
            .at_least(1)
            .at_most(100),
        ParameterSpec::number("panic_threshold_percentage", 200.0,
                              "pods that the panic window wants, by the ready ones, that begin a "
                              "panic")
            .in("%")
            .at_least(110)
            .at_most(1000),
    };
}

ParameterSpecs scale_specs() {
    return {
        control::replica_count("min_replicas", 0, "replicas at least (Knative: min-scale)"),
        control::replica_count("max_replicas", 1,
                               "replicas at most (Knative: max-scale, where 0 is no limit)")
            .required()
            .at_least(1),
        control::replica_count("initial_scale", 1,
                               "above 1: replicas at least until that many were ready once"),
        control::replica_count("activation_scale", 1, "replicas at least when there is any load")
            .at_least(1),
        ParameterSpec::number("max_scale_up_rate", 1000.0,
                              "replicas wanted at most, as a multiple of the ready ones")
            .above(1),
        ParameterSpec::number("max_scale_down_rate", 2.0,
                              "the ready replicas at most, as a multiple of those wanted")
            .above(1),
        ParameterSpec::duration("scale_down_delay", Duration::zero(),
                                "the largest number wanted in this span holds")
            .at_most(3600),
        ParameterSpec::number(
            "target_burst_capacity", 211.0,
            "requests that must find room beside the present ones, or the gateway "
            "buffers; 0: only when there are no pods; -1: always"),
        ParameterSpec::boolean("reachable", true,
                               "a route leads to it; else min_replicas, max_scale_down_rate and "
                               "scale_down_delay do not hold"),
        ParameterSpec::duration("tick_interval", Duration::seconds(2), "time between two decisions")
            .above(0),
    };
}

ParameterSpecs zero_specs() {
    return {
        ParameterSpec::boolean("enable_scale_to_zero", true, "false: one pod stays"),
        ParameterSpec::duration("scale_to_zero_grace_period", Duration::seconds(30),
                                "the activator is this long in the path before the last pod goes")
            .above(0),
        ParameterSpec::duration("scale_to_zero_pod_retention_period", Duration::zero(),
                                "the last pod stays at least this long after the last load")
            .at_most(3600),
        ParameterSpec::duration("progress_deadline", Duration::seconds(600),
                                "pods that are not ready by then, and 30 s, are given up when no "
                                "load wants them"),
    };
}

}  // namespace

ParameterSpecs Kpa::parameter_specs() {
    ParameterSpecs specs = scale_specs();
    for (auto* more : {&load_specs, &zero_specs}) {
        for (ParameterSpec& spec : more()) specs.push_back(std::move(spec));
    }
    return specs;
}

Kpa::Kpa(const Parameters& parameters, const PolicyContext&)
    : metric_(parameters.text("metric") == "rps" ? Metric::rps : Metric::concurrency),
      activity_(parse_activity(parameters)),
      panic_window_(panic_window(parameters)),
      scale_down_delay_(parameters.duration("scale_down_delay")),
      tick_interval_(parameters.duration("tick_interval")),
      memory_{.stable = WindowBuckets(activity_.stable_window, kSampleInterval,
                                      parse_algorithm(parameters)),
              .panic = WindowBuckets(panic_window_, kSampleInterval, parse_algorithm(parameters)),
              .decider = {},
              .activity = {}} {
    resolve_target(parameters, metric_ == Metric::rps, spec_);
    spec_.target_burst_capacity = parameters.number("target_burst_capacity");
    spec_.panic_threshold = parameters.number("panic_threshold_percentage") / 100.0;
    spec_.max_scale_up_rate = parameters.number("max_scale_up_rate");
    spec_.max_scale_down_rate = parameters.number("max_scale_down_rate");
    spec_.stable_window = activity_.stable_window;
    spec_.activation_scale = parameters.integer("activation_scale");
    spec_.reachable = activity_.reachable;
    memory_.decider.delay = make_delay_window(scale_down_delay_, tick_interval_);
    find_faults(parameters);
}

void Kpa::find_faults(const Parameters& parameters) {
    const std::int64_t most = activity_.max_replicas;
    for (const char* name : {"min_replicas", "initial_scale"}) {
        const std::int64_t value = parameters.integer(name);
        if (value > most) faults_.push_back(above_max(name, value, most));
    }
    const double burst = spec_.target_burst_capacity;
    if (burst < 0.0 && burst != -1.0) {
        faults_.push_back({"/target_burst_capacity",
                           fmt::format("expected -1 (no limit), 0 or more, found {:g}", burst)});
    }
    for (const char* name : {"stable_window", "scale_down_delay"}) {
        const Duration value = parameters.duration(name);
        if (value % Duration::seconds(1) == Duration::zero()) continue;
        faults_.push_back({fmt::format("/{}", name),
                           fmt::format("expected whole seconds, found {} s", value.to_seconds())});
    }
}

std::vector<control::MetricRequest> Kpa::metrics() const {
    const char* name = metric_ == Metric::rps ? "arrivals" : "service_in_flight_seconds";
    return {{.kind = control::MetricKind::object,
             .name = name,
             .container = {},
             .live = true,
             .pointer = "/metric"}};
}

Duration Kpa::observes_every() const {
    return kSampleInterval;
}

void Kpa::start(const ScalingView& view, std::int64_t ready) {
    if (memory_.started) return;
    memory_.started = true;
    memory_.activity.since = view.now;
    // Without a history, what is there is kept until there is one.
    if (ready > 1) memory_.decider.panic_since = view.now;
    memory_.decider.max_panic_pods = ready;
    if (view.spec_replicas == 0 && activity_.initial_scale <= 1) {
        memory_.activity.phase = KpaPhase::inactive;
        memory_.activity.initialized = true;
        memory_.desired_scale = 0;
    }
}

void Kpa::observe(const ScalingView& view) {
    const std::optional<std::int64_t> ready = ready_if_listed(view);
    start(view, ready.value_or(0));
    if (view.metrics.empty() || !view.metrics.front().available ||
        view.metrics.front().values_milli.empty()) {
        return;
    }
    const std::int64_t total = view.metrics.front().values_milli.front();
    const Duration span = view.now - memory_.sampled_at;
    if (span <= Duration::zero()) return;
    const std::int64_t change = total - memory_.sampled_total_milli;
    memory_.sampled_at = view.now;
    memory_.sampled_total_milli = total;
    const double early = std::exchange(memory_.reported_early, 0.0);
    // With no pod to scrape only the activator reports, and after its last request once more.
    const bool idle = ready.value_or(0) == 0 && change == 0 && early == 0.0;
    if (std::exchange(memory_.idle, idle) && idle) return;
    constexpr double kMilliPerPicosecond = 1e9;  // of a unit a second
    const double rate =
        static_cast<double>(change) * kMilliPerPicosecond / static_cast<double>(span.ps());
    const double value = std::max(rate - early, 0.0);
    memory_.stable.record(view.now, value);
    memory_.panic.record(view.now, value);
}

void Kpa::report_first_request(Time now) {
    if (memory_.reported_early > 0.0) return;
    memory_.reported_early = 1.0;
    memory_.stable.record(now, 1.0);
    memory_.panic.record(now, 1.0);
}

std::string Kpa::describe(const std::optional<KpaScale>& scale, const KpaWant& want,
                          Time now) const {
    std::string text = scale ? fmt::format("{} wanted{}", scale->wanted, limit_text(*scale, spec_))
                             : std::string("no load was seen in the stable window");
    if (scale && memory_.decider.panic_since && scale->limit != KpaLimit::panic) text += ", panic";
    if (scale && memory_.decider.panic_since && *memory_.decider.panic_since < now) {
        const Duration since = now - *memory_.decider.panic_since;
        text += fmt::format(" for {:g} s more",
                            std::max(0.0, (spec_.stable_window - since).to_seconds()));
    }
    return text + hold_text(want, activity_);
}

std::string Kpa::describe_load(KpaLoad load, std::int64_t ready) const {
    constexpr double kUnsigned = 0.0;  // makes 0 of a sum that was rounded to -0
    return fmt::format("{} {:g} over {:g} s, {:g} over {:g} s; target {:g} a pod, {} ready",
                       metric_ == Metric::rps ? "requests/s" : "concurrency",
                       load.stable + kUnsigned, activity_.stable_window.to_seconds(),
                       load.panic + kUnsigned, panic_window_.to_seconds(), spec_.target_value,
                       ready);
}

ScalingDecision Kpa::decide(const ScalingView& view) {
    ScalingDecision decision;
    decision.desired = decision.wanted = view.spec_replicas;
    if (!faults_.empty()) return invalid_decision(view, faults_.front());
    const std::optional<std::int64_t> ready = ready_if_listed(view);
    start(view, ready.value_or(0));
    const bool poked = view.requests_wait && view.spec_replicas == 0;
    if (poked) {
        report_first_request(view.now);
    } else if (view.now < memory_.next_tick) {
        decision.reason = "between two ticks";
        return decision;
    }
    if (view.now >= memory_.next_tick) memory_.next_tick = view.now.later_by(tick_interval_);
    if (!ready) {
        decision.outcome = ScalingOutcome::no_metrics;
        decision.reason = "the ready pods cannot be counted";
        return decision;
    }

    std::optional<KpaScale> scale;
    if (!memory_.stable.empty(view.now)) {
        const KpaLoad load{memory_.stable.average(view.now), memory_.panic.average(view.now)};
        scale = kpa_scale(spec_, memory_.decider, view.now, *ready, load, tick_interval_);
        memory_.desired_scale = scale->desired_pods;
        memory_.excess_burst_capacity = scale->excess_burst_capacity;
        decision.inputs = describe_load(load, *ready);
        decision.wanted = scale->wanted;
    }
    const KpaWant want =
        kpa_want(activity_, memory_.activity, memory_.desired_scale, view.spec_replicas, view.now);
    kpa_observe(activity_, memory_.activity, want, *ready, memory_.excess_burst_capacity, view.now);
    if (want.apply) decision.desired = want.replicas;
    decision.reason = describe(scale, want, view.now);
    const bool changed = decision.desired != view.spec_replicas;
    if (!scale) {
        const bool idle = decision.desired == 0 && !changed;
        decision.outcome = changed ? ScalingOutcome::scaled
                           : idle  ? ScalingOutcome::unchanged
                                   : ScalingOutcome::no_metrics;
    } else if (decision.desired != scale->wanted) {
        decision.outcome = ScalingOutcome::limited;
    } else {
        decision.outcome = changed ? ScalingOutcome::scaled : ScalingOutcome::unchanged;
    }
    const bool buffering = memory_.activity.in_path_since.has_value();
    if (memory_.buffering != buffering) decision.buffer_at_gateway = buffering;
    memory_.buffering = buffering;
    return decision;
}

REGISTER_POLICY(ScalingPolicy, Kpa, "kpa",
                "Knative's pod autoscaler: stable and panic windows, scale to zero");

}  // namespace headroom::policies
