/// The options that every command which loads and simulates scenarios has, said and read once.
///
///     .options = {set_option(), trace_option(), seed_option(), rate_scale_option(), ...,
///                 threads_option("for replications"), output_option(), quiet_option()}
///     const scenarios::LoadOptions load = load_options(given);      // throws UsageError
///
/// load_options() reads those of --set, --trace, --seed and --rate-scale that were given; a command
/// that does not list one never has it given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/cli/arguments.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::analysis {

inline constexpr int kMostThreads = 1024;

[[nodiscard]] OptionSpec set_option(const std::string& what = "the scenario");
[[nodiscard]] OptionSpec trace_option();
[[nodiscard]] OptionSpec seed_option(const std::string& help);
[[nodiscard]] OptionSpec rate_scale_option();
[[nodiscard]] OptionSpec exact_steps_option();
[[nodiscard]] OptionSpec threads_option(const std::string& what_for);
[[nodiscard]] OptionSpec output_option(const std::vector<std::string>& formats = {"table", "json"},
                                       const std::string& help = "what is printed");
[[nodiscard]] OptionSpec quiet_option();

[[nodiscard]] scenarios::LoadOptions load_options(const Arguments& given);
/// As given; nullopt: not given.
[[nodiscard]] std::optional<int> threads_given(const Arguments& given);
/// As given, else all processors.
[[nodiscard]] int threads_of(const Arguments& given);

}  // namespace headroom::analysis
