/// SlidingMaximum: the largest of the values noted within a span of time, which is how a scale-down
/// delay works: what was wanted in the span holds (Knative's scale-down-delay, pkg/autoscaler/
/// aggregation/max; the HPA's downscale stabilisation).
///
/// A value noted exactly a window ago still counts; a window of zero knows the present alone. Only
/// values that no later one reaches are kept, in falling order (the "monotone queue"): O(1)
/// amortised, no allocation once the list has had its largest size.
///
///     held.note(view.now, wanted);
///     const std::int64_t peak = held.maximum(view.now);
///
/// Times do not descend. maximum() of nothing is a programmer error.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::policies {

class SlidingMaximum {
  public:
    explicit SlidingMaximum(Duration window) : window_(window) {}

    void note(Time now, std::int64_t value);
    [[nodiscard]] bool empty(Time now) const;
    [[nodiscard]] std::int64_t maximum(Time now) const;

  private:
    struct Entry {
        Time at;
        std::int64_t value;
    };
    [[nodiscard]] std::size_t first_inside(Time now) const;

    Duration window_;
    std::vector<Entry> entries_;  ///< from first_ on: times ascend, values descend
    std::size_t first_ = 0;
};

}  // namespace headroom::policies
