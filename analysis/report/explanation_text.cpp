// An explanation as sentences and small tables, for somebody who is woken by it.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "analysis/report/explanation.hpp"
#include "analysis/report/units.hpp"
#include "scenarios/quantities.hpp"

namespace headroom::analysis {

namespace {

using control::Decision;
using Kind = TimelineEntry::Kind;

constexpr std::size_t kAnswerIndent = 12;
constexpr std::size_t kMostBefore = 12;
constexpr std::size_t kMostNext = 6;
constexpr std::size_t kMostNames = 6;

/// "16m", "45s", "2.50s": whole seconds from a minute on.
std::string clock_of(Duration duration) {
    const double seconds = duration.to_seconds();
    if (seconds >= 60) return scenarios::format_duration(Duration::seconds(std::llround(seconds)));
    const bool whole = duration % Duration::seconds(1) == Duration::zero();
    return whole ? fmt::format("{}s", duration / Duration::seconds(1)) : significant(seconds) + "s";
}
std::string clock_of(Time time) {
    return clock_of(time.since_start());
}

/// "45 s", "1m20s", "2.35 s", "310 ms": whole seconds from ten on.
std::string span_of(Duration duration) {
    const double seconds = duration.to_seconds();
    if (seconds >= 60 || seconds == 0) return clock_of(duration);
    const bool whole = duration % Duration::seconds(1) == Duration::zero();
    return whole || seconds >= 10 ? fmt::format("{} s", std::llround(seconds))
                                  : duration_text(seconds);
}

/// "now", "15 s ago", "in 45 s".
std::string relative(Time time, Time at) {
    if (time == at) return "now";
    return time < at ? span_of(at - time) + " ago" : "in " + span_of(time - at);
}

std::string with_sources(const std::string& reason, const std::string& inputs) {
    if (inputs.empty()) return reason;
    return (reason.empty() ? "it saw " : reason + "; it saw ") + inputs;
}

std::string list_of(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < std::min(names.size(), kMostNames); ++i) {
        out += (i == 0 ? "" : ", ") + names[i];
    }
    if (names.size() > kMostNames) out += fmt::format(" and {} more", names.size() - kMostNames);
    return out;
}

/// "chat-2 on gpu-7" of "bound to gpu-7, devices 0".
std::string placed(const std::string& pod, const std::string& place) {
    constexpr std::string_view kBound = "bound to ";
    if (place.rfind(kBound, 0) != 0) return pod + " (" + place + ")";
    const std::size_t begin = kBound.size();
    return pod + " on " + place.substr(begin, place.find(',') - begin);
}

std::string pods_text(const TimelineEntry& entry) {
    const std::string count = plural(static_cast<std::int64_t>(entry.pods.size()), "pod");
    std::vector<std::string> names = entry.pods;
    for (std::size_t i = 0; i < entry.places.size(); ++i) {
        names[i] = placed(names[i], entry.places[i]);
    }
    const bool one = entry.pods.size() == 1;
    switch (entry.kind) {
        case Kind::pods_bound:
            return count + (one ? " gets a node: " : " get a node: ") + list_of(names);
        case Kind::pods_unplaced:
            return count + (one ? " finds no node: " : " find no node: ") + list_of(names) + ": " +
                   entry.reason;
        case Kind::pods_promoted: {
            // Which of them were loaded is what the entry joins by.
            const std::size_t comma = entry.reason.find(", ");
            return count + " promoted from the warm pool: " + list_of(names) +
                   (comma == std::string::npos ? "" : " (" + entry.reason.substr(comma + 2) + ")");
        }
        case Kind::pods_standby:
            return count + (one ? " comes to the warm pool: " : " come to the warm pool: ") +
                   list_of(names) + " (" + entry.reason + ")";
        case Kind::pods_loaded:
            return count + " of the warm pool loaded: " + list_of(names);
        default: {
            // The entry says so itself.
            constexpr std::string_view kDeleted = "deleted first: ";
            const bool said = entry.reason.rfind(kDeleted, 0) == 0;
            const std::string reason = said ? entry.reason.substr(kDeleted.size()) : entry.reason;
            return count +
                   (is_of_warm_pool(entry.actor) ? " of the warm pool gone: " : " deleted: ") +
                   list_of(names) + " (" + with_sources(reason, entry.inputs) + ")";
        }
    }
}

std::string entry_text(const TimelineEntry& entry, bool told_above) {
    const std::string why = told_above ? " (above)"
                                       : (entry.reason.empty() && entry.inputs.empty()
                                              ? ""
                                              : ": " + with_sources(entry.reason, entry.inputs));
    switch (entry.kind) {
        case Kind::desired:
            if (entry.actor.empty()) {
                return fmt::format("desired {} -> {}", entry.before, entry.after);
            }
            return fmt::format("{} {} {} to {}{}", entry.actor,
                               entry.after > entry.before ? "raises" : "lowers", entry.before,
                               entry.after, why);
        case Kind::blocked:
            return fmt::format("{} wants {} and keeps {}{}", entry.actor, entry.wanted, entry.after,
                               why);
        case Kind::ready:
            return fmt::format("ready {} -> {}", entry.before, entry.after);
        case Kind::fault:
            return "fault on " + entry.subject + why;
        case Kind::restarted:
            return entry.subject + " starts again" + why;
        case Kind::rollout:
            return "rollout" + why;
        case Kind::other:
            return entry.actor + ", " + entry.subject + why;
        default:
            return pods_text(entry);
    }
}

class Text {
  public:
    Text(const Explanation& told, const TextStyle& style) : told_(told), style_(style) {}

    std::string render() {
        header();
        overview();
        for (const ServiceState& service : told_.services) {
            for (std::size_t i = 0; i < service.workloads.size(); ++i) {
                workload(service.workloads[i], i == 0 ? &service : nullptr);
            }
        }
        cluster();
        notes();
        return std::move(out_);
    }

  private:
    void header();
    void overview();
    void workload(const WorkloadState& state, const ServiceState* service);
    void headline(const WorkloadState& state);
    void cause(const WorkloadState& state);
    void blocked(const WorkloadState& state);
    void starting(const WorkloadState& state);
    void standby(const WorkloadState& state);
    void requests(const ServiceState& service);
    void events(const std::vector<TimelineEntry>& past, const std::vector<TimelineEntry>& coming,
                const WorkloadState* state);
    void before(const std::vector<TimelineEntry>& entries, const WorkloadState* state);
    void next(const std::vector<TimelineEntry>& entries);
    void lines(const std::vector<TimelineEntry>& entries, std::size_t first, std::size_t last,
               const WorkloadState* state);
    void cluster();
    void notes();

    void entry(const std::string& label, const std::string& text) {
        const std::string line = "  " + pad_right(label, kAnswerIndent) + text;
        const std::string wrapped = wrap(line, style_.width, kAnswerIndent + 2);
        out_ += "  " + ink(wrapped.substr(2, label.size()), Ink::bold, style_) +
                wrapped.substr(2 + label.size()) + "\n";
    }
    [[nodiscard]] std::string moment(Time time) const {
        return clock_of(time) + " (" + relative(time, told_.at) + ")";
    }

    const Explanation& told_;
    const TextStyle& style_;
    std::string out_;
};

void Text::header() {
    const std::string head =
        fmt::format("{} at {} of {}", told_.scenario, clock_of(told_.at), clock_of(told_.end));
    out_ += ink(head, Ink::bold, style_) + "\n";
    out_ +=
        ink(fmt::format("seed {}, digest {}", told_.seed, told_.digest), Ink::dim, style_) + "\n\n";
}

void Text::overview() {
    std::vector<std::vector<std::string>> rows = {
        {"Workload", "wanted", "since", "ready", "since", "starting"}};
    for (const ServiceState& service : told_.services) {
        for (const WorkloadState& state : service.workloads) {
            rows.push_back({state.name, count_text(state.desired), clock_of(state.desired_since),
                            count_text(state.ready), clock_of(state.ready_since),
                            count_text(state.starting())});
        }
    }
    const std::string text = columns(rows, 0);
    const std::size_t line = text.find('\n');
    out_ += ink(text.substr(0, line), Ink::bold, style_) + text.substr(line);
}

void Text::workload(const WorkloadState& state, const ServiceState* service) {
    headline(state);
    cause(state);
    blocked(state);
    starting(state);
    standby(state);
    if (service != nullptr && service->requests) requests(*service);
    events(state.before, state.next, &state);
}

void Text::headline(const WorkloadState& state) {
    std::string text;
    if (state.desired == 0 && state.ready == 0) {
        text = state.name + " wants no replica and has none.";
    } else if (state.ready == state.desired) {
        text = fmt::format("{} wants {} and has {}.", state.name, plural(state.desired, "replica"),
                           state.desired == 1 ? "it" : "them");
    } else if (state.ready > state.desired) {
        text = fmt::format("{} wants {}: {} are ready, more than it wants.", state.name,
                           plural(state.desired, "replica"), count_text(state.ready));
    } else {
        const std::int64_t starting = state.starting();
        text = fmt::format("{} wants {}: {} ready, {} starting", state.name,
                           plural(state.desired, "replica"), count_text(state.ready),
                           count_text(starting));
        if (!state.unplaced.empty()) {
            text += fmt::format(", {} of them without a node", state.unplaced.size());
        }
        if (state.ready_at) {
            text += fmt::format("; all {} are ready {}, at {}.", state.desired,
                                relative(*state.ready_at, told_.at), clock_of(*state.ready_at));
        } else if (state.lowered_at) {
            text += fmt::format("; it wants fewer {}, at {}, before all are ready.",
                                relative(*state.lowered_at, told_.at), clock_of(*state.lowered_at));
        } else {
            text += "; not all are ready before the run ends.";
        }
    }
    out_ += "\n" + ink(wrap(text, style_.width, 0), Ink::bold, style_) + "\n";
}

void Text::cause(const WorkloadState& state) {
    const std::string label = "Why " + count_text(state.desired);
    if (state.cause) {
        const Decision& decision = *state.cause;
        entry(label,
              fmt::format("{} {} it from {} at {}: {}", decision.actor,
                          decision.after > decision.before ? "raised" : "lowered", decision.before,
                          moment(decision.time), with_sources(decision.reason, decision.inputs)));
    } else if (state.desired_since > Time::zero()) {
        entry(label, "since " + moment(state.desired_since) + "; no decision says why");
    } else {
        entry(label, "as the run began: no decision has changed it");
    }
}

void Text::blocked(const WorkloadState& state) {
    for (const Blocked& blocked : state.blocked) {
        const Decision& decision = blocked.decision;
        std::string text = fmt::format("{} wanted {} at {}, and kept {}: {}", decision.actor,
                                       decision.wanted, moment(decision.time), decision.after,
                                       with_sources(decision.reason, decision.inputs));
        if (blocked.since < decision.time) {
            text += "; so at every tick since " + moment(blocked.since);
        }
        entry("Held back", text);
    }
    if (state.unplaced.empty()) return;
    std::vector<std::string> names;
    for (const Decision& decision : state.unplaced) names.push_back(decision.subject);
    const auto count = static_cast<std::int64_t>(names.size());
    const Decision& last = state.unplaced.back();
    entry("No node", fmt::format("{} for a node: {}; at {}: {}",
                                 plural(count, "pod") + (count == 1 ? " waits" : " wait"),
                                 list_of(names), moment(last.time), last.reason));
}

void Text::starting(const WorkloadState& state) {
    if (state.starts.empty()) return;
    std::string text;
    for (std::size_t i = 0; i < state.starts.size();) {
        const Time time = state.starts[i].time;
        std::vector<std::string> names;
        for (; i < state.starts.size() && state.starts[i].time == time; ++i) {
            names.push_back(placed(state.starts[i].subject, state.starts[i].reason));
        }
        text += (text.empty() ? "" : "; ") + list_of(names) + " since " + moment(time);
    }
    entry("Starting", text);
}

void Text::standby(const WorkloadState& state) {
    using State = StandbyPod::State;
    if (state.standby.empty()) return;
    std::string text;
    for (const auto& [which, words] :
         {std::pair{State::loaded, "loaded"}, std::pair{State::loading, "still loading"},
          std::pair{State::pending, "without a node"}}) {
        std::vector<std::string> names;
        for (const StandbyPod& pod : state.standby) {
            if (pod.state == which) names.push_back(pod.name);
        }
        if (names.empty()) continue;
        text += fmt::format("{}{} {} ({})", text.empty() ? "" : ", ", names.size(), words,
                            list_of(names));
    }
    entry("Warm pool", text);
}

void Text::requests(const ServiceState& service) {
    const RequestState& state = *service.requests;
    std::int64_t ready = 0;
    for (const WorkloadState& workload : service.workloads) ready += workload.ready;
    std::string text = count_text(state.in_flight) + " in flight";
    if (ready > 1 && state.in_flight > 0) {
        const double each = static_cast<double>(state.in_flight) / static_cast<double>(ready);
        text += ", " + rate_text(each) + " a ready replica";
    }
    if (state.waiting > 0) {
        text += fmt::format("; {} of them not yet taken up, the first since {}",
                            count_text(state.waiting), span_of(state.longest_wait));
    }
    entry("Requests",
          text + "; " + rate_text(state.arrived_per_s) + " requests/s in the last minute");
}

void Text::events(const std::vector<TimelineEntry>& past, const std::vector<TimelineEntry>& coming,
                  const WorkloadState* state) {
    if (past.empty() && coming.empty()) {
        entry("Events", "none in the last " + span_of(told_.around) + ", and none later");
        return;
    }
    before(past, state);
    next(coming);
}

void Text::before(const std::vector<TimelineEntry>& entries, const WorkloadState* state) {
    const std::size_t first = entries.size() > kMostBefore ? entries.size() - kMostBefore : 0;
    const std::string span = "the last " + span_of(told_.around);
    if (entries.empty()) {
        entry("Before", "nothing in " + span);
        return;
    }
    entry("Before", first == 0 ? span
                               : fmt::format("the last {} of {} events in {}", kMostBefore,
                                             entries.size(), span));
    lines(entries, first, entries.size(), state);
}

void Text::next(const std::vector<TimelineEntry>& entries) {
    if (entries.empty()) {
        entry("Next", "nothing more in this run");
        return;
    }
    const std::size_t count = std::min(entries.size(), kMostNext);
    std::string text = "the next " + span_of(told_.around);
    if (entries.front().time - told_.at > told_.around) {
        text = "nothing in " + text + ", then";
    } else if (count < entries.size()) {
        text = fmt::format("the first {} of {} events in {}", count, entries.size(), text);
    }
    entry("Next", text);
    lines(entries, 0, count, nullptr);
}

void Text::lines(const std::vector<TimelineEntry>& entries, std::size_t first, std::size_t last,
                 const WorkloadState* state) {
    const auto told_above = [&](const TimelineEntry& entry) {
        if (state == nullptr) return false;
        if (entry.kind == Kind::desired) {
            return state->cause && state->cause->time == entry.time;
        }
        return entry.kind == Kind::blocked &&
               std::any_of(state->blocked.begin(), state->blocked.end(), [&](const Blocked& b) {
                   return b.decision.time == entry.time && b.decision.actor == entry.actor;
               });
    };
    std::size_t clock_width = 0;
    std::size_t relative_width = 0;
    for (std::size_t i = first; i < last; ++i) {
        clock_width = std::max(clock_width, clock_of(entries[i].time).size());
        relative_width = std::max(relative_width, relative(entries[i].time, told_.at).size());
    }
    for (std::size_t i = first; i < last; ++i) {
        const TimelineEntry& entry = entries[i];
        const std::string line = "    " + pad_left(clock_of(entry.time), clock_width) + "  " +
                                 pad_left(relative(entry.time, told_.at), relative_width) + "  " +
                                 entry_text(entry, told_above(entry));
        out_ += wrap(line, style_.width, 4 + clock_width + 2 + relative_width + 2) + "\n";
    }
}

void Text::cluster() {
    out_ +=
        "\n" + ink("Cluster", Ink::bold, style_) + ": nodes, and faults that are not of a pod\n";
    events(told_.cluster_before, told_.cluster_next, nullptr);
}

void Text::notes() {
    bool requests = true;
    bool old_blocks = false;
    for (const ServiceState& service : told_.services) {
        requests = requests && service.requests;
        for (const WorkloadState& state : service.workloads) {
            for (const Blocked& blocked : state.blocked) {
                const bool old = blocked.decision.time < told_.at;
                old_blocks = old_blocks || (old && !blocked.ticks_kept);
            }
        }
    }
    if (requests && !old_blocks) return;
    out_ += "\n";
    const auto note = [&](const std::string& text) {
        out_ += ink(wrap(text, style_.width, 2), Ink::dim, style_) + "\n";
    };
    if (old_blocks) {
        note(
            "What is held back was last told at the time given: later ticks that changed nothing "
            "were not kept; headroom run --decisions all keeps them.");
    }
    if (!requests) note("Requests were not kept; headroom run --requests keeps them.");
}

}  // namespace

std::string render_explanation(const Explanation& told, const TextStyle& style) {
    return Text(told, style).render();
}

}  // namespace headroom::analysis
