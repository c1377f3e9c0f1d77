/// bound: what a scenario's services can hold, by formulas alone (queueing.hpp, llm_capacity.hpp).
///
///     const Bound bound = make_bound(scenario);             // no simulation
///     bound.versions[0].at[0].headroom                      // times today's peak
///
/// Figures of a simulation beside them: report/bound_comparison.hpp.
///
/// A row is one version of one service, for each has its own engine and replicas. Its load is its
/// share of the service's (offered_load.hpp); of a closed loop the most that N users can ask for,
/// min(N / (R + Z), what its service holds), or with an LLM engine, whose R follows from the rate,
/// the rate at which N = rate (R + Z). Capacity is per replica: servers over the mean service
/// time; the fluid limit of an LLM engine; the largest batch over its time for a dynamic batcher.
/// Faults, retries, cold starts and autoscalers are no part of the formulas.
///
/// The target of a service is what `expect` demands of its latency or SLO attainment, else 99 % of
/// requests within `slo`, of which those turned away by a full queue are none. Of a limited queue
/// quantiles have a formula only where it is M/M/c/K; without one there is no target.
/// Deterministic; O(traces + versions * (lengths + servers)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/experiments/llm_capacity.hpp"
#include "analysis/experiments/offered_load.hpp"
#include "analysis/statistics/queueing.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::analysis {

enum class EngineKind : std::uint8_t { simple, llm, dynamic };

/// What is asked of a service, as far as a formula can answer it.
struct Target {
    enum class Kind : std::uint8_t { mean_response, mean_wait, response, wait, tpot };
    Kind kind = Kind::response;
    double quantile = 0.99;  ///< of response and wait
    double limit_s = 0;
    bool of_all = false;  ///< response: those turned away count as too late
    std::string text;     ///< the expectation; empty: it follows from the SLO
};

/// The version at some number of replicas.
struct AtReplicas {
    std::int64_t replicas = 0;
    double utilisation = 0;       ///< at the mean rate; above 1: more than it holds
    double peak_utilisation = 0;  ///< in the busiest window
    double headroom = 0;          ///< capacity over the peak rate; infinite without load
};

struct SimpleFigures {
    ServerQueue queue;  ///< all replicas as one
    double mean_wait_s = 0;
    double wait_p99_s = 0;  ///< infinite: no end, or with limited room not computed
    double response_p99_s = 0;
    std::int64_t waiting_room = -1;  ///< of all replicas; -1: any
    double blocked = 0;              ///< share of arrivals, where the room is limited
    std::string formula;
    bool exact = true;  ///< of the mean wait and `blocked`; else `formula` says so
};

struct LlmFigures {
    LlmOperation most;  ///< of one replica
    LlmOperation now;   ///< of one replica, at its share of the mean rate
    LlmOperation peak;  ///< and of the peak rate
    BatchLimit limit = BatchLimit::sequences;
    std::int64_t max_num_seqs = 0;
    double kv_sequences = 0;
    double mean_prompt = 0;
    double mean_output = 0;
    double refused = 0;
    double decode_tokens_per_s = 0;
    double prefill_tokens_per_s = 0;
    double lone_prefill_s = 0;
    serving::EngineRole role = serving::EngineRole::both;
    std::optional<LlmOperation> within_tpot;  ///< at the SLO's time per token
};

struct DynamicFigures {
    std::int64_t max_batch_size = 1;
    std::int64_t instances = 1;
    double full_batch_s = 0;
    double single_s = 0;
};

struct VersionBound {
    std::string name;  ///< of the service, with the version's where it has several
    std::uint32_t service = 0;
    std::uint32_t version = 0;
    EngineKind engine = EngineKind::simple;
    bool alone = true;             ///< the service's only version
    OfferedLoad load;              ///< its share
    double capacity_rps = 0;       ///< of one replica; 0: not known (no requests, so no lengths)
    double tpot_capacity_rps = 0;  ///< of one, within the SLO's time per token; 0: no such SLO
    std::string autoscaler;        ///< its policy; empty: a fixed number
    std::int64_t replicas = 1;
    std::int64_t min_replicas = 1;  ///< both `replicas` where they are fixed
    std::int64_t max_replicas = 1;
    double gpus_per_replica = 0;           ///< shares of GPUs count as such
    std::vector<AtReplicas> at;            ///< at `replicas`, or at least and most
    std::optional<std::int64_t> for_mean;  ///< fewest replicas that hold the mean rate
    std::optional<std::int64_t> for_peak;
    std::optional<Target> target;
    std::optional<std::int64_t> for_target;  ///< fewest at the peak rate; nothing: none, unknown
    std::optional<ClosedBounds> closed;
    double closed_rate = 0;  ///< what its users ask for: the bound, of LLM engines the balance
    std::optional<SimpleFigures> simple;
    std::optional<LlmFigures> llm;
    std::optional<DynamicFigures> dynamic;
};

struct PoolGpus {
    std::int64_t held = 0;  ///< GPUs of all node pools
    double needed = 0;      ///< by every workload at its most replicas
    double for_peak = 0;    ///< by the fewest replicas that hold the peaks
};

struct Bound {
    std::vector<VersionBound> versions;
    PoolGpus gpus;
    double span_s = 0;
    std::string error;  ///< not empty: a trace is bad
};

[[nodiscard]] Bound make_bound(const scenarios::Scenario& scenario);

}  // namespace headroom::analysis
