/// TokenContents: what the tokens of a request are, as far as a prefix cache or a router that knows
/// of one can care: names of equal pieces. The k-th id names the tokens [k n, (k+1) n) of prompt
/// and output together, n = tokens_per_id; two pieces hold equal tokens exactly if their ids are
/// equal. Ids are plain contents: whether what stands before them is equal too is for the reader to
/// find out. Ids speak for the first `covered` tokens only (Mooncake's for the prompt); tokens
/// after these, and past the last id, are like no others.
///
/// Where a piece is cut short by `covered`, an equal id in another request says that the tokens
/// both cover are equal, and no more: a block may be looked up by ids if it ends at or before
/// covered_tokens(). Ids hold for a whole run: sources that share nothing use different ones, and
/// pieces of different sizes never have an id in common.
///
/// A source makes one for a request (null where it knows nothing), and whoever holds a ContentsRef
/// keeps it alive: the root request while it is in the system. Not to be shared between threads.
#pragma once

#include <algorithm>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstdint>
#include <limits>
#include <vector>

namespace headroom::serving {

struct TokenContents : boost::intrusive_ref_counter<TokenContents, boost::thread_unsafe_counter> {
    std::int64_t tokens_per_id = 16;
    std::int64_t covered = std::numeric_limits<std::int64_t>::max();
    std::vector<std::uint64_t> ids;

    /// Leading tokens whose contents are known.
    [[nodiscard]] std::int64_t covered_tokens() const {
        return std::min(covered, static_cast<std::int64_t>(ids.size()) * tokens_per_id);
    }
};

using ContentsRef = boost::intrusive_ptr<const TokenContents>;

}  // namespace headroom::serving
