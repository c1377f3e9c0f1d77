/// Catalogue: the GPUs, models and cloud instance types that a scenario may name, read from
/// gpus.json, models.json, networks.json and instance_types.json of one folder, and the profiles
/// below it. Facts and measurements, each with its source; what follows from them is computed
/// (profile.hpp).
///
///     Diagnostics problems;
///     const auto catalogue = Catalogue::load(Catalogue::default_directory(), problems);
///     const GpuEntry* gpu = catalogue->find_gpu("h100-sxm");       // null: not there
///
/// Loading refuses, all in one go and with file, line and pointer: a missing or unknown field, a
/// value out of range or not finite, an unknown GPU, a model whose shape gives another number of
/// parameters than its card (by more than 2 %). A profile that profile_file.hpp refuses, or that
/// answers what another one does, is kept as broken: who asks for it is refused, everybody else is
/// warned. Ids are as their makers write them; lists are sorted by id. Look-ups are O(log n). Units
/// stand in the names of the JSON fields: SI, one hour for prices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/catalogue/profile_file.hpp"
#include "scenarios/diagnostic.hpp"
#include "sim/cluster/node.hpp"
#include "sim/serving/latency/batch_latency.hpp"
#include "sim/serving/latency/transformer.hpp"

namespace headroom::scenarios {

struct GpuEntry {
    std::string id;
    std::string name;  ///< the product's
    serving::GpuSpec spec;
    std::string resource;  ///< what Kubernetes calls it: nvidia.com/gpu, amd.com/gpu, ...
    std::string source;
};

struct ModelEntry {
    std::string id;
    std::string name;
    serving::TransformerShape shape;
    std::int64_t parameters = 0;     ///< as on the model card
    std::int64_t max_model_len = 0;  ///< tokens
    std::string note;                ///< what a reader of an estimate should know; may be empty
    std::string source;
};

/// A network that serves whole items (images, short texts) in batches.
struct NetworkEntry {
    std::string id;
    std::string name;
    serving::BatchNetwork network;
    std::string benchmark;  ///< its name in measured profiles' batch times; empty: none
    std::string source;
};

struct InstanceTypeEntry {
    std::string id;
    std::string provider;
    std::string region;
    std::string architecture;  ///< amd64 | arm64
    cluster::NodeResources capacity;
    cluster::NodeResources allocatable;
    std::string gpu;  ///< id of a GpuEntry; empty: none
    std::int32_t gpu_count = 0;
    std::int32_t gpu_milli = 1000;         ///< of each: less for a virtual GPU
    std::int64_t network_bytes_per_s = 0;  ///< 0: not published
    std::optional<Money> price_per_hour;   ///< micro-dollars, on demand; nothing: no list price
    std::string price_date;
    std::string source;
};

/// A file of the profiles folder that cannot be used, with what can be said of it.
struct BrokenProfile {
    std::string path;
    std::string kind;   ///< "measured" or "observed"; empty: it does not say
    std::string gpu;    ///< by its field, else by the file's name; empty: neither says
    std::string model;  ///< of an observed one; empty: it does not say
    Diagnostics problems;

    /// "a profile of the catalogue is refused: x.json:3: /gpu: expected ... (and 2 more)".
    [[nodiscard]] std::string text() const;
};

class Catalogue {
  public:
    /// The environment variable HEADROOM_CATALOGUE, else the folder beside the program's sources.
    [[nodiscard]] static std::filesystem::path default_directory();
    /// Null when anything is wrong; then `diagnostics` got at least one line.
    [[nodiscard]] static std::optional<Catalogue> load(const std::filesystem::path& directory,
                                                       Diagnostics& diagnostics);
    /// The catalogue of default_directory(), to be shared by all scenarios that are loaded: reading
    /// it takes most of the time of a load. Null where load() gives nothing.
    [[nodiscard]] static std::shared_ptr<const Catalogue> load_default(Diagnostics& diagnostics);

    [[nodiscard]] const GpuEntry* find_gpu(std::string_view id) const;
    [[nodiscard]] const ModelEntry* find_model(std::string_view id) const;
    [[nodiscard]] const NetworkEntry* find_network(std::string_view id) const;
    [[nodiscard]] const InstanceTypeEntry* find_instance_type(std::string_view id) const;

    /// In the order of their file names.
    [[nodiscard]] const std::vector<ProfileFile>& profiles() const { return profiles_; }
    [[nodiscard]] const std::vector<BrokenProfile>& broken_profiles() const {
        return broken_profiles_;
    }

    [[nodiscard]] std::vector<std::string> gpu_names() const;
    [[nodiscard]] std::vector<std::string> model_names() const;
    [[nodiscard]] std::vector<std::string> network_names() const;
    [[nodiscard]] std::vector<std::string> instance_type_names() const;

    /// A node of this type: capacity, allocatable, devices, price and the labels Kubernetes puts on
    /// it. Name, pool, zone, taints and sharing stay for the caller. The host's power follows Cloud
    /// Carbon Footprint's averages (0.74 to 3.5 W a vCPU, 0.392 W a GB). No list price: 0.
    [[nodiscard]] cluster::NodeSpec node_spec_of(const InstanceTypeEntry& type) const;

  private:
    template <class Entry>
    using ById = std::map<std::string, Entry, std::less<>>;

    ById<GpuEntry> gpus_;
    ById<ModelEntry> models_;
    ById<NetworkEntry> networks_;
    ById<InstanceTypeEntry> instance_types_;
    std::vector<ProfileFile> profiles_;
    std::vector<BrokenProfile> broken_profiles_;
};

}  // namespace headroom::scenarios
