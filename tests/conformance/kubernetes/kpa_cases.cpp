/// Runners of the cases about Knative's pod autoscaler: whole sequences of ticks of the registered
/// policy, and its windows. Source of the cases: knative/serving pkg/autoscaler.
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "policies/scaling/kpa/kpa.hpp"
#include "tests/conformance/kubernetes/vector_values.hpp"

namespace headroom::conformance {
namespace {

using policies::Kpa;
using policies::KpaDeciderSpec;

Duration seconds_or(const Json& object, const char* key, double otherwise) {
    return Duration::from_seconds(value_or<double>(object, key, otherwise));
}

KpaDeciderSpec parse_spec(const Json& spec) {
    KpaDeciderSpec out;
    out.target_value = value_or<double>(spec, "target_value", out.target_value);
    out.total_value = value_or<double>(spec, "total_value", out.total_value);
    out.target_burst_capacity =
        value_or<double>(spec, "target_burst_capacity", out.target_burst_capacity);
    out.panic_threshold = value_or<double>(spec, "panic_threshold", out.panic_threshold);
    out.max_scale_up_rate = value_or<double>(spec, "max_scale_up_rate", out.max_scale_up_rate);
    out.max_scale_down_rate =
        value_or<double>(spec, "max_scale_down_rate", out.max_scale_down_rate);
    out.stable_window = seconds_or(spec, "stable_window_s", out.stable_window.to_seconds());
    out.activation_scale = value_or<std::int64_t>(spec, "activation_scale", 1);
    out.reachable = value_or<bool>(spec, "reachable", true);
    return out;
}

/// The registered policy with what only its construction takes; the rest is set by update().
std::unique_ptr<control::ScalingPolicy> make_kpa(const Json& item, const Json& spec) {
    const auto* entry = Registry<control::ScalingPolicy>::instance().find("kpa");
    if (entry == nullptr) return nullptr;
    Parameters parameters = Parameters::defaults(entry->specs);
    parameters.set("max_replicas", {std::int64_t{std::numeric_limits<std::int32_t>::max()}});
    if (value_or<std::string>(spec, "scaling_metric", "concurrency") == "rps") {
        parameters.set("metric", {std::string("rps")});
    }
    parameters.set("scale_down_delay", {seconds_or(spec, "scale_down_delay_s", 0)});
    parameters.set("tick_interval", {seconds_or(item, "tick_interval_s", 2)});
    return make_policy<control::ScalingPolicy>({"kpa", std::move(parameters)}, {});
}

/// A view of `ready` pods; none of them is listed when they cannot be counted.
control::ScalingView view_of(Time now, std::int64_t ready, bool countable) {
    control::ScalingView view;
    view.now = now;
    view.spec_replicas = view.status_replicas = std::max<std::int64_t>(ready, 1);
    if (!countable) return view;
    for (std::int64_t i = 0; i < view.status_replicas; ++i) {
        control::ScalingPod pod;
        pod.ready = i < ready;
        view.pods.push_back(std::move(pod));
    }
    return view;
}

/// The windows hold one second, so that their averages are what the case says was observed.
void set_observed(Kpa::Memory& memory, const Json& step, Time now) {
    const Duration second = Duration::seconds(1);
    memory.stable = policies::WindowBuckets(second, second);
    memory.panic = policies::WindowBuckets(second, second);
    if (value_or<bool>(step, "metrics_unavailable", false)) return;
    memory.stable.record(now, value_or<double>(step, "observed_stable", 0));
    memory.panic.record(now, value_or<double>(step, "observed_panic", 0));
}

void compare_step(const std::string& step, const Json& expected,
                  const control::ScalingDecision& decision, const Kpa::Memory& before,
                  const Kpa::Memory& after, Differences& differences) {
    const bool valid = decision.outcome != control::ScalingOutcome::no_metrics &&
                       decision.outcome != control::ScalingOutcome::invalid;
    const auto compare = [&](const char* key, const Json& found) {
        const auto it = expected.find(key);
        if (it == expected.end() || it->is_null()) return;
        differences.compare(step + key, *it, found);
    };
    compare("valid", valid);
    if (value_or<bool>(expected, "valid", true)) {
        compare("desired_pods", after.desired_scale);
        compare("excess_burst_capacity", after.excess_burst_capacity);
    } else {
        differences.compare(step + "desired_pods of before", before.desired_scale,
                            after.desired_scale);
        differences.compare(step + "excess_burst_capacity of before", before.excess_burst_capacity,
                            after.excess_burst_capacity);
    }
    compare("in_panic_after", after.decider.panic_since.has_value());
    compare("max_panic_pods_after", after.decider.max_panic_pods);
}

std::string run_scale_sequence(const Json& item) {
    const Json& steps = item.at("steps");
    if (steps.empty()) return {};
    Json spec = steps.at(0).value("spec", Json::object());
    const auto policy = make_kpa(item, spec);
    auto* kpa = dynamic_cast<Kpa*>(policy.get());
    if (kpa == nullptr) return "there is no policy kpa";

    Kpa::Memory memory = kpa->memory();
    memory.started = true;
    memory.activity = {policies::KpaPhase::active, kNow, true, std::nullopt};
    const Json initial = item.value("initial_state", Json::object());
    const double panic_for = value_or<double>(initial, "in_panic_for_s", -1);
    if (panic_for >= 0) memory.decider.panic_since = kNow - Duration::from_seconds(panic_for);
    memory.decider.max_panic_pods = value_or<std::int64_t>(initial, "max_panic_pods", 0);

    Differences differences;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const Json& step = steps.at(i);
        if (step.contains("spec")) spec = step.at("spec");
        kpa->update(parse_spec(spec));
        const Time now = kNow + seconds_or(step, "t", 0);
        set_observed(memory, step, now);
        memory.next_tick = Time::zero();
        kpa->restore(memory);
        const auto ready = value_or<std::int64_t>(step, "ready_pods", 0);
        const bool countable = !value_or<bool>(step, "pod_count_error", false);
        const auto decision = kpa->decide(view_of(now, ready, countable));
        compare_step("step " + std::to_string(i) + ", ", step.at("expected"), decision, memory,
                     kpa->memory(), differences);
        memory = kpa->memory();
    }
    return differences.text();
}

std::string run_window_average(const Json& item) {
    policies::WindowBuckets buckets(seconds(item.at("window_s")),
                                    seconds_or(item, "granularity_s", 1));
    // Within the last of the six digits that the average has.
    const double tolerance = value_or<double>(item, "tolerance", 1.5e-6);
    Differences differences;
    const Json& ops = item.at("ops");
    for (std::size_t i = 0; i < ops.size(); ++i) {
        const Json& op = ops.at(i);
        const std::string what = op.at("op");
        const std::string place = "op " + std::to_string(i);
        const Time when = kNow + seconds_or(op, "t", 0);
        if (what == "record") {
            buckets.record(when, value_or<double>(op, "value", 0));
        } else if (what == "avg") {
            const Json& expected = op.at("expected");
            const double found = buckets.average(when);
            if (std::abs(found - expected.get<double>()) <= tolerance) continue;
            differences.compare(place, expected, found);
        } else {
            differences.add(place, "record or avg", what);
        }
    }
    return differences.text();
}

std::string run_window_max(const Json& item) {
    policies::SlidingMaximum window(item.at("window_buckets").get<std::int64_t>() - 1);
    const auto indices = item.at("indices").get<std::vector<std::int64_t>>();
    const auto values = item.at("values").get<std::vector<std::int64_t>>();
    std::vector<std::int64_t> found;
    for (std::size_t i = 0; i < indices.size(); ++i) {
        window.note(indices[i], values.at(i));
        found.push_back(window.maximum(indices[i]));
    }
    Differences differences;
    differences.compare("maxima", item.at("expected"), found);
    return differences.text();
}

std::string run_smoothing_coeff(const Json& item) {
    const Json& expected = item.at("expected");
    const double found = policies::smoothing_coefficient(item.at("buckets").get<double>());
    Differences differences;
    if (std::abs(found - expected.get<double>()) > value_or<double>(item, "tolerance", 1e-4)) {
        differences.compare("coefficient", expected, found);
    }
    return differences.text();
}

const CaseKind kScaleSequence{"scale_sequence", run_scale_sequence};
const CaseKind kWindowAverage{"window_average", run_window_average};
const CaseKind kWindowMax{"window_max", run_window_max};
const CaseKind kSmoothingCoeff{"smoothing_coeff", run_smoothing_coeff};

}  // namespace
}  // namespace headroom::conformance
