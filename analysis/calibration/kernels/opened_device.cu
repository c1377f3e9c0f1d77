#include "analysis/calibration/kernels/opened_device.hpp"

#include <array>

#ifdef HEADROOM_CUDNN
#include <cudnn.h>
#endif

#ifndef HEADROOM_CUDA_BUILD
#define HEADROOM_CUDA_BUILD "sm_90a"
#endif

namespace headroom::kernels {

namespace {

constexpr std::size_t kReserveBytes = std::size_t{768} << 20;

__global__ void probe_kernel() {}

void require_a_device(int ordinal) {
    int devices = 0;
    const cudaError_t status = cudaGetDeviceCount(&devices);
    static_cast<void>(cudaGetLastError());
    if (status != cudaSuccess) {
        throw NoDevice(std::string("no usable GPU: ") + cudaGetErrorString(status));
    }
    if (ordinal >= devices) {
        throw NoDevice("no GPU " + std::to_string(ordinal) + ": there are " +
                       std::to_string(devices));
    }
}

/// The kernels are built for one architecture, and others cannot run them.
void require_code_for(const DeviceFacts& facts) {
    cudaFuncAttributes attributes{};
    const cudaError_t status = cudaFuncGetAttributes(&attributes, probe_kernel);
    static_cast<void>(cudaGetLastError());
    if (status == cudaSuccess) return;
    throw NoDevice("this build is for " HEADROOM_CUDA_BUILD ", and " + facts.name +
                   " is of compute capability " + std::to_string(facts.compute_capability) + " (" +
                   cudaGetErrorString(status) + "): build with another CMAKE_CUDA_ARCHITECTURES");
}

std::string two_part_version(int version) {  // 13000 is 13.0, 12080 is 12.8
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string three_part_version(std::size_t version) {  // 130100 is 13.1.0
    return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
           std::to_string(version % 100);
}

}  // namespace

OpenedDevice::OpenedDevice(int ordinal) {
    require_a_device(ordinal);
    HEADROOM_CUDA(cudaSetDevice(ordinal));
    cudaDeviceProp properties{};
    HEADROOM_CUDA(cudaGetDeviceProperties(&properties, ordinal));
    facts_.name = properties.name;
    facts_.compute_capability = properties.major * 10 + properties.minor;
    facts_.multiprocessors = properties.multiProcessorCount;
    facts_.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
    facts_.l2_bytes = properties.l2CacheSize;
    require_code_for(facts_);
    std::array<char, 32> bus_id{};
    HEADROOM_CUDA(cudaDeviceGetPCIBusId(bus_id.data(), static_cast<int>(bus_id.size()), ordinal));
    pci_bus_id_ = bus_id.data();

    context_.multiprocessors = properties.multiProcessorCount;
    context_.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
    context_.rotate_bytes = 3 * context_.l2_bytes;
    try {
        HEADROOM_CUDA(cudaStreamCreate(&context_.stream));
        HEADROOM_CUDA(cublasLtCreate(&context_.cublaslt));
#ifdef HEADROOM_CUDNN
        // Without it everything else can still be measured: its ops stay out.
        if (cudnnCreate(&context_.cudnn) != CUDNN_STATUS_SUCCESS) context_.cudnn = nullptr;
        if (context_.cudnn != nullptr &&
            cudnnSetStream(context_.cudnn, context_.stream) != CUDNN_STATUS_SUCCESS) {
            throw DeviceError("cudnnSetStream failed");
        }
#endif
    } catch (...) {
        release();
        throw;
    }
}

OpenedDevice::~OpenedDevice() {
    release();
}

void OpenedDevice::release() noexcept {
#ifdef HEADROOM_CUDNN
    if (context_.cudnn != nullptr) static_cast<void>(cudnnDestroy(context_.cudnn));
#endif
    if (context_.cublaslt != nullptr) static_cast<void>(cublasLtDestroy(context_.cublaslt));
    if (context_.stream != nullptr) static_cast<void>(cudaStreamDestroy(context_.stream));
    context_ = Context{};
}

StackFacts OpenedDevice::stack() const {
    StackFacts stack;
    int runtime = 0;
    HEADROOM_CUDA(cudaRuntimeGetVersion(&runtime));
    stack.cuda = two_part_version(runtime);
    stack.cublaslt = three_part_version(cublasLtGetVersion());
#ifdef HEADROOM_CUDNN
    if (context_.cudnn != nullptr) stack.cudnn = three_part_version(cudnnGetVersion());
#endif
    stack.build = HEADROOM_CUDA_BUILD;
    return stack;
}

std::size_t usable_bytes() {
    std::size_t free = 0;
    std::size_t total = 0;
    HEADROOM_CUDA(cudaMemGetInfo(&free, &total));
    return free > kReserveBytes ? free - kReserveBytes : 0;
}

bool still_usable() {
    static_cast<void>(cudaGetLastError());
    return cudaDeviceSynchronize() == cudaSuccess;
}

}  // namespace headroom::kernels
