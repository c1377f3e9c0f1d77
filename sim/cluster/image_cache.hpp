/// ImageCache: what lies on a node's disk (images and weights), by name, with a capacity.
///
/// An entry in use (acquired) stays. When room is needed, unused entries go, least recently used
/// first, ties by name. insert either makes all the room it needs or evicts nothing and refuses.
/// used() <= capacity() always. O(log entries) a look-up, O(entries) an eviction; a node holds few.
///
///     bool pinned = cache.acquire("llm:v3", now);
///     if (!pinned) {                                     // a miss: pull it, then
///         pinned = cache.insert("llm:v3", size, now) && cache.acquire("llm:v3", now);
///     }
///     if (pinned) cache.release("llm:v3", now);
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "sim/core/time.hpp"
#include "sim/core/units.hpp"

namespace headroom::cluster {

class ImageCache {
  public:
    static constexpr Bytes kUnlimited{std::numeric_limits<std::int64_t>::max()};

    explicit ImageCache(Bytes capacity = kUnlimited) : capacity_(capacity) {}

    [[nodiscard]] bool contains(std::string_view name) const { return entries_.contains(name); }
    /// Pins the entry. False: it is not there.
    [[nodiscard]] bool acquire(std::string_view name, Time now);
    /// Gives a pin back. The entry stays until its room is needed.
    void release(std::string_view name, Time now);
    /// Adds an unpinned entry (of one that is there, only the time of use changes). False: it does
    /// not fit beside what is in use.
    [[nodiscard]] bool insert(std::string_view name, Bytes size, Time now);

    [[nodiscard]] Bytes capacity() const { return capacity_; }
    [[nodiscard]] Bytes used() const { return used_; }
    [[nodiscard]] Bytes pinned() const { return pinned_; }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

  private:
    struct Entry {
        Bytes size;
        std::int32_t pins = 0;
        Time last_used;
    };
    void evict_least_recently_used();

    std::map<std::string, Entry, std::less<>> entries_;
    Bytes capacity_;
    Bytes used_;
    Bytes pinned_;
};

}  // namespace headroom::cluster
