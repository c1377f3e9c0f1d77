/// Tests register policies of their own, which every enumeration of the registry meets as well:
/// their names begin with "test-".
#pragma once

#include <string_view>

namespace headroom::tests {

inline bool for_tests(std::string_view name) {
    return name.starts_with("test-");
}

}  // namespace headroom::tests
