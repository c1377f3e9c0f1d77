/// What the tests of the control plane share: a data plane that records what it is told and shows
/// the load it is given, small policies under names of their own, and a scenario of one workload.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/control/control_plane.hpp"
#include "sim/control/control_state.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "tests/catch.hpp"

namespace headroom::control::testing {

inline Time at_s(std::int64_t s) {
    return Time::zero() + Duration::seconds(s);
}
inline Time at_ms(std::int64_t ms) {
    return Time::zero() + Duration::milliseconds(ms);
}

class FakeDataPlane final : public serving::DataPlane {
  public:
    struct Call {
        Time time;
        std::string what;  ///< "add", "drain", "kill", "speed", "buffer", "pass"
        serving::InstanceKey key;
        std::int64_t value = 0;  ///< version or speed
    };
    struct Instance {
        bool draining = false;
        serving::InstanceLoad load;
        serving::SpeedPpm speed = 0;
        std::int64_t notify_at = 0;
    };

    void add_instance(Time now, serving::InstanceKey key, std::uint32_t version,
                      serving::SpeedPpm speed, std::int64_t notify_at) override {
        CHECK(ever.insert({key, true}).second);  // ordinals are never used again
        CHECK(instances.emplace(key, Instance{false, {}, speed, notify_at}).second);
        calls.push_back({now, "add", key, version});
    }
    void drain_instance(Time now, serving::InstanceKey key) override {
        REQUIRE(instances.count(key) == 1);
        CHECK_FALSE(instances[key].draining);
        instances[key].draining = true;
        calls.push_back({now, "drain", key, 0});
        if (drains_at_once) finish_drain(now, key);
    }
    void kill_instance(Time now, serving::InstanceKey key) override {
        CHECK(instances.erase(key) == 1);
        calls.push_back({now, "kill", key, 0});
    }
    void set_gateway_buffering(Time now, std::uint32_t service, bool buffers) override {
        calls.push_back({now, buffers ? "buffer" : "pass", {service, 0}, 0});
    }
    void set_speed(Time now, serving::InstanceKey key, serving::SpeedPpm speed) override {
        REQUIRE(instances.count(key) == 1);
        instances[key].speed = speed;
        calls.push_back({now, "speed", key, speed});
    }
    [[nodiscard]] serving::InstanceLoad instance_load(Time now,
                                                      serving::InstanceKey key) const override {
        REQUIRE(instances.count(key) == 1);
        return load_at ? load_at(now, key) : instances.at(key).load;
    }
    [[nodiscard]] serving::ServiceLoad service_load(Time, std::uint32_t service,
                                                    std::uint32_t) const override {
        serving::ServiceLoad load =
            service_loads.count(service) ? service_loads.at(service) : serving::ServiceLoad{};
        load.endpoints = 0;
        for (const auto& [key, instance] : instances) {
            if (key.service == service && !instance.draining) ++load.endpoints;
        }
        return load;
    }

    void finish_drain(Time now, serving::InstanceKey key) {
        CHECK(instances.erase(key) == 1);
        calls.push_back({now, "drained", key, 0});
        control->notify({now, serving::Notification::Kind::drained, key});
    }
    [[nodiscard]] std::vector<Call> of(std::string_view what) const {
        std::vector<Call> found;
        for (const Call& call : calls) {
            if (call.what == what) found.push_back(call);
        }
        return found;
    }

    ControlPlane* control = nullptr;
    bool drains_at_once = true;
    std::map<serving::InstanceKey, bool> ever;
    std::map<serving::InstanceKey, Instance> instances;
    std::map<std::uint32_t, serving::ServiceLoad> service_loads;
    std::function<serving::InstanceLoad(Time, serving::InstanceKey)> load_at;
    std::vector<Call> calls;
};

/// Everything that one node decides.
struct FitsFilter final : FilterPlugin {
    FitsFilter(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    [[nodiscard]] std::string_view filter(const SchedulingContext& context,
                                          cluster::NodeId node) const override {
        return context.cluster->fits(*context.pod, node).ok() ? "" : "does not fit";
    }
};

/// Fewer pods, higher score.
struct EmptyFirst final : ScorePlugin {
    EmptyFirst(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    [[nodiscard]] std::int64_t score(const SchedulingContext& context,
                                     cluster::NodeId node) const override {
        return 100 - static_cast<std::int64_t>(context.cluster->node(node).pods.size());
    }
};

struct LowestDevices final : DeviceChooser {
    LowestDevices(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    [[nodiscard]] std::vector<std::int32_t> choose(const cluster::Node& node,
                                                   const cluster::PodSpec& pod) const override {
        std::vector<cluster::DeviceChoice> choices;
        REQUIRE(node.usage.first_fit_devices(pod.devices, choices));
        std::vector<std::int32_t> devices;
        for (const cluster::DeviceChoice& choice : choices) devices.push_back(choice.device);
        return devices;
    }
};

struct TestScheduling final : SchedulingPolicy {
    TestScheduling(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    [[nodiscard]] SchedulingProfile profile() const override {
        SchedulingProfile profile;
        profile.filters = {"test-control-fits"};
        profile.scores = {{"test-control-empty-first", 1}};
        profile.device_chooser = "test-control-lowest";
        return profile;
    }
};

/// Does what the test says.
struct ScriptedScaling final : ScalingPolicy {
    ScriptedScaling(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }
    [[nodiscard]] std::vector<MetricRequest> metrics() const override { return requests; }
    [[nodiscard]] Duration period() const override { return every; }
    ScalingDecision decide(const ScalingView& view) override { return script(view); }
    [[nodiscard]] Duration observes_every() const override { return samples_every; }
    void observe(const ScalingView& view) override { sampler(view); }

    static inline std::vector<MetricRequest> requests;
    static inline Duration every = Duration::seconds(15);
    static inline std::function<ScalingDecision(const ScalingView&)> script;
    static inline Duration samples_every = Duration::zero();
    static inline std::function<void(const ScalingView&)> sampler;
};

inline void register_test_policies() {
    static const bool once = [] {
        const auto add = [](auto* interface, auto* policy, const char* name) {
            using Interface = std::remove_pointer_t<decltype(interface)>;
            using Policy = std::remove_pointer_t<decltype(policy)>;
            Registry<Interface>::instance().add(
                {name, "of the tests", Policy::parameter_specs(),
                 [](const Parameters& parameters,
                    const PolicyContext& context) -> std::unique_ptr<Interface> {
                     return std::make_unique<Policy>(parameters, context);
                 }});
        };
        add(static_cast<FilterPlugin*>(nullptr), static_cast<FitsFilter*>(nullptr),
            "test-control-fits");
        add(static_cast<ScorePlugin*>(nullptr), static_cast<EmptyFirst*>(nullptr),
            "test-control-empty-first");
        add(static_cast<DeviceChooser*>(nullptr), static_cast<LowestDevices*>(nullptr),
            "test-control-lowest");
        add(static_cast<SchedulingPolicy*>(nullptr), static_cast<TestScheduling*>(nullptr),
            "test-control-scheduling");
        add(static_cast<ScalingPolicy*>(nullptr), static_cast<ScriptedScaling*>(nullptr),
            "test-control-scripted");
        return true;
    }();
    static_cast<void>(once);
}

/// One pool of GPU nodes and one workload "chat" whose pods want one GPU each.
inline ControlSpec small_spec(std::int64_t nodes, std::int64_t devices_per_node,
                              std::int64_t replicas) {
    ControlSpec spec;
    spec.scheduling = {"test-control-scheduling", {}};
    NodePoolSpec pool;
    pool.name = "gpu";
    pool.count = nodes;
    pool.node.capacity = {MilliCpu{64'000}, gibibytes(512), 110};
    pool.node.allocatable = pool.node.capacity;
    pool.node.devices.assign(static_cast<std::size_t>(devices_per_node),
                             cluster::DeviceSpec{.model = "h100", .memory = gibibytes(80)});
    pool.node.nic_bytes_per_s = 10'000'000'000;
    pool.node.price_per_hour = Money{3'600'000};
    spec.pools.push_back(pool);
    WorkloadSpec workload;
    workload.name = "chat";
    workload.replicas = replicas;
    workload.pod.requests = {MilliCpu{1000}, gibibytes(16)};
    workload.pod.devices.count = 1;
    workload.lifecycle.container_start = Duration::seconds(2);
    spec.workloads.push_back(workload);
    return spec;
}

struct Run {
    explicit Run(ControlSpec control_spec, Time measure_from = Time::zero(), bool all = false)
        : spec(std::move(control_spec)) {
        register_test_policies();
        control = std::make_unique<ControlPlane>(spec, plane, 1, measure_from, all);
        plane.control = control.get();
    }
    void start() { control->start(); }
    /// All events up to and at `until`.
    void run_until(Time until) {
        while (control->next_event_time() <= until) control->run_next(control->next_event_time());
    }
    [[nodiscard]] const Workload& workload(std::size_t i = 0) const {
        return control->state().workloads[i];
    }
    [[nodiscard]] const ManagedPod& pod(std::size_t i) const {
        return control->state().managed(workload().pods[i]);
    }
    [[nodiscard]] const cluster::Pod& placed(std::size_t i) const {
        return control->state().cluster.pod(workload().pods[i]);
    }

    ControlSpec spec;
    FakeDataPlane plane;
    std::unique_ptr<ControlPlane> control;
};

/// The container of the oldest pod of "chat" crashes, then `times` - 1 more, each `after` a start.
inline FaultSpec crash_at(int second, std::int64_t times = 1, Duration after = {}) {
    FaultSpec fault;
    fault.kind = FaultSpec::Kind::crash_container;
    fault.at = at_s(second);
    fault.target = "chat";
    fault.times = times;
    fault.after = after;
    return fault;
}

/// A workload's autoscaler that calls `script` each `every`.
inline void with_script(ControlSpec& spec, Duration every,
                        std::function<ScalingDecision(const ScalingView&)> script,
                        std::vector<MetricRequest> requests = {}) {
    register_test_policies();
    spec.workloads[0].autoscaler = AutoscalerSpec{{"test-control-scripted", {}}, Duration::zero()};
    ScriptedScaling::every = every;
    ScriptedScaling::script = std::move(script);
    ScriptedScaling::requests = std::move(requests);
    ScriptedScaling::samples_every = Duration::zero();
}

inline ScalingDecision want(const ScalingView& view, std::int64_t replicas) {
    ScalingDecision decision;
    decision.desired = decision.wanted = replicas;
    decision.outcome =
        replicas == view.spec_replicas ? ScalingOutcome::unchanged : ScalingOutcome::scaled;
    decision.reason = "said so";
    return decision;
}

}  // namespace headroom::control::testing
