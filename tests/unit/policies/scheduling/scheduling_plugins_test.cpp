#include "policies/scheduling/scores/broken_linear.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "tests/catch.hpp"

namespace headroom::policies {
namespace {

using cluster::Cluster;
using cluster::NodeId;
using cluster::NodeSpec;
using cluster::PodSpec;
using control::DeviceChooser;
using control::FilterPlugin;
using control::SchedulingContext;
using control::SchedulingPolicy;
using control::ScorePlugin;

constexpr Time kSchedulingTime = Time::zero();
constexpr cluster::WorkloadId kChat{1, 0};
constexpr cluster::WorkloadId kOther{2, 0};

template <class Interface>
std::unique_ptr<Interface> make_plugin(const std::string& name) {
    const auto* entry = Registry<Interface>::instance().find(name);
    REQUIRE(entry != nullptr);
    return entry->make(Parameters::defaults(entry->specs), {});
}

NodeSpec machine(const std::string& name, std::int64_t cpu, std::int64_t memory,
                 std::size_t devices = 0, const std::string& zone = "") {
    NodeSpec spec;
    spec.name = name;
    spec.allocatable = {.cpu = MilliCpu{cpu}, .memory = Bytes{memory}};
    spec.capacity = spec.allocatable;
    cluster::DeviceSpec device;
    device.model = "H100";
    device.memory = gibibytes(80);
    device.sharing = cluster::SharingMode::shared;
    spec.devices.assign(devices, device);
    if (!zone.empty()) spec.labels[std::string(cluster::kZoneLabel)] = zone;
    return spec;
}

PodSpec pod_of(std::int64_t cpu, std::int64_t memory, cluster::WorkloadId owner = kChat) {
    PodSpec spec;
    spec.name = "pod";
    spec.owner = owner;
    spec.requests = {MilliCpu{cpu}, Bytes{memory}};
    return spec;
}

void place(Cluster& cluster, const PodSpec& spec, NodeId node) {
    cluster.bind_first_fit(cluster.add_pod(spec, 0, kSchedulingTime), node, kSchedulingTime);
}

std::string filter(const std::string& name, const Cluster& cluster, const PodSpec& pod,
                   NodeId node) {
    const auto plugin = make_plugin<FilterPlugin>(name);
    const SchedulingContext context{&cluster, &pod};
    if (!plugin->prepare(context)) return "no part";
    return std::string(plugin->filter(context, node));
}

std::vector<std::int64_t> score(const std::string& name, const Cluster& cluster, const PodSpec& pod,
                                const std::vector<NodeId>& nodes) {
    const auto plugin = make_plugin<ScorePlugin>(name);
    const SchedulingContext context{&cluster, &pod};
    if (!plugin->prepare(context, nodes)) return {};
    std::vector<std::int64_t> scores;
    for (const NodeId node : nodes) scores.push_back(plugin->score(context, node));
    plugin->normalise(scores);
    return scores;
}

using Scores = std::vector<std::int64_t>;

TEST_CASE("NodeResourcesFit: names everything that is short and lets a request of zero pass") {
    Cluster cluster;
    NodeSpec spec = machine("a", 1000, 1000);
    spec.allocatable.max_pods = 2;
    const NodeId node = cluster.add_node(spec, kSchedulingTime);
    place(cluster, pod_of(800, 1000), node);
    CHECK(filter("node-resources-fit", cluster, pod_of(200, 0), node).empty());
    CHECK(filter("node-resources-fit", cluster, pod_of(201, 0), node) == "Insufficient cpu");
    CHECK(filter("node-resources-fit", cluster, pod_of(201, 1), node) ==
          "Insufficient cpu, Insufficient memory");
    place(cluster, pod_of(0, 0), node);
    CHECK(filter("node-resources-fit", cluster, pod_of(0, 0), node) == "Too many pods");
}

TEST_CASE("NodeUnschedulable: only a ready node takes pods") {
    Cluster cluster;
    const NodeId node = cluster.add_node(machine("a", 1, 1), kSchedulingTime);
    CHECK(filter("node-unschedulable", cluster, pod_of(0, 0), node).empty());
    cluster.set_node_state(node, cluster::NodeState::cordoned, kSchedulingTime);
    CHECK(filter("node-unschedulable", cluster, pod_of(0, 0), node) ==
          "node(s) were unschedulable");
}

TEST_CASE("TaintToleration: hard taints filter, soft ones cost score") {
    Cluster cluster;
    const NodeId plain = cluster.add_node(machine("plain", 1, 1), kSchedulingTime);
    const auto tainted = [&](const char* name, const cluster::Taint& taint) {
        cluster::NodeSpec spec = machine(name, 1, 1);
        spec.taints = {taint};
        return cluster.add_node(spec, kSchedulingTime);
    };
    const NodeId gpu = tainted("gpu", {"gpu", "yes", cluster::TaintEffect::no_schedule});
    const NodeId soft = tainted("soft", {"old", "", cluster::TaintEffect::prefer_no_schedule});
    PodSpec pod = pod_of(0, 0);
    CHECK(filter("taint-toleration", cluster, pod, gpu) == "node(s) had untolerated taint");
    CHECK(filter("taint-toleration", cluster, pod, soft).empty());
    CHECK(score("taint-toleration", cluster, pod, {plain, soft}) == Scores{100, 0});
    pod.tolerations = {{.key = "gpu",
                        .op = cluster::TolerationOperator::exists,
                        .value = "",
                        .effect = {},
                        .toleration_time = {}}};
    CHECK(filter("taint-toleration", cluster, pod, gpu).empty());
}

TEST_CASE("NodeAffinity: the selector and one required term must match, preferred terms add up") {
    Cluster cluster;
    NodeSpec spec = machine("a", 1, 1, 0, "z1");
    spec.labels["disk"] = "ssd";
    const NodeId a = cluster.add_node(spec, kSchedulingTime);
    const NodeId b = cluster.add_node(machine("b", 1, 1, 0, "z1"), kSchedulingTime);
    PodSpec pod = pod_of(0, 0);
    CHECK(filter("node-affinity", cluster, pod, a) == "no part");
    pod.node_selector = {{"disk", "ssd"}};
    CHECK(filter("node-affinity", cluster, pod, a).empty());
    CHECK_FALSE(filter("node-affinity", cluster, pod, b).empty());
    const cluster::MatchExpression zone{.key = std::string(cluster::kZoneLabel),
                                        .op = cluster::MatchOperator::in,
                                        .values = {"z1"}};
    const cluster::MatchExpression disk{
        .key = "disk", .op = cluster::MatchOperator::exists, .values = {}};
    pod.preferred_affinity = {{30, {{zone}}}, {10, {{disk}}}};
    CHECK(score("node-affinity", cluster, pod, {a, b}) == Scores{100, 75});
}

TEST_CASE("DeviceFit: tells too few free devices from none of the kind") {
    Cluster cluster;
    const NodeId node = cluster.add_node(machine("a", 1000, 1000, 2), kSchedulingTime);
    PodSpec pod = pod_of(0, 0);
    CHECK(filter("device-fit", cluster, pod, node) == "no part");
    pod.devices = {.count = 2};
    CHECK(filter("device-fit", cluster, pod, node).empty());
    place(cluster, pod, node);
    CHECK(filter("device-fit", cluster, pod, node) == "Insufficient devices");
    pod.devices.models = {"A100"};
    CHECK(filter("device-fit", cluster, pod, node) ==
          "node(s) didn't have devices of the requested kind");
}

TEST_CASE("LeastAllocated and MostAllocated: whole numbers, with defaults for silent containers") {
    Cluster cluster;
    const std::int64_t gib = gibibytes(1).count();
    const NodeId empty = cluster.add_node(machine("empty", 3000, 4 * gib), kSchedulingTime);
    const NodeId half = cluster.add_node(machine("half", 3000, 4 * gib), kSchedulingTime);
    place(cluster, pod_of(1000, 2 * gib), half);
    const PodSpec pod = pod_of(1000, gib);
    // empty: (3000-1000)*100/3000 = 66 and 75 -> 70; half: 33 and 25 -> 29.
    CHECK(score("node-resources-fit", cluster, pod, {empty, half}) == Scores{70, 29});
    CHECK(score("least-allocated", cluster, pod, {empty, half}) == Scores{70, 29});
    // empty: 33 and 25 -> 29; half: 66 and 75 -> 70. The pod asks for no device: left out.
    CHECK(score("most-allocated", cluster, pod, {empty, half}) == Scores{29, 70});
    // No request counts 100 milli and 200 MiB: 3 and 4 -> 3.
    CHECK(score("most-allocated", cluster, pod_of(0, 0), {empty}) == Scores{3});
    CHECK(score("requested-to-capacity-ratio", cluster, pod, {empty, half}) == Scores{29, 71});
}

TEST_CASE("MostAllocated: counts devices for a pod that asks for some") {
    Cluster cluster;
    const NodeId empty = cluster.add_node(machine("empty", 1000, 1000, 4), kSchedulingTime);
    const NodeId half = cluster.add_node(machine("half", 1000, 1000, 4), kSchedulingTime);
    PodSpec pod = pod_of(100, 100);
    pod.devices = {.count = 1};
    PodSpec there = pod_of(0, 0);
    there.scoring_requests = cluster::Resources{};
    there.devices = {.count = 2};
    place(cluster, there, half);
    CHECK(score("most-allocated", cluster, pod, {empty, half}) ==
          Scores{(10 + 10 + 25) / 3, (10 + 10 + 75) / 3});
}

TEST_CASE("BalancedAllocation: like proportions in v1.28, the gain of the pod in v1.36") {
    Cluster cluster;
    const NodeId node = cluster.add_node(machine("a", 1000, 1000), kSchedulingTime);
    CHECK(score("balanced-allocation", cluster, pod_of(500, 100), {node}) == Scores{80});
    CHECK(score("balanced-allocation-v1.36", cluster, pod_of(500, 100), {node}) == Scores{65});
    CHECK(score("balanced-allocation-v1.36", cluster, pod_of(0, 0), {node}).empty());
    place(cluster, pod_of(0, 400), node);
    // Before 0 and 40 % (80), after 50 and 50 % (100).
    CHECK(score("balanced-allocation-v1.36", cluster, pod_of(500, 100), {node}) == Scores{85});
}

TEST_CASE("BrokenLinear: is level outside its points and truncates between them") {
    const std::vector<ShapePoint> shape = {{20, 0}, {80, 10}};
    CHECK(broken_linear(shape, 0) == 0);
    CHECK(broken_linear(shape, 49) == 4);
    CHECK(broken_linear(shape, 50) == 5);
    CHECK(broken_linear(shape, 100) == 10);
}

TEST_CASE("ImageLocality: a big image that few nodes have draws less than one that many have") {
    Cluster cluster;
    const NodeId a = cluster.add_node(machine("a", 1000, 1000), kSchedulingTime);
    const NodeId b = cluster.add_node(machine("b", 1000, 1000), kSchedulingTime);
    PodSpec pod = pod_of(0, 0);
    CHECK(score("image-locality", cluster, pod, {a, b}).empty());
    pod.image = {"llm", mebibytes(600), mebibytes(1000)};
    CHECK(score("image-locality", cluster, pod, {a, b}) == Scores{0, 0});
    const auto id = cluster.add_pod(pod, 0, kSchedulingTime);
    cluster.bind_first_fit(id, a, kSchedulingTime);
    cluster.hold(id, cluster::Artifact::image, kSchedulingTime);
    CHECK(score("image-locality", cluster, pod, {a, b}) == Scores{100 * (500 - 23) / 977, 0});
}

TEST_CASE("PodTopologySpread: a node that comes later has its own domain") {
    Cluster cluster;
    const NodeId a = cluster.add_node(machine("a", 4000, 8, 0, "left"), kSchedulingTime);
    const NodeId b = cluster.add_node(machine("b", 4000, 8, 0, "right"), kSchedulingTime);
    place(cluster, pod_of(1, 1), a);
    PodSpec pod = pod_of(1, 1);
    const SchedulingContext context{&cluster, &pod};
    const auto soft = make_plugin<ScorePlugin>("pod-topology-spread");
    const auto hard = make_plugin<FilterPlugin>("pod-topology-spread");
    const auto kept = [&](NodeId node) {
        REQUIRE(soft->prepare(context, {a, node}));
        Scores scores = {soft->score(context, a), soft->score(context, node)};
        soft->normalise(scores);
        return scores;
    };
    CHECK(kept(b) == score("pod-topology-spread", cluster, pod, {a, b}));
    const auto refusal = [&](NodeId node) {
        pod.topology_spread = {{.topology_key = std::string(cluster::kZoneLabel), .owners = {}}};
        REQUIRE(hard->prepare(context));
        const std::string answer(hard->filter(context, node));
        CHECK(answer == filter("pod-topology-spread", cluster, pod, node));
        pod.topology_spread.clear();
        return answer;
    };
    CHECK(refusal(b).empty());
    CHECK_FALSE(refusal(a).empty());

    const NodeId next = cluster.add_node(machine("next", 4000, 8, 0, "left"), kSchedulingTime);
    CHECK(kept(next) == score("pod-topology-spread", cluster, pod, {a, next}));
    CHECK_FALSE(refusal(next).empty());
    CHECK(refusal(b).empty());
}

TEST_CASE("PodTopologySpread: a hard constraint refuses the fuller domain") {
    Cluster cluster;
    const NodeId a = cluster.add_node(machine("a", 1000, 1000, 0, "z1"), kSchedulingTime);
    const NodeId b = cluster.add_node(machine("b", 1000, 1000, 0, "z2"), kSchedulingTime);
    const NodeId bare = cluster.add_node(machine("bare", 1000, 1000), kSchedulingTime);
    PodSpec pod = pod_of(0, 0);
    CHECK(filter("pod-topology-spread", cluster, pod, a) == "no part");
    pod.topology_spread = {{.topology_key = std::string(cluster::kZoneLabel), .owners = {}}};
    place(cluster, pod_of(0, 0, kOther), a);
    CHECK(filter("pod-topology-spread", cluster, pod, a).empty());
    place(cluster, pod, a);
    CHECK(filter("pod-topology-spread", cluster, pod, a) ==
          "node(s) didn't match pod topology spread constraints");
    CHECK(filter("pod-topology-spread", cluster, pod, b).empty());
    CHECK(filter("pod-topology-spread", cluster, pod, bare) ==
          "node(s) didn't match pod topology spread constraints (missing required label)");
    pod.topology_spread[0].min_domains = 3;
    pod.topology_spread[0].max_skew = 1;
    place(cluster, pod_of(0, 0), b);
    CHECK_FALSE(filter("pod-topology-spread", cluster, pod, b).empty());  // least is 0 then
}

TEST_CASE("PodTopologySpread: a draining pod does not count") {
    Cluster cluster;
    const NodeId a = cluster.add_node(machine("a", 1000, 1000, 0, "z1"), kSchedulingTime);
    cluster.add_node(machine("b", 1000, 1000, 0, "z2"), kSchedulingTime);
    PodSpec pod = pod_of(0, 0);
    pod.topology_spread = {{.topology_key = std::string(cluster::kZoneLabel), .owners = {}}};
    const auto id = cluster.add_pod(pod, 0, kSchedulingTime);
    cluster.bind_first_fit(id, a, kSchedulingTime);
    cluster.set_phase(id, cluster::PodPhase::ready, kSchedulingTime);
    CHECK_FALSE(filter("pod-topology-spread", cluster, pod, a).empty());
    cluster.set_phase(id, cluster::PodPhase::draining, kSchedulingTime);
    CHECK(filter("pod-topology-spread", cluster, pod, a).empty());
}

TEST_CASE("PodTopologySpread: by default prefers hosts and zones with fewer pods of the workload") {
    Cluster cluster;
    const NodeId a = cluster.add_node(machine("a", 1000, 1000, 0, "z1"), kSchedulingTime);
    const NodeId b = cluster.add_node(machine("b", 1000, 1000, 0, "z1"), kSchedulingTime);
    const NodeId c = cluster.add_node(machine("c", 1000, 1000, 0, "z2"), kSchedulingTime);
    place(cluster, pod_of(0, 0), a);
    // Raw: a = 1*ln 5 + 2 + 1*ln 4 + 4 = 9.0, b = 2 + ln 4 + 4 = 7.4, c = 6; (9 + 6 - s)*100/9.
    CHECK(score("pod-topology-spread", cluster, pod_of(0, 0), {a, b, c}) == Scores{66, 88, 100});
    CHECK(score("pod-topology-spread", cluster, pod_of(0, 0, {}), {a, b, c}).empty());
}

TEST_CASE(
    "DeviceChoosers: first fit takes the lowest devices, best fit those with the least left") {
    Cluster cluster;
    const NodeId node = cluster.add_node(machine("a", 1000, 1000, 3), kSchedulingTime);
    PodSpec share = pod_of(0, 0);
    share.devices = {.count = 1, .milli_each = MilliGpu{500}};
    const auto id = cluster.add_pod(share, 0, kSchedulingTime);
    const std::vector<cluster::DeviceChoice> third = {{.device = 2}};
    cluster.bind(id, node, third, kSchedulingTime);
    const auto first = make_plugin<DeviceChooser>("first-fit");
    const auto best = make_plugin<DeviceChooser>("best-fit");
    CHECK(first->choose(cluster.node(node), share) == std::vector<std::int32_t>{0});
    CHECK(best->choose(cluster.node(node), share) == std::vector<std::int32_t>{2});
    share.devices.count = 2;
    CHECK(first->choose(cluster.node(node), share) == std::vector<std::int32_t>{0, 1});
    CHECK(best->choose(cluster.node(node), share) == std::vector<std::int32_t>{0, 2});
}

TEST_CASE("DeviceChoosers: best fit fills one sliced device before it opens another") {
    Cluster cluster;
    NodeSpec spec = machine("a", 1000, 1000, 2);
    for (auto& device : spec.devices) {
        device.model = "H100-SXM5-80GB";
        device.sharing = cluster::SharingMode::sliced;
    }
    const NodeId node = cluster.add_node(spec, kSchedulingTime);
    PodSpec slices = pod_of(0, 0);
    slices.devices.count = 1;
    slices.devices.slice_profile = "3g";
    const std::vector<cluster::DeviceChoice> second = {{.device = 1}};
    cluster.bind(cluster.add_pod(slices, 0, kSchedulingTime), node, second, kSchedulingTime);
    slices.devices.count = 2;
    CHECK(make_plugin<DeviceChooser>("best-fit")->choose(cluster.node(node), slices) ==
          std::vector<std::int32_t>{0, 1});
    CHECK(make_plugin<DeviceChooser>("first-fit")->choose(cluster.node(node), slices) ==
          std::vector<std::int32_t>{0, 0});
}

TEST_CASE("KubeDefault: has upstream's weights, and the newer balance when asked for") {
    const auto* entry = Registry<SchedulingPolicy>::instance().find("kube-default");
    REQUIRE(entry != nullptr);
    Parameters p = Parameters::defaults(entry->specs);
    const auto older = entry->make(p, {})->profile();
    p.set("scoring", {std::string("v1.36")});
    const auto newer = entry->make(p, {})->profile();
    REQUIRE(older.scores.size() == 6);
    std::int64_t sum = 0;
    for (const auto& entry_of : older.scores) sum += entry_of.weight;
    CHECK(sum == 10);
    CHECK(older.scores[4].name == "balanced-allocation");
    CHECK(newer.scores[4].name == "balanced-allocation-v1.36");
}

}  // namespace
}  // namespace headroom::policies
