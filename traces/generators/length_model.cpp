#include "traces/generators/length_model.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"
#include "traces/generators/unit_gaps.hpp"

namespace headroom::traces {

LengthModel::LengthModel(Distribution distribution, std::int64_t minimum, std::int64_t maximum)
    : distribution_(std::move(distribution)), minimum_(minimum), maximum_(maximum) {
    HEADROOM_CHECK(1 <= minimum && minimum <= maximum, "the bounds of a length are out of order");
    if (distribution_.kind() == Distribution::Kind::fixed) {
        const std::int64_t n = distribution_.whole_at(0.5);
        fixed_ = n < minimum ? minimum : n > maximum ? maximum : n;
    }
}

LengthSequence::LengthSequence(LengthModel model, RandomStream stream)
    : model_(std::move(model)), draws_(stream) {
    if (!model_.fixed()) cells_.assign(kCells, kNew);
}

Tokens LengthSequence::look_closer(double u) {
    const auto index = static_cast<std::size_t>(u * kCells);
    std::int32_t& cell = cells_[index];
    const Tokens length = model_.at(u);
    if (cell == kNew) {
        cell = kMixed;
        // The outermost cells have ends that no length belongs to.
        if (index > 0 && index + 1 < kCells) {
            const std::int64_t low = model_.at(static_cast<double>(index) / kCells).count();
            const std::int64_t high = model_.at(static_cast<double>(index + 1) / kCells).count();
            if (low == high && low <= std::numeric_limits<std::int32_t>::max()) {
                cell = static_cast<std::int32_t>(low);
            }
        }
    }
    return length;
}

Distribution lognormal_of(double mean, double cv) {
    const double variance = det_log1p(cv * cv);
    return Distribution::lognormal(det_log(mean) - 0.5 * variance, std::sqrt(variance));
}

namespace {

std::vector<std::string> distribution_names() {
    std::vector<std::string> names = {"fixed", "uniform", "lognormal", "gamma", "empirical"};
    for (const LengthPreset& preset : length_presets()) names.emplace_back(preset.name);
    return names;
}

Distribution empirical_from(const Parameters& p) {
    Distribution::Points points;
    for (const ParameterValue& entry : p.list("quantiles")) {
        const Parameters& point = *std::get<std::shared_ptr<const Parameters>>(entry.data);
        const double probability = point.number("probability");
        const double tokens = point.number("tokens");
        if (!points.empty() &&
            (probability <= points.back().first || tokens < points.back().second)) {
            throw std::invalid_argument(
                "quantiles are out of order; expected rising probabilities and no falling tokens");
        }
        points.emplace_back(probability, tokens);
    }
    if (points.size() < 2 || points.front().first != 0 || points.back().first != 1) {
        throw std::invalid_argument(
            "quantiles do not span 0 to 1; expected the first of probability 0 and the last of 1");
    }
    return Distribution::empirical(std::move(points));
}

Distribution distribution_from(const Parameters& p, const std::string& kind) {
    const double mean = p.number("mean");
    const double cv = p.number("cv");
    if (kind == "fixed") return Distribution::fixed(mean);
    if (kind == "uniform") {
        return Distribution::uniform(static_cast<double>(p.integer("min")),
                                     static_cast<double>(p.integer("max")));
    }
    if (kind == "lognormal") {
        if (p.given("mu") != p.given("sigma")) {
            throw std::invalid_argument("one of mu and sigma alone; expected both, or mean and cv");
        }
        return p.given("mu") ? Distribution::lognormal(p.number("mu"), p.number("sigma"))
                             : lognormal_of(mean, cv);
    }
    if (kind == "gamma") {
        if (cv < kLeastCv) {
            throw std::invalid_argument("a cv of gamma below 0.02; expected more, or fixed");
        }
        return Distribution::gamma(1 / (cv * cv), mean * cv * cv);
    }
    HEADROOM_CHECK(kind == "empirical", "an unknown distribution passed the validation");
    return empirical_from(p);
}

}  // namespace

ParameterSpecs LengthModel::specs() {
    constexpr auto kMost = static_cast<double>(kMostTokens);
    ParameterSpecs quantile = {
        ParameterSpec::number("probability", 0, "share of requests at or below")
            .required()
            .at_least(0)
            .at_most(1),
        ParameterSpec::number("tokens", 1, "length there").required().at_least(0).at_most(kMost),
    };
    return {
        ParameterSpec::choice("distribution", distribution_names(), "fixed",
                              "shape of the distribution, or the name of a preset"),
        ParameterSpec::number("mean", 512, "of fixed, lognormal and gamma")
            .above(0)
            .at_most(kMost)
            .in("tokens"),
        ParameterSpec::number("cv", 1, "standard deviation over mean, of lognormal and gamma")
            .at_least(0)
            .at_most(kMostCv),
        ParameterSpec::number("mu", 6, "of lognormal: mean of the logarithm, with sigma")
            .optional_without_default()
            .at_least(-10)
            .at_most(20),
        ParameterSpec::number("sigma", 1, "of lognormal: standard deviation of the logarithm")
            .optional_without_default()
            .at_least(0)
            .at_most(10),
        ParameterSpec::list(
            "quantiles", ParameterSpec::object("quantile", std::move(quantile), "one point"),
            "of empirical: points of the quantile function, from probability 0 to 1"),
        ParameterSpec::integer("min", 1, "shorter ones get this length; of uniform: the least")
            .at_least(1)
            .at_most(kMost)
            .in("tokens"),
        ParameterSpec::integer("max", kMostTokens,
                               "longer ones get this length; of uniform: the greatest")
            .at_least(1)
            .at_most(kMost)
            .in("tokens"),
    };
}

LengthModel LengthModel::from(const Parameters& parameters, Role role) {
    const std::int64_t low = parameters.integer("min");
    const std::int64_t high = parameters.integer("max");
    if (low > high) throw std::invalid_argument("min is above max; expected min <= max");
    const std::string& kind = parameters.text("distribution");
    if (const LengthPreset* preset = length_preset(kind)) {
        const LengthModel& model = role == Role::prompt ? preset->prompt : preset->output;
        // The preset's own bounds hold as well, where the two overlap.
        const std::int64_t least = std::clamp(model.minimum(), low, high);
        return LengthModel(model.distribution(), least, std::clamp(model.maximum(), least, high));
    }
    return LengthModel(distribution_from(parameters, kind), low, high);
}

std::vector<const char*> LengthModel::unused(const Parameters& parameters) {
    const std::string& kind = parameters.text("distribution");
    if (kind == "fixed") return {"cv", "mu", "sigma", "quantiles"};
    if (kind == "gamma") return {"mu", "sigma", "quantiles"};
    if (kind == "empirical") return {"mean", "cv", "mu", "sigma"};
    if (kind != "lognormal") return {"mean", "cv", "mu", "sigma", "quantiles"};
    if (parameters.given("mu")) return {"mean", "cv", "quantiles"};
    return {"quantiles"};
}

ParameterSpecs duration_specs(Duration mean) {
    return {
        ParameterSpec::choice("distribution",
                              {"fixed", "exponential", "lognormal", "gamma", "weibull"},
                              "exponential", "shape of the distribution"),
        ParameterSpec::duration("mean", mean, "mean").at_most(8'640'000),
        ParameterSpec::number("cv", 1, "standard deviation over mean, of the last three")
            .at_least(kLeastCv)
            .at_most(kMostCv),
    };
}

Distribution duration_distribution(const Parameters& parameters) {
    const std::string& kind = parameters.text("distribution");
    const double mean = parameters.duration("mean").to_seconds();
    const double cv = parameters.number("cv");
    if (kind == "fixed" || mean == 0) return Distribution::fixed(mean);
    if (kind == "exponential") return Distribution::exponential(mean);
    if (kind == "lognormal") return lognormal_of(mean, cv);
    if (kind == "gamma") return Distribution::gamma(1 / (cv * cv), mean * cv * cv);
    HEADROOM_CHECK(kind == "weibull", "an unknown distribution passed the validation");
    const double shape = weibull_shape(cv);
    return Distribution::weibull(shape, mean * det_exp(-log_gamma(1 + 1 / shape)));
}

std::vector<const char*> unused_of_duration(const Parameters& parameters) {
    const std::string& kind = parameters.text("distribution");
    if (kind == "fixed" || kind == "exponential") return {"cv"};
    return {};
}

}  // namespace headroom::traces
