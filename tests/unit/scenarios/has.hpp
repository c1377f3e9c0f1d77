/// Whether a text, such as a message, has a part: the text is shown when the assertion that asks
/// fails.
#pragma once

#include <string>

#include "tests/catch.hpp"

namespace headroom::scenarios {

inline bool has(const std::string& text, const std::string& part) {
    UNSCOPED_INFO(text);
    return text.find(part) != std::string::npos;
}

}  // namespace headroom::scenarios
