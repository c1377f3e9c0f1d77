/// observe: fits the coefficients of an iteration's time to a serving engine's log.
///
///     t = c0 + c1 P + c2 D + c3 K + c4 A                (serving/latency/linear_latency.hpp)
///         + c5 U(P + D)                                  of a mixture of experts
///
/// Which batches formed depends on the coefficients themselves, so the fit goes through the
/// simulator: one engine with the settings that the logged one had, all arrivals of the log. One
/// part of the requests is fitted, over the logarithms of the coefficients, for the least
///
///     sum over TTFT, TPOT, latency of  |error of the mean| + |error of the tail's mean| / 2
///                                      + 2 x mean of |error| / max(logged, floor)
///
/// all relative to what was logged; the tail is the largest twentieth, the floor a tenth of the
/// logged mean, the last mean over requests. For TTFT it is over groups of requests (12 of
/// neighbours by arrival, 12 of neighbours by prompt length): a single one holds what was left of
/// the iteration in which it came, which no profile foretells. What the coefficients are worth is
/// the error on the other part.
///
/// A log often hardly tells c0 from c2 or c2 from c3: while the engine is full, D and K grow alike,
/// and a fit that is a little better there may be wrong by tens of per cent when it drains. So what
/// is expected of them (observe_expected.hpp) counts as a prior belief (observe_search.hpp).
///
///     ObserveResult result = observe(log, {.max_num_seqs = 128, .kv_blocks = 33000});
///     if (!result.fit) ... result.error
///
/// The search (observe_search.hpp: Gauss-Newton steps, then Nelder-Mead) begins where least squares
/// over the log alone leads (observe_start.hpp), or at what is expected if that explains the log
/// better. A front end constant, a delay before the engine's queue, is fitted along and dropped
/// unless it lowers the objective by kFrontEndGain; for an engine taken to be synchronous that was
/// not, it also absorbs what its loop adds to a first token. Deterministic. Time: `simulations`
/// runs of the log; of some hundred requests each takes well under a millisecond, or, with prefix
/// caching or an asynchronous loop, some 15.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "analysis/calibration/engine_log.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/latency/linear_latency.hpp"

namespace headroom::analysis {

/// Which requests are fitted, the others being held out.
enum class FitSplit : std::uint8_t {
    first,      ///< the first `fit_part` by arrival: the harder test, later load is unseen
    alternate,  ///< by arrival, pairs in turn: two fitted, two held out
};

struct ObserveOptions {
    std::int64_t max_num_seqs = 256;
    std::int64_t max_num_batched_tokens = 2048;
    std::optional<std::int64_t> kv_blocks{};  ///< nothing: as many as the log could ever need
    std::int64_t block_size = 16;
    std::int64_t max_model_len = 131072;
    bool async_scheduling = true;                    ///< as vLLM does unless told otherwise
    bool prefix_caching = true;                      ///< likewise
    std::optional<serving::MixtureOfExperts> moe{};  ///< of the model, if it is one: c5 is fitted
    std::int64_t replicas = 1;                       ///< engines that got the requests in turn
    /// Nothing: vllm-v1 with max_num_seqs and max_num_batched_tokens.
    std::optional<PolicyChoice> batching{};

    FitSplit split = FitSplit::first;
    double fit_part = 0.5;  ///< of FitSplit::first, in (0, 1)
    int simulations = 240;  ///< at most; >= kLeastSimulations
    std::optional<serving::LinearCoefficients> start{};
    /// What the coefficients should be about (observe_expected.hpp); nothing: the log alone says.
    std::optional<serving::LinearCoefficients> expected{};
    bool try_front_end = true;

    std::function<void(int simulations)> progress{};  ///< called after each simulation
    const std::atomic<bool>* stop = nullptr;          ///< set from outside to give up
};

/// Simulated against logged, relative to logged; above 0: the simulation is slower.
struct MetricErrors {
    double mean = 0;
    double p50 = 0;
    double p99 = 0;
    double per_request = 0;  ///< mean over requests of the absolute error
};

struct PartErrors {
    std::size_t requests = 0;
    MetricErrors ttft;  ///< arrival to first token
    MetricErrors tpot;  ///< a token after the first, for outputs of at least two tokens
    MetricErrors e2e;   ///< arrival to last token
};

struct ObservedFit {
    serving::LinearCoefficients start;
    serving::LinearCoefficients coefficients;
    Duration front_end;  ///< 0: it did not help, or was not tried
    int simulations = 0;
    double objective = 0;
    PartErrors fitted;
    PartErrors held_out;
    /// The largest error of a mean or a p99 on the held-out part, rounded up to a per cent; 1 % at
    /// the least.
    double error_band = 0;
};

/// A lower objective by this share is worth one coefficient more.
inline constexpr double kFrontEndGain = 0.1;
/// Requests that each part needs, and of these with outputs of two tokens or more.
inline constexpr std::size_t kLeastRequests = 8;

inline constexpr int kLeastSimulations = 10;

/// Either a fit or an error: settings that cannot serve the log, a log too short, or a stop.
struct ObserveResult {
    std::optional<ObservedFit> fit;
    std::string error;
};

[[nodiscard]] ObserveResult observe(const EngineLog& log, const ObserveOptions& options);

}  // namespace headroom::analysis
