#include "scenarios/catalogue/catalogue.hpp"

#include <cmath>
#include <cstdlib>

#include "scenarios/catalogue/catalogue_reader.hpp"
#include "sim/core/check.hpp"

namespace headroom::scenarios {

namespace {

// Cloud Carbon Footprint (2024): averages over server processors, and memory.
constexpr std::int64_t kIdleMilliwattsPerCpu = 740;
constexpr std::int64_t kPeakMilliwattsPerCpu = 3500;
constexpr std::int64_t kMemoryMilliwattsPerGigabyte = 392;

template <class Map>
[[nodiscard]] auto find_in(const Map& map, std::string_view id) {
    const auto it = map.find(id);
    return it == map.end() ? nullptr : &it->second;
}

template <class Map>
[[nodiscard]] std::vector<std::string> names_of(const Map& map) {
    std::vector<std::string> names;
    for (const auto& entry : map) names.push_back(entry.first);
    return names;
}

}  // namespace

std::filesystem::path Catalogue::default_directory() {
    const char* chosen = std::getenv("HEADROOM_CATALOGUE");
    if (chosen != nullptr && *chosen != '\0') return chosen;
    return HEADROOM_CATALOGUE_DIR;
}

std::optional<Catalogue> Catalogue::load(const std::filesystem::path& directory,
                                         Diagnostics& diagnostics) {
    const std::size_t before = diagnostics.size();
    Catalogue catalogue;
    for (GpuEntry& gpu : read_gpus((directory / "gpus.json").string(), diagnostics)) {
        catalogue.gpus_.emplace(gpu.id, std::move(gpu));
    }
    for (ModelEntry& model : read_models((directory / "models.json").string(), diagnostics)) {
        catalogue.models_.emplace(model.id, std::move(model));
    }
    const std::string types = (directory / "instance_types.json").string();
    for (InstanceTypeEntry& type : read_instance_types(types, catalogue.gpu_names(), diagnostics)) {
        catalogue.instance_types_.emplace(type.id, std::move(type));
    }
    if (diagnostics.size() != before) return std::nullopt;
    return catalogue;
}

const GpuEntry* Catalogue::find_gpu(std::string_view id) const {
    return find_in(gpus_, id);
}

const ModelEntry* Catalogue::find_model(std::string_view id) const {
    return find_in(models_, id);
}

const InstanceTypeEntry* Catalogue::find_instance_type(std::string_view id) const {
    return find_in(instance_types_, id);
}

std::vector<std::string> Catalogue::gpu_names() const {
    return names_of(gpus_);
}

std::vector<std::string> Catalogue::model_names() const {
    return names_of(models_);
}

std::vector<std::string> Catalogue::instance_type_names() const {
    return names_of(instance_types_);
}

cluster::NodeSpec Catalogue::node_spec_of(const InstanceTypeEntry& type) const {
    cluster::NodeSpec spec;
    spec.instance_type = type.id;
    spec.capacity = type.capacity;
    spec.allocatable = type.allocatable;
    spec.price_per_hour = type.price_per_hour.value_or(Money{});
    if (type.network_bytes_per_s > 0) spec.nic_bytes_per_s = type.network_bytes_per_s;

    const std::int64_t cpus = type.capacity.cpu.count() / 1000;
    const std::int64_t gigabytes = type.capacity.memory.count() / 1'000'000'000;
    const std::int64_t memory = gigabytes * kMemoryMilliwattsPerGigabyte;
    spec.idle_milliwatts = cpus * kIdleMilliwattsPerCpu + memory;
    spec.peak_milliwatts = cpus * kPeakMilliwattsPerCpu + memory;

    spec.labels.emplace(cluster::kInstanceTypeLabel, type.id);
    spec.labels.emplace(cluster::kRegionLabel, type.region);
    spec.labels.emplace("kubernetes.io/arch", type.architecture);
    spec.labels.emplace("kubernetes.io/os", "linux");
    if (type.gpu.empty()) return spec;

    const GpuEntry* gpu = find_gpu(type.gpu);
    HEADROOM_CHECK(gpu != nullptr, "an instance type of another catalogue");
    spec.labels.emplace(cluster::kGpuModelLabel, gpu->id);
    const auto share = [&](std::int64_t of_whole) { return of_whole * type.gpu_milli / 1000; };
    cluster::DeviceSpec device;
    device.model = gpu->id;
    device.memory = Bytes{share(gpu->spec.memory.count())};
    device.idle_milliwatts = share(std::llround(gpu->spec.idle_watts * 1000));
    device.peak_milliwatts = share(std::llround(gpu->spec.peak_watts * 1000));
    spec.devices.assign(static_cast<std::size_t>(type.gpu_count), device);
    return spec;
}

}  // namespace headroom::scenarios
