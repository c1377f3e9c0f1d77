// Keys whose values depend on each other: memory limits with requests and usage, cron schedules
// with the scenario's start, vertical autoscaling with the implicit pool.
#include <algorithm>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kOnePod{R"({
  "duration": "1h",
  "services": {"web": {"simple": {"servers": 2}, "replicas": 1}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 1}}}
})"};

const std::string kPod = "/services/web/pod=";

}  // namespace

TEST_CASE("Scenario: a memory limit is that of the pod, and its request where none is made") {
    CHECK_FALSE(kOnePod.good({}).spec.control.workloads[0].pod.memory_limit.has_value());
    const Scenario both =
        kOnePod.good({kPod + R"({"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}})"});
    CHECK(both.spec.control.workloads[0].pod.memory_limit == gibibytes(2));
    CHECK(both.spec.control.workloads[0].pod.requests.memory == gibibytes(1));
    CHECK(both.warnings.empty());
    const Scenario alone =
        kOnePod.good({kPod + R"({"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}})"});
    CHECK(alone.spec.control.workloads[0].pod.requests.memory == gibibytes(2));
}

TEST_CASE("Scenario: a memory limit below the request, or of anything else, is refused") {
    CHECK(kOnePod.mistake(
              {kPod + R"({"requests": {"memory": "3Gi"}, "limits": {"memory": "2Gi"}})"}) ==
          "/services/web/pod/limits/memory: expected at least the memory that is requested "
          "(3221225472 bytes), found 2147483648 bytes");
    CHECK(kOnePod.mistake({kPod + R"({"limits": {"cpu": "1"}})"})
              .rfind("/services/web/pod/limits/cpu", 0) == 0);
    CHECK(kOnePod.mistake({kPod + R"({"limits": {"memory": 0}})"}).find("> 0") !=
          std::string::npos);
}

TEST_CASE("Scenario: warns of containers that no request is needed to kill") {
    const std::string limits =
        R"({"limits": {"memory": "2Gi"}, "usage": {"memory_idle": "2147483649"}})";
    const Scenario scenario = kOnePod.good({kPod + limits});
    REQUIRE(scenario.warnings.size() == 1);
    CHECK(scenario.warnings[0] ==
          "service web: its containers use more memory when idle (usage.memory_idle, 2147483649 "
          "bytes) than their limit of 2147483648 bytes: each is killed as soon as it has started");
}

TEST_CASE("Scenario: the implicit pool has room for whatever a vertical autoscaler will request") {
    const Scenario scenario =
        kOnePod.good({R"(/services/web/vertical_autoscaling={"policy": "vpa"})"});
    CHECK(scenario.spec.control.pools[0].node.allocatable.memory > gibibytes(1000));
    CHECK(kOnePod.good({}).spec.control.pools[0].node.allocatable.memory == gibibytes(1));
}

TEST_CASE("Scenario: a cron schedule needs the scenario's start") {
    const std::string cron = R"(/services/web/autoscaling={"policy": "keda", "max_replicas": 4,
        "triggers": [{"type": "queue"}, {"type": "cron", "start": "0 8 * * *", "end": "0 18 * * *",
        "desired_replicas": 3}]})";
    const std::string jobs = R"(/services/web/autoscaling={"policy": "keda-scaled-job",
        "max_replicas": 4, "triggers": [{"type": "cron", "start": "0 8 * * *",
        "end": "0 18 * * *", "desired_replicas": 3}]})";
    const std::string schedule = R"(/services/web/autoscaling={"policy": "schedule",
        "max_replicas": 4, "schedule": [{"at": "0 8 * * *", "replicas": 3}]})";
    const std::string found =
        ": expected the scenario's \"start\", such as \"2026-01-05T00:00:00Z\", which a cron "
        "schedule needs; found none";
    const std::string at = "/services/web/autoscaling";
    CHECK(kOnePod.mistake({cron}) == at + "/triggers/1" + found);
    CHECK(kOnePod.mistake({jobs}) == at + "/triggers/0" + found);
    CHECK(kOnePod.mistake({schedule}) == at + "/schedule" + found);
    for (const std::string& policy : {cron, jobs, schedule}) {
        CHECK(kOnePod.good({"/start=2026-01-05T00:00:00Z", policy}).warnings.empty());
    }
    // What is wrong with the start is said once.
    CHECK(kOnePod.mistake({"/start=today", cron}).rfind("/start", 0) == 0);
}

}  // namespace headroom::scenarios
