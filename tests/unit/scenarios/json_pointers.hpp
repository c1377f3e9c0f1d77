/// All places of a JSON document, as pointers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenarios/located_json.hpp"

namespace headroom::scenarios {

/// Each value before what is in it; "", the document itself, is the first.
inline std::vector<std::string> pointers_of(const nlohmann::json& value,
                                            const std::string& pointer = "") {
    std::vector<std::string> out = {pointer};
    if (!value.is_structured()) return out;
    for (const auto& [key, member] : value.items()) {
        for (std::string& below : pointers_of(member, join_pointer(pointer, key))) {
            out.push_back(std::move(below));
        }
    }
    return out;
}

}  // namespace headroom::scenarios
