#include "analysis/calibration/kernels/gpu_state.hpp"

#include <dlfcn.h>

#include <array>
#include <utility>

namespace headroom::kernels {

namespace {

// From NVML's API reference: nvmlReturn_t, nvmlClockType_t, nvmlTemperatureSensors_t.
using Status = int;
using DeviceHandle = struct nvmlDevice_st*;
constexpr Status kSuccess = 0;
constexpr int kClockSm = 1;
constexpr int kClockMemory = 2;
constexpr int kTemperatureGpu = 0;
constexpr unsigned kTextBytes = 96;

struct Reason {
    std::uint64_t bit;
    const char* name;
};
// nvmlClocksThrottleReasons
constexpr std::array kReasons = {
    Reason{0x4, "sw_power_cap"},         Reason{0x8, "hw_slowdown"},
    Reason{0x10, "sync_boost"},          Reason{0x20, "sw_thermal_slowdown"},
    Reason{0x40, "hw_thermal_slowdown"}, Reason{0x80, "hw_power_brake_slowdown"},
};

struct CloseLibrary {
    void operator()(void* library) const { ::dlclose(library); }
};

}  // namespace

struct GpuState::Nvml {
    std::unique_ptr<void, CloseLibrary> library;
    DeviceHandle device = nullptr;
    bool initialised = false;

    Status (*init)() = nullptr;
    Status (*shutdown)() = nullptr;
    Status (*handle_by_bus_id)(const char*, DeviceHandle*) = nullptr;
    Status (*driver_version)(char*, unsigned) = nullptr;
    Status (*name)(DeviceHandle, char*, unsigned) = nullptr;
    Status (*clock)(DeviceHandle, int, unsigned*) = nullptr;
    Status (*temperature)(DeviceHandle, int, unsigned*) = nullptr;
    Status (*power_limit)(DeviceHandle, unsigned*) = nullptr;
    Status (*power_usage)(DeviceHandle, unsigned*) = nullptr;
    Status (*throttle_reasons)(DeviceHandle, unsigned long long*) = nullptr;

    ~Nvml() {
        if (initialised) static_cast<void>(shutdown());
    }

    template <class Function>
    [[nodiscard]] bool find(Function& function, const char* symbol) const {
        function = reinterpret_cast<Function>(::dlsym(library.get(), symbol));
        return function != nullptr;
    }

    [[nodiscard]] bool open(const std::string& pci_bus_id) {
        library.reset(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL));
        if (!library) return false;
        const bool complete = find(init, "nvmlInit_v2") && find(shutdown, "nvmlShutdown") &&
                              find(handle_by_bus_id, "nvmlDeviceGetHandleByPciBusId_v2") &&
                              find(driver_version, "nvmlSystemGetDriverVersion") &&
                              find(name, "nvmlDeviceGetName") &&
                              find(clock, "nvmlDeviceGetClockInfo") &&
                              find(temperature, "nvmlDeviceGetTemperature") &&
                              find(power_limit, "nvmlDeviceGetEnforcedPowerLimit") &&
                              find(power_usage, "nvmlDeviceGetPowerUsage") &&
                              find(throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
        if (!complete || init() != kSuccess) return false;
        initialised = true;
        return handle_by_bus_id(pci_bus_id.c_str(), &device) == kSuccess;
    }
};

GpuState::GpuState(const std::string& pci_bus_id) : nvml_(std::make_unique<Nvml>()) {
    if (!nvml_->open(pci_bus_id)) nvml_.reset();
}

GpuState::~GpuState() = default;

std::string GpuState::name() const {
    std::array<char, kTextBytes> text{};
    if (!nvml_ || nvml_->name(nvml_->device, text.data(), kTextBytes) != kSuccess) return {};
    return text.data();
}

std::string GpuState::driver() const {
    std::array<char, kTextBytes> text{};
    if (!nvml_ || nvml_->driver_version(text.data(), kTextBytes) != kSuccess) return {};
    return text.data();
}

std::optional<double> GpuState::sm_clock_mhz() const {
    unsigned mhz = 0;
    if (!nvml_ || nvml_->clock(nvml_->device, kClockSm, &mhz) != kSuccess) return std::nullopt;
    return mhz;
}

std::optional<double> GpuState::memory_clock_mhz() const {
    unsigned mhz = 0;
    if (!nvml_ || nvml_->clock(nvml_->device, kClockMemory, &mhz) != kSuccess) return std::nullopt;
    return mhz;
}

std::optional<double> GpuState::temperature_c() const {
    unsigned celsius = 0;
    if (!nvml_ || nvml_->temperature(nvml_->device, kTemperatureGpu, &celsius) != kSuccess) {
        return std::nullopt;
    }
    return celsius;
}

std::optional<double> GpuState::power_limit_w() const {
    unsigned milliwatts = 0;
    if (!nvml_ || nvml_->power_limit(nvml_->device, &milliwatts) != kSuccess) return std::nullopt;
    return milliwatts / 1000.0;
}

std::optional<double> GpuState::power_w() const {
    unsigned milliwatts = 0;
    if (!nvml_ || nvml_->power_usage(nvml_->device, &milliwatts) != kSuccess) return std::nullopt;
    return milliwatts / 1000.0;
}

std::uint64_t GpuState::throttle_reasons() const {
    unsigned long long reasons = 0;
    if (!nvml_ || nvml_->throttle_reasons(nvml_->device, &reasons) != kSuccess) return 0;
    return reasons;
}

std::string throttle_text(std::uint64_t reasons) {
    std::string text;
    for (const auto& [bit, name] : kReasons) {
        if ((reasons & bit) == 0) continue;
        text += (text.empty() ? "" : ", ") + std::string(name);
    }
    return text;
}

}  // namespace headroom::kernels
