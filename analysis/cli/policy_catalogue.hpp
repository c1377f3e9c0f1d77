/// All registered policies, generators and readers, by family, whatever their interface: for
/// listings. A new family is one more line in policy_catalogue().
#pragma once

#include <string>
#include <vector>

#include "sim/core/parameter.hpp"

namespace headroom::analysis {

struct PolicyEntry {
    std::string name;
    std::string help;
    ParameterSpecs specs;
};

struct PolicyFamily {
    std::string name;                   ///< "routing"
    std::string decides;                ///< "which instance a request goes to"
    std::vector<PolicyEntry> policies;  ///< by name
};

/// In the order of the design: control plane, data plane, load.
[[nodiscard]] std::vector<PolicyFamily> policy_catalogue();

}  // namespace headroom::analysis
