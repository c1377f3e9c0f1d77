#include "analysis/statistics/batch_means.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "analysis/statistics/moments.hpp"
#include "sim/core/math.hpp"

namespace headroom::analysis {
namespace {

constexpr std::size_t kBatches = 20;
constexpr std::size_t kLeastTested = 200;
constexpr double kLevel = 0.01;

/// Means of consecutive `size` values; a rest is left out at the front.
std::vector<double> means_of(std::span<const double> values, std::size_t size) {
    std::vector<double> means;
    means.reserve(values.size() / size);
    for (std::size_t at = values.size() % size; at < values.size(); at += size) {
        means.push_back(moments_of(values.subspan(at, size)).mean);
    }
    return means;
}

/// Ranks from 0, halves where values are equal.
std::vector<double> ranks_of(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t end = first + 1;
        while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
        for (std::size_t k = first; k < end; ++k) {
            ranks[order[k]] = static_cast<double>(first + end - 1) / 2;
        }
        first = end;
    }
    return ranks;
}

}  // namespace

double rank_von_neumann(std::span<const double> values) {
    const std::vector<double> ranks = ranks_of(values);
    const double squares = moments_of(ranks).squares;
    if (squares == 0) return 0;
    double steps = 0;
    for (std::size_t i = 1; i < ranks.size(); ++i) {
        const double step = ranks[i] - ranks[i - 1];
        steps += step * step;
    }
    return (1 - steps / squares / 2) * std::sqrt(static_cast<double>(ranks.size()) + 1.4);
}

std::optional<BatchMeans> batch_means(std::span<const double> values, double confidence) {
    const double threshold = normal_quantile(1 - kLevel);
    std::vector<double> means(values.begin(), values.end());
    std::size_t independent = 1;
    while (means.size() >= kLeastTested && rank_von_neumann(means) > threshold) {
        means = means_of(means, 2);
        independent *= 2;
    }
    if (means.size() < kLeastTested) return std::nullopt;
    const std::size_t size = values.size() / kBatches;
    const std::span<const double> used = values.last(size * kBatches);
    return BatchMeans{mean_interval(means_of(used, size), confidence), size, independent};
}

}  // namespace headroom::analysis
