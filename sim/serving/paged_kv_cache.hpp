/// PagedKvCache: the KV cache of one engine block by block, as vLLM v1 keeps it (vllm/v1/core:
/// block_pool.py, kv_cache_manager.py, single_type_kv_cache_manager.py at 992368522f), with or
/// without automatic prefix caching.
///
///  - Free blocks stand in one list. New ones are taken from its head; a sequence gives its blocks
///    back last block first, to the tail. So blocks are reused in the order of their release, and a
///    prefix outlives its continuation.
///  - With prefix caching a full block is entered under a key that names the contents of the whole
///    sequence up to its end. It keeps its key when it is given back, until it is taken anew, which
///    is the eviction. Of several blocks with one key the first entered is found.
///  - A block that several sequences share is free when the last of them has given it back.
///
/// Keys are 64-bit hashes of contents (TokenContents; what these do not cover is like no others).
/// What is like no others can be found by its own sequence alone, once that has given it back: it
/// gets its key then, so that most of it, of sequences that do not come back, never needs one.
/// O(1) a block taken, entered or given back; a look-up is O(blocks found). Deterministic.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/key_map.hpp"
#include "sim/serving/block_size.hpp"
#include "sim/serving/prefix_lru.hpp"
#include "sim/serving/token_contents.hpp"

namespace headroom::serving {

/// A sequence's part of the cache.
struct KvSequence {
    ContentsRef contents;        ///< null: like no others
    std::uint64_t identity = 0;  ///< tells it from all others of the same cache
    std::uint64_t salt = 0;      ///< sequences of different salts share nothing
    std::vector<std::uint32_t> blocks{};
    std::vector<std::uint64_t> keys{};  ///< of its blocks from the first on, as far as needed yet
    /// Leading full blocks that prefix caching may reuse (vLLM: cached blocks).
    std::int64_t entered = 0;
    /// Of these, how many stand in the table of keys; those that only this sequence could find are
    /// put there by release().
    std::int64_t named = 0;
};

class PagedKvCache {
  public:
    /// `host_blocks`: of a second tier that takes in what is evicted; 0: there is none.
    PagedKvCache(std::int64_t blocks, std::int64_t block_size, bool prefix_caching,
                 std::int64_t host_blocks = 0);

    [[nodiscard]] std::int64_t free_blocks() const { return free_; }
    [[nodiscard]] std::int64_t blocks_for(std::int64_t tokens) const {
        return block_size_.blocks_for(tokens);
    }

    /// Tokens of the longest cached prefix of its first `known` tokens, in whole blocks; the last
    /// of the tokens never counts, for something has to be computed.
    [[nodiscard]] std::int64_t cached_tokens(KvSequence& s, std::int64_t known) const;
    /// Tokens that the second tier has of what follows the first `cached` ones, in whole blocks.
    [[nodiscard]] std::int64_t host_tokens(KvSequence& s, std::int64_t cached,
                                           std::int64_t known) const;
    /// Whether a sequence without blocks could hold `tokens`, `cached` of them from the cache.
    [[nodiscard]] bool fits(KvSequence& s, std::int64_t cached, std::int64_t tokens) const;
    /// Takes a cached prefix into a sequence without blocks.
    void share(KvSequence& s, std::int64_t cached);
    /// Makes it hold blocks for `tokens`; they must be free. Never takes any away.
    void hold(KvSequence& s, std::int64_t tokens) {
        while (static_cast<std::int64_t>(s.blocks.size()) * block_size_.tokens() < tokens) {
            s.blocks.push_back(take());
        }
    }
    /// Its full blocks among the first `tokens` can be found from now on. Nothing without caching.
    void enter(KvSequence& s, std::int64_t tokens) {
        if (prefix_caching_ && (s.entered + 1) * block_size_.tokens() <= tokens)
            enter_full(s, tokens);
    }
    /// It gives all its blocks back, and may look for them again.
    void release(KvSequence& s);
    /// It gives all its blocks back and is over.
    void retire(KvSequence& s) { give_back(s); }

  private:
    static constexpr std::uint32_t kNone = 0xffffffffU;

    /// Small, for the free list leads all over the table.
    struct Block {
        std::uint32_t users = 0;
        std::uint32_t previous = kNone;  ///< in the free list
        std::uint32_t next = kNone;      ///< likewise
        bool named = false;
    };
    /// Of a block that has a key.
    struct Name {
        std::uint64_t key = 0;
        std::uint32_t before = kNone;  ///< the block entered before it under the same key
        std::uint32_t after = kNone;
    };
    struct Entered {
        std::uint32_t first = kNone;
        std::uint32_t last = kNone;
    };

    [[nodiscard]] std::int64_t shareable(const KvSequence& s) const;
    void enter_full(KvSequence& s, std::int64_t tokens);
    void name(KvSequence& s, std::int64_t blocks);
    void give_back(KvSequence& s);
    [[nodiscard]] std::uint64_t key_of(KvSequence& s, std::int64_t block) const;
    [[nodiscard]] std::uint64_t content_key(const KvSequence& s, std::int64_t block,
                                            std::uint64_t parent) const;
    [[nodiscard]] std::uint32_t find(std::uint64_t key) const;
    [[nodiscard]] std::uint32_t take();
    void forget(std::uint32_t index);
    void unlink(std::uint32_t index);
    void append(std::uint32_t index);

    BlockSize block_size_;
    bool prefix_caching_;
    std::int64_t never_used_;    ///< these stand before the head of the free list
    std::vector<Block> blocks_;  ///< the others
    std::vector<Name> names_;    ///< theirs; only with caching
    std::uint32_t head_ = kNone;
    std::uint32_t tail_ = kNone;
    std::int64_t free_;
    KeyMap<Entered> entered_;
    std::optional<PrefixLru> host_;  ///< keys of the second tier's blocks
};

}  // namespace headroom::serving
