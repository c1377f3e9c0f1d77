// Node pools and faults.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "scenarios/build.hpp"
#include "sim/core/check.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::scenarios {

namespace {

/// Money is kept in whole micro-units of the currency.
Money price(double per_hour) {
    return Money{std::llround(per_hour * 1e6)};
}

cluster::NodeSpec own_node(BuildContext& context, const std::string& pointer, const Parameters& p) {
    cluster::NodeSpec node;
    if (!p.given("cpu") || !p.given("memory")) return node;
    node.capacity = {MilliCpu{p.integer("cpu")}, Bytes{p.integer("memory")},
                     static_cast<std::int32_t>(p.integer("max_pods"))};
    node.allocatable = node.capacity;
    node.price_per_hour = price(p.number("price_per_hour"));
    node.nic_bytes_per_s = p.integer("network_bandwidth");
    const std::int64_t gpus = p.integer("gpus");
    if (p.given("gpu") != (gpus > 0)) {
        context.complain(pointer, "expected both \"gpus\" and \"gpu\", or neither");
        return node;
    }
    if (gpus == 0) return node;
    const GpuEntry* gpu = context.catalogue.find_gpu(p.text("gpu"));
    if (gpu == nullptr) {
        context.unknown_name(pointer + "/gpu", "a GPU of the catalogue", p.text("gpu"),
                             context.catalogue.gpu_names());
        return node;
    }
    cluster::DeviceSpec device;
    device.model = gpu->id;
    device.memory = gpu->spec.memory;
    device.idle_milliwatts = std::llround(gpu->spec.idle_watts * 1000);
    device.peak_milliwatts = std::llround(gpu->spec.peak_watts * 1000);
    node.devices.assign(static_cast<std::size_t>(gpus), device);
    node.labels.emplace(cluster::kGpuModelLabel, gpu->id);
    return node;
}

void set_sharing(BuildContext& context, const std::string& pointer, const std::string& sharing,
                 cluster::NodeSpec& node) {
    if (sharing == "exclusive") return;
    if (node.devices.empty() && context.clean(pointer)) {
        context.complain(pointer + "/gpu_sharing", "expected nodes with GPUs to share");
        return;
    }
    for (cluster::DeviceSpec& device : node.devices) {
        device.sharing =
            sharing == "shared" ? cluster::SharingMode::shared : cluster::SharingMode::sliced;
        if (sharing == "sliced" &&
            cluster::builtin_slice_table(device.model, device.memory) == nullptr) {
            context.complain(
                pointer + "/gpu_sharing",
                "expected \"exclusive\" or \"shared\": the " + device.model + " has no slices");
            return;
        }
    }
}

/// "<pool>-<number>" of a pool's nodes.
bool is_node(const control::ControlSpec& control, const std::string& name) {
    return std::any_of(control.pools.begin(), control.pools.end(), [&](const auto& pool) {
        const std::string prefix = pool.name + "-";
        if (name.compare(0, prefix.size(), prefix) != 0) return false;
        std::int64_t number = -1;
        const char* end = name.data() + name.size();
        const auto parsed = std::from_chars(name.data() + prefix.size(), end, number);
        return parsed.ec == std::errc{} && parsed.ptr == end && number >= 0 &&
               number < pool.count && name == prefix + std::to_string(number);
    });
}

}  // namespace

cluster::TaintEffect taint_effect(const std::string& name) {
    if (name == "NoSchedule") return cluster::TaintEffect::no_schedule;
    if (name == "PreferNoSchedule") return cluster::TaintEffect::prefer_no_schedule;
    return cluster::TaintEffect::no_execute;
}

control::NodePoolSpec build_node_pool(BuildContext& context, const std::string& name,
                                      const Parameters& parameters) {
    const std::string pointer = join_pointer("/node_pools", name);
    control::NodePoolSpec pool;
    pool.name = name;
    if (parameters.given("count")) pool.count = parameters.integer("count");
    const bool by_type = context.written(pointer + "/instance_type");
    if (by_type == context.written(pointer + "/node")) {
        context.complain(pointer, std::string("expected one of \"instance_type\" and \"node\", "
                                              "found ") +
                                      (by_type ? "both" : "neither"));
    } else if (parameters.given("instance_type")) {
        const std::string& type_name = parameters.text("instance_type");
        const InstanceTypeEntry* type = context.catalogue.find_instance_type(type_name);
        if (type == nullptr) {
            context.unknown_name(pointer + "/instance_type", "an instance type of the catalogue",
                                 type_name, context.catalogue.instance_type_names());
        } else {
            pool.node = context.catalogue.node_spec_of(*type);
            if (!type->price_per_hour && !parameters.given("price_per_hour")) {
                context.warnings.push_back(type_name + " has no list price: node pool " + name +
                                           " costs nothing unless \"price_per_hour\" is given");
            }
        }
    } else if (parameters.given("node")) {
        pool.node = own_node(context, pointer + "/node", parameters.object("node"));
    }
    if (parameters.given("price_per_hour")) {
        pool.node.price_per_hour = price(parameters.number("price_per_hour"));
    }
    if (parameters.given("image_cache_capacity")) {
        pool.node.image_cache_capacity = Bytes{parameters.integer("image_cache_capacity")};
    }
    set_sharing(context, pointer, parameters.text("gpu_sharing"), pool.node);
    for (const ParameterValue& zone : parameters.list("zones")) {
        pool.zones.push_back(std::get<std::string>(zone.data));
    }
    pool.node.labels.emplace(cluster::kPoolLabel, name);
    for (const auto& [key, value] : parameters.object("labels").values()) {
        pool.node.labels[key] = std::get<std::string>(value.data);
    }
    for (const ParameterValue& value : parameters.list("taints")) {
        const Parameters& taint = object_of(value);
        if (!taint.given("key")) continue;
        cluster::Taint built{taint.text("key"), taint.text("value"),
                             taint_effect(taint.text("effect"))};
        const auto same = [&](const cluster::Taint& other) {
            return other.key == built.key && other.effect == built.effect;
        };
        if (std::any_of(pool.node.taints.begin(), pool.node.taints.end(), same)) {
            context.complain(pointer + "/taints",
                             fmt::format("expected each key once with an effect, as in Kubernetes, "
                                         "found \"{}\" twice with {}",
                                         built.key, taint.text("effect")));
        }
        pool.node.taints.push_back(std::move(built));
    }
    return pool;
}

control::FaultSpec build_fault(BuildContext& context, const std::string& pointer,
                               const Parameters& parameters, const control::ControlSpec& control) {
    control::FaultSpec fault;
    if (parameters.given("at")) fault.at = Time::zero() + parameters.duration("at");
    const auto kind =
        std::find_if(control::kFaultKinds.begin(), control::kFaultKinds.end(),
                     [&](const auto& each) { return each.name == parameters.text("kind"); });
    HEADROOM_CHECK(kind != control::kFaultKinds.end(), "the format lists the kinds");
    fault.kind = kind->kind;
    fault.index = parameters.integer("index");
    fault.speed = parameters.number("speed");
    fault.times = parameters.integer("times");
    fault.after = parameters.duration("after");
    if (!parameters.given("target")) return fault;
    fault.target = parameters.text("target");
    if (kind->of_node) {
        if (is_node(control, fault.target)) return fault;
        if (context.is_of_bad_entry("/node_pools", fault.target)) return fault;
        std::vector<std::string> some;
        for (const auto& pool : control.pools) {
            if (pool.count > 0) some.push_back(pool.name + "-0");
        }
        context.unknown_name(pointer + "/target", "the name of a node, \"<pool>-<number>\"",
                             fault.target, some);
        return fault;
    }
    std::vector<std::string> names;
    for (const auto& workload : control.workloads) names.push_back(workload.name);
    if (std::find(names.begin(), names.end(), fault.target) == names.end() &&
        !context.is_of_bad_entry("/services", fault.target)) {
        context.unknown_name(pointer + "/target", "the name of a service", fault.target, names);
    }
    return fault;
}

}  // namespace headroom::scenarios
