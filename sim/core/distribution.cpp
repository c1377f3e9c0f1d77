#include "sim/core/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace headroom::inline core {

struct Distribution::Table {
    /// One piece of log(quantile) as a polynomial in the place within the piece.
    struct Cell {
        double c0, c1, c2, c3, c4, c5;
    };
    Points points;            ///< empirical
    std::vector<Cell> cells;  ///< gamma
};

namespace {

// Over the normal quantile z of u, the log of a gamma quantile is smooth for every shape, so short
// pieces of degree 5 that meet value, slope and curvature at their ends keep ten digits. The
// nodes reach past the least and largest u that a RandomStream draws (2^-53 from the ends).
constexpr double kLastNode = 8.25;
constexpr int kCellsPerUnit = 32;
constexpr int kCells = static_cast<int>(2 * kLastNode * kCellsPerUnit);
/// From here on the Cornish-Fisher expansion inside gamma_quantile is as fast as a table.
constexpr double kLargeShape = 1e5;

struct Node {
    double value;      ///< y = log(gamma quantile) at z
    double slope;      ///< dy/dz, times the width of a cell
    double curvature;  ///< d2y/dz2, times the square of the width
};

Node node_at(double z, double shape) {
    constexpr double kHalfLogTwoPi = 0x1.d67f1c864beb5p-1;
    constexpr double kWidth = 1.0 / kCellsPerUnit;
    const IncompleteGamma u = normal_cdf(z);
    const double y = log_gamma_quantile(u.lower, u.upper, shape);
    const double x = det_exp(y);
    // dP/dy = x^shape e^-x / Gamma(shape) and dP/dz is the normal density; divide.
    const double slope = det_exp(-0.5 * z * z - kHalfLogTwoPi - (shape * y - x - log_gamma(shape)));
    return {y, slope * kWidth, slope * (-z - (shape - x) * slope) * (kWidth * kWidth)};
}

}  // namespace

Distribution::Distribution(Kind kind, double a, double b) : kind_(kind), a_(a), b_(b) {
    HEADROOM_CHECK(std::isfinite(a) && std::isfinite(b), "parameters of a distribution are finite");
}

Distribution Distribution::fixed(double value) {
    return {Kind::fixed, value, 0.0};
}

Distribution Distribution::exponential(double mean) {
    HEADROOM_CHECK(mean >= 0.0, "an exponential distribution needs a mean >= 0");
    return {Kind::exponential, mean, 0.0};
}

Distribution Distribution::lognormal(double mu, double sigma) {
    HEADROOM_CHECK(sigma >= 0.0, "a lognormal distribution needs sigma >= 0");
    return {Kind::lognormal, mu, sigma};
}

Distribution Distribution::normal(double mean, double sd) {
    HEADROOM_CHECK(sd >= 0.0, "a normal distribution needs a standard deviation >= 0");
    return {Kind::normal, mean, sd};
}

Distribution Distribution::gamma(double shape, double scale) {
    HEADROOM_CHECK(shape > 0.0 && scale >= 0.0, "a gamma distribution needs shape > 0, scale >= 0");
    Distribution distribution{Kind::gamma, shape, scale};
    if (shape >= kLargeShape) return distribution;
    auto table = std::make_shared<Table>();
    table->cells.reserve(kCells);
    Node from = node_at(-kLastNode, shape);
    for (int i = 1; i <= kCells; ++i) {
        const Node to = node_at(-kLastNode + static_cast<double>(i) / kCellsPerUnit, shape);
        const double rise = to.value - from.value;
        table->cells.push_back(
            {from.value, from.slope, 0.5 * from.curvature,
             10.0 * rise - 6.0 * from.slope - 4.0 * to.slope - 1.5 * from.curvature +
                 0.5 * to.curvature,
             -15.0 * rise + 8.0 * from.slope + 7.0 * to.slope + 1.5 * from.curvature - to.curvature,
             6.0 * rise - 3.0 * (from.slope + to.slope) - 0.5 * (from.curvature - to.curvature)});
        from = to;
    }
    distribution.table_ = std::move(table);
    return distribution;
}

Distribution Distribution::weibull(double shape, double scale) {
    HEADROOM_CHECK(shape > 0.0 && scale >= 0.0,
                   "a Weibull distribution needs shape > 0, scale >= 0");
    return {Kind::weibull, shape, scale};
}

Distribution Distribution::uniform(double low, double high) {
    HEADROOM_CHECK(low <= high, "a uniform distribution needs low <= high");
    return {Kind::uniform, low, high};
}

Distribution Distribution::empirical(Points points) {
    HEADROOM_CHECK(points.size() >= 2 && points.front().first == 0.0 && points.back().first == 1.0,
                   "an empirical distribution needs points from probability 0 to 1");
    for (std::size_t i = 0; i < points.size(); ++i) {
        HEADROOM_CHECK(std::isfinite(points[i].second), "values of a distribution are finite");
        HEADROOM_CHECK(i == 0 || (points[i - 1].first < points[i].first &&
                                  points[i - 1].second <= points[i].second),
                       "probabilities rise strictly and values never fall");
    }
    Distribution distribution{Kind::empirical, 0.0, 0.0};
    auto table = std::make_shared<Table>();
    table->points = std::move(points);
    distribution.table_ = std::move(table);
    return distribution;
}

double Distribution::quantile(double u) const {
    HEADROOM_DCHECK(u > 0.0 && u < 1.0, "a quantile is asked for inside (0, 1)");
    switch (kind_) {
        case Kind::fixed:
            return a_;
        case Kind::exponential:
            return -a_ * det_log1p(-u);
        case Kind::lognormal:
            return det_exp(a_ + b_ * normal_quantile(u));
        case Kind::normal:
            return a_ + b_ * normal_quantile(u);
        case Kind::gamma:
            return b_ * gamma_at(u);
        case Kind::weibull:
            return b_ * det_pow(-det_log1p(-u), 1.0 / a_);
        case Kind::uniform:
            return a_ + (b_ - a_) * u;
        case Kind::empirical:
            return empirical_at(u);
    }
    return 0.0;
}

double Distribution::gamma_at(double u) const {
    if (table_ == nullptr) return gamma_quantile(u, a_);
    const double place = (normal_quantile(u) + kLastNode) * kCellsPerUnit;
    if (!(place >= 0.0 && place < kCells)) return gamma_quantile(u, a_);
    const auto index = static_cast<std::size_t>(place);
    const double t = place - static_cast<double>(index);
    const Table::Cell& cell = table_->cells[index];
    const double t2 = t * t;
    const double high = (cell.c3 + t * cell.c4) + t2 * cell.c5;
    return det_exp(cell.c0 + (t * cell.c1 + t2 * (cell.c2 + t * high)));
}

double Distribution::empirical_at(double u) const {
    const Points& points = table_->points;
    const auto above =
        std::upper_bound(points.begin() + 1, points.end() - 1, u,
                         [](double x, const auto& point) { return x < point.first; });
    const auto& [p0, v0] = *(above - 1);
    const auto& [p1, v1] = *above;
    return v0 + (v1 - v0) * ((u - p0) / (p1 - p0));
}

double Distribution::mean() const {
    switch (kind_) {
        case Kind::fixed:
        case Kind::exponential:
        case Kind::normal:
            return a_;
        case Kind::lognormal:
            return det_exp(a_ + 0.5 * b_ * b_);
        case Kind::gamma:
            return a_ * b_;
        case Kind::weibull:
            return b_ * det_exp(log_gamma(1.0 + 1.0 / a_));
        case Kind::uniform:
            return a_ + 0.5 * (b_ - a_);
        case Kind::empirical:
            break;
    }
    double sum = 0.0;
    const Points& points = table_->points;
    for (std::size_t i = 1; i < points.size(); ++i) {
        sum += (points[i].first - points[i - 1].first) * 0.5 *
               (points[i].second + points[i - 1].second);
    }
    return sum;
}

double Distribution::cv() const {
    double sd = 0.0;
    switch (kind_) {
        case Kind::fixed:
            return 0.0;
        case Kind::exponential:
            return a_ > 0.0 ? 1.0 : 0.0;
        case Kind::lognormal:
            return std::sqrt(det_expm1(b_ * b_));
        case Kind::gamma:
            return b_ > 0.0 ? 1.0 / std::sqrt(a_) : 0.0;
        case Kind::weibull: {
            if (b_ == 0.0) return 0.0;
            // E[X^2] / E[X]^2 - 1 = Gamma(1 + 2/k) / Gamma(1 + 1/k)^2 - 1.
            const double log_ratio = log_gamma(1.0 + 2.0 / a_) - 2.0 * log_gamma(1.0 + 1.0 / a_);
            return std::sqrt(std::max(0.0, det_expm1(log_ratio)));
        }
        case Kind::normal:
            sd = b_;
            break;
        case Kind::uniform:
            sd = (b_ - a_) / std::sqrt(12.0);
            break;
        case Kind::empirical: {
            // The variance about the mean, so that a narrow distribution keeps its digits.
            const double centre = mean();
            const Points& points = table_->points;
            double variance = 0.0;
            for (std::size_t i = 1; i < points.size(); ++i) {
                const double from = points[i - 1].second - centre;
                const double to = points[i].second - centre;
                variance += (points[i].first - points[i - 1].first) *
                            (from * from + from * to + to * to) / 3.0;
            }
            sd = std::sqrt(variance);
            break;
        }
    }
    if (sd == 0.0) return 0.0;
    const double centre = std::fabs(mean());
    return centre > 0.0 ? sd / centre : std::numeric_limits<double>::infinity();
}

}  // namespace headroom::inline core
