/// tensorrt-llm: in-flight batching of TensorRT-LLM (cpp/tensorrt_llm/batch_manager/
/// capacityScheduler.cpp and microBatchScheduler.cpp, main of 2026).
///
/// A capacity scheduler says which requests have room in the KV cache:
///  - `guaranteed_no_evict` (the default): those in progress, for each of which the blocks to run
///    to its last token are set aside; then waiting ones in order while all of their need fits
///    too, up to the first that does not. Nobody is ever paused.
///  - `max_utilization`: a request needs the blocks of its next step only. Where one lacks them,
///    the last one started is paused (its blocks freed, to be computed anew) and it is tried
///    again.
///  - `static_batch`: as the first, but new requests only when none is in progress.
/// Then a micro-batch is filled in this order up to max_num_tokens and max_batch_size: prompts and
/// generation run in one step, prompts whole unless `enable_chunked_context`.
/// O(1) while all generate and nothing waits, else O(running + admitted).
#include <algorithm>

#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::Cause;
using serving::SequenceView;
using serving::StepPlan;

class TensorRtLlm final : public serving::BatchingPolicy {
  public:
    TensorRtLlm(const Parameters& p, const PolicyContext&)
        : max_batch_size_(p.integer("max_batch_size")),
          max_num_tokens_(p.integer("max_num_tokens")),
          chunked_context_(p.boolean("enable_chunked_context")),
          evicts_(p.text("capacity_scheduler_policy") == "max_utilization"),
          static_(p.text("capacity_scheduler_policy") == "static_batch") {}

    static ParameterSpecs parameter_specs() {
        return {
            ParameterSpec::integer("max_batch_size", 2048, "requests of one step at most")
                .at_least(1),
            ParameterSpec::integer("max_num_tokens", 8192, "tokens of one step at most")
                .at_least(1)
                .in("tokens"),
            ParameterSpec::choice("capacity_scheduler_policy",
                                  {"guaranteed_no_evict", "max_utilization", "static_batch"},
                                  "guaranteed_no_evict", "which requests have room"),
            ParameterSpec::boolean("enable_chunked_context", false,
                                   "cut prompts to the tokens that are left of a step"),
        };
    }

    std::optional<Cause> refuses(std::int64_t prompt, std::int64_t output,
                                 std::int64_t total_blocks,
                                 std::int64_t block_size) const override {
        if (!chunked_context_ && prompt > max_num_tokens_) return Cause::exceeds_batch_limit;
        return BatchingPolicy::refuses(prompt, output, total_blocks, block_size);
    }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        const std::int64_t running = view.running();
        const bool all_decode = running > 0 && view.decoding() == running &&
                                running <= max_num_tokens_ &&
                                view.blocks_due() <= view.free_blocks();
        Room room{max_num_tokens_, max_batch_size_, view.free_blocks()};
        if (all_decode) {
            plan.decode = StepPlan::Decode::all;
            room.tokens -= running;
            room.requests -= running;
            room.blocks -= view.blocks_due();
        } else {
            schedule_running(view, plan, room);
        }
        const bool open = plan.preempt.empty() && !(static_ && running > 0);
        if (open && view.waiting() > 0) admit_waiting(view, plan, room);
        plan.repeatable = all_decode && plan.chunks.empty();
        plan.arrivals_matter = open && view.waiting() == 0 && room.tokens > 0 && room.requests > 0;
    }

  private:
    struct Room {
        std::int64_t tokens;
        std::int64_t requests;
        std::int64_t blocks;
    };

    void schedule_running(const BatchView& view, StepPlan& plan, Room& room) const {
        std::int64_t end = view.running();  // [end, running) are paused
        std::int64_t decodes = 0;
        for (std::int64_t i = 0; i < end && room.tokens > 0 && room.requests > 0; ++i) {
            const SequenceView s = view.running_at(i);
            const std::int64_t tokens = std::min(s.uncomputed(), room.tokens);
            const std::int64_t need = view.blocks_for(s.computed + tokens) - s.blocks;
            while (need > room.blocks && end > i) {
                --end;
                plan.preempt.push_back(end);
                room.blocks += view.running_at(end).blocks;
            }
            if (end == i) break;
            room.blocks -= std::max<std::int64_t>(need, 0);
            room.tokens -= tokens;
            --room.requests;
            if (s.decoding()) {
                plan.decode_positions.push_back(i);
                ++decodes;
            } else {
                plan.chunks.push_back({i, tokens, s.computed + tokens, false});
            }
        }
        std::int64_t left_decoding = 0;
        for (std::int64_t i = 0; i < end; ++i) {
            left_decoding += view.running_at(i).decoding() ? 1 : 0;
        }
        plan.decode = StepPlan::Decode::listed;
        if (decodes < left_decoding) return;
        plan.decode = decodes > 0 ? StepPlan::Decode::all : StepPlan::Decode::none;
        plan.decode_positions.clear();
    }

    /// Blocks that those in progress still need to run to their last tokens. The last one is never
    /// computed from.
    [[nodiscard]] static std::int64_t set_aside(const BatchView& view) {
        std::int64_t blocks = 0;
        for (std::int64_t i = 0; i < view.running(); ++i) {
            const SequenceView s = view.running_at(i);
            blocks += std::max<std::int64_t>(view.blocks_for(s.last_token - 1) - s.blocks, 0);
        }
        return blocks;
    }

    void admit_waiting(const BatchView& view, StepPlan& plan, Room& room) const {
        std::int64_t capacity = evicts_ ? room.blocks : view.free_blocks() - set_aside(view);
        for (std::int64_t i = 0; i < view.waiting(); ++i) {
            if (room.tokens <= 0 || room.requests <= 0) break;
            const SequenceView s = view.waiting_at(i);
            std::int64_t tokens = s.known;
            if (chunked_context_) {
                tokens = std::min(tokens, room.tokens);
            } else if (tokens > room.tokens && (view.running() + i > 0 || s.known == s.prompt)) {
                break;  // one that outgrew a step before it was paused comes back alone
            }
            const std::int64_t need = view.blocks_for(evicts_ ? tokens : s.last_token - 1);
            if (need > capacity) break;
            capacity -= need;
            room.tokens -= tokens;
            --room.requests;
            plan.chunks.push_back({i, tokens, tokens, true});
        }
    }

    std::int64_t max_batch_size_;
    std::int64_t max_num_tokens_;
    bool chunked_context_;
    bool evicts_;
    bool static_;
};

REGISTER_POLICY(serving::BatchingPolicy, TensorRtLlm, "tensorrt-llm",
                "TensorRT-LLM: in-flight batching, KV cache set aside to the end or evicted "
                "(macro-steps)");

}  // namespace headroom::policies
