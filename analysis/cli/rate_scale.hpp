/// The option --rate-scale of every command that simulates: times the traffic.
///
///     .options = {..., rate_scale_option()}
///     load.rate_scale = rate_scale_of(given);       // nullopt: not given; throws UsageError
#pragma once

#include <optional>

#include "analysis/cli/arguments.hpp"

namespace headroom::analysis {

[[nodiscard]] OptionSpec rate_scale_option();
[[nodiscard]] std::optional<double> rate_scale_of(const Arguments& given);

}  // namespace headroom::analysis
