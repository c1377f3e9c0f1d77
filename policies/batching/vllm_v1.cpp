/// vllm-v1: the scheduler of vLLM's v1 engine (vllm/v1/core/sched/scheduler.py at 992368522f, April
/// 2026), synchronous loop, first come first served, without prefix caching.
///
/// One token budget a step. Running sequences first, in list order, each up to its uncomputed
/// tokens; one that finds no KV block preempts the last of the list by recomputation. Then, if
/// nothing was preempted, waiting ones from the head: a prompt is cut to the budget (chunked
/// prefill) and, with `scheduler_reserve_full_isl`, admitted only while blocks for its whole known
/// length are free.
#include <algorithm>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::Cause;
using serving::SequenceView;
using serving::StepPlan;

class VllmV1 final : public serving::BatchingPolicy {
  public:
    VllmV1(const Parameters& p, const PolicyContext&)
        : max_num_seqs_(p.integer("max_num_seqs")),
          max_num_batched_tokens_(p.integer("max_num_batched_tokens")),
          long_prefill_token_threshold_(p.integer("long_prefill_token_threshold")),
          chunked_prefill_(p.boolean("enable_chunked_prefill")),
          reserve_full_isl_(p.boolean("scheduler_reserve_full_isl")) {}

    static ParameterSpecs parameter_specs() {
        return {
            ParameterSpec::integer("max_num_seqs", 256, "sequences in the running list at most")
                .at_least(1),
            ParameterSpec::integer("max_num_batched_tokens", 2048,
                                   "token budget of one iteration, prompts and decodes together")
                .at_least(1)
                .in("tokens"),
            ParameterSpec::integer("long_prefill_token_threshold", 0,
                                   "tokens of one prompt an iteration takes at most; 0: no limit")
                .at_least(0)
                .in("tokens"),
            ParameterSpec::boolean(
                "enable_chunked_prefill", true,
                "cut prompts to the budget; otherwise a prompt waits until it fits"),
            ParameterSpec::boolean("scheduler_reserve_full_isl", true,
                                   "admit a prompt only while blocks for all of it are free"),
        };
    }

    std::optional<Cause> refuses(std::int64_t prompt, std::int64_t output,
                                 std::int64_t total_blocks,
                                 std::int64_t block_size) const override {
        // A preempted sequence comes back as one prompt of all its tokens.
        if (!chunked_prefill_ && prompt + output - 1 > max_num_batched_tokens_) {
            return Cause::exceeds_batch_limit;
        }
        return BatchingPolicy::refuses(prompt, output, total_blocks, block_size);
    }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        const std::int64_t running = view.running();
        const bool all_decode = view.decoding() == running && running > 0 &&
                                running <= max_num_batched_tokens_ &&
                                view.blocks_due() <= view.free_blocks();
        if (all_decode && view.waiting() == 0) {  // mostly
            plan.decode = StepPlan::Decode::all;
            plan.repeatable = true;
            plan.arrivals_matter = running < max_num_seqs_ && running < max_num_batched_tokens_;
            return;
        }
        plan_with_prompts(view, plan, all_decode);
    }

  private:
    void plan_with_prompts(const BatchView& view, StepPlan& plan, bool all_decode) {
        std::int64_t budget = max_num_batched_tokens_;
        std::int64_t free = view.free_blocks();
        const std::int64_t running = view.running();
        if (all_decode) {
            plan.decode = StepPlan::Decode::all;
            budget -= running;
            free -= view.blocks_due();
        } else if (running > 0) {
            schedule_running(view, plan, budget, free);
        }
        if (plan.preempt.empty()) admit_waiting(view, plan, budget, free);
        plan.repeatable =
            plan.decode == StepPlan::Decode::all && plan.chunks.empty() && plan.preempt.empty();
        plan.arrivals_matter = view.waiting() == 0 && running < max_num_seqs_ && budget > 0;
    }

    /// Tokens of a sequence that this step may compute.
    [[nodiscard]] std::int64_t tokens_wanted(std::int64_t uncomputed, std::int64_t budget) const {
        if (long_prefill_token_threshold_ > 0) {
            uncomputed = std::min(uncomputed, long_prefill_token_threshold_);
        }
        return std::min(uncomputed, budget);
    }

    static std::int64_t blocks_for(std::int64_t tokens, std::int64_t block_size) {
        return (tokens + block_size - 1) / block_size;
    }

    void schedule_running(const BatchView& view, StepPlan& plan, std::int64_t& budget,
                          std::int64_t& free) {
        std::int64_t end = view.running();  // [end, running) are preempted
        std::int64_t decodes = 0;
        for (std::int64_t i = 0; i < end && budget > 0; ++i) {
            const SequenceView s = view.running_at(i);
            const std::int64_t tokens = tokens_wanted(s.uncomputed(), budget);
            const std::int64_t need = blocks_for(s.computed + tokens, view.block_size()) - s.blocks;
            while (need > free && end > i) {
                --end;
                plan.preempt.push_back(end);
                free += view.running_at(end).blocks;
            }
            if (end == i) break;  // it preempted itself: no more running sequences this step
            free -= std::max<std::int64_t>(need, 0);
            budget -= tokens;
            if (s.decoding()) {
                plan.decode_positions.push_back(i);
                ++decodes;
            } else {
                plan.chunks.push_back({i, tokens, s.computed + tokens, false});
            }
        }
        std::int64_t left_decoding = 0;
        for (std::int64_t i = 0; i < end; ++i)
            left_decoding += view.running_at(i).decoding() ? 1 : 0;
        if (decodes == left_decoding) {
            plan.decode = decodes > 0 ? StepPlan::Decode::all : StepPlan::Decode::none;
            plan.decode_positions.clear();
        } else {
            plan.decode = StepPlan::Decode::listed;
        }
    }

    void admit_waiting(const BatchView& view, StepPlan& plan, std::int64_t budget,
                       std::int64_t free) const {
        std::int64_t running = view.running();
        for (std::int64_t i = 0; i < view.waiting() && budget > 0 && running < max_num_seqs_; ++i) {
            const SequenceView s = view.waiting_at(i);
            std::int64_t tokens = s.known;
            if (long_prefill_token_threshold_ > 0) {
                tokens = std::min(tokens, long_prefill_token_threshold_);
            }
            if (!chunked_prefill_ && tokens > budget) break;
            tokens = std::min(tokens, budget);
            if (reserve_full_isl_ && blocks_for(s.known, view.block_size()) > free) break;
            const std::int64_t need = blocks_for(tokens, view.block_size());
            if (need > free) break;
            free -= need;
            budget -= tokens;
            ++running;
            plan.chunks.push_back({i, tokens, tokens, true});
        }
    }

    std::int64_t max_num_seqs_;
    std::int64_t max_num_batched_tokens_;
    std::int64_t long_prefill_token_threshold_;
    bool chunked_prefill_;
    bool reserve_full_isl_;
};

REGISTER_POLICY(serving::BatchingPolicy, VllmV1, "vllm-v1",
                "vLLM v1: one token budget, running sequences first, chunked prefill, recompute");

}  // namespace headroom::policies
