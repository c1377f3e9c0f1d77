#include "policies/scaling/kpa/kpa_decider.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace headroom::policies {

namespace {

/// To the API's 32 bits; saturates.
std::int64_t to_replicas(double value) {
    constexpr double kBound = std::numeric_limits<std::int32_t>::max();
    return static_cast<std::int64_t>(std::clamp(value, -kBound, kBound));
}

double pods_for(double load, double target) {
    if (target > 0.0) return std::ceil(load / target);
    return load > 0.0 ? std::numeric_limits<double>::infinity() : 0.0;
}

struct Proposal {
    double wanted = 0.0;
    std::int64_t pods = 0;
    KpaLimit limit = KpaLimit::none;
};

/// What one window asks for, within the rates and lifted to the activation scale.
Proposal propose(const KpaDeciderSpec& spec, double ready, double load) {
    const double upper = std::ceil(spec.max_scale_up_rate * ready);
    const double lower = spec.reachable ? std::floor(ready / spec.max_scale_down_rate) : 0.0;
    Proposal proposal;
    proposal.wanted = pods_for(load, spec.target_value);
    proposal.pods = to_replicas(std::min(std::max(proposal.wanted, lower), upper));
    if (proposal.wanted > upper) {
        proposal.limit = KpaLimit::max_scale_up_rate;
    } else if (proposal.wanted < lower) {
        proposal.limit = KpaLimit::max_scale_down_rate;
    }
    if (spec.activation_scale > 1 && proposal.wanted > 0.0 &&
        spec.activation_scale > proposal.pods) {
        proposal.pods = spec.activation_scale;
        proposal.limit = KpaLimit::activation_scale;
    }
    return proposal;
}

void update_panic(const KpaDeciderSpec& spec, KpaDeciderState& state, Time now, bool over) {
    if (over) {
        state.panic_since = now;
    } else if (state.panic_since && state.panic_since->later_by(spec.stable_window) < now) {
        state.panic_since.reset();
        state.max_panic_pods = 0;
    }
}

std::int64_t excess_burst_capacity(const KpaDeciderSpec& spec, std::int64_t ready, double load) {
    if (spec.target_burst_capacity == 0.0) return 0;
    if (spec.target_burst_capacity < 0.0) return -1;
    const double capacity = static_cast<double>(ready) * spec.total_value;
    return to_replicas(std::floor(capacity - spec.target_burst_capacity - load));
}

}  // namespace

KpaScale kpa_scale(const KpaDeciderSpec& spec, KpaDeciderState& state, Time now, std::int64_t ready,
                   KpaLoad load, Duration tick) {
    const double present = std::max(1.0, static_cast<double>(ready));
    const Proposal stable = propose(spec, present, load.stable);
    const Proposal panic = propose(spec, present, load.panic);
    update_panic(spec, state, now, panic.wanted / present >= spec.panic_threshold);

    Proposal chosen = stable;
    if (state.panic_since) {
        if (panic.pods > stable.pods) chosen = panic;
        if (chosen.pods < state.max_panic_pods) {
            chosen.pods = state.max_panic_pods;
            chosen.limit = KpaLimit::panic;
        }
        state.max_panic_pods = chosen.pods;
    }
    if (spec.reachable && state.delay) {
        const std::int64_t at = now.ps() / tick.ps();
        state.delay->note(at, chosen.pods);
        const std::int64_t largest = state.delay->maximum(at);
        if (largest != chosen.pods) {
            chosen.pods = largest;
            chosen.limit = KpaLimit::scale_down_delay;
        }
    }
    return {.wanted = to_replicas(chosen.wanted),
            .desired_pods = chosen.pods,
            .excess_burst_capacity = excess_burst_capacity(spec, ready, load.panic),
            .limit = chosen.limit};
}

/// As many ticks, the present one included, as the delay has begun.
std::optional<SlidingMaximum> make_delay_window(Duration scale_down_delay, Duration tick) {
    if (scale_down_delay <= Duration::zero()) return std::nullopt;
    const bool partial = scale_down_delay % tick > Duration::zero();
    return SlidingMaximum(scale_down_delay / tick + (partial ? 1 : 0) - 1);
}

}  // namespace headroom::policies
