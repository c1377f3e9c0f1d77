#include "scenarios/catalogue/catalogue.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "scenarios/catalogue/profile.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/has.hpp"
#include "tests/unit/scenarios/shipped_catalogue.hpp"

namespace headroom::scenarios {
namespace {

using serving::DType;

nlohmann::json parsed_file(const std::filesystem::path& path) {
    std::ifstream in(path);
    return nlohmann::json::parse(in);
}

/// A copy of the shipped files that a test may spoil; gone with the object.
class SpoiledCatalogue {
  public:
    SpoiledCatalogue() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "headroom-catalogue-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        folder_ = pattern;
        for (const char* file :
             {"gpus.json", "models.json", "networks.json", "instance_types.json"}) {
            std::filesystem::copy_file(shipped_folder() / file, folder_ / file);
        }
    }
    SpoiledCatalogue(const SpoiledCatalogue&) = delete;
    SpoiledCatalogue& operator=(const SpoiledCatalogue&) = delete;
    ~SpoiledCatalogue() { std::filesystem::remove_all(folder_); }

    void patch(const char* file, const nlohmann::json& merge) {
        nlohmann::json document = parsed_file(folder_ / file);
        document.merge_patch(merge);
        write(file, document.dump(1));
    }
    void write(const char* file, const std::string& text) { std::ofstream(folder_ / file) << text; }
    [[nodiscard]] Diagnostics problems() const {
        Diagnostics problems;
        const bool loaded = Catalogue::load(folder_, problems).has_value();
        CHECK(loaded == problems.empty());
        return problems;
    }
    const std::filesystem::path& folder() const { return folder_; }

  private:
    std::filesystem::path folder_;
};

void check_only_problem(const Diagnostics& problems, const std::string& file,
                        const std::string& pointer, const char* part) {
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].where.file.find(file) != std::string::npos);
    CHECK(problems[0].where.line > 0);
    CHECK(problems[0].pointer == pointer);
    INFO(problems[0].message);
    CHECK(has(problems[0].message, part));
}

void check_refused(const ProfileRequest& r, const std::vector<const char*>& parts) {
    const ProfileResult result = make_profile(shipped(), r);
    CHECK_FALSE(result.profile.has_value());
    INFO(result.error);
    for (const char* part : parts) CHECK(has(result.error, part));
}

}  // namespace

TEST_CASE("Catalogue: the shipped files load and every entry names its source") {
    const Catalogue& c = shipped();
    CHECK(c.gpu_names().size() >= 20);
    CHECK(c.model_names().size() == 14);
    CHECK(c.instance_type_names().size() == 156);
    for (const std::string& id : c.gpu_names()) CHECK_FALSE(c.find_gpu(id)->source.empty());
    for (const std::string& id : c.model_names()) CHECK_FALSE(c.find_model(id)->source.empty());
    for (const std::string& id : c.instance_type_names()) {
        const InstanceTypeEntry& type = *c.find_instance_type(id);
        CHECK_FALSE(type.source.empty());
        CHECK(type.gpu.empty() == (type.gpu_count == 0));
        CHECK(type.price_per_hour.has_value() <= !type.price_date.empty());
    }
    CHECK(c.find_gpu("h100") == nullptr);
    CHECK(c.find_model("") == nullptr);
}

TEST_CASE("Catalogue: an instance type becomes a node") {
    const InstanceTypeEntry& type = *shipped().find_instance_type("p5.48xlarge");
    const cluster::NodeSpec node = shipped().node_spec_of(type);
    CHECK(node.instance_type == "p5.48xlarge");
    CHECK(node.capacity.cpu == MilliCpu{192'000});
    CHECK(node.capacity.memory == gibibytes(2048));
    CHECK(node.allocatable.cpu == MilliCpu{191'450});
    CHECK(node.allocatable.memory == mebibytes(1'938'410));
    CHECK(node.allocatable.max_pods == 100);
    CHECK(node.price_per_hour == Money{55'040'000});
    CHECK(node.nic_bytes_per_s == 400'000'000'000);
    REQUIRE(node.devices.size() == 8);
    CHECK(node.devices[7].model == "h100-sxm");
    CHECK(node.devices[7].memory == shipped().find_gpu("h100-sxm")->spec.memory);
    CHECK(node.devices[7].peak_milliwatts == 700'000);
    CHECK(node.labels.at("node.kubernetes.io/instance-type") == "p5.48xlarge");
    CHECK(node.labels.at("topology.kubernetes.io/region") == "us-east-1");
    CHECK(node.labels.at("nvidia.com/gpu.product") == "h100-sxm");
    CHECK(node.idle_milliwatts == 192 * 740 + 2199 * 392);
}

TEST_CASE("Catalogue: a CPU node has no devices, a virtual GPU a part of the memory") {
    const Catalogue& c = shipped();
    const cluster::NodeSpec cpu = c.node_spec_of(*c.find_instance_type("m7i.2xlarge"));
    CHECK(cpu.devices.empty());
    CHECK(cpu.labels.count("nvidia.com/gpu.product") == 0);
    const cluster::NodeSpec half = c.node_spec_of(*c.find_instance_type("Standard_NV18ads_A10_v5"));
    REQUIRE(half.devices.size() == 1);
    CHECK(half.devices[0].memory.count() == c.find_gpu("a10")->spec.memory.count() / 2);
}

TEST_CASE("Catalogue: allocatable follows the providers' reservation rules") {
    // GKE, 4 vCPU and 16 GiB: 80 m; 25 % of 4 + 20 % of 4 + 10 % of 8 GiB = 2662 MiB, and 100.
    const InstanceTypeEntry& gke = *shipped().find_instance_type("n2-standard-4");
    CHECK(gke.allocatable.cpu == MilliCpu{3920});
    CHECK(gke.allocatable.memory == mebibytes(16 * 1024 - 2663 - 100));
    // AKS, 2 vCPU and 8 GiB: 60 + 40 m; 25 % of 4 + 20 % of 4 GiB = 1843.2 MiB, and 750.
    const InstanceTypeEntry& aks = *shipped().find_instance_type("Standard_D2s_v5");
    CHECK(aks.allocatable.cpu == MilliCpu{1900});
    CHECK(aks.allocatable.memory == mebibytes(8 * 1024 - 1844 - 750));
}

TEST_CASE("Catalogue: refuses a value that is missing, unknown, out of range or not finite") {
    using nlohmann::json;
    SECTION("a missing field") {
        SpoiledCatalogue copy;
        copy.patch("gpus.json", {{"gpus", {{"t4", {{"memory_bytes_per_s", nullptr}}}}}});
        check_only_problem(copy.problems(), "gpus.json", "/gpus/t4", "\"memory_bytes_per_s\"");
    }
    SECTION("an unknown field, with the nearest known one") {
        SpoiledCatalogue copy;
        copy.patch("models.json", {{"models", {{"qwen3-8b", {{"tied_embedings", true}}}}}});
        check_only_problem(copy.problems(), "models.json", "/models/qwen3-8b/tied_embedings",
                           "tied_embeddings");
    }
    SECTION("a rate of nothing") {
        SpoiledCatalogue copy;
        copy.patch("gpus.json", {{"gpus", {{"l4", {{"bf16_flops_per_s", 0}}}}}});
        check_only_problem(copy.problems(), "gpus.json", "/gpus/l4/bf16_flops_per_s", "above 0");
    }
    SECTION("a number too large for a double") {
        SpoiledCatalogue copy;
        std::ifstream in(copy.folder() / "gpus.json");
        std::string text((std::istreambuf_iterator<char>(in)), {});
        const std::size_t at = text.find("\"peak_watts\": 700");
        REQUIRE(at != std::string::npos);
        text.replace(at, 17, "\"peak_watts\": 1e999");
        copy.write("gpus.json", text);
        CHECK(copy.problems().size() >= 1);
    }
    SECTION("a GPU that is not in gpus.json") {
        SpoiledCatalogue copy;
        copy.patch("instance_types.json",
                   {{"instance_types", {{"p5.48xlarge", {{"gpu", "h100-smx"}}}}}});
        check_only_problem(copy.problems(), "instance_types.json",
                           "/instance_types/p5.48xlarge/gpu", "did you mean \"h100-sxm\"");
    }
    SECTION("more allocatable than there is") {
        SpoiledCatalogue copy;
        copy.patch("instance_types.json",
                   {{"instance_types", {{"m7i.large", {{"allocatable_cpu_milli", 2001}}}}}});
        check_only_problem(copy.problems(), "instance_types.json",
                           "/instance_types/m7i.large/allocatable_cpu_milli", "from 1 to 2000");
    }
    SECTION("a shape that is not the model of the card") {
        SpoiledCatalogue copy;
        copy.patch("models.json", {{"models", {{"llama-3.1-8b", {{"layers", 30}}}}}});
        check_only_problem(copy.problems(), "models.json", "/models/llama-3.1-8b/parameters",
                           "within 2 %");
    }
    SECTION("a price without its date") {
        SpoiledCatalogue copy;
        copy.patch("instance_types.json",
                   {{"instance_types", {{"m7i.large", {{"price_date", nullptr}}}}}});
        check_only_problem(copy.problems(), "instance_types.json", "/instance_types/m7i.large",
                           "price_date");
    }
    SECTION("a file that is not there") {
        SpoiledCatalogue copy;
        std::filesystem::remove(copy.folder() / "models.json");
        REQUIRE(copy.problems().size() == 1);
    }
}

TEST_CASE("Catalogue: reports the mistakes of all files in one go") {
    SpoiledCatalogue copy;
    copy.patch("gpus.json", {{"gpus", {{"l4", {{"name", 5}}}}}});
    copy.patch("models.json", {{"models", {{"qwen3-8b", {{"hidden", -1}, {"layers", "x"}}}}}});
    // The instance types with an L4 do not complain once more.
    CHECK(copy.problems().size() == 3);
}

TEST_CASE("Catalogue: HEADROOM_CATALOGUE chooses another folder") {
    REQUIRE(setenv("HEADROOM_CATALOGUE", "/somewhere/else", 1) == 0);
    CHECK(Catalogue::default_directory() == "/somewhere/else");
    REQUIRE(unsetenv("HEADROOM_CATALOGUE") == 0);
    CHECK(std::filesystem::equivalent(Catalogue::default_directory(), shipped_folder()));
}

TEST_CASE("Catalogue: sizes of models agree with the public figures") {
    // Billions of parameters, KV bytes a token and GB of weights in bf16 and fp8 of model cards.
    struct Row {
        const char* id;
        double parameters_b;
        std::int64_t kv_bytes;
        double bf16_gb;
        double fp8_gb;
    };
    for (const Row& row :
         {Row{"llama-3.1-8b", 8.03, 131072, 16.1, 9.1},
          Row{"llama-3.1-405b", 405.85, 516096, 811.7, 410.1},
          Row{"qwen2.5-7b", 7.62, 57344, 15.2, 8.7}, Row{"mixtral-8x7b", 46.7, 131072, 93.4, 47.0},
          Row{"qwen3-235b-a22b", 235.09, 192512, 470.2, 236.3}}) {
        const serving::TransformerShape& shape = shipped().find_model(row.id)->shape;
        CHECK(static_cast<double>(parameter_count(shape)) / 1e9 ==
              Approx(row.parameters_b).epsilon(0.01));
        CHECK(kv_bytes_per_token(shape, DType::bf16, 1).count() == row.kv_bytes);
        CHECK(static_cast<double>(weight_bytes(shape, DType::bf16).count()) / 1e9 ==
              Approx(row.bf16_gb).epsilon(0.02));
        CHECK(static_cast<double>(weight_bytes(shape, DType::fp8).count()) / 1e9 ==
              Approx(row.fp8_gb).epsilon(0.02));
    }
}

TEST_CASE("Catalogue: sizes of models agree with the reference table") {
    const std::filesystem::path table =
        std::filesystem::path(HEADROOM_SOURCE_DIR) / "../shared/reference/gpu/model_memory.json";
    if (!std::filesystem::exists(table)) {
        std::cout << "skipped: " << table.filename().string() << " is not there\n";
        return;
    }
    int compared = 0;
    for (const nlohmann::json& row : parsed_file(table)) {
        std::string id = row["model"];
        for (char& c : id) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (id.rfind("deepseek-v3", 0) == 0) id = "deepseek-v3";
        const ModelEntry* model = shipped().find_model(id);
        if (model == nullptr) continue;
        ++compared;
        INFO(id);
        const serving::TransformerShape& shape = model->shape;
        CHECK(static_cast<double>(parameter_count(shape)) / 1e9 ==
              Approx(row["params_b"].get<double>()).epsilon(0.01));
        CHECK(static_cast<double>(active_parameter_count(shape)) / 1e9 ==
              Approx(row["active_b"].get<double>()).epsilon(0.03));
        CHECK(kv_bytes_per_token(shape, DType::bf16, 1).count() == row["kv_bytes_token_bf16"]);
        CHECK(kv_bytes_per_token(shape, DType::fp8, 1).count() == row["kv_bytes_token_fp8"]);
        for (const DType dtype : {DType::bf16, DType::fp8}) {
            if (!row["weights_gb"].contains(serving::name_of(dtype))) continue;
            CHECK(static_cast<double>(weight_bytes(shape, dtype).count()) / 1e9 ==
                  Approx(row["weights_gb"][serving::name_of(dtype)].get<double>()).epsilon(0.02));
        }
    }
    CHECK(compared == 14);
}

TEST_CASE("Profile: default limits are those of vLLM's API server") {
    const auto limits = [](const char* gpu) { return default_limits(*shipped().find_gpu(gpu)); };
    for (const char* big : {"h100-sxm", "h200-sxm", "mi300x", "rtx-pro-6000-server"}) {
        CHECK(limits(big).max_num_batched_tokens == 8192);
        CHECK(limits(big).max_num_seqs == 1024);
    }
    for (const char* other : {"a100-sxm-80", "a100-pcie-80", "l40s", "t4"}) {
        CHECK(limits(other).max_num_batched_tokens == 2048);
        CHECK(limits(other).max_num_seqs == 256);
    }
}

TEST_CASE("Profile: says what it is and brings all an engine needs") {
    const ProfileResult result = make_profile(shipped(), request("llama-3.1-8b", "h100-sxm"));
    REQUIRE(result.profile.has_value());
    const Profile& profile = *result.profile;
    CHECK(profile.info.kind == "estimated");
    CHECK(profile.info.name == "llama-3.1-8b on h100-sxm, tp 1, bf16");
    CHECK(profile.info.error_band == 0.15);
    CHECK(profile.kv_blocks > 26'000);
    CHECK(profile.kv_blocks < 28'500);
    CHECK(profile.front_end == Duration::milliseconds(15));
    CHECK(profile.weights.count() == 16'060'522'496);
    CHECK(profile.latency->iteration_cost({}).fixed == Duration::milliseconds(1));
}

TEST_CASE("Profile: KV blocks of an RTX 4090 are near what vLLM recorded") {
    const ProfileResult result = make_profile(shipped(), request("llama-3.1-8b", "rtx-4090"));
    REQUIRE(result.profile.has_value());
    CHECK(static_cast<double>(result.profile->kv_blocks) == Approx(2588).epsilon(0.02));
    CHECK(result.profile->info.error_band == 0.25);
}

TEST_CASE("Profile: an estimate over PCIe or of latent attention carries a warning") {
    const ProfileResult pcie = make_profile(shipped(), request("llama-3.1-8b", "l4", 4));
    REQUIRE(pcie.profile.has_value());
    CHECK(has(pcie.profile->info.name, "not trusted"));
    const ProfileResult latent =
        make_profile(shipped(), request("deepseek-v3", "h200-sxm", 8, DType::fp8));
    REQUIRE(latent.profile.has_value());
    CHECK(has(latent.profile->info.name, "latent attention"));
}

TEST_CASE("Profile: refuses what cannot be, in a sentence that helps") {
    check_refused(request("lama-3.1-8b", "h100-sxm"),
                  {"unknown model", "did you mean \"llama-3.1-8b\""});
    check_refused(request("llama-3.1-8b", "h100-sx"), {"unknown GPU", "did you mean \"h100-sxm\""});
    check_refused(request("llama-3.1-70b", "h100-sxm"), {"does not fit", "it needs 2 GPUs"});
    check_refused(request("llama-3.1-405b", "t4"), {"no number of GPUs"});
    check_refused(request("qwen2.5-7b", "h100-sxm", 8),
                  {"does not split over 8 GPUs: expected one of 1, 2, 4"});
    check_refused(request("llama-3.1-8b", "a100-sxm-80", 1, DType::fp8), {"has no fp8"});
    ProfileRequest long_context = request("llama-3.1-8b", "rtx-4090");
    long_context.max_model_len = 131'072;
    check_refused(long_context, {"expected max_model_len of at most"});
    ProfileRequest narrow = request("llama-3.1-8b", "h100-sxm");
    narrow.limits = EngineLimits{128, 256};
    check_refused(narrow, {"max_num_seqs <= max_num_batched_tokens"});
    ProfileRequest no_block = request("llama-3.1-8b", "h100-sxm");
    no_block.block_size = 0;
    check_refused(no_block, {"block size"});
}

TEST_CASE("Profile: every model runs on some number of H200s") {
    for (const std::string& model : shipped().model_names()) {
        INFO(model);
        bool runs = false;
        for (const std::int64_t tp : {1, 2, 4, 8}) {
            runs =
                runs || make_profile(shipped(), request(model.c_str(), "h200-sxm", tp, DType::fp8))
                            .profile.has_value();
        }
        CHECK(runs);
    }
}

}  // namespace headroom::scenarios
