/// What a profile says, as text for a terminal and as JSON: of a measured one the ceilings, how
/// near each operator comes to them, the fits of the memory-bound ones and a roofline in text (per
/// cent of the ceiling at every measured shape); of an observed one the coefficients and errors.
///
///     print_out(render_profile(profile, out_style()));
///
/// Shares of the ceiling are those of scenarios/catalogue/launch_work.hpp: the time that the work
/// needs at the ceilings of the same run over the time it took. O(n log n) in the points.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "analysis/report/text_block.hpp"
#include "scenarios/catalogue/profile_file.hpp"

namespace headroom::analysis {

[[nodiscard]] std::string render_profile(const scenarios::ProfileFile& profile,
                                         const TextStyle& style);

/// Of an observed profile the content of the file.
[[nodiscard]] nlohmann::ordered_json profile_report(const scenarios::ProfileFile& profile);

}  // namespace headroom::analysis
