#include "analysis/report/timeline.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "sim/core/ascii.hpp"

namespace headroom::analysis {

namespace {

using control::Decision;
using Kind = TimelineEntry::Kind;

/// The text with every run of digits, and what joins them in a number, as one '#'.
std::string without_figures(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool joins = text[i] == '.' && !out.empty() && out.back() == '#' &&
                           i + 1 < text.size() && is_digit(text[i + 1]);
        if (!is_digit(text[i]) && !joins) {
            out += text[i];
        } else if (out.empty() || out.back() != '#') {
            out += '#';
        }
    }
    return out;
}

int direction_of(const Decision& decision) {
    return (decision.wanted > decision.before) - (decision.wanted < decision.before);
}

bool is_of_workload(const std::string& actor) {
    return actor.starts_with("workload ");
}

/// Whether a decision is one more pod of what `entry` tells.
bool joins(const TimelineEntry& entry, const TimelineEntry& more) {
    return !entry.pods.empty() && entry.time == more.time && entry.kind == more.kind &&
           entry.actor == more.actor && entry.inputs == more.inputs &&
           (entry.kind == Kind::pods_bound || entry.reason == more.reason);
}

void add(std::vector<TimelineEntry>& entries, TimelineEntry entry) {
    const auto open = std::find_if(entries.rbegin(), entries.rend(), [&](const auto& other) {
        return other.time != entry.time || joins(other, entry);
    });
    if (open == entries.rend() || open->time != entry.time) {
        entries.push_back(std::move(entry));
        return;
    }
    open->pods.push_back(std::move(entry.pods.front()));
    if (!entry.places.empty()) open->places.push_back(std::move(entry.places.front()));
    open->after = entry.after;
}

TimelineEntry entry_of(const Decision& decision, Kind kind) {
    TimelineEntry entry;
    entry.time = decision.time;
    entry.kind = kind;
    entry.actor = decision.actor;
    entry.before = decision.before;
    entry.wanted = decision.wanted;
    entry.after = decision.after;
    entry.inputs = decision.inputs;
    switch (kind) {
        case Kind::pods_bound:
            entry.pods = {decision.subject};
            entry.places = {decision.reason};
            break;
        case Kind::pods_deleted:
        case Kind::pods_promoted:
        case Kind::pods_standby:
        case Kind::pods_loaded:
        case Kind::pods_unplaced:
            entry.pods = {decision.subject};
            entry.reason = decision.reason;
            break;
        default:
            entry.subject = decision.subject;
            entry.reason = decision.reason;
    }
    return entry;
}

void add_ready(const StoredWorkload& workload, std::vector<TimelineEntry>& entries) {
    const auto& points = workload.ready.points();
    for (std::size_t i = 1; i < points.size(); ++i) {
        TimelineEntry entry;
        entry.time = points[i].time;
        entry.kind = Kind::ready;
        entry.before = points[i - 1].value;
        entry.wanted = entry.after = points[i].value;
        entries.push_back(std::move(entry));
    }
}

/// Changes of the desired number that no decision accounts for.
void add_silent_changes(const StoredWorkload& workload, std::vector<TimelineEntry>& entries) {
    std::set<Time> told;
    for (const TimelineEntry& entry : entries) {
        if (entry.kind == Kind::desired) told.insert(entry.time);
    }
    const auto& points = workload.desired.points();
    for (std::size_t i = 1; i < points.size(); ++i) {
        if (told.count(points[i].time) > 0) continue;
        TimelineEntry entry;
        entry.time = points[i].time;
        entry.kind = Kind::desired;
        entry.before = points[i - 1].value;
        entry.wanted = entry.after = points[i].value;
        entries.push_back(std::move(entry));
    }
}

void put_in_order(std::vector<TimelineEntry>& entries) {
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::tie(a.time, a.kind) < std::tie(b.time, b.kind);
    });
}

}  // namespace

std::string_view to_string(TimelineEntry::Kind kind) {
    switch (kind) {
        case Kind::fault:
            return "fault";
        case Kind::desired:
            return "desired";
        case Kind::blocked:
            return "blocked";
        case Kind::pods_deleted:
            return "pods_deleted";
        case Kind::pods_promoted:
            return "pods_promoted";
        case Kind::pods_standby:
            return "pods_standby";
        case Kind::pods_loaded:
            return "pods_loaded";
        case Kind::pods_unplaced:
            return "pods_unplaced";
        case Kind::pods_bound:
            return "pods_bound";
        case Kind::restarted:
            return "restarted";
        case Kind::rollout:
            return "rollout";
        case Kind::other:
            return "other";
        case Kind::ready:
            return "ready";
    }
    return "";
}

bool is_of_warm_pool(const std::string& actor) {
    return actor.starts_with("warm pool ");
}

DecisionTargets::DecisionTargets(const std::vector<StoredWorkload>& workloads) {
    for (std::size_t i = 0; i < workloads.size(); ++i) by_name_.emplace(workloads[i].name, i);
}

DecisionTargets::Target DecisionTargets::workload_of_pod(const std::string& subject) const {
    const std::size_t dash = subject.rfind('-');
    if (dash == std::string::npos || dash + 1 == subject.size()) return {};
    if (!std::all_of(subject.begin() + static_cast<std::ptrdiff_t>(dash) + 1, subject.end(),
                     is_digit)) {
        return {};
    }
    const auto found = by_name_.find(std::string_view(subject).substr(0, dash));
    return found == by_name_.end() ? Target{} : Target{found->second, true};
}

DecisionTargets::Target DecisionTargets::of(const Decision& decision) const {
    switch (decision.about) {
        case Decision::About::pod:
            return workload_of_pod(decision.subject);
        case Decision::About::workload: {
            const auto found = by_name_.find(decision.subject);
            return found == by_name_.end() ? Target{} : Target{found->second, false};
        }
        case Decision::About::node:
            return {};
    }
    return {};
}

Kind kind_of(const Decision& decision, const DecisionTargets::Target& target) {
    if (decision.actor == "fault") return Kind::fault;
    if (target.workload == DecisionTargets::kCluster) return Kind::other;
    const bool blocked = decision.outcome == Decision::Outcome::blocked;
    if (target.is_pod) {
        if (decision.actor == "kubelet") return Kind::restarted;
        if (decision.actor == "scheduler") return blocked ? Kind::pods_unplaced : Kind::pods_bound;
        if (decision.after < decision.before) return Kind::pods_deleted;
        if (is_of_warm_pool(decision.actor)) {
            return decision.after > decision.before ? Kind::pods_standby : Kind::pods_loaded;
        }
        const bool joins_workload = is_of_workload(decision.actor) && !blocked;
        return joins_workload && decision.after > decision.before ? Kind::pods_promoted
                                                                  : Kind::other;
    }
    if (is_of_workload(decision.actor)) return Kind::rollout;
    if (blocked) return Kind::blocked;
    return decision.after != decision.before ? Kind::desired : Kind::other;
}

bool is_repeat(const Decision& earlier, const Decision& later) {
    return later.actor != "fault" && earlier.outcome == Decision::Outcome::blocked &&
           later.outcome == Decision::Outcome::blocked && earlier.before == later.before &&
           direction_of(earlier) == direction_of(later) &&
           without_figures(earlier.reason) == without_figures(later.reason);
}

RunTimeline build_timeline(const StoredRun& run) {
    RunTimeline out;
    out.workloads.resize(run.workloads.size());
    const DecisionTargets targets(run.workloads);
    std::map<std::pair<std::string_view, std::string_view>, const Decision*> last;
    for (const Decision& decision : run.decisions) {
        const Decision*& before = last[{decision.actor, decision.subject}];
        const bool repeat = before != nullptr && is_repeat(*before, decision);
        before = &decision;
        if (repeat || decision.outcome == Decision::Outcome::unchanged) continue;
        const DecisionTargets::Target target = targets.of(decision);
        const bool cluster = target.workload == DecisionTargets::kCluster;
        add(cluster ? out.cluster : out.workloads[target.workload],
            entry_of(decision, kind_of(decision, target)));
    }
    for (std::size_t i = 0; i < run.workloads.size(); ++i) {
        add_silent_changes(run.workloads[i], out.workloads[i]);
        add_ready(run.workloads[i], out.workloads[i]);
        put_in_order(out.workloads[i]);
    }
    put_in_order(out.cluster);
    return out;
}

}  // namespace headroom::analysis
