// Short texts inside of files and of the command line: durations, quantities, times, series of rule
// tests, expectations.
#include <cmath>

#include "scenarios/expectation.hpp"
#include "scenarios/metric_paths.hpp"
#include "scenarios/quantities.hpp"
#include "scenarios/rule_series.hpp"
#include "sim/core/civil_time.hpp"
#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/scale.hpp"

namespace headroom::scenarios {

namespace {

using tests::Draws;

/// As the loader tells it, at a line of a file.
std::string fault_in_file(const std::string& message) {
    return tests::fault_of({{{"a.json", 1, 1}, "/x", message}}, true);
}

/// The numbers of a run, all the same.
class EqualMetrics final : public MetricSource {
  public:
    explicit EqualMetrics(std::optional<double> number) : number_(number) {}
    [[nodiscard]] std::optional<double> value(std::string_view) const override { return number_; }
    [[nodiscard]] std::optional<double> value_at(std::string_view, Time) const override {
        return number_;
    }
    [[nodiscard]] std::optional<Range> range(std::string_view, Time, Time) const override {
        if (!number_) return std::nullopt;
        return Range{*number_, *number_};
    }

  private:
    std::optional<double> number_;
};

bool check_quantity(const std::string& text) {
    const Parsed<std::int64_t> milli = parse_quantity_milli(text);
    const Parsed<std::int64_t> units = parse_quantity_units(text);
    REQUIRE(milli.value.has_value() == milli.expected.empty());
    REQUIRE(units.value.has_value() == units.expected.empty());
    // What fits in thousandths fits in whole units, rounded up once more.
    if (!milli) return false;
    REQUIRE(*milli.value >= 0);
    REQUIRE(units.value.has_value());
    REQUIRE(*units.value == *milli.value / 1000 + (*milli.value % 1000 != 0 ? 1 : 0));
    return true;
}

bool check_expectation(const std::string& line, const std::vector<std::string>& services) {
    const std::size_t bar = line.find('|');
    const std::string subject = line.substr(0, bar);
    const std::string condition = bar == std::string::npos ? "" : line.substr(bar + 1);
    std::string error;
    bool in_condition = false;
    const auto parsed = parse_expectation(subject, condition, services, error, in_condition);
    if (!parsed) {
        REQUIRE(fault_in_file(error) == "");
        return false;
    }
    const bool whole_run = parsed->when == Expectation::When::whole_run;
    const std::vector<std::string> known =
        whole_run ? summary_metric_paths(services) : series_metric_paths(services);
    REQUIRE(std::find(known.begin(), known.end(), parsed->metric) != known.end());
    REQUIRE(parsed->text == subject + " " + condition);
    REQUIRE(std::isfinite(parsed->bound));
    REQUIRE(Time::zero() <= parsed->from);
    REQUIRE((whole_run || parsed->from <= parsed->to));
    REQUIRE_FALSE(evaluate(*parsed, EqualMetrics(std::nullopt)).held);
    const bool holds_at_bound = parsed->comparison == Comparison::less_equal ||
                                parsed->comparison == Comparison::greater_equal ||
                                parsed->comparison == Comparison::equal;
    REQUIRE(evaluate(*parsed, EqualMetrics(parsed->bound)).held == holds_at_bound);
    return true;
}

}  // namespace

TEST_CASE("Quantities fuzz: a duration is a number of picoseconds that is written back") {
    const tests::Corpus corpus = {"30s",      "1h30m", "250ms", "0.5us", "90ns",           "1ps",
                                  "2d3h4m5s", "0s",    "106d",  "1.5h",  "0.000000000001s"};
    for (const std::string& text : corpus) CHECK(parse_duration(text).value.has_value());
    CHECK(tests::fuzz(
              "texts/duration", tests::scaled(20'000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              [](const std::string& text) {
                  const Parsed<Duration> parsed = parse_duration(text);
                  REQUIRE(parsed.value.has_value() == parsed.expected.empty());
                  if (!parsed) return false;
                  REQUIRE(*parsed.value >= Duration::zero());
                  REQUIRE(parse_duration(format_duration(*parsed.value)).value == parsed.value);
                  return true;
              })
              .both());
}

TEST_CASE("Quantities fuzz: a quantity in thousandths and in whole units") {
    const tests::Corpus corpus = {"8",    "0.5",  "500m", "80Gi", "1e3", "1E-3", "2.5Ti", "7n",
                                  "100k", "16Ki", ".5",   "9e15", "1u",  "7E",   "0",     "3."};
    for (const std::string& text : corpus) CHECK(parse_quantity_units(text).value.has_value());
    CHECK(tests::fuzz(
              "texts/quantity", tests::scaled(20'000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); }, check_quantity)
              .both());
}

TEST_CASE("Quantities fuzz: a UTC time is the one that the calendar says") {
    const tests::Corpus corpus = {"2023-11-16T18:00:00Z", "1970-01-01t00:00:00z",
                                  "2024-02-29T23:59:59+02:00", "0000-03-01T00:00:00-23:59",
                                  "9999-12-31T23:59:59Z"};
    for (const std::string& text : corpus) CHECK(parse_utc(text).value.has_value());
    CHECK(tests::fuzz(
              "texts/utc", tests::scaled(20'000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              [](const std::string& text) {
                  const Parsed<std::int64_t> parsed = parse_utc(text);
                  REQUIRE(parsed.value.has_value() == parsed.expected.empty());
                  if (!parsed) return false;
                  if (text.back() != 'Z' && text.back() != 'z') return true;
                  std::string civil = civil_text(*parsed.value).substr(4);
                  civil[10] = text[10];
                  REQUIRE(civil == text.substr(0, 19));
                  return true;
              })
              .both());
}

TEST_CASE("RuleSeries fuzz: a series has at least one value and not too many") {
    const tests::Corpus corpus = {"40x4 120x8", "40+10x3", "40-10x3 5",  "40 _ 50 _x3",
                                  "40x4 stale", "0.5x9",   "500m+1mx99", "8Gi 16Gi\n 1e3x10"};
    std::string error;
    for (const std::string& text : corpus) CHECK(parse_series(text, error).has_value());
    CHECK(tests::fuzz(
              "texts/series", tests::scaled(3000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              [](const std::string& text) {
                  std::string problem;
                  const auto samples = parse_series(text, problem);
                  if (!samples) {
                      REQUIRE(fault_in_file(problem) == "");
                      return false;
                  }
                  REQUIRE_FALSE(samples->empty());
                  REQUIRE(samples->size() <= kMostSamples);
                  const bool good =
                      std::all_of(samples->begin(), samples->end(),
                                  [](const auto& sample) { return sample.milli >= 0; });
                  REQUIRE(good);
                  return true;
              })
              .both());
}

TEST_CASE("Expectation fuzz: a condition is refused with a reason, or can be evaluated") {
    const std::vector<std::string> services = {"chat", "search"};
    const tests::Corpus corpus = {"latency.ttft_s.p99|< 2",
                                  "slo.attainment|>= 95%",
                                  "latency.e2e_s.max|<= 1m30s",
                                  "replicas at 10m|== 8",
                                  "services.chat.replicas during 5m..20m|<= 12",
                                  "services.search.requests.failed|== 0",
                                  "desired_replicas at 0s|!= 3",
                                  "cost.total|< 1e3"};
    for (const std::string& text : corpus) check_expectation(text, services);
    CHECK(tests::fuzz(
              "texts/expectation", tests::scaled(3000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              [&](const std::string& text) { return check_expectation(text, services); })
              .both());
}

}  // namespace headroom::scenarios
