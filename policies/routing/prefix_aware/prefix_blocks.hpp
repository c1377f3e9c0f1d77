/// The blocks of a prompt as a router without a tokenizer's or an engine's help names them: chained
/// hashes, each of a block's contents and of all before it, so that equal hashes mean equal
/// prefixes. As llm-d's approximate prefix cache (llm-d-router, pkg/epp/framework/plugins/
/// requestcontrol/dataproducer/approximateprefix), with these differences: a block has
/// `block_size_tokens`, or as many tokens as the least number of whole pieces of the request's
/// contents that is not smaller (TokenContents::tokens_per_id); a last block that is not whole does
/// not count; nor can a block beyond the last piece be named: nothing else is like it.
///
/// The chain begins with the adapter, for two adapters share no cache. O(blocks).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

struct PrefixBlocks {
    std::vector<std::uint64_t> hashes;  ///< of the blocks with a name, from the first on
    std::int64_t total = 0;             ///< whole blocks of the prompt, named or not
    std::int64_t tokens_each = 0;       ///< of a block

    /// Replaces what it holds. At most max_tokens of the prompt count. No contents: no blocks.
    void assign(const serving::RoutedRequest& request, std::int64_t block_size_tokens,
                std::int64_t max_tokens);
};

}  // namespace headroom::policies
