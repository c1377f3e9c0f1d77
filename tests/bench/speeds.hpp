/// How fast one piece of work is that was done several times. The work is the same each time, so
/// the fastest run tells what it costs; how far the median stays behind tells how much of the
/// machine others had meanwhile.
///
///     Speeds speeds;
///     for (auto _ : state) speeds.add(requests / seconds);
///     speeds.report(state, "requests/CPU-s");
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

namespace headroom::bench {

class Speeds {
  public:
    void add(double per_second) { speeds_.push_back(per_second); }

    /// Both want at least one speed. O(n).
    [[nodiscard]] double best() const { return *std::max_element(speeds_.begin(), speeds_.end()); }
    [[nodiscard]] double median() const {
        auto copy = speeds_;
        const auto middle = copy.begin() + static_cast<std::ptrdiff_t>(copy.size() / 2);
        std::nth_element(copy.begin(), middle, copy.end());
        return *middle;
    }

    /// Prints the best under `unit`, and the median.
    void report(benchmark::State& state, const std::string& unit) const {
        state.counters[unit] = best();
        state.counters["median " + unit] = median();
    }

  private:
    std::vector<double> speeds_;
};

}  // namespace headroom::bench
