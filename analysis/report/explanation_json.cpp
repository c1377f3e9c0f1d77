// An explanation for programs. Names are stable: what `headroom explain -o json` prints.

#include <nlohmann/json.hpp>

#include "analysis/report/explanation.hpp"
#include "analysis/results/decisions_jsonl.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

Json decisions_json(const std::vector<control::Decision>& decisions) {
    Json list = Json::array();
    for (const control::Decision& decision : decisions) list.push_back(decision_json(decision));
    return list;
}

Json entry_json(const TimelineEntry& entry, Time at) {
    using Kind = TimelineEntry::Kind;
    Json json = {{"time_s", entry.time.to_seconds()},
                 {"in_s", (entry.time - at).to_seconds()},
                 {"kind", to_string(entry.kind)}};
    if (!entry.actor.empty()) json["actor"] = entry.actor;
    if (!entry.subject.empty()) json["subject"] = entry.subject;
    if (!entry.pods.empty()) json["pods"] = entry.pods;
    if (!entry.places.empty()) json["places"] = entry.places;
    const bool counts = entry.kind == Kind::desired || entry.kind == Kind::blocked ||
                        entry.kind == Kind::ready || entry.kind == Kind::pods_deleted ||
                        entry.kind == Kind::pods_promoted || entry.kind == Kind::pods_standby ||
                        entry.kind == Kind::restarted || entry.kind == Kind::rollout;
    if (counts) {
        json["before"] = entry.before;
        json["wanted"] = entry.wanted;
        json["after"] = entry.after;
    }
    if (!entry.reason.empty()) json["reason"] = entry.reason;
    if (!entry.inputs.empty()) json["inputs"] = entry.inputs;
    return json;
}

Json entries_json(const std::vector<TimelineEntry>& entries, Time at) {
    Json list = Json::array();
    for (const TimelineEntry& entry : entries) list.push_back(entry_json(entry, at));
    return list;
}

Json blocked_json(const Blocked& blocked) {
    Json json = decision_json(blocked.decision);
    json["since_s"] = blocked.since.to_seconds();
    json["ticks_kept"] = blocked.ticks_kept;
    return json;
}

Json workload_json(const WorkloadState& state, Time at) {
    Json json = {
        {"desired", state.desired},     {"desired_since_s", state.desired_since.to_seconds()},
        {"ready", state.ready},         {"ready_since_s", state.ready_since.to_seconds()},
        {"starting", state.starting()}, {"ready_at_s", nullptr},
        {"lowered_at_s", nullptr},      {"cause", nullptr},
        {"blocked", Json::array()}};
    if (state.ready_at) json["ready_at_s"] = state.ready_at->to_seconds();
    if (state.lowered_at) json["lowered_at_s"] = state.lowered_at->to_seconds();
    if (state.cause) json["cause"] = decision_json(*state.cause);
    for (const Blocked& blocked : state.blocked) json["blocked"].push_back(blocked_json(blocked));
    json["starts"] = decisions_json(state.starts);
    json["unplaced"] = decisions_json(state.unplaced);
    json["standby"] = Json::array();
    for (const StandbyPod& pod : state.standby) {
        json["standby"].push_back({{"pod", pod.name}, {"state", to_string(pod.state)}});
    }
    json["before"] = entries_json(state.before, at);
    json["next"] = entries_json(state.next, at);
    return json;
}

Json requests_json(const std::optional<RequestState>& requests) {
    if (!requests) return nullptr;
    return {{"in_flight", requests->in_flight},
            {"waiting", requests->waiting},
            {"longest_wait_s", requests->longest_wait.to_seconds()},
            {"arrived_per_s", requests->arrived_per_s}};
}

}  // namespace

nlohmann::ordered_json explanation_json(const Explanation& told) {
    Json json = {{"scenario", told.scenario},
                 {"seed", told.seed},
                 {"digest", told.digest},
                 {"at_s", told.at.to_seconds()},
                 {"simulated_s", told.end.to_seconds()},
                 {"around_s", told.around.to_seconds()},
                 {"services", Json::object()}};
    for (const ServiceState& service : told.services) {
        Json& entry = json["services"][service.name] = Json::object();
        entry["requests"] = requests_json(service.requests);
        entry["workloads"] = Json::object();
        for (const WorkloadState& state : service.workloads) {
            entry["workloads"][state.name] = workload_json(state, told.at);
        }
    }
    json["cluster"] = {{"before", entries_json(told.cluster_before, told.at)},
                       {"next", entries_json(told.cluster_next, told.at)}};
    return json;
}

}  // namespace headroom::analysis
