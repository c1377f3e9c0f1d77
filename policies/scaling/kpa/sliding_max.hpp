/// SlidingMax: the largest value of the last `buckets` indices. Knative delays scale-down by it:
/// an index is a tick of the autoscaler, a value the pods that the tick asked for.
///
///     SlidingMax largest(5);
///     largest.record(0, 8);
///     largest.record(4, 3);  // current() is 8
///     largest.record(5, 2);  // index 0 is out: current() is 3
///
/// Indices do not fall; of two values of one index the larger counts. Before the first value
/// current() is 0. record is O(1) amortised, memory O(buckets). A width below 1 is 1.
/// Values that a later, larger one hides are dropped (ascending minima algorithm, R. Harter).
/// Source: knative/serving pkg/autoscaler/aggregation/max/window.go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headroom::policies {

class SlidingMax {
  public:
    explicit SlidingMax(std::int64_t buckets);

    void record(std::int64_t index, std::int64_t value);
    [[nodiscard]] std::int64_t current() const;

  private:
    struct Entry {
        std::int64_t index;
        std::int64_t value;
    };

    [[nodiscard]] Entry& entry(std::size_t place);

    std::vector<Entry> ring_;  ///< `length_` entries from `first_` on: indices rise, values fall
    std::size_t first_ = 0;
    std::size_t length_ = 0;
};

}  // namespace headroom::policies
