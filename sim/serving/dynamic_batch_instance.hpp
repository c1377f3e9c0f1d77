/// DynamicBatchInstance: one replica of a model behind Triton's dynamic batcher. A batcher gathers
/// requests from a queue into payloads (batches), `instances` execution instances take payloads and
/// run each to its end: a batch of b takes t(b), however many run beside it. A request counts 1,
/// whatever its lengths.
///
/// The batcher sleeps until it is woken: by an arrival, if a payload slot is free and as many wait
/// as the next preferred size asks for (or the payload at hand is taken or closed); when an
/// instance takes a payload or is done; at the end of its wait; else every 500 ms. It then walks
/// the queue from its head and hands over what judge() says. An open payload that nobody took yet
/// grows at each look. Slots: with a plain queue policy (no limit, timeout or levels) 2 payloads an
/// instance may lie ahead, else one is made only for an idle instance. Where threads would race,
/// one order holds: at one time requests arrive, executions end, idle instances take what lies
/// ahead, then the batcher looks; what it hands over an idle instance takes before it looks again.
/// A request has timed out in the queue at the very time its timeout ends. An aborted request
/// leaves the queue when the walk meets it; once in a payload it keeps its place there.
///
/// Plain event by event, so it is its own slow twin: O(1) amortised a request, O(max_batch_size) a
/// look, O(log instances) an execution. A changed speed holds for executions that start later.
/// Source: triton-inference-server/core, src/dynamic_batch_scheduler.cc, scheduler_utils.cc,
/// instance_queue.cc, payload.cc, rate_limiter.cc; one queue policy for all levels.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/ring_buffer.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/latency/batch_latency.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::serving {

class DynamicBatchInstance final : public Instance {
  public:
    /// `spec` must outlive the instance.
    DynamicBatchInstance(const DynamicEngineSpec& spec, SpeedPpm speed, InstanceRecorder recorder);

    [[nodiscard]] std::optional<Cause> refuses(std::int64_t, std::int64_t) const override {
        return std::nullopt;
    }
    std::optional<Cause> submit(const EventKey& position, const Submission& submission,
                                std::uint32_t& slot) override;
    void abort(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] AttemptReport report(const EventKey& position, std::uint32_t slot) const override;
    void run(Time now, InstanceHost& host) override;
    void kill(const EventKey& position, std::vector<AttemptId>& lost) override;
    void set_speed(const EventKey&, SpeedPpm speed) override { speed_ = speed; }
    [[nodiscard]] InstanceLoad load(const EventKey& position) const override;
    void finish(const EventKey& position) override;

  private:
    struct Job {
        AttemptId attempt;  ///< none: aborted, its place is still taken
        Time enqueued;
        Time expires = Time::max();
        Time start = Time::max();  ///< Time::max(): waiting
    };
    /// The requests of one priority: those whose timeout ended, and whose action is to be delayed,
    /// come behind the others.
    struct Level {
        RingBuffer<std::uint32_t> unexpired;
        RingBuffer<std::uint32_t> delayed;
        [[nodiscard]] std::size_t size() const { return unexpired.size() + delayed.size(); }
    };
    struct Payload {
        std::vector<std::uint32_t> jobs;
        Time oldest = Time::max();  ///< its oldest request was enqueued then
    };
    /// Ties at one time end in the order in which the executions started.
    struct Execution {
        Time end;
        std::uint64_t started;
        std::uint32_t payload;
        Time start;
        /// For the heap of the standard library, whose front is the greatest.
        bool operator<(const Execution& o) const {
            return end != o.end ? o.end < end : o.started < started;
        }
    };
    /// Where the walk stands in the queue. Aborted requests may still lie before it.
    struct Cursor {
        std::size_t level = 0;
        std::size_t index = 0;  ///< in unexpired, then in delayed
    };
    /// The batch that the walk gathers.
    struct Pending {
        std::int64_t count = 0;
        Time oldest = Time::max();
        Time soonest_expiry = Time::max();
        std::int64_t best = 0;  ///< so many end at the best mark; 0: none
        bool send_now = false;
    };
    enum class Batcher { asleep, awaits_slot };

    void form_batches(Time now, InstanceHost& host);
    void end_execution(Time now, InstanceHost& host);

    bool look(Time now);
    void renew_payload();
    [[nodiscard]] bool slot_free() const;
    [[nodiscard]] bool await_slot(Time now);
    [[nodiscard]] Pending walk(Time now);
    [[nodiscard]] std::int64_t judge(Time now, const Pending& pending, Duration& wait);
    void hand_over(std::int64_t count);
    void take(Time now);

    [[nodiscard]] bool prefers(std::int64_t size) const;
    bool settle_cursor(Time now, Cursor& cursor);
    [[nodiscard]] std::uint32_t pop_front_job();
    void leave_queue(std::uint32_t slot);
    void reject(std::uint32_t slot);
    void reject_expired(Time now);
    [[nodiscard]] Time next_poll() const;
    [[nodiscard]] Level& level_of(std::int32_t priority);
    [[nodiscard]] std::int64_t size_at_hand() const;
    [[nodiscard]] std::uint32_t new_payload();
    void await_next();
    void book(const Execution& execution, Time until);

    const DynamicEngineSpec& spec_;
    SpeedPpm speed_;
    InstanceRecorder recorder_;
    bool plain_;  ///< payloads may lie ahead

    std::vector<Job> jobs_;
    std::vector<std::uint32_t> free_jobs_;
    std::vector<Level> levels_;  ///< the highest priority first
    std::int64_t queued_ = 0;    ///< in all levels, aborted ones that were not met included
    std::vector<Payload> payloads_;
    std::vector<std::uint32_t> free_payloads_;
    RingBuffer<std::uint32_t> ahead_;    ///< payloads that wait for an instance
    std::vector<Execution> executions_;  ///< a heap, the soonest end first
    std::vector<AttemptId> rejected_;    ///< by this very look
    std::vector<AttemptId> over_;        ///< by the end of this very execution

    // The batcher.
    Batcher state_ = Batcher::asleep;
    Time since_;                     ///< when it began to sleep or to await a slot
    Time wake_ = Time::max();        ///< when it looks next
    std::uint32_t current_ = kNone;  ///< the payload at hand; kNone: an empty one
    bool closed_ = false;            ///< the payload at hand takes no more
    bool taken_ = false;             ///< an instance has it
    std::int64_t wanted_ = 0;        ///< so many in the queue wake it

    std::uint64_t started_ = 0;
    std::int64_t waiting_ = 0;  ///< live requests, in the queue and in payloads ahead
    std::int64_t running_ = 0;  ///< live requests, in executions
    std::int64_t completed_ = 0;
    TimeIntegral busy_;

    static constexpr std::uint32_t kNone = 0xffffffffU;
};

}  // namespace headroom::serving
