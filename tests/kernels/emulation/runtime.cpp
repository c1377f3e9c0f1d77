#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "analysis/calibration/kernels/opened_device.hpp"
#include "tests/kernels/emulation/device_memory.hpp"

struct CUgraph_st {
    std::vector<std::pair<double, std::function<void()>>> work;
};
struct CUgraphExec_st : CUgraph_st {
    bool launched = false;
};
struct CUevent_st {
    double at_s = 0;
};

namespace headroom::emulation {
namespace {

double clock_s = 0;
bool dry = false;
std::unique_ptr<CUgraph_st> captured;  ///< while a capture is on

}  // namespace

void enqueue(cudaStream_t, double seconds, std::function<void()> work) {
    if (captured != nullptr) {
        captured->work.emplace_back(seconds, std::move(work));
        return;
    }
    if (!dry) work();
    clock_s += seconds;
}

DryRun::DryRun() {
    dry = true;
}
DryRun::~DryRun() {
    dry = false;
}

std::map<const void*, std::size_t>& allowed_shared() {
    static std::map<const void*, std::size_t> bytes;
    return bytes;
}

cudaError_t allow_shared(const void* kernel, int bytes) {
    if (bytes < 0 || static_cast<std::size_t>(bytes) > kMostShared) return cudaErrorInvalidValue;
    allowed_shared()[kernel] = static_cast<std::size_t>(bytes);
    return cudaSuccess;
}

cudaError_t check_launch(const void* kernel, const Grid& how) {
    constexpr std::size_t kSharedUnasked = std::size_t{48} << 10;
    const std::size_t threads = std::size_t{how.block.x} * how.block.y * how.block.z;
    const std::size_t blocks = std::size_t{how.grid.x} * how.grid.y * how.grid.z;
    if (threads == 0 || threads > 1024 || how.block.z > 64) return cudaErrorInvalidConfiguration;
    if (blocks == 0 || how.grid.x > std::numeric_limits<int>::max() || how.grid.y > 65535 ||
        how.grid.z > 65535) {
        return cudaErrorInvalidConfiguration;
    }
    const auto asked = allowed_shared().find(kernel);
    const std::size_t allowed = asked == allowed_shared().end() ? kSharedUnasked : asked->second;
    return how.shared_bytes <= allowed ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace headroom::emulation

using namespace headroom::emulation;

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorInvalidValue:
            return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case cudaErrorStreamCaptureUnsupported:
            return "cudaErrorStreamCaptureUnsupported";
    }
    return "unknown";
}
const char* cudaGetErrorString(cudaError_t error) {
    return cudaGetErrorName(error);
}

cudaError_t cudaStreamSynchronize(cudaStream_t) {
    return captured == nullptr ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
    if (captured != nullptr) return cudaErrorStreamCaptureUnsupported;
    try {
        *pointer = allocate(bytes, dry ? Contents::zero : Contents::nan);
    } catch (const std::bad_alloc&) {
        return cudaErrorMemoryAllocation;
    }
    return cudaSuccess;
}
cudaError_t cudaFree(void* pointer) {
    release(pointer);
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
    enqueue(stream, 0, [=] { std::memcpy(to, from, bytes); });
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
    enqueue(stream, 0, [=] { std::memset(to, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
    if (captured != nullptr) return cudaErrorStreamCaptureUnsupported;
    captured = std::make_unique<CUgraph_st>();
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
    *graph = captured.release();
    return *graph == nullptr ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned) {
    *executable = new CUgraphExec_st{{*graph}};
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    // Replays are for timing: they would only do the same once more.
    const bool again = std::exchange(executable->launched, true);
    for (const auto& [seconds, work] : executable->work) {
        enqueue(stream, seconds, again ? [] {} : work);
    }
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    delete executable;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    *event = new CUevent_st;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
    if (captured != nullptr) return cudaErrorStreamCaptureUnsupported;
    event->at_s = clock_s;
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
    return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    *milliseconds = static_cast<float>((to->at_s - from->at_s) * 1e3);
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}

namespace headroom::kernels {

bool still_usable() {
    return true;
}

}  // namespace headroom::kernels
