#include "sim/metrics/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace headroom::metrics {

Histogram::Histogram(const Histogram& other) {
    merge(other);
}

Histogram& Histogram::operator=(const Histogram& other) {
    if (this != &other) {
        clear();
        merge(other);
    }
    return *this;
}

Histogram::Histogram(Histogram&& other) noexcept
    : chunks_(std::move(other.chunks_)),
      count_(other.count_),
      sum_(other.sum_),
      min_(other.min_),
      max_(other.max_) {
    other.clear();
}

Histogram& Histogram::operator=(Histogram&& other) noexcept {
    if (this != &other) {
        chunks_ = std::move(other.chunks_);
        count_ = other.count_;
        sum_ = other.sum_;
        min_ = other.min_;
        max_ = other.max_;
        other.clear();
    }
    return *this;
}

void Histogram::allocate(std::size_t octave) {
    chunks_[octave] = std::make_unique<Chunk>();
}

/// Fills the buckets of a progression that crosses some.
void Histogram::count_progression(std::int64_t first, std::int64_t step, std::int64_t n,
                                  std::uint64_t weight) {
    std::int64_t value = first;
    std::int64_t left = n;
    for (;;) {
        const auto [octave, place] = place_of(value);
        // Those of the values to come that are at most the bucket's last.
        const std::int64_t room = ~value & (width_of(octave) - 1);
        // Mostly the bucket takes all that is left, or a single value: no division then.
        const std::int64_t here = (left - 1) * step <= room ? left
                                  : room < step             ? 1
                                                            : room / step + 1;
        chunk_for(octave)[place] += static_cast<std::uint64_t>(here) * weight;
        left -= here;
        if (left == 0) return;
        value += here * step;
    }
}

void Histogram::merge(const Histogram& other) {
    for (std::size_t octave = 0; octave < kOctaves; ++octave) {
        if (other.chunks_[octave] == nullptr) continue;
        Chunk& chunk = chunk_for(octave);
        for (std::size_t place = 0; place < kBuckets; ++place) {
            chunk[place] += (*other.chunks_[octave])[place];
        }
    }
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
    for (const auto& chunk : chunks_) {
        if (chunk != nullptr) chunk->fill(0);
    }
    count_ = 0;
    sum_ = 0;
    min_ = std::numeric_limits<std::int64_t>::max();
    max_ = 0;
}

std::int64_t Histogram::quantile(double q) const {
    HEADROOM_CHECK(q >= 0.0 && q <= 1.0, "a quantile is asked for in [0, 1]");
    if (count_ == 0) return 0;
    // 0.07 * 100 is 7.000000000000001 in doubles: two ulp are taken off before rounding up.
    const double place = q * static_cast<double>(count_);
    const double rank = std::ceil(place - place * 0x1p-51);
    if (rank <= 1.0) return min_;
    if (rank >= static_cast<double>(count_)) return max_;
    const auto wanted = static_cast<std::uint64_t>(rank);
    std::uint64_t below = 0;
    for (std::size_t octave = 0; octave < kOctaves; ++octave) {
        if (chunks_[octave] == nullptr) continue;
        for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
            below += (*chunks_[octave])[bucket];
            if (below < wanted) continue;
            const std::int64_t middle = low_of(octave, bucket) + (width_of(octave) - 1) / 2;
            return std::clamp(middle, min_, max_);
        }
    }
    return max_;
}

std::uint64_t Histogram::count_at_most(std::int64_t value) const {
    if (value < 0) return 0;
    const auto [last_octave, last_place] = place_of(value);
    std::uint64_t sum = 0;
    for (std::size_t octave = 0; octave <= last_octave; ++octave) {
        if (chunks_[octave] == nullptr) continue;
        const std::size_t end = octave == last_octave ? last_place + 1 : kBuckets;
        for (std::size_t place = 0; place < end; ++place) sum += (*chunks_[octave])[place];
    }
    return sum;
}

bool Histogram::operator==(const Histogram& other) const {
    if (count_ != other.count_ || sum_ != other.sum_ || min_ != other.min_ || max_ != other.max_) {
        return false;
    }
    // A chunk that was never allocated equals one full of zeros.
    static constexpr Chunk kEmpty{};
    for (std::size_t octave = 0; octave < kOctaves; ++octave) {
        const Chunk& mine = chunks_[octave] != nullptr ? *chunks_[octave] : kEmpty;
        const Chunk& theirs = other.chunks_[octave] != nullptr ? *other.chunks_[octave] : kEmpty;
        if (mine != theirs) return false;
    }
    return true;
}

}  // namespace headroom::metrics
