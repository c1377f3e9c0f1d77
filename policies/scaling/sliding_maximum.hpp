/// SlidingMaximum: the largest of the values noted within a window of positions, which is how a
/// scale-down delay works: what was wanted in the window holds (Knative's scale-down-delay,
/// knative/ serving pkg/autoscaler/aggregation/max/window.go; the HPA's downscale stabilisation). A
/// position is whatever goes on: picoseconds of simulated time, ticks of an autoscaler.
///
/// A value noted exactly a window ago still counts; a window of zero knows the present alone. Only
/// values that no later one reaches are kept, in falling order (the "monotone queue"): O(1)
/// amortised, no allocation once the list has had its largest size.
///
///     SlidingMaximum held(delay.ps());
///     held.note(view.now.ps(), wanted);
///     const std::int64_t peak = held.maximum(view.now.ps());
///
/// Positions do not descend. maximum() of nothing is a programmer error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headroom::policies {

class SlidingMaximum {
  public:
    explicit SlidingMaximum(std::int64_t window) : window_(window) {}

    void note(std::int64_t now, std::int64_t value);
    [[nodiscard]] bool empty(std::int64_t now) const;
    [[nodiscard]] std::int64_t maximum(std::int64_t now) const;

  private:
    struct Entry {
        std::int64_t at;
        std::int64_t value;
    };
    [[nodiscard]] std::size_t first_inside(std::int64_t now) const;

    std::int64_t window_;
    std::vector<Entry> entries_;  ///< from first_ on: positions ascend, values descend
    std::size_t first_ = 0;
};

}  // namespace headroom::policies
