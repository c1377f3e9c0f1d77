#include "traces/generators/unit_gaps.hpp"

#include <string>

#include "sim/core/check.hpp"

namespace headroom::traces {

double weibull_shape(double cv) {
    HEADROOM_CHECK(cv >= kLeastCv && cv <= kMostCv,
                   "a Weibull coefficient of variation out of range");
    const double wanted = det_log(1 + cv * cv);
    // log(1 + cv^2) falls with the shape: halve between shapes of cv 4e5 and 0.006, to the last
    // bit.
    double low = 0.05, high = 200;
    for (int i = 0; i < 64; ++i) {
        const double shape = 0.5 * (low + high);
        const double got = log_gamma(1 + 2 / shape) - 2 * log_gamma(1 + 1 / shape);
        (got > wanted ? low : high) = shape;
    }
    return 0.5 * (low + high);
}

UnitGaps UnitGaps::poisson(RandomStream stream) {
    return {Kind::exponential, Distribution::exponential(1), stream};
}

UnitGaps UnitGaps::gamma(double cv, RandomStream stream) {
    return {Kind::other, Distribution::gamma(1 / (cv * cv), cv * cv), stream};
}

UnitGaps UnitGaps::weibull(double cv, RandomStream stream) {
    return weibull_of_shape(weibull_shape(cv), stream);
}

UnitGaps UnitGaps::weibull_of_shape(double shape, RandomStream stream) {
    const double scale = det_exp(-log_gamma(1 + 1 / shape));
    return {Kind::other, Distribution::weibull(shape, scale), stream};
}

UnitGaps UnitGaps::constant(RandomStream stream) {
    return {Kind::constant, Distribution::fixed(1), stream};
}

UnitGaps UnitGaps::from(const Parameters& parameters, RandomStream stream) {
    const std::string& kind = parameters.text("gaps");
    const double cv = parameters.number("cv");
    if (kind == "gamma") return gamma(cv, stream);
    if (kind == "weibull") return weibull(cv, stream);
    if (kind == "constant") return constant(stream);
    HEADROOM_CHECK(kind == "poisson", "an unknown kind of gaps passed the validation");
    return poisson(stream);
}

ParameterSpecs UnitGaps::specs() {
    return {
        ParameterSpec::choice("gaps", {"poisson", "gamma", "weibull", "constant"}, "poisson",
                              "how gaps scatter around the rate of the moment"),
        ParameterSpec::number("cv", 1,
                              "coefficient of variation of gamma and Weibull gaps; above 1 is "
                              "bursty")
            .at_least(kLeastCv)
            .at_most(kMostCv),
    };
}

}  // namespace headroom::traces
