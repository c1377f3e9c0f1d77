/// Nelder-Mead: minimises a function of a few variables without derivatives, within a number of
/// evaluations. Coordinates are the caller's: a scale that spans decades is searched by giving its
/// logarithm.
///
///     const auto sphere = [](const std::vector<double>& x) { return x[0] * x[0] + x[1] * x[1]; };
///     NelderMeadResult best = minimise(sphere, {3.0, 4.0}, {.evaluations = 200, .step = 0.5});
///
/// The simplex is `start` and, per coordinate, `start` moved by `step`. Coefficients adapt to the
/// number of variables n (Gao and Han, "Implementing the Nelder-Mead simplex algorithm with
/// adaptive parameters", Computational Optimization and Applications 51, 2012): reflection 1,
/// expansion 1 + 2/n, contraction 3/4 - 1/(2n), shrinkage 1 - 1/n, with n taken as 2 at least. Once
/// the simplex has shrunk to the tolerances, a fresh one is set around the best point, its steps
/// turned around, until a restart no longer gains or the evaluations are used up.
///
/// Deterministic: of equal values the older point ranks first, and nothing is drawn. A value that
/// is no number counts as infinitely bad. O(n log n + n) beside each evaluation, O(n^2) memory.
#pragma once

#include <functional>
#include <vector>

namespace headroom::analysis {

struct NelderMeadOptions {
    int evaluations = 200;  ///< calls of the function at most; >= 1
    double step = 0.1;      ///< of the first simplex, in the caller's coordinates
    /// Small enough to end a descent: the simplex's extent in every coordinate, and the difference
    /// of its values relative to the best one.
    double x_tolerance = 1e-6;
    double f_tolerance = 1e-9;
    int restarts = 8;  ///< at most
};

struct NelderMeadResult {
    std::vector<double> x;
    double value = 0;
    int evaluations = 0;     ///< never more than allowed
    int restarts = 0;        ///< made
    bool converged = false;  ///< ended by the tolerances, not by the evaluations
};

using Objective = std::function<double(const std::vector<double>&)>;

/// `start` has at least one coordinate.
[[nodiscard]] NelderMeadResult minimise(const Objective& objective,
                                        const std::vector<double>& start,
                                        const NelderMeadOptions& options = {});

}  // namespace headroom::analysis
