/// The rows of a reference case: requests.csv as the source of the simulation, results.csv as what
/// is expected of each request.
///
///     read_rows("cases/sarathi_chunks", reference, problems);
#pragma once

#include <filesystem>

#include "scenarios/diagnostic.hpp"
#include "tests/conformance/engine/reference_case.hpp"

namespace headroom::tests {

/// After read_settings. Adds one source to reference.spec; where there are problems, it is not
/// whole.
void read_rows(const std::filesystem::path& folder, ReferenceCase& reference,
               scenarios::Diagnostics& problems);

}  // namespace headroom::tests
