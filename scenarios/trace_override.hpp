/// What `--trace FILE` and `--trace SERVICE=FILE` do to a scenario before it is checked: the only
/// source (or those of the service) becomes that trace, unscaled; the run drains instead of ending
/// at `duration`, which stays the end of all other sources. O(sources).
#pragma once

#include <string>

#include "scenarios/located_json.hpp"

namespace headroom::scenarios {

/// False, with a diagnostic, when there is no such source.
bool override_trace(LocatedJson& document, const std::string& argument, Diagnostics& diagnostics);

}  // namespace headroom::scenarios
