#include "sim/serving/cell.hpp"

#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/core/hash.hpp"
#include "sim/serving/cell_parts.hpp"
#include "sim/serving/llm_workspace.hpp"

namespace headroom::serving {

Cell::Cell(const CellConfig& config, const std::vector<ServiceSpec>& specs,
           const std::vector<SourceSpec>& source_specs, std::vector<std::uint32_t> services)
    : config_(config),
      service_indices_(std::move(services)),
      local_(specs.size(), kNone),
      source_of_(source_specs.size(), kNone),
      llm_workspace_(std::make_unique<LlmWorkspace>()) {
    for (const std::uint32_t global : service_indices_) {
        local_[global] = static_cast<std::uint32_t>(services_.size());
        const ServiceSpec& spec = specs[global];
        auto service = std::make_unique<Service>();
        service->spec = &spec;
        service->global = global;
        service->version_split = RandomStream(config.seed, "service/" + spec.name + "/version");
        service->jitter = RandomStream(config.seed, "service/" + spec.name + "/jitter");
        service->service_times =
            RandomStream(config.seed, "service/" + spec.name + "/service_time");
        for (const VersionSpec& version : spec.versions) {
            auto endpoints = std::make_unique<Endpoints>(*this);
            endpoints->spec = &version;
            endpoints->router = make_policy<RoutingPolicy>(
                version.routing.value_or(spec.routing),
                {RandomStream(config.seed, "service/" + spec.name + "/routing/" + version.name)});
            endpoints->observes_every = endpoints->router->observes_every();
            if (endpoints->observes_every > Duration::zero()) {
                endpoints->observer = static_cast<std::uint32_t>(observed_.size());
                observed_.push_back(endpoints.get());
            }
            service->versions.push_back(std::move(endpoints));
        }
        if (spec.kv_transfer) make_kv_fabric(*service);
        services_.push_back(std::move(service));
        count_unserved(*services_.back());
    }
    for (std::uint32_t i = 0; i < source_specs.size(); ++i) {
        if (local_[source_specs[i].service] == kNone) continue;
        source_of_[i] = static_cast<std::uint32_t>(sources_.size());
        auto source = std::make_unique<Source>();
        source->spec = &source_specs[i];
        source->global = i;
        source->draw_key = static_cast<std::uint32_t>(hash_name(source->spec->name));
        source->service = local_[source_specs[i].service];
        source->source = source_specs[i].make(config.seed);
        source->answers_completions = source->source->answers_completions();
        sources_.push_back(std::move(source));
        Source& added = *sources_.back();
        refresh_source(added, static_cast<std::uint32_t>(sources_.size() - 1));
        // refresh_source() tells of an error at the end of a source; this one may never begin.
        if (!added.source->error().empty()) fail(added.source->error());
    }
    for (const auto& source : sources_) {
        Service& entered = *services_[source->service];
        const bool called =
            std::any_of(services_.begin(), services_.end(), [&entered](const auto& service) {
                const auto& calls = service->spec->calls;
                return std::find(calls.begin(), calls.end(), entered.global) != calls.end();
            });
        if (called) entered.of_roots = std::make_unique<ServiceStats>();
    }
}

Cell::~Cell() = default;

// ---------------------------------------------------------------- the event loop

EventKey Cell::next_key() const {
    return queue_.empty() ? EventKey{Time::max(), ~0ULL} : queue_.top_key();
}

void Cell::run_next() {
    left_ = 0;
    run_event();
}

/// Instances whose turn comes soon are mostly not in the cache, where there are many: asked for
/// now, they come while this event runs.
void Cell::prefetch_near() const {
    EventKey next{Time::max(), ~0ULL};
    queue_.for_each_near([&](const EventKey& key) {
        const unsigned event_class = key.event_class();
        if (event_class != kStepEnd && event_class != kBatchForms) return;
        const std::uint64_t index = key.entity();
        prefetch(instances_[index].get());
        prefetch_bytes<Instance::kHotBytes>(engines_[index]);
        if (key < next) next = key;
    });
    if (next.time != Time::max()) engines_[next.entity()]->prefetch(*this);
}

void Cell::run_event() {
    if (many_instances()) prefetch_near();
    const EventKey& key = queue_.top_key();
    const unsigned event_class = key.event_class();
    const Payload payload = queue_.top();
    const Time now = key.time;
    position_ = key;
    switch (event_class) {
        case kArrival:
            arrive(now, payload.index);
            break;
        case kObservation:
            queue_.pop();
            observe(now, payload.index);
            break;
        case kStepEnd:
        case kBatchForms:
            run_instance(now, payload.index);
            break;
        case kDelivery:
            queue_.pop();
            arrive_at_instance(now, {payload.index, payload.generation});
            break;
        case kTransfer:
            queue_.pop();
            end_transfers(now, payload.index);
            break;
        case kKvArrival:
            queue_.pop();
            kv_arrives(now, {payload.index, payload.generation});
            break;
        case kTimeout:
            queue_.pop();
            time_out(now, {payload.index, payload.generation});
            break;
        default:
            HEADROOM_CHECK(false, "an event of an unknown class");
    }
    if (interrupted_) retired_.clear();  // whatever retired left a notification
}

void Cell::run_instance(Time now, std::uint32_t index) {
    InstanceRecord& record = *instances_[index];
    for (;;) {
        record.instance->run(now, *this);
        if (instances_[index] == nullptr) return;  // drained: the record goes when this event has
        // A batch mostly forms right where the last one ended: without a turn in the queue when
        // nothing else has its turn first.
        const Instance::NextEvent& next = record.instance->next_event();
        if (next.event_class == kBatchForms && next.time == now && !interrupted_) {
            const EventKey key = EventKey::make(now, kBatchForms, index);
            if (queue_.none_before(key, record.event)) {
                position_ = key;
                record.instance->run(now, *this);
                if (instances_[index] == nullptr) return;  // it rejected its last request
            }
        }
        reschedule(index, record);
        // Often its next event is the next of all: the loop of events would come back here.
        if (left_ <= 0 || interrupted_ || !queue_.is_top(record.event)) return;
        if (queue_.top_key().time >= limit_) return;
        --left_;
        // Member by member: the processor waits where one load takes up what two stores left.
        const EventKey& top = queue_.top_key();
        position_.time = top.time;
        position_.order = top.order;
        now = top.time;
    }
}

bool Cell::run_until(Time limit, std::int64_t most) {
    limit_ = limit;
    left_ = most;
    while (!queue_.empty() && queue_.top_key().time < limit) {
        if (left_ == 0) return false;
        --left_;
        run_event();
        if (interrupted_) [[unlikely]]
            return false;
    }
    return true;
}

std::vector<Notification> Cell::take_notifications() {
    std::vector<Notification> taken;
    taken.swap(notifications_);
    retired_.clear();
    interrupted_ = !error_.empty();
    return taken;
}

void Cell::notify(const Notification& notification) {
    notifications_.push_back(notification);
    interrupted_ = true;
}

void Cell::fail(const std::string& error) {
    if (error_.empty()) error_ = error;
    interrupted_ = true;
}

bool Cell::sources_ended() const {
    return std::all_of(sources_.begin(), sources_.end(),
                       [](const auto& source) { return !source->event.valid(); });
}

// ---------------------------------------------------------------- requests arrive

void Cell::arrive(Time now, std::uint32_t index) {
    Source& source = *sources_[index];
    Arrival arrival = source.source->take();
    source.scheduled = Time::max();  // whatever comes next, also at this very time, is new
    ++arrived_;
    last_activity_ = now;
    ++services_[source.service]->stats.requests.arrived;

    const auto [id, root] = roots_.create();
    root.number = source.next_number++;
    root.arrival = now;
    root.source = source.global;
    root.draw_key = source.draw_key;
    root.user = arrival.user;
    root.attributes = arrival.attributes;
    root.contents = std::move(arrival.contents);
    enter_service(now, new_call(now, {id, root}, CallId::none(), source.service,
                                {arrival.prompt.count(), arrival.output.count()}));
    // Last: once the engine has cut its step short, which of the two is due first is no surprise.
    refresh_source(source, index);
}

Cell::LiveCall Cell::new_call(Time now, const LiveRoot& root, CallId parent, std::uint32_t service,
                              const Lengths& lengths) {
    const auto [id, call] = calls_.create();
    call.root = root.id;
    call.parent = parent;
    call.arrival = now;
    call.prompt = static_cast<std::int32_t>(lengths.prompt);
    call.output = static_cast<std::int32_t>(lengths.output);
    call.service = service;
    call.number = root.root.calls++;
    return {id, call, root.root, *services_[service]};
}

void Cell::enter_service(Time now, const LiveCall& live) {
    Service& service = live.service;
    ++service.stats.calls.arrived;
    service.stats.last_arrival = now;
    service.stats.backlog.change(now, 1);
    ++next_call_;
    if (service.spec->gateway.timeout) {
        const EventKey key =
            EventKey::make(now.later_by(*service.spec->gateway.timeout), kTimeout, next_call_);
        live.call.timeout = queue_.push(key, {live.id.index, live.id.generation});
    }
    dispatch_or_queue(now, live);
}

// ---------------------------------------------------------------- gateway and router

/// The version to which a call goes, by weight among those that `takes`; kNone: to none.
template <class Takes>
std::uint32_t Cell::draw_version(const LiveCall& live, Takes takes) const {
    const Service& service = live.service;
    std::int64_t total = 0;
    for (const auto& version : service.versions) {
        if (takes(*version)) total += version->spec->weight;
    }
    if (total == 0) return kNone;
    auto draw = static_cast<std::int64_t>(service.version_split.below(
        static_cast<std::uint64_t>(total), live.root.number,
        static_cast<std::uint64_t>(live.root.draw_key) << 32 | live.call.number));
    for (std::uint32_t i = 0; i < service.versions.size(); ++i) {
        if (!takes(*service.versions[i])) continue;
        draw -= service.versions[i]->spec->weight;
        if (draw < 0) return i;
    }
    return kNone;
}

Cell::Endpoints* Cell::choose_version(Time now, const LiveCall& live) {
    Service& service = live.service;
    if (service.kv_fabric != nullptr) {
        const bool decodes = live.call.handover.valid();
        Endpoints& pool = *service.versions[decodes ? service.decode : service.prefill];
        return pool.open.empty() ? nullptr : &pool;
    }
    if (service.versions.size() == 1) {
        Endpoints& only = *service.versions[0];
        return only.open.empty() || only.spec->weight == 0 ? nullptr : &only;
    }
    const std::uint32_t chosen =
        draw_version(live, [](const Endpoints& version) { return !version.open.empty(); });
    if (chosen == kNone) return nullptr;
    count_in(now, live, chosen);
    return service.versions[chosen].get();
}

/// From now on a call is part of the load of this version, and no longer of another one's.
void Cell::count_in(Time now, const LiveCall& live, std::uint32_t version) {
    Call& call = live.call;
    if (call.version == version) return;
    Endpoints& to = *live.service.versions[version];
    to.calls.change(now, 1);
    to.waiting += call.queued ? 1 : 0;
    if (call.version == kNone) {
        ++to.arrived;
    } else {
        Endpoints& from = *live.service.versions[call.version];
        from.calls.change(now, -1);
        from.waiting -= call.queued ? 1 : 0;
    }
    call.version = version;
}

/// A call that no version can take now is part of the load of the one that should have endpoints
/// for it, for it is that one's autoscaler that can help.
void Cell::count_waiting(Time now, const LiveCall& live) {
    const std::uint32_t version = draw_version(live, [](const Endpoints&) { return true; });
    if (version != kNone) count_in(now, live, version);
}

void Cell::dispatch_or_queue(Time now, const LiveCall& live) {
    Service& service = live.service;
    GatewayQueue& queue = service.queue_of(live.call);
    if (queue.live == 0) {
        if (Endpoints* endpoints = choose_version(now, live)) {
            send(now, live, *endpoints);
            return;
        }
    }
    if (service.splits()) count_waiting(now, live);
    const std::int64_t limit = service.spec->gateway.queue_limit;
    if (limit >= 0 && queue.live >= limit && &queue == &service.arrivals) {
        end_call(now, live, Outcome::rejected, Cause::gateway_queue_full);
        return;
    }
    live.call.queued = true;
    queue.calls.push_back(live.id);
    ++queue.live;
    if (live.call.version != kNone) ++service.versions[live.call.version]->waiting;
    if (service.endpoints == 0 && !service.notified) {
        service.notified = true;
        count_unserved(service);
        notify({now, Notification::Kind::request_waits, {service.global, 0}});
    }
}

void Cell::dispatch_queued(Time now, std::uint32_t local) {
    Service& service = *services_[local];
    // A request that its instance turns away makes room for the next one, which the loop below then
    // takes: not one inside the other, as deep as the queue is long.
    if (service.dispatching) return;
    service.dispatching = true;
    // What is half done goes first: it holds KV blocks that others wait for.
    dispatch_queue(now, service, service.handed_over);
    dispatch_queue(now, service, service.arrivals);
    service.dispatching = false;
}

void Cell::dispatch_queue(Time now, Service& service, GatewayQueue& queue) {
    while (queue.live > 0) {
        const CallId id = queue.calls.front();
        if (!calls_.contains(id) || !calls_[id].queued || &service.queue_of(calls_[id]) != &queue) {
            queue.calls.pop_front();
            continue;
        }
        const LiveCall next = live(id);
        Endpoints* endpoints = choose_version(now, next);
        if (endpoints == nullptr) return;
        queue.calls.pop_front();
        leave_queue(next);
        send(now, next, *endpoints);
    }
    queue.calls.clear();
}

namespace {

/// Tells the draws made for one attempt from those for any other of the same root request.
std::uint64_t draw_of(const RootRequest& root, const Call& call) {
    return static_cast<std::uint64_t>(root.draw_key) << 32 |
           static_cast<std::uint64_t>(call.number) << 8 |
           std::min<std::uint64_t>(call.attempts, 255);
}

}  // namespace

void Cell::send(Time now, const LiveCall& live, Endpoints& endpoints) {
    Call& call = live.call;
    const ServiceSpec& spec = *live.service.spec;
    const std::uint64_t draw = draw_of(live.root, call);
    const std::int64_t position = endpoints.router->pick(
        endpoints.open,
        {live.root.number, draw, live.root.attributes, call.prompt, live.root.contents.get()});
    HEADROOM_DCHECK(position >= 0 && position < endpoints.open.size(),
                    "a router picked no endpoint");
    const std::uint32_t index = endpoints.open.index_at(position);
    InstanceRecord& record = *instances_[index];
    if (many_instances()) {
        prefetch_bytes<Instance::kHotBytes>(engines_[index]);
        prefetch(&record);
    }
    if (const auto cause = record.instance->refuses(call.prompt, call.output)) {
        end_call(now, live, Outcome::rejected, *cause);
        return;
    }
    const auto [id, attempt] = attempts_.create();
    attempt.call = live.id;
    attempt.number = next_attempt_++;
    attempt.instance = index;
    call.attempt = id;
    call.instance = record.key.ordinal;
    ++call.attempts;
    ++live.service.stats.attempts.arrived;
    occupy(index, record);

    Time due = now.later_by(spec.front_end_delay);
    if (spec.jitter) {
        due = due.later_by(
            spec.jitter->duration_at(live.service.jitter.uniform(live.root.number, draw)));
    }
    if (due == now) {
        deliver(now, {id, attempt}, live, record);
        return;
    }
    attempt.delivery =
        queue_.push(EventKey::make(due, kDelivery, attempt.number), {id.index, id.generation});
}

/// The front end is done with an attempt, later than it was sent.
void Cell::arrive_at_instance(Time now, AttemptId id) {
    Attempt& attempt = attempts_[id];
    attempt.delivery = {};
    const LiveCall call = live(attempt.call);
    if (instances_[attempt.instance] == nullptr) {  // killed while the request was on its way
        end_attempt(now, {id, attempt}, call, Outcome::failed);
        retry_or_fail(now, call);
        return;
    }
    deliver(now, {id, attempt}, call, *instances_[attempt.instance]);
}

void Cell::deliver(Time now, const LiveAttempt& attempt, const LiveCall& live,
                   InstanceRecord& record) {
    const bool prefills = live.service.kv_fabric != nullptr && !live.call.handover.valid();
    const bool decodes = live.call.handover.valid();
    const Submission submission{.attempt = attempt.id,
                                .prompt = live.call.prompt,
                                .output = prefills ? 1 : live.call.output,
                                .priority = live.root.attributes.priority,
                                .draw = draw_of(live.root, live.call),
                                .request = live.root.number,
                                .contents = live.root.contents.get(),
                                .adapter = live.root.attributes.adapter,
                                .remote_tokens = decodes ? live.call.prompt : 0,
                                .keep_kv = prefills};
    if (const auto cause = record.instance->submit(position_, submission, attempt.attempt.slot)) {
        end_attempt(now, attempt, live, Outcome::rejected);
        end_call(now, live, Outcome::rejected, *cause);
        return;
    }
    reschedule(attempt.attempt.instance, record);
}

void Cell::retry_or_fail(Time now, const LiveCall& live) {
    // Not the attempts: with pools a try has two, unless the first one is lost.
    if (++live.call.lost < live.service.spec->gateway.max_attempts) {
        dispatch_or_queue(now, live);
    } else {
        end_call(now, live, Outcome::failed, Cause::instance_lost);
    }
}

void Cell::call_further(Time now, const LiveCall& live, std::uint32_t service) {
    const Call& call = live.call;
    const LiveCall child =
        new_call(now, {call.root, live.root}, live.id, service, {call.prompt, call.output});
    live.call.child = child.id;
    enter_service(now, child);
}

}  // namespace headroom::serving
