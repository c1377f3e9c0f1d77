/// Names of the contents of a request's tokens, made up for a test.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "sim/serving/token_contents.hpp"

namespace headroom::tests {

/// `covered` < 0: all tokens that the ids are for.
inline serving::ContentsRef contents_of(std::vector<std::uint64_t> ids,
                                        std::int64_t tokens_per_id = 16,
                                        std::int64_t covered = -1) {
    auto contents = boost::intrusive_ptr<serving::TokenContents>(new serving::TokenContents);
    contents->ids = std::move(ids);
    contents->tokens_per_id = tokens_per_id;
    if (covered >= 0) contents->covered = covered;
    return contents;
}

}  // namespace headroom::tests
