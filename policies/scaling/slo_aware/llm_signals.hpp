/// LlmSignals: what the metrics of a workload of LLM instances say together, at one tick.
///
/// Only pods that run, are ready, are not being deleted and have a sample of requests_running are
/// read; pods on their way are counted apart. `read_signals` expects the readings in the order of
/// `signal_requests`. Doubles are quotients of milli-units; sums run in the order of the pods, so
/// they are the same everywhere. O(pods), no allocation.
///
///     const LlmSignals s = read_signals(view, max_queue);
///     if (s.ready == 0) ... nothing is known ...
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/control/scaling_policy.hpp"

namespace headroom::policies {

struct LlmSignals {
    std::int64_t ready = 0;          ///< instances that were read
    std::int64_t starting = 0;       ///< pods that will become instances
    double kv = 0.0;                 ///< KV cache in use, summed: 1 is one instance's whole cache
    double running = 0.0;            ///< requests in batches
    double waiting = 0.0;            ///< requests in the instances' queues and at the gateway
    std::optional<double> ttft_s;    ///< mean over the instances that have one
    std::optional<double> arrivals;  ///< requests per second
    double tokens = 0.0;             ///< prompt and output tokens per second, summed
    std::int64_t saturated = 0;      ///< instances with a queue of max_queue or more
    double saturated_tokens = 0.0;   ///< tokens per second of those, summed
};

/// requests_waiting, requests_running, kv_used_fraction, ttft_mean_seconds,
/// prompt_tokens_per_second, output_tokens_per_second of the pods; gateway_queue and
/// arrivals_per_second of the service.
[[nodiscard]] std::vector<control::MetricRequest> signal_requests();
[[nodiscard]] LlmSignals read_signals(const control::ScalingView& view, double max_queue);

}  // namespace headroom::policies
