// The keys of rollouts: strategy, min_ready_seconds and the event restart_workload.
#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kRestarted{R"({
  "duration": "1h",
  "services": {"web": {"simple": {"servers": 2}, "replicas": 4}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}},
  "faults": {"deploy": {"at": "10m", "kind": "restart_workload", "target": "web"}}
})"};

control::ControlSpec restarted_control(std::vector<std::string> sets) {
    return kRestarted.good(std::move(sets)).spec.control;
}

}  // namespace

TEST_CASE("Scenario: a rollout is Kubernetes' by default") {
    const control::ControlSpec spec = restarted_control({});
    const control::WorkloadSpec& web = spec.workloads[0];
    CHECK(web.strategy.type == control::RolloutType::rolling_update);
    CHECK(web.strategy.max_surge == control::IntOrPercent{25, true});
    CHECK(web.strategy.max_unavailable == control::IntOrPercent{25, true});
    CHECK(web.min_ready == Duration::zero());
    REQUIRE(spec.faults.size() == 1);
    CHECK(spec.faults[0].kind == control::FaultSpec::Kind::restart_workload);
    CHECK(spec.faults[0].target == "web");
}

TEST_CASE("Scenario: surge and unavailable pods are numbers or percentages") {
    const control::WorkloadSpec web =
        restarted_control({R"(/services/web/strategy={"max_surge": "2", "max_unavailable": "0%"})",
                           "/services/web/min_ready_seconds=15"})
            .workloads[0];
    CHECK(web.strategy.max_surge == control::IntOrPercent{2, false});
    CHECK(web.strategy.max_unavailable == control::IntOrPercent{0, true});
    CHECK(web.min_ready == Duration::seconds(15));
    CHECK(restarted_control({"/services/web/strategy/type=Recreate"}).workloads[0].strategy.type ==
          control::RolloutType::recreate);
    CHECK(
        restarted_control({"/services/web/strategy/max_surge=3"}).workloads[0].strategy.max_surge ==
        control::IntOrPercent{3, false});
    CHECK(restarted_control({"/services/web/strategy/max_surge=100%"})
              .workloads[0]
              .strategy.max_surge == control::IntOrPercent{100, true});
}

TEST_CASE("Scenario: amounts of a strategy that cannot be are refused") {
    const std::string surge = "/services/web/strategy/max_surge";
    const std::string unavailable = "/services/web/strategy/max_unavailable";
    CHECK(kRestarted.complains({surge + "=many"}, surge,
                               "expected a whole number >= 0, or a percentage"));
    CHECK(kRestarted.complains({surge + "=-1"}, surge, "to \"10000%\", found -1"));
    CHECK(kRestarted.complains({surge + "=1.5"}, surge, "found 1.5"));
    CHECK(kRestarted.complains({surge + "=1000001"}, surge, "found 1000001"));
    CHECK(kRestarted.complains({surge + "=true"}, surge, "found true"));
    CHECK(
        kRestarted.complains({surge + "=-5%"}, surge, "from \"0%\" to \"10000%\", found \"-5%\""));
    CHECK(
        kRestarted.complains({unavailable + "=101%"}, unavailable, "to \"100%\", found \"101%\""));
    CHECK(kRestarted.complains({surge + "=99999999999999999999"}, surge, "expected"));
    CHECK(kRestarted.complains({surge + "=0%", unavailable + "=0%"}, unavailable,
                               "expected more than 0"));
    CHECK(kRestarted.complains({"/services/web/strategy/type=Recreate", surge + "=50%"}, surge,
                               "expected nothing beside \"type\": \"Recreate\""));
    CHECK(kRestarted.complains({"/services/web/min_ready_seconds=-1"},
                               "/services/web/min_ready_seconds", "expected"));
    CHECK(kRestarted.complains({"/services/web/strategy/type=Rolling"},
                               "/services/web/strategy/type", "RollingUpdate"));
    CHECK(kRestarted.complains({"/faults/deploy/target=shop"}, "/faults/deploy/target",
                               "the name of a service"));
}

}  // namespace headroom::scenarios
