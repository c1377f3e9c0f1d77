#include "policies/scaling/replica_demand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "policies/scaling/decision_text.hpp"
#include "policies/scaling/invalid_decision.hpp"
#include "sim/core/check.hpp"

namespace headroom::policies {

using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingView;

void ReplicaDemand::append_specs(ParameterSpecs& specs, Duration scale_down_delay) {
    specs.push_back(control::replica_count("min_replicas", 1, "replicas at least"));
    specs.push_back(
        control::replica_count("max_replicas", 1, "replicas at most").required().at_least(1));
    specs.push_back(
        ParameterSpec::duration("sync_period", Duration::seconds(15), "time between two decisions")
            .above(0));
    specs.push_back(ParameterSpec::duration("scale_down_delay", scale_down_delay,
                                            "the most replicas needed within this span are kept"));
}

ReplicaDemand::ReplicaDemand(const Parameters& parameters)
    : min_(parameters.integer("min_replicas")),
      max_(parameters.integer("max_replicas")),
      sync_period_(parameters.duration("sync_period")),
      delay_(parameters.duration("scale_down_delay")),
      needed_(delay_.ps()) {}

void ReplicaDemand::append_faults(std::vector<control::ScalingFault>& faults) const {
    if (min_ > max_) faults.push_back(above_max("min_replicas", min_, max_));
}

std::int64_t ReplicaDemand::bounded(std::int64_t replicas) const {
    return std::min(std::max(replicas, min_), max_);
}

void ReplicaDemand::note(Time now, std::int64_t present, std::int64_t needed) {
    // Whoever chose the replicas found at the first tick may have known why.
    if (delay_ > Duration::zero() && needed_.empty(now.ps())) {
        needed_.note(now.ps(), bounded(present));
    }
    needed_.note(now.ps(), bounded(needed));
}

ScalingDecision ReplicaDemand::settle(const ScalingView& view, Wish wish) {
    const std::int64_t current = view.spec_replicas;
    if (min_ > max_) return keep(view, {});
    if (view.requests_wait && wish.wanted < 1) {
        wish.wanted = 1;
        wish.why = "a request waits without an instance";
    }
    const std::int64_t keeps = std::max(wish.keeps, wish.wanted);
    note(view.now, current, keeps);
    const std::int64_t allowed = bounded(wish.wanted);
    ScalingDecision decision;
    decision.wanted = wish.wanted;
    decision.desired = std::max(allowed, std::min(current, needed_.maximum(view.now.ps())));
    decision.outcome = decision.desired != wish.wanted ? ScalingOutcome::limited
                       : decision.desired != current   ? ScalingOutcome::scaled
                                                       : ScalingOutcome::unchanged;
    decision.reason = fmt::format("{} wanted: {}", wish.wanted, wish.why);
    if (allowed != wish.wanted) {
        decision.reason += fmt::format(", {} allowed: {}_replicas", allowed,
                                       allowed < wish.wanted ? "max" : "min");
    }
    if (decision.desired > allowed) {
        decision.reason += fmt::format(", {} held: ", decision.desired);
        if (bounded(keeps) >= decision.desired) {
            decision.reason += wish.keeps_why;
        } else {
            decision.reason += "scale_down_delay " + span_text(delay_);
        }
    }
    decision.inputs = std::move(wish.inputs);
    return decision;
}

ScalingDecision ReplicaDemand::keep(const ScalingView& view, std::string error) {
    const std::int64_t current = view.spec_replicas;
    if (min_ > max_) return invalid_decision(view, above_max("min_replicas", min_, max_));
    if (current == 0 && view.requests_wait) {
        return settle(view, {.inputs = std::move(error)});
    }
    const std::int64_t desired = bounded(current);
    note(view.now, current, current);
    if (desired == current) {
        return {.desired = current,
                .wanted = current,
                .outcome = ScalingOutcome::no_metrics,
                .reason = std::move(error)};
    }
    return {.desired = desired,
            .wanted = desired,
            .outcome = ScalingOutcome::scaled,
            .reason = fmt::format("{} replicas are {} {}_replicas {}", current,
                                  desired < current ? "above" : "below",
                                  desired < current ? "max" : "min", desired),
            .inputs = std::move(error)};
}

std::optional<std::int64_t> load_of(const control::MetricReading& reading) {
    if (!reading.available || reading.values_milli.empty()) return std::nullopt;
    Int128 sum = 0;
    for (const std::int64_t value : reading.values_milli) sum += value;
    constexpr Int128 kMost = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::clamp<Int128>(sum, 0, kMost));
}

std::int64_t replicas_to_carry(Int128 load, Int128 capacity) {
    constexpr Int128 kMost = 1'000'000'000;
    if (load <= 0) return 0;
    return static_cast<std::int64_t>(std::min<Int128>((load - 1) / capacity + 1, kMost));
}

void append_load_specs(ParameterSpecs& specs) {
    specs.push_back(ParameterSpec::text("metric", "arrivals_per_second",
                                        "the load: a metric of the service, or the sum of one over "
                                        "its pods"));
    specs.push_back(ParameterSpec::quantity("capacity_per_replica", 0, "m",
                                            "how much of the metric one replica carries")
                        .required()
                        .above(0));
}

std::int64_t capacity_of(const Parameters& parameters) {
    const std::int64_t capacity = parameters.integer("capacity_per_replica");
    HEADROOM_CHECK(capacity > 0, "a replica carries something");
    return capacity;
}

}  // namespace headroom::policies
