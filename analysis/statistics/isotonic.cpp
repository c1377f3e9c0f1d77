#include "analysis/statistics/isotonic.hpp"

#include <algorithm>
#include <cmath>

namespace headroom::analysis {

namespace {

constexpr int kMostRounds = 1000;
constexpr double kSettled = 1e-12;  ///< of the largest value

void project(std::vector<double>& values, const std::vector<Chain>& chains) {
    for (const Chain& chain : chains) {
        std::vector<double> along;
        for (const std::size_t i : chain) along.push_back(values[i]);
        along = isotonic(along);
        for (std::size_t i = 0; i < chain.size(); ++i) values[chain[i]] = along[i];
    }
}

/// Lifts what rounding left below its predecessor; says whether there was anything.
bool lift(std::vector<double>& values, const std::vector<Chain>& chains) {
    bool lifted = false;
    for (const Chain& chain : chains) {
        for (std::size_t i = 1; i < chain.size(); ++i) {
            if (values[chain[i]] >= values[chain[i - 1]]) continue;
            values[chain[i]] = values[chain[i - 1]];
            lifted = true;
        }
    }
    return lifted;
}

}  // namespace

std::vector<double> isotonic(const std::vector<double>& values) {
    struct Block {
        double sum;
        std::size_t count;
        [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
    };
    std::vector<Block> blocks;
    for (const double value : values) {
        blocks.push_back({value, 1});
        while (blocks.size() > 1 && blocks.back().mean() < blocks[blocks.size() - 2].mean()) {
            const Block last = blocks.back();
            blocks.pop_back();
            blocks.back().sum += last.sum;
            blocks.back().count += last.count;
        }
    }
    std::vector<double> out;
    for (const Block& block : blocks) out.insert(out.end(), block.count, block.mean());
    return out;
}

std::vector<double> isotonic_two_ways(const std::vector<double>& values,
                                      const std::vector<Chain>& rows,
                                      const std::vector<Chain>& columns) {
    const std::size_t n = values.size();
    double largest = 0;
    for (const double value : values) largest = std::max(largest, std::fabs(value));
    std::vector<double> out = values;
    std::vector<double> row_correction(n, 0.0);
    std::vector<double> column_correction(n, 0.0);
    for (int round = 0; round < kMostRounds; ++round) {
        double change = 0;
        const auto half = [&](const std::vector<Chain>& chains, std::vector<double>& correction) {
            std::vector<double> wanted(n);
            for (std::size_t i = 0; i < n; ++i) wanted[i] = out[i] + correction[i];
            std::vector<double> projected = wanted;
            project(projected, chains);
            for (std::size_t i = 0; i < n; ++i) {
                correction[i] = wanted[i] - projected[i];
                change = std::max(change, std::fabs(projected[i] - out[i]));
            }
            out = std::move(projected);
        };
        half(rows, row_correction);
        half(columns, column_correction);
        if (change <= kSettled * largest) break;
    }
    while (lift(out, rows) || lift(out, columns)) {
    }
    return out;
}

}  // namespace headroom::analysis
