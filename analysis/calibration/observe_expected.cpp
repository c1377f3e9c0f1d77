#include "analysis/calibration/observe_expected.hpp"

#include <algorithm>
#include <cstdint>

#include "analysis/calibration/observe_start.hpp"
#include "scenarios/catalogue/profile.hpp"

namespace headroom::analysis {

namespace {

/// A batch that stands for all of the log.
struct TypicalBatch {
    std::int64_t sequences = 2;  ///< >= 2: a difference is taken
    std::int64_t context = 1;    ///< of each
    std::int64_t prompt = 1;
};

TypicalBatch typical_batch(const EngineLog& log, const ObserveOptions& options) {
    std::int64_t prompts = 0;
    std::int64_t outputs = 0;
    double decoding = 0;
    double span = 0;
    for (const LoggedRequest& request : log.requests) {
        prompts += request.prompt_tokens;
        outputs += request.output_tokens;
        decoding += (request.finish - request.first_token).to_seconds();
        span = std::max(span, request.finish.to_seconds());
    }
    const auto count = static_cast<std::int64_t>(log.requests.size());
    TypicalBatch batch;
    if (span > 0) {
        const double sequences = decoding / span / static_cast<double>(options.replicas);
        batch.sequences = std::max(batch.sequences, static_cast<std::int64_t>(sequences));
    }
    batch.context = (prompts + outputs / 2) / count;
    batch.prompt = std::clamp<std::int64_t>(prompts / count, 1, options.max_num_batched_tokens);
    return batch;
}

/// Seconds of an iteration with `sequences` decoding at `context`, and a chunk of `tokens` after
/// `before` ones if there are any.
double seconds(const serving::LatencyModel& latency, std::int64_t sequences, std::int64_t context,
               std::int64_t tokens = 0, std::int64_t before = 0) {
    serving::IterationShape shape;
    shape.decode_sequences = sequences;
    shape.context_tokens = sequences * context;
    shape.prefill_tokens = tokens;
    shape.prefill_attention_doubled = tokens * (2 * before + tokens);
    shape.prefill_chunks = tokens > 0 ? 1 : 0;
    shape.sampled_tokens = sequences + shape.prefill_chunks;
    return latency.iteration_cost(shape).at(shape.context_tokens).to_seconds();
}

}  // namespace

serving::LinearCoefficients linear_around(const serving::LatencyModel& latency,
                                          const EngineLog& log, const ObserveOptions& options) {
    const TypicalBatch batch = typical_batch(log, options);
    const auto sequences = static_cast<double>(batch.sequences);
    const auto context = static_cast<double>(batch.context);
    const auto prompt = static_cast<double>(batch.prompt);
    const std::int64_t few = batch.sequences / 2;
    const std::int64_t many = 2 * batch.sequences - few;
    const double all = seconds(latency, batch.sequences, batch.context);
    const double longer = seconds(latency, batch.sequences, 2 * batch.context);
    const double mixed = seconds(latency, batch.sequences, batch.context, batch.prompt);
    const double later =
        seconds(latency, batch.sequences, batch.context, batch.prompt, batch.prompt);
    const double fewer = seconds(latency, few, batch.context);
    const double more = seconds(latency, many, batch.context);
    // A coefficient, and how often it counts in a batch that takes `time`.
    const auto at_least = [](double coefficient, double times, double time) {
        return std::max(coefficient, kLeastShare * time / times);
    };
    const double c3 = at_least((longer - all) / (sequences * context), sequences * context, all);
    double slope = (more - fewer) / static_cast<double>(many - few);  // c2 + c3 k
    double c5 = 0;
    const auto touched = [&](std::int64_t tokens) {
        return options.moe
                   ? serving::touched_experts(options.moe->experts, options.moe->active, tokens)
                   : 0.0;
    };
    const double reads = touched(batch.sequences);
    if (options.moe) {
        const double one = seconds(latency, 1, batch.context);
        // Two equations: time over the sequences and the experts that come in, from 1 to D and on.
        const double n[] = {sequences - 1, static_cast<double>(many) - sequences};
        const double u[] = {reads - touched(1), touched(many) - reads};
        const double t[] = {all - one, more - all};
        const double determinant = n[0] * u[1] - n[1] * u[0];  // U is concave: not above 0
        // Nor does it grow at all where every token visits all experts.
        const double each = determinant < 0 ? (n[0] * t[1] - n[1] * t[0]) / determinant : 0;
        c5 = at_least(each, reads, all);
        slope = (t[0] + t[1] - c5 * (u[0] + u[1])) / (n[0] + n[1]);
    }
    const double c2 = at_least(slope - c3 * context, sequences, all);
    const double c4 = at_least((later - mixed) / (prompt * prompt), prompt * prompt / 2, mixed);
    const double more_reads = c5 * (touched(batch.sequences + batch.prompt) - reads);
    const double c1 =
        at_least((mixed - all - more_reads) / prompt - c4 * prompt / 2, prompt, mixed);
    const double c0 = at_least(all - (c2 + c3 * context) * sequences - c5 * reads, 1, all);
    return {Duration::from_seconds(c0), Duration::from_seconds(c1), Duration::from_seconds(c2),
            Duration::from_seconds(c3), Duration::from_seconds(c4), Duration::from_seconds(c5)};
}

ExpectedCoefficients expected_coefficients(const scenarios::Catalogue& catalogue,
                                           const ObservedIdentity& identity, const EngineLog& log,
                                           const ObserveOptions& options) {
    scenarios::ProfileRequest request;
    request.model = identity.model;
    request.gpu = identity.gpu;
    request.tp = identity.tensor_parallel;
    request.dtype = identity.dtype;
    request.kv_dtype = identity.kv_cache_dtype;
    request.limits = {options.max_num_batched_tokens, options.max_num_seqs};
    request.kv_blocks = 1;  // only times are asked for
    scenarios::ProfileResult made;
    for (const auto kind : {scenarios::ProfileKind::measured, scenarios::ProfileKind::estimated}) {
        request.kind = kind;
        made = scenarios::make_profile(catalogue, request);
        if (made.profile) return {linear_around(*made.profile->latency, log, options), ""};
    }
    return {std::nullopt, made.error};
}

}  // namespace headroom::analysis
