/// The scenarios of a comparison: loaded, named so that they can be told apart, under one seed.
///
///     CompareInputs inputs = load_compare_inputs({"a.json", "b.json"}, {"double.json"}, load);
///     if (inputs.scenarios.empty()) { print_diagnostics(inputs.diagnostics); ... }   // exit 2
///
/// The first file is the base; a what-if is a patch on it (RFC 7396). All mistakes of all files are
/// collected. A side is called by the name of its scenario, a what-if that sets none by its file;
/// where two names are equal, by their files ("today.json": "today"). Different files that still
/// share a name are a mistake; one file given twice is "today" and "today (2)".
#pragma once

#include <string>
#include <vector>

#include "scenarios/scenario.hpp"

namespace headroom::analysis {

struct CompareInput {
    std::string name;
    std::string file;
    std::string patch;  ///< of a what-if, else empty
    scenarios::Scenario scenario;
};

struct CompareInputs {
    std::vector<CompareInput> scenarios;  ///< the base first; empty: there are mistakes
    scenarios::Diagnostics diagnostics;   ///< in files
    std::vector<std::string> mistakes;    ///< in what was given together
    std::vector<std::string> notes;
};

[[nodiscard]] CompareInputs load_compare_inputs(const std::vector<std::string>& files,
                                                const std::vector<std::string>& patches,
                                                scenarios::LoadOptions options);

}  // namespace headroom::analysis
