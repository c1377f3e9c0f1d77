/// Slab<T, Tag>: owns records, names them by Id<Tag>, and uses freed places again (last freed,
/// first used), so a long run allocates only for what lives at once. Records never move: they lie
/// in chunks, so a reference stays good until its record is erased.
///
///     Slab<Pod, PodTag> pods;
///     PodId id = pods.emplace(...);      // O(1), allocates only when a chunk is full
///     auto [id, pod] = pods.create();    // the same with default values
///     pods[id].phase = ...;              // O(1), checks the generation in debug builds
///     pods.erase(id);
///
/// for_each visits live records in index order, which is the order results may depend on.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/id.hpp"
#include "sim/core/prefetch.hpp"

namespace headroom::inline core {

template <class T, class Tag>
class Slab {
  public:
    Slab() = default;
    Slab(const Slab&) = delete;
    Slab& operator=(const Slab&) = delete;
    ~Slab() {
        for (std::uint32_t i = 0; i < end_; ++i) {
            if (slot(i).live) slot(i).value()->~T();
        }
    }

    struct Entry {
        Id<Tag> id;
        T& value;
    };

    /// A record made of the arguments.
    template <class... Args>
    Id<Tag> emplace(Args&&... args) {
        const std::uint32_t index = take_slot();
        Slot& s = slot(index);
        ::new (static_cast<void*>(s.storage)) T(std::forward<Args>(args)...);
        return {index, s.generation};
    }
    /// A record of its members' default values, to be filled in place: one that is copied here from
    /// where its members were just written makes the processor wait for those writes.
    Entry create() {
        const std::uint32_t index = take_slot();
        Slot& s = slot(index);
        T* const record = ::new (static_cast<void*>(s.storage)) T;
        return {{index, s.generation}, *record};
    }

    void erase(Id<Tag> id) {
        HEADROOM_DCHECK(contains(id), "erase of a record that is gone");
        Slot& s = slot(id.index);
        s.value()->~T();
        s.live = false;
        ++s.generation;
        s.next_free = free_head_;
        free_head_ = id.index;
        --size_;
    }

    [[nodiscard]] T& operator[](Id<Tag> id) {
        HEADROOM_DCHECK(contains(id), "use of a record that is gone");
        return *slot(id.index).value();
    }
    [[nodiscard]] const T& operator[](Id<Tag> id) const { return const_cast<Slab&>(*this)[id]; }

    [[nodiscard]] bool contains(Id<Tag> id) const {
        if (id.index >= end_) return false;
        const Slot& s = const_cast<Slab*>(this)->slot(id.index);
        return s.live && s.generation == id.generation;
    }
    [[nodiscard]] std::size_t size() const { return size_; }

    /// The record with this index, if there is one, may be looked at soon.
    void prefetch(std::uint32_t index) const {
        if (index < end_) core::prefetch(&const_cast<Slab*>(this)->slot(index));
    }

    /// fn(Id<Tag>, T&) for each live record, in index order. O(highest index ever used).
    template <class Fn>
    void for_each(Fn&& fn) {
        for (std::uint32_t i = 0; i < end_; ++i) {
            Slot& s = slot(i);
            if (s.live) fn(Id<Tag>{i, s.generation}, *s.value());
        }
    }
    template <class Fn>
    void for_each(Fn&& fn) const {
        const_cast<Slab*>(this)->for_each(
            [&fn](Id<Tag> id, T& value) { fn(id, static_cast<const T&>(value)); });
    }

  private:
    static constexpr std::uint32_t kChunk = 256;

    struct Slot {
        alignas(T) std::byte storage[sizeof(T)];
        std::uint32_t generation = 0;
        std::uint32_t next_free = Id<Tag>::kNone;
        bool live = false;
        T* value() { return std::launder(reinterpret_cast<T*>(storage)); }
    };

    std::uint32_t take_slot() {
        std::uint32_t index = free_head_;
        if (index != Id<Tag>::kNone) {
            free_head_ = slot(index).next_free;
        } else {
            index = end_;
            HEADROOM_CHECK(index != Id<Tag>::kNone, "a slab holds at most 2^32 - 1 records");
            if ((index & (kChunk - 1)) == 0) chunks_.push_back(std::make_unique<Slot[]>(kChunk));
            ++end_;
        }
        slot(index).live = true;
        ++size_;
        return index;
    }
    Slot& slot(std::uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }

    std::vector<std::unique_ptr<Slot[]>> chunks_;
    std::uint32_t end_ = 0;
    std::uint32_t free_head_ = Id<Tag>::kNone;
    std::size_t size_ = 0;
};

}  // namespace headroom::inline core
