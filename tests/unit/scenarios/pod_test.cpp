// What the API server refuses of a pod, between its fields.
#include <string>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kOnTier{R"({
  "duration": "1h",
  "services": {"web": {"simple": {"servers": 2}, "pod": {"requests": {"cpu": "1"}}}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}},
  "node_pools": {"own": {"count": 2, "node": {"cpu": "16", "memory": "64Gi"},
                         "labels": {"tier": "gold"}}}
})"};

}  // namespace

TEST_CASE("Pod: tolerations and topology constraints that the API refuses are refused") {
    const std::string pod = "/services/web/pod";
    const auto tolerates = [&](const std::string& toleration) {
        return pod + R"(/tolerations=[{"key": "a"}, )" + toleration + "]";
    };
    const std::string second = pod + "/tolerations/1";
    CHECK(kOnTier.complains({tolerates(R"({"value": "x"})")}, second, "expected a \"key\""));
    CHECK(kOnTier.complains({tolerates(R"({"key": "b", "operator": "Exists", "value": "x"})")},
                            second + "/value", "bears every value, found \"x\""));
    for (const char* effect : {"", R"("effect": "NoSchedule",)"}) {
        CHECK(kOnTier.complains(
            {tolerates(std::string(R"({"key": "b", )") + effect + R"("toleration_time": "5m"})")},
            second + "/toleration_time", "\"NoExecute\" beside it"));
    }
    CHECK(kOnTier
              .good({tolerates(R"({"operator": "Exists", "effect": "NoExecute",
                                       "toleration_time": "5m"})")})
              .warnings.empty());

    const auto spreads = [&](const std::string& constraints) {
        return pod + "/topology_spread=[" + constraints + "]";
    };
    const std::string soft = R"({"topology_key": "tier", "when_unsatisfiable": "ScheduleAnyway")";
    CHECK(kOnTier.complains({spreads(R"({"topology_key": ""})")},
                            pod + "/topology_spread/0/topology_key", "the name of a node label"));
    CHECK(kOnTier.complains({spreads(soft + R"(, "min_domains": 1})")},
                            pod + "/topology_spread/0/min_domains", "expected none with"));
    CHECK(kOnTier.complains({spreads(soft + "}, " + soft + R"(, "max_skew": 2})")},
                            pod + "/topology_spread/1", "found a second one"));
    CHECK(kOnTier.good({spreads(soft + R"(}, {"topology_key": "tier", "min_domains": 1})")})
              .warnings.empty());
}

TEST_CASE("Pod: only a readiness probe asks for more than one success") {
    const auto asks = [](const std::string& probe) {
        return "/services/web/pod/probes/" + probe + R"(={"success_threshold": 2})";
    };
    for (const std::string probe : {"startup", "liveness"}) {
        CHECK(kOnTier.complains({asks(probe)},
                                "/services/web/pod/probes/" + probe + "/success_threshold",
                                "expected a whole number = 1, found 2"));
    }
    CHECK(kOnTier.good({asks("readiness")}).warnings.empty());
}

}  // namespace headroom::scenarios
