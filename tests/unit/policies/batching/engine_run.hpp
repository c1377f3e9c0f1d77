/// What the tests of batching policies share: an engine under the linear profile
///     6.5 ms + 40 us P + 30 us D + 90 ns K + 6 ns A
/// that serves a few requests, each written down iteration by iteration.
#pragma once

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

/// An engine of `kv_blocks` blocks of `block_size` tokens serves the requests to their end.
inline EngineRun run_engine(PolicyChoice batching, std::int64_t kv_blocks, std::int64_t block_size,
                            std::vector<serving::Arrival> arrivals, bool exact_steps) {
    CellRig rig;
    rig.config.exact_steps = exact_steps;
    rig.specs.push_back(llm_service("llm", std::move(batching), kv_blocks));
    rig.specs[0].versions[0].engine.llm->block_size = block_size;
    rig.sources.push_back(list_source(0, std::move(arrivals)));
    rig.start();
    rig.add(Time::zero(), 0, 0);
    rig.run_to_the_end();
    rig.cell->finish(rig.cell->last_activity());
    return {rig.rows(), rig.cell->stats(0)};
}

/// Why the engine turns one request down; Cause::none when it serves it.
inline serving::Cause cause_of(PolicyChoice batching, std::int64_t kv_blocks, std::int64_t prompt,
                               std::int64_t output) {
    const EngineRun ran = run_engine(std::move(batching), kv_blocks, 16,
                                     {arrival_at(Duration::zero(), prompt, output)}, false);
    return ran.rows.at(0).cause;
}

}  // namespace headroom::tests
