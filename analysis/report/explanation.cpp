#include "analysis/report/explanation.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include "sim/control/control_spec.hpp"

namespace headroom::analysis {

namespace {

using control::Decision;
using Outcome = Decision::Outcome;

/// Over which arrivals are averaged.
constexpr Duration kRateWindow = Duration::minutes(1);

/// What the decisions up to `at` say of one workload.
struct DecisionsSoFar {
    const Decision* last_change = nullptr;  ///< of the desired number
    struct Actor {
        const Decision* last = nullptr;
        Time since;               ///< of the row that `last` ends
        bool ticks_kept = false;  ///< in the whole run
    };
    std::map<std::string_view, Actor> actors;  ///< those that decide about the workload
    std::vector<const Decision*> starts;       ///< the last one of each pod that is not deleted
    std::map<std::string_view, const Decision*> unplaced;
    struct Standby {
        std::string_view pod;
        StandbyPod::State state = StandbyPod::State::pending;
        const Decision* unplaced = nullptr;  ///< while it has no node
    };
    std::vector<Standby> standby;  ///< in the order in which they came to the warm pool
};

void drop_pod(DecisionsSoFar& so_far, const std::string& pod) {
    so_far.unplaced.erase(pod);
    const auto found = std::find_if(so_far.starts.rbegin(), so_far.starts.rend(),
                                    [&](const Decision* d) { return d->subject == pod; });
    if (found != so_far.starts.rend()) so_far.starts.erase(std::next(found).base());
}

/// Of the faults, whose number is their kind.
bool ends_pod(const Decision& fault) {
    using Fault = control::FaultSpec::Kind;
    return fault.outcome == Outcome::changed &&
           (fault.wanted == static_cast<std::int64_t>(Fault::kill_instance) ||
            fault.wanted == static_cast<std::int64_t>(Fault::drain_instance));
}

/// Whether it is about a pod of the warm pool, or one that comes to it or leaves it.
bool take_standby_decision(DecisionsSoFar& so_far, const Decision& decision,
                           TimelineEntry::Kind kind) {
    using Kind = TimelineEntry::Kind;
    using State = StandbyPod::State;
    auto& pool = so_far.standby;
    if (kind == Kind::pods_standby) {
        drop_pod(so_far, decision.subject);
        pool.push_back({decision.subject});
        return true;
    }
    const auto pod = std::find_if(pool.begin(), pool.end(),
                                  [&](const auto& s) { return s.pod == decision.subject; });
    if (pod == pool.end()) return false;
    switch (kind) {
        case Kind::pods_bound:
        case Kind::restarted:
            *pod = {pod->pod, State::loading, nullptr};
            break;
        case Kind::pods_loaded:
            pod->state = State::loaded;
            break;
        case Kind::pods_unplaced:
            pod->unplaced = &decision;
            break;
        case Kind::pods_promoted:
            if (pod->unplaced != nullptr) so_far.unplaced[pod->pod] = pod->unplaced;
            if (pod->state != State::pending) so_far.starts.push_back(&decision);
            pool.erase(pod);
            break;
        case Kind::pods_deleted:
            pool.erase(pod);
            break;
        default:
            break;
    }
    return true;
}

void take_pod_decision(DecisionsSoFar& so_far, const Decision& decision, TimelineEntry::Kind kind) {
    using Kind = TimelineEntry::Kind;
    if (take_standby_decision(so_far, decision, kind)) return;
    const bool deleted = kind == Kind::pods_deleted || (kind == Kind::fault && ends_pod(decision));
    if (deleted || kind == Kind::restarted) drop_pod(so_far, decision.subject);
    if (kind == Kind::pods_bound) so_far.unplaced.erase(decision.subject);
    const bool starts = kind == Kind::pods_bound || kind == Kind::restarted;
    if (starts) so_far.starts.push_back(&decision);
    if (kind == Kind::pods_unplaced) so_far.unplaced[decision.subject] = &decision;
}

void take_workload_decision(DecisionsSoFar& so_far, const Decision& decision,
                            TimelineEntry::Kind kind) {
    DecisionsSoFar::Actor& actor = so_far.actors[decision.actor];
    if (actor.last == nullptr || !is_repeat(*actor.last, decision)) actor.since = decision.time;
    actor.last = &decision;
    if (kind == TimelineEntry::Kind::desired) so_far.last_change = &decision;
}

std::vector<DecisionsSoFar> gather(const StoredRun& run, Time at) {
    std::vector<DecisionsSoFar> all(run.workloads.size());
    const DecisionTargets targets(run.workloads);
    for (const Decision& decision : run.decisions) {
        const DecisionTargets::Target target = targets.of(decision);
        if (target.workload == DecisionTargets::kCluster) continue;
        DecisionsSoFar& so_far = all[target.workload];
        const TimelineEntry::Kind kind = kind_of(decision, target);
        const bool decides = !target.is_pod && kind != TimelineEntry::Kind::fault;
        if (decides && decision.outcome == Outcome::unchanged) {
            so_far.actors[decision.actor].ticks_kept = true;
        }
        if (decision.time > at) continue;
        if (target.is_pod) take_pod_decision(so_far, decision, kind);
        if (decides) take_workload_decision(so_far, decision, kind);
    }
    return all;
}

/// Since when a series has the value it has at `at`.
Time value_since(const metrics::TimeSeries& series, Time at) {
    Time since;
    for (const auto& point : series.points()) {
        if (point.time > at) break;
        since = point.time;
    }
    return since;
}

/// What becomes of replicas that start.
void look_ahead(const StoredWorkload& workload, Time at, WorkloadState& state) {
    const auto first = [&](const metrics::TimeSeries& series, const auto& is_so) {
        for (const auto& point : series.points()) {
            if (point.time > at && is_so(point.value)) return std::optional<Time>(point.time);
        }
        return std::optional<Time>();
    };
    state.ready_at = first(workload.ready, [&](std::int64_t n) { return n >= state.desired; });
    state.lowered_at = first(workload.desired, [&](std::int64_t n) { return n < state.desired; });
    if (!state.ready_at || !state.lowered_at) return;
    (*state.lowered_at < *state.ready_at ? state.ready_at : state.lowered_at).reset();
}

std::vector<TimelineEntry> entries_before(const std::vector<TimelineEntry>& entries,
                                          const ExplainOptions& options) {
    std::vector<TimelineEntry> out;
    for (const TimelineEntry& entry : entries) {
        if (entry.time > options.at) break;
        if (options.at - entry.time <= options.around) out.push_back(entry);
    }
    return out;
}

std::vector<TimelineEntry> entries_next(const std::vector<TimelineEntry>& entries,
                                        const ExplainOptions& options) {
    std::vector<TimelineEntry> out;
    for (const TimelineEntry& entry : entries) {
        if (entry.time <= options.at) continue;
        const bool first = out.empty() || out.front().time == entry.time;
        if (!first && entry.time - options.at > options.around) break;
        out.push_back(entry);
    }
    return out;
}

/// The starting pods: those without a node, and of the others those that started last.
void add_starting(const DecisionsSoFar& so_far, WorkloadState& state) {
    for (const auto& [pod, decision] : so_far.unplaced) state.unplaced.push_back(*decision);
    const auto unplaced = static_cast<std::int64_t>(state.unplaced.size());
    const std::int64_t most = std::max<std::int64_t>(state.starting() - unplaced, 0);
    const auto count = std::min(static_cast<std::size_t>(most), so_far.starts.size());
    for (std::size_t i = so_far.starts.size() - count; i < so_far.starts.size(); ++i) {
        state.starts.push_back(*so_far.starts[i]);
    }
}

WorkloadState state_of(const StoredWorkload& workload, const DecisionsSoFar& so_far,
                       const std::vector<TimelineEntry>& entries, const ExplainOptions& options) {
    WorkloadState state;
    state.name = workload.name;
    state.desired = workload.desired.value_at(options.at);
    state.ready = workload.ready.value_at(options.at);
    state.desired_since = value_since(workload.desired, options.at);
    state.ready_since = value_since(workload.ready, options.at);
    if (so_far.last_change != nullptr && so_far.last_change->after == state.desired) {
        state.cause = *so_far.last_change;
    }
    for (const auto& [name, actor] : so_far.actors) {
        if (actor.last == nullptr || actor.last->outcome != Outcome::blocked) continue;
        // A repeat that was kept where repeats are not came after a tick that is missing.
        const Time since = actor.ticks_kept ? actor.since : actor.last->time;
        state.blocked.push_back({*actor.last, since, actor.ticks_kept});
    }
    add_starting(so_far, state);
    for (const DecisionsSoFar::Standby& pod : so_far.standby) {
        state.standby.push_back({std::string(pod.pod), pod.state});
    }
    if (state.starting() > 0) look_ahead(workload, options.at, state);
    state.before = entries_before(entries, options);
    state.next = entries_next(entries, options);
    return state;
}

/// One for each service of the run.
std::vector<RequestState> count_requests(const StoredRun& run, Time at) {
    std::vector<RequestState> all(run.services.size());
    const Duration window = std::min(kRateWindow, at.since_start());
    std::vector<std::int64_t> arrived(run.services.size(), 0);
    for (const StoredRequest& request : *run.requests) {
        if (request.arrival > at) continue;
        RequestState& state = all[request.service];
        if (at - request.arrival < window) ++arrived[request.service];
        if (request.end <= at) continue;
        ++state.in_flight;
        if (request.first_scheduled <= at) continue;
        ++state.waiting;
        state.longest_wait = std::max(state.longest_wait, at - request.arrival);
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (window <= Duration::zero()) break;
        all[i].arrived_per_s = static_cast<double>(arrived[i]) / window.to_seconds();
    }
    return all;
}

}  // namespace

std::string_view to_string(StandbyPod::State state) {
    switch (state) {
        case StandbyPod::State::pending:
            return "pending";
        case StandbyPod::State::loading:
            return "loading";
        case StandbyPod::State::loaded:
            return "loaded";
    }
    return "";
}

Explanation explain(const StoredRun& run, const ExplainOptions& options) {
    Explanation told;
    told.scenario = run.scenario;
    told.digest = run.digest;
    told.seed = run.seed;
    told.at = options.at;
    told.end = run.end;
    told.around = options.around;
    const std::vector<DecisionsSoFar> so_far = gather(run, options.at);
    const RunTimeline timeline = build_timeline(run);
    std::vector<RequestState> requests;
    if (run.requests) requests = count_requests(run, options.at);
    for (std::size_t i = 0; i < run.services.size(); ++i) {
        if (options.service && *options.service != run.services[i]) continue;
        ServiceState service;
        service.name = run.services[i];
        if (run.requests) service.requests = requests[i];
        for (std::size_t j = 0; j < run.workloads.size(); ++j) {
            if (run.workloads[j].service != service.name) continue;
            service.workloads.push_back(
                state_of(run.workloads[j], so_far[j], timeline.workloads[j], options));
        }
        told.services.push_back(std::move(service));
    }
    told.cluster_before = entries_before(timeline.cluster, options);
    told.cluster_next = entries_next(timeline.cluster, options);
    return told;
}

}  // namespace headroom::analysis
