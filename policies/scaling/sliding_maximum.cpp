#include "policies/scaling/sliding_maximum.hpp"

#include "sim/core/check.hpp"

namespace headroom::policies {

std::size_t SlidingMaximum::first_inside(std::int64_t now) const {
    std::size_t first = first_;
    while (first < entries_.size() && now - entries_[first].at > window_) ++first;
    return first;
}

void SlidingMaximum::note(std::int64_t now, std::int64_t value) {
    first_ = first_inside(now);
    while (entries_.size() > first_ && entries_.back().value <= value) entries_.pop_back();
    // Moving the rest to the front once half is past costs each entry one move.
    if (first_ * 2 >= entries_.size()) {
        entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    entries_.push_back({now, value});
}

bool SlidingMaximum::empty(std::int64_t now) const {
    return first_inside(now) == entries_.size();
}

std::int64_t SlidingMaximum::maximum(std::int64_t now) const {
    const std::size_t first = first_inside(now);
    HEADROOM_CHECK(first < entries_.size(), "no value lies in the window");
    return entries_[first].value;
}

}  // namespace headroom::policies
