/// OomKill: a container that was killed because it used more memory than its limit, as the status
/// of its pod shows the last one (`lastState.terminated` with the reason OOMKilled). Amounts follow
/// Kubernetes: bytes * 1000.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sim/core/time.hpp"

namespace headroom::control {

struct OomKill {
    Time at;
    Time started;                   ///< of the container that was killed; negative: long ago
    std::size_t container = 0;      ///< of the pod
    std::int64_t memory_milli = 0;  ///< what it requested; 0: nothing
};

}  // namespace headroom::control
