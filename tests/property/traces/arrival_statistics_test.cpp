/// What a law of large numbers promises of the arrival processes, at fixed seeds: bounds are four
/// standard deviations or more of the statistic, so a right generator passes for any seed.

#include <cmath>
#include <vector>

#include "tests/unit/traces/sources_for_tests.hpp"

namespace headroom::traces {
namespace {

struct Gaps {
    double mean = 0;
    double cv = 0;
};

Gaps gaps_of(ArrivalProcess& process, int count) {
    std::vector<double> gaps;
    Time last;
    for (int i = 0; i < count; ++i) {
        const Time t = process.next();
        gaps.push_back((t - last).to_seconds());
        last = t;
    }
    Gaps result;
    for (const double gap : gaps) result.mean += gap / count;
    double squares = 0;
    for (const double gap : gaps) squares += (gap - result.mean) * (gap - result.mean) / count;
    result.cv = std::sqrt(squares) / result.mean;
    return result;
}

constexpr int kCount = 200'000;

TEST_CASE("ArrivalProcess: steady processes have their rate and coefficient of variation") {
    for (const std::uint64_t seed : {1ULL, 2ULL, 3ULL}) {
        CAPTURE(seed);
        const Gaps poisson = gaps_of(*process("poisson", rate(4), seed), kCount);
        CHECK(poisson.mean == Approx(0.25).epsilon(4 / std::sqrt(kCount)));
        CHECK(poisson.cv == Approx(1).epsilon(0.01));
        for (const char* name : {"gamma", "weibull"}) {
            for (const double cv : {0.3, 1.0, 2.0, 4.0}) {
                CAPTURE(name, cv);
                const Gaps gaps =
                    gaps_of(*process(name, {{"rate", {4.0}}, {"cv", {cv}}}, seed), kCount);
                CHECK(gaps.mean == Approx(0.25).epsilon(4 * cv / std::sqrt(kCount)));
                CHECK(gaps.cv == Approx(cv).epsilon(0.01 + 0.03 * cv));
            }
        }
    }
}

TEST_CASE("ArrivalProcess: gamma and Weibull gaps of cv 1 are exponential, arrival by arrival") {
    const auto poisson = process("poisson", rate(3));
    const auto gamma = process("gamma", {{"rate", {3.0}}, {"cv", {1.0}}});
    const auto weibull = process("weibull", {{"rate", {3.0}}, {"shape", {1.0}}});
    for (int i = 0; i < 1000; ++i) {
        const double t = poisson->next().to_seconds();
        CHECK(gamma->next().to_seconds() == Approx(t).epsilon(1e-8));
        CHECK(weibull->next().to_seconds() == Approx(t).epsilon(1e-8));
    }
}

ParameterValue seconds(int s) {
    return {Duration::seconds(s)};
}

/// Counts of arrivals in windows of `width`, over many cycles of `cycle`, against the integral.
void check_windows(const std::string& name, const Settings& settings, int cycle, int width) {
    for (const std::uint64_t seed : {11ULL, 12ULL}) {
        const auto p = process(name, settings, seed);
        constexpr int kCycles = 50;
        std::vector<double> counts(static_cast<std::size_t>(cycle / width), 0);
        for (Time t = p->next(); t < Time::zero() + Duration::seconds(cycle) * kCycles;
             t = p->next()) {
            const std::int64_t at =
                t.since_start() % Duration::seconds(cycle) / Duration::seconds(width);
            ++counts[static_cast<std::size_t>(at)];
        }
        double chi_square = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            const auto edge = [&](std::size_t window) {
                const auto from = static_cast<std::int64_t>(window) * width;
                return p->expected_by(Time::zero() + Duration::seconds(from));
            };
            const double expected = (edge(i + 1) - edge(i)) * kCycles;
            CAPTURE(name, seed, i, expected);
            CHECK(std::fabs(counts[i] - expected) <= 4.5 * std::sqrt(expected) + 1e-9);
            if (expected > 0) {
                chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
            }
        }
        // Poisson counts: chi^2 has a mean of the number of windows and twice that as variance.
        const auto windows = static_cast<double>(counts.size());
        CHECK(chi_square < windows + 5 * std::sqrt(2 * windows));
    }
}

TEST_CASE(
    "ArrivalProcess: modulated Poisson processes count what their rate says, window by window") {
    check_windows(
        "steps",
        {{"steps", rate_list({{0, 5}, {20, 0}, {40, 30}, {60, 2}})}, {"period", seconds(100)}}, 100,
        5);
    check_windows("steps",
                  {{"steps", rate_list({{0, 5}, {20, 0}, {40, 30}, {60, 2}, {100, 5}})},
                   {"interpolation", {std::string("linear")}},
                   {"period", seconds(100)}},
                  100, 5);
    check_windows("flash-crowd",
                  {{"rate", {3.0}},
                   {"multiplier", {8.0}},
                   {"start", seconds(30)},
                   {"ramp", seconds(10)},
                   {"hold", seconds(20)},
                   {"decay", seconds(30)},
                   {"every", seconds(120)}},
                  120, 5);
    check_windows("diurnal",
                  {{"rate", {10.0}},
                   {"amplitude", {1.0}},
                   {"period", seconds(200)},
                   {"peak_at", seconds(60)}},
                  200, 10);
    check_windows("diurnal", {{"rate", {10.0}}, {"peak_to_mean", {1.4}}, {"period", seconds(200)}},
                  200, 10);
}

TEST_CASE(
    "ArrivalProcess: a modulated process is the unit process through the integral of its rate") {
    // The same uniforms: the integral at arrival i of any profile is arrival i of the unit process.
    const auto unit = process("poisson", rate(1));
    const std::vector<std::pair<std::string, Settings>> profiles = {
        {"diurnal", {{"rate", {7.0}}, {"amplitude", {1.0}}, {"period", seconds(50)}}},
        {"flash-crowd", {{"rate", {7.0}}, {"start", seconds(10)}, {"hold", seconds(30)}}},
        {"steps", {{"steps", rate_list({{1, 2}, {3, 90}, {5, 0}, {50, 4}})}}},
    };
    std::vector<std::unique_ptr<ArrivalProcess>> made;
    for (const auto& [name, settings] : profiles) made.push_back(process(name, settings));
    for (int i = 0; i < 20'000; ++i) {
        const double expected = unit->next().to_seconds();
        for (const auto& p : made) {
            REQUIRE(p->expected_by(p->next()) == Approx(expected).epsilon(1e-9).margin(1e-8));
        }
    }
}

TEST_CASE("ArrivalProcess: burstiness is kept by the time change") {
    const auto p = process(
        "steps", {{"steps", rate_list({{0, 4}})}, {"gaps", {std::string("gamma")}}, {"cv", {3.0}}});
    const auto steady = process("gamma", {{"rate", {4.0}}, {"cv", {3.0}}});
    for (int i = 0; i < 10'000; ++i) {
        REQUIRE(p->next().to_seconds() == Approx(steady->next().to_seconds()).margin(1e-7));
    }
}

}  // namespace
}  // namespace headroom::traces
