/// SteppedLlmInstance: an LLM engine one iteration and one KV block at a time. It is the slow twin
/// of LlmInstance, chosen by `--exact-steps`: no counters to difference against, no closed forms
/// and no planning of its own, so that it is easy to believe, and the fast instance must agree with
/// it bit for bit. It is the twin of LeapingLlmInstance too, which adds to it how to leap over
/// iterations that are alike, for what LlmInstance cannot do. O(running) an iteration.
///
/// Batches in flight stand in a queue: one, two with asynchronous scheduling, one a stage in a
/// pipeline. A batch is formed while there is room, then the oldest is waited for, as in vLLM's
/// EngineCore (step, step_with_batch_queue). Stages are FIFOs that take equal parts of its time.
///
/// Keys and values may come from elsewhere: another instance, the host tier, or where a preempted
/// sequence was swapped to. Then blocks are taken, and the sequence is passed over until they are
/// there (vLLM's WAITING_FOR_REMOTE_KVS).
///
/// With speculation a decode of 1 + d tokens reads its context once, like any decode, and computes
/// the d drafts like a prompt of d tokens.
///
/// In three files: requests and recording, batches, and what a policy sees (stepped_llm_*.cpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/serving/adapter_slots.hpp"
#include "sim/serving/batching_policy.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/paged_kv_cache.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::serving {

class SteppedLlmInstance : public Instance, protected BatchView, private BlockLedger {
  public:
    /// `draws`: by (request, token), which drafts are accepted.
    SteppedLlmInstance(const LlmEngineSpec& spec, std::unique_ptr<BatchingPolicy> policy,
                       SpeedPpm speed, InstanceRecorder recorder, RandomStream draws);

    [[nodiscard]] std::optional<Cause> refuses(std::int64_t prompt,
                                               std::int64_t output) const override;
    std::optional<Cause> submit(const EventKey& position, const Submission& submission,
                                std::uint32_t& slot) override;
    void abort(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] AttemptReport report(const EventKey& position, std::uint32_t slot) const override;
    void run(Time now, InstanceHost& host) override;
    void kill(const EventKey& position, std::vector<AttemptId>& lost) override;
    void set_speed(const EventKey& position, SpeedPpm speed) override;
    void kv_arrived(const EventKey& position, std::uint32_t slot) override;
    void release_kv(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] InstanceLoad load(const EventKey& position) const override;
    void finish(const EventKey& position) override;

  protected:  // what LeapingLlmInstance carries on
    enum class Fetch : std::uint8_t { none, going, there };

    /// What each iteration looks at comes first.
    struct alignas(64) Sequence {
        std::int64_t computed = 0;  ///< batches in flight included
        std::int64_t generated = 0;
        std::int64_t foreseen = 0;  ///< tokens that batches in flight will give (asynchronous)
        std::int64_t prompt = 0;
        std::int64_t output = 0;
        Time last_token;
        Time first_token = Time::max();
        std::int32_t batches = 0;  ///< in flight that it is part of
        bool running = false;
        bool over = false;         ///< finished or aborted
        bool prompt_done = false;  ///< has given a token since it was admitted (again)
        Fetch fetch = Fetch::none;
        KvSequence kv;
        AttemptId attempt;
        std::int64_t remote = 0;   ///< leading tokens that another instance has
        std::int64_t swapped = 0;  ///< leading tokens that were swapped to the host
        std::int64_t fetched = 0;  ///< leading tokens that are there once `fetch` says so
        std::int64_t rank = 0;
        std::uint64_t request = 0;
        std::uint64_t draw = 0;
        std::uint64_t fetch_number = 0;
        Time submitted;
        Time first_scheduled = Time::max();
        Time swapped_out;  ///< when the host has all of `swapped`
        std::uint32_t preemptions = 0;
        std::int32_t priority = 0;
        std::uint16_t adapter = 0;
        bool keep_kv = false;
        bool passed_over = false;  ///< by the policy in the waiting queue, and not admitted since

        [[nodiscard]] std::int64_t known() const { return prompt + generated; }
        /// Known, or foreseen: but the last token is never computed from, so nothing is left to do
        /// once it is in flight.
        [[nodiscard]] std::int64_t known_to_batches() const {
            return running ? std::min(known() + foreseen, prompt + output - 1) : known();
        }
    };
    struct Work {
        std::uint32_t slot = 0;
        std::int64_t tokens = 0;
        bool decode = false;
        bool yields = false;  ///< a token
    };
    struct Batch {
        std::vector<Work> work;  ///< in the order of the running list, then of admission
        IterationShape shape;
        Time ends;
    };
    struct Completion {
        AttemptId attempt;
        AttemptReport report;
    };
    struct HostFetch {
        Time ready;
        std::uint32_t slot = 0;
        std::uint64_t number = 0;
    };

    // What a policy sees.
    [[nodiscard]] SequenceView running_at(std::int64_t position) const override;
    [[nodiscard]] SequenceView waiting_at(std::int64_t position) const override;
    [[nodiscard]] BlockLedger* ledger() const override;
    [[nodiscard]] CacheLookup look_up(std::int64_t waiting_position) override;
    [[nodiscard]] bool admit(std::int64_t waiting_position, std::int64_t cached,
                             std::int64_t tokens, std::int64_t whole) override;
    [[nodiscard]] bool extend(std::int64_t running_position, std::int64_t computed,
                              std::int64_t held) override;
    void preempt(std::int64_t running_position) override;
    void count_view();
    [[nodiscard]] SequenceView view_of(const Sequence& s) const;
    [[nodiscard]] bool decodes_next(const Sequence& s) const;
    [[nodiscard]] std::int64_t drafts_of(const Sequence& s) const;

    // Keys and values from elsewhere.
    [[nodiscard]] CacheLookup fetch(std::uint32_t slot, std::int64_t cached, std::int64_t tokens);
    void fetch_from_host(std::uint32_t slot, std::int64_t tokens);
    void end_host_fetches(Time now);
    void bring_in(std::uint32_t slot);
    bool give_up_a_fetch();
    [[nodiscard]] bool swap_out(Time now, Sequence& s);
    void forget_swapped(Sequence& s);

    // Batches.
    void form_batches(Time now);
    [[nodiscard]] Batch next_batch(Time now);
    void await_next(Time now);
    [[nodiscard]] bool computes() const;
    void carry_out(Time now, Batch& batch);
    void preempt_sequence(Time now, std::uint32_t slot);
    void add_work(Batch& batch, std::uint32_t slot, std::int64_t tokens, bool decode);
    [[nodiscard]] Duration time_of(const Batch& batch);
    void start(Time now, Batch& batch);
    [[nodiscard]] Time tokens_known_at(Time now, const Batch& batch) const;
    void end_oldest(Time now);
    void take_drafts(Sequence& s, const Work& work);
    void take_token(Time now, Sequence& s);
    void record_gaps();
    void wake(Time now);
    void queue(std::uint32_t slot, bool at_front);
    void leave(std::uint32_t slot);
    void remove_aborted();
    void account(Time until);

    const LlmEngineSpec& spec_;
    std::unique_ptr<BatchingPolicy> policy_;
    SpeedPpm speed_;
    InstanceRecorder recorder_;
    RandomStream draws_;
    PagedKvCache cache_;
    std::optional<AdapterSlots> adapters_;
    std::size_t most_in_flight_;

    std::vector<Sequence> sequences_;
    std::vector<std::uint32_t> free_slots_;
    std::deque<std::uint32_t> waiting_;
    std::vector<std::uint32_t> running_;
    std::vector<std::uint32_t> aborted_;  ///< running ones, until the next boundary
    std::int64_t next_rank_ = 0;

    bool forming_ = false;          ///< batches form next, at next_event().time
    std::deque<Batch> in_flight_;   ///< oldest first; one without work ends when it is formed
    std::vector<Time> stage_free_;  ///< when each stage has done all batches in flight
    Time accounted_;
    StepPlan plan_;           ///< of the batch formed last
    bool looked_up_ = false;  ///< while making it, the policy asked what is cached of some sequence
    Duration gap_;            ///< between tokens, of the last one taken
    std::uint64_t gaps_ = 0;  ///< such ones that are not recorded yet
    std::vector<Completion> completed_now_;         ///< by the batch that ended last
    std::vector<Work> spare_work_;                  ///< memory for the next batch
    std::vector<std::uint32_t> finished_;           ///< scratch of end_oldest()
    std::vector<std::uint32_t> listed_;             ///< scratch: the running list of a plan
    std::vector<const StepPlan::Chunk*> chunk_at_;  ///< scratch: by running position
    InstanceHost* host_ = nullptr;                  ///< while an event runs
    Time now_;                                      ///< of that event

    std::deque<HostFetch> host_fetches_;  ///< in the order of the link; aborted ones are stale
    std::uint64_t next_fetch_ = 1;
    Time link_in_free_;
    Time link_out_free_;
    std::int64_t swapped_blocks_ = 0;  ///< that the host holds

    std::int64_t completed_ = 0;
    std::int64_t prompt_tokens_ = 0;
    std::int64_t output_tokens_ = 0;
    TimeIntegral busy_;
    TimeIntegral ttft_sum_;
    std::int64_t ttft_count_ = 0;
};

}  // namespace headroom::serving
