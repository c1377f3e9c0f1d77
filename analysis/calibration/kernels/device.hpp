/// What the ops share on one device: stream, library handles, sizes, buffers, and errors that say
/// which call failed. For CUDA translation units only.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

struct cudnnContext;  // cudnnHandle_t is a pointer to it

namespace headroom::kernels {

class DeviceError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Throws DeviceError("<call>: <what CUDA says>") unless the call succeeded.
void require(cudaError_t status, const char* call);
void require(cublasStatus_t status, const char* call);
#define HEADROOM_CUDA(call) ::headroom::kernels::require((call), #call)

/// How a kernel is launched.
struct Launch {
    dim3 grid;   ///< blocks
    dim3 block;  ///< threads
    cudaStream_t stream = nullptr;
    std::size_t shared_bytes = 0;  ///< dynamic; over 48 KiB the kernel must have been allowed it
    /// It may be set up while the launch before it still runs (programmatic dependent launch, CUDA
    /// programming guide), and waits for that one's results by itself.
    bool overlaps_previous = false;
};

/// kernel<<<...>>>(arguments), asynchronously, each argument converted to the parameter it is for.
/// Throws DeviceError where CUDA refuses the launch.
template <class... Parameters, class... Arguments>
void launch(const Launch& how, void (*kernel)(Parameters...), Arguments&&... arguments) {
    cudaLaunchAttribute overlap{};
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = how.grid;
    config.blockDim = how.block;
    config.dynamicSmemBytes = how.shared_bytes;
    config.stream = how.stream;
    config.attrs = &overlap;
    config.numAttrs = how.overlaps_previous ? 1 : 0;
    require(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...),
            "launch of a kernel");
}

struct Context {
    cudaStream_t stream = nullptr;
    cublasLtHandle_t cublaslt = nullptr;
    cudnnContext* cudnn = nullptr;  ///< null: the library is not there, its ops are left out
    int multiprocessors = 0;
    std::size_t l2_bytes = 0;
    std::size_t rotate_bytes = 0;  ///< distinct inputs that a timed case needs: 3 times the L2
};

/// Device memory, freed with the object. Move only.
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(std::size_t bytes);
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer();

    [[nodiscard]] void* data() const { return data_; }
    template <class T>
    [[nodiscard]] T* as() const {
        return static_cast<T*>(data_);
    }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    void poison(cudaStream_t stream) const;  ///< every byte 0xff
    void upload(const void* host, std::size_t bytes, cudaStream_t stream) const;
    void download(void* host, std::size_t bytes, cudaStream_t stream) const;  ///< and waits

  private:
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

/// Fills a buffer on the device with bf16 normal numbers of the given standard deviation, or with
/// fp8 (e4m3) ones, the same for the same seed.
void fill_bf16(const Buffer& buffer, std::uint64_t seed, float deviation, cudaStream_t stream);
void fill_fp8(const Buffer& buffer, std::uint64_t seed, float deviation, cudaStream_t stream);

/// How many copies of `bytes_per_copy` hold Context::rotate_bytes, at least 1, at most `most`.
/// Activations of a few tokens need no more than 64: an engine has them in the L2 cache too. What
/// an engine reads from memory says how many it takes to be there.
[[nodiscard]] int copies_for(const Context& context, std::size_t bytes_per_copy, int most = 64);

}  // namespace headroom::kernels
