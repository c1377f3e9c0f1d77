// Engines whose pods have a part of a GPU: how much memory they find, and what is said of their
// speed.
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

const VariedScenario kOnH100{R"({
  "duration": "1h",
  "services": {"chat": {
      "engine": {"profile": {"model": "llama-3.1-8b", "gpu": "h100-sxm"}, "max_model_len": 4096},
      "pod": {"requests": {"cpu": "1"}}}},
  "sources": {"users": {"service": "chat", "arrivals": {"process": "poisson", "rate": 1},
                        "lengths": {"preset": "azure-2023-conversation"}}},
  "node_pools": {"gpu": {"instance_type": "p5.4xlarge", "count": 1}}
})"};

const std::string kShared = R"(/node_pools/gpu/gpu_sharing="shared")";
const std::string kSliced = R"(/node_pools/gpu/gpu_sharing="sliced")";

std::int64_t kv_tokens(const Scenario& scenario) {
    const auto& engine = *scenario.spec.services.at(0).versions.at(0).engine.llm;
    return engine.kv_blocks * engine.block_size;
}

std::string slice(const std::string& profile) {
    return R"(/services/chat/pod/requests={"nvidia.com/mig-)" + profile + R"(": 1})";
}

/// Bytes of KV cache in bf16: 32 layers, 8 heads of 128, keys and values.
constexpr double kBytesPerToken = 2.0 * 32 * 8 * 128 * 2;

}  // namespace

TEST_CASE("Scenario: an engine on a part of a GPU has that part of its memory") {
    const Scenario whole = kOnH100.good();
    CHECK(whole.warnings.empty());
    const auto lost_bytes = [&](const Scenario& part) {
        return static_cast<double>(kv_tokens(whole) - kv_tokens(part)) * kBytesPerToken;
    };
    // 0.9 of the memory that is missing, of 84.93 GB in all; what weights and activations take
    // stays.
    const Scenario half = kOnH100.good({kShared, "/services/chat/pod/gpu_share=0.5"});
    CHECK(lost_bytes(half) == Approx(0.9 * 0.5 * 84'932'558'848.0).epsilon(0.001));
    const Scenario three = kOnH100.good({kSliced, slice("3g.40gb")});
    CHECK(lost_bytes(three) ==
          Approx(0.9 * (84'932'558'848.0 - 40'192.0 * 1024 * 1024)).epsilon(0.001));

    CHECK(kOnH100.complains({kShared, "/services/chat/pod/gpu_share=0.1"},
                            "/services/chat/engine/profile",
                            "tensor parallel 4) (its pods have a share of 0.1 of it)"));
    CHECK(kOnH100.complains({kSliced, slice("1g.10gb")}, "/services/chat/engine/profile",
                            "does not fit"));
    // Who says how many blocks there are is believed.
    const Scenario told = kOnH100.good(
        {kShared, "/services/chat/pod/gpu_share=0.3", "/services/chat/engine/num_gpu_blocks=1001"});
    CHECK(kv_tokens(told) == 16'000);
}

TEST_CASE("Scenario: a profile of a whole GPU for pods that have a part of one is warned of") {
    const auto warnings = [](std::vector<std::string> sets) {
        return kOnH100.good(std::move(sets)).warnings;
    };
    const auto shared = warnings({kShared, "/services/chat/pod/gpu_share=0.5"});
    REQUIRE(shared.size() == 1);
    CHECK(shared[0].find("service chat: its pods have a share of 0.5 of a GPU (h100-sxm), its "
                         "profile is that of a whole one") == 0);
    const auto sliced = warnings({kSliced, slice("3g.40gb")});
    REQUIRE(sliced.size() == 1);
    CHECK(sliced[0].find("its pods have the slice 3g.40gb of a GPU (h100-sxm)") !=
          std::string::npos);
    CHECK(warnings({kShared}).empty());
    // Who sets the speed has thought of it; coefficients of one's own are of whatever they are of.
    CHECK(warnings(
              {kShared, "/services/chat/pod/gpu_share=0.5", "/services/chat/speed_by_rank=[0.5]"})
              .empty());
    CHECK(warnings({kShared, "/services/chat/pod/gpu_share=0.5",
                    R"(/services/chat/pod/requests={"nvidia.com/gpu": 1})",
                    "/services/chat/engine/num_gpu_blocks=1000",
                    R"(/services/chat/engine/profile={"kind": "linear", "c0": "5ms"})"})
              .empty());
}

TEST_CASE("Scenario: execution instances that share a GPU are warned of") {
    const VariedScenario batcher{R"({
      "duration": "1h",
      "services": {"images": {"dynamic_batching": {
          "profile": {"model": "resnet-50", "gpu": "l4"}, "max_batch_size": 8}}},
      "sources": {"users": {"service": "images",
                            "arrivals": {"process": "poisson", "rate": 100}}},
      "node_pools": {"gpu": {"instance_type": "g6.12xlarge", "count": 1}}
    })"};
    const std::string two = "/services/images/dynamic_batching/instance_group/count=2";
    CHECK(batcher.good().warnings.empty());
    CHECK(batcher.good({two}).warnings ==
          std::vector<std::string>{
              "service images: 2 execution instances run on 1 GPU (l4), each as fast as if it were "
              "alone, which is too good; \"speed_by_rank\" makes them slower"});
    CHECK(batcher.good({two, R"(/services/images/pod/requests={"nvidia.com/gpu": 2})"})
              .warnings.empty());
    CHECK(batcher.good({two, "/services/images/speed_by_rank=[0.5]"}).warnings.empty());
}

}  // namespace headroom::scenarios
