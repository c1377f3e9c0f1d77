/// KeyMap<T>: from 64-bit keys to small values, by open addressing with linear probing, at most
/// half full. It cannot be walked, so the order of its table reaches nobody. Look-ups, insertions
/// and erasures are O(1) on average; memory grows with what is held, doubling.
///
///     KeyMap<std::uint32_t> first;
///     first.insert(key, 7);            // the key must be new
///     if (std::uint32_t* value = first.find(key)) *value = 8;
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/hash.hpp"

namespace headroom::inline core {

template <class T>
class KeyMap {
  public:
    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] const T* find(std::uint64_t key) const {
        for (std::size_t at = home(key); entries_[at].held; at = (at + 1) & mask()) {
            if (entries_[at].key == key) return &entries_[at].value;
        }
        return nullptr;
    }
    /// Good until the next insertion or erasure.
    [[nodiscard]] T* find(std::uint64_t key) {
        return const_cast<T*>(static_cast<const KeyMap*>(this)->find(key));
    }
    void insert(std::uint64_t key, T value) {
        HEADROOM_DCHECK(find(key) == nullptr, "a key is inserted once");
        if ((size_ + 1) * 2 > entries_.size()) grow();
        place(key, value);
        ++size_;
    }
    /// The key must be held. Knuth, The Art of Computer Programming 3, 6.4, algorithm R: what
    /// follows moves up into the gap unless that is before its home, so that no mark has to stay.
    void erase(std::uint64_t key) {
        std::size_t gap = home(key);
        while (entries_[gap].key != key || !entries_[gap].held) gap = (gap + 1) & mask();
        for (std::size_t at = (gap + 1) & mask(); entries_[at].held; at = (at + 1) & mask()) {
            const std::size_t from_home = (at - home(entries_[at].key)) & mask();
            if (from_home < ((at - gap) & mask())) continue;
            entries_[gap] = entries_[at];
            gap = at;
        }
        entries_[gap].held = false;
        --size_;
    }
    void clear() {
        entries_.assign(kLeast, {});
        size_ = 0;
    }

  private:
    static constexpr std::size_t kLeast = 16;
    struct Entry {
        std::uint64_t key = 0;
        T value{};
        bool held = false;
    };

    [[nodiscard]] std::size_t mask() const { return entries_.size() - 1; }
    [[nodiscard]] std::size_t home(std::uint64_t key) const { return mix64(key) & mask(); }
    void place(std::uint64_t key, T value) {
        std::size_t at = home(key);
        while (entries_[at].held) at = (at + 1) & mask();
        entries_[at] = {key, value, true};
    }
    void grow() {
        std::vector<Entry> old(entries_.size() * 2);
        old.swap(entries_);
        for (const Entry& entry : old) {
            if (entry.held) place(entry.key, entry.value);
        }
    }

    std::vector<Entry> entries_ = std::vector<Entry>(kLeast);
    std::size_t size_ = 0;
};

}  // namespace headroom::inline core
