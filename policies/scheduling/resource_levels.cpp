#include "policies/scheduling/resource_levels.hpp"

#include <memory>
#include <string>
#include <utility>

namespace headroom::policies {

namespace {

constexpr const char* kDevicesName = "nvidia.com/gpu";

/// Of one unit of the request on this device: 1000, a share, or a slice's part of the compute.
std::int64_t unit_milli(const cluster::DeviceRequest& request, const cluster::Device& device) {
    if (request.slice_profile.empty()) return request.milli_each.count();
    const cluster::SliceTable* table = device.slice_table();
    const std::int32_t profile = table == nullptr ? -1 : table->find(request.slice_profile);
    if (profile < 0) return 0;
    const auto& slice = table->profiles[static_cast<std::size_t>(profile)];
    return cluster::kWholeDevice.count() * slice.compute_slices / table->compute_slices;
}

ResourceLevel device_level(const cluster::Node& node, const cluster::PodSpec& pod) {
    ResourceLevel level;
    if (pod.devices.count <= 0) return level;
    std::int64_t unit = 0;
    for (const cluster::Device& device : node.usage.devices()) {
        level.allocatable += cluster::kWholeDevice.count();
        level.held += cluster::kWholeDevice.count() - device.free_milli().count();
        if (unit == 0 && device.allows(pod.devices)) unit = unit_milli(pod.devices, device);
    }
    level.requested = unit * pod.devices.count;
    return level;
}

}  // namespace

ResourceLevel resource_level(ScoredResource resource, const cluster::Node& node,
                             const cluster::PodSpec& pod, bool with_defaults) {
    if (resource == ScoredResource::devices) return device_level(node, pod);
    const cluster::Resources held = with_defaults ? node.usage.scoring_used() : node.usage.used();
    const cluster::Resources requested =
        with_defaults ? cluster::scoring_requests(pod) : pod.requests;
    if (resource == ScoredResource::cpu) {
        return {node.usage.allocatable().cpu.count(), held.cpu.count(), requested.cpu.count()};
    }
    return {node.usage.allocatable().memory.count(), held.memory.count(), requested.memory.count()};
}

ParameterSpec resources_spec(const std::vector<WeightedResource>& defaults) {
    ParameterSpec element = ParameterSpec::object(
        "resource",
        {ParameterSpec::choice("name", {"cpu", "memory", kDevicesName}, "cpu", "the resource"),
         ParameterSpec::integer("weight", 1, "its part in the mean").at_least(1).at_most(100)},
        "one resource");
    ParameterSpec list =
        ParameterSpec::list("resources", std::move(element), "the resources scored");
    ParameterValue::List values;
    for (const WeightedResource& entry : defaults) {
        Parameters fields;
        fields.set("name",
                   {std::string(entry.resource == ScoredResource::cpu      ? "cpu"
                                : entry.resource == ScoredResource::memory ? "memory"
                                                                           : kDevicesName)});
        fields.set("weight", {entry.weight});
        values.push_back({std::make_shared<const Parameters>(std::move(fields))});
    }
    list.default_value = {std::make_shared<const ParameterValue::List>(std::move(values))};
    return list;
}

std::vector<WeightedResource> parse_resources(const Parameters& parameters) {
    std::vector<WeightedResource> resources;
    for (const ParameterValue& value : parameters.list("resources")) {
        const Parameters& entry = *std::get<std::shared_ptr<const Parameters>>(value.data);
        const std::string& name = entry.text("name");
        resources.push_back({name == "cpu"      ? ScoredResource::cpu
                             : name == "memory" ? ScoredResource::memory
                                                : ScoredResource::devices,
                             entry.integer("weight")});
    }
    return resources;
}

}  // namespace headroom::policies
