#include "scenarios/catalogue/catalogue_reader.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "scenarios/catalogue/fields.hpp"
#include "scenarios/located_json.hpp"

namespace headroom::scenarios {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kSchema = 1;
// With these the number of parameters stays below 2^62.
constexpr std::int64_t kLargestDepth = 1000;
constexpr std::int64_t kLargestWidth = 100'000;
constexpr std::int64_t kLargestFfn = 1'000'000;
constexpr std::int64_t kLargestHeads = 1000;
constexpr std::int64_t kLargestHeadSize = 1000;
constexpr std::int64_t kLargestExperts = 10'000;
constexpr std::int64_t kLargestShared = 100;
constexpr double kParameterTolerance = 0.02;
constexpr double kMostWatts = 1e6;
constexpr double kMostDollars = 1e6;  // an hour

/// Reads {"schema": 1, [more,] "<table>": {id: {fields}}}; `more` reads further fields of the top.
template <class Entry>
[[nodiscard]] std::vector<Entry> read_table(
    const std::string& path, const char* table, Diagnostics& diagnostics,
    const std::function<void(Entry&, Fields&)>& read_entry,
    const std::function<void(Fields&)>& more = [](Fields&) {}) {
    std::vector<Entry> entries;
    const std::optional<LocatedJson> document = read_json_file(path, diagnostics);
    if (!document) return entries;
    Fields top(*document, "", document->value(), diagnostics);
    if (!top.good()) return entries;
    top.integer("schema", kSchema, kSchema);
    more(top);
    const Json* rows = top.take(table);
    top.close();
    if (rows == nullptr) return entries;
    const std::string pointer = join_pointer("", table);
    if (!rows->is_object()) {
        top.complain(table, "expected an object");
        return entries;
    }
    for (const auto& [id, row] : rows->items()) {
        Entry entry;
        entry.id = id;
        Fields fields(*document, join_pointer(pointer, id), row, diagnostics);
        if (fields.good()) {
            read_entry(entry, fields);
            fields.close();
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

[[nodiscard]] serving::LinkKind read_link(Fields& fields) {
    const std::string kind =
        fields.one_of("link_kind", {"pcie", "nvlink", "infinity_fabric", "neuron_link"});
    if (kind == "nvlink") return serving::LinkKind::nvlink;
    if (kind == "infinity_fabric") return serving::LinkKind::infinity_fabric;
    if (kind == "neuron_link") return serving::LinkKind::neuron_link;
    return serving::LinkKind::pcie;
}

/// What becomes a whole number of thousandths or millionths must fit into one.
double at_most(Fields& fields, const char* name, double value, double most) {
    if (value <= most) return value;
    fields.complain(name, fmt::format("expected at most {}, found {:.6g}", most, value));
    return most;
}

void read_gpu(GpuEntry& gpu, Fields& fields) {
    gpu.name = fields.text("name");
    gpu.spec.memory = Bytes{fields.integer("memory_bytes", 1)};
    gpu.spec.memory_bytes_per_s = fields.rate("memory_bytes_per_s");
    gpu.spec.bf16_flops = fields.rate("bf16_flops_per_s");
    gpu.spec.fp8_flops = fields.amount("fp8_flops_per_s");
    static_cast<void>(fields.amount("int8_ops_per_s"));  // no model runs in it
    gpu.spec.link = read_link(fields);
    gpu.spec.link_bytes_per_s = fields.rate("link_bytes_per_s");
    gpu.spec.compute_capability = fields.integer("compute_capability", 0, 1000);
    gpu.spec.idle_watts = fields.amount("idle_watts");
    gpu.spec.peak_watts = at_most(fields, "peak_watts", fields.rate("peak_watts"), kMostWatts);
    if (gpu.spec.peak_watts < gpu.spec.idle_watts) {
        fields.complain("peak_watts", "expected no less than idle_watts");
    }
    gpu.resource = fields.text("resource");
    gpu.source = fields.text("source");
}

void read_experts(serving::TransformerShape& shape, Fields& fields) {
    serving::MixtureOfExperts moe;
    moe.experts = fields.integer("experts", 1, kLargestExperts);
    moe.active = fields.integer("active", 1, moe.experts);
    moe.expert_ffn = fields.integer("expert_ffn", 1, kLargestFfn);
    moe.shared_experts = fields.integer("shared_experts", 0, kLargestShared);
    moe.dense_layers = fields.integer("dense_layers", 0, shape.layers - 1);
    shape.moe = moe;
}

void read_latent(serving::TransformerShape& shape, Fields& fields) {
    serving::LatentAttention latent;
    latent.query_rank = fields.integer("query_rank", 1, kLargestWidth);
    latent.kv_rank = fields.integer("kv_rank", 1, kLargestWidth);
    latent.nope_size = fields.integer("nope_size", 1, kLargestHeadSize);
    latent.rope_size = fields.integer("rope_size", 1, kLargestHeadSize);
    latent.value_size = fields.integer("value_size", 1, kLargestHeadSize);
    shape.latent = latent;
}

void read_model(ModelEntry& model, Fields& fields) {
    serving::TransformerShape& shape = model.shape;
    model.name = fields.text("name");
    model.parameters = fields.integer("parameters", 1);
    shape.layers = fields.integer("layers", 1, kLargestDepth);
    shape.hidden = fields.integer("hidden", 1, kLargestWidth);
    shape.query_heads = fields.integer("query_heads", 1, kLargestHeads);
    shape.kv_heads = fields.integer("kv_heads", 1, shape.query_heads);
    shape.head_size = fields.integer("head_size", 1, kLargestHeadSize);
    shape.vocabulary = fields.integer("vocabulary", 1, 10'000'000);
    model.max_model_len = fields.integer("max_model_len", 1);
    if (fields.has_optional("gated_ffn")) shape.gated_ffn = fields.boolean("gated_ffn");
    if (fields.has_optional("tied_embeddings")) {
        shape.tied_embeddings = fields.boolean("tied_embeddings");
    }
    if (fields.has_optional("moe")) {
        fields.nested("moe", [&](Fields& inner) { read_experts(shape, inner); });
    }
    if (fields.has_optional("latent_attention")) {
        fields.nested("latent_attention", [&](Fields& inner) { read_latent(shape, inner); });
    }
    const bool only_experts = shape.moe && shape.moe->dense_layers == 0;
    if (!only_experts || fields.has_optional("ffn")) {
        shape.ffn = fields.integer("ffn", 1, kLargestFfn);
    }
    if (fields.has_optional("note")) model.note = fields.text("note");
    model.source = fields.text("source");
    if (!fields.good()) return;
    if (shape.query_heads % shape.kv_heads != 0) {
        fields.complain("kv_heads", "expected a divisor of query_heads");
        return;
    }
    const double card = static_cast<double>(model.parameters);
    const double computed = static_cast<double>(serving::parameter_count(shape));
    if (std::fabs(computed - card) > kParameterTolerance * card) {
        fields.complain("parameters", "expected what the shape gives within 2 %, " +
                                          std::to_string(serving::parameter_count(shape)) +
                                          ", found " + std::to_string(model.parameters));
    }
}

void read_network(NetworkEntry& entry, Fields& fields) {
    entry.name = fields.text("name");
    entry.network.parameters = fields.integer("parameters", 1);
    entry.network.flop_per_item = fields.rate("flop_per_item");
    entry.network.activation_bytes_per_item = fields.amount("activation_bytes_per_item");
    entry.network.kernels = fields.integer("kernels", 1, 100'000);
    if (fields.has_optional("benchmark")) entry.benchmark = fields.text("benchmark");
    entry.source = fields.text("source");
}

/// Micro-dollars, to the nearest.
[[nodiscard]] Money read_price(Fields& fields, const char* name) {
    const double dollars = at_most(fields, name, fields.rate(name), kMostDollars);
    return Money{static_cast<std::int64_t>(std::llround(dollars * 1e6))};
}

void read_prices(InstanceTypeEntry& type, Fields& fields) {
    if (fields.has_optional("price_usd_per_hour")) {
        type.price_per_hour = read_price(fields, "price_usd_per_hour");
    }
    const bool spot = fields.has_optional("spot_price_usd_per_hour");  // for people
    if (spot) static_cast<void>(read_price(fields, "spot_price_usd_per_hour"));
    const bool dated = fields.has_optional("price_date");
    if (dated || type.price_per_hour || spot) {
        type.price_date = fields.text("price_date");
    }
}

void read_accelerators(InstanceTypeEntry& type, Fields& fields,
                       const std::vector<std::string>& gpu_names) {
    if (!fields.has_optional("gpu")) return;
    type.gpu = gpu_names.empty() ? fields.text("gpu") : fields.one_of("gpu", gpu_names);
    type.gpu_count = static_cast<std::int32_t>(fields.integer("gpu_count", 1, 1024));
    if (!fields.has_optional("gpu_fraction")) return;
    const double fraction = fields.rate("gpu_fraction");
    if (fraction < 0.001 || fraction > 1.0) {
        fields.complain("gpu_fraction", "expected a number from 0.001 to 1");
        return;
    }
    type.gpu_milli = static_cast<std::int32_t>(std::lround(fraction * 1000));
}

void read_instance_type(InstanceTypeEntry& type, Fields& fields,
                        const std::vector<std::string>& gpu_names,
                        const std::map<std::string, std::string>& sources) {
    type.provider = fields.text("provider");
    type.region = fields.text("region");
    type.architecture = fields.one_of("architecture", {"amd64", "arm64"});
    const std::int64_t cpus = fields.integer("cpus", 1, 100'000);
    type.capacity.cpu = MilliCpu{cpus * 1000};
    type.capacity.memory = Bytes{fields.integer("memory_bytes", 1)};
    type.allocatable.cpu = MilliCpu{fields.integer("allocatable_cpu_milli", 1, cpus * 1000)};
    type.allocatable.memory =
        Bytes{fields.integer("allocatable_memory_bytes", 1, type.capacity.memory.count())};
    type.allocatable.max_pods =
        static_cast<std::int32_t>(fields.integer("allocatable_pods", 1, 100'000));
    type.capacity.max_pods = type.allocatable.max_pods;
    read_accelerators(type, fields, gpu_names);
    if (fields.has_optional("network_bytes_per_s")) {
        type.network_bytes_per_s = fields.integer("network_bytes_per_s", 1);
    }
    if (fields.has_optional("local_disk_bytes")) {  // for people
        static_cast<void>(fields.integer("local_disk_bytes", 0));
    }
    read_prices(type, fields);
    std::vector<std::string> names;
    for (const auto& entry : sources) names.push_back(entry.first);
    const auto it = sources.find(fields.one_of("source", names));
    if (it != sources.end()) type.source = it->second;
}

}  // namespace

std::vector<GpuEntry> read_gpus(const std::string& path, Diagnostics& diagnostics) {
    return read_table<GpuEntry>(path, "gpus", diagnostics, read_gpu);
}

std::vector<ModelEntry> read_models(const std::string& path, Diagnostics& diagnostics) {
    return read_table<ModelEntry>(path, "models", diagnostics, read_model);
}

std::vector<NetworkEntry> read_networks(const std::string& path, Diagnostics& diagnostics) {
    return read_table<NetworkEntry>(path, "networks", diagnostics, read_network);
}

std::vector<InstanceTypeEntry> read_instance_types(const std::string& path,
                                                   const std::vector<std::string>& gpu_names,
                                                   Diagnostics& diagnostics) {
    std::map<std::string, std::string> sources;
    return read_table<InstanceTypeEntry>(
        path, "instance_types", diagnostics,
        [&](InstanceTypeEntry& type, Fields& fields) {
            read_instance_type(type, fields, gpu_names, sources);
        },
        [&](Fields& top) {
            const Json* list = top.take("sources");
            if (list == nullptr) return;
            if (!list->is_object()) return top.complain("sources", "expected an object");
            for (const auto& [name, text] : list->items()) {
                if (text.is_string()) {
                    sources.emplace(name, text.get<std::string>());
                } else {
                    top.complain("sources", "expected a text for \"" + name + "\"");
                }
            }
        });
}

}  // namespace headroom::scenarios
