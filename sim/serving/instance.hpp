/// Instance: one replica of a service in the data plane, and InstanceHost, what it reports to.
///
/// An instance is passive: it says when its next event is due (next_event) and its owner, the cell,
/// runs it then. Between two calls nothing changes. Position in the run is an EventKey: `load`
/// reports the state that all events before that key left, also in the middle of a macro-step.
///
/// LlmInstance (macro-steps) and SteppedLlmInstance (its slow twin) model a continuous-batching
/// engine, SimpleInstance c servers and a queue. All report the same things to the host.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/core/event_queue.hpp"
#include "sim/core/id.hpp"
#include "sim/core/time.hpp"
#include "sim/serving/data_plane.hpp"
#include "sim/serving/request.hpp"
#include "sim/serving/service_stats.hpp"

namespace headroom::serving {

using AttemptId = Id<struct AttemptTag>;

/// Classes of a cell's events, in the order in which they run at one instant: requests arrive, then
/// work ends, then what waited too long gives up, then batches form from what is there.
enum EventClass : unsigned {
    kArrival = 1,     ///< a source's next request; entity: source
    kDelivery = 2,    ///< a request reaches its instance's queue; entity: attempt number
    kStepEnd = 3,     ///< an iteration or a service ends; entity: instance, ordinal: server
    kTimeout = 4,     ///< a call's deadline; entity: call number
    kBatchForms = 5,  ///< an idle engine looks at its queue; entity: instance
};

/// What an attempt asks of an instance.
struct Submission {
    AttemptId attempt;
    std::int64_t prompt = 1;
    std::int64_t output = 1;
    std::int32_t priority = 0;
    std::uint64_t draw = 0;     ///< index for draws made for this attempt
    std::uint64_t request = 0;  ///< likewise
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
};

/// Where and from when an instance records; owned by the cell, shared by a service's instances.
struct InstanceRecorder {
    ServiceStats* stats = nullptr;
    Time measure_from;
};

class Instance {
  public:
    virtual ~Instance() = default;

    struct NextEvent {
        Time time = Time::max();
        EventClass event_class = kStepEnd;
        bool operator==(const NextEvent&) const = default;
    };

    /// Why it could never serve a request of these lengths, nullopt when it can.
    [[nodiscard]] virtual std::optional<Cause> refuses(std::int64_t prompt,
                                                       std::int64_t output) const = 0;
    /// Takes an attempt into its queue. Returns a slot that names it in abort() and report(); or a
    /// cause when its queue is full.
    virtual std::optional<Cause> submit(Time now, const Submission& submission,
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
    virtual void kill(const EventKey& position, std::vector<AttemptId>& lost) = 0;
    virtual void set_speed(Time now, SpeedPpm speed) = 0;
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
