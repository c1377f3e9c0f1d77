/// What a cell records of one service. Mergeable: replications and cells add up. Counts cover the
/// whole run; latencies and SLO the requests that arrived at or after `measure_from`, throughput
/// and tokens those that completed after it.
///
/// Latencies are of *calls* at this service (for the service a source enters at, of its requests):
///   queue  arrival at the gateway until the first iteration (or server) takes it
///   ttft   arrival until its first output token
///   tpot   (last token - first token) / (output tokens - 1), for outputs of at least two tokens
///   itl    gaps between tokens of one sequence, one sample per token after the first
///   e2e    arrival until completion, calls to further services included
/// For a SimpleInstance or DynamicBatchInstance only queue and e2e exist. All in picoseconds. Only
/// completed calls count, but for itl, which records each gap when it happens.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"
#include "sim/metrics/histogram.hpp"
#include "sim/serving/backlog_meter.hpp"
#include "sim/serving/data_plane.hpp"
#include "sim/serving/request.hpp"

namespace headroom::serving {

struct ServiceStats {
    OutcomeCounts requests;  ///< root requests that entered at this service
    OutcomeCounts calls;
    OutcomeCounts attempts;
    std::array<std::int64_t, kCauseCount> causes{};  ///< of calls that did not complete

    metrics::Histogram queue;
    metrics::Histogram ttft;
    metrics::Histogram tpot;
    metrics::Histogram itl;
    metrics::Histogram e2e;

    /// Calls that completed within what is measured, whenever they arrived, and their tokens; the
    /// histograms above and the SLO are of calls that arrived within it.
    std::int64_t measured_completed = 0;
    std::int64_t prompt_tokens = 0;
    std::int64_t output_tokens = 0;
    std::int64_t preemptions = 0;  ///< whole run
    std::int64_t executions = 0;   ///< batches that a dynamic batcher's model ran to their end
    std::int64_t executed_requests = 0;  ///< the sum of their sizes
    /// As vLLM counts them (vllm:prefix_cache_queries and _hits): at every look-up, so also when
    /// the queue's head is then not admitted, but not for preempted sequences. Whole run.
    std::int64_t prefix_query_tokens = 0;
    std::int64_t prefix_hit_tokens = 0;
    std::int64_t host_hit_tokens = 0;  ///< fetched from the host tier
    std::int64_t swaps = 0;            ///< preempted sequences that the host took in
    std::int64_t drafted_tokens = 0;   ///< verified by decodes, accepted or not
    std::int64_t accepted_tokens = 0;
    std::int64_t kv_transferred_bytes = 0;  ///< from prefill to decode instances
    std::int64_t adapter_loads = 0;         ///< into slots
    std::int64_t slo_good = 0;
    std::int64_t slo_missed = 0;  ///< overdue calls in flight at the end included

    TimeIntegral busy;           ///< engine time with an iteration in progress, or servers in use
    TimeIntegral kv_block_time;  ///< KV blocks held, integrated
    TimeIntegral kv_capacity_time;  ///< KV blocks that exist in ready or draining instances
    TimeIntegral instance_time;     ///< instances that exist in the data plane

    /// Little's law, as a sample-path identity over the whole run: the integral of the number of
    /// calls in the system, and the sum of the times they spent in it up to its end. Equal, always.
    TimeIntegral in_system;
    TimeIntegral sojourn;
    Time last_arrival;
    BacklogMeter backlog;  ///< not merged: a backlog is one service's

    void merge(const ServiceStats& o);
    /// Takes over what calls count in: latencies (but not between tokens), SLO, what completed.
    void take_figures(const ServiceStats& o);
};

/// One completed, failed, rejected, timed out or unfinished call: a row of requests.csv.
struct RequestRow {
    std::uint64_t id = 0;  ///< number of the root request in its source's order
    std::uint32_t source = 0;
    std::uint32_t service = 0;
    std::uint32_t instance = 0;  ///< ordinal; kNoInstance when it never reached one
    std::uint32_t preemptions = 0;
    Time arrival;
    Time first_scheduled = Time::max();  ///< Time::max(): did not happen
    Time first_token = Time::max();
    Time finish = Time::max();
    std::int64_t prompt_tokens = 0;
    std::int64_t output_tokens = 0;
    Outcome outcome = Outcome::in_flight;
    Cause cause = Cause::none;
    std::uint32_t attempts = 0;

    static constexpr std::uint32_t kNoInstance = 0xffffffffU;
};

}  // namespace headroom::serving
