/// What the data plane is built from: plain data, filled by the scenario loader (or by a test),
/// with every name resolved to an index and every default in place. Nothing here is checked again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/distribution.hpp"
#include "sim/core/registry.hpp"
#include "sim/core/time.hpp"
#include "sim/core/units.hpp"
#include "sim/serving/latency/latency_model.hpp"
#include "sim/serving/request_source.hpp"

namespace headroom::serving {

/// Where an instance's speed comes from, repeated in every report that used it.
struct ProfileInfo {
    std::string kind = "linear";  ///< linear | estimated | observed | measured
    std::string name;             ///< e.g. "llama-3.1-8b on h100-sxm, tp 1, bf16"
    double error_band = 0;        ///< relative, e.g. 0.15; 0: not stated
};

/// A continuous-batching LLM engine.
struct LlmEngineSpec {
    std::shared_ptr<const LatencyModel> latency;
    ProfileInfo profile;
    PolicyChoice batching{"vllm-v1", {}};
    std::int64_t block_size = 16;         ///< tokens a KV block
    std::int64_t kv_blocks = 0;           ///< usable blocks
    std::int64_t max_model_len = 131072;  ///< tokens a sequence may have
};

/// `servers` in parallel in front of one FIFO queue; each request takes a drawn service time.
struct SimpleEngineSpec {
    std::int64_t servers = 1;
    Distribution service_time = Distribution::exponential(1.0);  ///< seconds
    std::int64_t queue_limit = -1;  ///< waiting requests at most; -1: unbounded
};

struct EngineSpec {
    std::optional<LlmEngineSpec> llm;  ///< exactly one of the two
    std::optional<SimpleEngineSpec> simple;
};

struct VersionSpec {
    std::string name = "v1";
    std::int64_t weight = 100;  ///< share of traffic, relative to the other versions
    EngineSpec engine;
};

struct GatewaySpec {
    std::optional<Duration> timeout;  ///< from arrival at the gateway, over all attempts
    std::int64_t queue_limit = -1;  ///< requests held while no instance can take one; -1: unbounded
    std::int64_t max_attempts = 1;  ///< tries of a call that loses its instance
    std::int64_t max_in_flight_per_instance = -1;  ///< -1: unbounded
};

/// A request is good when it completes within every limit that is set.
struct SloSpec {
    std::optional<Duration> ttft;  ///< arrival to first token
    std::optional<Duration> tpot;  ///< mean time per output token after the first
    std::optional<Duration> e2e;   ///< arrival to completion
    [[nodiscard]] bool any() const { return ttft || tpot || e2e; }
};

struct ServiceSpec {
    std::string name;
    std::vector<VersionSpec> versions;  ///< at least one
    PolicyChoice routing{"least-request", {}};
    GatewaySpec gateway;
    SloSpec slo;
    Duration front_end_delay;            ///< gateway to the engine's queue: network, API server
    std::optional<Distribution> jitter;  ///< seconds, added to front_end_delay per attempt
    std::vector<std::uint32_t>
        calls;  ///< services called one after the other once this one is done
};

struct SourceSpec {
    std::string name;
    std::uint32_t service = 0;  ///< index of the service its requests enter at
    /// Builds the source anew for a seed.
    std::function<std::unique_ptr<RequestSource>(std::uint64_t seed)> make;
};

}  // namespace headroom::serving
