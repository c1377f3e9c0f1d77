/// The program's version, as `headroom --version` prints it and every result carries it.
#pragma once

#include <string_view>

namespace headroom::analysis {

[[nodiscard]] std::string_view program_version();

}  // namespace headroom::analysis
