#include "analysis/results/version.hpp"

namespace headroom::analysis {

std::string_view program_version() {
    return HEADROOM_VERSION;
}

}  // namespace headroom::analysis
