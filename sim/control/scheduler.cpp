#include "sim/control/scheduler.hpp"

#include <algorithm>
#include <utility>

namespace headroom::control {

namespace {

/// A plugin with its default parameters and a stream of its own.
template <class Interface>
std::unique_ptr<Interface> make_plugin(const std::string& name, std::uint64_t seed) {
    const auto* entry = Registry<Interface>::instance().find(name);
    HEADROOM_CHECK(entry != nullptr, name.c_str());
    return entry->make(Parameters::defaults(entry->specs),
                       {RandomStream(seed, "scheduling/" + name)});
}

/// Devices by index alone mean: a slice at its first fit.
std::vector<cluster::DeviceChoice> to_choices(const std::vector<std::int32_t>& devices) {
    std::vector<cluster::DeviceChoice> choices;
    for (const std::int32_t device : devices) choices.push_back({.device = device});
    return choices;
}

}  // namespace

Scheduler::Scheduler(ControlState& state)
    : state_(state), queue_(state), random_(state.seed, "scheduler") {
    const PolicyContext context{RandomStream(state.seed, "scheduling")};
    const SchedulingProfile profile =
        make_policy<SchedulingPolicy>(state.spec.scheduling, context)->profile();
    for (const std::string& name : profile.filters) {
        filters_.push_back({name, make_plugin<FilterPlugin>(name, state.seed), true});
    }
    for (const SchedulingProfile::WeightedScore& score : profile.scores) {
        scores_.push_back({make_plugin<ScorePlugin>(score.name, state.seed), score.weight});
    }
    chooser_ = make_plugin<DeviceChooser>(profile.device_chooser, state.seed);
    percentage_ = profile.percentage_of_nodes_to_score;
}

std::size_t Scheduler::feasible_nodes_to_find(std::size_t nodes, std::int64_t percentage) {
    constexpr std::size_t kMinimum = 100;
    if (nodes < kMinimum) return nodes;
    const auto n = static_cast<std::int64_t>(nodes);
    if (percentage <= 0) percentage = std::max<std::int64_t>(50 - n / 125, 5);
    const std::int64_t wanted = n * std::min<std::int64_t>(percentage, 100) / 100;
    return std::max(static_cast<std::size_t>(wanted), kMinimum);
}

void Scheduler::run_cycle() {
    const std::optional<PodId> next = queue_.pop();
    if (!next) return;
    ++cycle_;
    const SchedulingContext context{&state_.cluster, state_.cluster.pod(*next).spec.get()};
    find_feasible(context);
    if (feasible_.empty()) {
        record_failure(*next);
        queue_.add_unschedulable(*next);
        return;
    }
    bind(*next, pick(context));
}

void Scheduler::find_feasible(const SchedulingContext& context) {
    feasible_.clear();
    failures_.clear();
    for (NamedFilter& filter : filters_) filter.active = filter.plugin->prepare(context);
    const std::size_t wanted = feasible_nodes_to_find(nodes_.size(), percentage_);
    std::size_t scanned = 0;
    for (; scanned < nodes_.size() && feasible_.size() < wanted; ++scanned) {
        const std::size_t at = scan_start_ + scanned;
        const NodeId node = nodes_[at < nodes_.size() ? at : at - nodes_.size()];
        std::string_view reason;
        for (const NamedFilter& filter : filters_) {
            if (!filter.active) continue;
            reason = filter.plugin->filter(context, node);
            if (!reason.empty()) break;
        }
        // A profile may leave out filters, but a node never gives out what it does not have.
        if (reason.empty() && !state_.cluster.fits(*context.pod, node).ok()) {
            reason = "the node cannot hold the pod";
        }
        if (reason.empty()) {
            feasible_.push_back(node);
        } else {
            count_failure(reason);
        }
    }
    if (!nodes_.empty()) scan_start_ = (scan_start_ + scanned) % nodes_.size();
}

void Scheduler::count_failure(std::string_view reason) {
    for (Failure& failure : failures_) {
        if (failure.reason == reason) {
            ++failure.nodes;
            return;
        }
    }
    failures_.push_back({std::string(reason), 1});
}

NodeId Scheduler::pick(const SchedulingContext& context) {
    if (feasible_.size() == 1) return feasible_.front();
    totals_.assign(feasible_.size(), 0);
    for (const WeightedScore& score : scores_) {
        if (!score.plugin->prepare(context, feasible_)) continue;
        plugin_scores_.clear();
        for (const NodeId node : feasible_) {
            plugin_scores_.push_back(score.plugin->score(context, node));
        }
        score.plugin->normalise(plugin_scores_);
        for (std::size_t i = 0; i < totals_.size(); ++i) {
            totals_[i] += score.weight * plugin_scores_[i];
        }
    }
    std::size_t best = 0;
    std::uint64_t ties = 1;
    for (std::size_t i = 1; i < totals_.size(); ++i) {
        if (totals_[i] > totals_[best]) {
            best = i;
            ties = 1;
        } else if (totals_[i] == totals_[best]) {
            ++ties;
            if (random_.below(ties, cycle_, i) == 0) best = i;
        }
    }
    return feasible_[best];
}

void Scheduler::bind(PodId pod, NodeId node) {
    const cluster::PodSpec& spec = *state_.cluster.pod(pod).spec;
    std::vector<cluster::DeviceChoice> choices;
    if (spec.devices.count > 0) {
        choices = to_choices(chooser_->choose(state_.cluster.node(node), spec));
    }
    state_.cluster.bind(pod, node, choices, state_.now);
    ManagedPod& managed = state_.managed(pod);
    managed.bound_at = state_.now;
    managed.step = state_.queue.push(control_key(state_.now, EventClass::pod_step, pod.index),
                                     {pod.generation});
    ++state_.workload_of(managed).version;
    record_bind(pod, node);
}

void Scheduler::record_bind(PodId pod, NodeId node) {
    std::vector<std::int64_t> details;
    std::string reason = "bound to " + state_.cluster.node(node).spec->name;
    const std::vector<cluster::DeviceGrant>& grants = state_.cluster.pod(pod).devices;
    for (std::size_t i = 0; i < grants.size(); ++i) {
        details.push_back(grants[i].device);
        details.push_back(grants[i].start);
        reason += (i == 0 ? ", devices " : ",") + std::to_string(grants[i].device);
    }
    const auto index = static_cast<std::int64_t>(node.index);
    Decision decision = state_.pod_decision("scheduler", state_.managed(pod));
    decision.before = -1;
    decision.wanted = decision.after = index;
    decision.reason = std::move(reason);
    state_.decisions.record(std::move(decision), false, details);
}

void Scheduler::record_failure(PodId pod) {
    ManagedPod& managed = state_.managed(pod);
    std::sort(failures_.begin(), failures_.end(), [](const Failure& a, const Failure& b) {
        return a.nodes != b.nodes ? a.nodes > b.nodes : a.reason < b.reason;
    });
    std::string reason = "0/" + std::to_string(nodes_.size()) + " nodes are available";
    for (std::size_t i = 0; i < failures_.size(); ++i) {
        reason += i == 0 ? ": " : ", ";
        reason += std::to_string(failures_[i].nodes) + " " + failures_[i].reason;
    }
    const bool repeat = reason == managed.last_failure;
    managed.last_failure = reason;
    Decision decision = state_.pod_decision("scheduler", managed);
    decision.outcome = Decision::Outcome::blocked;
    decision.before = decision.wanted = decision.after = -1;
    decision.reason = std::move(reason);
    state_.decisions.record(std::move(decision), repeat);
}

}  // namespace headroom::control
