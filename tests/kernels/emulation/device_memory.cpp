#include "tests/kernels/emulation/device_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <new>
#include <stdexcept>

namespace headroom::emulation {
namespace {

struct Mapping {
    void* begin;
    std::size_t bytes;
    std::size_t asked;
};

std::map<void*, Mapping>& mappings() {
    static std::map<void*, Mapping> all;
    return all;
}

}  // namespace

void* allocate(std::size_t bytes, Contents contents) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t used = (bytes + 15) / 16 * 16;
    const std::size_t open = (used + page - 1) / page * page;
    void* begin = mmap(nullptr, open + page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin == MAP_FAILED) throw std::bad_alloc();
    auto* guard = static_cast<unsigned char*>(begin) + open;
    if (mprotect(guard, page, PROT_NONE) != 0) throw std::bad_alloc();
    void* pointer = guard - used;
    if (contents == Contents::nan) std::memset(pointer, 0xff, used);
    mappings()[pointer] = {begin, open + page, bytes};
    return pointer;
}

void release(void* pointer) {
    const auto found = mappings().find(pointer);
    if (found == mappings().end()) throw std::logic_error("released memory was never allocated");
    munmap(found->second.begin, found->second.bytes);
    mappings().erase(found);
}

std::size_t allocated_bytes() {
    std::size_t sum = 0;
    for (const auto& [pointer, mapping] : mappings()) sum += mapping.asked;
    return sum;
}

}  // namespace headroom::emulation
