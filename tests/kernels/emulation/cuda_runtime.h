/// As much of the CUDA runtime as the benchmark uses, on the emulated GPU; it stands in NVIDIA's
/// place on the include path of these tests alone. Streams are synchronous, time is a clock that
/// each kernel moves on, and a graph that is launched once more only takes its time. Names and
/// meanings: CUDA runtime API 13.
#pragma once

#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>

#include "tests/kernels/emulation/device_code.hpp"
#include "tests/kernels/emulation/lanes.hpp"

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorStreamCaptureUnsupported = 900
};
[[nodiscard]] const char* cudaGetErrorName(cudaError_t error);
[[nodiscard]] const char* cudaGetErrorString(cudaError_t error);
/// Every call returns its own error; none is left behind.
inline cudaError_t cudaGetLastError() {
    return cudaSuccess;
}

using cudaStream_t = struct CUstream_st*;
cudaError_t cudaStreamSynchronize(cudaStream_t stream);

cudaError_t cudaMalloc(void** pointer, std::size_t bytes);
cudaError_t cudaFree(void* pointer);
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);

using cudaGraph_t = struct CUgraph_st*;
using cudaGraphExec_t = struct CUgraphExec_st*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal };
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned flags);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

using cudaEvent_t = struct CUevent_st*;
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaEventDestroy(cudaEvent_t event);

enum cudaDataType { CUDA_R_32F = 0, CUDA_R_16BF = 14, CUDA_R_8F_E4M3 = 28 };

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization };
struct cudaLaunchAttribute {
    cudaLaunchAttributeID id;
    struct {
        int programmaticStreamSerializationAllowed;
    } val;
};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    std::size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute* attrs;
    unsigned numAttrs;
};

namespace headroom::emulation {

/// What a stream is given to do: done at once, `seconds` later by the device's clock, or kept for
/// the graph that is being captured.
void enqueue(cudaStream_t stream, double seconds, std::function<void()> work);
inline constexpr double kLaunchSeconds = 2e-6;  ///< of every kernel

/// While one lives, launches are checked and take their time, but nothing is run, and memory is
/// neither filled nor, where nobody touches it, there at all: for shapes that only a GPU can do.
class DryRun {
  public:
    DryRun();
    DryRun(const DryRun&) = delete;
    DryRun& operator=(const DryRun&) = delete;
    ~DryRun();
};

/// As sm_90 allows or refuses it.
[[nodiscard]] cudaError_t allow_shared(const void* kernel, int bytes);
[[nodiscard]] cudaError_t check_launch(const void* kernel, const Grid& grid);

}  // namespace headroom::emulation

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute, int bytes) {
    return ::headroom::emulation::allow_shared(reinterpret_cast<const void*>(kernel), bytes);
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
    using namespace ::headroom;
    const emulation::Grid grid{config->gridDim, config->blockDim, config->dynamicSmemBytes};
    const cudaError_t status = emulation::check_launch(reinterpret_cast<const void*>(kernel), grid);
    if (status != cudaSuccess) return status;
    const std::tuple<Parameters...> held(std::forward<Arguments>(arguments)...);
    emulation::enqueue(config->stream, emulation::kLaunchSeconds, [grid, kernel, held] {
        emulation::run_grid(grid, [&] { std::apply(kernel, held); });
    });
    return cudaSuccess;
}
