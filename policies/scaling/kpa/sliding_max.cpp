#include "policies/scaling/kpa/sliding_max.hpp"

#include <algorithm>

namespace headroom::policies {

SlidingMax::SlidingMax(std::int64_t buckets)
    : ring_(static_cast<std::size_t>(std::max<std::int64_t>(buckets, 1))) {}

SlidingMax::Entry& SlidingMax::entry(std::size_t place) {
    return ring_[(first_ + place) % ring_.size()];
}

void SlidingMax::record(std::int64_t index, std::int64_t value) {
    const auto buckets = static_cast<std::int64_t>(ring_.size());
    while (length_ > 0 && entry(length_ - 1).value <= value) --length_;
    while (length_ > 0 && index - entry(0).index >= buckets) {
        first_ = (first_ + 1) % ring_.size();
        --length_;
    }
    // What is left is larger: the value adds nothing to its own index.
    if (length_ > 0 && entry(length_ - 1).index == index) return;
    // Entries have different indices less than `buckets` apart, unless indices fall: then the
    // oldest gives way.
    if (length_ == ring_.size()) {
        first_ = (first_ + 1) % ring_.size();
        --length_;
    }
    ++length_;
    entry(length_ - 1) = {index, value};
}

std::int64_t SlidingMax::current() const {
    return length_ == 0 ? 0 : ring_[first_].value;
}

}  // namespace headroom::policies
