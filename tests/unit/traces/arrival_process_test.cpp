#include "traces/generators/arrival_process.hpp"

#include <cmath>
#include <vector>

#include "tests/unit/traces/sources_for_tests.hpp"
#include "traces/generators/unit_gaps.hpp"

namespace headroom::traces {
namespace {

std::vector<std::int64_t> first(const std::string& name, const Settings& settings) {
    const auto p = process(name, settings);
    std::vector<std::int64_t> times;
    for (int i = 0; i < 6; ++i) times.push_back(p->next().ps());
    return times;
}
using Ps = std::vector<std::int64_t>;

ParameterValue text(const char* value) {
    return {std::string(value)};
}
ParameterValue seconds(int s) {
    return {Duration::seconds(s)};
}

TEST_CASE("ArrivalProcess: the first arrivals of each process are as recorded") {
    CHECK(first("poisson", rate(2)) ==
          Ps{48450070300, 73834456186, 460047383373, 771020170597, 901019889481, 2327228582631});
    CHECK(first("gamma", rate(2)) ==
          Ps{98206949, 106312671, 118734165195, 182416378174, 186130932132, 2407315600312});
    CHECK(first("weibull", rate(2)) ==
          Ps{3899086397, 5083970745, 183808462652, 303697991091, 327731493412, 2312139646687});
    CHECK(first("constant", rate(3)) ==
          Ps{0, 333333333333, 666666666667, 1000000000000, 1333333333333, 1666666666667});
    CHECK(first("diurnal", rate(2)) ==
          Ps{96900140598, 147668912368, 920094766058, 1542040337960, 1802039773801, 4654457076381});
    CHECK(first("flash-crowd", {{"rate", {2.0}}, {"start", seconds(1)}}) ==
          Ps{48450070300, 73834456186, 460047383373, 771020170597, 901019889481, 2226879667983});
    CHECK(first("steps", {{"steps", rate_list({{0, 1}, {2, 10}})}}) ==
          Ps{96900140599, 147668912371, 920094766745, 1542040341192, 1802039778959, 2265445716526});
    CHECK(first("steps", {{"steps", rate_list({{0, 1}, {2, 10}, {4, 0}})},
                          {"interpolation", text("linear")},
                          {"period", seconds(4)},
                          {"gaps", text("gamma")},
                          {"cv", {3.0}}}) ==
          Ps{2694, 2704, 19992964179, 24899513419, 24908078867, 1299275579588});
}

TEST_CASE("ArrivalProcess: every registered process moves forward and ends at the horizon") {
    for (const auto& [name, entry] : Registry<ArrivalProcess>::instance().entries()) {
        CAPTURE(name);
        Settings settings;
        if (name == "steps") {
            settings = {{"steps", rate_list({{0, 2e-7}, {1, 1e-7}})}};
        } else {
            settings = rate(2e-7);  // a request in 58 days
        }
        const auto p = process(name, settings);
        Time last;
        int count = 0;
        for (; count < 100; ++count) {
            const Time t = p->next();
            if (t == Time::max()) break;
            REQUIRE(t >= last);
            REQUIRE(t <= Time::horizon_limit());
            last = t;
        }
        CHECK(count < 100);
        CHECK(p->next() == Time::max());
        CHECK(p->expected_by(Time::zero()) == 0);
        CHECK(p->expected_by(Time::horizon_limit()) > 0.5);
    }
}

TEST_CASE("ArrivalProcess: a rate of zero has no arrivals, for good or for a while") {
    CHECK(process("steps", {{"steps", rate_list({{0, 0}})}})->next() == Time::max());
    CHECK(process("steps", {{"steps", rate_list({{0, 0}})}, {"period", seconds(5)}})->next() ==
          Time::max());
    const auto p =
        process("steps", {{"steps", rate_list({{10, 1e6}, {11, 0}})}, {"period", seconds(60)}});
    Time last;
    for (int i = 0; i < 1'500'000; ++i) {
        last = p->next();
        const Duration in_cycle = last.since_start() % Duration::seconds(60);
        REQUIRE(in_cycle >= Duration::seconds(10));
        REQUIRE(in_cycle <= Duration::seconds(11));
    }
    CHECK(last > Time::zero() + Duration::seconds(60));
    CHECK(last < Time::zero() + Duration::seconds(120));
}

TEST_CASE("ArrivalProcess: idle cycles are jumped over, not walked through") {
    // A request in about 10^10 cycles of a millisecond would take minutes to walk.
    const auto p = process("steps", {{"steps", rate_list({{0, 3e-7}})}, {"period", seconds(1)}});
    const auto plain = process("poisson", rate(3e-7));
    const double gap = p->next().to_seconds();
    CHECK(gap == Approx(plain->next().to_seconds()).epsilon(1e-9));
}

TEST_CASE("ArrivalProcess: constant gaps never drift") {
    const auto p = process("constant", {{"rate", {7.0}}, {"offset", seconds(3)}});
    for (int i = 0; i < 700'000; ++i) (void)p->next();
    CHECK(p->next() == Time::zero() + Duration::seconds(100'003));
    CHECK(p->expected_by(Time::zero() + Duration::seconds(103)) == 700);
}

TEST_CASE("ArrivalProcess: contradictions in the parameters are explained") {
    const auto error_of = [](const std::string& name, const Settings& settings) {
        try {
            static_cast<void>(process(name, settings));
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(error_of("steps", {{"steps", rate_list({})}}) == "no steps; expected at least one");
    CHECK(error_of("steps", {{"steps", rate_list({{5, 1}, {5, 2}})}}) ==
          "steps are out of order; expected each `at` later than the one before");
    CHECK(error_of("steps", {{"steps", rate_list({{5, 1}})}, {"period", seconds(4)}}) ==
          "a step lies after the period; expected all within it");
    CHECK(error_of("flash-crowd", {{"rate", {1.0}}, {"every", seconds(60)}}) ==
          "start + ramp + hold + decay is longer than every; expected at most as long");
}

TEST_CASE("UnitGaps: the Weibull shape gives the coefficient of variation asked for") {
    CHECK(weibull_shape(1) == Approx(1).epsilon(1e-12));
    CHECK(weibull_shape(std::sqrt(5.0)) == Approx(0.5).epsilon(1e-12));  // shape 1/2: cv^2 = 5
    for (const double cv : {kLeastCv, 0.3, 2.0, 13.0, kMostCv}) {
        CHECK(Distribution::weibull(weibull_shape(cv), 1).cv() == Approx(cv).epsilon(1e-9));
    }
}

}  // namespace
}  // namespace headroom::traces
