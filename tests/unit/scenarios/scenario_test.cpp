#include <algorithm>
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/has.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

constexpr const char* kQueue = R"({
  "duration": "1h",
  "services": {"web": {"simple": {"servers": 2}}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}}
})";

constexpr const char* kChat = R"({
  "duration": "1h",
  "services": {
    "chat": {
      "engine": {"profile": {"model": "llama-3.1-8b", "gpu": "h100-sxm"}},
      "autoscaling": {"policy": "hpa", "min_replicas": 2, "max_replicas": 8}
    }
  },
  "sources": {
    "users": {"service": "chat", "arrivals": {"process": "poisson", "rate": 5},
              "lengths": {"preset": "azure-2023-conversation"}}
  },
  "node_pools": {"gpu": {"instance_type": "p5.4xlarge", "count": 8}}
})";

Scenario good(const std::string& text, const LoadOptions& options = {}) {
    return good_scenario(load_text(text, options));
}

/// The messages of a scenario with assignments on top; for a single rule, its only message.
std::vector<std::string> messages(const std::string& text, const LoadOptions& options = {}) {
    std::vector<std::string> out;
    for (const Diagnostic& d : load_text(text, options).diagnostics) out.push_back(d.text());
    return out;
}
std::string only_message(const std::string& text, std::vector<std::string> sets) {
    const auto all = messages(text, {.sets = std::move(sets)});
    for (const std::string& message : all) UNSCOPED_INFO(message);
    REQUIRE(all.size() == 1);
    return all.front();
}

}  // namespace

TEST_CASE("Scenario: naming what cannot be read is no second mistake") {
    const VariedScenario named{R"({
      "duration": "1h",
      "services": {"web": {"simple": {"servers": 2}, "calls": ["db"]},
                   "db": {"simple": {"servers": 2}}},
      "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}},
      "node_pools": {"small": {"instance_type": "m6i.xlarge", "count": 4}},
      "faults": {"slow": {"at": "1m", "kind": "set_speed", "target": "web", "speed": 0.5},
                 "loss": {"at": "1m", "kind": "lose_node", "target": "small-0"}},
      "expect": {"services.web.requests.failed": "== 0", "services.db.requests.failed": "== 0"}
    })"};
    CHECK(named.good().spec.services.size() == 2);
    CHECK(named.mistake({"/services/web=5"}) == "/services/web: expected an object, found 5");
    CHECK(named.mistake({"/services/db=5"}) == "/services/db: expected an object, found 5");
    CHECK(named.mistake({"/services=5"}) == "/services: expected an object keyed by name, found 5");
    CHECK(named.mistake({"/node_pools/small=5"}) ==
          "/node_pools/small: expected an object, found 5");
    CHECK(named.mistake({"/node_pools/small/count=-1"}) ==
          "/node_pools/small/count: expected a whole number from 0 to 1000000, found -1");
    // What is wrong besides is told.
    CHECK(named.mistakes({"/services/web=5", "/sources/users/service=wbe"}).size() == 2);
    CHECK(named.mistakes({"/services/db=5", "/faults/slow/target=bd"}).size() == 2);
    CHECK(named.mistakes({"/node_pools/small=5", "/faults/loss/target=large-0"}).size() == 2);
}

TEST_CASE("Scenario: the longest duration is said in days, however long the one that was asked") {
    const VariedScenario queue{kQueue};
    for (const char* asked : {"2401h", "107d", "99999999999s"}) {
        CHECK(queue.mistake({std::string("/duration=") + asked}) ==
              "/duration: expected a duration > \"0s\" and <= \"2400h\" (100 days) such as "
              "\"30s\", found \"" +
                  std::string(asked) + "\"");
    }
}

TEST_CASE("Scenario: all mistakes of a file are reported at once, each with its line") {
    const auto found = messages(R"({
  "duration": "ten minutes",
  "seed": -1,
  "service": {},
  "measure_from": 5,
  "services": {
    "chat": {
      "engine": {
        "profile": {"model": "llama-31-8b", "gpu": "h100-sxm"},
        "batching": {"policy": "vllm-v1", "max_num_seq": 8}
      },
      "routing": {"policy": "least-requests"},
      "calls": ["rerank"]
    },
    "reranker": {}
  },
  "sources": {
    "users": {
      "service": "chatt",
      "arrivals": {"process": "poisson", "rate": 0},
      "lengths": {"preset": "azure-2023-conversations"}
    }
  },
  "node_pools": {"gpu": {"instance_type": "p5.4xlarg", "count": "eight"}},
  "expect": {"latency.ttf_s.p99": "< 2"}
})");
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"s.json:2: /duration: ", "expected a duration such as \"30s\""},
        {"s.json:3: /seed: ", "expected a whole number from 0 to 4611686018427387904, found -1"},
        {"s.json:4: /service: ", "found \"service\" (did you mean \"services\"?)"},
        {"s.json:5: /measure_from: ", "found 5 (did you mean \"5s\"?)"},
        {"s.json:9: /services/chat/engine/profile/model: ", "(did you mean \"llama-3.1-8b\"?)"},
        {"s.json:10: /services/chat/engine/batching/max_num_seq: ", "\"max_num_seqs\""},
        {"s.json:12: /services/chat/routing/policy: ", "(did you mean \"least-request\"?)"},
        {"s.json:13: /services/chat/calls/0: ", "(did you mean \"reranker\"?)"},
        {"s.json:15: /services/reranker: ", "or \"dynamic_batching\" or \"versions\""},
        {"s.json:19: /sources/users/service: ", "(did you mean \"chat\"?)"},
        {"s.json:20: /sources/users/arrivals/rate: ", "expected a number > 0"},
        {"s.json:21: /sources/users/lengths/preset: ", "\"azure-2023-conversation\""},
        {"s.json:24: /node_pools/gpu/count: ", "found \"eight\""},
        {"s.json:24: /node_pools/gpu/instance_type: ", "(did you mean \"p5.4xlarge\"?)"},
        {"s.json:25: /expect/latency.ttf_s.p99: ", "(did you mean \"latency.ttft_s.p99\"?)"},
    };
    for (const auto& [where, what] : expected) {
        INFO(where << what);
        CHECK(std::count_if(found.begin(), found.end(), [&, w = where, m = what](const auto& text) {
                  return text.compare(0, w.size(), w) == 0 && has(text, m);
              }) == 1);
    }
    for (const std::string& text : found) UNSCOPED_INFO(text);
    // The profile with the unknown model is not looked at any further.
    CHECK(found.size() == expected.size());
}

TEST_CASE("Scenario: the least that a queue needs, with an implicit pool that has room") {
    const Scenario scenario = good(kQueue);
    const SimulationSpec& spec = scenario.spec;
    CHECK(scenario.name == "s");
    CHECK(spec.seed == 1);
    CHECK(spec.end == Time::zero() + Duration::hours(1));
    CHECK_FALSE(spec.drain);
    REQUIRE(spec.services.size() == 1);
    CHECK(spec.services[0].versions.at(0).engine.simple->servers == 2);
    CHECK(spec.services[0].versions.at(0).engine.simple->queue_limit == -1);
    CHECK_FALSE(spec.services[0].versions.at(0).engine.llm.has_value());
    CHECK(spec.services[0].routing.name == "least-request");
    CHECK(spec.services[0].gateway.max_attempts == 1);
    CHECK_FALSE(spec.services[0].gateway.timeout.has_value());
    REQUIRE(spec.control.pools.size() == 1);
    CHECK(spec.control.pools[0].count >= spec.control.workloads.at(0).replicas);
    REQUIRE(spec.sources.size() == 1);
    const auto source = spec.sources[0].make(spec.seed);
    const auto again = spec.sources[0].make(spec.seed);
    REQUIRE(source->peek().has_value());
    CHECK(source->take().time == again->take().time);
    CHECK(spec.sources[0].make(2)->peek() != again->peek());
}

TEST_CASE("Scenario: defaults are those of Kubernetes and vLLM") {
    const Scenario scenario = good(kChat);
    const control::WorkloadSpec& workload = scenario.spec.control.workloads.at(0);
    CHECK(workload.replicas == 2);
    CHECK(workload.lifecycle.termination_grace == Duration::seconds(30));
    const Parameters& hpa = workload.autoscaler->policy.parameters;
    CHECK(hpa.duration("sync_period") == Duration::seconds(15));
    CHECK(hpa.number("tolerance") == 0.1);
    CHECK(hpa.duration("downscale_stabilization") == Duration::seconds(300));
    CHECK(hpa.duration("cpu_initialization_period") == Duration::seconds(300));
    CHECK(hpa.duration("initial_readiness_delay") == Duration::seconds(30));
    CHECK_FALSE(hpa.given("behavior"));

    const serving::LlmEngineSpec& engine = *scenario.spec.services.at(0).versions.at(0).engine.llm;
    CHECK(engine.batching.name == "vllm-v1");
    CHECK(engine.block_size == 16);
    // On a GPU of 70 GiB and more vLLM's API server takes 1024 sequences and 8192 tokens.
    CHECK(engine.batching.parameters.integer("max_num_seqs") == 1024);
    CHECK(engine.batching.parameters.integer("max_num_batched_tokens") == 8192);
    CHECK(engine.max_model_len == 131072);
    CHECK(engine.kv_blocks > 20'000);
    CHECK(scenario.spec.services[0].front_end_delay == Duration::milliseconds(15));
    CHECK(scenario.spec.control.metrics.scrape_interval == Duration::seconds(15));
    CHECK(scenario.spec.control.scheduling.name == "kube-default");

    REQUIRE(scenario.profiles.size() == 1);
    CHECK(scenario.profiles[0].info.kind == "estimated");
    CHECK(scenario.profiles[0].info.error_band > 0);
    // The engine asks for its GPU, of the model its profile is about, and loads the model's
    // weights.
    CHECK(workload.pod.devices.count == 1);
    CHECK(workload.pod.devices.models == std::vector<std::string>{"h100-sxm"});
    CHECK(workload.pod.weights.size > gibibytes(14));
}

TEST_CASE("Scenario: usable KV blocks are vLLM's number less the null block") {
    const Scenario scenario =
        good(kChat, {.sets = {"/services/chat/engine/num_gpu_blocks=8000",
                              "/services/chat/engine/batching/max_num_seqs=64"}});
    const serving::LlmEngineSpec& engine = *scenario.spec.services.at(0).versions.at(0).engine.llm;
    CHECK(engine.kv_blocks == 7999);
    CHECK(engine.batching.parameters.integer("max_num_seqs") == 64);
    CHECK(engine.max_model_len == 7999 * 16);
}

TEST_CASE("Scenario: fields that contradict each other are refused") {
    const auto queue = [](std::vector<std::string> sets) {
        return only_message(kQueue, std::move(sets));
    };
    CHECK(has(queue({"/measure_from=2h"}), "expected a time before the end of the run (1h)"));
    CHECK(has(queue({"/duration=null"}), "\"duration\" or \"drain\": true"));
    CHECK(has(queue({"/duration=101d"}), "expected a duration"));
    CHECK(has(queue({"/duration=null", "/drain=true"}), "would never end"));
    CHECK(has(queue({"/sources/users/closed_loop={\"users\": 3}"}), "found both"));
    CHECK(
        has(queue({"/sources/users/arrivals=null"}), "\"arrivals\", \"closed_loop\" or \"trace\""));
    CHECK(has(queue({"/services/web/versions={\"a\": {\"simple\": {}}}"}), "found both"));
    CHECK(has(queue({"/services/web/slo={\"ttft\": \"1s\"}"}), "has no tokens"));
    CHECK(has(queue({"/services/web/calls=[\"web\"]"}), "web -> web"));
    CHECK(has(queue({"/sources/users=null"}), "expected a source"));
    CHECK(has(queue({"/faults/f={\"at\": \"1m\", \"target\": \"wab\"}"}), "did you mean \"web\""));
    CHECK(has(
        queue({"/faults/f={\"at\": \"1m\", \"kind\": \"lose_node\", \"target\": \"default-99\"}"}),
        "the name of a node"));
    CHECK(has(queue({"/services/web/pod={\"requests\": {\"nvidia.com/gpu\": 1}}"}), "node_pools"));
    CHECK(has(queue({"/services/web/pod={\"requests\": {\"gpus\": 1}}"}), "expected cpu, memory"));
    CHECK(has(queue({"/start=yesterday"}), "2023-11-16T18:00:00Z"));
    CHECK(
        has(queue({"/sources/users/trace={\"file\": \"no.csv\"}", "/sources/users/arrivals=null"}),
            "no.csv"));
    CHECK(has(queue({"/expect/requests.failed=zero"}), "expected a condition"));

    const auto chat = [](std::vector<std::string> sets) {
        return only_message(kChat, std::move(sets));
    };
    CHECK(has(chat({"/services/chat/autoscaling/min_replicas=9"}), "at most max_replicas (8)"));
    CHECK(has(chat({"/services/chat/engine/profile={\"kind\": \"linear\", \"c0\": \"5ms\"}"}),
              "expected the key \"num_gpu_blocks\""));
    CHECK(has(chat({"/services/chat/simple={}"}), "found both"));
    CHECK(has(chat({"/sources/users/lengths=null"}), "expected the key \"lengths\""));
    CHECK(has(chat({"/sources/users/lengths={\"prompt\": {\"mean\": 5}}"}), "both of \"prompt\""));
    CHECK(has(chat({"/services/chat/engine/profile/model=llama-3.1-405b"}), "does not fit"));
    CHECK(has(chat({"/services/chat/engine/profile/kind=observed"}),
              "no observed profile for llama-3.1-8b on 1 x h100-sxm"));
    CHECK(has(chat({"/services/chat/engine/profile/gpu=h200-sxm"}),
              "an empty node of some node pool"));
    CHECK(has(chat({"/services/chat/pod={\"requests\": {\"memory\": \"1Ti\"}}"}),
              "insufficient memory"));
    CHECK(has(
        chat({"/services/chat/autoscaling/metrics=[{\"type\": \"Pods\", \"name\": "
              "\"requests_in_flite\", \"target\": {\"type\": \"AverageValue\", \"value\": 3}}]"}),
        "did you mean \"requests_in_flight\""));
}

TEST_CASE("Scenario: contradicting parameters of a generator are reported where they stand") {
    const std::string message =
        only_message(kQueue, {"/sources/users/arrivals={\"process\": \"steps\", \"steps\": []}"});
    CHECK(has(message, "expected at least one"));
    // A list of rates that ends with zero ends by itself: a run may drain it.
    CHECK(messages(kQueue,
                   {.sets = {"/duration=null", "/drain=true",
                             "/sources/users/arrivals={\"process\": \"steps\", \"steps\": "
                             "[{\"at\": \"0s\", \"rate\": 3}, {\"at\": \"1m\", \"rate\": 0}]}"}})
              .empty());
}

TEST_CASE("Scenario: a uniform length says its greatest, which by default is beyond all use") {
    CHECK(has(only_message(kChat, {R"(/sources/users/lengths/prompt=
                                  {"distribution": "uniform", "min": 10})"}),
              "expected the key \"max\" with a \"uniform\" distribution"));
    CHECK(messages(kChat, {.sets = {R"(/sources/users/lengths/prompt=
                                    {"distribution": "uniform", "max": 10})"}})
              .empty());
}

TEST_CASE("Scenario: a parameter of which the distribution makes nothing is warned of") {
    const auto warnings = [](const char* text, const std::string& set) {
        std::vector<std::string> out;
        for (const std::string& one : good(text, {.sets = {set}}).warnings) {
            if (has(one, "has no effect")) out.push_back(one);
        }
        return out;
    };
    using Texts = std::vector<std::string>;
    const std::string prompt = "/sources/users/lengths/prompt";
    CHECK(warnings(kChat, prompt + R"(={"mean": 300, "cv": 0.7})") ==
          Texts{prompt + "/cv has no effect: \"distribution\" is \"fixed\" where the file does not "
                         "say"});
    CHECK(
        warnings(kChat, prompt + R"(={"distribution": "azure-2023-code", "mean": 9, "max": 8})") ==
        Texts{prompt + "/mean has no effect: \"distribution\" is \"azure-2023-code\""});
    const std::string lognormal = prompt + R"(={"distribution": "lognormal", )";
    CHECK(warnings(kChat, lognormal + R"("mu": 6, "sigma": 1, "cv": 2})").size() == 1);
    CHECK(warnings(kChat, lognormal + R"("mean": 300, "cv": 2})").empty());

    const std::string service_time = "/services/web/simple/service_time=";
    CHECK(warnings(kQueue, service_time + R"({"mean": "5ms", "cv": 0.1})").size() == 1);
    CHECK(warnings(kQueue, service_time + R"({"distribution": "gamma", "cv": 0.1})").empty());

    const std::string arrivals = R"(/sources/users/arrivals={"rate": 5, "cv": 3, )";
    CHECK(warnings(kQueue, arrivals + R"("process": "diurnal"})") ==
          Texts{"/sources/users/arrivals/cv has no effect: \"gaps\" is \"poisson\" where the file "
                "does not say"});
    CHECK(warnings(kQueue, arrivals + R"("process": "diurnal", "gaps": "gamma"})").empty());
    CHECK(warnings(kQueue, arrivals + R"("process": "gamma"})").empty());
}

TEST_CASE("Scenario: the order of keys in the file changes nothing, the content its hash") {
    const Scenario a = good(R"({"duration": "1h", "seed": 1,
        "services": {"b": {"simple": {}}, "a": {"simple": {}}},
        "sources": {"x": {"service": "b", "arrivals": {"process": "poisson", "rate": 1}}}})");
    const Scenario b = good(R"({ // other order, other blanks
        "sources": {"x": {"arrivals": {"rate": 1, "process": "poisson"}, "service": "b"}},
        "services": {"a": {"simple": {}}, "b": {"simple": {}}}, "seed": 1, "duration": "1h"})");
    CHECK(a.hash == b.hash);
    CHECK(a.spec.services.at(0).name == "a");
    CHECK(a.spec.sources.at(0).service == b.spec.sources.at(0).service);
    CHECK(a.warnings.size() == 1);  // service a gets no requests
    CHECK(good(kQueue).hash != good(kQueue, {.seed = 2}).hash);
    CHECK(good(kQueue, {.seed = 9}).spec.seed == 9);
}

TEST_CASE("Scenario: versions make one workload each, and share the traffic by weight") {
    const Scenario scenario = good(R"({"duration": "1h",
        "services": {"web": {"replicas": 3, "versions": {
            "new": {"weight": 10, "simple": {"servers": 2}, "replicas": 1},
            "old": {"weight": 90, "simple": {"servers": 1}}}}},
        "sources": {"x": {"service": "web", "arrivals": {"process": "poisson", "rate": 1}}}})");
    const auto& workloads = scenario.spec.control.workloads;
    REQUIRE(workloads.size() == 2);
    CHECK(workloads[0].name == "web-new");
    CHECK(workloads[0].replicas == 1);
    CHECK(workloads[1].name == "web-old");
    CHECK(workloads[1].replicas == 3);
    CHECK(workloads[1].version == 1);
    CHECK(scenario.spec.services[0].versions[1].weight == 90);
}

TEST_CASE("Scenario: node pools of one's own, with zones, labels, taints and shared GPUs") {
    const Scenario scenario = good(R"({"duration": "1h", "initial": "cold",
        "services": {"web": {"simple": {}, "pod": {
            "requests": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": 1}, "gpu_share": 0.25,
            "node_selector": {"tier": "gold"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}]}}},
        "sources": {"x": {"service": "web", "arrivals": {"process": "poisson", "rate": 1}}},
        "node_pools": {"own": {"count": 2, "zones": ["a", "b"], "gpu_sharing": "shared",
            "node": {"cpu": "16", "memory": "128Gi", "gpus": 2, "gpu": "l4", "price_per_hour": 1.5},
            "labels": {"tier": "gold"}, "taints": [{"key": "gpu"}]}}})");
    const control::ControlSpec& control = scenario.spec.control;
    CHECK(control.initial == control::InitialState::cold);
    const control::NodePoolSpec& pool = control.pools.at(0);
    CHECK(pool.count == 2);
    CHECK(pool.zones.size() == 2);
    CHECK(pool.node.allocatable.cpu == MilliCpu{16'000});
    CHECK(pool.node.price_per_hour == Money{1'500'000});
    CHECK(pool.node.devices.size() == 2);
    CHECK(pool.node.devices[0].sharing == cluster::SharingMode::shared);
    const cluster::PodSpec& pod = control.workloads.at(0).pod;
    CHECK(pod.requests.cpu == MilliCpu{500});
    CHECK(pod.requests.memory == gibibytes(1));
    CHECK(pod.devices.milli_each == MilliGpu{250});
}

TEST_CASE("Scenario: taints are unique by key and effect") {
    const auto refused = messages(R"({"duration": "1h",
        "services": {"web": {"simple": {}}},
        "sources": {"x": {"service": "web", "arrivals": {"process": "poisson", "rate": 1}}},
        "node_pools": {"gpu": {"instance_type": "p5.4xlarge", "count": 1, "taints": [
            {"key": "a", "value": "1"}, {"key": "a", "effect": "NoExecute"},
            {"key": "a", "value": "2"}]}}})");
    REQUIRE(refused.size() == 1);
    CHECK(has(refused[0],
              "/node_pools/gpu/taints: expected each key once with an effect, as in "
              "Kubernetes, found \"a\" twice with NoSchedule"));
}

TEST_CASE("Scenario: a trace that the duration ends wants to hear of no completion") {
    const std::string file = std::string(HEADROOM_SOURCE_DIR) + "/traces/samples/azure-like.csv";
    const Scenario scenario = good(R"({"duration": "1m", "services": {"web": {"simple": {}}},
        "sources": {"x": {"service": "web", "trace": {"file": ")" +
                                   file + R"("}}}})");
    const auto source = scenario.spec.sources.at(0).make(1);
    CHECK_FALSE(source->answers_completions());
    Time last;
    while (source->peek()) last = source->take().time;
    CHECK(last < Time::zero() + Duration::minutes(1));
    CHECK(last > Time::zero());
}

TEST_CASE("Scenario: --trace replaces the only source, unscaled, and drains") {
    const std::string trace = std::string(HEADROOM_SOURCE_DIR) + "/traces/samples/azure-like.csv";
    const Scenario scenario = good(kQueue, {.traces = {trace}});
    CHECK(scenario.spec.drain);
    CHECK(scenario.spec.end == Time::horizon_limit());
    REQUIRE(scenario.spec.sources.size() == 1);
    const auto source = scenario.spec.sources[0].make(1);
    CHECK(source->peek().has_value());
    CHECK(source->error().empty());

    const std::string two = R"({"duration": "1h",
        "services": {"a": {"simple": {}}, "b": {"simple": {}}},
        "sources": {"x": {"service": "a", "arrivals": {"process": "poisson", "rate": 1}},
                    "y": {"service": "b", "arrivals": {"process": "poisson", "rate": 1}}}})";
    const auto refused = messages(two, {.traces = {trace}});
    REQUIRE(refused.size() == 1);
    CHECK(has(refused[0], "expected SERVICE=FILE"));
    // The other source still ends at what was the duration.
    const Scenario mixed = good(two, {.traces = {"b=" + trace}});
    CHECK(mixed.spec.drain);
    const auto other = mixed.spec.sources.at(0).make(1);
    Time last;
    while (other->peek()) last = other->take().time;
    CHECK(last < Time::zero() + Duration::hours(1));
    CHECK(last > Time::zero() + Duration::minutes(50));
    CHECK(has(messages(two, {.traces = {"c=" + trace}}).at(0), "name of a service"));
    CHECK(has(messages(kQueue, {.traces = {"nowhere.csv"}}).at(0), "nowhere.csv"));
}

TEST_CASE(
    "Scenario: patches are merged before assignments, their mistakes located in their files") {
    const TemporaryFolder folder;
    folder.write("s.json", kQueue);
    folder.write("more.json", R"({"services": {"web": {"simple": {"servers": 5}}}, "seed": 4})");
    folder.write("drain.json", R"({"duration": null, "drain": true,
      "sources": {"users": {"max_requests": 10}}})");
    const auto load_with = [&](std::vector<std::string> patches, std::vector<std::string> sets) {
        for (std::string& patch : patches) patch = folder.path(patch);
        return load_scenario(folder.path("s.json"),
                             {.patches = std::move(patches), .sets = std::move(sets)});
    };
    const LoadResult patched = load_with({"more.json", "drain.json"}, {"/seed=6"});
    REQUIRE(patched.scenario);
    CHECK(patched.scenario->spec.services[0].versions[0].engine.simple->servers == 5);
    CHECK(patched.scenario->spec.seed == 6);
    CHECK(patched.scenario->spec.drain);
    CHECK(patched.scenario->hash ==
          load_with({}, {"/services/web/simple/servers=5", "/seed=6", "/duration=null",
                         "/drain=true", "/sources/users/max_requests=10"})
              .scenario->hash);

    folder.write("list.json", "[1]");
    folder.write("extends.json", "{\n \"extends\": \"s.json\"\n}");
    folder.write("wrong.json", "{\n \"services\": {\"web\": {\"simple\": {\"servers\": 0}}}\n}");
    const auto message = [&](const std::string& patch) {
        const LoadResult result = load_with({patch}, {});
        REQUIRE(result.diagnostics.size() == 1);
        return result.diagnostics[0].text();
    };
    CHECK(has(message("list.json"), "list.json:1:1: expected an object"));
    CHECK(has(message("extends.json"), "extends.json:2: /extends: expected a patch"));
    CHECK(has(message("wrong.json"), "wrong.json:2: /services/web/simple/servers: expected"));
    CHECK(has(message("nowhere.json"), "nowhere.json"));
}

}  // namespace headroom::scenarios
