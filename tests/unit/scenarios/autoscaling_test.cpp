// An autoscaler that can never act, or that the API would refuse, is named at load.
#include <map>
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/has.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kScaled{R"({
  "duration": "1h",
  "services": {"web": {"simple": {"servers": 2},
                       "pod": {"requests": {"cpu": "1", "memory": "1Gi"}},
                       "autoscaling": {"policy": "hpa", "max_replicas": 4}}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}}
})"};
const std::string kScaling = "/services/web/autoscaling";
const std::string kNoCpu = R"(/services/web/pod/requests={"memory": "1Gi"})";

std::string set_metrics(const std::string& list) {
    return kScaling + "/metrics=[" + list + "]";
}
std::string metric_of(const std::string& type, const std::string& name, const std::string& target) {
    return R"({"type": ")" + type + R"(", "name": ")" + name + R"(", "target": {"type": ")" +
           target + R"(", "value": 60}})";
}
std::string container_metric(const std::string& name, const std::string& target) {
    return R"({"type": "ContainerResource", "name": "cpu", "container": ")" + name +
           R"(", "target": {"type": ")" + target + R"(", "value": "60"}})";
}

std::vector<std::string> warnings_of(std::vector<std::string> sets) {
    return kScaled.good(std::move(sets)).warnings;
}
std::string only_warning(std::vector<std::string> sets) {
    const auto all = warnings_of(std::move(sets));
    for (const std::string& one : all) UNSCOPED_INFO(one);
    REQUIRE(all.size() == 1);
    return all.front();
}

}  // namespace

TEST_CASE("Autoscaling: a share of a request that the pods do not make is warned of") {
    const std::string cpu = metric_of("Resource", "cpu", "Utilization");
    const std::string memory = metric_of("Resource", "memory", "Utilization");
    CHECK(warnings_of({}).empty());
    CHECK(warnings_of({set_metrics(cpu)}).empty());
    // The default metric is cpu at 80 %, of an empty list, too.
    for (const std::string& list : {std::string(), cpu, container_metric("web", "Utilization")}) {
        CHECK(only_warning({kNoCpu, set_metrics(list)}) ==
              "service web: its autoscaler goes by the share of what the pods request, and "
              "\"pod/requests\" has no cpu: it can never tell the load, nor act on it");
    }
    CHECK(has(only_warning({kNoCpu}), "has no cpu: it can never"));
    CHECK(has(only_warning({kNoCpu, set_metrics(cpu + "," + memory)}),
              "has no cpu: while a metric fails it only ever adds replicas"));
    CHECK(has(only_warning({"/services/web/pod/requests={}", set_metrics(cpu + "," + memory)}),
              "has no cpu and no memory: it can never"));
    // An amount is no share, a limit is a request, and a vertical autoscaler makes requests.
    CHECK(warnings_of({kNoCpu, set_metrics(metric_of("Resource", "cpu", "AverageValue"))}).empty());
    CHECK(warnings_of({"/services/web/pod/requests={}", "/services/web/pod/limits/memory=2Gi",
                       set_metrics(memory)})
              .empty());
    CHECK(warnings_of({kNoCpu, R"(/services/web/vertical_autoscaling={"policy": "vpa"})"}).empty());
}

TEST_CASE("Autoscaling: an hpa without metrics goes by the API's default, as one without the key") {
    const auto digest = [](std::vector<std::string> sets) {
        return Simulation(kScaled.good(std::move(sets)).spec).run({}).digest;
    };
    CHECK(digest({set_metrics("")}) == digest({}));
}

TEST_CASE("Autoscaling: the container of a metric is one that the pods have") {
    CHECK(warnings_of({set_metrics(container_metric("web", "Utilization"))}).empty());
    CHECK(kScaled.mistake({set_metrics(container_metric("wep", "AverageValue"))}) ==
          kScaling +
              "/metrics/0/container: expected the name of the pods' container, found "
              "\"wep\" (did you mean \"web\"?)");
    CHECK(has(kScaled.mistake({set_metrics(container_metric("", "Utilization"))}),
              kScaling + "/metrics/0: a ContainerResource metric names its container"));
    const std::string two = R"(/services/web/versions={"a": {"simple": {}}, "b": {"simple": {}}})";
    CHECK(has(only_warning({"/services/web/simple=null", two,
                            set_metrics(container_metric("web-a", "Utilization"))}),
              "service web: only the pods of one version have the container web-a, those of all "
              "have web: the"));
    CHECK(kScaled.mistake({"/services/web/simple=null", two,
                           set_metrics(container_metric("web-c", "Utilization"))}) ==
          kScaling +
              "/metrics/0/container: expected the name of the pods' container, found "
              "\"web-c\" (did you mean \"web-a\"?)");
}

TEST_CASE("Autoscaling: a metric that the service's engine never has is warned of") {
    const auto by = [](const std::string& type, const std::string& metric) {
        return set_metrics(metric_of(type, metric, "AverageValue"));
    };
    CHECK(only_warning({by("Pods", "kv_used_fraction")}) ==
          "service web: its autoscaler goes by kv_used_fraction, which only an \"engine\" has: a "
          "\"simple\" never shows a value above 0");
    // As a sum over the pods, too.
    for (const char* metric :
         {"ttft_mean_seconds", "prompt_tokens_per_second", "output_tokens_per_second"}) {
        CHECK(has(only_warning({by("External", metric)}), "goes by " + std::string(metric) + ","));
    }
    for (const char* metric : {"requests_waiting", "requests_running", "requests_per_second",
                               "requests_in_flight", "utilization"}) {
        CHECK(warnings_of({by("Pods", metric)}).empty());
    }
    CHECK(has(only_warning({kScaling + R"(={"policy": "slo-aware", "max_replicas": 4})"}),
              "goes by kv_used_fraction, ttft_mean_seconds, prompt_tokens_per_second, "
              "output_tokens_per_second, which only"));
    const std::string llm =
        R"({"profile": {"kind": "linear", "c0": "10ms"}, "num_gpu_blocks": 1001})";
    const std::string kv = by("Pods", "kv_used_fraction");
    const std::string lengths = R"(/sources/users/lengths={"preset": "azure-2023-conversation"})";
    CHECK(warnings_of({lengths, "/services/web/simple=null", "/services/web/engine=" + llm, kv})
              .empty());
    const auto all = warnings_of(
        {lengths, "/services/web/simple=null", kv,
         R"(/services/web/versions={"a": {"simple": {}}, "b": {"engine": )" + llm + "}}"});
    REQUIRE(all.size() == 1);
    CHECK(has(all.front(), "a \"simple\" (version a) never shows"));
}

TEST_CASE("Autoscaling: the service's name is that of the container in all versions") {
    const auto run = [](const std::string& metric) {
        const Scenario scenario =
            kScaled.good({"/sources/users/arrivals/rate=40", "/services/web/simple=null",
                          "/services/web/pod/usage={\"cpu_busy\": \"1\"}",
                          R"(/services/web/versions={"a": {"simple": {}}, "b": {"simple": {}}})",
                          set_metrics(metric)});
        const SimulationResult result = Simulation(scenario.spec).run({});
        std::map<std::string, std::int64_t> pods;
        for (const auto& workload : result.control.workloads) {
            pods[workload.name] = workload.pods_became_ready;
        }
        return pods;
    };
    // A pod has this one container: its metric and that of the pod are the same.
    const auto whole = run(metric_of("Resource", "cpu", "Utilization"));
    CHECK(whole.at("web-a") > 0);
    CHECK(whole.at("web-b") > 0);
    CHECK(run(container_metric("web", "Utilization")) == whole);
    // By its workload's name, one version only is scaled.
    const auto one = run(container_metric("web-a", "Utilization"));
    CHECK(one.at("web-a") > 0);
    CHECK(one.at("web-b") == 0);
}

TEST_CASE("Autoscaling: versions may scale by a metric of the service, each by its own part") {
    const std::string two = R"(/services/web/versions={"a": {"simple": {}, "weight": 25},
                                                       "b": {"simple": {}, "weight": 75}})";
    const std::string metric = R"({"type": "External", "name": "arrivals_per_second",
                                   "target": {"type": "AverageValue", "value": 25}})";
    const Scenario scenario =
        kScaled.good({"/sources/users/arrivals/rate=80", "/services/web/simple=null", two,
                      set_metrics(metric), kScaling + "/max_replicas=20"});
    CHECK(scenario.warnings.empty());
    const SimulationResult result = Simulation(scenario.spec).run({});
    CHECK(result.control.workloads[0].desired_replicas.points().back().value == 1);
    CHECK(result.control.workloads[1].desired_replicas.points().back().value == 3);
}

TEST_CASE("Autoscaling: replicas 0 that the autoscaler leaves alone are warned of") {
    CHECK(only_warning({"/services/web/replicas=0"}) ==
          "service web: hpa takes no part while there are 0 replicas, unless its minimum is 0: "
          "web never has a pod");
    const std::string queue =
        set_metrics(metric_of("External", "service_in_flight", "AverageValue"));
    CHECK(warnings_of({"/services/web/replicas=0", kScaling + "/min_replicas=0", queue}).empty());
    CHECK(warnings_of({"/services/web/replicas=0", kScaling + R"(={"policy": "keda",
        "triggers": [{"type": "queue", "threshold": 5}]})"})
              .empty());
}

TEST_CASE("Autoscaling: a minimum of 0 needs a metric that has a value without pods") {
    const std::string zero = kScaling + "/min_replicas=0";
    const std::string refused =
        kScaling +
        "/min_replicas: expected at least 1 without an Object or External metric, "
        "which alone has a value when there is no pod, found 0";
    const std::string pods = metric_of("Pods", "requests_in_flight", "AverageValue");
    CHECK(kScaled.mistake({zero}) == refused);
    CHECK(kScaled.mistake({zero, set_metrics(pods)}) == refused);
    for (const char* type : {"Object", "External"}) {
        const std::string queue = metric_of(type, "service_in_flight", "AverageValue");
        CHECK(warnings_of({zero, set_metrics(pods + "," + queue)}).empty());
    }
}

TEST_CASE("Autoscaling: rules of behavior that list no policy are refused, of keda as well") {
    const std::string none = R"("behavior": {"scale_up": {"policies": []}}})";
    const std::string at = kScaling + "/behavior/scale_up/policies";
    const std::string said = "expected at least one policy, found none";
    CHECK(kScaled.complains({kScaling + R"(={"policy": "hpa", "max_replicas": 4, )" + none}, at,
                            said));
    CHECK(kScaled.complains(
        {kScaling + R"(={"policy": "keda", "triggers": [{"type": "queue", "threshold": 5}], )" +
         none},
        at, said));
    const std::string down = kScaling + "/behavior={\"scale_down\": ";
    CHECK(kScaled.complains({down + R"({"policies": [], "select_policy": "Disabled"}})"},
                            kScaling + "/behavior/scale_down/policies", said));
    CHECK(warnings_of({down + R"({"select_policy": "Disabled"}})"}).empty());
}

}  // namespace headroom::scenarios
