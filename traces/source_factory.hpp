/// What a scenario builds its request sources with: the kinds of source, the parameters of each,
/// and one function that makes any of them.
///
///     kind          arrivals   what it is
///     trace         -          a file, streamed (readers/trace_reader.hpp)
///     open-loop     yes        an arrival process with lengths (generators/generated_source.hpp)
///     closed-loop   -          N users who wait and think (generators/closed_loop_source.hpp)
///     sessions      yes        conversations (generators/session_source.hpp)
///
///     const SourceKind* kind = find_source_kind("open-loop");     // kind->specs: for the schema
///     PolicyChoice arrivals{"poisson", parameters};               // from Registry<ArrivalProcess>
///     auto source = make_source(*kind, p, &arrivals, {.name = "chat", .seed = 7}, error);
///
/// Runs while loading: null with `error` set for a trace that cannot be read and for parameters
/// that contradict each other. The Parameters must have passed the validation by their specs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/request_source.hpp"
#include "traces/generators/arrival_process.hpp"
#include "traces/readers/trace_reader.hpp"

namespace headroom::traces {

struct SourceKind {
    std::string name{};
    std::string help{};
    bool has_arrivals = false;  ///< needs a choice out of Registry<ArrivalProcess>
    ParameterSpecs specs{};
    bool may_tell_contents = false;  ///< requests may say what their tokens are
};

/// Sorted by name.
[[nodiscard]] const std::vector<SourceKind>& source_kinds();
/// Null when there is none of that name.
[[nodiscard]] const SourceKind* find_source_kind(std::string_view name);

struct SourceContext {
    std::string name{};  ///< names the random streams: "source/<name>/..."
    std::uint64_t seed = 0;
    std::optional<Time> end{};  ///< no request at or after it
};

/// `arrivals` is read where the kind has them, and must then be there.
[[nodiscard]] std::unique_ptr<serving::RequestSource> make_source(const SourceKind& kind,
                                                                  const Parameters& parameters,
                                                                  const PolicyChoice* arrivals,
                                                                  const SourceContext& context,
                                                                  std::string& error);

/// An arrival process with the stream of that source.
[[nodiscard]] std::unique_ptr<ArrivalProcess> make_arrivals(const PolicyChoice& arrivals,
                                                            const SourceContext& context,
                                                            std::string& error);

/// The options of a trace from the parameters of the kind "trace".
[[nodiscard]] TraceOptions trace_options(const Parameters& parameters,
                                         const SourceContext& context);

}  // namespace headroom::traces
