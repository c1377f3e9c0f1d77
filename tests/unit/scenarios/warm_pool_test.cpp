// The key warm_pool of services and versions.
#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

using namespace headroom;
using namespace headroom::scenarios;

namespace {

constexpr const char* kVersions = R"({
  "duration": "1h",
  "services": {
    "web": {
      "versions": {"a": {"simple": {"servers": 2}}, "b": {"simple": {"servers": 2}}},
      "replicas": 3
    },
    "plain": {"simple": {"servers": 2}}
  },
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}}
})";

LoadResult load(std::vector<std::string> sets) {
    const TemporaryFolder folder;
    folder.write("s.json", kVersions);
    return load_scenario(folder.path("s.json"), {.sets = std::move(sets)});
}

control::ControlSpec good(std::vector<std::string> sets) {
    LoadResult result = load(std::move(sets));
    for (const Diagnostic& d : result.diagnostics) UNSCOPED_INFO(d.text());
    REQUIRE(result.scenario.has_value());
    return result.scenario->spec.control;
}

bool complains(std::vector<std::string> sets, const std::string& pointer, const std::string& part) {
    const LoadResult result = load(std::move(sets));
    for (const Diagnostic& d : result.diagnostics) UNSCOPED_INFO(d.pointer << ": " << d.text());
    return result.diagnostics.size() == 1 && result.diagnostics[0].pointer == pointer &&
           result.diagnostics[0].text().find(part) != std::string::npos;
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
    CHECK(sizes(good({})) == std::vector<std::int64_t>{0, 0, 0});
    const std::string service =
        R"(/services/web/warm_pool={"size": 2, "activation": "1500ms", "reuse_on_scale_in": true})";
    const control::ControlSpec both = good({service, "/services/web/versions/b/warm_pool/size=5"});
    // Services are in the order of their names: plain, then web's two versions.
    CHECK(sizes(both) == std::vector<std::int64_t>{0, 2, 5});
    CHECK(both.workloads[1].warm_pool.activation == Duration::milliseconds(1'500));
    CHECK(both.workloads[1].warm_pool.reuse_on_scale_in);
    CHECK(both.workloads[2].warm_pool.activation == Duration::zero());
    CHECK_FALSE(both.workloads[2].warm_pool.reuse_on_scale_in);
    // The implicit pool of nodes has room for them: twice the replicas, and the standby pods.
    CHECK(both.pools[0].count == 2 * (1 + 3 + 3) + 2 + 5);
    CHECK(sizes(good({service, "/services/web/warm_pool/size=0"})) ==
          std::vector<std::int64_t>{0, 0, 0});
}

TEST_CASE("Scenario: a warm pool without a size, or of too many pods, is refused") {
    const std::string pool = "/services/web/warm_pool";
    CHECK(complains({pool + R"(={"activation": "1s"})"}, pool, "size"));
    CHECK(complains({pool + "/size=-1"}, pool + "/size", "expected"));
    CHECK(complains({pool + "/size=1000001"}, pool + "/size", "expected"));
    CHECK(complains({pool + R"(={"size": 1, "activation": "-1s"})"}, pool + "/activation",
                    "expected"));
    CHECK(complains({pool + R"(={"size": 1, "reuse_on_scale_inn": true})"},
                    pool + "/reuse_on_scale_inn", "reuse_on_scale_in"));
}
