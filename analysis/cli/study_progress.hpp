/// StudyProgress: how many of several simulations are done, in one line of a terminal's standard
/// error, gone when the object goes. A study that is short enough shows none.
///
///     [##########--------------------]  33 %  4 of 12 replications, 8 s left
///
/// update() is called by one thread at a time and costs a clock reading.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "analysis/cli/status_line.hpp"

namespace headroom::analysis {

class StudyProgress {
  public:
    /// `total`: nothing where it is found out on the way. `what`: "replications".
    StudyProgress(std::optional<int> total, std::string what);
    void update(int finished);

  private:
    std::optional<int> total_;
    std::string what_;
    double start_s_;
    StatusLine line_{true};
};

/// The line alone, cut to `width` columns.
[[nodiscard]] std::string study_progress_line(int finished, std::optional<int> total,
                                              const std::string& what, double elapsed_s,
                                              std::size_t width);

}  // namespace headroom::analysis
