/// LlmCapacity: how many requests a second one LLM engine holds, by the arithmetic of tokens and KV
/// blocks, without a simulation: the fluid limit, in which lengths are their means and requests
/// come evenly.
///
///     const LlmCapacity engine(spec, lengths);
///     engine.most().requests_per_s                    // more than that and the queue grows
///     engine.at(8.0).iteration_s                      // the pace of tokens at 8 requests/s
///
/// With b sequences decoding, an iteration gives b tokens and takes t(b), the profile's time at
/// their mean context. A request of p prompt and o output tokens takes o - 1 decodes, so one
/// request passes every n = (o - 1) / b iterations, and in these its prompt is computed once, in
/// chunks of what the token budget leaves. The time for one request is
///
///     T(b) = n t(b) + sum over prompts of (t(b + chunk) - t(b))
///
/// (where more than one prompt comes each iteration, with the mean prompt tokens in each). It falls
/// with b, so the engine holds 1 / T at the largest b: max_num_seqs, or what the KV blocks hold of
/// sequences at their mean length, or where the token budget is used up. At a rate r below that b
/// settles where T(b) = 1 / r. (Agrawal et al., Sarathi-Serve, OSDI 2024, on mixed batches; Kwon et
/// al., PagedAttention, SOSP 2023, on KV blocks.)
///
/// Policies that keep prompts and decodes apart (vllm-v0, sglang, static) compute a prompt in an
/// iteration of its own; static batches run until their longest output ends; orca and TensorRT-LLM
/// reserve KV cache for tokens to come. Not part of it: variance (preemptions come before the mean
/// fills the cache), prefix cache hits, adapters, host KV. Speculation counts by its mean number of
/// accepted tokens. O(prompts) a call of the profile's at construction, O(log sequences) of them a
/// question.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/experiments/offered_load.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::analysis {

/// What bounds the batch.
enum class BatchLimit : std::uint8_t { sequences, kv_cache, token_budget };
[[nodiscard]] const char* to_string(BatchLimit limit);

struct LlmOperation {
    double batch = 0;  ///< sequences that decode at once
    double requests_per_s = 0;
    double iteration_s = 0;    ///< mean, so the time of an output token
    double kv_fraction = 0;    ///< of the blocks held by them
    double prefill_share = 0;  ///< of the time, spent on prompts
};

class LlmCapacity {
  public:
    /// `speed`: factor of the instances. Lengths past max_model_len are cut or left out, as the
    /// engine does.
    LlmCapacity(const serving::LlmEngineSpec& spec, const LengthMix& lengths, double speed = 1);

    /// At the largest batch.
    [[nodiscard]] LlmOperation most() const;
    /// Where one engine settles at this rate; at most().batch if that is too much.
    [[nodiscard]] LlmOperation at(double requests_per_s) const;
    /// The highest rate at which the mean iteration takes `tpot_s` at most; 0: never.
    [[nodiscard]] LlmOperation within(double tpot_s) const;

    [[nodiscard]] BatchLimit limit() const { return limit_; }
    [[nodiscard]] std::int64_t max_num_seqs() const { return max_num_seqs_; }
    [[nodiscard]] std::int64_t token_budget() const { return token_budget_; }
    [[nodiscard]] double kv_sequences() const { return kv_sequences_; }  ///< that the blocks hold
    [[nodiscard]] double mean_prompt() const { return mean_prompt_; }
    [[nodiscard]] double mean_output() const { return mean_output_; }
    [[nodiscard]] double refused() const { return refused_; }  ///< share that is too long
    /// Tokens a second if it did nothing else, at the largest batch and with full budgets.
    [[nodiscard]] double decode_tokens_per_s() const;
    [[nodiscard]] double prefill_tokens_per_s() const;
    /// Time of an average request's prompt on an idle engine.
    [[nodiscard]] double lone_prefill_s() const;
    /// And of the whole request.
    [[nodiscard]] double lone_request_s() const;

  private:
    struct Prompt {
        double tokens = 0;
        double weight = 0;
    };
    void set_limits();
    void set_lengths(const LengthMix& lengths);
    void set_batch();
    [[nodiscard]] double seconds(double prefill, double attention, double chunks, double sampled,
                                 std::int64_t decodes) const;
    [[nodiscard]] double prompt_s(double tokens, std::int64_t decodes) const;
    [[nodiscard]] double prompts_s(std::int64_t decodes) const;
    [[nodiscard]] double steps_at(double batch) const;
    struct Split {
        double decode_s = 0;
        double prefill_s = 0;
        [[nodiscard]] double total() const { return decode_s + prefill_s; }
    };
    [[nodiscard]] Split request_s(std::int64_t batch) const;
    [[nodiscard]] LlmOperation operation(double batch) const;
    [[nodiscard]] LlmOperation whole_operation(std::int64_t batch) const;
    [[nodiscard]] LlmOperation sparse_operation(double rate) const;

    const serving::LlmEngineSpec& spec_;
    double speed_;
    std::int64_t max_num_seqs_ = 0;
    std::int64_t token_budget_ = 0;
    bool apart_ = false;        ///< prompts have iterations of their own
    bool whole_batch_ = false;  ///< a batch runs until its longest output ends
    double reserved_ = 0;       ///< tokens held for each from the start; 0: as they come
    bool reserves_output_ = false;
    double accepted_ = 1;  ///< tokens a decode gives (speculation)
    double draft_s_ = 0;
    double refused_ = 0;
    double mean_prompt_ = 0;
    double mean_output_ = 0;
    double steps_ = 0;      ///< decodes of a request
    double context_ = 0;    ///< tokens that a decode attends to, on average over decodes
    double kv_tokens_ = 0;  ///< that a running sequence holds, on average over its decodes
    double kv_sequences_ = 0;
    double stages_ = 1;
    std::vector<Prompt> prompts_;
    std::vector<Prompt> outputs_;  ///< ascending, for static batches
    std::int64_t batch_ = 1;
    BatchLimit limit_ = BatchLimit::sequences;
};

}  // namespace headroom::analysis
