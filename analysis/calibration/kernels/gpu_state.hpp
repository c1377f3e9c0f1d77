/// GpuState: what NVML says about a GPU: driver, clocks, temperature, power, why it is throttled.
/// Reads only; nothing of the device is ever set. The library (libnvidia-ml.so.1) is looked for
/// when the program runs, and everything is unknown where it is missing.
///
///     const GpuState state("0000:65:00.0");
///     if (const auto watts = state.power_w()) ...
///
/// The functions and constants are those of NVIDIA's NVML API reference (version 2 entry points
/// where there are two). On Hopper the power reading is the average of the last second.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace headroom::kernels {

class GpuState {
  public:
    explicit GpuState(const std::string& pci_bus_id);
    ~GpuState();
    GpuState(const GpuState&) = delete;
    GpuState& operator=(const GpuState&) = delete;

    [[nodiscard]] bool known() const { return nvml_ != nullptr; }
    [[nodiscard]] std::string name() const;    ///< empty: unknown
    [[nodiscard]] std::string driver() const;  ///< "580.159.04"; empty: unknown
    [[nodiscard]] std::optional<double> sm_clock_mhz() const;
    [[nodiscard]] std::optional<double> memory_clock_mhz() const;
    [[nodiscard]] std::optional<double> temperature_c() const;
    [[nodiscard]] std::optional<double> power_limit_w() const;
    [[nodiscard]] std::optional<double> power_w() const;
    [[nodiscard]] std::uint64_t throttle_reasons() const;  ///< a bit each; 0: none, or unknown

  private:
    struct Nvml;
    std::unique_ptr<Nvml> nvml_;
};

/// "sw_power_cap, hw_thermal_slowdown": the reasons that slow a busy GPU down; idleness and clocks
/// that somebody chose are none. Empty: not throttled.
[[nodiscard]] std::string throttle_text(std::uint64_t reasons);

}  // namespace headroom::kernels
