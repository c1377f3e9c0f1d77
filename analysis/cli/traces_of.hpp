/// What the command line needs to know of a scenario's traces: which sources they are, whether
/// every row that a run will read is good, and how many requests they hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"

namespace headroom::analysis {

/// Indices into spec.sources of those that replay a trace.
[[nodiscard]] std::vector<std::size_t> trace_sources(const scenarios::Scenario& scenario);

/// Requests of all sources, when all are traces and reading them takes less than about
/// `patience_s`.
[[nodiscard]] std::optional<std::int64_t> count_trace_requests(const scenarios::Scenario& scenario,
                                                               double patience_s);

struct TraceCheck {
    std::int64_t requests = 0;
    std::vector<std::string> errors;  ///< "file:line: ..."
};
/// Reads each trace as far as a run would; of one with mistakes, the first several are told.
[[nodiscard]] TraceCheck check_traces(const scenarios::Scenario& scenario);

}  // namespace headroom::analysis
