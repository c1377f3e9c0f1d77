/// The settings of a reference case: config.json, with the names of Vidur's or of vLLM's scheduler,
/// as a service of the simulation. What the engine does not have, and every key that nothing here
/// knows, goes to ReferenceCase::not_covered.
///
///     read_settings("cases/sarathi_chunks/config.json", reference, problems);
#pragma once

#include <filesystem>

#include "scenarios/diagnostic.hpp"
#include "tests/conformance/engine/reference_case.hpp"

namespace headroom::tests {

/// Adds one service to reference.spec. Where problems are left in a case that is covered, it is not
/// whole.
void read_settings(const std::filesystem::path& file, ReferenceCase& reference,
                   scenarios::Diagnostics& problems);

}  // namespace headroom::tests
