/// vllm-v0: the scheduler of vLLM before its v1 engine, as published in Vidur (Agrawal et al.,
/// MLSys 2024; vidur/scheduler/replica_scheduler/vllm_replica_scheduler.py at 7d47513).
///
/// Prefill first: if any waiting prompt can be admitted, the step computes whole prompts only and
/// all decodes stall. The head is admitted while its blocks leave the watermark free and the
/// *padded* batch (prompts times the longest of them) fits into the budget. Otherwise all running
/// sequences decode, oldest arrival first; each wants a free block at its turn, needed or not, and
/// preempts the youngest by recomputation when there is none.
#include <algorithm>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::Cause;
using serving::SequenceView;
using serving::StepPlan;

class VllmV0 final : public serving::BatchingPolicy {
  public:
    VllmV0(const Parameters& p, const PolicyContext&)
        : max_num_seqs_(p.integer("max_num_seqs")),
          max_num_batched_tokens_(p.integer("max_num_batched_tokens")),
          watermark_(p.number("watermark")) {}

    static ParameterSpecs parameter_specs() {
        return {
            ParameterSpec::integer("max_num_seqs", 256, "sequences in the running list at most")
                .at_least(1),
            ParameterSpec::integer("max_num_batched_tokens", 4096,
                                   "padded prompt tokens of one iteration at most")
                .at_least(1)
                .in("tokens"),
            ParameterSpec::number("watermark", 0.01,
                                  "fraction of the KV blocks that an admission leaves free")
                .at_least(0)
                .at_most(0.5),
        };
    }

    std::optional<Cause> refuses(std::int64_t prompt, std::int64_t output,
                                 std::int64_t total_blocks,
                                 std::int64_t block_size) const override {
        if (prompt > max_num_batched_tokens_) return Cause::exceeds_batch_limit;
        // Alone, a sequence still needs the watermark to come back and a free block to go on.
        const std::int64_t spare = std::max<std::int64_t>(watermark_blocks(total_blocks), 1);
        return BatchingPolicy::refuses(prompt, output, total_blocks - spare, block_size);
    }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        admit_waiting(view, plan);
        plan.arrivals_matter = view.waiting() == 0;
        if (!plan.chunks.empty() || view.running() == 0) return;
        if (view.stages() == 1 && view.free_blocks() - view.blocks_due() >= 1) {
            plan.decode = StepPlan::Decode::all;
            plan.repeatable = true;
            plan.spare_blocks = 1;
            return;
        }
        schedule_decodes(view, plan);
    }

    [[nodiscard]] Abilities abilities() const override { return {.pipeline = true}; }

  private:
    [[nodiscard]] std::int64_t watermark_blocks(std::int64_t total) const {
        return static_cast<std::int64_t>(watermark_ * static_cast<double>(total));
    }

    void admit_waiting(const BatchView& view, StepPlan& plan) const {
        const std::int64_t watermark = watermark_blocks(view.total_blocks());
        std::int64_t free = view.free_blocks();
        std::int64_t longest = 0;
        for (std::int64_t i = 0; i < view.waiting(); ++i) {
            if (view.running() + i >= max_num_seqs_ || i == micro_batch(view)) break;
            const SequenceView s = view.waiting_at(i);
            const std::int64_t need = view.blocks_for(s.known);
            if (free - need < watermark) break;
            longest = std::max(longest, s.known);
            // One that outgrew the budget before it was preempted comes back alone.
            if ((i + 1) * longest > max_num_batched_tokens_ && i > 0) break;
            if (s.known > max_num_batched_tokens_ && s.known == s.prompt) break;
            free -= need;
            plan.chunks.push_back({i, s.known, s.known, true});
            if (s.known > max_num_batched_tokens_) break;
        }
    }

    /// The stages of a pipeline share the sequences.
    [[nodiscard]] std::int64_t micro_batch(const BatchView& view) const {
        return std::max<std::int64_t>(1, max_num_seqs_ / view.stages());
    }

    /// In order of arrival; where no block is free the youngest is preempted.
    void schedule_decodes(const BatchView& view, StepPlan& plan) {
        order_.clear();
        for (std::int64_t i = 0; i < view.running(); ++i) {
            const SequenceView s = view.running_at(i);
            if (!s.in_flight) order_.push_back({s.arrival_rank, i});
        }
        std::sort(order_.begin(), order_.end());
        std::int64_t free = view.free_blocks();
        std::size_t end = order_.size();
        for (std::size_t i = 0; i < end; ++i) {
            if (static_cast<std::int64_t>(i) == micro_batch(view)) break;
            while (free < 1 && end > i) {
                --end;
                plan.preempt.push_back(order_[end].position);
                free += view.running_at(order_[end].position).blocks;
            }
            if (end == i) break;
            const SequenceView s = view.running_at(order_[i].position);
            if (s.computed == s.blocks * view.block_size()) --free;
            plan.decode_positions.push_back(order_[i].position);
        }
        std::sort(plan.decode_positions.begin(), plan.decode_positions.end());
        plan.decode = StepPlan::Decode::listed;
        if (view.stages() > 1) return;
        if (!plan.decode_positions.empty()) plan.decode = StepPlan::Decode::all;
        plan.decode_positions.clear();
    }

    struct ByArrival {
        std::int64_t rank;
        std::int64_t position;
        bool operator<(const ByArrival& o) const { return rank < o.rank; }
    };

    std::int64_t max_num_seqs_;
    std::int64_t max_num_batched_tokens_;
    double watermark_;
    std::vector<ByArrival> order_;
};

REGISTER_POLICY(serving::BatchingPolicy, VllmV0, "vllm-v0",
                "vLLM v0: whole prompts first, padded budget, KV watermark, recompute "
                "(macro-steps; single steps in a pipeline)");

}  // namespace headroom::policies
