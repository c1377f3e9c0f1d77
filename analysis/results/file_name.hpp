/// The name of a file or folder for a scenario's name: what a file system or a shell may trip over
/// becomes '-', as does a leading dot; "scenario" for an empty name.
#pragma once

#include <string>
#include <string_view>

#include "sim/core/ascii.hpp"

namespace headroom::analysis {

[[nodiscard]] inline std::string file_name_of(std::string_view scenario) {
    std::string name;
    for (const char c : scenario) {
        const bool plain =
            is_letter(c) || is_digit(c) || c == '_' || c == '-' || (c == '.' && !name.empty());
        name += plain ? c : '-';
    }
    return name.empty() ? "scenario" : name;
}

}  // namespace headroom::analysis
