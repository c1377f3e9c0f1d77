#include "policies/routing/consistent_hash/bounded_load.hpp"

#include <algorithm>
#include <cmath>

namespace headroom::policies {

std::int64_t bounded_slots(std::int64_t in_flight_in_all, std::int64_t factor, double share) {
    const std::int64_t slots = ((in_flight_in_all + 1) * factor + 99) / 100;
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(std::ceil(static_cast<double>(slots) * share)));
}

std::uint32_t ProbeOrder::below(std::uint32_t n) {
    const std::uint64_t bucket = (std::uint64_t{1} << 32) / n;
    for (;;) {
        const std::uint64_t drawn = generator_() / bucket;
        if (drawn < n) return static_cast<std::uint32_t>(drawn);
    }
}

}  // namespace headroom::policies
