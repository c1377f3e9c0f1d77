/// prefetch: asks the processor to have some bytes in its cache soon. It changes no result, may be
/// given any address, and is worth it only where the bytes are mostly not there: a look at memory
/// costs as much as some hundred instructions.
#pragma once

#include <cstddef>
#include <utility>

namespace headroom::inline core {

inline constexpr std::size_t kCacheLine = 64;

/// One line. Not __builtin_prefetch: GCC 12 takes a function that does nothing else for one without
/// effect, and drops it.
inline void prefetch_line(const void* address) {
#if defined(__x86_64__)
    asm volatile("prefetcht0 (%0)" : : "r"(address));  // NOLINT(hicpp-no-assembler)
#else
    __builtin_prefetch(address);
#endif
}

namespace detail {
template <std::size_t... kLines>
inline void prefetch_lines(const char* first, std::index_sequence<kLines...>) {
    (prefetch_line(first + kLines * kCacheLine), ...);
}
}  // namespace detail

template <std::size_t kBytes>
inline void prefetch_bytes(const void* first) {
    detail::prefetch_lines(static_cast<const char*>(first),
                           std::make_index_sequence<(kBytes + kCacheLine - 1) / kCacheLine>{});
}
template <class T>
inline void prefetch(const T* object) {
    prefetch_bytes<sizeof(T)>(object);
}

}  // namespace headroom::inline core
