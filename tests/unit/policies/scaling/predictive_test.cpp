#include <array>
#include <cmath>
#include <vector>

#include "policies/scaling/predictive/holt_winters.hpp"
#include "policies/scaling/predictive/load_buckets.hpp"
#include "policies/scaling/predictive/load_forecast.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/core/time_at.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"

namespace headroom::policies {
namespace {

using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;
using tests::at;
using tests::whole;

constexpr std::uint64_t kWaveSeed = 1960;

TEST_CASE("HoltWinters: the state after each value, by hand") {
    // Mean 15, no trend, season -5, +5.
    const std::vector<double> season = {10, 20};
    HoltWinters model(season, 2, {.alpha = 0.5, .beta = 0.5, .gamma = 0.5});
    CHECK(model.forecast(1) == 10.0);
    CHECK(model.forecast(2) == 20.0);
    // e = 12 - 10 = 2: level 15 + 0 + 0.5 * 2 = 16, trend 0.5 * 0.5 * 2 = 0.5,
    // season[0] = -5 + 0.5 * 0.5 * 2 = -4.5.
    CHECK(model.update(12) == 2.0);
    CHECK(model.forecast(1) == 21.5);  // 16 + 0.5 + 5
    CHECK(model.forecast(2) == 12.5);  // 16 + 1 - 4.5
    CHECK(model.forecast(3) == 22.5);  // 16 + 1.5 + 5
    // e = -1.5: level 16 + 0.5 - 0.75 = 15.75, trend 0.5 - 0.375 = 0.125, season[1] = 4.625.
    CHECK(model.update(20) == -1.5);
    CHECK(model.forecast(1) == 11.375);  // 15.75 + 0.125 - 4.5
    CHECK(model.forecast(2) == 20.625);  // 15.75 + 0.25 + 4.625
    // Skipped: the same line goes on, a step nearer.
    model.skip();
    CHECK(model.forecast(1) == 20.625);
}

TEST_CASE("HoltWinters: a second season gives the trend") {
    // Means 15 and 19: 2 a step. Against the line 14, 16 of the first season: -4, +4.
    const std::vector<double> history = {10, 20, 14, 24};
    HoltWinters model(history, 2, {});
    CHECK(model.forecast(1) == 14.0);
    CHECK(model.forecast(2) == 24.0);
    CHECK(model.forecast(4) == 28.0);
    CHECK(squared_error(history, 2, {}) == 0.0);
}

/// A daily wave with noise, in milli-units.
std::vector<double> wave(std::size_t season, std::size_t seasons, double noise) {
    const RandomStream random{kWaveSeed, "wave"};
    std::vector<double> values;
    for (std::size_t i = 0; i < season * seasons; ++i) {
        const auto hour = static_cast<double>(i % season) / static_cast<double>(season);
        const double triangle = hour < 0.5 ? 2 * hour : 2 - 2 * hour;
        const auto draw = static_cast<double>(random.below(1000, i)) / 1000.0;
        values.push_back(std::floor(1e6 * (1 + triangle) + noise * (draw - 0.5)));
    }
    return values;
}

/// The best of the grid, as a plain loop finds it.
Smoothing best_of_grid(const std::vector<double>& history, std::size_t season) {
    Smoothing best;
    double least = -1.0;
    for (const double alpha : {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}) {
        for (const double beta : {0.0, 0.01, 0.05, 0.1, 0.2}) {
            for (const double gamma : {0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5}) {
                const double error = squared_error(history, season, {alpha, beta, gamma});
                if (least >= 0.0 && error >= least) continue;
                least = error;
                best = {alpha, beta, gamma};
            }
        }
    }
    return best;
}

TEST_CASE("HoltWinters: the fit is the best of its grid, as a plain loop finds it") {
    for (const double noise : {0.0, 3e5, 2e6}) {
        const std::vector<double> history = wave(24, 4, noise);
        INFO("noise " << noise << ", seed " << kWaveSeed);
        CHECK(fit_smoothing(history, 24) == best_of_grid(history, 24));
    }
    // A load that grows faster and faster, and a season that changes, need beta and gamma.
    std::vector<double> growing = wave(24, 4, 1e5);
    for (std::size_t i = 0; i < growing.size(); ++i) {
        const auto x = static_cast<double>(i);
        growing[i] = growing[i] * (1.0 + 0.01 * x) + 400.0 * x * x;
    }
    const Smoothing best = fit_smoothing(growing, 24);
    CHECK(best == best_of_grid(growing, 24));
    CHECK(best.beta > 0.0);
    CHECK(best.gamma > 0.0);
    // Nothing to learn from less than two seasons.
    CHECK(fit_smoothing(wave(24, 1, 0.0), 24) == Smoothing{});
}

TEST_CASE("HoltWinters: equal fits go to the slowest smoothing") {
    CHECK(fit_smoothing(std::vector<double>{1, 2, 1, 2, 1, 2}, 2) == Smoothing{0.05, 0.0, 0.0});
}

TEST_CASE("LoadBuckets: a sample belongs to the span before it") {
    LoadBuckets buckets(Duration::seconds(60));
    CHECK_FALSE(buckets.close_next(at(0)).has_value());
    buckets.add(at(0), 9999);  // of the time before the run
    buckets.add(at(30), 100);
    CHECK_FALSE(buckets.close_next(at(60)).has_value());
    buckets.add(at(60), 200);
    CHECK(buckets.steps_to(at(59)) == 1);
    CHECK(buckets.steps_to(at(60)) == 2);
    const auto first = buckets.close_next(at(195));
    REQUIRE(first.has_value());
    CHECK(first->mean == 150.0);
    // Nothing was sampled in (60, 180]: two empty ones, then the one in progress.
    CHECK_FALSE(buckets.close_next(at(195))->mean.has_value());
    CHECK_FALSE(buckets.close_next(at(195))->mean.has_value());
    CHECK_FALSE(buckets.close_next(at(195)).has_value());
    CHECK(buckets.steps_to(at(195)) == 1);
    CHECK(buckets.steps_to(at(300)) == 3);
}

TEST_CASE("LoadForecast: ready after a season; the margin is a quantile of the residuals") {
    LoadForecast forecast(4, 7, Smoothing{0.0, 0.0, 0.0}, 750);
    forecast.append(std::nullopt);  // before the first value: left out
    for (const double value : {10.0, 20.0, 30.0}) forecast.append(value);
    CHECK_FALSE(forecast.ready());
    CHECK(forecast.known() == 3);
    forecast.append(std::nullopt);  // as the last one
    REQUIRE(forecast.ready());
    // The season 10, 20, 30, 30 repeats for ever with nothing learnt.
    CHECK(forecast.peak(1, 1) == 10.0);
    CHECK(forecast.peak(1, 2) == 20.0);
    CHECK(forecast.peak(1, 1000) == 30.0);
    CHECK(forecast.peak(5, 5) == 10.0);
    CHECK(forecast.margin() == 0.0);
    // Residuals 1, -2, 5, 3; the 3rd of four in order (0.75 * 4) is 3.
    forecast.append(11.0);
    CHECK(forecast.margin() == 1.0);
    forecast.append(18.0);
    CHECK(forecast.margin() == 1.0);  // rank ceil(0.75 * 2) = 2 of -2, 1
    forecast.append(35.0);
    CHECK(forecast.margin() == 5.0);  // rank 3 of 3
    forecast.append(33.0);
    CHECK(forecast.margin() == 3.0);
    // The fifth, 0, takes the first one's place: -2, 0, 3, 5.
    forecast.append(10.0);
    CHECK(forecast.margin() == 3.0);
    forecast.append(std::nullopt);  // unknown: no residual
    CHECK(forecast.margin() == 3.0);
}

TEST_CASE("LoadForecast: auto fits when two seasons are known, from the newest ones") {
    const std::vector<double> days = wave(24, 5, 3e5);
    LoadForecast forecast(24, 3, std::nullopt, 900);
    for (std::size_t i = 0; i < days.size(); ++i) {
        forecast.append(days[i]);
        const std::span<const double> so_far(days.data(), i + 1);
        if (i + 1 == 24) CHECK(forecast.smoothing() == Smoothing{});
        if (i + 1 == 48) CHECK(forecast.smoothing() == fit_smoothing(so_far, 24));
        if (i + 1 == 120) CHECK(forecast.smoothing() == fit_smoothing(so_far.last(72), 24));
    }
    HoltWinters model(std::span<const double>(days).last(72), 24, forecast.smoothing());
    for (std::size_t i = 72; i < 120; ++i) model.update(days[i]);
    CHECK(forecast.peak(1, 1) == model.forecast(1));
}

ParameterValue seconds(std::int64_t s) {
    return {Duration::seconds(s)};
}
ParameterValue numbers(const std::vector<double>& values) {
    ParameterValue::List elements;
    for (const double value : values) elements.push_back({value});
    return list(std::move(elements));
}

/// 100 units a replica, buckets of a minute, a season of four.
std::unique_ptr<ScalingPolicy> make_predictive(const Changes& changes) {
    return make_scaler("predictive",
                       {{"capacity_per_replica", whole(100'000)},
                        {"max_replicas", whole(50)},
                        {"season", seconds(240)},
                        {"bucket", seconds(60)},
                        {"horizon", seconds(60)},
                        {"scale_down_delay", seconds(0)}},
                       changes);
}

ScalingView view_with_load(std::int64_t s, std::int64_t replicas,
                           std::optional<std::int64_t> load) {
    ScalingView v = view_of_replicas(s, replicas);
    control::MetricReading reading;
    reading.available = load.has_value();
    if (load) reading.values_milli = {*load * 1000};
    v.metrics = {std::move(reading)};
    return v;
}

TEST_CASE("Predictive: takes the most of the forecast over a cold start and one bucket more") {
    // Minutes of 100, 100, 400 and 200 per second; at time zero the minutes 0, 1 and 2 count.
    const auto policy = make_predictive({{"history", numbers({100, 100, 400, 200})}});
    const auto early = policy->decide(view_with_load(0, 1, 100));
    CHECK(early.desired == 4);
    CHECK(early.outcome == ScalingOutcome::scaled);
    CHECK(early.reason == "4 wanted: 400 forecast within 60 s");
    CHECK(early.inputs ==
          "arrivals_per_second 100 now; 100 a replica; forecast 400 (margin 0) within 60 s, "
          "alpha 0.30 beta 0.00 gamma 0.20");
    // No horizon: the minutes 0 and 1.
    const Changes now = {{"history", numbers({100, 100, 400, 200})}, {"horizon", seconds(0)}};
    CHECK(make_predictive(now)->decide(view_with_load(0, 1, 100)).desired == 1);
    // A measured cold start takes the horizon's place: 59 s are the minutes 0 and 1, 60 s minute 2.
    ScalingView measured = view_with_load(0, 1, 100);
    measured.mean_time_to_ready = Duration::seconds(59);
    CHECK(make_predictive(now)->decide(measured).desired == 1);
    measured.mean_time_to_ready = Duration::seconds(60);
    const auto reached = make_predictive(now)->decide(measured);
    CHECK(reached.desired == 4);
    CHECK(reached.inputs.find("within the cold start of 60 s") != std::string::npos);
}

TEST_CASE("Predictive: never below what the present load needs, unless told so") {
    const Changes history = {{"history", numbers({100, 100, 100, 100})}};
    const auto policy = make_predictive(history);
    const auto surprised = policy->decide(view_with_load(15, 1, 650));
    CHECK(surprised.desired == 7);
    CHECK(surprised.reason == "7 wanted: 650 now, above the 100 forecast");
    Changes safe = history;
    safe.emplace_back("safety_factor", whole(1200));
    CHECK(make_predictive(safe)->decide(view_with_load(15, 1, 650)).desired ==
          8);  // 650 * 1.2 / 100 = 7.8
    Changes blind = history;
    blind.emplace_back("reactive", ParameterValue{false});
    CHECK(make_predictive(blind)->decide(view_with_load(15, 1, 650)).desired == 1);
}

TEST_CASE("Predictive: reacts and says so until a season is known") {
    const auto policy = make_predictive({});
    CHECK(policy->observes_every() == Duration::seconds(15));
    const auto first = policy->decide(view_with_load(15, 1, 250));
    CHECK(first.desired == 3);
    CHECK(first.reason == "3 wanted: 250 now; reactive: 0 of the 4 values of a season known");
    const std::array<std::int64_t, 4> minutes = {100, 100, 400, 200};
    for (std::int64_t s = 15; s <= 240; s += 15) {
        policy->observe(view_with_load(s, 3, minutes[static_cast<std::size_t>((s - 1) / 60)]));
    }
    // The season's last bucket closes with the first call past its end.
    CHECK(policy->decide(view_with_load(240, 3, 200)).reason ==
          "2 wanted: 200 now; reactive: 3 of the 4 values of a season known");
    // At 255 s, in minute 4, the minutes 4 to 6 count: 100, 100 and 400.
    CHECK(policy->decide(view_with_load(255, 2, 100)).desired == 4);
}

TEST_CASE("Predictive: without a reading the forecast decides alone; without both, nothing") {
    const auto policy = make_predictive({{"history", numbers({100, 100, 400, 200})}});
    const auto decision = policy->decide(view_with_load(0, 1, std::nullopt));
    CHECK(decision.desired == 4);
    CHECK(decision.inputs.find("no reading now") != std::string::npos);
    const auto blind = make_predictive({})->decide(view_with_load(0, 2, std::nullopt));
    CHECK(blind.desired == 2);
    CHECK(blind.outcome == ScalingOutcome::no_metrics);
}

TEST_CASE("Predictive: the margin of past errors is added to the forecast") {
    // Nothing is learnt; the second season is 50 above the first, and so is each residual.
    const auto policy = make_predictive({{"smoothing", {std::string("given")}},
                                         {"alpha", {0.0}},
                                         {"gamma", {0.0}},
                                         {"history", numbers({100, 100, 100, 100})}});
    for (std::int64_t s = 15; s <= 240; s += 15) policy->observe(view_with_load(s, 2, 150));
    const auto decision = policy->decide(view_with_load(255, 2, 100));
    CHECK(decision.desired == 2);
    CHECK(decision.reason == "2 wanted: 150 forecast within 60 s");
}

/// Steps of the second day that are short of replicas, when one takes `cold` steps to start, and
/// the sum of replicas paid for. The season is known at the end of the first day, so what it calls
/// for is ready a cold start and a bucket later.
struct Day {
    std::int64_t short_steps = 0;
    std::int64_t paid = 0;
};

Day second_day(ScalingPolicy& policy, std::int64_t cold_steps) {
    constexpr std::int64_t kStep = 60;
    constexpr std::int64_t kSteps = 240;  // a day of 240 minutes, buckets of 10
    Day day;
    std::int64_t desired = 2;
    std::vector<std::int64_t> starting;  // the steps at which replicas become ready
    std::int64_t ready = 2;
    for (std::int64_t step = 0; step < 2 * kSteps; ++step) {
        const std::int64_t hour = step % kSteps;
        const std::int64_t load = 200 + (hour < 120 ? hour : 240 - hour) * 10;  // 200 to 1400
        ScalingView v = view_with_load(step * kStep, desired, load);
        v.mean_time_to_ready = Duration::seconds(cold_steps * kStep);
        policy.observe(v);
        const std::int64_t next = policy.decide(v).desired;
        while (!starting.empty() && starting.front() <= step) {
            starting.erase(starting.begin());
            ++ready;
        }
        for (; desired < next; ++desired) starting.push_back(step + cold_steps);
        for (; desired > next; --desired) {
            if (starting.empty()) {
                --ready;
            } else {
                starting.pop_back();
            }
        }
        if (step < kSteps + cold_steps + 10) continue;
        day.short_steps += ready * 100 < load ? 1 : 0;
        day.paid += desired;
    }
    return day;
}

TEST_CASE(
    "Predictive: on the second day replicas are there before the load, reactive ones are not") {
    const Changes common = {{"season", seconds(14'400)}, {"bucket", seconds(600)}};
    const auto predictive = make_predictive(common);
    Changes endless = common;
    endless[0].second = seconds(144'000);  // the season is never known: reactive for ever
    const auto reactive = make_predictive(endless);
    const Day foresighted = second_day(*predictive, 10);
    const Day late = second_day(*reactive, 10);
    CHECK(foresighted.short_steps == 0);
    // Rising by 100 in 10 steps, each of the 12 replicas is 10 steps late.
    CHECK(late.short_steps >= 90);
    CHECK(foresighted.paid < late.paid * 5 / 4);
}

TEST_CASE("Predictive: configurations that cannot work are faults, and do no harm") {
    CHECK(make_predictive({})->faults().empty());
    CHECK(make_predictive({{"season", seconds(250)}})->faults().at(0).pointer == "/season");
    CHECK(make_predictive({{"season", seconds(60)}})->faults().at(0).expectation ==
          "expected 2 to 10080 buckets (60 s), found 1");
    CHECK(make_predictive({{"season", seconds(1'000'000)}, {"bucket", seconds(10)}})
              ->faults()
              .size() == 2);
    CHECK(make_predictive({{"sample_period", seconds(61)}})->faults().at(0).pointer ==
          "/sample_period");
    const auto faults = make_predictive({{"history", numbers({1, -2, 1e300, std::nan("")})},
                                         {"min_replicas", whole(60)}})
                            ->faults();
    REQUIRE(faults.size() == 4);
    CHECK(faults[0].pointer == "/min_replicas");
    CHECK(faults[1].pointer == "/history/1");
    CHECK(faults[3].pointer == "/history/3");
    // Out of its range, a bucket of nothing is made one of a second.
    const auto odd = make_predictive({{"season", seconds(250)}, {"bucket", seconds(0)}});
    CHECK(odd->decide(view_with_load(100, 3, 250)).desired == 3);
}

}  // namespace
}  // namespace headroom::policies
