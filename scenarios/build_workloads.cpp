// Workloads: pods, what they ask for, replicas.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "scenarios/build.hpp"
#include "sim/cluster/slice_table.hpp"
#include "sim/control/out_of_memory.hpp"

namespace headroom::scenarios {

namespace {

using cluster::PodSpec;

cluster::Labels labels_of(const Parameters& map) {
    cluster::Labels labels;
    for (const auto& [key, value] : map.values()) labels[key] = std::get<std::string>(value.data);
    return labels;
}

std::int64_t whole_units(std::int64_t milli) {
    return milli / 1000 + (milli % 1000 != 0 ? 1 : 0);
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// "1g.10gb" of "nvidia.com/mig-1g.10gb"; nothing of another resource.
std::string slice_profile_of(const std::string& resource) {
    constexpr std::string_view kSlice = "nvidia.com/mig-";
    const bool slice = resource.compare(0, kSlice.size(), kSlice) == 0;
    return slice ? resource.substr(kSlice.size()) : std::string();
}

/// cpu, memory, "<vendor>/gpu", "nvidia.com/mig-<profile>".
void set_requests(BuildContext& context, const std::string& pointer, const Parameters& requests,
                  PodSpec& pod) {
    std::string device_resource;
    for (const auto& [resource, value] : requests.values()) {
        const std::string at = join_pointer(pointer, resource);
        const std::int64_t milli = std::get<std::int64_t>(value.data);
        const std::string slice = slice_profile_of(resource);
        if (resource == "cpu") {
            pod.requests.cpu = MilliCpu{milli};
        } else if (resource == "memory") {
            pod.requests.memory = Bytes{whole_units(milli)};
        } else if (!slice.empty() || ends_with(resource, "/gpu")) {
            if (milli % 1000 != 0 || milli > 1'000'000) {
                context.complain(at,
                                 "expected a whole number of devices up to 1000 (a part of one "
                                 "is \"gpu_share\")");
            }
            if (!device_resource.empty()) {
                context.complain(
                    at, "expected one kind of device, found \"" + device_resource + "\" as well");
            }
            device_resource = resource;
            pod.devices.count =
                static_cast<std::int32_t>(std::min<std::int64_t>(milli / 1000, 1000));
            pod.devices.slice_profile = slice;
        } else {
            context.unknown_name(at, "cpu, memory, nvidia.com/gpu or nvidia.com/mig-<profile>",
                                 resource, {"cpu", "memory", "nvidia.com/gpu"});
        }
    }
}

/// What the API server refuses of one: kubernetes v1.28 pkg/apis/core/validation/validation.go
/// (ValidateTolerations).
void check_toleration(BuildContext& context, const std::string& pointer,
                      const cluster::Toleration& toleration) {
    const bool exists = toleration.op == cluster::TolerationOperator::exists;
    if (toleration.key.empty() && !exists) {
        context.complain(pointer,
                         "expected a \"key\", or \"operator\": \"Exists\", which without a key "
                         "bears every taint");
    }
    if (exists && !toleration.value.empty()) {
        context.complain(pointer + "/value",
                         "expected none with \"operator\": \"Exists\", which bears every value, "
                         "found \"" +
                             toleration.value + "\"");
    }
    if (toleration.toleration_time && toleration.effect != cluster::TaintEffect::no_execute) {
        context.complain(pointer + "/toleration_time",
                         "expected \"effect\": \"NoExecute\" beside it: no other evicts a pod");
    }
}

void set_tolerations(BuildContext& context, const std::string& pointer,
                     const Parameters& parameters, PodSpec& pod) {
    for (const ParameterValue& value : parameters.list("tolerations")) {
        const Parameters& p = object_of(value);
        cluster::Toleration toleration;
        toleration.key = p.text("key");
        toleration.op = p.text("operator") == "Exists" ? cluster::TolerationOperator::exists
                                                       : cluster::TolerationOperator::equal;
        toleration.value = p.text("value");
        if (p.given("effect")) toleration.effect = taint_effect(p.text("effect"));
        if (p.given("toleration_time")) toleration.toleration_time = p.duration("toleration_time");
        pod.tolerations.push_back(std::move(toleration));
    }
    if (!context.clean(pointer)) return;
    for (std::size_t i = 0; i < pod.tolerations.size(); ++i) {
        check_toleration(context, pointer + "/" + std::to_string(i), pod.tolerations[i]);
    }
}

/// Likewise (validateTopologySpreadConstraints).
void check_topology_spread(BuildContext& context, const std::string& pointer,
                           const std::vector<cluster::TopologySpread>& spreads) {
    for (std::size_t i = 0; i < spreads.size(); ++i) {
        const cluster::TopologySpread& spread = spreads[i];
        const std::string at = pointer + "/" + std::to_string(i);
        if (spread.topology_key.empty()) {
            context.complain(at + "/topology_key", "expected the name of a node label, found \"\"");
        }
        const bool must = spread.when_unsatisfiable == cluster::WhenUnsatisfiable::do_not_schedule;
        if (!must && context.written(at + "/min_domains")) {
            context.complain(at + "/min_domains",
                             "expected none with \"when_unsatisfiable\": \"ScheduleAnyway\", "
                             "which leaves no pod waiting");
        }
        const auto same = [&spread](const cluster::TopologySpread& other) {
            return other.topology_key == spread.topology_key &&
                   other.when_unsatisfiable == spread.when_unsatisfiable;
        };
        const auto here = spreads.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::any_of(spreads.begin(), here, same)) {
            context.complain(at,
                             "expected one constraint of a \"topology_key\" and "
                             "\"when_unsatisfiable\", found a second one");
        }
    }
}

void set_topology_spread(BuildContext& context, const std::string& pointer,
                         const Parameters& parameters, PodSpec& pod) {
    for (const ParameterValue& value : parameters.list("topology_spread")) {
        const Parameters& p = object_of(value);
        cluster::TopologySpread spread;
        spread.max_skew = static_cast<std::int32_t>(p.integer("max_skew"));
        if (p.given("topology_key")) spread.topology_key = p.text("topology_key");
        spread.when_unsatisfiable = p.text("when_unsatisfiable") == "ScheduleAnyway"
                                        ? cluster::WhenUnsatisfiable::schedule_anyway
                                        : cluster::WhenUnsatisfiable::do_not_schedule;
        spread.min_domains = static_cast<std::int32_t>(p.integer("min_domains"));
        pod.topology_spread.push_back(std::move(spread));
    }
    if (context.clean(pointer)) check_topology_spread(context, pointer, pod.topology_spread);
}

void set_artifacts(const Parameters& parameters, const EngineNeeds& needs, PodSpec& pod) {
    if (parameters.given("image")) {
        const Parameters& image = parameters.object("image");
        if (image.given("name") && image.given("size")) {
            pod.image = {image.text("name"), Bytes{image.integer("size")}, Bytes{}};
        }
        if (image.given("on_disk")) pod.image.on_disk = Bytes{image.integer("on_disk")};
    }
    pod.weights = needs.weights;
    if (parameters.given("weights")) {
        const Parameters& weights = parameters.object("weights");
        if (weights.given("name") && weights.given("size")) {
            pod.weights = {weights.text("name"), Bytes{weights.integer("size")}};
        }
    }
}

/// A request that is not made is that of the limit.
void set_limits(BuildContext& context, const std::string& pointer, const Parameters& parameters,
                PodSpec& pod) {
    const Parameters& limits = parameters.object("limits");
    if (!limits.given("memory")) return;
    pod.memory_limit = Bytes{limits.integer("memory")};
    if (!parameters.object("requests").given("memory")) pod.requests.memory = *pod.memory_limit;
    if (pod.requests.memory <= *pod.memory_limit) return;
    context.complain(pointer + "/limits/memory",
                     fmt::format("expected at least the memory that is requested ({} bytes), found "
                                 "{} bytes",
                                 pod.requests.memory.count(), pod.memory_limit->count()));
}

void warn_of_memory(BuildContext& context, const control::WorkloadSpec& workload) {
    if (!workload.pod.memory_limit) return;
    if (control::in_flight_over(workload.usage, *workload.pod.memory_limit) != 0) return;
    context.warnings.push_back(fmt::format(
        "service {}: its containers use more memory when idle (usage.memory_idle, {} bytes) than "
        "their limit of {} bytes: each is killed as soon as it has started",
        context.services[workload.service], workload.usage.memory_idle.count(),
        workload.pod.memory_limit->count()));
}

/// The catalogue times whole GPUs, and how fast a part of one is depends on what the rest does.
void warn_of_gpu_part(BuildContext& context, const std::string& service, const Parameters& pod,
                      const EngineNeeds& needs) {
    const GpuPart part = gpu_part(pod, *context.catalogue.find_gpu(needs.gpu));
    if (part.name.empty()) return;
    context.warnings.push_back(fmt::format(
        "service {}: its pods have {} of a GPU ({}), its profile is that of a whole one: they run "
        "as fast as on all of it, which is too good; \"speed_by_rank\" makes them slower",
        service, part.name, needs.gpu));
}

/// The same of execution instances that have no GPU each.
void warn_of_instances(BuildContext& context, const std::string& service, const Parameters& version,
                       std::int32_t devices, const EngineNeeds& needs) {
    if (!version.given("dynamic_batching")) return;
    const Parameters& batching = version.object("dynamic_batching");
    const std::int64_t instances = batching.object("instance_group").integer("count");
    if (instances <= std::max(devices, 1)) return;
    context.warnings.push_back(
        fmt::format("service {}: {} execution instances run on {} GPU{} ({}), each as fast as if "
                    "it were alone, "
                    "which is too good; \"speed_by_rank\" makes them slower",
                    service, instances, std::max(devices, 1), devices > 1 ? "s" : "", needs.gpu));
}

PodSpec build_pod(BuildContext& context, const std::string& pointer, const Parameters& parameters,
                  const EngineNeeds& needs) {
    PodSpec pod;
    const Parameters& requests = parameters.object("requests");
    set_requests(context, pointer + "/requests", requests, pod);
    set_limits(context, pointer, parameters, pod);
    pod.labels = labels_of(parameters.object("labels"));
    pod.node_selector = labels_of(parameters.object("node_selector"));
    pod.priority = static_cast<std::int32_t>(parameters.integer("priority"));
    set_tolerations(context, pointer + "/tolerations", parameters, pod);
    set_topology_spread(context, pointer + "/topology_spread", parameters, pod);
    set_artifacts(parameters, needs, pod);
    pod.devices.milli_each =
        MilliGpu{std::max<std::int64_t>(1, std::llround(parameters.number("gpu_share") * 1000))};
    if (!pod.devices.slice_profile.empty()) pod.devices.milli_each = cluster::kWholeDevice;
    if (!needs.gpu.empty()) {
        if (pod.devices.count == 0 && context.has_node_pools) {
            pod.devices.count = static_cast<std::int32_t>(needs.gpus);
        }
        if (pod.devices.count > 0) pod.devices.models = {needs.gpu};
        if (pod.devices.count > 0 && pod.devices.count < needs.gpus) {
            context.complain(
                pointer + "/requests",
                fmt::format("expected at least {} GPUs for tensor_parallel {}, found {}",
                            needs.gpus, needs.gpus, pod.devices.count));
        }
    }
    if (pod.devices.count > 0 && !context.has_node_pools && context.clean(pointer)) {
        context.complain(pointer + "/requests",
                         "expected \"node_pools\" in a scenario whose pods ask for devices");
    }
    return pod;
}

std::optional<control::ProbeSpec> build_probe(const Parameters& probes, const char* name) {
    if (!probes.given(name)) return std::nullopt;
    const Parameters& probe = probes.object(name);
    return control::ProbeSpec{probe.duration("initial_delay"), probe.duration("period"),
                              probe.integer("failure_threshold"),
                              probe.integer("success_threshold")};
}

control::LifecycleSpec build_lifecycle(const Parameters& pod) {
    control::LifecycleSpec lifecycle;
    lifecycle.container_start = pod.duration("container_start");
    lifecycle.warm_up = pod.duration("warm_up");
    lifecycle.readiness_delay = pod.duration("readiness_delay");
    lifecycle.termination_grace = pod.duration("termination_grace");
    if (pod.given("probes")) {
        const Parameters& probes = pod.object("probes");
        lifecycle.startup = build_probe(probes, "startup");
        lifecycle.liveness = build_probe(probes, "liveness");
        lifecycle.readiness = build_probe(probes, "readiness");
    }
    lifecycle.image_pull_bytes_per_s = pod.integer("image_pull_rate");
    lifecycle.weights_load_bytes_per_s = pod.integer("weights_load_rate");
    return lifecycle;
}

control::UsageModel build_usage(const Parameters& usage) {
    control::UsageModel model;
    model.cpu_idle = MilliCpu{usage.integer("cpu_idle")};
    model.cpu_busy = MilliCpu{usage.integer("cpu_busy")};
    model.memory_idle = Bytes{usage.integer("memory_idle")};
    model.memory_per_in_flight = Bytes{usage.integer("memory_per_in_flight")};
    return model;
}

std::int64_t replicas_of(const Parameters& service, const Parameters& version, bool alone) {
    if (!alone && version.given("replicas")) return version.integer("replicas");
    if (service.given("replicas")) return service.integer("replicas");
    if (!service.given("autoscaling")) return 1;
    const Parameters& autoscaling = service.object("autoscaling");
    for (const char* name : {"min_replicas", "replicas"}) {
        if (autoscaling.given(name)) return autoscaling.integer(name);
    }
    return 1;
}

/// The version's own, else the service's; where neither has one, a pool of no pods.
control::WarmPoolSpec build_warm_pool(const Parameters& service, const Parameters& version) {
    if (!version.given("warm_pool") && !service.given("warm_pool")) return {};
    const Parameters& pool = (version.given("warm_pool") ? version : service).object("warm_pool");
    if (!pool.given("size")) return {};  // said already
    return {pool.integer("size"), pool.duration("activation"), pool.boolean("reuse_on_scale_in")};
}

control::IntOrPercent amount_of(const ParameterValue& value) {
    if (const auto* count = std::get_if<std::int64_t>(&value.data)) return {*count, false};
    return *control::parse_percent(std::get<std::string>(value.data));
}

control::DeploymentStrategy build_strategy(BuildContext& context, const std::string& pointer,
                                           const Parameters& strategy) {
    control::DeploymentStrategy out;
    const std::string surge_at = pointer + "/max_surge";
    const std::string unavailable_at = pointer + "/max_unavailable";
    if (strategy.text("type") == "Recreate") {
        out.type = control::RolloutType::recreate;
        for (const std::string& at : {surge_at, unavailable_at}) {
            if (!context.written(at)) continue;
            context.complain(at,
                             "expected nothing beside \"type\": \"Recreate\", which makes new "
                             "pods when all old ones are gone");
        }
        return out;
    }
    out.max_surge = amount_of(*strategy.find("max_surge"));
    out.max_unavailable = amount_of(*strategy.find("max_unavailable"));
    if (out.max_surge.value == 0 && out.max_unavailable.value == 0) {
        context.complain(context.written(unavailable_at) ? unavailable_at : surge_at,
                         "expected more than 0, as max_surge is, or no pod could ever be replaced");
    }
    return out;
}

/// The most replicas that a workload may have: what an implicit pool must hold.
std::int64_t largest(const control::WorkloadSpec& workload) {
    std::int64_t most = workload.replicas;
    if (!workload.autoscaler) return most;
    const Parameters& parameters = workload.autoscaler->policy.parameters;
    for (const char* name : {"max_replicas", "replicas"}) {
        if (parameters.given(name)) most = std::max(most, parameters.integer(name));
    }
    return most;
}

}  // namespace

GpuPart gpu_part(const Parameters& pod, const GpuEntry& gpu) {
    for (const auto& [resource, value] : pod.object("requests").values()) {
        const std::string slice = slice_profile_of(resource);
        if (slice.empty()) continue;
        const auto table = cluster::builtin_slice_table(gpu.id, gpu.spec.memory);
        const std::int32_t found = table == nullptr ? -1 : table->find(slice);
        if (found < 0) return {};  // no node has such a device, which is said elsewhere
        const cluster::SliceProfile& profile = table->profiles[static_cast<std::size_t>(found)];
        const double memory = profile.memory.count() > 0
                                  ? static_cast<double>(profile.memory.count()) /
                                        static_cast<double>(gpu.spec.memory.count())
                                  : static_cast<double>(profile.memory_slices) /
                                        static_cast<double>(table->memory_slices);
        return {"the slice " + slice, std::min(memory, 1.0)};
    }
    const double share = pod.number("gpu_share");
    if (share == 1) return {};
    return {fmt::format("a share of {:g}", share), share};
}

std::vector<control::WorkloadSpec> build_workloads(BuildContext& context, std::uint32_t index,
                                                   const Parameters& service) {
    const std::string& name = context.services[index];
    const std::string pointer = join_pointer("/services", name);
    const Parameters& pod = service.object("pod");
    const auto autoscaler = build_autoscaler(context, pointer, service, "autoscaling");
    const auto vertical = build_autoscaler(context, pointer, service, "vertical_autoscaling");
    const control::DeploymentStrategy strategy =
        build_strategy(context, pointer + "/strategy", service.object("strategy"));
    std::vector<control::WorkloadSpec> out;
    bool warned_of_part = context.written(pointer + "/speed_by_rank");
    for (const VersionParameters& version : versions_of(name, service)) {
        control::WorkloadSpec workload;
        workload.name = version.alone ? name : name + "-" + version.name;
        workload.service = index;
        workload.version = static_cast<std::uint32_t>(out.size());
        workload.replicas = replicas_of(service, *version.parameters, version.alone);
        // The pod is the service's: what is wrong with it is said once.
        const std::size_t before = context.diagnostics.size();
        const EngineNeeds needs = engine_needs(context, *version.parameters);
        workload.pod = build_pod(context, pointer + "/pod", pod, needs);
        if (!out.empty()) context.diagnostics.resize(before);
        if (!needs.gpu.empty() && !warned_of_part) {
            warn_of_gpu_part(context, name, pod, needs);
            warn_of_instances(context, name, *version.parameters, workload.pod.devices.count,
                              needs);
            warned_of_part = true;
        }
        workload.pod.name = workload.name;
        workload.common_container_name = name;
        workload.pod.labels.emplace("app", name);
        workload.pod.labels.emplace("version", version.name);
        workload.lifecycle = build_lifecycle(pod);
        workload.usage = build_usage(pod.object("usage"));
        if (out.empty()) warn_of_memory(context, workload);
        workload.strategy = strategy;
        workload.min_ready = Duration::seconds(service.integer("min_ready_seconds"));
        workload.warm_pool = build_warm_pool(service, *version.parameters);
        workload.autoscaler = autoscaler;
        workload.vertical_autoscaler = vertical;
        for (const ParameterValue& speed : service.list("speed_by_rank")) {
            workload.speed_by_rank.push_back(std::get<double>(speed.data));
        }
        out.push_back(std::move(workload));
    }
    check_autoscaling(context, name, service, out);
    return out;
}

control::NodePoolSpec implicit_pool(const std::vector<control::WorkloadSpec>& workloads) {
    control::NodePoolSpec pool;
    pool.name = "default";
    pool.count = 0;
    constexpr std::int64_t kAnyAmount = 100'000'000'000'000;  // the most that vpa recommends
    cluster::NodeResources room{MilliCpu{1000}, gibibytes(1), 1};
    for (const control::WorkloadSpec& workload : workloads) {
        // Twice: a draining pod keeps its node while the next one starts.
        pool.count += 2 * largest(workload) + workload.warm_pool.size;
        room.cpu = std::max(room.cpu, workload.pod.requests.cpu);
        room.memory = std::max(room.memory, workload.pod.requests.memory);
        if (workload.vertical_autoscaler) {  // whatever it will request
            room.cpu = MilliCpu{kAnyAmount};
            room.memory = Bytes{kAnyAmount};
        }
        // The pool carries what the pods ask for by label.
        for (const auto& [key, value] : workload.pod.node_selector) pool.node.labels[key] = value;
    }
    pool.node.capacity = room;
    pool.node.allocatable = room;
    return pool;
}

}  // namespace headroom::scenarios
