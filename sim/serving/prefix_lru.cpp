#include "sim/serving/prefix_lru.hpp"

#include "sim/core/check.hpp"

namespace headroom::serving {

PrefixLru::PrefixLru(std::uint32_t capacity) : capacity_(capacity) {
    HEADROOM_CHECK(capacity >= 1 && capacity <= kUnlimited, "a capacity from 1 to 2^32 - 2");
}

std::size_t PrefixLru::match(std::span<const std::uint64_t> keys) const {
    std::size_t held = 0;
    while (held < keys.size() && contains(keys[held])) ++held;
    return held;
}

bool PrefixLru::touch(std::uint64_t key) {
    if (const std::uint32_t* held = table_.find(key)) {
        if (*held == newest_) return true;
        unlink(*held);
        link_newest(*held);
        return true;
    }
    if (size() == capacity_) erase(nodes_[oldest_].key);
    std::uint32_t node = free_;
    if (free_ == kNone) {
        node = static_cast<std::uint32_t>(nodes_.size());
        nodes_.emplace_back();
    } else {
        free_ = nodes_[node].newer;
    }
    nodes_[node].key = key;
    table_.insert(key, node);
    link_newest(node);
    return false;
}

bool PrefixLru::erase(std::uint64_t key) {
    const std::uint32_t* held = table_.find(key);
    if (held == nullptr) return false;
    const std::uint32_t node = *held;
    table_.erase(key);
    unlink(node);
    nodes_[node].newer = free_;
    free_ = node;
    return true;
}

void PrefixLru::clear() {
    nodes_.clear();
    table_.clear();
    newest_ = oldest_ = free_ = kNone;
}

std::optional<std::uint64_t> PrefixLru::oldest() const {
    if (oldest_ == kNone) return std::nullopt;
    return nodes_[oldest_].key;
}

// ---------------------------------------------------------------- the list

void PrefixLru::link_newest(std::uint32_t node) {
    nodes_[node].newer = kNone;
    nodes_[node].older = newest_;
    (newest_ == kNone ? oldest_ : nodes_[newest_].newer) = node;
    newest_ = node;
}

void PrefixLru::unlink(std::uint32_t node) {
    const Node& links = nodes_[node];
    (links.newer == kNone ? newest_ : nodes_[links.newer].older) = links.older;
    (links.older == kNone ? oldest_ : nodes_[links.older].newer) = links.newer;
}

}  // namespace headroom::serving
