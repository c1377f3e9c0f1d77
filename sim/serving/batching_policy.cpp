#include "sim/serving/batching_policy.hpp"

namespace headroom::serving {

std::optional<Cause> BatchingPolicy::refuses(std::int64_t prompt, std::int64_t output,
                                             std::int64_t total_blocks,
                                             std::int64_t block_size) const {
    // The last token is never computed, so a sequence holds at most prompt + output - 1 tokens.
    const std::int64_t most = prompt + output - 1;
    if (most > total_blocks * block_size) return Cause::exceeds_kv_capacity;
    return std::nullopt;
}

}  // namespace headroom::serving
