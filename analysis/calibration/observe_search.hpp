/// The search behind observe.hpp: the least of an objective that also tells its residuals.
///
/// Coefficients that a log hardly tells apart make a narrow, slanted valley with kinks (a batch
/// forms or does not), in which a simplex along the axes creeps. So the residuals' slopes are taken
/// first, one evaluation a coordinate, and used twice:
///
///  1. Gauss-Newton steps (residuals weighted by 1 / max(|r|, 0.01), as least absolute deviations
///     want it), each damped until it helps (Levenberg, "A method for the solution of certain
///     non-linear problems in least squares", 1944), repeated while one lowers the objective by
///     more than kWorthwhile;
///  2. Nelder-Mead (nelder_mead.hpp) for the rest, in coordinates in which a step of 1 changes the
///     residuals by 1 in the root mean square, whatever its direction, damped by kRidge.
///
///     SearchResult best = search(evaluate, {std::log(0.01), std::log(4e-5)}, 120);
///
/// Of some first coordinates it may be believed beforehand that they lie at a centre, give or take
/// a band. The objective then counts times 1 + sum of ((x - centre) / band)^2 / (2 statements), as
/// if the residuals were so many independent statements: the product's logarithm is, for a few
/// bands, the one of a likelihood times a normal prior. Where the residuals say much, belief hardly
/// counts, and where they vanish, not at all.
///
/// Coordinates should be of order one: logarithms. Deterministic; O(evaluations) calls, each
/// followed by O(residuals x coordinates^2).
#pragma once

#include <functional>
#include <vector>

namespace headroom::analysis {

struct Scored {
    double objective = 0;
    std::vector<double> residuals;  ///< relative; always as many, or none where x is no good
};

/// Of the first `centre.size()` coordinates; bands above 0, as many.
struct Belief {
    std::vector<double> centre{};
    std::vector<double> bands{};
    double statements = 1;

    [[nodiscard]] double factor(const std::vector<double>& x) const;
};

struct SearchResult {
    std::vector<double> x;
    double objective = 0;  ///< belief included
    int evaluations = 0;   ///< never more than allowed
};

inline constexpr double kWorthwhile = 0.02;
inline constexpr double kRidge = 0.05;

[[nodiscard]] SearchResult search(const std::function<Scored(const std::vector<double>&)>& evaluate,
                                  const std::vector<double>& start, int evaluations,
                                  const Belief& belief = {});

}  // namespace headroom::analysis
