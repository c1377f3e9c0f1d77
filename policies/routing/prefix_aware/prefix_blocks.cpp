#include "policies/routing/prefix_aware/prefix_blocks.hpp"

#include <algorithm>

#include "sim/serving/prefix_lru.hpp"

namespace headroom::policies {

void PrefixBlocks::assign(const serving::RoutedRequest& request, std::int64_t block_size_tokens,
                          std::int64_t max_tokens) {
    hashes.clear();
    total = tokens_each = 0;
    if (request.contents == nullptr) return;
    const serving::TokenContents& contents = *request.contents;
    const std::int64_t ids_each =
        (block_size_tokens + contents.tokens_per_id - 1) / contents.tokens_per_id;
    tokens_each = ids_each * contents.tokens_per_id;
    total = std::min(request.prompt, max_tokens) / tokens_each;
    const auto named = std::min(total, static_cast<std::int64_t>(contents.ids.size()) / ids_each);
    std::uint64_t hash = serving::prefix_key(0, request.attributes.adapter);
    for (std::int64_t block = 0; block < named; ++block) {
        for (std::int64_t i = block * ids_each; i < (block + 1) * ids_each; ++i) {
            hash = serving::prefix_key(hash, contents.ids[static_cast<std::size_t>(i)]);
        }
        hashes.push_back(hash);
    }
}

}  // namespace headroom::policies
