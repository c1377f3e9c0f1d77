#include "sim/serving/paged_kv_cache.hpp"

#include <algorithm>
#include <limits>

#include "sim/core/check.hpp"
#include "sim/core/prefetch.hpp"

namespace headroom::serving {

PagedKvCache::PagedKvCache(std::int64_t blocks, std::int64_t block_size, bool prefix_caching,
                           std::int64_t host_blocks)
    : block_size_(block_size), prefix_caching_(prefix_caching), never_used_(blocks), free_(blocks) {
    HEADROOM_CHECK(blocks >= 1, "an engine needs KV blocks");
    if (host_blocks > 0 && prefix_caching) {
        host_.emplace(
            static_cast<std::uint32_t>(std::min<std::int64_t>(host_blocks, PrefixLru::kUnlimited)));
    }
}

// ---------------------------------------------------------------- the free list

void PagedKvCache::append(std::uint32_t index) {
    Block& block = blocks_[index];
    block.previous = tail_;
    block.next = kNone;
    (tail_ == kNone ? head_ : blocks_[tail_].next) = index;
    tail_ = index;
    ++free_;
}

void PagedKvCache::unlink(std::uint32_t index) {
    const Block& block = blocks_[index];
    (block.previous == kNone ? head_ : blocks_[block.previous].next) = block.next;
    (block.next == kNone ? tail_ : blocks_[block.next].previous) = block.previous;
    --free_;
}

std::uint32_t PagedKvCache::take() {
    HEADROOM_CHECK(free_ > 0, "a plan takes more KV blocks than are free");
    auto index = static_cast<std::uint32_t>(blocks_.size());
    if (never_used_ > 0) {
        --never_used_;
        --free_;
        blocks_.emplace_back();
        if (prefix_caching_) names_.emplace_back();
    } else {
        index = head_;
        unlink(index);
        // The list leads all over the table, and many are taken in a row: the next but one.
        if (head_ != kNone && blocks_[head_].next != kNone) {
            core::prefetch(&blocks_[blocks_[head_].next]);
        }
        if (blocks_[index].named) {
            if (host_) host_->touch(names_[index].key);
            forget(index);
        }
    }
    blocks_[index].users = 1;
    return index;
}

// ---------------------------------------------------------------- contents

std::uint64_t PagedKvCache::content_key(const KvSequence& s, std::int64_t block,
                                        std::uint64_t parent) const {
    constexpr std::uint64_t kOwn = 0x6f776e2d746f6b65ULL;
    const std::int64_t begin = block * block_size_.tokens();
    const std::int64_t end = begin + block_size_.tokens();
    if (s.contents == nullptr || end > s.contents->covered_tokens()) {
        return prefix_key(prefix_key(parent, kOwn), s.identity);
    }
    std::uint64_t key = parent;
    const std::int64_t piece = s.contents->tokens_per_id;
    for (std::int64_t at = begin; at < end;) {
        const std::int64_t length = std::min(piece - at % piece, end - at);
        key = prefix_key(key, s.contents->ids[static_cast<std::size_t>(at / piece)]);
        key = prefix_key(key, static_cast<std::uint64_t>(at % piece));
        at += length;
    }
    return key;
}

std::uint64_t PagedKvCache::key_of(KvSequence& s, std::int64_t block) const {
    while (static_cast<std::int64_t>(s.keys.size()) <= block) {
        const std::uint64_t parent = s.keys.empty() ? prefix_key(0, s.salt) : s.keys.back();
        s.keys.push_back(content_key(s, static_cast<std::int64_t>(s.keys.size()), parent));
    }
    return s.keys[static_cast<std::size_t>(block)];
}

std::uint32_t PagedKvCache::find(std::uint64_t key) const {
    const Entered* found = entered_.find(key);
    return found == nullptr ? kNone : found->first;
}

void PagedKvCache::forget(std::uint32_t index) {
    const Name name = names_[index];
    Entered& ends = *entered_.find(name.key);
    (name.before == kNone ? ends.first : names_[name.before].after) = name.after;
    (name.after == kNone ? ends.last : names_[name.after].before) = name.before;
    if (ends.first == kNone) entered_.erase(name.key);
    blocks_[index].named = false;
}

// ---------------------------------------------------------------- sequences

std::int64_t PagedKvCache::cached_tokens(KvSequence& s, std::int64_t known) const {
    if (!prefix_caching_) return 0;
    const std::int64_t most = block_size_.whole_blocks(known - 1);
    std::int64_t found = 0;
    while (found < most && find(key_of(s, found)) != kNone) ++found;
    return found * block_size_.tokens();
}

std::int64_t PagedKvCache::host_tokens(KvSequence& s, std::int64_t cached,
                                       std::int64_t known) const {
    if (!host_) return 0;
    const std::int64_t most = block_size_.whole_blocks(known - 1);
    const std::int64_t from = block_size_.whole_blocks(cached);
    std::int64_t at = from;
    while (at < most && host_->contains(key_of(s, at))) ++at;
    return (at - from) * block_size_.tokens();
}

bool PagedKvCache::fits(KvSequence& s, std::int64_t cached, std::int64_t tokens) const {
    const std::int64_t hits = block_size_.whole_blocks(cached);
    std::int64_t need = blocks_for(tokens) - hits;
    if (need > free_) return false;
    // A hit that nobody uses leaves the free list too.
    for (std::int64_t i = 0; i < hits; ++i) {
        if (blocks_[find(key_of(s, i))].users == 0) ++need;
    }
    return need <= free_;
}

void PagedKvCache::share(KvSequence& s, std::int64_t cached) {
    HEADROOM_CHECK(s.blocks.empty(), "a cached prefix is taken by a sequence without blocks");
    const std::int64_t hits = block_size_.whole_blocks(cached);
    for (std::int64_t i = 0; i < hits; ++i) {
        const std::uint32_t index = find(key_of(s, i));
        HEADROOM_CHECK(index != kNone, "a prefix that is not cached was taken");
        if (blocks_[index].users++ == 0) unlink(index);
        s.blocks.push_back(index);
    }
    s.entered = hits;
    s.named = hits;
}

void PagedKvCache::enter_full(KvSequence& s, std::int64_t tokens) {
    s.entered =
        std::min(block_size_.whole_blocks(tokens), static_cast<std::int64_t>(s.blocks.size()));
    name(s, std::min(s.entered, shareable(s)));
}

/// Leading blocks that others may find, too.
std::int64_t PagedKvCache::shareable(const KvSequence& s) const {
    // The second tier holds blocks of both kinds by their keys.
    if (host_) return std::numeric_limits<std::int64_t>::max();
    return s.contents == nullptr ? 0 : block_size_.whole_blocks(s.contents->covered_tokens());
}

/// Puts the leading blocks, as far as they are not yet, where find() looks.
void PagedKvCache::name(KvSequence& s, std::int64_t blocks) {
    for (; s.named < blocks; ++s.named) {
        const std::uint32_t index = s.blocks[static_cast<std::size_t>(s.named)];
        const std::uint64_t key = key_of(s, s.named);
        blocks_[index].named = true;
        Entered* ends = entered_.find(key);
        if (ends == nullptr) {
            names_[index] = {key, kNone, kNone};
            entered_.insert(key, {index, index});
            continue;
        }
        names_[index] = {key, ends->last, kNone};
        names_[ends->last].after = index;
        ends->last = index;
    }
}

void PagedKvCache::release(KvSequence& s) {
    name(s, s.entered);
    give_back(s);
}

void PagedKvCache::give_back(KvSequence& s) {
    while (!s.blocks.empty()) {
        const std::uint32_t index = s.blocks.back();
        s.blocks.pop_back();
        if (--blocks_[index].users == 0) append(index);
    }
    s.entered = 0;
    s.named = 0;
}

}  // namespace headroom::serving
