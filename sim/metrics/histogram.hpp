/// Histogram: a mergeable log-linear histogram of non-negative int64 (picoseconds, tokens, ...).
///
/// Values below 256 have a bucket each; above, every octave is cut into 2^7 equal buckets, so a
/// bucket's midpoint is within 2^-8 = 0.4 % of each value in it. Count, sum, least and greatest are
/// exact. The state is a pure function of the multiset of recorded values: neither the order of
/// recording nor how it was split into histograms that were merged leaves a trace.
///
///     Histogram ttft;
///     ttft.record(latency.ps());
///     ttft.record_progression(first, step, n, batch);  // n values, each `batch` times
///     ttft.quantile(0.99);                             // ps
///
/// record is O(1), some 2 ns; memory is 1 KiB per octave that occurs, allocated at its first value.
/// A negative value is a programmer error; a sum of counts must stay below 2^64.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::metrics {

class Histogram {
  public:
    Histogram() = default;
    Histogram(const Histogram& other);
    Histogram& operator=(const Histogram& other);
    Histogram(Histogram&& other) noexcept;
    Histogram& operator=(Histogram&& other) noexcept;
    ~Histogram() = default;

    /// Records `value` n times.
    void record(std::int64_t value, std::uint64_t n = 1) {
        HEADROOM_DCHECK(value >= 0, "a histogram holds values >= 0");
        if (n == 0) return;
        const Place place = place_of(value);
        chunk_for(place.octave)[place.bucket] += n;
        count_ += n;
        sum_ += static_cast<Int128>(value) * n;
        if (value < min_) min_ = value;
        if (value > max_) max_ = value;
    }
    /// Records first, first + step, ..., n values, each `weight` times, as n calls of record would.
    /// step >= 0; first + n * step must fit. O(buckets touched).
    void record_progression(std::int64_t first, std::int64_t step, std::int64_t n,
                            std::uint64_t weight = 1) {
        HEADROOM_DCHECK(first >= 0 && step >= 0 && n >= 0,
                        "a progression of values >= 0 that rises");
        if (n <= 0 || weight == 0) return;
        const std::int64_t last = first + (n - 1) * step;
        HEADROOM_DCHECK(last >= first, "the end of a progression must fit in 64 bits");
        if (share_bucket(first, last)) {  // mostly
            const Place place = place_of(first);
            chunk_for(place.octave)[place.bucket] += static_cast<std::uint64_t>(n) * weight;
        } else {
            count_progression(first, step, n, weight);
        }
        count_ += static_cast<std::uint64_t>(n) * weight;
        // Half of (first + last) n, whole in 65 bits.
        const Uint128 doubled = static_cast<Uint128>(static_cast<std::uint64_t>(first) +
                                                     static_cast<std::uint64_t>(last)) *
                                static_cast<std::uint64_t>(n);
        sum_ += static_cast<Int128>((doubled >> 1) * weight);
        if (first < min_) min_ = first;
        if (last > max_) max_ = last;
    }
    void merge(const Histogram& other);
    /// Back to empty, keeping the memory.
    void clear();

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] Int128 sum() const { return sum_; }
    /// 0 where nothing was recorded, as are mean and quantile: ask count first.
    [[nodiscard]] std::int64_t min() const { return count_ > 0 ? min_ : 0; }
    [[nodiscard]] std::int64_t max() const { return max_; }
    [[nodiscard]] double mean() const {
        return count_ > 0 ? static_cast<double>(sum_) / static_cast<double>(count_) : 0.0;
    }
    /// The value of rank ceil(q * count) (nearest rank; a q * count that is whole but for rounding
    /// counts as whole): its bucket's midpoint, held to [min, max]. q = 0 gives min, q = 1 max.
    [[nodiscard]] std::int64_t quantile(double q) const;
    /// Values recorded at most `value`, counting whole the bucket it lies in.
    [[nodiscard]] std::uint64_t count_at_most(std::int64_t value) const;

    bool operator==(const Histogram& other) const;

    /// fn(low, high_exclusive, count) for each bucket that holds something, in ascending order.
    /// (The very last bucket's end, 2^63, is given as 2^63 - 1.)
    template <class Fn>
    void for_each_bucket(Fn&& fn) const {
        for (std::size_t octave = 0; octave < kOctaves; ++octave) {
            if (chunks_[octave] == nullptr) continue;
            for (std::size_t place = 0; place < kBuckets; ++place) {
                const std::uint64_t n = (*chunks_[octave])[place];
                if (n == 0) continue;
                const std::int64_t low = low_of(octave, place);
                fn(low, low + (width_of(octave) - (low > kLastLow ? 1 : 0)), n);
            }
        }
    }

  private:
    static constexpr int kBits = 7;
    static constexpr std::size_t kBuckets = std::size_t{1} << kBits;
    static constexpr std::size_t kOctaves = 63 - kBits + 1;
    using Chunk = std::array<std::uint64_t, kBuckets>;

    /// Octave 0 holds [0, 128), octave i the values with i + 7 significant bits.
    struct Place {
        std::size_t octave;
        std::size_t bucket;
    };
    /// By how much to shift a value so that its leading kBits + 1 bits remain; below 256 all of it,
    /// so that octaves 0 and 1 share a shift and the top bit tells them apart.
    static constexpr std::size_t shift_to_leading(std::int64_t value) {
        const auto bits = static_cast<std::uint64_t>(value);
        return static_cast<std::size_t>(std::bit_width(bits | (2 * kBuckets - 1))) - (kBits + 1);
    }
    static constexpr Place place_of(std::int64_t value) {
        const std::size_t shift = shift_to_leading(value);
        const std::uint64_t leading = static_cast<std::uint64_t>(value) >> shift;
        return {shift + (leading >> kBits), leading & (kBuckets - 1)};
    }
    /// Whether the values from `first` to `last` >= first lie in one bucket.
    static constexpr bool share_bucket(std::int64_t first, std::int64_t last) {
        const std::size_t shift = shift_to_leading(first);
        return first >> shift == last >> shift;
    }
    static constexpr unsigned shift_of(std::size_t octave) {
        return static_cast<unsigned>(octave - (octave > 0 ? 1 : 0));
    }
    static constexpr std::int64_t width_of(std::size_t octave) {
        return std::int64_t{1} << shift_of(octave);
    }
    static constexpr std::int64_t low_of(std::size_t octave, std::size_t place) {
        const auto leading = octave > 0 ? kBuckets : 0;
        return static_cast<std::int64_t>(leading + place) << shift_of(octave);
    }
    /// The bucket above this one would begin at 2^63.
    static constexpr std::int64_t kLastLow =
        std::numeric_limits<std::int64_t>::max() - (std::int64_t{1} << (kOctaves - 2));

    Chunk& chunk_for(std::size_t octave) {
        if (chunks_[octave] == nullptr) [[unlikely]]
            allocate(octave);
        return *chunks_[octave];
    }
    void allocate(std::size_t octave);
    void count_progression(std::int64_t first, std::int64_t step, std::int64_t n,
                           std::uint64_t weight);

    std::array<std::unique_ptr<Chunk>, kOctaves> chunks_;
    std::uint64_t count_ = 0;
    Int128 sum_ = 0;
    std::int64_t min_ = std::numeric_limits<std::int64_t>::max();
    std::int64_t max_ = 0;
};

}  // namespace headroom::metrics
