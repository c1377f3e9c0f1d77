#include "analysis/statistics/nnls.hpp"

#include <Eigen/Dense>
#include <cmath>
#include <limits>

#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// A gradient of this share of |b| counts as 0 (the columns have length 1).
constexpr double kNoGradient = 1e-13;

/// The unconstrained solution over the chosen columns, 0 for the others.
VectorXd solve_over(const MatrixXd& a, const VectorXd& b, const std::vector<bool>& chosen) {
    std::vector<Index> columns;
    for (Index j = 0; j < a.cols(); ++j) {
        if (chosen[static_cast<std::size_t>(j)]) columns.push_back(j);
    }
    const MatrixXd part = a(Eigen::all, columns);
    const VectorXd solved = part.colPivHouseholderQr().solve(b);
    VectorXd x = VectorXd::Zero(a.cols());
    for (std::size_t j = 0; j < columns.size(); ++j) x(columns[j]) = solved(static_cast<Index>(j));
    return x;
}

/// The column outside of `chosen` along which the residual falls fastest; -1: none.
Index most_promising(const VectorXd& gradient, const std::vector<bool>& chosen, double least) {
    Index best = -1;
    for (Index j = 0; j < gradient.size(); ++j) {
        if (chosen[static_cast<std::size_t>(j)] || gradient(j) <= least) continue;
        if (best < 0 || gradient(j) > gradient(best)) best = j;
    }
    return best;
}

/// Moves x towards `goal` until the first chosen coefficient reaches 0, which leaves `chosen`.
void step_back(VectorXd& x, const VectorXd& goal, std::vector<bool>& chosen) {
    double step = 1;
    Index leaving = -1;
    for (Index j = 0; j < x.size(); ++j) {
        if (!chosen[static_cast<std::size_t>(j)] || goal(j) > 0) continue;
        const double reach = x(j) > 0 ? x(j) / (x(j) - goal(j)) : 0.0;
        if (leaving >= 0 && reach >= step) continue;
        step = reach;
        leaving = j;
    }
    x += step * (goal - x);
    x(leaving) = 0;
    chosen[static_cast<std::size_t>(leaving)] = false;
}

VectorXd lawson_hanson(const MatrixXd& a, const VectorXd& b) {
    VectorXd x = VectorXd::Zero(a.cols());
    std::vector<bool> chosen(static_cast<std::size_t>(a.cols()), false);
    const double least = kNoGradient * b.norm();
    // Three rounds a column are what Lawson and Hanson allow; rounding could cycle for ever.
    for (Index round = 0; round < 3 * a.cols(); ++round) {
        const VectorXd gradient = a.transpose() * (b - a * x);
        const Index entering = most_promising(gradient, chosen, least);
        if (entering < 0) break;
        chosen[static_cast<std::size_t>(entering)] = true;
        for (;;) {
            const VectorXd goal = solve_over(a, b, chosen);
            bool inside = true;
            for (Index j = 0; j < goal.size(); ++j) {
                inside = inside && (!chosen[static_cast<std::size_t>(j)] || goal(j) > 0);
            }
            if (inside) {
                x = goal;
                break;
            }
            step_back(x, goal, chosen);
            if (chosen == std::vector<bool>(chosen.size(), false)) break;
        }
    }
    return x;
}

}  // namespace

std::vector<double> nnls(const std::vector<std::vector<double>>& rows,
                         const std::vector<double>& right) {
    HEADROOM_CHECK(!rows.empty() && rows.size() == right.size() && !rows.front().empty(),
                   "least squares need equations and as many right sides");
    const auto height = static_cast<Index>(rows.size());
    const auto width = static_cast<Index>(rows.front().size());
    MatrixXd a(height, width);
    VectorXd b(height);
    for (Index i = 0; i < height; ++i) {
        const std::vector<double>& row = rows[static_cast<std::size_t>(i)];
        HEADROOM_CHECK(static_cast<Index>(row.size()) == width, "equations have one length");
        for (Index j = 0; j < width; ++j) a(i, j) = row[static_cast<std::size_t>(j)];
        b(i) = right[static_cast<std::size_t>(i)];
    }
    HEADROOM_CHECK(a.allFinite() && b.allFinite(), "least squares need finite numbers");
    VectorXd scale = a.colwise().norm().transpose();
    for (Index j = 0; j < width; ++j) {
        if (scale(j) > 0) a.col(j) /= scale(j);
    }
    const VectorXd x = lawson_hanson(a, b);
    std::vector<double> out;
    for (Index j = 0; j < width; ++j) out.push_back(scale(j) > 0 ? x(j) / scale(j) : 0.0);
    return out;
}

}  // namespace headroom::analysis
