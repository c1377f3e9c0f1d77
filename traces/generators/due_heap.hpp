/// DueHeap: who is due next, the least (time, who) first: ties go to the lower number. A binary
/// heap; push and pop O(log n), top O(1), no allocation once it has reached its largest size.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::traces {

class DueHeap {
  public:
    struct Entry {
        Time time;
        std::uint32_t who = 0;
        std::uint32_t slot = 0;  ///< carried along; never equal for equal (time, who)
        auto operator<=>(const Entry&) const = default;
    };
    void reserve(std::size_t n) { heap_.reserve(n); }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] const Entry& top() const { return heap_.front(); }
    void push(const Entry& entry) {
        heap_.push_back(entry);
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
    }
    Entry pop() {
        std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
        const Entry entry = heap_.back();
        heap_.pop_back();
        return entry;
    }

  private:
    std::vector<Entry> heap_;
};

}  // namespace headroom::traces
