#include <algorithm>
#include <string>
#include <vector>

#include "scenarios/catalogue/profile.hpp"
#include "scenarios/scenario.hpp"
#include "sim/serving/latency/batch_latency.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/has.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kImages{R"({
  "duration": "1m",
  "services": {"images": {"dynamic_batching": {
    "profile": {"model": "resnet-50", "gpu": "l4"},
    "max_batch_size": 16
  }}},
  "sources": {"users": {"service": "images", "arrivals": {"process": "poisson", "rate": 5}}},
  "node_pools": {"gpu": {"instance_type": "g6.xlarge", "count": 1}}
})"};

/// Assignments to the keys of "dynamic_batching"; with ^ before them, of the whole scenario.
std::vector<std::string> at_batcher(std::vector<std::string> sets) {
    for (std::string& set : sets) {
        set = set[0] == '^' ? set.substr(1) : "/services/images/dynamic_batching" + set;
    }
    return sets;
}

SimulationSpec good_images(std::vector<std::string> sets = {}) {
    return kImages.good(at_batcher(std::move(sets))).spec;
}

serving::DynamicEngineSpec batcher(const std::vector<std::string>& sets = {}) {
    const SimulationSpec spec = good_images(sets);
    REQUIRE(spec.services.at(0).versions.at(0).engine.dynamic.has_value());
    return *spec.services[0].versions[0].engine.dynamic;
}

/// "pointer: message" of the only mistake, the pointer below "dynamic_batching".
std::string batcher_mistake(const std::vector<std::string>& sets) {
    const std::string above = "/services/images/dynamic_batching";
    const std::string found = kImages.mistake(at_batcher(sets));
    return found.rfind(above, 0) == 0 ? found.substr(above.size()) : found;
}

}  // namespace

TEST_CASE("Scenario: a dynamic batcher has Triton's defaults and the catalogue's times") {
    const serving::DynamicEngineSpec spec = batcher();
    CHECK(spec.instances == 1);
    CHECK(spec.max_batch_size == 16);
    CHECK(spec.preferred_batch_sizes == std::vector<std::int64_t>{16});
    CHECK(spec.max_queue_delay == Duration::zero());
    CHECK(spec.max_queue_size == 0);
    CHECK_FALSE(spec.default_timeout.has_value());
    CHECK(spec.priority_levels == 0);
    CHECK(spec.profile.name == "resnet-50 on l4, bf16");
    Diagnostics none;
    const auto catalogue = Catalogue::load(Catalogue::default_directory(), none);
    REQUIRE(catalogue.has_value());
    const BatchProfileResult profile =
        make_batch_profile(*catalogue, "resnet-50", "l4", ProfileKind::best);
    for (const std::int64_t b : {1, 16})
        CHECK(spec.latency->at(b) == profile.profile->latency->at(b));
}

TEST_CASE("Scenario: a dynamic batcher takes all of Triton's fields") {
    const serving::DynamicEngineSpec spec = batcher(
        {"/profile={\"kind\": \"linear\", \"t0\": \"2ms\", \"t1\": \"250us\"}",
         "/preferred_batch_size=[8, 4, 8]", "/max_queue_delay=500us", "/instance_group/count=2",
         "/default_queue_policy/max_queue_size=100", "/default_queue_policy/default_timeout=1s",
         "/default_queue_policy/timeout_action=delay", "/priority_levels=3",
         "/default_priority_level=2"});
    CHECK(spec.latency->at(1) == Duration::microseconds(2250));
    CHECK(spec.latency->at(16) == Duration::microseconds(6000));
    CHECK(spec.profile.kind == "linear");
    CHECK(spec.preferred_batch_sizes == std::vector<std::int64_t>{4, 8});
    CHECK(spec.max_queue_delay == Duration::microseconds(500));
    CHECK(spec.instances == 2);
    CHECK(spec.max_queue_size == 100);
    CHECK(spec.default_timeout == Duration::seconds(1));
    CHECK(spec.timeout_action == serving::QueueTimeoutAction::delay);
    CHECK(spec.priority_levels == 3);
    CHECK(spec.default_priority_level == 2);
}

TEST_CASE("Scenario: the pod of a dynamic batcher asks for its GPU and loads its weights") {
    const SimulationSpec spec = good_images();
    const control::WorkloadSpec& workload = spec.control.workloads.at(0);
    CHECK(workload.pod.devices.count == 1);
    CHECK(workload.pod.devices.models == std::vector<std::string>{"l4"});
    CHECK(workload.pod.weights.name == "resnet-50-bf16");
    CHECK(workload.pod.weights.size.count() == 2 * 25'557'032);
}

TEST_CASE("Scenario: what a dynamic batcher cannot mean is refused in its place") {
    CHECK(has(batcher_mistake({"/preferred_batch_size=[4, 17]"}),
              "/preferred_batch_size/1: expected at most max_batch_size (16), found 17"));
    CHECK(has(batcher_mistake({"/preferred_batch_size=[0]"}), "/preferred_batch_size/0: expected"));
    CHECK(has(batcher_mistake({"/max_batch_size=0"}), "/max_batch_size: expected"));
    CHECK(has(batcher_mistake({"/max_batch_size=null"}), "\"max_batch_size\""));
    CHECK(has(batcher_mistake({"/profile/model=resnet50"}),
              "/profile/model: expected a network of the catalogue, found \"resnet50\" (did you "
              "mean \"resnet-50\"?)"));
    CHECK(has(batcher_mistake({"/profile/gpu=l40x"}),
              "/profile/gpu: expected a GPU of the catalogue"));
    CHECK(has(batcher_mistake({"/profile/kind=measured"}), "expected kind \"estimated\""));
    CHECK(has(batcher_mistake({"/profile={\"kind\": \"linear\", \"t0\": \"0s\"}"}), "above 0"));
    CHECK(has(batcher_mistake({"/profile={\"kind\": \"linear\"}"}), "\"t0\""));
    CHECK(has(batcher_mistake({"/priority_levels=2"}), "from 1 to priority_levels (2), found 0"));
    CHECK(has(batcher_mistake({"/default_priority_level=1"}), "\"priority_levels\""));
    CHECK(has(batcher_mistake({"^/services/images/simple={}"}), "found both"));
    CHECK(has(batcher_mistake({"^/services/images/slo={\"ttft\": \"1s\"}"}), "has no tokens"));
    CHECK_FALSE(kImages.load(at_batcher({"/profile=null"})).diagnostics.empty());
}

}  // namespace headroom::scenarios
