#include "analysis/calibration/observe_search.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "analysis/statistics/nelder_mead.hpp"
#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

using Point = std::vector<double>;
using Matrix = std::vector<Point>;  ///< square, by rows

constexpr double kDifference = 0.1;   ///< of the slopes, in the coordinates
constexpr double kLongestStep = 1.0;  ///< of a proposal, in each coordinate
constexpr double kLeastResidual = 0.01;
constexpr double kSimplexStep = 0.02;  ///< in residuals
constexpr int kMostProposals = 6;
constexpr int kTries = 3;
constexpr double kDamping = 0.03;  ///< in slopes
constexpr double kDampingFactor = 3;

/// The lower factor of a symmetric positive definite matrix (Cholesky).
Matrix factor(const Matrix& a) {
    const std::size_t n = a.size();
    Matrix lower(n, Point(n, 0.0));
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = a[i][j];
            for (std::size_t k = 0; k < j; ++k) sum -= lower[i][k] * lower[j][k];
            lower[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / lower[j][j];
        }
    }
    return lower;
}

/// x with L^T x = y.
Point solve_upper(const Matrix& lower, const Point& y) {
    const std::size_t n = y.size();
    Point x = y;
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) x[i] -= lower[k][i] * x[k];
        x[i] /= lower[i][i];
    }
    return x;
}

/// x with L L^T x = y.
Point solve(const Matrix& lower, const Point& y) {
    Point x = y;
    for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) x[i] -= lower[i][k] * x[k];
        x[i] /= lower[i][i];
    }
    return solve_upper(lower, x);
}

Point sum(const Point& a, const Point& b) {
    Point out = a;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += b[i];
    return out;
}

class Searcher {
  public:
    Searcher(const std::function<Scored(const Point&)>& evaluate, int evaluations,
             const Belief& belief)
        : evaluate_(evaluate), belief_(belief), left_(evaluations) {}

    SearchResult run(const Point& start) {
        const int all = left_;
        best_ = start;
        at_best_ = call(start);
        if (!at_best_.residuals.empty()) {
            int proposals = 0;
            while (take_slopes() && proposals < kMostProposals && propose()) ++proposals;
            descend();
        }
        return {best_, at_best_.objective, all - left_};
    }

  private:
    Scored call(const Point& x) {
        --left_;
        Scored scored = evaluate_(x);
        if (scored.residuals.empty()) {
            scored.objective = std::numeric_limits<double>::infinity();
        }
        scored.objective *= belief_.factor(x);
        return scored;
    }

    /// The residuals' slopes around the best point; false when the evaluations do not suffice.
    bool take_slopes() {
        const std::size_t n = best_.size();
        if (left_ < static_cast<int>(n) + 2) return false;
        std::vector<Point> slopes(n, Point(at_best_.residuals.size(), 0.0));
        for (std::size_t i = 0; i < n; ++i) {
            Point moved = best_;
            moved[i] += kDifference;
            const Scored scored = call(moved);
            for (std::size_t r = 0; r < scored.residuals.size(); ++r) {
                slopes[i][r] = (scored.residuals[r] - at_best_.residuals[r]) / kDifference;
            }
        }
        slopes_ = std::move(slopes);
        return true;
    }

    /// Slopes times slopes and slopes times residuals, each residual with its weight, over the sum
    /// of the weights.
    void gather(bool weighted, Matrix& products, Point& gradient) const {
        const std::size_t n = best_.size();
        products.assign(n, Point(n, 0.0));
        gradient.assign(n, 0.0);
        double total = 0;
        double misfit = 0;
        for (std::size_t r = 0; r < at_best_.residuals.size(); ++r) {
            const double residual = at_best_.residuals[r];
            const double weight =
                weighted ? 1 / std::max(std::fabs(residual), kLeastResidual) : 1.0;
            total += weight;
            misfit += weight * residual * residual;
            for (std::size_t i = 0; i < n; ++i) {
                gradient[i] += weight * slopes_[i][r] * residual;
                for (std::size_t j = 0; j < n; ++j) {
                    products[i][j] += weight * slopes_[i][r] * slopes_[j][r];
                }
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            gradient[i] /= total;
            for (double& product : products[i]) product /= total;
        }
        // Belief in the same units: its share of the objective is relative to the misfit.
        for (std::size_t i = 0; i < belief_.centre.size(); ++i) {
            const double band = belief_.bands[i];
            const double weight = misfit / (total * belief_.statements * band * band);
            products[i][i] += weight;
            gradient[i] += weight * (best_[i] - belief_.centre[i]);
        }
    }

    /// Gauss-Newton steps from the best point, each damped more than the last, until one helps;
    /// true when it was worthwhile.
    bool propose() {
        Matrix products;
        Point gradient;
        gather(true, products, gradient);
        for (int tries = 0; tries < kTries && left_ > 0; ++tries) {
            Matrix damped = products;
            for (std::size_t i = 0; i < best_.size(); ++i) damped[i][i] += damping_ * damping_;
            Point step = solve(factor(damped), gradient);
            double longest = 0;
            for (const double s : step) longest = std::max(longest, std::fabs(s));
            const double shortened = longest > kLongestStep ? kLongestStep / longest : 1.0;
            for (double& s : step) s *= -shortened;
            Point proposed = sum(best_, step);
            Scored scored = call(proposed);
            if (scored.objective < at_best_.objective) {
                const bool worthwhile = scored.objective < (1 - kWorthwhile) * at_best_.objective;
                best_ = std::move(proposed);
                at_best_ = std::move(scored);
                damping_ /= kDampingFactor;
                return worthwhile;
            }
            damping_ *= kDampingFactor;
        }
        return false;
    }

    /// Nelder-Mead in whitened coordinates around the best point.
    void descend() {
        if (slopes_.empty() || left_ < 1) return;
        Matrix products;
        Point gradient;
        gather(false, products, gradient);
        for (std::size_t i = 0; i < best_.size(); ++i) products[i][i] += kRidge * kRidge;
        const Matrix lower = factor(products);
        const Point from = best_;
        NelderMeadOptions options;
        options.evaluations = left_;
        options.step = kSimplexStep;
        options.x_tolerance = 1e-5;
        options.f_tolerance = 1e-4;
        const auto objective = [&](const Point& z) {
            return call(sum(from, solve_upper(lower, z))).objective;
        };
        const NelderMeadResult found = minimise(objective, Point(from.size(), 0.0), options);
        if (found.value >= at_best_.objective) return;
        best_ = sum(from, solve_upper(lower, found.x));
        at_best_.objective = found.value;
    }

    const std::function<Scored(const Point&)>& evaluate_;
    const Belief& belief_;
    int left_;
    double damping_ = kDamping;
    Point best_;
    Scored at_best_;
    std::vector<Point> slopes_;  ///< by coordinate, then residual
};

}  // namespace

double Belief::factor(const std::vector<double>& x) const {
    double squares = 0;
    for (std::size_t i = 0; i < centre.size(); ++i) {
        const double off = (x[i] - centre[i]) / bands[i];
        squares += off * off;
    }
    return 1 + squares / (2 * statements);
}

SearchResult search(const std::function<Scored(const std::vector<double>&)>& evaluate,
                    const std::vector<double>& start, int evaluations, const Belief& belief) {
    HEADROOM_CHECK(!start.empty() && evaluations >= 1, "there is something to do");
    HEADROOM_CHECK(belief.centre.size() <= start.size() &&
                       belief.bands.size() == belief.centre.size() && belief.statements > 0,
                   "a centre and a band for some of the coordinates");
    return Searcher(evaluate, evaluations, belief).run(start);
}

}  // namespace headroom::analysis
