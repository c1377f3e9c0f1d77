#include "sim/control/workload_controller.hpp"

#include <algorithm>

#include "sim/control/artifact_fetcher.hpp"
#include "sim/control/scheduling_queue.hpp"
#include "tests/unit/control/control_fixture.hpp"

namespace headroom::control::testing {

namespace {

/// The controller alone, over pods that the test places and ages itself.
struct Bench {
    explicit Bench(std::int64_t count)
        : spec(small_spec(count, 8, 0)),
          state(spec, plane, 1, Time::zero(), false),
          queue(state),
          fetcher(state),
          lifecycle(state, queue, fetcher),
          pools(state, lifecycle),
          controller(state, lifecycle, pools) {
        for (std::int64_t i = 0; i < count; ++i) {
            cluster::NodeSpec node = spec.pools[0].node;
            node.name = "n" + std::to_string(i);
            nodes.push_back(state.cluster.add_node(node, Time::zero()));
            fetcher.add_node(nodes.back());
        }
    }
    PodId create(Time at) {
        state.now = at;
        return lifecycle.create(state.workloads[0], 1);
    }
    PodId bound(Time at, std::size_t node) {
        const PodId pod = create(at);
        queue.remove(pod);
        state.cluster.bind_first_fit(pod, nodes[node], at);
        state.managed(pod).bound_at = at;
        return pod;
    }
    PodId ready(Time at, std::size_t node) {
        const PodId pod = bound(at, node);
        lifecycle.start_warm(pod);
        return pod;
    }
    std::vector<PodId> order(Time now) {
        state.now = now;
        return controller.deletion_order(state.workloads[0]);
    }

    ControlSpec spec;
    FakeDataPlane plane;
    ControlState state;
    SchedulingQueue queue;
    ArtifactFetcher fetcher;
    PodLifecycle lifecycle;
    WarmPools pools;
    WorkloadController controller;
    std::vector<NodeId> nodes;
};

}  // namespace

TEST_CASE("WorkloadController: deletes unassigned, pending, not ready, then ready pods") {
    Bench bench(4);
    const PodId ready = bench.ready(at_s(0), 0);
    const PodId loading = bench.bound(at_s(0), 1);
    bench.state.managed(loading).container_started = at_s(0);
    const PodId pulling = bench.bound(at_s(0), 2);
    const PodId unassigned = bench.create(at_s(0));
    CHECK(bench.order(at_s(100)) == std::vector<PodId>{unassigned, pulling, loading, ready});
}

TEST_CASE("WorkloadController: of ready pods, those that share a node with most go first") {
    Bench bench(2);
    const PodId one = bench.ready(at_s(0), 1);
    const PodId two = bench.ready(at_s(40), 1);
    const PodId alone = bench.ready(at_s(90), 0);  // the youngest, yet kept
    const std::vector<PodId> order = bench.order(at_s(100));
    CHECK(order == std::vector<PodId>{two, one, alone});
}

TEST_CASE("WorkloadController: ready times are compared by powers of two of nanoseconds") {
    Bench bench(3);
    const PodId old = bench.ready(at_s(0), 0);      // 100 s: 2^36 ns
    const PodId middle = bench.ready(at_s(15), 2);  // 85 s: 2^36, one class with `old`
    const PodId young = bench.ready(at_s(90), 1);   // 10 s: 2^33
    const std::vector<PodId> order = bench.order(at_s(100));
    REQUIRE(order.size() == 3);
    CHECK(order[0] == young);
    // Within a class the uid decides.
    const bool middle_first = bench.state.managed(middle).uid < bench.state.managed(old).uid;
    CHECK(order[1] == (middle_first ? middle : old));
}

TEST_CASE("WorkloadController: pods that nothing tells apart are deleted by uid") {
    Bench bench(1);
    std::vector<PodId> pods;
    for (int i = 0; i < 6; ++i) pods.push_back(bench.ready(at_s(0), 0));
    std::sort(pods.begin(), pods.end(), [&](PodId a, PodId b) {
        return bench.state.managed(a).uid < bench.state.managed(b).uid;
    });
    CHECK(bench.order(at_s(100)) == pods);
}

TEST_CASE("WorkloadController: counts ups, downs and reversals of the desired number") {
    ControlSpec spec = small_spec(1, 8, 2);
    const std::vector<std::int64_t> wanted = {2, 3, 5, 4, 4, 6, 1};
    with_script(spec, Duration::seconds(10), [wanted](const ScalingView& view) {
        return want(view, wanted[static_cast<std::size_t>(view.now.to_seconds()) / 10]);
    });
    Run run(spec);
    run.start();
    run.run_until(at_s(60));
    const ControlResults results = run.control->finish(at_s(60));
    const WorkloadResult& chat = results.workloads[0];
    CHECK(chat.scale_ups == 3);
    CHECK(chat.scale_downs == 2);
    CHECK(chat.reversals == 3);
    CHECK(chat.desired_replicas.value_at(at_s(25)) == 5);
    CHECK(chat.pods_created == 2 + 3 + 2);
    CHECK(chat.pods_deleted == 1 + 5);
}

}  // namespace headroom::control::testing
