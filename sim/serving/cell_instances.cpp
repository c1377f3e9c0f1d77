#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/serving/cell.hpp"
#include "sim/serving/cell_parts.hpp"
#include "sim/serving/dynamic_batch_instance.hpp"
#include "sim/serving/leaping_llm_instance.hpp"
#include "sim/serving/llm_instance.hpp"
#include "sim/serving/simple_instance.hpp"
#include "sim/serving/stepped_llm_instance.hpp"

namespace headroom::serving {

Cell::Service& Cell::service_of(std::uint32_t global_index) {
    return *services_[local_[global_index]];
}
const Cell::Service& Cell::service_of(std::uint32_t global_index) const {
    return *services_[local_[global_index]];
}

std::uint32_t Cell::index_of(InstanceKey key) const {
    const Service& service = service_of(key.service);
    HEADROOM_CHECK(key.ordinal < service.instance_by_ordinal.size() &&
                       service.instance_by_ordinal[key.ordinal] != kNone,
                   "an instance that does not exist was named");
    return service.instance_by_ordinal[key.ordinal];
}

// ---------------------------------------------------------------- what the control plane does

/// The control plane acts before the events of an instant, unless it answers one of them.
void Cell::stand_at(Time now) {
    if (position_.time != now) position_ = {now, 0};
}

void Cell::add_instance(Time now, InstanceKey key, std::uint32_t version, SpeedPpm speed,
                        std::int64_t notify_at) {
    stand_at(now);
    Service& service = service_of(key.service);
    HEADROOM_CHECK(key.ordinal >= service.instance_by_ordinal.size(), "an ordinal was used twice");
    const auto index = static_cast<std::uint32_t>(instances_.size());
    service.instance_by_ordinal.resize(key.ordinal, kNone);
    service.instance_by_ordinal.push_back(index);

    const EngineSpec& engine = service.versions[version]->spec->engine;
    const InstanceRecorder recorder{&service.stats, config_.measure_from};
    auto record = std::make_unique<InstanceRecord>();
    record->key = key;
    record->service = local_[key.service];
    record->version = version;
    record->added = now;
    record->notify_at = notify_at;
    if (notify_at > 0) ++watched_;
    limit_in_flight(*record,
                    service.buffers ? service.spec->gateway.max_in_flight_per_instance : -1);
    if (engine.llm) {
        record->kv_blocks = engine.llm->kv_blocks;
        auto policy = make_policy<BatchingPolicy>(
            engine.llm->batching,
            {RandomStream(config_.seed, "service/" + service.spec->name + "/batching/" +
                                            std::to_string(key.ordinal))});
        const RandomStream draws(config_.seed, "service/" + service.spec->name + "/speculation");
        if (config_.exact_steps) {
            record->instance = std::make_unique<SteppedLlmInstance>(*engine.llm, std::move(policy),
                                                                    speed, recorder, draws);
        } else if (engine.llm->beyond_macro_steps()) {
            record->instance = std::make_unique<LeapingLlmInstance>(*engine.llm, std::move(policy),
                                                                    index, speed, recorder, draws);
        } else {
            record->instance = std::make_unique<LlmInstance>(
                *engine.llm, *llm_workspace_, std::move(policy), index, speed, recorder);
        }
    } else if (engine.dynamic) {
        record->instance = std::make_unique<DynamicBatchInstance>(*engine.dynamic, speed, recorder);
    } else {
        record->instance = std::make_unique<SimpleInstance>(*engine.simple, service.service_times,
                                                            speed, recorder);
    }
    InstanceRecord& added = *record;
    engines_.push_back(record->instance.get());
    loads_.emplace_back();
    instances_.push_back(std::move(record));
    add_endpoint(index, added);
    service.notified = false;
    count_unserved(service);
    dispatch_queued(now, local_[key.service]);
}

void Cell::drain_instance(Time now, InstanceKey key) {
    stand_at(now);
    const std::uint32_t index = index_of(key);
    InstanceRecord& record = *instances_[index];
    HEADROOM_CHECK(!record.draining, "an instance is drained once");
    record.draining = true;
    ++draining_;
    remove_endpoint(index, record);
    count_unserved(*services_[record.service]);
    if (loads_[index].in_flight == 0 && record.kept.empty()) remove_instance(now, index);
}

void Cell::kill_instance(Time now, InstanceKey key) {
    stand_at(now);
    const std::uint32_t index = index_of(key);
    InstanceRecord& record = *instances_[index];
    Service& service = *services_[record.service];
    const std::uint32_t local = record.service;
    if (record.draining) {
        --draining_;
    } else {
        remove_endpoint(index, record);
    }
    if (record.notify_at > 0) --watched_;
    lost_.clear();
    record.instance->kill(position_, lost_);
    record.draining = true;  // what follows must not open it again
    std::vector<CallId> calls;
    for (const AttemptId attempt : lost_) {
        calls.push_back(attempts_[attempt].call);
        service.stats.attempts.end(Outcome::failed);
        Call& call = calls_[calls.back()];
        call.preemptions += record.instance->report(position_, attempts_[attempt].slot).preemptions;
        call.attempt = AttemptId::none();
        attempts_.erase(attempt);
    }
    const std::vector<HandoverId> kept = record.kept;
    if (record.event.valid()) queue_.cancel(record.event);
    record.event = {};
    book_lifetime(record, now);
    service.instance_by_ordinal[key.ordinal] = kNone;
    engines_[index] = nullptr;
    instances_[index].reset();
    count_unserved(service);
    // Room that one leaves is not for the next: that one has lost its blocks too.
    service.dispatching = true;
    for (const HandoverId handover : kept) lose_kept(now, handover);
    service.dispatching = false;
    for (const CallId call : calls) {
        forget_handover(now, calls_[call]);
        retry_or_fail(now, live(call));
    }
    dispatch_queued(now, local);
}

void Cell::set_gateway_buffering(Time now, std::uint32_t index, bool buffers) {
    Service& service = service_of(index);
    if (service.buffers == buffers) return;
    stand_at(now);
    service.buffers = buffers;
    const std::int64_t limit = buffers ? service.spec->gateway.max_in_flight_per_instance : -1;
    for (const std::uint32_t instance : service.instance_by_ordinal) {
        if (instance == kNone) continue;
        InstanceRecord& record = *instances_[instance];
        limit_in_flight(record, limit);
        if (limit >= 0 && loads_[instance].in_flight >= limit) {
            close_endpoint(instance, record);
        } else {
            open_endpoint(instance, record);
        }
    }
    dispatch_queued(now, local_[index]);
}

void Cell::set_speed(Time now, InstanceKey key, SpeedPpm speed) {
    stand_at(now);
    const std::uint32_t index = index_of(key);
    InstanceRecord& record = *instances_[index];
    record.instance->set_speed(position_, speed);
    reschedule(index, record);
}

InstanceLoad Cell::instance_load(Time now, InstanceKey key) const {
    const std::uint32_t index = index_of(key);
    const InstanceRecord& record = *instances_[index];
    InstanceLoad load = record.instance->load(position_.time == now ? position_ : EventKey{now, 0});
    load.in_flight = loads_[index].in_flight;
    return load;
}

ServiceLoad Cell::service_load(Time now, std::uint32_t index) const {
    const Service& service = service_of(index);
    return {service.arrivals.live + service.handed_over.live, service.stats.calls.in_flight(),
            service.stats.calls.arrived, service.endpoints, service.stats.backlog.total_at(now)};
}

ServiceLoad Cell::service_load(Time now, std::uint32_t index, std::uint32_t version) const {
    const Service& service = service_of(index);
    if (!service.splits()) return service_load(now, index);
    const Endpoints& part = *service.versions[version];
    return {part.waiting, part.calls.level(), part.arrived, part.ready.size(),
            part.calls.total_at(now)};
}

// ---------------------------------------------------------------- instances and endpoints

/// An instance that begins or ceases to wait for an event.
void Cell::reschedule_rarely(std::uint32_t index, InstanceRecord& record) {
    if (record.event.valid()) {
        queue_.cancel(record.event);
        record.event = {};
        return;
    }
    const Instance::NextEvent& next = record.instance->next_event();
    record.scheduled = EventKey::make(next.time, next.event_class, index);
    record.event = queue_.push(record.scheduled, {index, 0});
}

void Cell::EndpointList::insert(std::uint32_t index) {
    const auto at = std::lower_bound(indices.begin(), indices.end(), index,
                                     [this](std::uint32_t a, std::uint32_t b) {
                                         return cell.instances_[a]->key < cell.instances_[b]->key;
                                     });
    indices.insert(at, index);
    ++changes;
}

void Cell::EndpointList::erase(std::uint32_t index) {
    indices.erase(std::find(indices.begin(), indices.end(), index));
    ++changes;
}

/// An instance takes requests from now on, as far as it is not full.
void Cell::add_endpoint(std::uint32_t index, InstanceRecord& record) {
    Service& service = *services_[record.service];
    Endpoints& endpoints = *service.versions[record.version];
    ++service.endpoints;
    endpoints.ready.insert(index);
    open_endpoint(index, record);
    observe_from_now(endpoints);
}

/// It takes none any more.
void Cell::remove_endpoint(std::uint32_t index, InstanceRecord& record) {
    Service& service = *services_[record.service];
    close_endpoint(index, record);
    service.versions[record.version]->ready.erase(index);
    --service.endpoints;
}

void Cell::open_endpoint(std::uint32_t index, InstanceRecord& record) {
    if (record.open || record.draining || record.reached) return;
    record.open = true;
    services_[record.service]->versions[record.version]->open.insert(index);
}

void Cell::close_endpoint(std::uint32_t index, InstanceRecord& record) {
    if (!record.open) return;
    record.open = false;
    services_[record.service]->versions[record.version]->open.erase(index);
}

void Cell::limit_in_flight(InstanceRecord& record, std::int64_t most) {
    constexpr std::int64_t kNoLimit = InstanceRecord::kNoLimit;
    record.max_in_flight = most;
    record.first_limit =
        std::min(most >= 0 ? most : kNoLimit, record.notify_at > 0 ? record.notify_at : kNoLimit);
}

/// It is full, or the control plane wants to know: then it is as good as gone, and what is still to
/// be sent at this instant goes elsewhere.
void Cell::occupied_to_a_limit(std::uint32_t index, InstanceRecord& record) {
    const std::int64_t in_flight = loads_[index].in_flight;
    const bool full = record.max_in_flight >= 0 && in_flight >= record.max_in_flight;
    const bool watched = record.notify_at > 0 && in_flight >= record.notify_at;
    if (full || watched) close_endpoint(index, record);
    if (watched && !record.reached) {
        record.reached = true;
        notify({position_.time, Notification::Kind::in_flight_reached, record.key});
    }
}

void Cell::vacate_draining_or_full(Time now, std::uint32_t index, InstanceRecord& record) {
    if (record.draining) {
        if (loads_[index].in_flight == 0 && record.kept.empty()) remove_instance(now, index);
    } else if (loads_[index].in_flight < record.max_in_flight) {
        const std::uint32_t service = record.service;
        open_endpoint(index, record);
        dispatch_queued(now, service);
    }
}

/// Books an instance's time in the data plane, as far as it is measured.
void Cell::book_lifetime(const InstanceRecord& record, Time until) {
    ServiceStats& stats = services_[record.service]->stats;
    const Duration counted = until - std::max(record.added, std::min(until, config_.measure_from));
    stats.instance_time += counted;
    stats.kv_capacity_time.add(record.kv_blocks, counted);
}

/// A drained instance leaves. It may be running this very event: it is destroyed after it.
void Cell::remove_instance(Time now, std::uint32_t index) {
    InstanceRecord& record = *instances_[index];
    Service& service = *services_[record.service];
    if (record.event.valid()) queue_.cancel(record.event);
    record.event = {};
    record.instance->finish(position_);
    book_lifetime(record, now);
    service.instance_by_ordinal[record.key.ordinal] = kNone;
    --draining_;
    if (record.notify_at > 0) --watched_;
    notify({now, Notification::Kind::drained, record.key});
    engines_[index] = nullptr;
    retired_.push_back(std::move(instances_[index]));
}

/// Keeps unserved_, the number of services whose next request would leave a notification.
void Cell::count_unserved(Service& service) {
    const bool unserved = service.endpoints == 0 && !service.notified;
    if (unserved == service.counted_unserved) return;
    service.counted_unserved = unserved;
    unserved_ += unserved ? 1 : -1;
}

// ---------------------------------------------------------------- routers that look

/// An endpoint has come: a router that looks at them now and then has something to look at. The
/// first look is at the first multiple of its interval that is not over.
void Cell::observe_from_now(Endpoints& endpoints) {
    const Duration interval = endpoints.observes_every;
    if (interval == Duration::zero() || endpoints.observing) return;
    endpoints.observing = true;
    const Duration past = position_.time.since_start() % interval;
    Time next = position_.time;
    if (past > Duration::zero()) next = next.later_by(interval - past);
    EventKey key = EventKey::make(next, kObservation, endpoints.observer);
    if (key < position_) key.time = next.later_by(interval);
    queue_.push(key, {endpoints.observer, 0});
}

/// The looks end with the last request, for an event of their own must not keep the cell busy, and
/// pause while there is no endpoint.
void Cell::observe(Time now, std::uint32_t observer) {
    Endpoints& endpoints = *observed_[observer];
    endpoints.observing = false;
    if (endpoints.ready.empty() || (roots_.size() == 0 && sources_ended())) return;
    endpoints.router->observe(endpoints.ready);
    const Time next = now.later_by(endpoints.observes_every);
    endpoints.observing = true;
    queue_.push(EventKey::make(next, kObservation, observer), {observer, 0});
}

// ---------------------------------------------------------------- the end of the run

void Cell::finish(Time end) {
    position_ = {end, 0};
    for (auto& record : instances_) {
        if (record == nullptr) continue;
        record->instance->finish(position_);
        book_lifetime(*record, end);
    }
    calls_.for_each([this, end](CallId id, Call& call) {
        const LiveCall live{id, call, roots_[call.root], *services_[call.service]};
        live.service.stats.sojourn += end - call.arrival;
        if (call.attempt.valid() && !attempts_[call.attempt].delivery.valid()) {
            const Attempt& attempt = attempts_[call.attempt];
            if (instances_[attempt.instance] != nullptr) {
                take_over(call,
                          instances_[attempt.instance]->instance->report(position_, attempt.slot));
            }
        }
        const SloSpec& slo = live.service.spec->slo;
        const bool late_token =
            slo.ttft && call.first_token == Time::max() && end - call.arrival > *slo.ttft;
        const bool late_end = slo.e2e && end - call.arrival > *slo.e2e;
        if (call.arrival >= config_.measure_from && (late_token || late_end)) {
            live.service.for_figures_of(call, [](ServiceStats& stats) { ++stats.slo_missed; });
        }
        hash_outcome(live, Time::max(), Outcome::in_flight, Cause::none);
        if (config_.keep_rows) add_row(live, Time::max(), Outcome::in_flight, Cause::none);
    });
    handovers_.for_each([this, end](HandoverId, const Handover& handover) {
        if (!handover.sending) return;
        Service& service = *services_[calls_[handover.call].service];
        service.stats.kv_transferred_bytes -=
            service.kv_fabric->unsent(handover.transfer, end).count();
    });
    for (auto& service : services_) {
        service->stats.backlog.advance(end);
        service->stats.in_system = service->stats.backlog.total();
    }
}

const ServiceStats& Cell::stats(std::uint32_t service) const {
    return service_of(service).stats;
}

const ServiceStats* Cell::stats_of_roots(std::uint32_t service) const {
    return service_of(service).of_roots.get();
}

}  // namespace headroom::serving
