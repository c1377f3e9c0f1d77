/// The rule of `slo-aware`: how many instances each of four reasons asks for, from the signals of a
/// tick and what was learnt before. Pure functions; O(1).
///
/// Notation: n instances are ready and s are starting, each serves mu requests/s at its best;
/// lambda requests/s arrive and lambda' are expected when an instance started now is ready, S
/// later; Q wait. Each clause keeps a room of its own to its target.
///
/// - KV: the cache in use, K instances' worth, grows with the requests in flight, L = lambda W by
///   Little's law, and W grows too, for a step is slower the larger its batch. With a step affine
///   in the batch, W = a / (1 - lambda b): a is the W of light load, and W / a, the slowdown, is
///   measured (learned_rate.hpp), hence lambda b = 1 - a / W. From lambda to lambda' = g lambda,
///     K' / K = g (1 - lambda b) / (1 - g lambda b),    at most max_growth,
///   and n >= K' / kv_target: the HPA's rule, with look-ahead.
/// - load: mu n must exceed lambda' by the room that queueing needs: n >= lambda' / (load_target
///   mu). Known once mu is (learned_rate.hpp).
/// - queue: asks only above max_queue an instance. What waits when help comes is
///   B = Q + (lambda' - mu (n + s)) S, at least 0; to work it off in drain_time D beside the
///   arrivals, n >= (lambda' + B / D) / mu. By Little's law B / (mu n) is the wait, hence the TTFT,
///   of who comes then, and a B below mu n ttft_target is within the target: it asks for nothing
///   more than the load. While mu is not known: n >= Q / max_queue.
/// - TTFT: asks only above ttft_threshold of the target, in proportion: n T / (ttft_threshold
///   ttft_target). It says that there is a backlog, not how large, so at most twice n.
///
/// KV, queue and load come from vLLM's own metrics (vllm:kv_cache_usage_perc,
/// vllm:num_requests_waiting); J. D. C. Little, "A Proof for the Queuing Formula L = lambda W",
/// Operations Research 9 (1961).
///
/// For fewer instances the same clauses are asked with targets that are `scale_down_margin` of
/// theirs (with_margin): whoever goes down to the answer has room left there. Fewer instances also
/// make each slower: with m instead of n, each gets x = g n / m of its arrivals and uses, by the
/// formula above, K/n x (1 - lambda b) / (1 - x lambda b); that is kv_target at
///     m = g n ((1 - lambda b) (K / n) / kv_target + lambda b)            (kv_leaves).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "policies/scaling/slo_aware/llm_signals.hpp"

namespace headroom::policies {

struct SloTargets {
    double ttft_s = 2.0;
    double ttft_threshold = 0.5;
    double kv = 0.8;
    double max_queue = 4.0;
    double load = 0.8;
    double drain_s = 60.0;
};

/// What is known besides the signals of this tick.
struct SloOutlook {
    double start_s = 120.0;                       ///< until an instance asked for now is ready
    double expected_arrivals = 0.0;               ///< per second, at that time
    double slowdown = 1.0;                        ///< W / a
    double max_growth = 2.0;                      ///< what is believed of a growth
    std::optional<double> rate_of_instance = {};  ///< mu, requests per second
};

enum class SloClause : std::uint8_t { kv, load, queue, ttft };
inline constexpr std::size_t kSloClauses = 4;

/// Instances that each clause asks for, not rounded; 0: it does not ask.
using SloNeeds = std::array<double, kSloClauses>;

[[nodiscard]] SloNeeds slo_needs(const LlmSignals& signals, const SloTargets& targets,
                                 const SloOutlook& outlook);
/// On how few instances the KV cache stays at its target or below.
[[nodiscard]] double kv_leaves(const LlmSignals& signals, const SloTargets& targets,
                               const SloOutlook& outlook);
/// The targets that must hold with fewer instances.
[[nodiscard]] SloTargets with_margin(const SloTargets& targets, double margin);
/// The clause that asks for most, of equal ones the first.
[[nodiscard]] SloClause largest_need(const SloNeeds& needs);
/// Whole instances: rounded up, but a millionth of one is an error of rounding.
[[nodiscard]] std::int64_t whole_instances(double need);
/// "KV 0.91 of 0.80".
[[nodiscard]] std::string describe_clause(SloClause clause, const LlmSignals& signals,
                                          const SloTargets& targets, const SloOutlook& outlook);

}  // namespace headroom::policies
