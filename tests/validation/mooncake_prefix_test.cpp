// How much of its prompts a recorded trace repeats: the Mooncake conversation trace through an LRU
// of pieces of 512 tokens. The rule that gives the figures, request by request in the file's order:
// hits are the leading run of its pieces that is held, each named by all ids up to its own; then
// its pieces are touched from the first to the last, hits and misses alike, each miss displacing
// the one touched longest ago. Every piece counts, also the one at the end of a prompt that is not
// full. The rate is hits over pieces, all requests together.
#include <cstdio>
#include <filesystem>

#include "sim/serving/prefix_lru.hpp"
#include "tests/catch.hpp"
#include "traces/readers/trace_reader.hpp"

namespace headroom::tests {
namespace {

using serving::PrefixLru;

/// The keys of a request's pieces: of all, or of those that the prompt fills.
void keys_of(const serving::TokenContents& contents, bool full_only,
             std::vector<std::uint64_t>& keys) {
    keys.clear();
    std::uint64_t key = 0;
    for (std::size_t k = 0; k < contents.ids.size(); ++k) {
        const std::int64_t end = static_cast<std::int64_t>(k + 1) * contents.tokens_per_id;
        if (full_only && end > contents.covered) return;
        keys.push_back(key = serving::prefix_key(key, contents.ids[k]));
    }
}

/// In percent.
double hit_rate(const std::string& path, std::uint32_t capacity, bool full_only) {
    std::string error;
    const auto trace = traces::open_trace(path, {.require_contents = true}, error);
    INFO(error);
    REQUIRE(trace != nullptr);
    PrefixLru cache(capacity);
    std::vector<std::uint64_t> keys;
    std::size_t hits = 0, pieces = 0;
    while (trace->peek()) {
        keys_of(*trace->take().contents, full_only, keys);
        hits += cache.match(keys);
        pieces += keys.size();
        for (const std::uint64_t key : keys) cache.touch(key);
    }
    CHECK(trace->error().empty());
    return 100 * static_cast<double>(hits) / static_cast<double>(pieces);
}

}  // namespace

TEST_CASE("Mooncake: the conversation trace repeats prefixes as often as is known of it") {
    const std::string path =
        std::string(HEADROOM_SOURCE_DIR) + "/../shared/traces/mooncake/conversation_trace.jsonl.gz";
    if (!std::filesystem::exists(path)) {
        std::printf("skipped: %s is not there\n", path.c_str());
        return;
    }
    struct Known {
        std::uint32_t pieces;
        double all, full;  ///< percent, of all pieces and of full ones alone
    };
    for (const Known& known :
         {Known{1'000, 4.447, 4.678}, Known{10'000, 21.116, 22.422}, Known{50'000, 35.456, 37.104},
          Known{PrefixLru::kUnlimited, 36.641, 38.190}}) {
        CAPTURE(known.pieces);
        CHECK(hit_rate(path, known.pieces, false) == Approx(known.all).margin(0.001));
        CHECK(hit_rate(path, known.pieces, true) == Approx(known.full).margin(0.001));
    }
}

}  // namespace headroom::tests
