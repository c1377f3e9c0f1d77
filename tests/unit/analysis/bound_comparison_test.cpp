#include "analysis/report/bound_comparison.hpp"

#include <nlohmann/json.hpp>

#include "analysis/report/bound_table.hpp"
#include "analysis/results/summary.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::analysis {
namespace {

struct Compared {
    std::vector<BoundComparison> figures;
    std::string table;

    [[nodiscard]] const BoundComparison& at(const std::string& key) const {
        for (const BoundComparison& c : figures) {
            if (c.key == key) return c;
        }
        FAIL("no figure " << key);
        return figures.front();
    }
};

Compared compared(const std::string& service, const std::string& arrivals,
                  const std::string& top = "") {
    const scenarios::Scenario scenario = scenarios::good_scenario(
        scenarios::load_text(R"({"duration": "30m", "services": {"web": {)" + service + R"(}},
        "sources": {"u": {"service": "web", "arrivals": {)" +
                             arrivals + "}}}" + top + "}"));
    const SimulationResult result = Simulation(scenario.spec).run({});
    const Bound bound = make_bound(scenario);
    auto all = compare_bound(bound, scenario, result, build_summary(scenario, result));
    Compared out;
    out.figures = all.front();
    out.table = render_bound({scenario, bound, std::move(all)}, {});
    return out;
}

bool says(const BoundComparison& c, const std::string& part) {
    for (const std::string& reason : c.reasons) {
        UNSCOPED_INFO(reason);
        if (reason.find(part) != std::string::npos) return true;
    }
    return false;
}

const char* const kFourServers = R"("simple": {"servers": 4, "service_time": {"mean": "100ms"}})";

}  // namespace

TEST_CASE("compare_bound: what agrees needs no reason") {
    const Compared c = compared(kFourServers, R"("process": "poisson", "rate": 20)");
    CHECK(*c.at("utilisation").analytic == Approx(0.5));
    CHECK_FALSE(c.at("utilisation").differs);
    CHECK(c.at("utilisation").reasons.empty());
}

TEST_CASE("compare_bound: swings of the rate, and queues apart, are reasons for longer waits") {
    const Compared swings = compared(
        kFourServers,
        R"("process": "steps", "steps": [{"at": "0s", "rate": 10}, {"at": "15m", "rate": 36}])");
    CHECK(swings.at("mean_wait_s").differs);
    CHECK(says(swings.at("mean_wait_s"), "the rate swings: from 15m on"));
    const Compared apart =
        compared(std::string(kFourServers) + R"(, "replicas": 3, "routing": {"policy": "random"})",
                 R"("process": "poisson", "rate": 96)");
    CHECK(says(apart.at("mean_wait_s"), "one queue for all 3 replicas"));
    CHECK_FALSE(says(apart.at("mean_wait_s"), "the rate swings"));
}

TEST_CASE("compare_bound: without equilibrium there is no formula, and the reason says so") {
    const Compared c = compared(kFourServers, R"("process": "poisson", "rate": 60)");
    CHECK_FALSE(c.at("mean_wait_s").analytic.has_value());
    CHECK(says(c.at("mean_wait_s"), "there is no equilibrium"));
    CHECK(c.table.find("none") != std::string::npos);
}

TEST_CASE("compare_bound: of a limited queue the formula's assumptions are a reason") {
    const Compared c = compared(R"("simple": {"servers": 2, "queue_limit": 5,
                    "service_time": {"distribution": "fixed", "mean": "100ms"}})",
                                R"("process": "poisson", "rate": 18)");
    for (const char* key : {"mean_wait_s", "blocked"}) {
        CHECK(c.at(key).differs);
        CHECK(says(c.at(key),
                   "M/M/c/K assumes exponential service and Poisson arrivals; here the "
                   "coefficient of variation of the gaps is 1.00, of the service times 0"));
        CHECK_FALSE(says(c.at(key), "one run of"));
        CHECK_FALSE(says(c.at(key), "of requests were turned away"));
    }
    CHECK(c.table.find("approximation)") != std::string::npos);
    // Exact with one server, so there is nothing to explain.
    const Compared one = compared(R"("simple": {"servers": 1, "queue_limit": 3,
                    "service_time": {"distribution": "fixed", "mean": "20ms"}})",
                                  R"("process": "poisson", "rate": 45)");
    CHECK_FALSE(one.at("mean_wait_s").differs);
    CHECK_FALSE(one.at("blocked").differs);
    CHECK(one.table.find("approximation)") == std::string::npos);
    const Compared even = compared(R"("simple": {"servers": 2, "queue_limit": 0,
                    "service_time": {"distribution": "fixed", "mean": "100ms"}})",
                                   R"("process": "constant", "rate": 16)");
    CHECK(says(even.at("blocked"), "Erlang B assumes Poisson arrivals"));
}

TEST_CASE("compare_bound: queues apart are limited queues where the formula's is") {
    // M/M/1/3 at load 0.8: states 1, 0.8, 0.64, 0.512 of 2.952; blocked 17.34 %, mean wait
    // (0.64 + 2 * 0.512) / 2.952 / (8 * 0.8266) = 85.2 ms.
    const Compared c = compared(R"("simple": {"servers": 1, "queue_limit": 2, "service_time":
        {"mean": "100ms"}}, "replicas": 2, "routing": {"policy": "random"})",
                                R"("process": "poisson", "rate": 16)");
    CHECK(says(c.at("blocked"), "(17.3 % turned away if requests were dealt out at random)"));
    CHECK(says(c.at("mean_wait_s"), "(mean wait 85.2 ms if requests were dealt out at random)"));
}

TEST_CASE("compare_bound: an autoscaler's replicas against the fewest that would do") {
    const Compared c =
        compared(std::string(kFourServers) +
                     R"(, "autoscaling": {"policy": "hpa", "min_replicas": 3, "max_replicas": 5})",
                 R"("process": "poisson", "rate": 20)");
    CHECK(*c.at("replicas_mean").analytic == 1);
    CHECK(says(c.at("replicas_mean"), "min_replicas is 3"));
}

}  // namespace headroom::analysis
