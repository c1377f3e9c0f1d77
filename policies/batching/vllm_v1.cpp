/// vllm-v1: the scheduler of vLLM's v1 engine (vllm/v1/core/sched/scheduler.py at 992368522f, April
/// 2026).
///
/// One token budget a step. Running sequences first, in list order, each up to its uncomputed
/// tokens; one that finds no KV block preempts by recomputation: the last of the list, or under
/// `priority` the one of the largest (priority, arrival), even if it was scheduled in this step.
/// Then, if nothing was preempted, waiting ones from the head: what the prefix cache holds need not
/// be computed, a prompt is cut to the budget (chunked prefill), and with
/// `scheduler_reserve_full_isl` it is admitted only while blocks for its whole known length are
/// free. O(1) while all decode and nothing waits, else O(running + admitted).
#include <algorithm>
#include <utility>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"

namespace headroom::policies {

using serving::BatchView;
using serving::CacheLookup;
using serving::Cause;
using serving::SequenceView;
using serving::StepPlan;

namespace {

/// A ledger for engines without prefix caching: blocks are only counted.
class BlockCounter {
  public:
    explicit BlockCounter(const BatchView& view) : view_(view), free_(view.free_blocks()) {}

    static CacheLookup look_up(std::int64_t) { return {}; }
    bool admit(std::int64_t, std::int64_t, std::int64_t tokens, std::int64_t whole) {
        if (view_.blocks_for(std::max(tokens, whole)) > free_) return false;
        free_ -= view_.blocks_for(tokens);
        return true;
    }
    bool extend(const SequenceView& s, std::int64_t, std::int64_t, std::int64_t held) {
        const std::int64_t need = std::max<std::int64_t>(view_.blocks_for(held) - s.blocks, 0);
        if (need > free_) return false;
        free_ -= need;
        return true;
    }
    /// Every decoding sequence gets the block it is due.
    bool extend_all_decodes(const BatchView& view) {
        free_ -= view.blocks_due();
        return true;
    }
    /// `tokens`: for how many it held blocks, with what this plan had granted it.
    void preempt(const SequenceView& s, std::int64_t, std::int64_t tokens) {
        free_ += std::max(s.blocks, view_.blocks_for(tokens));
    }

  private:
    const BatchView& view_;
    std::int64_t free_;
};

/// The engine's own ledger, in the same words.
class EngineLedger {
  public:
    explicit EngineLedger(serving::BlockLedger& ledger) : ledger_(ledger) {}

    CacheLookup look_up(std::int64_t position) { return ledger_.look_up(position); }
    bool admit(std::int64_t position, std::int64_t cached, std::int64_t tokens,
               std::int64_t whole) {
        return ledger_.admit(position, cached, tokens, whole);
    }
    bool extend(const SequenceView& s, std::int64_t position, std::int64_t tokens,
                std::int64_t held) {
        return ledger_.extend(position, s.computed + tokens, held);
    }
    /// Their blocks are handed out one by one.
    static bool extend_all_decodes(const BatchView&) { return false; }
    void preempt(const SequenceView&, std::int64_t position, std::int64_t) {
        ledger_.preempt(position);
    }

  private:
    serving::BlockLedger& ledger_;
};

}  // namespace

class VllmV1 final : public serving::BatchingPolicy {
  public:
    VllmV1(const Parameters& p, const PolicyContext&)
        : max_num_seqs_(p.integer("max_num_seqs")),
          max_num_batched_tokens_(p.integer("max_num_batched_tokens")),
          long_prefill_token_threshold_(p.integer("long_prefill_token_threshold")),
          chunked_prefill_(p.boolean("enable_chunked_prefill")),
          reserve_full_isl_(p.boolean("scheduler_reserve_full_isl")),
          priority_(p.text("scheduling_policy") == "priority") {}

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
            ParameterSpec::choice("scheduling_policy", {"fcfs", "priority"}, "fcfs",
                                  "order of the waiting queue, and who is preempted"),
        };
    }

    [[nodiscard]] Abilities abilities() const override { return {true, true, true, true, true}; }
    [[nodiscard]] bool waits_for_oldest_batch() const override { return true; }
    [[nodiscard]] bool sorts_queue() const override { return priority_; }
    [[nodiscard]] bool precedes(const SequenceView& a, const SequenceView& b) const override {
        return a.priority != b.priority ? a.priority < b.priority : a.arrival_rank < b.arrival_rank;
    }

    std::optional<Cause> refuses(std::int64_t prompt, std::int64_t output,
                                 std::int64_t total_blocks,
                                 std::int64_t block_size) const override {
        if (!chunked_prefill_ && prompt > max_num_batched_tokens_) {
            return Cause::exceeds_batch_limit;
        }
        return BatchingPolicy::refuses(prompt, output, total_blocks, block_size);
    }

    void plan_next_step(const BatchView& view, StepPlan& plan) override {
        const std::int64_t running = view.running();
        const bool all_decode = view.decoding() + view.nothing_to_compute() == running &&
                                view.decoding() > 0 && running <= max_num_batched_tokens_ &&
                                view.lookahead() == 0 && view.blocks_due() <= view.free_blocks();
        if (all_decode && view.waiting() == 0) {  // mostly
            plan.decode = StepPlan::Decode::all;
            plan.repeatable = true;
            plan.arrivals_matter =
                running < max_num_seqs_ && view.decoding() < max_num_batched_tokens_;
        } else if (serving::BlockLedger* ledger = view.ledger()) {
            plan_with_prompts(view, plan, EngineLedger(*ledger), all_decode);
        } else {
            plan_with_prompts(view, plan, BlockCounter(view), all_decode);
        }
    }

  private:
    template <class Ledger>
    void plan_with_prompts(const BatchView& view, StepPlan& plan, Ledger ledger, bool all_decode) {
        std::int64_t budget = max_num_batched_tokens_;
        adapters_.clear();
        if (all_decode && view.max_adapters() == 0 && ledger.extend_all_decodes(view)) {
            plan.decode = StepPlan::Decode::all;
            budget -= view.decoding();
        } else if (view.running() > 0) {
            schedule_running(view, plan, ledger, budget);
        }
        if (plan.preempt.empty()) admit_waiting(view, plan, ledger, budget);
        plan.repeatable =
            plan.decode == StepPlan::Decode::all && plan.chunks.empty() && plan.preempt.empty();
        // An arrival comes after all that wait, unless it is more urgent or they are passed over.
        const bool may_be_next = view.waiting() == 0 || priority_ || view.max_adapters() > 0;
        plan.arrivals_matter = may_be_next && view.running() < max_num_seqs_ && budget > 0;
    }

    /// Tokens of a sequence that this step may compute.
    [[nodiscard]] std::int64_t tokens_wanted(std::int64_t uncomputed, std::int64_t budget) const {
        if (long_prefill_token_threshold_ > 0) {
            uncomputed = std::min(uncomputed, long_prefill_token_threshold_);
        }
        return std::min(uncomputed, budget);
    }

    /// For how many tokens a running sequence holds blocks when it computes some more.
    static std::int64_t tokens_held(const BatchView& view, const SequenceView& s,
                                    std::int64_t tokens) {
        const std::int64_t computed = s.computed + tokens;
        return std::max(computed, std::min(computed + view.lookahead(), s.last_token - 1));
    }

    template <class Ledger>
    void schedule_running(const BatchView& view, StepPlan& plan, Ledger& ledger,
                          std::int64_t& budget) {
        granted_.assign(static_cast<std::size_t>(view.running()), 0);
        plain_decode_.assign(granted_.size(), false);
        bool go_on = true;
        std::int64_t passed_over = 0;
        for (std::int64_t i = 0; go_on && i < view.running() && budget > 0; ++i) {
            std::int64_t& granted = granted_[static_cast<std::size_t>(i)];
            if (granted == kPreempted) continue;
            if (passed_over > 0) {
                --passed_over;
                continue;
            }
            const SequenceView s = view.running_at(i);
            const std::int64_t tokens = tokens_wanted(s.uncomputed() + s.drafts, budget);
            if (tokens == 0) continue;
            plain_decode_[static_cast<std::size_t>(i)] = s.decoding() && s.drafts == 0;
            while (go_on && !ledger.extend(s, i, tokens, tokens_held(view, s, tokens))) {
                const std::int64_t victim = victim_of(view);
                std::int64_t& had = granted_[static_cast<std::size_t>(victim)];
                const SequenceView v = view.running_at(victim);
                ledger.preempt(v, victim, had > 0 ? tokens_held(view, v, had) : v.computed);
                plan.preempt.push_back(victim);
                budget += had;
                // vLLM's index into the list that gets shorter follows only if the victim had been
                // scheduled; else the next one is passed over.
                if (victim < i && had == 0) ++passed_over;
                had = kPreempted;
                go_on = victim != i;  // else no more running sequences this step
            }
            if (!go_on) break;
            granted = tokens;
            budget -= tokens;
        }
        write_running(view, plan);
    }

    /// The last of the list, which is the latest arrival; under `priority` the first of those that
    /// are least urgent and came last.
    [[nodiscard]] std::int64_t victim_of(const BatchView& view) const {
        std::int64_t victim = -1;
        SequenceView least;
        for (std::int64_t i = view.running(); i-- > 0;) {
            if (granted_[static_cast<std::size_t>(i)] == kPreempted) continue;
            if (!priority_) return i;
            const SequenceView s = view.running_at(i);
            if (victim < 0 ||
                std::pair(s.priority, s.submitted) >= std::pair(least.priority, least.submitted)) {
                victim = i;
                least = s;
            }
        }
        return victim;
    }

    void write_running(const BatchView& view, StepPlan& plan) {
        bool all = true;
        for (std::int64_t i = 0; i < view.running(); ++i) {
            const std::int64_t tokens = granted_[static_cast<std::size_t>(i)];
            if (tokens == kPreempted) continue;
            if (tokens > 0 && plain_decode_[static_cast<std::size_t>(i)]) {
                plan.decode_positions.push_back(i);
                if (view.max_adapters() > 0) note_adapter(view.running_at(i));
                continue;
            }
            const SequenceView s = view.running_at(i);
            if (tokens > 0) {
                note_adapter(s);
                plan.chunks.push_back({i, tokens, tokens_held(view, s, tokens), false});
            } else if (s.decoding()) {
                all = false;
            }
        }
        if (!all) {
            plan.decode = StepPlan::Decode::listed;
            return;
        }
        if (!plan.decode_positions.empty()) plan.decode = StepPlan::Decode::all;
        plan.decode_positions.clear();
    }

    template <class Ledger>
    void admit_waiting(const BatchView& view, StepPlan& plan, Ledger& ledger, std::int64_t budget) {
        std::int64_t running = view.running();
        for (std::int64_t i = 0; i < view.waiting() && budget > 0 && running < max_num_seqs_; ++i) {
            const SequenceView s = view.waiting_at(i);
            // A request of one adapter too many is passed over.
            if (view.max_adapters() > 0 && !has_slot(view, s)) {
                plan.passed_over.push_back(i);
                continue;
            }
            const auto [state, cached] = ledger.look_up(i);
            if (state == CacheLookup::State::fetching) continue;
            if (state == CacheLookup::State::no_room) break;
            std::int64_t tokens = s.known - cached;
            if (long_prefill_token_threshold_ > 0) {
                tokens = std::min(tokens, long_prefill_token_threshold_);
            }
            if (chunked_prefill_) {
                tokens = std::min(tokens, budget);
            } else if (tokens > budget && (running > 0 || s.known == s.prompt)) {
                // One that outgrew the budget before it was preempted comes back alone.
                break;
            }
            const std::int64_t whole = reserve_full_isl_ ? s.known : 0;
            if (!ledger.admit(i, cached, cached + tokens, whole)) break;
            note_adapter(s);
            budget -= tokens;
            ++running;
            plan.chunks.push_back({i, tokens, cached + tokens, true, cached});
        }
    }

    void note_adapter(const SequenceView& s) {
        if (s.adapter == 0) return;
        if (std::find(adapters_.begin(), adapters_.end(), s.adapter) == adapters_.end()) {
            adapters_.push_back(s.adapter);
        }
    }
    [[nodiscard]] bool has_slot(const BatchView& view, const SequenceView& s) const {
        return s.adapter == 0 ||
               static_cast<std::int64_t>(adapters_.size()) < view.max_adapters() ||
               std::find(adapters_.begin(), adapters_.end(), s.adapter) != adapters_.end();
    }

    static constexpr std::int64_t kPreempted = -1;

    std::int64_t max_num_seqs_;
    std::int64_t max_num_batched_tokens_;
    std::int64_t long_prefill_token_threshold_;
    bool chunked_prefill_;
    bool reserve_full_isl_;
    bool priority_;
    std::vector<std::uint16_t> adapters_;  ///< different ones of this step
    std::vector<std::int64_t> granted_;    ///< this step's tokens by running position, kPreempted
    std::vector<bool> plain_decode_;       ///< of those: one token, no drafts
};

REGISTER_POLICY(serving::BatchingPolicy, VllmV1, "vllm-v1",
                "vLLM v1: one token budget, running sequences first, chunked prefill, recompute "
                "(macro-steps; leaps with async_scheduling, prefix caching, lora, kv_offloading or "
                "pools for prefill and decode; single steps in a pipeline or with speculative)");

}  // namespace headroom::policies
