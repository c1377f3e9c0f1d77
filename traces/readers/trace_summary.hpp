/// summarize() reads a whole trace and says what is in it: how many requests over how long, how
/// uneven their arrivals are, how long prompts and outputs are, and what is wrong with it (the
/// first kMostErrors bad rows; reading goes on after each). Times are the trace's own, unscaled.
///
///     TraceSummary s = summarize("azure.csv.gz", "");
///     s.prompt.quantile(0.99)    // exact, by nearest rank: the smallest value with rank >= 0.99 n
///
/// Rates: the mean is requests over the time from the first to the last one; the peak is the
/// fullest whole minute counted from time 0. The coefficient of variation of the gaps is their
/// population standard deviation over their mean: 1 for a Poisson process. Memory is O(distinct
/// lengths).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::traces {

/// Exact counts of whole values.
class LengthCounts {
  public:
    void add(std::int64_t value);
    [[nodiscard]] std::int64_t count() const { return count_; }
    [[nodiscard]] std::int64_t total() const { return total_; }
    /// 0 when nothing was added.
    [[nodiscard]] double mean() const;
    [[nodiscard]] std::int64_t minimum() const { return count_ == 0 ? 0 : least_; }
    [[nodiscard]] std::int64_t maximum() const { return count_ == 0 ? 0 : greatest_; }
    /// 0 <= p <= 1.
    [[nodiscard]] std::int64_t quantile(double p) const;

  private:
    static constexpr std::int64_t kDense = 1 << 17;  ///< longer ones are rare: kept in a tree
    std::vector<std::int64_t> dense_;
    std::map<std::int64_t, std::int64_t> sparse_;
    std::int64_t count_ = 0;
    std::int64_t total_ = 0;
    std::int64_t least_ = 0;
    std::int64_t greatest_ = 0;
};

struct TraceSummary {
    static constexpr std::size_t kMostErrors = 20;

    std::string format;
    std::int64_t requests = 0;       ///< good rows
    std::int64_t bad_rows = 0;       ///< all of them, also those beyond kMostErrors
    std::int64_t empty_outputs = 0;  ///< outputs of 0 tokens, counted as 1
    Time first;
    Time last;
    double mean_rate = 0;  ///< requests per second
    std::int64_t peak_per_minute = 0;
    double gap_cv = 0;  ///< 0 with fewer than two gaps
    LengthCounts prompt;
    LengthCounts output;
    std::vector<std::string> errors;  ///< "file:line: ..." in the order of the file

    [[nodiscard]] Duration duration() const { return last - first; }
    [[nodiscard]] bool ok() const { return errors.empty(); }
};

/// `format` empty: detected.
[[nodiscard]] TraceSummary summarize(const std::string& path, const std::string& format = {});

}  // namespace headroom::traces
