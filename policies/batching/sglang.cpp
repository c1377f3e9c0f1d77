/// sglang: SGLang's scheduler (python/sglang/srt/managers/schedule_policy.py and schedule_batch.py,
/// main of 2026), fcfs, without its radix cache and without mixed chunks.
///
/// Prefill first: a step is a batch of prompts if any can be formed, else one decode of all that
/// run. Prompts share chunked_prefill_size tokens (and max_prefill_tokens, of which the first
/// prompt may take more); one at most is in the middle of its chunks, and goes first. A prompt is
/// admitted while the free tokens cover it, min(its outputs, 4096), and for all that run a share,
/// new_token_ratio, of the outputs they have left. That ratio begins at 0.7
/// schedule_conservativeness, falls to 0.14 of that over 600 decodes, and is estimated anew when a
/// decode finds too few blocks: then those with the fewest outputs (of these the longest prompt)
/// are retracted, to be computed anew.
///
/// The ratio changes with every decode, so every step is planned by itself. O(running + admitted).
#include <algorithm>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::SequenceView;
using serving::StepPlan;

class SgLang final : public serving::BatchingPolicy {
  public:
    SgLang(const Parameters& p, const PolicyContext&)
        : max_running_requests_(p.integer("max_running_requests")),
          chunked_prefill_size_(p.integer("chunked_prefill_size")),
          max_prefill_tokens_(p.integer("max_prefill_tokens")),
          first_ratio_(std::min(kFirstRatio * p.number("schedule_conservativeness"), 1.0)),
          ratio_(first_ratio_) {}

    static ParameterSpecs parameter_specs() {
        return {
            ParameterSpec::integer("max_running_requests", 4096, "requests that run at most")
                .at_least(1),
            ParameterSpec::integer("chunked_prefill_size", 8192, "tokens of one batch of prompts")
                .at_least(1)
                .in("tokens"),
            ParameterSpec::integer("max_prefill_tokens", 16384,
                                   "tokens of a batch of prompts before the last one at most")
                .at_least(1)
                .in("tokens"),
            ParameterSpec::number("schedule_conservativeness", 1.0,
                                  "the larger, the more room is kept for outputs")
                .above(0)
                .at_most(10),
        };
    }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        plan.arrivals_matter = view.waiting() == 0;
        form_prompts(view, plan);
        if (!plan.chunks.empty() || view.running() == 0) return;
        plan.decode = StepPlan::Decode::all;
        if (view.blocks_due() > view.free_blocks()) {
            retract(view, plan);
        } else {
            ratio_ = std::max(ratio_ - (first_ratio_ - least_ratio()) / kDecaySteps, least_ratio());
        }
    }

  private:
    static constexpr double kFirstRatio = 0.7;
    static constexpr double kLeastShare = 0.14;
    static constexpr double kDecaySteps = 600;
    static constexpr std::int64_t kClippedOutputs = 4096;
    static constexpr std::int64_t kRetractSteps = 20;

    [[nodiscard]] double least_ratio() const { return first_ratio_ * kLeastShare; }

    void form_prompts(const BatchView& view, StepPlan& plan) const {
        std::int64_t chunk = chunked_prefill_size_;
        std::int64_t prompts = max_prefill_tokens_;
        const std::int64_t free_tokens = view.free_blocks() * view.block_size();
        std::int64_t free_blocks = view.free_blocks();
        double promised = 0;
        for (std::int64_t i = 0; i < view.running(); ++i) {
            const SequenceView s = view.running_at(i);
            promised +=
                ratio_ * static_cast<double>(std::min(s.last_token - s.known, kClippedOutputs));
            if (s.decoding()) continue;
            const std::int64_t tokens = std::min(s.uncomputed(), chunk);
            const std::int64_t need = view.blocks_for(s.computed + tokens) - s.blocks;
            if (tokens == 0 || need > free_blocks) return;
            free_blocks -= std::max<std::int64_t>(need, 0);
            chunk -= tokens;
            prompts -= tokens;
            promised += static_cast<double>(tokens);
            plan.chunks.push_back({i, tokens, s.computed + tokens, false});
            if (tokens < s.uncomputed()) return;  // still in the middle of its chunks
        }
        for (std::int64_t i = 0; i < view.waiting(); ++i) {
            if (view.running() + i >= max_running_requests_ || chunk <= 0 || prompts <= 0) break;
            const SequenceView s = view.waiting_at(i);
            const std::int64_t outputs = std::min(s.last_token - s.known, kClippedOutputs);
            const auto wanted = static_cast<double>(s.known + outputs);
            // Alone it comes in whatever it may want later: nothing else would ever make room.
            const bool alone = view.running() + i == 0;
            if (!alone && promised + wanted > static_cast<double>(free_tokens)) break;
            const std::int64_t tokens = std::min(s.known, chunk);
            const std::int64_t need = view.blocks_for(tokens);
            if (need > free_blocks) break;
            free_blocks -= need;
            promised += wanted;
            chunk -= tokens;
            prompts -= tokens;
            plan.chunks.push_back({i, tokens, tokens, true});
            if (tokens < s.known) break;  // the one in the middle of its chunks
        }
    }

    /// Until the others can decode, but never the last one.
    void retract(const BatchView& view, StepPlan& plan) {
        order_.clear();
        for (std::int64_t i = 0; i < view.running(); ++i) {
            const SequenceView s = view.running_at(i);
            order_.push_back({s.known - s.prompt, -s.prompt, i});
        }
        std::sort(order_.begin(), order_.end());
        std::int64_t free = view.free_blocks();
        std::int64_t due = view.blocks_due();
        std::size_t next = 0;
        while (due > free && next + 1 < order_.size()) {
            const std::int64_t position = order_[next++].position;
            const SequenceView s = view.running_at(position);
            plan.preempt.push_back(position);
            free += s.blocks;
            if (s.decoding() && s.computed == s.blocks * view.block_size()) --due;
        }
        double decoded = 0;
        double wanted = 0;
        for (; next < order_.size(); ++next) {
            const SequenceView s = view.running_at(order_[next].position);
            decoded += static_cast<double>(s.known - s.prompt + kRetractSteps);
            wanted += static_cast<double>(s.last_token - s.prompt);
        }
        ratio_ = std::min(decoded / wanted, 1.0);
    }

    struct ByOutputs {
        std::int64_t outputs;
        std::int64_t minus_prompt;
        std::int64_t position;
        bool operator<(const ByOutputs& o) const {
            if (outputs != o.outputs) return outputs < o.outputs;
            if (minus_prompt != o.minus_prompt) return minus_prompt < o.minus_prompt;
            return position > o.position;
        }
    };

    std::int64_t max_running_requests_;
    std::int64_t chunked_prefill_size_;
    std::int64_t max_prefill_tokens_;
    double first_ratio_;
    double ratio_;
    std::vector<ByOutputs> order_;
};

REGISTER_POLICY(serving::BatchingPolicy, SgLang, "sglang",
                "SGLang: prompts first, room kept for a share of the outputs, retraction (single "
                "steps)");

}  // namespace headroom::policies
