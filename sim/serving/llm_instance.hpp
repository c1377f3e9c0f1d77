/// LlmInstance: a continuous-batching LLM engine with a paged KV cache, advanced in macro-steps.
///
/// Between two changes of its batch, all that an iteration does is known in closed form: every
/// decoding sequence gains a token, the context grows by their number, and each takes a KV block
/// every `block_size` tokens at its own phase. So the instance keeps
///   - one iteration counter; a sequence's tokens, context and blocks are differences against it,
///   - the next finish as a value of that counter,
///   - for each phase (iteration number modulo block size) how many sequences take a block then,
/// and touches no sequence while iterations pass: O(arrivals + completions) events, not O(tokens).
///
/// A macro-step is planned as if nothing would happen and truncated to the first iteration boundary
/// at or after an event that matters. load() and report() count boundaries before the asked
/// position without splitting anything. SteppedLlmInstance does the same one iteration at a time
/// and must agree bit for bit (tests/property/serving/).
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "sim/core/ring_buffer.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/block_phases.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/llm_workspace.hpp"
#include "sim/serving/service_spec.hpp"
#include "sim/serving/step_math.hpp"

namespace headroom::serving {

class LlmInstance final : public Instance, private BatchView {
  public:
    /// `spec` and `workspace` must outlive the instance. `entity` is its number in the cell's event
    /// order.
    LlmInstance(const LlmEngineSpec& spec, LlmWorkspace& workspace,
                std::unique_ptr<BatchingPolicy> policy, std::uint64_t entity, SpeedPpm speed,
                InstanceRecorder recorder);
    ~LlmInstance() override;

    [[nodiscard]] std::optional<Cause> refuses(std::int64_t prompt,
                                               std::int64_t output) const override;
    std::optional<Cause> submit(const EventKey& position, const Submission& submission,
                                std::uint32_t& slot) override;
    void abort(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] AttemptReport report(const EventKey& position, std::uint32_t slot) const override;
    void run(Time now, InstanceHost& host) override;
    void kill(const EventKey& position, std::vector<AttemptId>& lost) override;
    void set_speed(const EventKey& position, SpeedPpm speed) override;
    [[nodiscard]] InstanceLoad load(const EventKey& position) const override;
    void finish(const EventKey& position) override;
    void prefetch(const InstanceHost& host) const override;

  private:
    using Stage = LlmSequence::Stage;
    using Sequence = LlmSequence;

    struct Running {
        std::int64_t finish_at;  ///< value of the counter, kNever while unknown
        std::uint32_t slot;
        std::uint32_t attempt;  ///< its index, for prefetch()
    };
    /// Where a position lies in the macro-step in progress.
    struct Progress {
        std::int64_t done = 0;    ///< boundaries passed
        std::int64_t formed = 0;  ///< iterations whose blocks are taken
    };

    // BatchView
    [[nodiscard]] SequenceView running_at(std::int64_t position) const override;
    [[nodiscard]] SequenceView waiting_at(std::int64_t position) const override;
    inline void refresh_view();

    /// Tokens computed by a decoding sequence once the counter stands at `iteration`.
    [[nodiscard]] static std::int64_t computed_at(const Sequence& s, std::int64_t iteration) {
        return s.computed + (iteration - s.joined);
    }
    /// Value of the counter at which a kReserved sequence takes a block of its own again.
    [[nodiscard]] std::int64_t used_up_at(const Sequence& s) const {
        return s.joined + (s.blocks * spec_.block_size - s.computed);
    }
    [[nodiscard]] Sequence& sequence(std::uint32_t slot) { return workspace_.sequences[slot]; }
    [[nodiscard]] const Sequence& sequence(std::uint32_t slot) const {
        return workspace_.sequences[slot];
    }
    [[nodiscard]] SequenceView view_of(const Sequence& s) const;
    [[nodiscard]] Progress progress_at(const EventKey& position) const;
    /// Blocks that decode iterations of the step in progress take, once `formed` took theirs.
    [[nodiscard]] BlockPhases::Taken blocks_of_step(std::int64_t formed) const {
        return all_decode_ ? phases_.taken(formed) : BlockPhases::Taken{};
    }

    void form_step(Time now);
    void apply_plan(Time now);
    void preempt(Sequence& s, std::uint32_t slot);
    void sort_in();
    [[nodiscard]] inline IterationShape shape_of(const StepPlan& plan);
    [[nodiscard]] bool decodes_in_step(std::uint32_t slot) const;
    void truncate(Time now);
    void complete_step(Time now, InstanceHost& host);
    inline void advance_all_decodes(std::int64_t blocks);
    void advance_listed_decodes(Time now);
    inline void end_chunks(Time now);
    inline std::int64_t end_chunk(Time now, std::uint32_t slot);
    inline std::size_t finish_sequences();
    void remove_aborted();
    void leave_cache(Sequence& s);
    void add_decoding(Sequence& s);
    void remove_decoding(Sequence& s);
    void end_reserves();
    void collect_fresh();
    void refresh_next_finish();
    void record_first_token(Sequence& s, Time now);

    /// Records `done` iterations of the step in progress, and busy time and KV use up to `until`,
    /// by when `formed` iterations had taken `taken` blocks.
    inline void account(std::int64_t done, std::int64_t formed, const BlockPhases::Taken& taken,
                        Time until);
    inline void account_gaps(std::int64_t done);
    void account_uneven_gaps(std::int64_t done);
    inline void account_kv(const BlockPhases::Taken& taken, Time until);
    void account_slowly(std::int64_t done, std::int64_t formed, Time until);
    void record_last_gaps(std::int64_t iteration, Time boundary);

    // In the order in which an event looks at them: of ten thousand instances none is in the cache.
    const LlmEngineSpec& spec_;
    LlmWorkspace& workspace_;
    std::unique_ptr<BatchingPolicy> policy_;
    InstanceRecorder recorder_;

    // The step in progress.
    bool stepping_ = false;
    bool all_decode_ = false;      ///< every decoding sequence, and at least one
    bool even_gaps_ = false;       ///< and each got its last token where the step began
    bool arrivals_matter_ = true;  ///< as its plan says
    StepPlan::Decode decode_ = StepPlan::Decode::none;
    bool sorts_queue_;  ///< as the policy says
    SpeedPpm speed_;
    Time step_start_;
    MacroStep step_;
    std::int64_t planned_ = 0;       ///< iterations until its end
    std::int64_t step_decodes_ = 0;  ///< sequences decoding in it
    std::int64_t discarded_ = 0;     ///< sequences that lose the token of its last iteration
    std::size_t chunks_ = 0;         ///< of prompts in its first iteration

    std::int64_t iteration_ = 0;  ///< decode iterations completed
    std::int64_t context_ = 0;    ///< sum of computed over decoding sequences
    // numbers_ of BatchView holds the free blocks (before the decode blocks of the step in
    // progress) and the number of decoding sequences.
    std::int64_t reserved_ = 0;           ///< number of sequences in phase kReserved
    std::int64_t next_used_up_ = kNever;  ///< no later than the first used_up_at() of them
    std::int64_t next_finish_ = kNever;
    Time last_decode_ = Time::zero();   ///< last token of all decoding sequences that are not fresh
    std::int64_t leaving_ = 0;          ///< running sequences that are aborted
    std::vector<Running> running_;      ///< in order of admission
    std::vector<std::uint32_t> fresh_;  ///< decoding sequences whose `fresh` is set
    RingBuffer<std::uint32_t> waiting_;
    BlockPhases phases_;  ///< when the decoding sequences take blocks, but for the kReserved ones
    std::int64_t output_tokens_ = 0;
    TimeIntegral busy_;

    std::int64_t completed_ = 0;
    std::int64_t prompt_tokens_ = 0;
    TimeIntegral ttft_sum_;
    std::int64_t ttft_count_ = 0;
    std::int64_t next_rank_ = 0;
    std::uint64_t entity_;
    std::vector<std::uint32_t> listed_;  ///< slots of a plan that lists what decodes

    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
    static constexpr std::int64_t kReserved = -1;
};

}  // namespace headroom::serving
