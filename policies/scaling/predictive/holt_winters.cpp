#include "policies/scaling/predictive/holt_winters.hpp"

#include <Eigen/Core>
#include <array>
#include <utility>

#include "sim/core/check.hpp"

namespace headroom::policies {

using Eigen::ArrayXd;
using Eigen::ArrayXXd;
using Eigen::Index;

namespace {

constexpr std::array<double, 10> kAlphas = {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
constexpr std::array<double, 5> kBetas = {0.0, 0.01, 0.05, 0.1, 0.2};
constexpr std::array<double, 7> kGammas = {0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5};
constexpr Index kCandidates = kAlphas.size() * kBetas.size() * kGammas.size();

Smoothing candidate(Index i) {
    const auto index = static_cast<std::size_t>(i);
    return {kAlphas[index / (kBetas.size() * kGammas.size())],
            kBetas[index / kGammas.size() % kBetas.size()], kGammas[index % kGammas.size()]};
}

double mean_of(std::span<const double> values) {
    double sum = 0.0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

/// Where a model stands after its first season.
struct Start {
    double level = 0.0;
    double trend = 0.0;
    std::vector<double> season;
};

Start start_of(std::span<const double> history, std::size_t season_length) {
    HEADROOM_CHECK(season_length > 0 && history.size() >= season_length,
                   "a forecast starts from a season");
    const std::size_t m = season_length;
    const double mean = mean_of(history.first(m));
    Start start;
    if (history.size() >= 2 * m) {
        start.trend = (mean_of(history.subspan(m, m)) - mean) / static_cast<double>(m);
    }
    // The mean belongs to the middle of the season, (m - 1) / 2 steps from either end.
    const double half = (static_cast<double>(m) - 1.0) / 2.0;
    start.level = mean + start.trend * half;
    start.season.reserve(m);
    for (std::size_t i = 0; i < m; ++i) {
        start.season.push_back(history[i] - (mean + start.trend * (static_cast<double>(i) - half)));
    }
    return start;
}

}  // namespace

HoltWinters::HoltWinters(std::span<const double> history, std::size_t season_length,
                         Smoothing smoothing)
    : smoothing_(smoothing) {
    Start start = start_of(history, season_length);
    level_ = start.level;
    trend_ = start.trend;
    season_ = std::move(start.season);
}

double HoltWinters::update(double value) {
    const double residual = value - forecast(1);
    const double step = smoothing_.alpha * residual;
    level_ = level_ + trend_ + step;
    trend_ += smoothing_.beta * step;
    season_[next_] += (1.0 - smoothing_.alpha) * smoothing_.gamma * residual;
    next_ = next_ + 1 < season_.size() ? next_ + 1 : 0;
    return residual;
}

void HoltWinters::skip() {
    level_ += trend_;
    next_ = next_ + 1 < season_.size() ? next_ + 1 : 0;
}

double HoltWinters::forecast(std::size_t steps) const {
    HEADROOM_DCHECK(steps >= 1, "the present is no forecast");
    const std::size_t at = (next_ + steps - 1) % season_.size();
    return level_ + static_cast<double>(steps) * trend_ + season_[at];
}

double squared_error(std::span<const double> history, std::size_t season_length,
                     Smoothing smoothing) {
    HoltWinters model(history, season_length, smoothing);
    double sum = 0.0;
    for (const double value : history.subspan(season_length)) {
        const double residual = model.update(value);
        sum += residual * residual;
    }
    return sum;
}

Smoothing fit_smoothing(std::span<const double> history, std::size_t season_length) {
    if (history.size() < 2 * season_length) return {};
    const Start start = start_of(history, season_length);
    ArrayXd alpha(kCandidates);
    ArrayXd beta(kCandidates);
    ArrayXd correction(kCandidates);  // (1 - alpha) gamma
    for (Index i = 0; i < kCandidates; ++i) {
        const Smoothing smoothing = candidate(i);
        alpha[i] = smoothing.alpha;
        beta[i] = smoothing.beta;
        correction[i] = (1.0 - smoothing.alpha) * smoothing.gamma;
    }
    ArrayXd level = ArrayXd::Constant(kCandidates, start.level);
    ArrayXd trend = ArrayXd::Constant(kCandidates, start.trend);
    ArrayXd error = ArrayXd::Zero(kCandidates);
    ArrayXd residual(kCandidates);
    ArrayXd step(kCandidates);
    // A column for each index of the season, a row for each candidate.
    ArrayXXd season(kCandidates, static_cast<Index>(season_length));
    for (std::size_t i = 0; i < season_length; ++i) {
        season.col(static_cast<Index>(i)).setConstant(start.season[i]);
    }
    Index next = 0;
    for (const double value : history.subspan(season_length)) {
        auto index = season.col(next);
        residual = value - (level + trend + index);
        step = alpha * residual;
        level = level + trend + step;
        trend += beta * step;
        index += correction * residual;
        error += residual * residual;
        next = next + 1 < season.cols() ? next + 1 : 0;
    }
    Index best = 0;
    for (Index i = 1; i < kCandidates; ++i) {
        if (error[i] < error[best]) best = i;
    }
    return candidate(best);
}

}  // namespace headroom::policies
