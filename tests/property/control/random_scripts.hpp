/// What happens to a control plane in the first 600 s of a random run: faults, an autoscaler that
/// changes its mind, drains that end sooner or later. All of it follows from the seed alone, and is
/// the same however far the run goes at a time.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/draws.hpp"
#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

/// Of one of the first `kinds` kinds, to one of four nodes or of the `pods` oldest pods of "chat".
inline FaultSpec random_fault(tests::Draws& draws, std::int64_t kinds, std::int64_t pods) {
    FaultSpec fault;
    fault.at = at_s(draws.below(600));
    fault.kind = static_cast<FaultSpec::Kind>(draws.below(kinds));
    const bool node =
        fault.kind == FaultSpec::Kind::lose_node || fault.kind == FaultSpec::Kind::restore_node;
    fault.target = node ? "gpu-" + std::to_string(draws.below(4)) : "chat";
    fault.index = draws.below(pods);
    return fault;
}

/// Each 7 s the first workload's autoscaler wants, once in `once_in` times, any number of replicas
/// below `below`, and after 600 s what there is.
inline void scale_at_random(ControlSpec& spec, std::uint64_t seed, std::uint64_t once_in,
                            std::uint64_t below, std::vector<MetricRequest> requests = {}) {
    constexpr Duration kTick = Duration::seconds(7);
    const RandomStream scaling(seed, "scaling script");
    with_script(
        spec, kTick,
        [=](const ScalingView& view) {
            const auto tick = static_cast<std::uint64_t>(view.now.since_start() / kTick);
            if (view.now > at_s(600) || scaling.below(once_in, tick, 0) > 0) {
                return want(view, view.spec_replicas);
            }
            return want(view, static_cast<std::int64_t>(scaling.below(below, tick, 1)));
        },
        std::move(requests));
}

/// Runs to 2000 s, calls `check()` each second, and then ends each draining instance with a chance
/// of a tenth.
template <class Check>
void run_with_random_drains(Run& run, std::uint64_t seed, Check check) {
    const RandomStream drains(seed, "drains");
    for (std::int64_t s = 1; s <= 2'000; ++s) {
        run.run_until(at_s(s));
        check();
        const auto instances = run.plane.instances;
        for (const auto& [key, instance] : instances) {
            const auto index = static_cast<std::uint64_t>(s) << 20 | key.ordinal;
            if (!instance.draining || drains.below(10, index, key.service) > 0) continue;
            run.plane.finish_drain(at_s(s), key);
        }
    }
    run.run_until(at_s(2'000));
}

}  // namespace headroom::control::testing
