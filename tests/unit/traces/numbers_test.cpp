#include "traces/readers/numbers.hpp"

#include <cstdint>

#include "sim/core/time.hpp"
#include "tests/catch.hpp"

namespace headroom::traces {
namespace {

std::int64_t ps_of(std::string_view text) {
    std::int64_t ps = -1;
    CHECK(parse_seconds(text, ps) == NumberProblem::none);
    return ps;
}
NumberProblem problem_of(std::string_view text) {
    std::int64_t ps = 0;
    return parse_seconds(text, ps);
}

TEST_CASE("Numbers: decimal seconds become picoseconds exactly") {
    CHECK(ps_of("0") == 0);
    CHECK(ps_of("-0.0") == 0);
    CHECK(ps_of("1") == 1'000'000'000'000);
    CHECK(ps_of("+1.5") == 1'500'000'000'000);
    CHECK(ps_of(".000000000001") == 1);
    CHECK(ps_of("5.") == 5'000'000'000'000);
    CHECK(ps_of("0.1") == 100'000'000'000);
    CHECK(ps_of("8639999.999999999999") == 8'639'999'999'999'999'999);
    CHECK(ps_of("0000000000000000000012.25") == 12'250'000'000'000);
}

TEST_CASE("Numbers: the thirteenth digit after the point rounds half up") {
    CHECK(ps_of("0.0000000000004") == 0);
    CHECK(ps_of("0.0000000000005") == 1);
    CHECK(ps_of("0.00000000000149999999") == 1);
    CHECK(ps_of("0.9999999999995") == 1'000'000'000'000);
}

TEST_CASE("Numbers: exponents are exact too") {
    CHECK(ps_of("9.5e-05") == 95'000'000);
    CHECK(ps_of("1E3") == 1'000'000'000'000'000);
    CHECK(ps_of("1.25e+2") == 125'000'000'000'000);
    CHECK(ps_of("12345e-17") == 0);
    CHECK(ps_of("5e-13") == 1);
    CHECK(ps_of("0e999999999999999999999") == 0);
    CHECK(problem_of("1e99999999999999999999") == NumberProblem::too_large);
    CHECK(ps_of("1e-99999999999999999999") == 0);
    CHECK(problem_of("1e") == NumberProblem::not_a_number);
    CHECK(problem_of("e5") == NumberProblem::not_a_number);
}

TEST_CASE("Numbers: what is no time of a run is refused, each for its reason") {
    for (const char* text :
         {"", "nan", "NaN", "inf", "x", "1x", "1.2.3", "--1", ".", "-", "1,5", "0x10", " 1"}) {
        CAPTURE(text);
        CHECK(problem_of(text) == NumberProblem::not_a_number);
    }
    CHECK(problem_of("-0.000000000001") == NumberProblem::negative);
    CHECK(problem_of("-5e9") == NumberProblem::negative);
    CHECK(ps_of("8640000") == Time::horizon_limit().ps());
    CHECK(problem_of("8640000.000000000001") == NumberProblem::too_large);
    CHECK(problem_of("99999999999999999999999") == NumberProblem::too_large);
}

TEST_CASE("Numbers: whole numbers keep to their limit") {
    std::int64_t n = 0;
    CHECK(parse_whole("1000", 1000, n) == NumberProblem::none);
    CHECK(n == 1000);
    CHECK(parse_whole("1001", 1000, n) == NumberProblem::too_large);
    CHECK(parse_whole("99999999999999999999", 1000, n) == NumberProblem::too_large);
    CHECK(parse_whole("-1", 1000, n) == NumberProblem::negative);
    CHECK(parse_whole("-99999999999999999999", 1000, n) == NumberProblem::negative);
    for (const char* text : {"", "1.0", "nan", "1e3", "+1", "-"}) {
        CAPTURE(text);
        CHECK(parse_whole(text, 1000, n) == NumberProblem::not_a_number);
    }
}

TEST_CASE("Numbers: seconds are written so that they read back the same") {
    CHECK(seconds_text(0) == "0");
    CHECK(seconds_text(1'500'000'000'000) == "1.5");
    CHECK(seconds_text(1) == "0.000000000001");
    for (const std::int64_t ps : {std::int64_t{123'456'789'012'345}, Time::horizon_limit().ps()}) {
        CHECK(ps_of(seconds_text(ps)) == ps);
    }
}

}  // namespace
}  // namespace headroom::traces
