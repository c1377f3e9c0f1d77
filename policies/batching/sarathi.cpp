/// sarathi: Sarathi-Serve's scheduler (Agrawal et al., OSDI 2024) as published in Vidur (Agrawal et
/// al., MLSys 2024; vidur/scheduler/replica_scheduler/sarathi_replica_scheduler.py at 7d47513).
///
/// Stall-free: every decoding sequence is in every iteration, and prompts get what the decodes
/// leave of a chunk of `chunk_size` tokens: first the one that is unfinished, then waiting ones, of
/// which the blocks of the *whole* prompt are taken at admission and leave the watermark free.
/// Along the running list each decode wants a free block at its turn, needed or not, and preempts
/// the last of the list by recomputation when there is none, be it an unfinished prompt. Nothing is
/// admitted in an iteration that preempts: the victim heads the queue and wants all the blocks it
/// gave back, and the watermark besides. (Where that is no whole block Vidur may take the victim
/// back at once; here it waits for the next iteration.)
///
/// Vidur keeps a list of its own, ordered as the last batch. That is the order of arrival, as the
/// running list's is: who is preempted goes to the queue's head, and only the last prompt of a
/// batch is cut. For the same reason no more run than a chunk has tokens, so that an unfinished
/// prompt always gets some. In a pipeline, sequences of batches in flight are left alone, and a
/// batch takes max_num_seqs / stages of the others. O(1) while all decode, else O(n).
#include <algorithm>

#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::Cause;
using serving::SequenceView;
using serving::StepPlan;

class Sarathi final : public serving::BatchingPolicy {
  public:
    Sarathi(const Parameters& p, const PolicyContext&)
        : chunk_size_(p.integer("chunk_size")),
          max_num_seqs_(p.integer("max_num_seqs")),
          watermark_(p.number("watermark")) {}

    static ParameterSpecs parameter_specs() {
        return {
            ParameterSpec::integer("chunk_size", 512,
                                   "tokens of one iteration, prompts and decodes together")
                .at_least(1)
                .in("tokens"),
            ParameterSpec::integer("max_num_seqs", 128, "sequences in the running list at most")
                .at_least(1),
            ParameterSpec::number("watermark", 0.01,
                                  "fraction of the KV blocks that an admission leaves free")
                .at_least(0)
                .at_most(0.5),
        };
    }

    std::optional<Cause> refuses(std::int64_t prompt, std::int64_t output,
                                 std::int64_t total_blocks,
                                 std::int64_t block_size) const override {
        // Alone, a sequence still needs the watermark to come back and a free block to go on.
        const std::int64_t spare = std::max<std::int64_t>(watermark_blocks(total_blocks), 1);
        return BatchingPolicy::refuses(prompt, output, total_blocks - spare, block_size);
    }

    [[nodiscard]] bool cut_recomputation_decodes() const override { return false; }
    [[nodiscard]] Abilities abilities() const override { return {.pipeline = true}; }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        Room room{chunk_size_, view.free_blocks(), micro_batch(view)};
        const bool all_decode = view.stages() == 1 && view.decoding() == view.running() &&
                                view.free_blocks() - view.blocks_due() >= 1;
        if (all_decode) {
            if (view.decoding() > 0) plan.decode = StepPlan::Decode::all;
            room.tokens -= view.decoding();
            room.blocks -= view.blocks_due();
            room.sequences -= view.decoding();
        } else {
            schedule_decodes(view, plan, room);
            schedule_unfinished_prompts(view, plan, room);
        }
        if (plan.preempt.empty()) admit_waiting(view, plan, room);
        plan.repeatable = all_decode && plan.chunks.empty();
        plan.spare_blocks = 1;
        plan.arrivals_matter =
            view.waiting() == 0 && view.running() < max_num_seqs_ && room.tokens > 0;
    }

  private:
    /// What is left of an iteration's chunk, of the KV cache and of a batch.
    struct Room {
        std::int64_t tokens;
        std::int64_t blocks;
        std::int64_t sequences;
    };

    [[nodiscard]] std::int64_t watermark_blocks(std::int64_t total) const {
        return static_cast<std::int64_t>(watermark_ * static_cast<double>(total));
    }
    /// The stages of a pipeline share the sequences.
    [[nodiscard]] std::int64_t micro_batch(const BatchView& view) const {
        return std::max<std::int64_t>(1, max_num_seqs_ / view.stages());
    }

    static void schedule_decodes(const BatchView& view, StepPlan& plan, Room& room) {
        std::int64_t end = view.running();  // of those from here on all but the ones in flight go
        bool all = true;
        for (std::int64_t i = 0; i < end; ++i) {
            const SequenceView s = view.running_at(i);
            if (s.in_flight || !s.decoding()) continue;
            all = all && room.sequences > 0;
            if (room.sequences == 0) break;
            while (room.blocks < 1 && end > i) {
                --end;
                const SequenceView victim = view.running_at(end);
                if (victim.in_flight) continue;
                plan.preempt.push_back(end);
                room.blocks += victim.blocks;
            }
            if (end == i) break;  // it preempted itself
            if (s.computed == s.blocks * view.block_size()) --room.blocks;
            --room.tokens;
            --room.sequences;
            plan.decode_positions.push_back(i);
        }
        if (!all) {
            plan.decode = StepPlan::Decode::listed;
            return;
        }
        if (!plan.decode_positions.empty()) plan.decode = StepPlan::Decode::all;
        plan.decode_positions.clear();
    }

    static void schedule_unfinished_prompts(const BatchView& view, StepPlan& plan, Room& room) {
        for (std::int64_t i = 0; i < view.running(); ++i) {
            const SequenceView s = view.running_at(i);
            const std::int64_t tokens = std::min(s.uncomputed(), room.tokens);
            if (s.in_flight || s.decoding() || tokens <= 0 || room.sequences == 0) continue;
            const auto& gone = plan.preempt;
            if (std::find(gone.begin(), gone.end(), i) != gone.end()) continue;
            room.tokens -= tokens;
            --room.sequences;
            plan.chunks.push_back({i, tokens, s.known, false});
        }
    }

    void admit_waiting(const BatchView& view, StepPlan& plan, Room& room) const {
        const std::int64_t watermark = watermark_blocks(view.total_blocks());
        for (std::int64_t i = 0; i < view.waiting() && room.tokens > 0; ++i) {
            if (view.running() + i >= max_num_seqs_ || room.sequences <= 0) break;
            const SequenceView s = view.waiting_at(i);
            const std::int64_t need = view.blocks_for(s.known);
            if (room.blocks - need < watermark) break;
            const std::int64_t tokens = std::min(s.known, room.tokens);
            room.blocks -= need;
            room.tokens -= tokens;
            --room.sequences;
            plan.chunks.push_back({i, tokens, s.known, true});
        }
    }

    std::int64_t chunk_size_;
    std::int64_t max_num_seqs_;
    double watermark_;
};

REGISTER_POLICY(serving::BatchingPolicy, Sarathi, "sarathi",
                "Sarathi-Serve: all decodes, prompts fill up a chunk, KV watermark, recompute "
                "(macro-steps; single steps in a pipeline)");

}  // namespace headroom::policies
