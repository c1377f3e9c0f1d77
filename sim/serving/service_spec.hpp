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

class BatchLatency;

/// Where an instance's speed comes from, repeated in every report that used it.
struct ProfileInfo {
    std::string kind = "linear";  ///< linear | estimated | observed | measured
    std::string name;             ///< e.g. "llama-3.1-8b on h100-sxm, tp 1, bf16"
    double error_band = 0;        ///< relative, e.g. 0.15; 0: not stated
};

/// LoRA adapters of an engine, as vLLM keeps them: some in slots on the GPU, more in host memory,
/// each given up in the order in which they were last used.
struct AdapterSpec {
    std::int64_t max_loras = 1;      ///< slots, and so different adapters in one batch at most
    std::int64_t max_cpu_loras = 1;  ///< in host memory at most, >= max_loras
    Duration load_from_host;         ///< into a slot; the iteration that needs it is longer
    Duration load_from_storage;      ///< into host memory before that
};

/// Speculative decoding: every decode also verifies drafted tokens. Each is accepted with the same
/// probability, up to the first that is not; drafts past the request's last token are not made.
struct SpeculationSpec {
    std::int64_t num_speculative_tokens = 1;
    double acceptance_rate = 0.7;  ///< of one token, given that those before it were accepted
    Duration draft_time;           ///< of one token for the whole batch
};

/// Host memory behind the KV cache. What the GPU evicts goes there and can be fetched from there,
/// over a link that carries one transfer after the other (the other direction is as fast, and a
/// copy to the host delays nothing but a fetch of the same blocks).
struct HostKvSpec {
    std::int64_t blocks = 0;
    Duration time_per_block;
    bool swap = false;  ///< preempted sequences are kept there instead of being computed anew
};

/// What an instance does of a request: all, or one phase of it.
enum class EngineRole : std::uint8_t { both, prefill, decode };

/// A continuous-batching LLM engine.
struct LlmEngineSpec {
    std::shared_ptr<const LatencyModel> latency;
    ProfileInfo profile;
    PolicyChoice batching{"vllm-v1", {}};
    std::int64_t block_size = 16;         ///< tokens a KV block
    std::int64_t kv_blocks = 0;           ///< usable blocks
    std::int64_t max_model_len = 131072;  ///< tokens a sequence may have
    std::int64_t kv_bytes_per_token = 0;  ///< of all GPUs together; 0: not known
    bool prefix_caching = false;
    bool async_scheduling = false;     ///< plans a batch while the one before it runs
    std::int64_t pipeline_stages = 1;  ///< each takes an equal part of an iteration's time
    std::optional<AdapterSpec> adapters{};
    std::optional<SpeculationSpec> speculation{};
    std::optional<HostKvSpec> host_kv{};
    EngineRole role = EngineRole::both;

    /// Whether it is LeapingLlmInstance that does all of this, not LlmInstance.
    [[nodiscard]] bool beyond_macro_steps() const {
        return prefix_caching || async_scheduling || pipeline_stages > 1 || adapters ||
               speculation || host_kv || role != EngineRole::both;
    }
};

/// `servers` in parallel in front of one FIFO queue; each request takes a drawn service time.
struct SimpleEngineSpec {
    std::int64_t servers = 1;
    Distribution service_time = Distribution::exponential(1.0);  ///< seconds
    std::int64_t queue_limit = -1;  ///< waiting requests at most; -1: unbounded
};

/// What becomes of a request whose timeout in a batcher's queue ended: an error, or it is served
/// behind all others of its priority.
enum class QueueTimeoutAction : std::uint8_t { reject, delay };

/// A model behind a dynamic batcher, in the words of Triton's model configuration.
struct DynamicEngineSpec {
    std::shared_ptr<const BatchLatency> latency;
    ProfileInfo profile;
    std::int64_t instances = 1;  ///< instance_group.count: executions at once
    std::int64_t max_batch_size = 1;
    std::vector<std::int64_t> preferred_batch_sizes{1};  ///< ascending, from 1 to max_batch_size
    Duration max_queue_delay;
    std::int64_t max_queue_size = 0;          ///< of each priority level; 0: any
    std::optional<Duration> default_timeout;  ///< in the queue
    QueueTimeoutAction timeout_action = QueueTimeoutAction::reject;
    std::int64_t priority_levels = 0;         ///< 1 is the highest; 0: all are equal
    std::int64_t default_priority_level = 0;  ///< of a request whose priority is no level
};

struct EngineSpec {
    std::optional<LlmEngineSpec> llm;  ///< exactly one of them
    std::optional<SimpleEngineSpec> simple;
    std::optional<DynamicEngineSpec> dynamic{};
};

struct VersionSpec {
    std::string name = "v1";
    std::int64_t weight = 100;  ///< share of traffic, relative to the other versions
    EngineSpec engine;
    std::optional<PolicyChoice> routing{};  ///< instead of the service's
};

/// Prefill and decode on different instances: the router sends a request to one of role `prefill`,
/// which computes the prompt and keeps its KV blocks; then to one of role `decode`, which takes
/// blocks, has the KV of the prompt sent over, computes the last prompt token once more and goes on
/// from there (vLLM's P/D connectors). Each instance has a NIC; the fabric between is shared.
struct KvTransferSpec {
    std::int64_t bytes_per_token = 0;     ///< of all ranks together
    std::int64_t nic_bytes_per_s = 0;     ///< of an instance, in each direction
    std::int64_t fabric_bytes_per_s = 0;  ///< 0: as much as the NICs
    Duration latency;
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
    /// With it the versions are pools: those of role `prefill` and `decode`, one each.
    std::optional<KvTransferSpec> kv_transfer{};
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
