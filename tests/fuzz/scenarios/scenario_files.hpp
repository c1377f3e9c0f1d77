/// Scenarios for fuzzers: those of the library, able to stand anywhere; the catalogue, read once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::scenarios {

/// Scenarios right in the library, with absolute paths in them.
[[nodiscard]] std::vector<std::string> library_scenarios();
[[nodiscard]] std::vector<std::string> library_rule_tests();
/// The text with the paths that it has from its place in the library made absolute.
[[nodiscard]] std::string with_absolute_paths(std::string text);
[[nodiscard]] std::shared_ptr<const Catalogue> shared_catalogue();

}  // namespace headroom::scenarios
