/// HoltWinters: additive triple exponential smoothing. A series is a level that moves, a trend per
/// step and a season of m indices; with the one-step forecast f = level + trend + season[t mod m]
/// and the residual e = y - f, a value y changes them, in the error-correction form, by
///
///     level  += trend + alpha e
///     trend  += alpha beta e
///     season += (1 - alpha) gamma e          forecast(h) = level + h trend + season[(t+h) mod m]
///
/// Source: P. R. Winters, "Forecasting Sales by Exponentially Weighted Moving Averages", Management
/// Science 6 (1960); R. J. Hyndman and G. Athanasopoulos, "Forecasting: Principles and Practice",
/// 3rd ed., section 8.3, where its beta* and (1 - alpha) gamma are what alpha beta and gamma are
/// called there.
///
/// A model starts from the first season: its mean is the level, its differences from the line
/// through the seasons' means are the indices; the trend comes from the second season's mean, where
/// it is there, else it is zero. update, skip and forecast are O(1).
///
/// fit_smoothing tries a fixed grid and takes the least sum of squared one-step errors over all but
/// the first season, of equal ones the first in the order of the grid (the slowest smoothing).
/// O(grid * history), all candidates side by side in Eigen arrays. Only operations by element are
/// used, so every candidate's numbers are those of a plain loop on any machine; nothing that Eigen
/// sums in an order of its own reaches a result.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace headroom::policies {

struct Smoothing {
    double alpha = 0.3;  ///< of the level, in [0, 1]
    double beta = 0.0;   ///< of the trend, in [0, 1]
    double gamma = 0.2;  ///< of the season, in [0, 1]

    bool operator==(const Smoothing&) const = default;
};

class HoltWinters {
  public:
    /// The state after the first of the seasons at the beginning of `history`, which holds one
    /// season at least; a second one gives the trend. Feed what follows the first by update().
    HoltWinters(std::span<const double> history, std::size_t season_length, Smoothing smoothing);

    /// Takes the next value; returns its residual, the value less its forecast.
    double update(double value);
    /// The next value is not known: as if the forecast had come true.
    void skip();
    /// `steps` after the last value, at least 1.
    [[nodiscard]] double forecast(std::size_t steps) const;
    [[nodiscard]] const Smoothing& smoothing() const { return smoothing_; }

  private:
    Smoothing smoothing_;
    double level_ = 0.0;
    double trend_ = 0.0;
    std::vector<double> season_;
    std::size_t next_ = 0;  ///< the season's index of the next value
};

/// The sum of squared residuals of the values after the first season.
[[nodiscard]] double squared_error(std::span<const double> history, std::size_t season_length,
                                   Smoothing smoothing);

/// The best of the grid for at least two seasons; else Smoothing{}.
[[nodiscard]] Smoothing fit_smoothing(std::span<const double> history, std::size_t season_length);

}  // namespace headroom::policies
