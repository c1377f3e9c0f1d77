#include "sim/cluster/image_cache.hpp"

#include "sim/core/check.hpp"

namespace headroom::cluster {

bool ImageCache::acquire(std::string_view name, Time now) {
    const auto it = entries_.find(name);
    if (it == entries_.end()) return false;
    if (it->second.pins++ == 0) pinned_ += it->second.size;
    it->second.last_used = now;
    return true;
}

void ImageCache::release(std::string_view name, Time now) {
    const auto it = entries_.find(name);
    HEADROOM_CHECK(it != entries_.end() && it->second.pins > 0, "release of an image not in use");
    if (--it->second.pins == 0) pinned_ -= it->second.size;
    it->second.last_used = now;
}

bool ImageCache::insert(std::string_view name, Bytes size, Time now) {
    HEADROOM_CHECK(size >= Bytes{0}, "an image of less than nothing");
    if (const auto it = entries_.find(name); it != entries_.end()) {
        it->second.last_used = now;
        return true;
    }
    if (size > capacity_ - pinned_) return false;
    while (size > capacity_ - used_) evict_least_recently_used();
    entries_.emplace(std::string{name}, Entry{size, 0, now});
    used_ += size;
    return true;
}

void ImageCache::evict_least_recently_used() {
    auto victim = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
        if (it->second.pins > 0) continue;
        if (victim == entries_.end() || it->second.last_used < victim->second.last_used) {
            victim = it;
        }
    }
    HEADROOM_CHECK(victim != entries_.end(), "no image to evict");
    used_ -= victim->second.size;
    entries_.erase(victim);
}

}  // namespace headroom::cluster
