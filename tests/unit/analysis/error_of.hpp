/// What a call threw, as text: "" when it did not throw. Works with any version of Catch2.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace headroom::analysis {

template <class Function>
std::string error_of(Function&& function) {
    try {
        function();
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace headroom::analysis
