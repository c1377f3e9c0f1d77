// PagedKvCache against a model that is slow and obvious: free blocks in a plain list, the cache a
// list of entries that name every token of what they hold.
#include "sim/serving/paged_kv_cache.hpp"

#include <algorithm>
#include <deque>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/scale.hpp"
#include "tests/unit/serving/engine_rig.hpp"

namespace headroom::tests {
namespace {

using serving::ContentsRef;
using serving::KvSequence;
using serving::PagedKvCache;
using Blocks = std::vector<std::uint32_t>;

/// A token by name: which piece it stands in and where there, or whose own it is.
struct Token {
    std::uint64_t name = 0;
    std::int64_t place = 0;
    bool own = false;
    bool operator==(const Token&) const = default;
};

class NaiveCache {
  public:
    struct Sequence {
        ContentsRef contents;
        std::uint64_t identity = 0;
        std::uint64_t salt = 0;
        Blocks blocks;
        std::size_t entered = 0;
    };

    NaiveCache(std::uint32_t blocks, std::int64_t block_size) : size_(block_size), users_(blocks) {
        for (std::uint32_t i = 0; i < blocks; ++i) free_.push_back(i);
    }
    std::int64_t free_blocks() const { return static_cast<std::int64_t>(free_.size()); }
    std::int64_t cached_tokens(const Sequence& s, std::int64_t known) const {
        std::int64_t found = 0;
        while (found + size_ < known && find(prefix(s, found + size_)) >= 0) found += size_;
        return found;
    }
    bool fits(const Sequence& s, std::int64_t cached, std::int64_t tokens) const {
        std::int64_t need = (tokens + size_ - 1) / size_ - cached / size_;
        for (std::int64_t at = size_; at <= cached; at += size_) {
            const auto block = static_cast<std::uint32_t>(find(prefix(s, at)));
            if (std::count(free_.begin(), free_.end(), block) > 0) ++need;
        }
        return need <= free_blocks();
    }
    void share(Sequence& s, std::int64_t cached) {
        for (std::int64_t at = size_; at <= cached; at += size_) {
            const auto block = static_cast<std::uint32_t>(find(prefix(s, at)));
            free_.erase(std::remove(free_.begin(), free_.end(), block), free_.end());
            ++users_[block];
            s.blocks.push_back(block);
        }
        s.entered = s.blocks.size();
    }
    void hold(Sequence& s, std::int64_t tokens) {
        while (static_cast<std::int64_t>(s.blocks.size()) * size_ < tokens) {
            const std::uint32_t block = free_.front();
            free_.pop_front();
            entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                          [&](const Entry& e) { return e.block == block; }),
                           entries_.end());
            users_[block] = 1;
            s.blocks.push_back(block);
        }
    }
    void enter(Sequence& s, std::int64_t tokens) {
        for (; static_cast<std::int64_t>(s.entered + 1) * size_ <= tokens; ++s.entered) {
            entries_.push_back(
                {prefix(s, static_cast<std::int64_t>(s.entered + 1) * size_), s.blocks[s.entered]});
        }
    }
    void release(Sequence& s) {
        for (; !s.blocks.empty(); s.blocks.pop_back()) {
            if (--users_[s.blocks.back()] == 0) free_.push_back(s.blocks.back());
        }
        s.entered = 0;
    }

  private:
    struct Key {
        std::vector<Token> tokens;  ///< all of the sequence up to a block's end
        std::uint64_t salt = 0;
        bool operator==(const Key&) const = default;
    };
    struct Entry {
        Key key;
        std::uint32_t block = 0;
    };
    Key prefix(const Sequence& s, std::int64_t tokens) const {
        Key key{{}, s.salt};
        for (std::int64_t block = 0; block < tokens; block += size_) {
            // A block that ids speak for only in part is like no other.
            const bool named = s.contents && block + size_ <= s.contents->covered &&
                               block + size_ <= static_cast<std::int64_t>(s.contents->ids.size()) *
                                                    s.contents->tokens_per_id;
            for (std::int64_t i = block; i < block + size_; ++i) {
                if (!named) {
                    key.tokens.push_back({s.identity, i, true});
                    continue;
                }
                const std::int64_t piece = s.contents->tokens_per_id;
                key.tokens.push_back(
                    {s.contents->ids[static_cast<std::size_t>(i / piece)], i % piece, false});
            }
        }
        return key;
    }
    std::int64_t find(const Key& key) const {
        for (const Entry& entry : entries_) {
            if (entry.key == key) return entry.block;
        }
        return -1;
    }

    std::int64_t size_;
    std::vector<std::int64_t> users_;
    std::deque<std::uint32_t> free_;
    std::vector<Entry> entries_;  ///< in the order in which they were entered
};

/// A cache and its model, and some sequences that come, grow, go and come back.
class TwoCaches {
  public:
    explicit TwoCaches(std::uint64_t seed)
        : random_(seed, "paged kv cache"),
          block_size_(between(1, 6)),
          blocks_(between(4, 40)),
          piece_(between(1, 3 * block_size_)),
          cache_(blocks_, block_size_, true),
          naive_(static_cast<std::uint32_t>(blocks_), block_size_) {}

    void step() {
        if (sequences_.size() < 10 && below(3) == 0) start();
        if (sequences_.empty()) return;
        const auto at =
            static_cast<std::size_t>(below(static_cast<std::int64_t>(sequences_.size())));
        Pair& p = sequences_[at];
        if (p.fast.blocks.empty()) {
            admit(p);
        } else if (below(3) == 0) {
            const bool over = below(2) == 0;
            if (over) {
                cache_.retire(p.fast);
            } else {
                cache_.release(p.fast);
            }
            naive_.release(p.slow);
            if (over) {
                sequences_.erase(sequences_.begin() + static_cast<std::ptrdiff_t>(at));
            }
        } else {
            grow(p);
        }
        REQUIRE(cache_.free_blocks() == naive_.free_blocks());
    }
    std::int64_t hits = 0;
    std::int64_t refused = 0;

  private:
    struct Pair {
        KvSequence fast;
        NaiveCache::Sequence slow;
        std::int64_t known = 0;
        std::int64_t held = 0;
    };
    std::int64_t below(std::int64_t n) {
        return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(n), next_++));
    }
    std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + below(high - low + 1);
    }

    /// Few different ids, so that prefixes are equal often.
    void start() {
        Pair p;
        p.known = between(1, 2 * blocks_ * block_size_ / 3);
        ContentsRef contents;
        if (below(5) > 0) {
            std::vector<std::uint64_t> ids;
            for (std::int64_t i = between(0, 60); i > 0; --i) {
                ids.push_back(static_cast<std::uint64_t>(below(8) == 0 ? between(0, 3) : 0));
            }
            contents = contents_of(ids, piece_, below(3) == 0 ? between(0, p.known) : -1);
        }
        const auto salt = static_cast<std::uint64_t>(below(5) == 0 ? 1 : 0);
        p.fast = {contents, ++identities_, salt};
        p.slow = {contents, identities_, salt, {}, 0};
        sequences_.push_back(std::move(p));
    }
    void admit(Pair& p) {
        const std::int64_t cached = cache_.cached_tokens(p.fast, p.known);
        REQUIRE(cached == naive_.cached_tokens(p.slow, p.known));
        REQUIRE(cached < p.known);
        const std::int64_t tokens = between(cached + 1, p.known);
        const bool fits = cache_.fits(p.fast, cached, tokens);
        REQUIRE(fits == naive_.fits(p.slow, cached, tokens));
        if (!fits) {
            ++refused;
            return;
        }
        hits += cached;
        cache_.share(p.fast, cached);
        naive_.share(p.slow, cached);
        hold(p, tokens);
    }
    void grow(Pair& p) {
        const std::int64_t tokens = p.held + between(1, 3 * block_size_);
        const std::int64_t need =
            cache_.blocks_for(tokens) - static_cast<std::int64_t>(p.fast.blocks.size());
        if (need > cache_.free_blocks()) return;
        hold(p, tokens);
        p.known = std::max(p.known, tokens);
    }
    void hold(Pair& p, std::int64_t tokens) {
        cache_.hold(p.fast, tokens);
        naive_.hold(p.slow, tokens);
        REQUIRE(p.fast.blocks == p.slow.blocks);
        p.held = tokens;
        const std::int64_t entered = below(4) == 0 ? between(1, tokens) : tokens;
        cache_.enter(p.fast, entered);
        naive_.enter(p.slow, entered);
    }

    RandomStream random_;
    std::uint64_t next_ = 0;
    std::uint64_t identities_ = 0;
    std::int64_t block_size_;
    std::int64_t blocks_;
    std::int64_t piece_;  ///< tokens an id
    PagedKvCache cache_;
    NaiveCache naive_;
    std::vector<Pair> sequences_;
};

}  // namespace

TEST_CASE("PagedKvCache: equals a naive model over random operations, block for block") {
    std::int64_t hits = 0;
    std::int64_t refused = 0;
    const std::int64_t cases = scaled(200, 40);
    for (std::int64_t seed = 1; seed <= cases; ++seed) {
        INFO("seed " << seed);
        TwoCaches caches(static_cast<std::uint64_t>(seed));
        for (int i = 0; i < 200; ++i) caches.step();
        hits += caches.hits;
        refused += caches.refused;
    }
    CHECK(hits > 20 * cases);
    CHECK(refused > 2 * cases);
}

}  // namespace headroom::tests
