#include "scenarios/rule_series.hpp"

#include "tests/catch.hpp"

namespace headroom::scenarios {
namespace {

/// Values in units, "_" and "s" for missing and stale: "40 _ s".
std::string written(const std::string& text) {
    std::string error;
    const auto samples = parse_series(text, error);
    if (!samples) return error;
    std::string out;
    for (const SeriesSample& sample : *samples) {
        if (!out.empty()) out += ' ';
        if (sample.kind == SeriesSample::Kind::missing) {
            out += '_';
        } else if (sample.kind == SeriesSample::Kind::stale) {
            out += 's';
        } else {
            out += std::to_string(sample.milli) + "m";
        }
    }
    return out;
}

bool refused(const std::string& text, const std::string& part) {
    std::string error;
    const bool read = parse_series(text, error).has_value();
    INFO(text << ": " << error);
    CHECK_FALSE(read);
    return error.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("RuleSeries: repetitions and ramps stand for n + 1 values, as in promtool") {
    CHECK(written("40") == "40000m");
    CHECK(written("1x4") == "1000m 1000m 1000m 1000m 1000m");
    CHECK(written("5x0") == "5000m");
    CHECK(written("2+4x3") == "2000m 6000m 10000m 14000m");
    CHECK(written("7-2x3") == "7000m 5000m 3000m 1000m");
    CHECK(written(" 1  2\t3\n") == "1000m 2000m 3000m");
}

TEST_CASE("RuleSeries: missing values stand for n, stale for one") {
    CHECK(written("4 _ 5") == "4000m _ 5000m");
    CHECK(written("1 _x3 stale") == "1000m _ _ _ s");
}

TEST_CASE("RuleSeries: values are quantities in milli-units") {
    CHECK(written("500m 0.25 1k 8Gi") == "500m 250m 1000000m 8589934592000m");
    CHECK(written("500m+250mx2") == "500m 750m 1000m");
    CHECK(written("1e3") == "1000000m");
}

TEST_CASE("RuleSeries: what is no series is refused with what was expected") {
    CHECK(refused("", "found none"));
    CHECK(refused("  ", "found none"));
    for (const char* bad : {"40y4", "40x", "x4", "40x-1", "+1x3", "-2+4x3", "1+2", "stalex2",
                            "1++2x3", "__", "_x", "40 4O", "1x2x3"}) {
        CHECK(refused(bad, "expected values such as"));
    }
    CHECK(refused("10-5x3", "expected values that stay >= 0"));
    CHECK(refused("1+9e15x2", "expected values"));
    CHECK(refused("9e15+9e15x2000", "expected values"));
}

TEST_CASE("RuleSeries: a million values are enough") {
    std::string error;
    CHECK(parse_series("1x999999", error)->size() == 1'000'000);
    CHECK(refused("1x1000000", "at most 1,000,000"));
    CHECK(refused("1x999999 1", "at most 1,000,000"));
    CHECK(refused("_x18446744073709551615", "at most 1,000,000"));
    CHECK(refused("1+1x18446744073709551615", "at most 1,000,000"));
}

}  // namespace headroom::scenarios
