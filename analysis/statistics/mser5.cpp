#include "analysis/statistics/mser5.hpp"

#include <limits>

#include "analysis/statistics/moments.hpp"

namespace headroom::analysis {
namespace {

constexpr std::size_t kBatch = 5;
constexpr std::size_t kLastBatches = 5;  ///< too few to judge by

}  // namespace

std::optional<std::size_t> mser5_truncation(std::span<const double> values) {
    if (values.size() < kLeastForMser5) return std::nullopt;
    const std::size_t batches = values.size() / kBatch;
    double least = std::numeric_limits<double>::infinity();
    std::size_t best = batches;
    // From the back, so that mean and squares of what remains grow by one batch at a time
    // (Welford).
    double mean = 0;
    double squares = 0;
    for (std::size_t d = batches; d-- > 0;) {
        const double value = moments_of(values.subspan(d * kBatch, kBatch)).mean;
        const auto left = static_cast<double>(batches - d);
        const double deviation = value - mean;
        mean += deviation / left;
        squares += deviation * (value - mean);
        const double error = squares / (left * left);
        if (batches - d > kLastBatches && error <= least) {
            least = error;
            best = d;
        }
    }
    if (2 * best > batches) return std::nullopt;
    return best * kBatch;
}

}  // namespace headroom::analysis
