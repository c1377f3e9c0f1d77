#include "sim/cluster/cluster.hpp"

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::cluster {
namespace {

using tests::at;

NodeSpec gpu_node(std::string name, int gpus = 2, SharingMode sharing = SharingMode::exclusive) {
    NodeSpec spec{.name = std::move(name),
                  .pool = "gpu",
                  .instance_type = "p5",
                  .capacity = {MilliCpu{16'000}, gibibytes(128), 4},
                  .allocatable = {MilliCpu{15'000}, gibibytes(120), 4},
                  .price_per_hour = Money{6'880'000},
                  .image_cache_capacity = gibibytes(100)};
    for (int i = 0; i < gpus; ++i) {
        spec.devices.push_back({.model = "H100", .memory = gibibytes(80), .sharing = sharing});
    }
    return spec;
}

PodSpec small_pod(std::int64_t cpu = 1'000) {
    return {.name = "p", .requests = {MilliCpu{cpu}, gibibytes(1)}};
}

PodSpec gpu_pod(std::int32_t count, std::vector<std::string> models = {}) {
    PodSpec spec = small_pod();
    spec.devices = {.count = count, .models = std::move(models)};
    return spec;
}

TEST_CASE("Cluster: bind takes what the pod asks for and release gives it back") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    const NodeUsage empty = cluster.node(node).usage;
    const PodId pod = cluster.add_pod(gpu_pod(2), 0, at(1));
    REQUIRE(cluster.fits(pod, node).ok());
    cluster.bind_first_fit(pod, node, at(2));
    CHECK(cluster.pod(pod).phase == PodPhase::scheduled);
    CHECK(cluster.pod(pod).devices.size() == 2);
    CHECK(cluster.pod(pod).devices[1].device == 1);
    CHECK(cluster.node(node).usage.used() == Resources{MilliCpu{1'000}, gibibytes(1)});
    CHECK(cluster.node(node).usage.free_milli() == MilliGpu{0});
    CHECK(cluster.node(node).pods == std::vector<PodId>{pod});
    cluster.check_conservation();
    cluster.release(pod, at(3));
    CHECK(cluster.node(node).usage == empty);
    CHECK(cluster.pod(pod).phase == PodPhase::gone);
    cluster.check_conservation();
    cluster.erase_pod(pod);
    CHECK_FALSE(cluster.contains(pod));
}

TEST_CASE("Cluster: a node without a state for pods says which") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0), NodeState::starting);
    CHECK(cluster.fits(small_pod(), node) == Fit{FitReason::node_starting});
    CHECK(cluster.node(node).ready_since == Time::max());
    cluster.set_node_state(node, NodeState::ready, at(90));
    CHECK(cluster.node(node).ready_since == at(90));
    CHECK(cluster.fits(small_pod(), node).ok());
    cluster.set_node_state(node, NodeState::cordoned, at(100));
    CHECK(cluster.fits(small_pod(), node) == Fit{FitReason::cordoned});
    cluster.set_node_state(node, NodeState::lost, at(110));
    CHECK(cluster.fits(small_pod(), node) == Fit{FitReason::lost});
}

TEST_CASE("Cluster: every resource that is short is named, and only those") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    PodSpec huge{.requests = {MilliCpu{15'001}, gibibytes(121)}, .devices = {.count = 3}};
    const Fit fit = cluster.fits(huge, node);
    CHECK(fit.text() == "insufficient cpu, insufficient memory, no such devices");
    huge.devices.count = 2;
    CHECK(cluster.fits(huge, node).text() == "insufficient cpu, insufficient memory");
    huge.requests = {MilliCpu{15'000}, gibibytes(120)};
    CHECK(cluster.fits(huge, node).ok());
    cluster.bind_first_fit(cluster.add_pod(huge, 0, at(0)), node, at(0));
    CHECK(cluster.fits(PodSpec{}, node).ok());  // asks for nothing, fits a full node
    CHECK(cluster.fits(gpu_pod(1), node).text() ==
          "insufficient cpu, insufficient memory, insufficient devices");
}

TEST_CASE("Cluster: the number of pods is a resource") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    for (int i = 0; i < 4; ++i) {
        cluster.bind_first_fit(cluster.add_pod(PodSpec{}, 0, at(0)), node, at(0));
    }
    CHECK(cluster.fits(PodSpec{}, node) == Fit{FitReason::pods});
}

TEST_CASE("Cluster: taints, selectors and affinity decide before resources") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    NodeSpec kept_free = gpu_node("tainted");
    kept_free.taints = {{"maintenance", "", TaintEffect::no_schedule}};
    const NodeId tainted = cluster.add_node(kept_free, at(0));
    PodSpec pod = small_pod(99'000);
    pod.node_selector = {{std::string{kPoolLabel}, "cpu"}};
    CHECK(cluster.fits(pod, node) == Fit{FitReason::node_selector});
    pod.node_selector = {{std::string{kHostnameLabel}, "n"}, {std::string{kPoolLabel}, "gpu"}};
    pod.required_affinity = {{{{std::string{kGpuModelLabel}, MatchOperator::not_in, {"H100"}}}}};
    CHECK(cluster.fits(pod, node) == Fit{FitReason::node_affinity});
    pod.required_affinity.clear();
    CHECK(cluster.fits(pod, node) == Fit{FitReason::cpu});
    CHECK(cluster.fits(pod, tainted) == Fit{FitReason::taint});
}

TEST_CASE("Cluster: could_ever_fit asks about empty machines") {
    Cluster cluster;
    CHECK(cluster.could_ever_fit(small_pod()) == Fit{FitReason::no_node});
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    cluster.bind_first_fit(cluster.add_pod(gpu_pod(2), 0, at(0)), node, at(0));
    CHECK(cluster.fits(gpu_pod(2), node) == Fit{FitReason::devices});
    CHECK(cluster.could_ever_fit(gpu_pod(2)).ok());
    CHECK(cluster.could_ever_fit(gpu_pod(3)) == Fit{FitReason::device_kind});
    CHECK(cluster.could_ever_fit(gpu_pod(1, {"H200"})) == Fit{FitReason::device_kind});
    CHECK(cluster.could_ever_fit(gpu_pod(1, {"H200", "H100"})).ok());
    cluster.add_node(gpu_node("wide", 8), at(0));
    CHECK(cluster.could_ever_fit(gpu_pod(3)).ok());
}

TEST_CASE("Cluster: shares are of distinct devices, slices may lie on one") {
    Cluster cluster;
    const NodeId shared = cluster.add_node(gpu_node("shared", 2, SharingMode::shared), at(0));
    PodSpec pod{.devices = {.count = 2, .milli_each = MilliGpu{300}}};
    std::vector<DeviceChoice> choices;
    REQUIRE(cluster.node(shared).usage.first_fit_devices(pod.devices, choices));
    CHECK(choices == std::vector<DeviceChoice>{{0, -1}, {1, -1}});
    CHECK_FALSE(cluster.node(shared).usage.can_grant(pod.devices, {{{0, -1}, {0, -1}}}));
    CHECK_FALSE(cluster.node(shared).usage.can_grant(pod.devices, {{{0, -1}, {2, -1}}}));
    CHECK_FALSE(cluster.node(shared).usage.can_grant(pod.devices, {{{0, -1}}}));
    pod.devices.count = 3;
    CHECK(cluster.fits(pod, shared) == Fit{FitReason::device_kind});

    const NodeId sliced = cluster.add_node(gpu_node("sliced", 2, SharingMode::sliced), at(0));
    pod.devices = {.count = 3, .slice_profile = "3g"};
    choices.clear();
    REQUIRE(cluster.node(sliced).usage.first_fit_devices(pod.devices, choices));
    CHECK(choices == std::vector<DeviceChoice>{{0, -1}, {0, -1}, {1, -1}});
    const PodId id = cluster.add_pod(pod, 0, at(0));
    cluster.bind(id, sliced, choices, at(0));
    CHECK(cluster.pod(id).devices[1].start == 4);
    CHECK(cluster.node(sliced).usage.devices()[0].used_slices() == 0xffU);
    CHECK(cluster.fits(PodSpec{.devices = {.count = 2, .slice_profile = "3g"}}, sliced) ==
          Fit{FitReason::devices});
    cluster.check_conservation();
}

TEST_CASE("Cluster: scoring counts 100 milli-cpu and 200 MiB for containers without a request") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    cluster.bind_first_fit(cluster.add_pod(PodSpec{}, 0, at(0)), node, at(0));
    CHECK(cluster.node(node).usage.used() == Resources{});
    CHECK(cluster.node(node).usage.scoring_used() == Resources{MilliCpu{100}, mebibytes(200)});
    const std::vector<ContainerRequests> containers{{.cpu = MilliCpu{500}},
                                                    {.cpu = MilliCpu{0}, .memory = gibibytes(1)}};
    const std::vector<ContainerRequests> init{{.cpu = MilliCpu{700}}};
    const FoldedRequests folded = fold_requests(containers, init, {MilliCpu{10}, Bytes{0}});
    CHECK(folded.exact == Resources{MilliCpu{710}, gibibytes(1)});
    CHECK(folded.scoring == Resources{MilliCpu{710}, gibibytes(1) + mebibytes(200)});
}

TEST_CASE("Cluster: phases go forward, and back only to restart a container") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    const PodId pod = cluster.add_pod(small_pod(), 7, at(0));
    cluster.bind_first_fit(pod, node, at(1));
    cluster.set_phase(pod, PodPhase::image_pull, at(2));
    cluster.set_phase(pod, PodPhase::container_start, at(3));
    CHECK(cluster.pod(pod).restarts == 0);
    cluster.set_phase(pod, PodPhase::ready, at(4));  // nothing to load, nothing to warm up
    cluster.set_phase(pod, PodPhase::container_start, at(5));
    CHECK(cluster.pod(pod).restarts == 1);
    CHECK(cluster.pod(pod).created() == at(0));
    CHECK(cluster.pod(pod).entered_at(PodPhase::container_start) == at(5));
    CHECK(cluster.pod(pod).entered_at(PodPhase::warm_up) == Time::max());
    CHECK_FALSE(may_follow(PodPhase::draining, PodPhase::container_start));
    CHECK_FALSE(may_follow(PodPhase::image_pull, PodPhase::scheduled));
    CHECK_FALSE(may_follow(PodPhase::gone, PodPhase::pending));
    CHECK(may_follow(PodPhase::image_pull, PodPhase::draining));
    CHECK(cluster.pod(pod).ordinal == 7);
}

TEST_CASE("Cluster: a pod pins its image and weights until it is released") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("n"), at(0));
    PodSpec spec = small_pod();
    spec.image = {.name = "vllm", .compressed = gibibytes(10), .on_disk = gibibytes(25)};
    spec.weights = {.name = "llama", .size = gibibytes(70)};
    const PodId first = cluster.add_pod(spec, 0, at(0));
    cluster.bind_first_fit(first, node, at(0));
    CHECK_FALSE(cluster.has_artifact(first, Artifact::image));
    CHECK(cluster.hold(first, Artifact::image, at(10)) == HoldResult::inserted);
    CHECK(cluster.hold(first, Artifact::weights, at(20)) == HoldResult::inserted);
    CHECK(cluster.node(node).images.used() == gibibytes(95));
    PodSpec other = small_pod();
    other.image = {.name = "other", .compressed = gibibytes(6)};
    const PodId second = cluster.add_pod(other, 0, at(0));
    cluster.bind_first_fit(second, node, at(20));
    CHECK(cluster.hold(second, Artifact::image, at(30)) == HoldResult::no_space);
    CHECK(cluster.hold(second, Artifact::weights, at(30)) == HoldResult::nothing);
    cluster.release(first, at(40));
    CHECK(cluster.node(node).images.pinned() == Bytes{0});
    CHECK(cluster.hold(second, Artifact::image, at(50)) == HoldResult::inserted);
    const PodId third = cluster.add_pod(spec, 1, at(50));
    cluster.bind_first_fit(third, node, at(50));
    CHECK_FALSE(cluster.has_artifact(third, Artifact::weights));  // let go together: ties by name
    CHECK(cluster.has_artifact(third, Artifact::image));
    CHECK(cluster.hold(third, Artifact::image, at(51)) == HoldResult::hit);
    CHECK(cluster.hold(third, Artifact::image, at(52)) == HoldResult::hit);  // restarted
    cluster.release(second, at(60));
    cluster.release(third, at(60));
    CHECK(cluster.node(node).images.pinned() == Bytes{0});  // it had pinned its image once
}

TEST_CASE("Cluster: nodes are found by name and visited in id order") {
    Cluster cluster;
    const NodeId b = cluster.add_node(gpu_node("b"), at(0));
    const NodeId a = cluster.add_node(gpu_node("a"), at(0));
    CHECK(cluster.find_node("a") == a);
    CHECK_FALSE(cluster.find_node("c").valid());
    std::vector<NodeId> seen;
    cluster.for_each_node([&seen](NodeId id, const Node&) { seen.push_back(id); });
    CHECK(seen == std::vector<NodeId>{b, a});
}

TEST_CASE("Cluster: lists a workload's pods that have a node") {
    Cluster cluster;
    const NodeId node = cluster.add_node(gpu_node("a"), at(0));
    const WorkloadId chat{1, 0};
    PodSpec spec = small_pod();
    spec.owner = chat;
    CHECK(cluster.bound_pods(chat).empty());
    const PodId first = cluster.add_pod(spec, 0, at(0));
    const PodId second = cluster.add_pod(spec, 1, at(0));
    const PodId alone = cluster.add_pod(small_pod(), 0, at(0));
    cluster.bind_first_fit(second, node, at(1));
    cluster.bind_first_fit(first, node, at(2));
    cluster.bind_first_fit(alone, node, at(3));
    const auto listed = [&](WorkloadId owner) {
        const auto pods = cluster.bound_pods(owner);
        return std::vector<PodId>(pods.begin(), pods.end());
    };
    CHECK(listed(chat) == std::vector{first, second});
    CHECK(listed(WorkloadId::none()) == std::vector{alone});
    cluster.release(first, at(4));
    CHECK(listed(chat) == std::vector{second});
}

TEST_CASE("Cluster: conserves everything over random lives") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        const RandomStream random(seed, "cluster conservation");
        std::uint64_t draw = 0;
        const auto below = [&](std::uint64_t n) { return random.below(n, draw++); };
        Cluster cluster;
        std::vector<NodeId> nodes;
        std::vector<NodeUsage> empty;
        for (const SharingMode mode :
             {SharingMode::exclusive, SharingMode::shared, SharingMode::sliced}) {
            nodes.push_back(
                cluster.add_node(gpu_node("n" + std::to_string(nodes.size()), 3, mode), at(0)));
            empty.push_back(cluster.node(nodes.back()).usage);
        }
        std::vector<PodId> bound;
        for (int i = 0; i < 300; ++i) {
            if (below(3) == 0 && !bound.empty()) {
                const std::size_t k = below(bound.size());
                cluster.release(bound[k], at(i));
                cluster.erase_pod(bound[k]);
                bound.erase(bound.begin() + static_cast<std::ptrdiff_t>(k));
            } else {
                PodSpec spec = small_pod(static_cast<std::int64_t>(below(5'000)));
                spec.devices.count = static_cast<std::int32_t>(below(3));
                spec.owner = WorkloadId{static_cast<std::uint32_t>(below(3)), 0};
                const char* profiles[] = {"", "", "1g", "2g", "3g"};
                spec.devices.slice_profile = profiles[below(5)];
                if (below(2) == 0) {
                    spec.devices.milli_each = MilliGpu{static_cast<std::int64_t>(1 + below(1'000))};
                }
                const NodeId node = nodes[below(nodes.size())];
                const PodId pod = cluster.add_pod(spec, 0, at(i));
                if (cluster.fits(pod, node).ok()) {
                    cluster.bind_first_fit(pod, node, at(i));
                    bound.push_back(pod);
                } else {
                    cluster.release(pod, at(i));
                    cluster.erase_pod(pod);
                }
            }
            cluster.check_conservation();
        }
        for (const PodId pod : bound) cluster.release(pod, at(1'000));
        for (std::size_t n = 0; n < nodes.size(); ++n) {
            REQUIRE(cluster.node(nodes[n]).usage == empty[n]);
        }
    }
}

}  // namespace
}  // namespace headroom::cluster
