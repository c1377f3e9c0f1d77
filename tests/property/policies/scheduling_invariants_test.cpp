/// Every registered scheduling profile and plugin, by enumeration, on random clusters: what any of
/// them must keep.
#include <algorithm>
#include <map>

#include "sim/control/scheduling_policy.hpp"
#include "tests/catch.hpp"

namespace headroom::policies {
namespace {

using cluster::Cluster;
using cluster::NodeId;
using cluster::PodSpec;
using control::DeviceChooser;
using control::FilterPlugin;
using control::SchedulingContext;
using control::SchedulingPolicy;
using control::SchedulingProfile;
using control::ScorePlugin;

constexpr std::uint64_t kSchedulingSeed = 20'240'609;

template <class Interface>
std::unique_ptr<Interface> make_default(const std::string& name) {
    const auto* entry = Registry<Interface>::instance().find(name);
    INFO(name);
    REQUIRE(entry != nullptr);
    return entry->make(Parameters::defaults(entry->specs), {RandomStream{kSchedulingSeed, name}});
}

/// Draws of one random case.
class Dice {
  public:
    explicit Dice(std::uint64_t index) : index_(index) {}
    std::int64_t below(std::int64_t n) {
        return static_cast<std::int64_t>(
            stream_.below(static_cast<std::uint64_t>(n), index_, draw_++));
    }

  private:
    RandomStream stream_{kSchedulingSeed, "cases"};
    std::uint64_t index_;
    std::uint64_t draw_ = 0;
};

cluster::NodeSpec random_node(Dice& dice, std::int64_t i) {
    cluster::NodeSpec spec;
    spec.name = "node-" + std::to_string(i);
    spec.allocatable = {MilliCpu{(1 + dice.below(8)) * 1000}, gibibytes(1 + dice.below(32)),
                        static_cast<std::int32_t>(1 + dice.below(6))};
    spec.capacity = spec.allocatable;
    cluster::DeviceSpec device;
    device.model = dice.below(2) == 0 ? "H100" : "A100";
    device.memory = gibibytes(80);
    device.sharing = cluster::SharingMode::shared;
    spec.devices.assign(static_cast<std::size_t>(dice.below(5)), device);
    if (dice.below(5) != 0) {
        spec.labels[std::string(cluster::kZoneLabel)] = "z" + std::to_string(dice.below(3));
    }
    if (dice.below(4) == 0) spec.taints = {{"gpu", "", cluster::TaintEffect::no_schedule}};
    if (dice.below(4) == 0)
        spec.taints.push_back({"x", "", cluster::TaintEffect::prefer_no_schedule});
    return spec;
}

PodSpec random_pod(Dice& dice) {
    PodSpec pod;
    pod.name = "pod";
    pod.owner = {static_cast<std::uint32_t>(dice.below(3)), 0};
    pod.requests = {MilliCpu{dice.below(4) * 500}, gibibytes(dice.below(6))};
    pod.image = {"image-" + std::to_string(dice.below(3)), mebibytes(500), mebibytes(900)};
    if (dice.below(2) == 0) {
        pod.devices.count = static_cast<std::int32_t>(dice.below(3));
        pod.devices.milli_each = MilliGpu{dice.below(2) == 0 ? 1000 : 400};
        if (dice.below(3) == 0) pod.devices.models = {"H100"};
    }
    if (dice.below(3) == 0) pod.node_selector[std::string(cluster::kZoneLabel)] = "z1";
    if (dice.below(3) == 0) {
        const cluster::MatchExpression zone{.key = std::string(cluster::kZoneLabel),
                                            .op = cluster::MatchOperator::exists,
                                            .values = {}};
        pod.preferred_affinity = {{static_cast<std::int32_t>(1 + dice.below(100)), {{zone}}}};
    }
    if (dice.below(2) == 0) {
        pod.tolerations = {{.key = "gpu",
                            .op = cluster::TolerationOperator::exists,
                            .value = "",
                            .effect = {},
                            .toleration_time = {}}};
    }
    if (dice.below(3) == 0) {
        cluster::TopologySpread spread;
        spread.topology_key = cluster::kZoneLabel;
        spread.when_unsatisfiable = dice.below(2) == 0
                                        ? cluster::WhenUnsatisfiable::do_not_schedule
                                        : cluster::WhenUnsatisfiable::schedule_anyway;
        pod.topology_spread = {spread};
    }
    return pod;
}

std::vector<NodeId> nodes_of(const Cluster& cluster) {
    std::vector<NodeId> nodes;
    cluster.for_each_node([&](NodeId id, const cluster::Node&) { nodes.push_back(id); });
    return nodes;
}

/// A random cluster with pods on it, filled by first fit.
void fill(Cluster& cluster, Dice& dice) {
    const std::int64_t nodes = 1 + dice.below(8);
    for (std::int64_t i = 0; i < nodes; ++i) {
        const NodeId id = cluster.add_node(random_node(dice, i), Time::zero());
        if (dice.below(8) == 0) {
            cluster.set_node_state(id, cluster::NodeState::cordoned, Time::zero());
        }
    }
    for (std::int64_t i = dice.below(12); i > 0; --i) {
        const PodSpec pod = random_pod(dice);
        for (const NodeId node : nodes_of(cluster)) {
            if (!cluster.fits(pod, node).ok()) continue;
            const auto id = cluster.add_pod(pod, 0, Time::zero());
            cluster.bind_first_fit(id, node, Time::zero());
            cluster.hold(id, cluster::Artifact::image, Time::zero());
            break;
        }
    }
}

std::vector<NodeId> feasible_nodes(const SchedulingProfile& profile,
                                   const SchedulingContext& context) {
    std::vector<NodeId> feasible = nodes_of(*context.cluster);
    for (const std::string& name : profile.filters) {
        const auto plugin = make_default<FilterPlugin>(name);
        if (!plugin->prepare(context)) continue;
        feasible.erase(
            std::remove_if(feasible.begin(), feasible.end(),
                           [&](NodeId node) { return !plugin->filter(context, node).empty(); }),
            feasible.end());
    }
    return feasible;
}

/// Normalised scores by node; empty when the plugin takes no part.
std::map<NodeId, std::int64_t> score_nodes(const std::string& name,
                                           const SchedulingContext& context,
                                           const std::vector<NodeId>& nodes) {
    const auto plugin = make_default<ScorePlugin>(name);
    if (!plugin->prepare(context, nodes)) return {};
    std::vector<std::int64_t> scores;
    for (const NodeId node : nodes) scores.push_back(plugin->score(context, node));
    plugin->normalise(scores);
    std::map<NodeId, std::int64_t> by_node;
    for (std::size_t i = 0; i < nodes.size(); ++i) by_node[nodes[i]] = scores[i];
    return by_node;
}

TEST_CASE("Scheduling profiles: the filters let through only nodes that can take the pod") {
    for (const auto& [name, entry] : Registry<SchedulingPolicy>::instance().entries()) {
        INFO(name << ", seed " << kSchedulingSeed);
        const auto profile = make_default<SchedulingPolicy>(name)->profile();
        std::int64_t feasible = 0;
        for (std::uint64_t i = 0; i < 300; ++i) {
            Dice dice(i);
            Cluster cluster;
            fill(cluster, dice);
            const PodSpec pod = random_pod(dice);
            const SchedulingContext context{&cluster, &pod};
            for (const NodeId node : feasible_nodes(profile, context)) {
                if (!cluster.fits(pod, node).ok()) FAIL("case " << i << ", node " << node.index);
                ++feasible;
            }
        }
        CHECK(feasible > 100);
    }
}

TEST_CASE("Scheduling profiles: without spread constraints take exactly the nodes that fit") {
    for (const auto& [name, entry] : Registry<SchedulingPolicy>::instance().entries()) {
        INFO(name << ", seed " << kSchedulingSeed);
        const auto profile = make_default<SchedulingPolicy>(name)->profile();
        for (std::uint64_t i = 0; i < 300; ++i) {
            Dice dice(i);
            Cluster cluster;
            fill(cluster, dice);
            PodSpec pod = random_pod(dice);
            pod.topology_spread.clear();
            const SchedulingContext context{&cluster, &pod};
            const auto feasible = feasible_nodes(profile, context);
            for (const NodeId node : nodes_of(cluster)) {
                const bool passed =
                    std::find(feasible.begin(), feasible.end(), node) != feasible.end();
                if (passed != cluster.fits(pod, node).ok()) {
                    FAIL("case " << i << ", node " << node.index);
                }
            }
        }
    }
}

TEST_CASE(
    "Score plugins: scores are 0..100, equal for equal inputs, and blind to the nodes' order") {
    for (const auto& [name, entry] : Registry<ScorePlugin>::instance().entries()) {
        INFO(name << ", seed " << kSchedulingSeed);
        for (std::uint64_t i = 0; i < 300; ++i) {
            Dice dice(i);
            Cluster cluster;
            fill(cluster, dice);
            const PodSpec pod = random_pod(dice);
            const SchedulingContext context{&cluster, &pod};
            std::vector<NodeId> nodes = nodes_of(cluster);
            const auto scores = score_nodes(name, context, nodes);
            for (const auto& [node, score] : scores) {
                if (score < 0 || score > 100) FAIL("case " << i << ": " << score);
            }
            std::reverse(nodes.begin(), nodes.end());
            if (scores != score_nodes(name, context, nodes)) FAIL("case " << i);
        }
    }
}

TEST_CASE("Device choosers: choose what can be granted, in ascending order") {
    for (const auto& [name, entry] : Registry<DeviceChooser>::instance().entries()) {
        INFO(name << ", seed " << kSchedulingSeed);
        const auto chooser = make_default<DeviceChooser>(name);
        std::int64_t chosen = 0;
        for (std::uint64_t i = 0; i < 500; ++i) {
            Dice dice(i);
            Cluster cluster;
            fill(cluster, dice);
            const PodSpec pod = random_pod(dice);
            if (pod.devices.count == 0) continue;
            for (const NodeId id : nodes_of(cluster)) {
                const cluster::Node& node = cluster.node(id);
                if (!cluster.fits(pod, id).ok()) continue;
                const auto devices = chooser->choose(node, pod);
                std::vector<cluster::DeviceChoice> choices;
                for (const std::int32_t device : devices) choices.push_back({.device = device});
                if (!std::is_sorted(devices.begin(), devices.end()) ||
                    !node.usage.can_grant(pod.devices, choices)) {
                    FAIL("case " << i);
                }
                ++chosen;
            }
        }
        CHECK(chosen > 50);
    }
}

TEST_CASE("Scheduling profiles: name only plugins that exist, with weights above zero") {
    for (const auto& [name, entry] : Registry<SchedulingPolicy>::instance().entries()) {
        INFO(name);
        const auto profile = make_default<SchedulingPolicy>(name)->profile();
        for (const auto& filter : profile.filters)
            CHECK(make_default<FilterPlugin>(filter) != nullptr);
        for (const auto& score : profile.scores) {
            CHECK(make_default<ScorePlugin>(score.name) != nullptr);
            CHECK(score.weight > 0);
        }
        CHECK(make_default<DeviceChooser>(profile.device_chooser) != nullptr);
    }
}

}  // namespace
}  // namespace headroom::policies
