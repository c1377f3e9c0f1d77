// Kills for memory against pen and paper: a container of 1 GiB and 64 MiB a request has 2 GiB at 16
// requests in flight, so the 17th kills it, at its arrival. One request arrives each second.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/validation/whole_loop.hpp"

namespace headroom::tests {
namespace {

using control::Decision;
using serving::Outcome;

/// A request at each of the seconds 1 to `count`; the container starts in 2 s.
SimulationSpec one_a_second(std::int64_t count, double service_s) {
    SimulationSpec spec;
    spec.end = at(600);
    spec.services.push_back(simple_service("web", 1000, Distribution::fixed(service_s)));
    std::vector<serving::Arrival> arrivals;
    for (std::int64_t i = 1; i <= count; ++i) arrivals.push_back(arrival_at(Duration::seconds(i)));
    spec.sources.push_back(list_source(0, std::move(arrivals)));
    add_workload(spec, 0, 1, 2);
    control::WorkloadSpec& web = spec.control.workloads[0];
    web.lifecycle.container_start = Duration::seconds(2);
    web.usage.memory_idle = gibibytes(1);
    web.usage.memory_per_in_flight = mebibytes(64);
    web.pod.requests.memory = gibibytes(2);
    web.pod.memory_limit = gibibytes(2);
    return spec;
}

struct Kill {
    double second = 0;
    std::string reason;
};

std::vector<Kill> kills_of(const SimulationResult& result) {
    std::vector<Kill> kills;
    for (const Decision& decision : result.control.decisions) {
        if (decision.actor != "kubelet") continue;
        kills.push_back({in_seconds(decision.time), decision.reason});
    }
    return kills;
}

std::vector<double> seconds_of(const std::vector<Kill>& kills) {
    std::vector<double> seconds;
    for (const Kill& kill : kills) seconds.push_back(kill.second);
    return seconds;
}

}  // namespace

// No request ends. The 17th arrives at 17 s. The container is up again at 19 s and gets the 18th,
// which waited, and so on: the 34th kills it at 34 s. Up at 34 + 10 + 2 = 46 s; the 51st kills it
// at 51 s, up at 51 + 20 + 2 = 73 s; the 68th has come by then, so it is killed at once and leaves
// what is past the 17 to the next one, at 73 + 40 + 2 = 115 s, which finds the 69th to the
// 80th: 12.
TEST_CASE("Memory: the request too many kills the container at its arrival, and it backs off") {
    SimulationSpec spec = one_a_second(80, 10'000);
    for (const bool exact : {false, true}) {
        RunOptions options;
        options.exact_steps = exact;
        const SimulationResult result = Simulation(spec).run(options);
        const std::vector<Kill> kills = kills_of(result);
        CHECK(seconds_of(kills) == std::vector<double>{17, 34, 51, 73});
        REQUIRE(kills.size() == 4);
        const std::string why =
            "OOMKilled: 2.0625 GiB over the limit 2 GiB at 17 requests in flight";
        CHECK(kills[0].reason == why + ": restart 1 at once");
        CHECK(kills[1].reason == why + ": CrashLoopBackOff, restart 2 in 10 s");
        CHECK(kills[3].reason == why + ": CrashLoopBackOff, restart 4 in 40 s");
        CHECK(result.total.requests.of(Outcome::failed) == 4 * 17);
        CHECK(result.total.requests.in_flight() == 12);
        const auto& ready = result.control.workloads[0].ready_replicas;
        CHECK(ready.value_at(at(45.9)) == 0);
        CHECK(ready.value_at(at(46)) == 1);
        CHECK(ready.value_at(at(72.9)) == 0);
        CHECK(ready.value_at(at(115)) == 1);
        CHECK(result.control.workloads[0].container_restarts == 4);
        CHECK(imbalance(result.services[0].stats) == "");
    }
}

// A request takes 17.5 s, so 18 of them are in flight for ever: 2.125 GiB. The autoscaler's first
// recommendation is at 60 s, while the container backs off after its third kill, five seconds after
// its start. The kill counts as a use of 1.2 times the request, 2,576,980,377 bytes, which are in
// the bucket up to 1e7 (1.05^54 - 1) / 0.05 = 2,587,739,222 bytes; with 15 % more that is 2.77 GiB,
// so that the 29th request would be too many. At most 28 are in flight: those of 52 s to 79 s, for
// the ten that waited when the new pod is up at 62 s end at 79.5 s.
TEST_CASE("Memory: vpa raises request and limit of a container that was killed, and kills end") {
    SimulationSpec spec = one_a_second(300, 17.5);
    control::WorkloadSpec& web = spec.control.workloads[0];
    const auto with_vpa = [&](const char* values) {
        const auto& specs = Registry<control::ScalingPolicy>::instance().find("vpa")->specs;
        const auto policies = std::find_if(specs.begin(), specs.end(), [](const ParameterSpec& s) {
            return s.name == "container_policies";
        });
        Parameters policy = Parameters::defaults(policies->fields[0].fields);
        policy.set("controlled_values", words(values));
        web.vertical_autoscaler = control::AutoscalerSpec{
            choose<control::ScalingPolicy>("vpa", {{"min_replicas", whole(1)},
                                                   {"container_policies", list({object(policy)})}}),
            Duration::zero()};
        return Simulation(spec).run({});
    };
    SECTION("requests and limits") {
        const SimulationResult result = with_vpa("RequestsAndLimits");
        CHECK(seconds_of(kills_of(result)) == std::vector<double>{17, 34, 51});
        std::vector<std::pair<double, std::string>> evicted;
        for (const Decision& decision : result.control.decisions) {
            if (decision.reason.rfind("evicted: ", 0) != 0) continue;
            evicted.push_back({in_seconds(decision.time), decision.reason});
            CHECK(decision.inputs.find("memory 2838") != std::string::npos);
            CHECK(decision.inputs.find("limit 2838") != std::string::npos);
        }
        REQUIRE(evicted.size() == 1);
        CHECK(evicted[0].first == 60);
        INFO(evicted[0].second);
        CHECK(evicted[0].second.rfind("evicted: was killed for memory soon after its start", 0) ==
              0);
        CHECK(result.total.requests.of(Outcome::failed) == 51);
        CHECK(result.total.requests.of(Outcome::completed) == 300 - 51);
        CHECK(result.control.workloads[0].pods_created == 2);
    }
    SECTION("requests only: the limit stays, a request cannot exceed it, and kills go on") {
        const SimulationResult result = with_vpa("RequestsOnly");
        CHECK(kills_of(result).size() > 5);
        CHECK(result.total.requests.of(Outcome::completed) == 0);
    }
}

// The template has a limit of 2 GiB to a request of 1 GiB. The sample that vpa sees at 60 s is that
// of 30 s, before the arrival then: the requests of 18 s to 29 s, 1.75 GiB, which is above the
// request. 1.2 times that is 2,254,857,830 bytes, in the bucket up to 1e7 (1.05^52 - 1) / 0.05 =
// 2,328,561,652; with 15 % more 2553.7 MiB. The limit becomes twice that.
TEST_CASE("Memory: vpa keeps the proportion of limit and request") {
    SimulationSpec spec = one_a_second(300, 17.5);
    control::WorkloadSpec& web = spec.control.workloads[0];
    web.pod.requests.memory = gibibytes(1);
    web.vertical_autoscaler = control::AutoscalerSpec{
        choose<control::ScalingPolicy>("vpa", {{"min_replicas", whole(1)}}), Duration::zero()};
    const SimulationResult result = Simulation(spec).run({});
    CHECK(seconds_of(kills_of(result)) == std::vector<double>{17, 34, 51});
    bool seen = false;
    for (const Decision& decision : result.control.decisions) {
        if (decision.reason.rfind("evicted: ", 0) != 0) continue;
        INFO(decision.inputs);
        seen = true;
        CHECK(decision.inputs.find("memory 2553.7Mi") != std::string::npos);
        CHECK(decision.inputs.find("limit 5107.5Mi") != std::string::npos);
    }
    CHECK(seen);
}

// 2.5 GiB without a request: killed at each start, 2 s after the back-off's end.
TEST_CASE("Memory: a container that is too large when idle is killed as soon as it has started") {
    SimulationSpec spec = one_a_second(10, 1);
    control::WorkloadSpec& web = spec.control.workloads[0];
    web.usage.memory_idle = mebibytes(2560);
    const std::string why = "OOMKilled: 2.5 GiB over the limit 2 GiB without a request";
    SECTION("from a warm start") {
        const SimulationResult result = Simulation(spec).run({});
        // 0; at once, up at 2; + 10 + 2 = 14; + 20 + 2 = 36; + 40 + 2 = 78; + 80 + 2 = 160; + 160 +
        // 2 = 322; the next at 322 + 300 + 2.
        const std::vector<Kill> kills = kills_of(result);
        CHECK(seconds_of(kills) == std::vector<double>{0, 2, 14, 36, 78, 160, 322});
        for (const Kill& kill : kills) CHECK(kill.reason.rfind(why, 0) == 0);
        CHECK(result.total.requests.in_flight() == 10);
        CHECK(result.control.workloads[0].ready_replicas.value_at(at(599)) == 0);
    }
    SECTION("from cold") {
        spec.control.initial = control::InitialState::cold;
        const SimulationResult result = Simulation(spec).run({});
        CHECK(seconds_of(kills_of(result)) == std::vector<double>{2, 4, 16, 38, 80, 162, 324});
        CHECK(result.control.workloads[0].pods_became_ready == 0);
    }
    SECTION("in no time, and in a run that drains") {
        web.lifecycle.container_start = Duration::zero();
        spec.drain = true;
        const SimulationResult result = Simulation(spec).run({});
        CHECK(result.end == spec.end);
        CHECK(seconds_of(kills_of(result)) == std::vector<double>{0, 0, 10, 30, 70, 150, 310});
    }
}

}  // namespace headroom::tests
