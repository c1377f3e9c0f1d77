/// orca: iteration-level scheduling with KV memory set aside for the longest sequence there may be
/// (Yu et al., OSDI 2022), as published in Vidur (Agrawal et al., MLSys 2024;
/// vidur/scheduler/replica_scheduler/orca_replica_scheduler.py at 7d47513).
///
/// Every running sequence is in every iteration. New requests join it, whole prompts beside the
/// decodes, while the batch is below `max_num_seqs` and blocks for `reserve_tokens` tokens are
/// free, however long the request is; so none ever wants another block and nothing is preempted. A
/// request that would outgrow the reservation is refused. O(admissions).
#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::Cause;
using serving::SequenceView;
using serving::StepPlan;

class Orca final : public serving::BatchingPolicy {
  public:
    Orca(const Parameters& p, const PolicyContext&)
        : max_num_seqs_(p.integer("max_num_seqs")), reserve_tokens_(p.integer("reserve_tokens")) {}

    static ParameterSpecs parameter_specs() {
        return {
            ParameterSpec::integer("max_num_seqs", 128, "sequences in a batch at most").at_least(1),
            ParameterSpec::integer(
                "reserve_tokens", 4096,
                "KV cache that every request holds from its admission to its end")
                .at_least(1)
                .in("tokens"),
        };
    }

    std::optional<Cause> refuses(std::int64_t prompt, std::int64_t output,
                                 std::int64_t total_blocks,
                                 std::int64_t block_size) const override {
        // The last token is never computed.
        if (prompt + output - 1 > reserve_tokens_) return Cause::exceeds_batch_limit;
        if (reserved_blocks(block_size) > total_blocks) return Cause::exceeds_kv_capacity;
        return std::nullopt;
    }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        const std::int64_t each = reserved_blocks(view.block_size());
        const std::int64_t running = view.running();
        std::int64_t free = view.free_blocks();
        // The stages of a pipeline share the sequences.
        const std::int64_t most = std::max<std::int64_t>(1, max_num_seqs_ / view.stages());
        std::int64_t batch = running;
        if (view.stages() > 1) {
            batch = list_decodes(view, plan, most);
        } else if (running > 0) {
            plan.decode = StepPlan::Decode::all;
        }
        for (std::int64_t i = 0; i < view.waiting(); ++i) {
            if (batch + i >= most || free < each) break;
            free -= each;
            plan.chunks.push_back({i, view.waiting_at(i).known, reserve_tokens_, true});
        }
        plan.repeatable = plan.chunks.empty() && view.stages() == 1;
        plan.arrivals_matter = view.waiting() == 0 && running < max_num_seqs_ && free >= each;
    }

    [[nodiscard]] Abilities abilities() const override { return {.pipeline = true}; }

  private:
    /// Those of no batch in flight. Returns how many.
    static std::int64_t list_decodes(const BatchView& view, StepPlan& plan, std::int64_t most) {
        plan.decode = StepPlan::Decode::listed;
        for (std::int64_t i = 0; i < view.running(); ++i) {
            if (static_cast<std::int64_t>(plan.decode_positions.size()) == most) break;
            if (!view.running_at(i).in_flight) plan.decode_positions.push_back(i);
        }
        return static_cast<std::int64_t>(plan.decode_positions.size());
    }

    [[nodiscard]] std::int64_t reserved_blocks(std::int64_t block_size) const {
        return (reserve_tokens_ + block_size - 1) / block_size;
    }

    std::int64_t max_num_seqs_;
    std::int64_t reserve_tokens_;
};

REGISTER_POLICY(serving::BatchingPolicy, Orca, "orca",
                "Orca: joins at any iteration, whole prompts, KV cache reserved for the longest "
                "(macro-steps; single steps in a pipeline)");

}  // namespace headroom::policies
