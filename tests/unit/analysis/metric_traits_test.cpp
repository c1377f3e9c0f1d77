#include "analysis/experiments/metric_traits.hpp"

#include <algorithm>

#include "scenarios/metric_paths.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/made_studies.hpp"

namespace headroom::analysis {

TEST_CASE("MetricTraits: a service's metric means what it means at the top, dots or not") {
    CHECK(path_within_service("latency.ttft_s.p99") == "latency.ttft_s.p99");
    CHECK(path_within_service("services.chat.latency.ttft_s.p99") == "latency.ttft_s.p99");
    CHECK(path_within_service("services.a.b.cost.total") == "cost.total");
    CHECK(path_within_service("services.nothing") == "services.nothing");
    for (const std::string& path : scenarios::service_metric_paths()) {
        INFO(path);
        CHECK(path_within_service("services.web.front." + path) == path);
        CHECK(better_when("services.web." + path) == better_when(path));
        CHECK(unit_of("services.web." + path) == unit_of(path));
    }
}

TEST_CASE("MetricTraits: which way is better") {
    for (const char* path : {"latency.ttft_s.p99", "cost.total", "energy_kwh", "requests.failed",
                             "saturated", "scale_events.capacity_lag_s.max"}) {
        CHECK(better_when(path) == Better::lower);
    }
    for (const char* path : {"slo.attainment", "throughput.requests_per_s"}) {
        CHECK(better_when(path) == Better::higher);
    }
    for (const char* path : {"replicas.mean", "requests.arrived", "simulated_s", "gpu.hours"}) {
        CHECK(better_when(path) == Better::neither);
    }
}

TEST_CASE("MetricTraits: the headline is made of metrics that exist, each once") {
    const std::vector<std::string> known = scenarios::summary_metric_paths({});
    std::vector<std::string> headline = headline_metrics();
    for (const std::string& metric : headline) {
        INFO(metric);
        CHECK(std::find(known.begin(), known.end(), metric) != known.end());
    }
    std::sort(headline.begin(), headline.end());
    CHECK(std::adjacent_find(headline.begin(), headline.end()) == headline.end());
}

TEST_CASE("MetricTraits: patterns are names, beginnings up to a dot, and globs") {
    const std::vector<std::string> known = {"cost.total", "latency.e2e_s.mean", "latency.e2e_s.p99",
                                            "latency.ttft_s.p99", "services.x.cost.total"};
    std::vector<std::string> messages;
    using Names = std::vector<std::string>;
    const auto chosen = [&](const Names& patterns) {
        return choose_metrics(patterns, known, messages);
    };
    CHECK(chosen({"cost.total"}) == Names{"cost.total"});
    CHECK(chosen({"latency.e2e_s"}) == Names{"latency.e2e_s.mean", "latency.e2e_s.p99"});
    CHECK(chosen({"*p99", "latency.e2e_s"}) ==
          Names{"latency.e2e_s.p99", "latency.ttft_s.p99", "latency.e2e_s.mean"});
    CHECK(chosen({"*cost.*"}) == Names{"cost.total", "services.x.cost.total"});
    CHECK(chosen({"cost.tota?"}) == Names{"cost.total"});
    CHECK(chosen({"*"}) == known);
    CHECK(messages.empty());
    CHECK(chosen({"latency.e2e"}).empty());  // not up to a dot
    CHECK(chosen({"cost.totl", "*x*y"}).empty());
    REQUIRE(messages.size() == 3);
    CHECK(messages[1].find("found \"cost.totl\" (did you mean \"cost.total\"?)") !=
          std::string::npos);
}

TEST_CASE("MetricTraits: only latencies of what was saturated are") {
    const Replicated study = made_study({{"cost.total", {1, 1, 1}},
                                         {"latency.e2e_s.p99", {1, 2, 3}},
                                         {"latency.ttft_s.p99", {1, {}, {}}},
                                         {"saturated", {0, 1, 1}},
                                         {"services.a.latency.e2e_s.p99", {1, 2, 3}},
                                         {"services.a.saturated", {0, 0, 0}}});
    CHECK(saturated_runs(study, "latency.e2e_s.p99") == 2);
    CHECK(is_saturated(study, "latency.e2e_s.p99"));
    CHECK(!is_saturated(study, "latency.ttft_s.p99"));  // nothing was measured there
    CHECK(!is_saturated(study, "services.a.latency.e2e_s.p99"));
    CHECK(!is_saturated(study, "cost.total"));
    CHECK(!is_saturated(study, "latency.no.such"));
}

}  // namespace headroom::analysis
