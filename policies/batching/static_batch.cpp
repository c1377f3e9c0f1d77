/// static: request-level batching, as served before Orca (FasterTransformer; described as the
/// baseline by Yu et al., OSDI 2022, section 2, and Agrawal et al., MLSys 2024).
///
/// A batch is formed of the first `batch_size` waiting requests, or of those that are there, and
/// runs to the end of its last request before the next one is formed. One iteration computes all
/// its prompts, then each gives a token to all that are left. Blocks for prompt and output are
/// taken at admission, so that nothing is ever preempted; a batch ends before the request that
/// finds none. With `wait_for_full` an engine stays idle until `batch_size` requests wait: the last
/// ones of a run may then never be served. O(admissions).
#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::SequenceView;
using serving::StepPlan;

class StaticBatch final : public serving::BatchingPolicy {
  public:
    StaticBatch(const Parameters& p, const PolicyContext&)
        : batch_size_(p.integer("batch_size")), wait_for_full_(p.boolean("wait_for_full")) {}

    static ParameterSpecs parameter_specs() {
        return {
            ParameterSpec::integer("batch_size", 8, "requests in a batch at most").at_least(1),
            ParameterSpec::boolean("wait_for_full", false,
                                   "form no batch before batch_size requests wait"),
        };
    }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        plan.arrivals_matter = false;
        if (view.running() > 0) {
            plan.decode = StepPlan::Decode::all;
            plan.repeatable = true;
            return;
        }
        if (wait_for_full_ && view.waiting() < batch_size_) return;
        std::int64_t free = view.free_blocks();
        for (std::int64_t i = 0; i < view.waiting() && i < batch_size_; ++i) {
            const SequenceView s = view.waiting_at(i);
            // The last token is never computed.
            const std::int64_t held = s.last_token - 1;
            free -= view.blocks_for(held);
            if (free < 0) break;
            plan.chunks.push_back({i, s.known, held, true});
        }
    }

  private:
    std::int64_t batch_size_;
    bool wait_for_full_;
};

REGISTER_POLICY(serving::BatchingPolicy, StaticBatch, "static",
                "static batches: each runs to the end of its last request (macro-steps)");

}  // namespace headroom::policies
