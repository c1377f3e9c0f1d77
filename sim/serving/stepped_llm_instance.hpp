/// SteppedLlmInstance: the slow twin of LlmInstance, chosen by `--exact-steps`. One event per
/// iteration; every token of every sequence is counted, timed and given its KV block by hand. It
/// has no counters to difference against, no closed forms and no planning of its own, so that it is
/// easy to believe; the fast instance must agree with it bit for bit. O(tokens).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "sim/serving/batching_policy.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::serving {

class SteppedLlmInstance final : public Instance, private BatchView {
  public:
    SteppedLlmInstance(const LlmEngineSpec& spec, std::unique_ptr<BatchingPolicy> policy,
                       SpeedPpm speed, InstanceRecorder recorder);

    [[nodiscard]] std::optional<Cause> refuses(std::int64_t prompt,
                                               std::int64_t output) const override;
    std::optional<Cause> submit(Time now, const Submission& submission,
                                std::uint32_t& slot) override;
    void abort(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] AttemptReport report(const EventKey& position, std::uint32_t slot) const override;
    void run(Time now, InstanceHost& host) override;
    void kill(const EventKey& position, std::vector<AttemptId>& lost) override;
    void set_speed(Time now, SpeedPpm speed) override;
    [[nodiscard]] InstanceLoad load(const EventKey& position) const override;
    void finish(const EventKey& position) override;

  private:
    struct Sequence {
        AttemptId attempt;
        std::int64_t prompt = 0;
        std::int64_t output = 0;
        std::int64_t generated = 0;
        std::int64_t computed = 0;
        std::int64_t blocks = 0;
        std::int64_t work = 0;  ///< tokens it computes in the iteration in progress
        std::int64_t rank = 0;
        Time submitted;
        Time first_scheduled = Time::max();
        Time first_token = Time::max();
        Time last_token;
        std::uint32_t preemptions = 0;
        std::int32_t priority = 0;
        bool aborted = false;
        bool prompt_done = false;  ///< has given a token since it was admitted (again)
    };

    [[nodiscard]] SequenceView running_at(std::int64_t position) const override;
    [[nodiscard]] SequenceView waiting_at(std::int64_t position) const override;
    void count_view();
    [[nodiscard]] std::int64_t unused_blocks() const;

    [[nodiscard]] SequenceView view_of(std::uint32_t slot) const;
    void hold_blocks_for(Sequence& s, std::int64_t tokens) const;
    void form_iteration(Time now);
    [[nodiscard]] IterationShape start_work(Time now);
    void end_iteration(Time now, InstanceHost& host);
    void remove_aborted();
    void account(Time until);

    const LlmEngineSpec& spec_;
    std::unique_ptr<BatchingPolicy> policy_;
    SpeedPpm speed_;
    InstanceRecorder recorder_;

    std::vector<Sequence> sequences_;  ///< a slot is never used twice
    std::deque<std::uint32_t> waiting_;
    std::vector<std::uint32_t> running_;
    std::int64_t next_rank_ = 0;

    bool iterating_ = false;
    Time start_;  ///< of the iteration in progress
    StepPlan plan_;

    std::int64_t completed_ = 0;
    std::int64_t prompt_tokens_ = 0;
    std::int64_t output_tokens_ = 0;
    TimeIntegral busy_;
    TimeIntegral ttft_sum_;
    std::int64_t ttft_count_ = 0;
};

}  // namespace headroom::serving
