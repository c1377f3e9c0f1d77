// What common random numbers are worth, on a what-if of the library: how many times as many
// replications independent draws would take for an interval of the same width.
#include <cmath>

#include "analysis/experiments/comparison.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

constexpr int kReplications = 40;

std::string library(const std::string& name) {
    return std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/" + name + ".json";
}

scenarios::Scenario loaded(std::vector<std::string> patches) {
    auto result = scenarios::load_scenario(library("quickstart"), {.patches = std::move(patches)});
    REQUIRE(result.scenario);
    return std::move(*result.scenario);
}

/// The base and the what-if, in this order.
const std::vector<Replicated>& studies() {
    static const std::vector<Replicated> both = [] {
        const scenarios::Scenario base = loaded({});
        const scenarios::Scenario slow = loaded({library("what-if/slow-model-load")});
        return replicate_all({&base, &slow}, {.count = kReplications, .threads = 2});
    }();
    return both;
}

Interval difference(const std::string& metric, std::size_t from, std::size_t to) {
    const auto part = [&](std::size_t side) {
        const std::vector<double> all = studies()[side].values(metric);
        return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(from),
                                   all.begin() + static_cast<std::ptrdiff_t>(to));
    };
    return paired_difference(part(1), part(0));
}

}  // namespace

TEST_CASE("paired comparison: needs at least 4 times fewer replications on a shipped what-if") {
    const Comparison told =
        compare({"base", studies()[0]}, {{"slow", studies()[1]}}, {.metrics = headline_metrics()});
    for (const char* name : {"latency.ttft_s.p99", "latency.e2e_s.p99", "slo.attainment"}) {
        const ComparedMetric* metric = find_metric(told.alternatives[0], name);
        REQUIRE(metric != nullptr);
        REQUIRE(metric->unpaired_factor);
        const Interval unpaired =
            welch_difference(studies()[1].values(name), studies()[0].values(name));
        // By the widths themselves: for the same one, replications go with their square.
        const double by_width = std::pow(unpaired.half_width / metric->difference->half_width, 2);
        INFO(name << ": " << *metric->unpaired_factor << " times, by the widths " << by_width);
        CHECK(*metric->unpaired_factor >= 4);
        CHECK(by_width >= 0.9 * *metric->unpaired_factor);  // Welch has more degrees of freedom
        CHECK(metric->change == Change::worse);
    }
}

TEST_CASE("paired comparison: ten pairs say what thirty others say") {
    for (const char* name : {"latency.ttft_s.p99", "latency.e2e_s.mean", "slo.attainment"}) {
        const Interval few = difference(name, 0, 10);
        const Interval many = difference(name, 10, 40);
        // Half-widths over the quantiles of t with 9 and 29 degrees of freedom.
        const double error = std::hypot(few.half_width / 2.262, many.half_width / 2.045);
        INFO(name << ": " << few.mean << " and " << many.mean << ", standard error " << error);
        CHECK(std::abs(few.mean - many.mean) <= 4 * error);
    }
}

}  // namespace headroom::analysis
