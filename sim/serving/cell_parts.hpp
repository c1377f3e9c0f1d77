/// The parts of a Cell that its source files share: what it keeps per service, per version, per
/// source and per instance. Private to serving/cell*.cpp.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/core/ring_buffer.hpp"
#include "sim/serving/cell.hpp"
#include "sim/serving/kv_fabric.hpp"

namespace headroom::serving {

struct Cell::InstanceRecord {
    std::unique_ptr<Instance> instance;
    InstanceKey key;
    std::uint32_t service = 0;  ///< local index
    std::uint32_t version = 0;
    std::int64_t first_limit = kNoLimit;  ///< the less of max_in_flight and notify_at
    std::int64_t max_in_flight = -1;      ///< the gateway's limit as it holds now; -1: none
    std::int64_t notify_at = 0;      ///< attempts that the control plane wants to know of; 0: none
    std::vector<HandoverId> kept{};  ///< completed prefills of which it keeps the KV blocks
    std::int64_t kv_blocks = 0;
    Time added;
    EventHandle event;
    EventKey scheduled;  ///< key of `event`
    bool draining = false;
    bool open = false;     ///< among its version's open endpoints
    bool reached = false;  ///< it had `notify_at` attempts: never open again

    static constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
};

/// Instances of one version, by ordinal, as its router sees them.
struct Cell::EndpointList final : public RouterView {
    explicit EndpointList(Cell& owner) : cell(owner) {}

    [[nodiscard]] bool empty() const { return indices.empty(); }
    [[nodiscard]] std::uint32_t index_at(std::int64_t position) const {
        return indices[static_cast<std::size_t>(position)];
    }
    void insert(std::uint32_t index);
    void erase(std::uint32_t index);

    [[nodiscard]] std::int64_t size() const override {
        return static_cast<std::int64_t>(indices.size());
    }
    [[nodiscard]] EndpointView endpoint(std::int64_t position) const override {
        return cell.loads_[index_at(position)];
    }
    [[nodiscard]] std::uint32_t ordinal(std::int64_t position) const override {
        return record_at(position).key.ordinal;
    }
    [[nodiscard]] InstanceLoad load(std::int64_t position) const override {
        const InstanceRecord& record = record_at(position);
        InstanceLoad load = record.instance->load(cell.position_);
        load.in_flight = endpoint(position).in_flight;
        return load;
    }
    [[nodiscard]] std::uint64_t generation() const override { return changes; }
    [[nodiscard]] Time now() const override { return cell.position_.time; }

    [[nodiscard]] const InstanceRecord& record_at(std::int64_t position) const {
        return *cell.instances_[index_at(position)];
    }

    Cell& cell;
    std::vector<std::uint32_t> indices;  ///< of instances, ordinals ascending
    std::uint64_t changes = 0;
};

/// Where the requests of one version go.
struct Cell::Endpoints {
    explicit Endpoints(Cell& owner) : open(owner), ready(owner) {}

    const VersionSpec* spec = nullptr;
    std::unique_ptr<RoutingPolicy> router;
    EndpointList open;           ///< that can take a request now: the router picks one of them
    EndpointList ready;          ///< full ones too: their metrics are read like any other's
    Duration observes_every;     ///< as the router said
    std::uint32_t observer = 0;  ///< its index among those that look
    bool observing = false;      ///< its next look is an event
    // Its part of the load of a service that splits it.
    std::int64_t arrived = 0;
    std::int64_t waiting = 0;  ///< calls at the gateway
    BacklogMeter calls;        ///< not ended
};

/// Calls that wait until an instance can take them, in order.
struct Cell::GatewayQueue {
    RingBuffer<CallId> calls;  ///< those that ended, or wait elsewhere now, are stale
    std::int64_t live = 0;     ///< the others
};

struct Cell::Service {
    [[nodiscard]] GatewayQueue& queue_of(const Call& call) {
        return call.handover.valid() ? handed_over : arrivals;
    }
    /// Whether each call is one version's, out of several.
    [[nodiscard]] bool splits() const { return versions.size() > 1 && kv_fabric == nullptr; }
    /// add() for all figures that a call counts in.
    template <class Add>
    void for_figures_of(const Call& call, Add add) {
        add(stats);
        if (of_roots != nullptr && !call.parent.valid()) [[unlikely]] {
            add(*of_roots);
        }
    }

    const ServiceSpec* spec = nullptr;
    std::uint32_t global = 0;
    std::vector<std::unique_ptr<Endpoints>> versions;
    std::vector<std::uint32_t> instance_by_ordinal;  ///< index, kNone once gone
    GatewayQueue arrivals;
    GatewayQueue handed_over;    ///< with kv_fabric: prefilled, and waiting for a decode instance
    std::int64_t endpoints = 0;  ///< instances that take new requests, full ones included
    bool buffers = true;         ///< keeps requests back from instances that have their limit
    bool dispatching = false;    ///< calls that wait are being sent, or are kept back, right now
    bool notified = false;       ///< request_waits was sent and no endpoint came since
    bool counted_unserved = false;
    std::uint32_t prefill = 0;  ///< with kv_fabric: the versions that are its pools
    std::uint32_t decode = 0;
    std::unique_ptr<KvFabric> kv_fabric;
    EventHandle transfer_end;  ///< of the next one over kv_fabric
    Time transfer_ends = Time::max();
    RandomStream version_split;
    RandomStream jitter;
    RandomStream service_times;
    ServiceStats stats;
    std::unique_ptr<ServiceStats> of_roots;  ///< see Cell::stats_of_roots
};

struct Cell::Source {
    const SourceSpec* spec = nullptr;
    std::uint32_t global = 0;
    std::uint32_t draw_key = 0;        ///< hash of its name
    std::uint32_t service = 0;         ///< local index
    bool answers_completions = false;  ///< as the source said
    std::unique_ptr<RequestSource> source;
    EventHandle event;
    Time scheduled = Time::max();
    std::uint64_t next_number = 0;
};

// What every event passes through: inline, for a call costs as much as its work.

Cell::LiveCall Cell::live(CallId id) {
    Call& call = calls_[id];
    return {id, call, roots_[call.root], *services_[call.service]};
}

/// Puts a source's next request into the queue of events.
void Cell::refresh_source(Source& source, std::uint32_t index) {
    const OptionalTime next = source.source->peek();
    const Time time = next.or_never();
    if (time == source.scheduled && source.event.valid() == next.has_value()) return;
    source.scheduled = time;
    if (!next) {
        queue_.cancel(source.event);
        source.event = {};
        if (!source.source->error().empty()) fail(source.source->error());
        return;
    }
    const EventKey key = EventKey::make(time, kArrival, source.global);
    if (source.event.valid()) {
        queue_.move(source.event, key);
    } else {
        source.event = queue_.push(key, {index, 0});
    }
}

/// Puts what an instance awaits into the queue of events.
void Cell::reschedule(std::uint32_t index, InstanceRecord& record) {
    const Instance::NextEvent& next = record.instance->next_event();
    if ((next.time == Time::max()) == record.event.valid()) {
        reschedule_rarely(index, record);
        return;
    }
    const EventKey key = EventKey::make(next.time, next.event_class, index);
    if (key == record.scheduled || !record.event.valid()) return;
    queue_.move(record.event, key);
    record.scheduled = key;
}

/// A call waits no longer.
void Cell::leave_queue(const LiveCall& live) {
    live.call.queued = false;
    --live.service.queue_of(live.call).live;
    if (live.call.version != kNone) [[unlikely]] {
        --live.service.versions[live.call.version]->waiting;
    }
}

void Cell::occupy(std::uint32_t index, InstanceRecord& record) {
    if (++loads_[index].in_flight >= record.first_limit) [[unlikely]]
        occupied_to_a_limit(index, record);
}

void Cell::vacate(Time now, std::uint32_t index, InstanceRecord& record) {
    --loads_[index].in_flight;
    if (record.draining || record.max_in_flight >= 0) vacate_draining_or_full(now, index, record);
}

}  // namespace headroom::serving
