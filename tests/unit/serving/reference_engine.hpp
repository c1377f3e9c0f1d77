/// An engine under the linear profile of reference_latency(),
///     6.5 ms + 40 us P + 30 us D + 90 ns K + 6 ns A,
/// that serves a few requests: what its iterations take, and a run of it to the end.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tests/rig.hpp"

namespace headroom::tests {

/// One iteration: P prompt tokens, D decoding sequences that attend to K tokens, and 2 A = the sum
/// over chunks of n (2 before + n).
inline Duration iteration(std::int64_t p, std::int64_t d, std::int64_t k,
                          std::int64_t doubled_a = 0) {
    return Duration::nanoseconds(6'500'000 + 40'000 * p + 30'000 * d + 90 * k + 3 * doubled_a);
}

inline Time after(Duration d) {
    return Time::zero() + d;
}

struct EngineRun {
    std::vector<serving::RequestRow> rows;
    serving::ServiceStats stats;
};

/// One instance of the service serves the requests to their end.
inline EngineRun run_engine(const serving::ServiceSpec& service,
                            std::vector<serving::Arrival> arrivals, bool exact_steps) {
    CellRig rig;
    rig.config.exact_steps = exact_steps;
    rig.specs.push_back(service);
    rig.sources.push_back(list_source(0, std::move(arrivals)));
    rig.start();
    rig.add(Time::zero(), 0, 0);
    rig.run_to_the_end();
    rig.cell->finish(rig.cell->last_activity());
    return {rig.rows(), rig.cell->stats(0)};
}

}  // namespace headroom::tests
