/// Cell: some services with all they touch (request sources, gateways, routers, instances), an
/// event queue, random streams and recorders of their own. It shares nothing with another cell, so
/// cells may run one after the other, interleaved or on threads without changing a bit.
///
/// A request's way: source -> gateway (deadline, bounded queue) -> version split -> router ->
/// front-end delay -> instance queue -> batches -> calls to further services -> response. One event
/// is O(log(events pending)) plus what the instance does; nothing is allocated per event once
/// slabs, queues and histograms have reached their size.
///
/// The control plane calls the DataPlane-like methods between events, always with the present time.
/// The cell answers with notifications, which the simulation hands over before the next event.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/event_queue.hpp"
#include "sim/core/random.hpp"
#include "sim/core/ring_buffer.hpp"
#include "sim/core/slab.hpp"
#include "sim/metrics/digest.hpp"
#include "sim/serving/data_plane.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/records.hpp"
#include "sim/serving/routing_policy.hpp"
#include "sim/serving/service_spec.hpp"
#include "sim/serving/service_stats.hpp"

namespace headroom::serving {

struct CellConfig {
    std::uint64_t seed = 1;
    Time measure_from;
    bool exact_steps = false;
    bool keep_rows = false;
};

struct LlmWorkspace;

class Cell final : private InstanceHost {
  public:
    /// `services` are indices into `specs`, ascending; calls of these services lead only to others
    /// of them. `sources` likewise enter at them. Both vectors must outlive the cell.
    Cell(const CellConfig& config, const std::vector<ServiceSpec>& specs,
         const std::vector<SourceSpec>& source_specs, std::vector<std::uint32_t> services);
    ~Cell() override;
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;

    [[nodiscard]] bool idle() const { return queue_.empty(); }
    /// Key of the next event; the greatest key when there is none.
    [[nodiscard]] EventKey next_key() const;
    /// Runs the next event.
    void run_next();
    /// Runs events before `limit`, at most `most` of them; stops early behind one that left a
    /// notification or met bad input. True when no event before `limit` is left.
    bool run_until(Time limit, std::int64_t most);
    /// Whether some event may leave a notification, as things stand: no event changes that.
    [[nodiscard]] bool may_notify() const { return draining_ > 0 || unserved_ > 0 || watched_ > 0; }
    [[nodiscard]] bool has_notifications() const { return !notifications_.empty(); }
    [[nodiscard]] std::vector<Notification> take_notifications();
    /// Not empty once a source met bad input.
    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] std::int64_t arrived() const { return arrived_; }
    [[nodiscard]] std::int64_t in_flight() const {
        return static_cast<std::int64_t>(roots_.size());
    }
    /// Of the last event, or of what the control plane did since.
    [[nodiscard]] Time now() const { return position_.time; }
    /// When the last request arrived or ended.
    [[nodiscard]] Time last_activity() const { return last_activity_; }
    /// True when no source will ever yield another request by itself.
    [[nodiscard]] bool sources_ended() const;

    // What the control plane does: see DataPlane.
    void add_instance(Time now, InstanceKey key, std::uint32_t version, SpeedPpm speed,
                      std::int64_t notify_at = 0);
    void drain_instance(Time now, InstanceKey key);
    void kill_instance(Time now, InstanceKey key);
    void set_gateway_buffering(Time now, std::uint32_t service, bool buffers);
    void set_speed(Time now, InstanceKey key, SpeedPpm speed);
    [[nodiscard]] InstanceLoad instance_load(Time now, InstanceKey key) const;
    /// Of all versions together.
    [[nodiscard]] ServiceLoad service_load(Time now, std::uint32_t service) const;
    [[nodiscard]] ServiceLoad service_load(Time now, std::uint32_t service,
                                           std::uint32_t version) const;

    /// Ends the run at `end`: books what is in progress, counts what is in flight. Once.
    void finish(Time end);
    [[nodiscard]] const std::vector<std::uint32_t>& services() const { return service_indices_; }
    [[nodiscard]] const ServiceStats& stats(std::uint32_t service) const;
    /// The figures of what sources send to a service that other services call too, its root
    /// requests alone: latencies (but not between tokens), SLO and what completed. Null where all
    /// its calls are root requests, or none.
    [[nodiscard]] const ServiceStats* stats_of_roots(std::uint32_t service) const;
    [[nodiscard]] const metrics::Digest& digest() const { return digest_; }
    [[nodiscard]] std::vector<RequestRow>& rows() { return rows_; }

  private:
    struct EndpointList;
    struct Endpoints;
    struct GatewayQueue;
    struct Service;
    struct Source;
    struct InstanceRecord;

    // A record with its id and those around it, looked up once and handed on. They refer into the
    // slabs: good until the record ends.
    struct LiveRoot {
        RootId id;
        RootRequest& root;
    };
    struct LiveCall {
        CallId id;
        Call& call;
        RootRequest& root;
        Service& service;
    };
    struct LiveAttempt {
        AttemptId id;
        Attempt& attempt;
    };
    struct Lengths {
        std::int64_t prompt;
        std::int64_t output;
    };

    void attempt_completed(Time now, AttemptId attempt, const AttemptReport& report) override;
    void attempt_rejected(Time now, AttemptId attempt, Cause cause) override;
    void prefetch_attempt(std::uint32_t index) const override;
    void prefetch_near() const;
    /// More than the processor's cache holds: asking for what comes next pays.
    [[nodiscard]] bool many_instances() const { return instances_.size() >= 64; }

    inline void run_event();
    void run_instance(Time now, std::uint32_t index);
    void observe_from_now(Endpoints& endpoints);
    void observe(Time now, std::uint32_t observer);
    void arrive(Time now, std::uint32_t source);
    inline void refresh_source(Source& source, std::uint32_t index);
    [[nodiscard]] inline LiveCall live(CallId call);
    inline LiveCall new_call(Time now, const LiveRoot& root, CallId parent, std::uint32_t service,
                             const Lengths& lengths);
    inline void enter_service(Time now, const LiveCall& live);
    void dispatch_or_queue(Time now, const LiveCall& live);
    [[nodiscard]] inline Endpoints* choose_version(Time now, const LiveCall& live);
    template <class Takes>
    [[nodiscard]] std::uint32_t draw_version(const LiveCall& live, Takes takes) const;
    void count_in(Time now, const LiveCall& live, std::uint32_t version);
    void count_waiting(Time now, const LiveCall& live);
    static inline void leave_queue(const LiveCall& live);
    void dispatch_queued(Time now, std::uint32_t service);
    void dispatch_queue(Time now, Service& service, GatewayQueue& queue);
    void send(Time now, const LiveCall& live, Endpoints& endpoints);
    void arrive_at_instance(Time now, AttemptId attempt);
    inline void deliver(Time now, const LiveAttempt& attempt, const LiveCall& live,
                        InstanceRecord& record);
    void retry_or_fail(Time now, const LiveCall& live);
    void call_further(Time now, const LiveCall& live, std::uint32_t service);

    // From prefill to decode: cell_transfers.cpp.
    static void make_kv_fabric(Service& service);
    void kv_wanted(Time now, AttemptId attempt, std::int64_t tokens) override;
    void hand_over(Time now, const LiveAttempt& attempt, const LiveCall& live,
                   const AttemptReport& report);
    void end_transfers(Time now, std::uint32_t service);
    void kv_arrives(Time now, HandoverId handover);
    void release_kept(Time now, Handover& handover);
    void forget_handover(Time now, Call& call);
    void lose_kept(Time now, HandoverId handover);
    void refresh_transfers(Service& service, std::uint32_t local);

    static void take_over(Call& call, const AttemptReport& report);
    void end_attempt(Time now, const LiveAttempt& attempt, const LiveCall& live, Outcome outcome);
    void time_out(Time now, CallId call);
    void abandon(Time now, const LiveCall& live);
    void continue_call(Time now, const LiveCall& live);
    void end_call(Time now, const LiveCall& live, Outcome outcome, Cause cause);
    inline void settle(Time now, const LiveCall& live, Outcome outcome, Cause cause);
    inline void count_completed(const LiveCall& live);
    inline void record(Time now, const LiveCall& live, Outcome outcome);
    inline void record_slo(Time now, const LiveCall& live, Outcome outcome);
    void add_row(const LiveCall& live, Time finish, Outcome outcome, Cause cause);
    void hash_outcome(const LiveCall& live, Time finish, Outcome outcome, Cause cause);
    inline void end_root(Time now, const LiveRoot& live, Outcome outcome);

    void stand_at(Time now);
    inline void reschedule(std::uint32_t index, InstanceRecord& record);
    void reschedule_rarely(std::uint32_t index, InstanceRecord& record);
    void add_endpoint(std::uint32_t index, InstanceRecord& record);
    void remove_endpoint(std::uint32_t index, InstanceRecord& record);
    void open_endpoint(std::uint32_t index, InstanceRecord& record);
    void close_endpoint(std::uint32_t index, InstanceRecord& record);
    inline void occupy(std::uint32_t index, InstanceRecord& record);
    void occupied_to_a_limit(std::uint32_t index, InstanceRecord& record);
    inline void vacate(Time now, std::uint32_t index, InstanceRecord& record);
    void vacate_draining_or_full(Time now, std::uint32_t index, InstanceRecord& record);
    void remove_instance(Time now, std::uint32_t index);
    void notify(const Notification& notification);
    void count_unserved(Service& service);
    void limit_in_flight(InstanceRecord& record, std::int64_t most);
    void book_lifetime(const InstanceRecord& record, Time until);
    [[nodiscard]] std::uint32_t index_of(InstanceKey key) const;
    void fail(const std::string& error);
    [[nodiscard]] Service& service_of(std::uint32_t global_index);
    [[nodiscard]] const Service& service_of(std::uint32_t global_index) const;

    /// What an event carries: an index whose meaning depends on the event's class.
    struct Payload {
        std::uint32_t index = 0;
        std::uint32_t generation = 0;
    };

    CellConfig config_;
    std::vector<std::uint32_t> service_indices_;  ///< global index of each service
    std::vector<std::uint32_t> local_;            ///< global index -> local, or kNone
    std::vector<std::unique_ptr<Service>> services_;
    std::vector<std::unique_ptr<Source>> sources_;
    std::vector<Endpoints*> observed_;      ///< those whose routers look at them now and then
    std::vector<std::uint32_t> source_of_;  ///< global source index -> local, or kNone
    std::unique_ptr<LlmWorkspace> llm_workspace_;
    std::vector<std::unique_ptr<InstanceRecord>> instances_;
    // Of instances_, likewise by index: what is looked at without the record.
    std::vector<Instance*> engines_;
    std::vector<EndpointView> loads_;
    std::vector<std::unique_ptr<InstanceRecord>> retired_;  ///< gone, may still be on the stack

    EventQueue<Payload> queue_;
    EventKey position_;      ///< of the event being run
    Time limit_;             ///< of run_until, while it runs
    std::int64_t left_ = 0;  ///< events that it may still run
    Slab<RootRequest, struct RootTag> roots_;
    Slab<Call, struct CallTag> calls_;
    Slab<Attempt, struct AttemptTag> attempts_;
    Slab<Handover, struct HandoverTag> handovers_;
    std::uint64_t next_handover_ = 0;
    std::uint64_t next_attempt_ = 0;
    std::uint64_t next_call_ = 0;
    std::int64_t arrived_ = 0;
    Time last_activity_;
    std::int64_t draining_ = 0;  ///< instances
    std::int64_t unserved_ = 0;  ///< services whose next request would notify
    std::int64_t watched_ = 0;   ///< instances that notify when they have too many attempts

    std::vector<Notification> notifications_;
    bool interrupted_ = false;  ///< a notification or an error was left: run_until stops
    std::vector<AttemptId> lost_;
    metrics::Digest digest_;
    std::vector<RequestRow> rows_;
    std::string error_;

    static constexpr std::uint32_t kNone = 0xffffffffU;
};

}  // namespace headroom::serving
