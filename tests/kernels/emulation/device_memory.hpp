/// Device memory of the emulated GPU: blocks that end where a page begins that nobody may touch, so
/// that an access behind one (by 16 bytes or more) ends the program.
///
///     void* p = allocate(bytes, Contents::nan);   release(p);
///
/// release() throws std::logic_error for what allocate() did not give. Start and end are aligned to
/// 16 bytes; CUDA gives 256, which no kernel here needs.
#pragma once

#include <cstddef>

namespace headroom::emulation {

/// nan: every byte is 0xff. zero: costs nothing until it is touched.
enum class Contents { nan, zero };
[[nodiscard]] void* allocate(std::size_t bytes, Contents contents);
void release(void* pointer);
[[nodiscard]] std::size_t allocated_bytes();  ///< as asked for, of all that is not released

}  // namespace headroom::emulation
