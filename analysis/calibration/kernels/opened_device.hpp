/// OpenedDevice: one GPU with its stream and library handles, and what a measurement says about it.
///
///     OpenedDevice device(0);                  // throws DeviceError, NoDevice when there is none
///     prepared->launch(0);                     // with device.context()
///
/// The stream is one of its own, so that graphs can be captured on it. Nothing of the device is
/// changed: no clock, limit or mode.
#pragma once

#include <cstddef>
#include <string>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/measurement_file.hpp"

namespace headroom::kernels {

/// No GPU, no driver, or none that this build has code for: exit 77.
class NoDevice : public DeviceError {
  public:
    using DeviceError::DeviceError;
};

class OpenedDevice {
  public:
    explicit OpenedDevice(int ordinal);
    OpenedDevice(const OpenedDevice&) = delete;
    OpenedDevice& operator=(const OpenedDevice&) = delete;
    ~OpenedDevice();

    [[nodiscard]] Context& context() { return context_; }
    [[nodiscard]] const DeviceFacts& facts() const { return facts_; }
    [[nodiscard]] const std::string& pci_bus_id() const { return pci_bus_id_; }
    /// Versions of what is linked; `driver` is left for NVML to say.
    [[nodiscard]] StackFacts stack() const;

  private:
    void release() noexcept;

    Context context_;
    DeviceFacts facts_;
    std::string pci_bus_id_;
};

/// What is free now, less a reserve for the libraries' own allocations.
[[nodiscard]] std::size_t usable_bytes();
/// Whether the device still answers after a call failed: an illegal address leaves it unusable.
[[nodiscard]] bool still_usable();

}  // namespace headroom::kernels
