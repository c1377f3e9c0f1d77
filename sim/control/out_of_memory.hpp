/// When a container uses more memory than its limit: the kernel then kills it (OOMKilled).
///
/// A container uses memory_idle + memory_per_in_flight * requests in flight (UsageModel), so the
/// moment is the one at which the requests in flight reach a number known beforehand:
///
///     in_flight_over({.memory_idle = gibibytes(1), .memory_per_in_flight = mebibytes(64)},
///                    gibibytes(2));   // 17: at 16 it uses 2 GiB, which is not more
///
/// All O(1). Amounts are whole bytes; what a use comes to fits into 63 bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/control/control_spec.hpp"

namespace headroom::control {

/// The least number of requests in flight with which a container uses more than `limit`: 0 when an
/// idle one does, nullopt when none ever will.
[[nodiscard]] std::optional<std::int64_t> in_flight_over(const UsageModel& usage, Bytes limit);

/// "OOMKilled: 2.0625 GiB over the limit 2 GiB at 17 requests in flight".
[[nodiscard]] std::string out_of_memory_text(const UsageModel& usage, Bytes limit,
                                             std::int64_t in_flight);

}  // namespace headroom::control
