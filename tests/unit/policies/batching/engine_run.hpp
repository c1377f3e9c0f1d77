/// What the tests of batching policies share: the reference engine under a policy serves a few
/// requests, each written down iteration by iteration.
#pragma once

#include <utility>
#include <vector>

#include "tests/unit/serving/reference_engine.hpp"

namespace headroom::tests {

/// An engine of `kv_blocks` blocks of `block_size` tokens serves the requests to their end.
inline EngineRun run_engine(PolicyChoice batching, std::int64_t kv_blocks, std::int64_t block_size,
                            std::vector<serving::Arrival> arrivals, bool exact_steps) {
    serving::ServiceSpec service = llm_service("llm", std::move(batching), kv_blocks);
    service.versions[0].engine.llm->block_size = block_size;
    return run_engine(service, std::move(arrivals), exact_steps);
}

/// Why the engine turns one request down; Cause::none when it serves it.
inline serving::Cause cause_of(PolicyChoice batching, std::int64_t kv_blocks, std::int64_t prompt,
                               std::int64_t output) {
    const EngineRun ran = run_engine(std::move(batching), kv_blocks, 16,
                                     {arrival_at(Duration::zero(), prompt, output)}, false);
    return ran.rows.at(0).cause;
}

}  // namespace headroom::tests
