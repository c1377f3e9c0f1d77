#include "traces/generators/length_model.hpp"

#include <cmath>
#include <stdexcept>

#include "tests/unit/traces/sources_for_tests.hpp"

namespace headroom::traces {
namespace {

using Role = LengthModel::Role;

Parameters lengths(const char* distribution, Settings settings = {}) {
    settings.emplace_back("distribution", ParameterValue{std::string(distribution)});
    return with(LengthModel::specs(), settings);
}

ParameterValue quantiles(const std::vector<std::pair<double, double>>& points) {
    ParameterValue::List list;
    for (const auto& [probability, tokens] : points) {
        Parameters point;
        point.set("probability", {probability});
        point.set("tokens", {tokens});
        list.push_back(nested(point));
    }
    return {std::make_shared<const ParameterValue::List>(std::move(list))};
}

double mean_of(const LengthModel& model, int n = 200'000) {
    const RandomStream stream{5, "lengths"};
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const std::int64_t tokens = model.draw(stream, static_cast<std::uint64_t>(i)).count();
        CHECK_FALSE((tokens < model.minimum() || tokens > model.maximum()));
        sum += static_cast<double>(tokens);
    }
    return sum / n;
}

TEST_CASE("LengthModel: presets have the means of the traces they come from") {
    // Means of the trace files: 1154.70, 211.13; 2047.85, 27.88; 12035.06, 342.62.
    const auto* conversation = length_preset("azure-2023-conversation");
    REQUIRE(conversation != nullptr);
    CHECK(conversation->prompt.distribution().mean() == Approx(1154.70).epsilon(0.01));
    CHECK(conversation->output.distribution().mean() == Approx(211.13).epsilon(0.01));
    const auto* code = length_preset("azure-2023-code");
    REQUIRE(code != nullptr);
    CHECK(code->prompt.distribution().mean() == Approx(2047.85).epsilon(0.01));
    CHECK(code->output.distribution().mean() == Approx(27.88).epsilon(0.015));
    const auto* mooncake = length_preset("mooncake-conversation");
    REQUIRE(mooncake != nullptr);
    CHECK(mooncake->prompt.distribution().mean() == Approx(12035.06).epsilon(0.01));
    CHECK(mooncake->output.distribution().mean() == Approx(342.62).epsilon(0.01));
    CHECK(mean_of(code->output) == Approx(27.88).epsilon(0.02));
    CHECK(length_preset("azure") == nullptr);
}

TEST_CASE("LengthModel: every preset serves as a distribution") {
    for (const LengthPreset& preset : length_presets()) {
        const std::string name(preset.name);
        CAPTURE(name);
        for (const Role role : {Role::prompt, Role::output}) {
            const LengthModel& own = role == Role::prompt ? preset.prompt : preset.output;
            const LengthModel model = LengthModel::from(lengths(name.c_str()), role);
            CHECK(model.maximum() == own.maximum());
            CHECK(model.distribution().mean() == own.distribution().mean());
        }
        const LengthModel cut =
            LengthModel::from(lengths(name.c_str(), {{"max", {std::int64_t{64}}}}), Role::prompt);
        CHECK(cut.maximum() == 64);
    }
}

TEST_CASE("LengthModel: lognormal by mean and cv has that mean and cv") {
    const LengthModel model =
        LengthModel::from(lengths("lognormal", {{"mean", {800.0}}, {"cv", {0.7}}}), Role::prompt);
    CHECK(model.distribution().mean() == Approx(800).epsilon(1e-9));
    CHECK(model.distribution().cv() == Approx(0.7).epsilon(1e-9));
    CHECK(mean_of(model) == Approx(800).epsilon(0.01));
    const LengthModel by_mu =
        LengthModel::from(lengths("lognormal", {{"mu", {6.0}}, {"sigma", {0.5}}}), Role::output);
    CHECK(by_mu.distribution().quantile(0.5) == Approx(std::exp(6.0)));
    CHECK_THROWS_AS(LengthModel::from(lengths("lognormal", {{"mu", {6.0}}}), Role::prompt),
                    std::invalid_argument);
}

TEST_CASE("LengthModel: bounds hold, and a fixed length is itself") {
    const LengthModel cut(Distribution::lognormal(6, 2), 100, 200);
    const double mean = mean_of(cut, 10'000);
    CHECK(mean > 100);
    CHECK(mean < 200);
    const RandomStream stream{1, "x"};
    CHECK(LengthModel(Distribution::fixed(50)).draw(stream, 3) == Tokens{50});
    CHECK(LengthModel(Distribution::fixed(50), 60, 70).draw(stream, 3) == Tokens{60});
    CHECK(LengthModel::from(lengths("fixed", {{"mean", {12.0}}}), Role::prompt).draw(stream, 0) ==
          Tokens{12});
    CHECK_THROWS_AS(LengthModel::from(
                        lengths("fixed", {{"min", {std::int64_t{9}}}, {"max", {std::int64_t{8}}}}),
                        Role::prompt),
                    std::invalid_argument);
}

TEST_CASE("LengthModel: uniform, gamma and empirical follow their parameters") {
    CHECK(mean_of(LengthModel::from(
              lengths("uniform", {{"min", {std::int64_t{100}}}, {"max", {std::int64_t{300}}}}),
              Role::prompt)) == Approx(200).epsilon(0.01));
    CHECK(mean_of(LengthModel::from(lengths("gamma", {{"mean", {2201.0 * 0.93}}, {"cv", {1.037}}}),
                                    Role::prompt)) == Approx(2201.0 * 0.93).epsilon(0.01));
    const Parameters points =
        lengths("empirical", {{"quantiles", quantiles({{0, 10}, {0.5, 20}, {1, 100}})}});
    CHECK(LengthModel::from(points, Role::prompt).distribution().quantile(0.25) == Approx(15));
    for (const auto& bad : {quantiles({}), quantiles({{0, 1}, {0.5, 2}}),
                            quantiles({{0, 5}, {1, 4}}), quantiles({{0, 5}, {0, 6}, {1, 7}})}) {
        CHECK_THROWS_AS(LengthModel::from(lengths("empirical", {{"quantiles", bad}}), Role::prompt),
                        std::invalid_argument);
    }
}

TEST_CASE("LengthModel: durations have the mean and cv asked for, whatever their shape") {
    for (const char* shape : {"exponential", "lognormal", "gamma", "weibull", "fixed"}) {
        CAPTURE(shape);
        const Distribution d =
            duration_distribution(with(duration_specs(Duration::seconds(10)),
                                       {{"distribution", {std::string(shape)}}, {"cv", {2.5}}}));
        CHECK(d.mean() == Approx(10).epsilon(1e-6));
        const double cv = std::string(shape) == "fixed"         ? 0
                          : std::string(shape) == "exponential" ? 1
                                                                : 2.5;
        CHECK(d.cv() == Approx(cv).epsilon(1e-6));
    }
}

TEST_CASE("LengthSequence: equals the model at each draw, whatever the distribution") {
    std::vector<LengthModel> models = {
        LengthModel(Distribution::lognormal(6.63, 0.99), 1, 8192),
        LengthModel(Distribution::lognormal(5.02, 0.86), 20, 300),
        LengthModel(Distribution::gamma(0.2, 500)),
        LengthModel(Distribution::exponential(3)),
        LengthModel(Distribution::uniform(0.4, 2.6)),
        LengthModel(Distribution::lognormal(30, 1)),  // beyond 32 bits
        LengthModel(Distribution::fixed(17)),
    };
    for (const LengthPreset& preset : length_presets()) models.push_back(preset.prompt);
    const RandomStream stream{9, "lengths"};
    for (const LengthModel& model : models) {
        LengthSequence lengths(model, stream);
        std::int64_t differing = 0;
        for (std::uint64_t i = 0; i < 50'000; ++i) {
            if (lengths.next() != model.draw(stream, 0, i)) ++differing;
        }
        CHECK(differing == 0);
    }
}

}  // namespace
}  // namespace headroom::traces
