#include "scenarios/catalogue/catalogue.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "scenarios/catalogue/catalogue_reader.hpp"
#include "scenarios/located_json.hpp"
#include "sim/core/check.hpp"
#include "sim/core/nearest_name.hpp"

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

/// The JSON files of a folder, sorted; none where there is no folder.
[[nodiscard]] std::vector<std::string> profile_paths(const std::filesystem::path& folder) {
    std::vector<std::string> paths;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

void check_against(const ProfileFile& profile, const Catalogue& catalogue,
                   Diagnostics& diagnostics) {
    const auto check = [&](const char* kind, const char* pointer, const std::string& name,
                           const std::vector<std::string>& known) {
        if (std::find(known.begin(), known.end(), name) != known.end()) return;
        diagnostics.push_back({{profile.path, 0},
                               pointer,
                               std::string("expected a ") + kind + " of the catalogue, found \"" +
                                   name + "\"" + did_you_mean(nearest_name(name, known))});
    };
    check("GPU", "/gpu", profile.gpu, catalogue.gpu_names());
    if (!profile.observed) return;
    const ObservedProfile& observed = *profile.observed;
    check("model", "/model", observed.model, catalogue.model_names());
    const ModelEntry* model = catalogue.find_model(observed.model);
    if (model != nullptr && !model->shape.moe &&
        observed.linear.per_touched_expert > Duration::zero()) {
        diagnostics.push_back({{profile.path, 0},
                               "/linear/c5_s",
                               "expected none: " + observed.model + " has no experts"});
    }
}

/// Whether a request could mean either.
[[nodiscard]] bool answer_the_same(const ProfileFile& a, const ProfileFile& b) {
    if (a.gpu != b.gpu || a.kind != b.kind) return false;
    if (!a.observed) return true;
    const ObservedProfile& x = *a.observed;
    const ObservedProfile& y = *b.observed;
    return x.model == y.model && x.tensor_parallel == y.tensor_parallel && x.dtype == y.dtype &&
           x.kv_cache_dtype == y.kv_cache_dtype;
}

void check_distinct(const ProfileFile& profile, const std::vector<ProfileFile>& before,
                    Diagnostics& diagnostics) {
    for (const ProfileFile& other : before) {
        if (!answer_the_same(profile, other)) continue;
        diagnostics.push_back({{profile.path, 0},
                               "",
                               "expected one " + profile.kind + " profile of " +
                                   (profile.observed ? profile.observed->model + " on " : "") +
                                   profile.gpu + ", found another in " + other.path});
        return;
    }
}

/// What a file that was refused says of itself, so that only those who ask for it are.
BrokenProfile describe_broken(const std::string& path, const Catalogue& catalogue,
                              Diagnostics problems) {
    BrokenProfile broken;
    broken.path = path;
    broken.problems = std::move(problems);
    Diagnostics ignored;
    const std::optional<LocatedJson> document = read_json_file(path, ignored);
    const auto text = [&](const char* key) {
        if (!document || !document->value().is_object()) return std::string();
        const auto found = document->value().find(key);
        const bool known = found != document->value().end() && found->is_string();
        return known ? found->get<std::string>() : std::string();
    };
    if (const std::string kind = text("kind"); kind == "measured" || kind == "observed") {
        broken.kind = kind;
    }
    if (const std::string model = text("model"); catalogue.find_model(model) != nullptr) {
        broken.model = model;
    }
    broken.gpu = text("gpu");
    if (catalogue.find_gpu(broken.gpu) != nullptr) return broken;
    broken.gpu.clear();
    // Profiles are called by their GPU: the longest, for one id may be the beginning of another.
    const std::string name = std::filesystem::path(path).stem().string();
    for (const std::string& id : catalogue.gpu_names()) {
        if (name.find(id) != std::string::npos && id.size() > broken.gpu.size()) broken.gpu = id;
    }
    return broken;
}

}  // namespace

std::string BrokenProfile::text() const {
    std::string out = "a profile of the catalogue is refused: " + problems.front().text();
    if (problems.size() > 1) out += " (and " + std::to_string(problems.size() - 1) + " more)";
    return out;
}

std::filesystem::path Catalogue::default_directory() {
    const char* chosen = std::getenv("HEADROOM_CATALOGUE");
    if (chosen != nullptr && *chosen != '\0') return chosen;
    return HEADROOM_CATALOGUE_DIR;
}

std::shared_ptr<const Catalogue> Catalogue::load_default(Diagnostics& diagnostics) {
    std::optional<Catalogue> loaded = load(default_directory(), diagnostics);
    return loaded ? std::make_shared<const Catalogue>(std::move(*loaded)) : nullptr;
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
    for (NetworkEntry& network :
         read_networks((directory / "networks.json").string(), diagnostics)) {
        catalogue.networks_.emplace(network.id, std::move(network));
    }
    const std::string types = (directory / "instance_types.json").string();
    for (InstanceTypeEntry& type : read_instance_types(types, catalogue.gpu_names(), diagnostics)) {
        catalogue.instance_types_.emplace(type.id, std::move(type));
    }
    if (diagnostics.size() != before) return std::nullopt;
    for (const std::string& path : profile_paths(directory / "profiles")) {
        Diagnostics problems;
        std::optional<ProfileFile> profile = read_profile(path, problems);
        if (profile) {
            check_against(*profile, catalogue, problems);
            check_distinct(*profile, catalogue.profiles_, problems);
        }
        if (problems.empty()) {
            catalogue.profiles_.push_back(std::move(*profile));
        } else {
            catalogue.broken_profiles_.push_back(
                describe_broken(path, catalogue, std::move(problems)));
        }
    }
    return catalogue;
}

const GpuEntry* Catalogue::find_gpu(std::string_view id) const {
    return find_in(gpus_, id);
}

const ModelEntry* Catalogue::find_model(std::string_view id) const {
    return find_in(models_, id);
}

const NetworkEntry* Catalogue::find_network(std::string_view id) const {
    return find_in(networks_, id);
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

std::vector<std::string> Catalogue::network_names() const {
    return names_of(networks_);
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
