/// Consistent hashing with bounded loads: no endpoint gets more than a given multiple of its share
/// of what is in flight; what would go to a full one goes elsewhere, in an order that depends on
/// the request's hash alone. Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded
/// Loads" (SODA 2018), with the random jumps of Chen, Coleman, Shrivastava, "Revisiting Consistent
/// Hashing with Bounded Loads" (AAAI 2021), as Envoy does it
/// (source/extensions/load_balancing_policies/common/thread_aware_lb_impl.cc).
#pragma once

#include <boost/random/mersenne_twister.hpp>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace headroom::policies {

/// How many attempts an endpoint of this share (0..1) may have in flight: its part, rounded up, of
/// (in flight in all + 1) * factor / 100; at least 1. factor in per cent, >= 100.
[[nodiscard]] std::int64_t bounded_slots(std::int64_t in_flight_in_all, std::int64_t factor,
                                         double share);

/// The endpoints 0 .. count-1 in the order in which a hash tries them: a Fisher-Yates shuffle by
/// the Mersenne Twister MT19937, seeded with the low 32 bits of the hash. (Boost's has the output
/// that the C++ standard prescribes.) next() may be called `count` times. O(count), then O(1) each.
class ProbeOrder {
  public:
    ProbeOrder(std::uint64_t hash, std::uint32_t count)
        : generator_(static_cast<std::uint32_t>(hash)), order_(count) {
        std::iota(order_.begin(), order_.end(), 0U);
    }
    [[nodiscard]] std::uint32_t next() {
        const auto left = static_cast<std::uint32_t>(order_.size()) - tried_;
        std::swap(order_[tried_], order_[tried_ + below(left)]);
        return order_[tried_++];
    }

  private:
    /// Uniform in [0, n), by rejection.
    [[nodiscard]] std::uint32_t below(std::uint32_t n);

    boost::random::mt19937 generator_;
    std::vector<std::uint32_t> order_;
    std::uint32_t tried_ = 0;
};

/// `first` unless it is overloaded, that is load(first) > 1; then the first in the order of its
/// probes that is not; where all are, the least overloaded, `first` before the others and these in
/// the order of the probes. O(count) calls of load.
template <class Load>
[[nodiscard]] std::uint32_t choose_bounded(std::uint32_t first, std::uint64_t hash,
                                           std::uint32_t count, const Load& load) {
    double least_load = load(first);
    if (least_load <= 1.0) return first;
    std::uint32_t least = first;
    ProbeOrder order(hash, count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t candidate = order.next();
        if (candidate == first) continue;
        const double its_load = load(candidate);
        if (its_load <= 1.0) return candidate;
        if (its_load >= least_load) continue;
        least = candidate;
        least_load = its_load;
    }
    return least;
}

}  // namespace headroom::policies
