// The key warm_pool of services and versions.
#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kVersions{R"({
  "duration": "1h",
  "services": {
    "web": {
      "versions": {"a": {"simple": {"servers": 2}}, "b": {"simple": {"servers": 2}}},
      "replicas": 3
    },
    "plain": {"simple": {"servers": 2}}
  },
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}}
})"};

control::ControlSpec versions_control(std::vector<std::string> sets) {
    return kVersions.good(std::move(sets)).spec.control;
}

}  // namespace

TEST_CASE("Scenario: a warm pool is the version's, else the service's, else none") {
    const auto sizes = [](const control::ControlSpec& spec) {
        std::vector<std::int64_t> out;
        for (const control::WorkloadSpec& workload : spec.workloads) {
            out.push_back(workload.warm_pool.size);
        }
        return out;
    };
    CHECK(sizes(versions_control({})) == std::vector<std::int64_t>{0, 0, 0});
    const std::string service =
        R"(/services/web/warm_pool={"size": 2, "activation": "1500ms", "reuse_on_scale_in": true})";
    const control::ControlSpec both =
        versions_control({service, "/services/web/versions/b/warm_pool/size=5"});
    // Services are in the order of their names: plain, then web's two versions.
    CHECK(sizes(both) == std::vector<std::int64_t>{0, 2, 5});
    CHECK(both.workloads[1].warm_pool.activation == Duration::milliseconds(1'500));
    CHECK(both.workloads[1].warm_pool.reuse_on_scale_in);
    CHECK(both.workloads[2].warm_pool.activation == Duration::zero());
    CHECK_FALSE(both.workloads[2].warm_pool.reuse_on_scale_in);
    // The implicit pool of nodes has room for them: twice the replicas, and the standby pods.
    CHECK(both.pools[0].count == 2 * (1 + 3 + 3) + 2 + 5);
    CHECK(sizes(versions_control({service, "/services/web/warm_pool/size=0"})) ==
          std::vector<std::int64_t>{0, 0, 0});
}

TEST_CASE("Scenario: a warm pool without a size, or of too many pods, is refused") {
    const std::string pool = "/services/web/warm_pool";
    CHECK(kVersions.complains({pool + R"(={"activation": "1s"})"}, pool, "size"));
    CHECK(kVersions.complains({pool + "/size=-1"}, pool + "/size", "expected"));
    CHECK(kVersions.complains({pool + "/size=1000001"}, pool + "/size", "expected"));
    CHECK(kVersions.complains({pool + R"(={"size": 1, "activation": "-1s"})"}, pool + "/activation",
                              "expected"));
    CHECK(kVersions.complains({pool + R"(={"size": 1, "reuse_on_scale_inn": true})"},
                              pool + "/reuse_on_scale_inn", "reuse_on_scale_in"));
}

}  // namespace headroom::scenarios
