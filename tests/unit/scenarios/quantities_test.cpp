#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "scenarios/quantities.hpp"
#include "tests/catch.hpp"

namespace headroom::scenarios {

TEST_CASE("Quantities: durations are exact to the picosecond") {
    const std::vector<std::pair<std::string, Duration>> cases = {
        {"0s", Duration::zero()},
        {"10m", Duration::minutes(10)},
        {"1h30m", Duration::minutes(90)},
        {"250ms", Duration::milliseconds(250)},
        {"90ns", Duration::nanoseconds(90)},
        {"40us", Duration::microseconds(40)},
        {"1.5s", Duration::milliseconds(1500)},
        {"6.5ms", Duration::microseconds(6500)},
        {"0.1s", Duration::milliseconds(100)},
        {"0.000000000001s", Duration::picoseconds(1)},
        {"0.5h0.5m", Duration::seconds(1830)},
        {"14d", Duration::hours(14 * 24)},
        {"30m1h", Duration::minutes(90)},
        {"1.000s", Duration::seconds(1)},
        {"7ps", Duration::picoseconds(7)},
        {"106.5d", Duration::hours(2556)},
    };
    for (const auto& [text, expected] : cases) {
        INFO(text);
        const Parsed<Duration> parsed = parse_duration(text);
        REQUIRE(parsed.value.has_value());
        CHECK(parsed.value->ps() == expected.ps());
    }
}

TEST_CASE("Quantities: what is not a duration is refused with an example") {
    for (const char* text :
         {"", "10", "1.5", "s", "10 m", "-5s", "+5s", "1.s", ".5s", "1h30", "10M", "1e3s", "1,5s",
          "0.5ps", "0.0001ns", "107d", "99999999999999999999s"}) {
        INFO(text);
        const Parsed<Duration> parsed = parse_duration(text);
        CHECK_FALSE(parsed);
        CHECK(parsed.expected.find("expected a duration") == 0);
        CHECK(parsed.expected.find('"') != std::string::npos);
    }
    CHECK(parse_duration("10").expected.find("without a unit") != std::string::npos);
    // Too much is said in hours as well: nobody has 106 days in hours at hand.
    CHECK(parse_duration("2600h").expected.find("at most 2562h (106 days)") != std::string::npos);
    CHECK(parse_duration("2562h").value == Duration::hours(2562));
    CHECK(parse_duration("2600h").too_large);
    CHECK_FALSE(parse_duration("2600").too_large);
}

TEST_CASE("Quantities: Kubernetes quantities are exact in milli-units and whole units") {
    const std::vector<std::pair<std::string, std::int64_t>> milli = {
        {"500m", 500},     {"8", 8000},       {"0.5", 500},       {"1e3", 1'000'000},
        {"2k", 2'000'000}, {".25", 250},      {"5.", 5000},       {"1E2", 100'000},
        {"0.001", 1},      {"100u", 1},       {"1n", 1},          {"1.0001", 1001},
        {"0", 0},          {"1500e-3", 1500}, {"1Ki", 1'024'000}, {"0.1Ki", 102'400},
    };
    for (const auto& [text, expected] : milli) {
        INFO(text);
        REQUIRE(parse_quantity_milli(text).value.has_value());
        CHECK(*parse_quantity_milli(text).value == expected);
    }
    const std::vector<std::pair<std::string, std::int64_t>> units = {
        {"80Gi", std::int64_t{80} << 30},
        {"9G", 9'000'000'000},
        {"1.5Mi", 1'572'864},
        {"2Ti", std::int64_t{2} << 40},
        {"7Ei", std::int64_t{7} << 60},
        {"1P", 1'000'000'000'000'000},
        {"100", 100},
        {"500m", 1},
    };
    for (const auto& [text, expected] : units) {
        INFO(text);
        REQUIRE(parse_quantity_units(text).value.has_value());
        CHECK(*parse_quantity_units(text).value == expected);
    }
}

TEST_CASE("Quantities: what is not a quantity is refused with an example") {
    for (const char* text : {"", "m", "-1", "+1", "1 Gi", "80GB", "80gi", "1K", "1.2.3", "1e",
                             "1e+", "e3", "1ee3", "1e1000", "0x10", "8Ei", "1 "}) {
        INFO(text);
        CHECK_FALSE(parse_quantity_units(text));
        CHECK(parse_quantity_units(text).expected.find("expected a quantity") == 0);
    }
    CHECK_FALSE(parse_quantity_milli("10P"));
}

TEST_CASE("Quantities: UTC times are RFC 3339") {
    CHECK(*parse_utc("1970-01-01T00:00:00Z").value == 0);
    CHECK(*parse_utc("2023-11-16T18:00:00Z").value == 1'700'157'600);
    CHECK(*parse_utc("2023-11-16T20:00:00+02:00").value == 1'700'157'600);
    CHECK(*parse_utc("2024-02-29T23:59:59z").value == 1'709'251'199);
    CHECK(*parse_utc("1969-12-31T23:59:59Z").value == -1);
    for (const char* text :
         {"", "2023-11-16", "2023-11-16T18:00:00", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z",
          "2023-11-16T24:00:00Z", "2023-11-16T18:00:60Z", "2023-11-16 18:00:00Z",
          "2023-11-16T18:00:00+2:00", "1900-02-29T00:00:00Z"}) {
        INFO(text);
        CHECK_FALSE(parse_utc(text));
    }
}

TEST_CASE("Quantities: a formatted duration reads back as itself") {
    CHECK(format_duration(Duration::minutes(90)) == "1h30m");
    CHECK(format_duration(Duration::milliseconds(250)) == "250ms");
    CHECK(format_duration(Duration::milliseconds(1500)) == "1s500ms");
    CHECK(format_duration(Duration::zero()) == "0s");
    for (const std::int64_t ps :
         {std::int64_t{1}, std::int64_t{1500}, std::int64_t{123456789012345678},
          Duration::kPerSecond, Duration::kPerSecond * 3661 + 5}) {
        const Duration duration = Duration::picoseconds(ps);
        CHECK(parse_duration(format_duration(duration)).value->ps() == ps);
    }
}

}  // namespace headroom::scenarios
