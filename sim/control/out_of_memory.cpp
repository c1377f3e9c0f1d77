#include "sim/control/out_of_memory.hpp"

#include <fmt/format.h>

namespace headroom::control {

namespace {

/// In GiB or MiB, exactly as far as six digits go.
std::string memory_text(Bytes amount) {
    constexpr double kMebi = 1 << 20;
    constexpr double kGibi = 1 << 30;
    const auto bytes = static_cast<double>(amount.count());
    return bytes >= kGibi ? fmt::format("{:.6g} GiB", bytes / kGibi)
                          : fmt::format("{:.6g} MiB", bytes / kMebi);
}

}  // namespace

std::optional<std::int64_t> in_flight_over(const UsageModel& usage, Bytes limit) {
    if (usage.memory_idle > limit) return 0;
    const std::int64_t each = usage.memory_per_in_flight.count();
    if (each == 0) return std::nullopt;
    return (limit - usage.memory_idle).count() / each + 1;
}

std::string out_of_memory_text(const UsageModel& usage, Bytes limit, std::int64_t in_flight) {
    const Bytes used = usage.memory_idle + usage.memory_per_in_flight * in_flight;
    const std::string when = in_flight == 0   ? "without a request"
                             : in_flight == 1 ? "at 1 request in flight"
                                              : fmt::format("at {} requests in flight", in_flight);
    return fmt::format("OOMKilled: {} over the limit {} {}", memory_text(used), memory_text(limit),
                       when);
}

}  // namespace headroom::control
