/// Runs files of conformance cases and says on `out` what became of each, in the order of their
/// names:
///
///     hpa_behavior: 34/35
///       scale up, slow: replicas: expected 5, found 4
///     lb_and_backoff: not covered
///     scheduler_filters: 60/60, 27 not covered (kinds: InterPodAffinity/Filter, ...)
///
/// A case's kind is its field `kind`, or `plugin` where it has none (the scheduler's cases name the
/// plugin that they are about); its runner is found by that alone (vector_case.hpp). Cases of a
/// kind that has a runner, but which ask for what the simulator lacks, are not covered either; the
/// reason is in brackets behind the kind. A case without a field that its runner needs fails.
///
/// Returns 0: every covered case passes; 1: one does not; 2: the folder is not there or holds no
/// .json file, or a file is no JSON array, said on `problems` (the other files run nevertheless).
#pragma once

#include <filesystem>
#include <iosfwd>

namespace headroom::conformance {

/// The files *.json directly in `folder`.
[[nodiscard]] int run_vectors(const std::filesystem::path& folder, std::ostream& out,
                              std::ostream& problems);

}  // namespace headroom::conformance
