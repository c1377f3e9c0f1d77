#include <string>
#include <vector>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kLinearChat{R"({
  "duration": "1m",
  "services": {"chat": {"engine": {
    "profile": {"kind": "linear", "c0": "10ms"}, "num_gpu_blocks": 1001
  }}},
  "sources": {"users": {"service": "chat", "arrivals": {"process": "poisson", "rate": 5},
    "lengths": {"preset": "azure-2023-conversation"}}}
})"};
const VariedScenario kPools{R"({
  "duration": "1m",
  "services": {"chat": {
    "kv_transfer": {"nic_bandwidth": "25G"},
    "versions": {
      "prompts": {"role": "prefill", "engine": {
        "profile": {"kind": "linear", "c0": "10ms"}, "num_gpu_blocks": 1001,
        "kv_bytes_per_token": "128Ki"}},
      "answers": {"role": "decode", "engine": {
        "profile": {"kind": "linear", "c0": "10ms"}, "num_gpu_blocks": 1001}}
    }
  }},
  "sources": {"users": {"service": "chat", "arrivals": {"process": "poisson", "rate": 5},
    "lengths": {"preset": "azure-2023-conversation"}}}
})"};

const std::string kEngine = "/services/chat/engine";

}  // namespace

TEST_CASE("Engine options: a policy that cannot plan for one is named, with one that can") {
    const auto found = kLinearChat.mistakes({kEngine + "/batching={\"policy\": \"sarathi\"}",
                                             kEngine + "/enable_prefix_caching=true",
                                             kEngine + "/async_scheduling=true"});
    REQUIRE(found.size() == 2);
    CHECK(found[1] == kEngine +
                          "/enable_prefix_caching: expected false: the batching policy \"sarathi\" "
                          "cannot plan for it (\"vllm-v1\" can)");
    CHECK(found[0].rfind(kEngine + "/async_scheduling: expected false", 0) == 0);
    CHECK(kLinearChat
              .load({kEngine + "/batching={\"policy\": \"sarathi\"}",
                     kEngine + "/pipeline_parallel_size=2"})
              .scenario.has_value());
}

TEST_CASE("Engine options: drafts go neither ahead nor through a pipeline") {
    const auto found =
        kLinearChat.mistakes({kEngine + "/speculative={}", kEngine + "/async_scheduling=true",
                              kEngine + "/pipeline_parallel_size=2"});
    REQUIRE(found.size() == 2);
    CHECK(found[0].rfind(kEngine + "/async_scheduling: expected neither", 0) == 0);
    CHECK(found[1].rfind(kEngine + "/pipeline_parallel_size: expected neither", 0) == 0);
}

TEST_CASE("Engine options: a host tier needs a use, a size and the size of a token") {
    const std::string tier = kEngine + "/kv_offloading=";
    CHECK(kLinearChat.mistakes({tier + "{\"size\": \"1Gi\"}"}).size() == 1);
    const auto unsized = kLinearChat.mistakes(
        {tier + "{\"size\": \"1Gi\"}", kEngine + "/enable_prefix_caching=true"});
    REQUIRE(unsized.size() == 1);
    CHECK(unsized[0].find("expected the key \"kv_bytes_per_token\"") != std::string::npos);
    const auto small =
        kLinearChat.mistakes({tier + "{\"size\": \"1Mi\"}", kEngine + "/enable_prefix_caching=true",
                              kEngine + "/kv_bytes_per_token=\"128Ki\""});
    REQUIRE(small.size() == 1);
    CHECK(small[0].find("expected room for one block of 2097152 bytes") != std::string::npos);
    const auto slots =
        kLinearChat.mistakes({kEngine + "/lora={\"max_loras\": 4, \"max_cpu_loras\": 2}"});
    REQUIRE(slots.size() == 1);
    CHECK(slots[0] == kEngine + "/lora/max_cpu_loras: expected at least max_loras = 4, found 2");
}

TEST_CASE("Pools: one for prefill and one for decode, with replicas and a way between them") {
    CHECK(kPools.load().scenario.has_value());
    const std::string chat = "/services/chat";
    const auto none = kPools.mistakes({chat + "/versions/answers/replicas=0"});
    REQUIRE(none.size() == 1);
    CHECK(none[0] == chat +
                         "/versions/answers/replicas: expected at least 1 replica: without the "
                         "pool \"answers\" no request is ever completed");
    const auto two = kPools.mistakes({chat + "/versions/answers/role=prefill"});
    REQUIRE(two.size() == 1);
    CHECK(two[0].rfind(chat + "/versions: expected two versions with engines, one of role", 0) ==
          0);
    const auto blind =
        kPools.mistakes({chat + "/versions/answers/engine/batching={\"policy\": \"sarathi\"}"});
    REQUIRE(blind.size() == 1);
    CHECK(blind[0].rfind(
              chat + "/versions/answers/engine/batching: expected a policy that takes in", 0) == 0);
    CHECK(kPools.load({chat + "/versions/prompts/engine/batching={\"policy\": \"sarathi\"}"})
              .scenario.has_value());
    const auto unknown = kPools.mistakes({chat + "/versions/prompts/role=prefil"});
    REQUIRE_FALSE(unknown.empty());
    CHECK(unknown[0].find("did you mean \"prefill\"?") != std::string::npos);
}

TEST_CASE("Prefix caching: a trace that says nothing of its contents is refused, unless allowed") {
    std::string text = kLinearChat.text;
    const std::string trace = R"("trace": {"file": "t.csv"})";
    text.replace(text.find(R"("arrivals")"), text.rfind("}}") - text.find(R"("arrivals")"), trace);
    const VariedScenario replayed{text,
                                  {{"t.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,2\n"}}};
    CHECK(replayed.load().scenario.has_value());
    const std::string caches = kEngine + "/enable_prefix_caching=true";
    const auto found = replayed.mistakes({caches});
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("expected hash_ids") != std::string::npos);
    CHECK(replayed.load({caches, "/sources/users/trace/require_contents=false"})
              .scenario.has_value());
}

}  // namespace headroom::scenarios
