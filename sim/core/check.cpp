#include "sim/core/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace headroom::inline core {

void check_failed(const char* file, int line, const char* condition, const char* message) {
    std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", file, line, message, condition);
    std::abort();
}

}  // namespace headroom::inline core
