/// EventQueue: a 4-ary heap of plain tagged events, ordered by (time, class, entity, ordinal).
///
/// The order of insertion never decides: two events with equal keys are a programmer error, so an
/// entity that has several events of one class at one time gives each its own ordinal. That makes a
/// run independent of how it was cut into steps, cells and threads.
///
///     EventHandle h = queue.push(EventKey::make(t, kStepEnd, instance), payload);
///     queue.move(h, earlier_key);         // O(log n)
///     queue.cancel(h);                    // O(log n); a stale handle is recognised
///     while (!queue.empty() && queue.top_key().time < limit) { auto e = queue.pop(); ... }
///
/// push, pop, cancel and move are O(log n); top is O(1). Nothing is allocated once the queue has
/// reached its largest size. Limits: class < 2^4, entity < 2^40, ordinal < 2^20.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::inline core {

/// The sort key. `order` packs class, entity and ordinal, so that a comparison is two integers.
struct EventKey {
    Time time;
    std::uint64_t order = 0;

    [[nodiscard]] static constexpr EventKey make(Time time, unsigned event_class,
                                                 std::uint64_t entity, std::uint64_t ordinal = 0) {
        HEADROOM_DCHECK(event_class < 16 && entity < 1ULL << 40 && ordinal < 1ULL << 20,
                        "a part of an event's key is out of its range");
        return {time, (static_cast<std::uint64_t>(event_class) << 60) | (entity << 20) | ordinal};
    }
    [[nodiscard]] constexpr unsigned event_class() const {
        return static_cast<unsigned>(order >> 60);
    }
    [[nodiscard]] constexpr std::uint64_t entity() const {
        return (order >> 20) & ((1ULL << 40) - 1);
    }
    [[nodiscard]] constexpr std::uint64_t ordinal() const { return order & ((1ULL << 20) - 1); }
    constexpr auto operator<=>(const EventKey&) const = default;
    /// The same order in one 128-bit comparison: which of two events is due first cannot be
    /// predicted, so a branch per member costs more than it saves.
    friend constexpr bool operator<(const EventKey& a, const EventKey& b) {
        return a.wide() < b.wide();
    }

  private:
    [[nodiscard]] constexpr Int128 wide() const {
        const auto high = static_cast<Uint128>(static_cast<std::uint64_t>(time.ps()));
        return static_cast<Int128>(high << 64 | order);
    }
};

struct EventHandle {
    std::uint32_t slot = kNone;
    std::uint32_t generation = 0;
    [[nodiscard]] constexpr bool valid() const { return slot != kNone; }
    static constexpr std::uint32_t kNone = 0xffffffffU;
};

template <class Payload>
class EventQueue {
  public:
    struct Event {
        EventKey key;
        Payload payload;
    };

    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] const EventKey& top_key() const {
        HEADROOM_DCHECK(size_ > 0, "top of an empty queue");
        return heap_[0].key;
    }
    [[nodiscard]] const Payload& top() const {
        HEADROOM_DCHECK(size_ > 0, "top of an empty queue");
        return slots_[heap_[0].slot].payload;
    }

    EventHandle push(EventKey key, Payload payload) {
        std::uint32_t slot = free_head_;
        if (slot != EventHandle::kNone) {
            free_head_ = slots_[slot].position;
        } else {
            slot = static_cast<std::uint32_t>(slots_.size());
            slots_.push_back({});
        }
        Slot& s = slots_[slot];
        s.payload = payload;
        if (size_ == heap_.size()) heap_.resize(size_ < 16 ? 16 : 2 * size_);
        sift_up(size_++, {key, slot});
        return {slot, s.generation};
    }

    /// Removes and returns the least event.
    Event pop() {
        HEADROOM_DCHECK(size_ > 0, "pop of an empty queue");
        const Node least = heap_[0];
        Event event{least.key, slots_[least.slot].payload};
        remove_at(0);
        release(least.slot);
        return event;
    }

    /// Whether no event but h's comes before `key`. O(1).
    [[nodiscard]] bool none_before(const EventKey& key, EventHandle h) const {
        if (size_ == 0) return true;
        if (heap_[0].slot != h.slot) return !(heap_[0].key < key);
        const std::size_t end = size_ < kArity + 1 ? size_ : kArity + 1;
        for (std::size_t i = 1; i < end; ++i) {
            if (heap_[i].key < key) return false;
        }
        return true;
    }
    /// fn(key) for those that stand right behind the top one, among them the next: a hint for what
    /// may be looked at soon, and nothing else.
    template <class Fn>
    void for_each_near(Fn&& fn) const {
        const std::size_t end = size_ < kArity + 1 ? size_ : kArity + 1;
        for (std::size_t i = 1; i < end; ++i) fn(heap_[i].key);
    }
    [[nodiscard]] bool is_top(EventHandle h) const { return size_ > 0 && heap_[0].slot == h.slot; }
    [[nodiscard]] bool contains(EventHandle h) const {
        return h.valid() && slots_[h.slot].generation == h.generation;
    }
    [[nodiscard]] const EventKey& key_of(EventHandle h) const {
        HEADROOM_DCHECK(contains(h), "key of an event that is gone");
        return heap_[slots_[h.slot].position].key;
    }

    /// Takes an event out; a handle whose event has already run or was cancelled returns false.
    bool cancel(EventHandle h) {
        if (!contains(h)) return false;
        remove_at(slots_[h.slot].position);
        release(h.slot);
        return true;
    }

    /// Gives a queued event another key.
    void move(EventHandle h, EventKey key) {
        HEADROOM_DCHECK(contains(h), "move of an event that is gone");
        const std::size_t at = slots_[h.slot].position;
        const Node node{key, h.slot};
        if (key < heap_[at].key) {
            sift_up(at, node);
        } else {
            sift_down(at, node);
        }
    }

  private:
    struct Node {
        EventKey key;
        std::uint32_t slot = EventHandle::kNone;
    };
    struct Slot {
        Payload payload{};
        std::uint32_t position = EventHandle::kNone;  ///< in the heap; the next free slot when free
        std::uint32_t generation = 0;
    };
    static constexpr std::size_t kArity = 4;

    void place(std::size_t at, const Node& node) {
        heap_[at] = node;
        slots_[node.slot].position = static_cast<std::uint32_t>(at);
    }
    void release(std::uint32_t slot) {
        ++slots_[slot].generation;
        slots_[slot].position = free_head_;
        free_head_ = slot;
    }
    void remove_at(std::size_t at) {
        const Node last = heap_[--size_];
        if (at == size_) return;
        if (at > 0 && last.key < heap_[(at - 1) / kArity].key) {
            sift_up(at, last);
        } else {
            sift_down(at, last);
        }
    }
    void sift_up(std::size_t at, const Node& node) {
        while (at > 0) {
            const std::size_t parent = (at - 1) / kArity;
            HEADROOM_DCHECK(node.key != heap_[parent].key || node.slot == heap_[parent].slot,
                            "two events with one key");
            if (!(node.key < heap_[parent].key)) break;
            place(at, heap_[parent]);
            at = parent;
        }
        place(at, node);
    }
    /// The least of a full family of children, as a knock-out without branches.
    [[nodiscard]] std::size_t least_of_four(std::size_t first) const {
        const auto less = [this](std::size_t a, std::size_t b) -> std::size_t {
            return heap_[a].key < heap_[b].key ? 1 : 0;
        };
        const std::size_t left = first + less(first + 1, first);
        const std::size_t right = first + 2 + less(first + 3, first + 2);
        return left + (right - left) * less(right, left);  // a product: no jump, unlike ?:
    }
    [[nodiscard]] std::size_t least_of(std::size_t first, std::size_t end) const {
        std::size_t least = first;
        for (std::size_t child = first + 1; child < end; ++child) {
            if (heap_[child].key < heap_[least].key) least = child;
        }
        return least;
    }
    void sift_down(std::size_t at, const Node& node) {
        const std::size_t size = size_;
        for (;;) {
            const std::size_t first = at * kArity + 1;
            if (first >= size) break;
            const std::size_t least =
                first + kArity <= size ? least_of_four(first) : least_of(first, size);
            HEADROOM_DCHECK(heap_[least].key != node.key, "two events with one key");
            if (!(heap_[least].key < node.key)) break;
            place(at, heap_[least]);
            at = least;
        }
        place(at, node);
    }

    std::vector<Node> heap_;  ///< the first size_ are in use: no end pointer to subtract
    std::size_t size_ = 0;
    std::vector<Slot> slots_;
    std::uint32_t free_head_ = EventHandle::kNone;
};

}  // namespace headroom::inline core
