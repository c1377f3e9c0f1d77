/// RingBuffer<T>: a queue with both ends open in one growing array of a power-of-two size. Unlike
/// std::deque it allocates nothing once it has reached its largest size. push and pop at either end
/// are O(1) amortised, operator[] counts from the front, erase_at is O(n).
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "sim/core/check.hpp"

namespace headroom::inline core {

template <class T>
class RingBuffer {
  public:
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] T& operator[](std::size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    [[nodiscard]] const T& operator[](std::size_t i) const {
        return slots_[(head_ + i) & (slots_.size() - 1)];
    }
    [[nodiscard]] T& front() { return (*this)[0]; }
    [[nodiscard]] const T& front() const { return (*this)[0]; }

    void push_back(T value) {
        if (size_ == slots_.size()) grow();
        slots_[(head_ + size_) & (slots_.size() - 1)] = std::move(value);
        ++size_;
    }
    void push_front(T value) {
        if (size_ == slots_.size()) grow();
        head_ = (head_ + slots_.size() - 1) & (slots_.size() - 1);
        slots_[head_] = std::move(value);
        ++size_;
    }
    T pop_front() {
        HEADROOM_DCHECK(size_ > 0, "pop of an empty ring");
        T value = std::move(slots_[head_]);
        head_ = (head_ + 1) & (slots_.size() - 1);
        --size_;
        return value;
    }
    /// Removes the element at a position, keeping the order of the others.
    void erase_at(std::size_t i) {
        HEADROOM_DCHECK(i < size_, "erase past the end of a ring");
        for (; i + 1 < size_; ++i) (*this)[i] = std::move((*this)[i + 1]);
        --size_;
    }
    void clear() {
        head_ = 0;
        size_ = 0;
    }

  private:
    void grow() {
        std::vector<T> larger(slots_.empty() ? 8 : slots_.size() * 2);
        for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
        slots_ = std::move(larger);
        head_ = 0;
    }

    std::vector<T> slots_;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace headroom::inline core
