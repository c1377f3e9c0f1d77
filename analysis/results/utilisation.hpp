/// How much of the engines' time was used: busy time over the time in which they could have been
/// busy, in seconds since measure_from. An LLM engine is busy or not; a simple instance offers the
/// time of each of its servers, a batcher that of each of its execution instances. Versions with
/// different numbers of them count by the time their replicas were ready. O(workloads).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/simulation.hpp"

namespace headroom::analysis {

struct EngineTime {
    double busy_s = 0;
    double available_s = 0;

    EngineTime& operator+=(const EngineTime& o) {
        busy_s += o.busy_s;
        available_s += o.available_s;
        return *this;
    }
    /// Nothing where no engine was there.
    [[nodiscard]] std::optional<double> busy_fraction() const;
};

[[nodiscard]] EngineTime engine_time(const SimulationSpec& spec, const SimulationResult& result,
                                     std::uint32_t service);
/// Of all services that hold devices, or of all where none does.
[[nodiscard]] EngineTime total_engine_time(const SimulationSpec& spec,
                                           const SimulationResult& result);

}  // namespace headroom::analysis
