/// What `headroom check` prints: a row a check, below it what did not hold, and a line that counts.
///
///     pass   quickstart                        5 expectations
///     FAIL   stabilization                     4 expectations: 1 failed
///            scenarios/library/stabilization.json:70: services.steady.scale_events.reversals <= 4:
///            found 22
///     ERROR  broken.json
///            broken.json:3: /drain: expected true or false, found "x"
///
/// As a table for a terminal, as Markdown (also the step summary of GitHub Actions), as JSON. No
/// times: equal results give equal text. O(messages); of one case kMostMessages are told, except in
/// JSON and where `verbose` asks for all.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "analysis/experiments/check_suite.hpp"
#include "analysis/report/text_block.hpp"

namespace headroom::analysis {

inline constexpr std::size_t kMostMessages = 10;

/// `verbose` lists the files that were left out, and all messages.
[[nodiscard]] std::string check_table(const SuiteResult& result, const TextStyle& style,
                                      bool verbose);
[[nodiscard]] std::string check_markdown(const SuiteResult& result);
[[nodiscard]] nlohmann::ordered_json check_json(const SuiteResult& result);
/// "26 checks: 24 passed, 1 failed, 1 error".
[[nodiscard]] std::string check_totals(const SuiteResult& result);
[[nodiscard]] const char* to_string(CheckStatus status);

}  // namespace headroom::analysis
