/// Instance: one replica of a service in the data plane, and InstanceHost, what it reports to.
///
/// An instance is passive: it says when its next event is due (next_event) and its owner, the cell,
/// runs it then. Between two calls nothing changes. Position in the run is an EventKey: `load`
/// reports the state that all events before that key left, also in the middle of a macro-step.
///
/// LlmInstance (macro-steps), LeapingLlmInstance (more features, more work) and SteppedLlmInstance
/// (the slow twin of both) model a continuous-batching engine, SimpleInstance c servers and a
/// queue, DynamicBatchInstance a batcher before a model that runs whole batches. All report the
/// same things to the host.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/event_queue.hpp"
#include "sim/core/id.hpp"
#include "sim/core/time.hpp"
#include "sim/serving/data_plane.hpp"
#include "sim/serving/request.hpp"
#include "sim/serving/service_stats.hpp"

namespace headroom::serving {

using AttemptId = Id<struct AttemptTag>;

/// Classes of a cell's events, in the order in which they run at one instant: routers look;
/// requests arrive; deliveries reach their instances; iterations and services end; deadlines
/// expire; batches form from what is there; KV transfers end; KV blocks arrive. A router that looks
/// sees what the control plane would: its position is the first of the instant.
enum EventClass : unsigned {
    kObservation = 0,  ///< a router looks at its endpoints' loads; entity: router
    kArrival = 1,      ///< a source's next request; entity: source
    kDelivery = 2,     ///< a request reaches its instance's queue; entity: attempt number
    kStepEnd = 3,      ///< an iteration or a service ends; entity: instance
    kTimeout = 4,      ///< a call's deadline; entity: call number
    kBatchForms = 5,   ///< an idle engine looks at its queue; entity: instance
    kTransfer = 6,     ///< KV blocks may have been sent; entity: service
    kKvArrival = 7,    ///< KV blocks reach the other instance; entity: handover number
};

/// What an attempt asks of an instance.
struct Submission {
    AttemptId attempt;
    std::int64_t prompt = 1;
    std::int64_t output = 1;
    std::int32_t priority = 0;
    std::uint64_t draw = 0;                   ///< index for draws made for this attempt
    std::uint64_t request = 0;                ///< likewise
    const TokenContents* contents = nullptr;  ///< good during submit()
    std::uint16_t adapter = 0;                ///< 0: the base model
    /// Leading tokens whose keys and values another instance has. They are asked for with
    /// InstanceHost::kv_wanted() once there is room, and awaited before it is scheduled.
    std::int64_t remote_tokens = 0;
    bool keep_kv = false;  ///< its blocks stay when it is completed, until release_kv()
};

/// How far an attempt got. Times that did not come are Time::max().
struct AttemptReport {
    Time first_scheduled = Time::max();
    Time first_token = Time::max();
    std::int64_t output_tokens = 0;
    std::uint32_t preemptions = 0;
};

class InstanceHost {
  public:
    virtual ~InstanceHost() = default;
    /// The attempt completed now. The instance has forgotten it.
    virtual void attempt_completed(Time now, AttemptId attempt, const AttemptReport& report) = 0;
    /// The records of the attempt with this index may be looked at soon.
    virtual void prefetch_attempt(std::uint32_t /*index*/) const {}
    /// There is room for the last `tokens` of the attempt's remote tokens (the others were cached):
    /// send them. Answered by Instance::kv_arrived(), later.
    virtual void kv_wanted(Time, AttemptId, std::int64_t /*tokens*/) {
        HEADROOM_CHECK(false, "an instance asked for KV blocks that its host cannot send");
    }
    /// The instance gave up an attempt that waited in its queue, and has forgotten it.
    virtual void attempt_rejected(Time, AttemptId, Cause) {
        HEADROOM_CHECK(false, "an instance rejected an attempt that its host cannot reject");
    }
};

/// Where and from when an instance records; owned by the cell, shared by a service's instances.
struct InstanceRecorder {
    ServiceStats* stats = nullptr;
    Time measure_from;
};

class Instance {
  public:
    virtual ~Instance() = default;
    /// Its event comes soon: asks for what lies behind its pointers, and for what it will tell the
    /// host of attempts that complete then. Only hints (prefetch.hpp).
    virtual void prefetch(const InstanceHost& /*host*/) const {}
    /// Its own first bytes, which an event looks at.
    static constexpr std::size_t kHotBytes = 512;

    struct NextEvent {
        Time time = Time::max();
        EventClass event_class = kStepEnd;
        bool operator==(const NextEvent&) const = default;
    };

    /// Why it could never serve a request of these lengths, nullopt when it can.
    [[nodiscard]] virtual std::optional<Cause> refuses(std::int64_t prompt,
                                                       std::int64_t output) const = 0;
    /// Takes an attempt into its queue and sets `slot`, which names it in abort() and report(); or
    /// returns a cause when its queue is full.
    virtual std::optional<Cause> submit(const EventKey& position, const Submission& submission,
                                        std::uint32_t& slot) = 0;
    /// Forgets an attempt. Room it holds in a running iteration is free at the iteration's end, and
    /// the token that iteration would have given it does not count.
    virtual void abort(const EventKey& position, std::uint32_t slot) = 0;
    [[nodiscard]] virtual AttemptReport report(const EventKey& position,
                                               std::uint32_t slot) const = 0;
    /// What is due next in it; time Time::max(): nothing.
    [[nodiscard]] const NextEvent& next_event() const { return next_event_; }
    /// Runs the event that next_event() named.
    virtual void run(Time now, InstanceHost& host) = 0;
    /// Everything in it is lost now; appends the attempts in the order queue last, running first.
    /// Nothing may follow but report().
    virtual void kill(const EventKey& position, std::vector<AttemptId>& lost) = 0;
    virtual void set_speed(const EventKey& position, SpeedPpm speed) = 0;
    /// The remote tokens that this attempt wanted are there.
    virtual void kv_arrived(const EventKey& /*position*/, std::uint32_t /*slot*/) {
        HEADROOM_CHECK(false, "KV blocks were sent to an instance that asked for none");
    }
    /// The blocks that a completed attempt kept are free.
    virtual void release_kv(const EventKey& /*position*/, std::uint32_t /*slot*/) {
        HEADROOM_CHECK(false, "an instance keeps no blocks of completed attempts");
    }
    [[nodiscard]] virtual InstanceLoad load(const EventKey& position) const = 0;
    /// The run ends: records what is in progress up to now. Nothing may follow but report().
    virtual void finish(const EventKey& position) = 0;

  protected:
    void await(Time time, EventClass event_class) { next_event_ = {time, event_class}; }
    void await_nothing() { next_event_ = {}; }
    [[nodiscard]] bool awaits_nothing() const { return next_event_.time == Time::max(); }

  private:
    NextEvent next_event_;
};

}  // namespace headroom::serving
