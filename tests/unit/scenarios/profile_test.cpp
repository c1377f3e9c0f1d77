#include "scenarios/catalogue/profile.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "scenarios/scenario.hpp"
#include "sim/serving/latency/linear_latency.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/shipped_catalogue.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::scenarios {
namespace {

using serving::DType;
namespace fixtures = headroom::serving::tests;

/// The shipped facts with profiles of a test's own; the files are gone with the object.
class CatalogueWithProfiles {
  public:
    CatalogueWithProfiles() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "headroom-profiles-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        folder_ = pattern;
        for (const char* file :
             {"gpus.json", "models.json", "networks.json", "instance_types.json"}) {
            std::filesystem::copy_file(shipped_folder() / file, folder_ / file);
        }
        std::filesystem::create_directory(folder_ / "profiles");
    }
    CatalogueWithProfiles(const CatalogueWithProfiles&) = delete;
    CatalogueWithProfiles& operator=(const CatalogueWithProfiles&) = delete;
    ~CatalogueWithProfiles() { std::filesystem::remove_all(folder_); }

    void add(const std::string& file, const ProfileFile& profile) const {
        std::ofstream(folder_ / "profiles" / file) << profile_text(profile);
    }
    void add_text(const std::string& file, const std::string& text) const {
        std::ofstream(folder_ / "profiles" / file) << text;
    }
    [[nodiscard]] std::optional<Catalogue> load(Diagnostics& problems) const {
        return Catalogue::load(folder_, problems);
    }
    [[nodiscard]] Catalogue load() const {
        Diagnostics problems;
        std::optional<Catalogue> loaded = load(problems);
        for (const Diagnostic& problem : problems) UNSCOPED_INFO(problem.text());
        REQUIRE(loaded.has_value());
        return *loaded;
    }

  private:
    std::filesystem::path folder_;
};

ProfileFile measured(const char* gpu) {
    ProfileFile file;
    file.kind = "measured";
    file.gpu = gpu;
    file.source = "a law";
    file.error_band = 0.1;
    file.tables = fixtures::synthetic_tables();
    file.tables->batch_times["resnet50"] = {{1, 8}, {1e-3, 2e-3}};
    return file;
}

ProfileFile observed(const char* model, const char* gpu, std::int64_t tp) {
    ProfileFile file;
    file.kind = "observed";
    file.gpu = gpu;
    file.source = "a log";
    file.error_band = 0.02;
    ObservedProfile fit;
    fit.model = model;
    fit.tensor_parallel = tp;
    fit.linear = {Duration::milliseconds(13), Duration::microseconds(38),
                  Duration::microseconds(15), Duration::nanoseconds(98), Duration::nanoseconds(2)};
    fit.front_end = Duration::milliseconds(3);
    file.observed = fit;
    return file;
}

Duration step(const Profile& profile) {
    return profile.latency->iteration_cost(fixtures::decode(8, 1000)).at(8000);
}

}  // namespace

TEST_CASE("Profile: measured goes before observed, and observed before estimated") {
    const CatalogueWithProfiles files;
    const ProfileRequest r = request("llama-3.1-8b", "h100-sxm");
    const auto best = [&] {
        const ProfileResult result = make_profile(files.load(), r);
        REQUIRE(result.profile.has_value());
        return *result.profile;
    };
    CHECK(best().info.kind == "estimated");

    files.add("seen.json", observed("llama-3.1-8b", "h100-sxm", 1));
    const Profile seen = best();
    CHECK(seen.info.kind == "observed");
    CHECK(seen.info.error_band == 0.02);
    CHECK(seen.front_end == Duration::milliseconds(3));
    CHECK(step(seen) == serving::LinearLatency(observed("", "", 1).observed->linear)
                            .iteration_cost(fixtures::decode(8, 1000))
                            .at(8000));

    files.add("h100-sxm.json", measured("h100-sxm"));
    const Profile timed = best();
    CHECK(timed.info.kind == "measured");
    CHECK(timed.info.error_band == 0.1);
    CHECK(timed.front_end == Duration::milliseconds(15));
    CHECK(timed.transformer != nullptr);
    CHECK(step(timed) != step(seen));
}

TEST_CASE("Profile: an observed mixture of experts reads what its batch touches") {
    const CatalogueWithProfiles files;
    ProfileFile seen = observed("qwen3-30b-a3b", "h200-sxm", 1);
    const serving::LinearCoefficients dense = seen.observed->linear;
    seen.observed->linear.per_touched_expert = Duration::microseconds(128);
    files.add("seen.json", seen);
    const Catalogue catalogue = files.load();
    const ProfileResult result = make_profile(catalogue, request("qwen3-30b-a3b", "h200-sxm"));
    REQUIRE(result.profile.has_value());
    const auto time = [](const serving::LatencyModel& latency, std::int64_t sequences) {
        return latency.iteration_cost(fixtures::decode(sequences, 1000)).fixed;
    };
    const auto reads = [&](std::int64_t sequences) {
        return time(*result.profile->latency, sequences) -
               time(serving::LinearLatency(dense), sequences);
    };
    // 8 of 128 experts a token: 8, then 8 + 8 * 15 / 16.
    CHECK(reads(1) == Duration::microseconds(1024));
    CHECK(reads(2) == Duration::microseconds(1984));

    ProfileFile wrong = observed("llama-3.1-8b", "h200-sxm", 1);
    wrong.observed->linear.per_touched_expert = Duration::microseconds(128);
    files.add("wrong.json", wrong);
    const Catalogue with_wrong = files.load();
    REQUIRE(with_wrong.broken_profiles().size() == 1);
    CHECK(with_wrong.broken_profiles()[0].text().find(
              "/linear/c5_s: expected none: llama-3.1-8b has no experts") != std::string::npos);
}

TEST_CASE("Profile: a measured one is no surer than the estimate of what it lacks") {
    const CatalogueWithProfiles files;
    files.add("h200-sxm.json", measured("h200-sxm"));
    files.add("l4.json", measured("l4"));
    ProfileFile other = measured("h100-sxm");
    other.tables->head_size = 64;
    files.add("h100-sxm.json", other);
    const Catalogue catalogue = files.load();
    const auto band = [&](const char* model, const char* gpu, std::int64_t tp) {
        ProfileRequest r = request(model, gpu, tp);
        r.dtype = DType::fp8;
        const ProfileResult made = make_profile(catalogue, r);
        INFO(made.error);
        REQUIRE(made.profile.has_value());
        CHECK(made.profile->info.kind == "measured");
        return made.profile->info.error_band;
    };
    CHECK(band("llama-3.1-8b", "h200-sxm", 2) == 0.1);
    CHECK(band("deepseek-v3", "h200-sxm", 8) == 0.15);
    CHECK(band("llama-3.1-8b", "h100-sxm", 1) == 0.15);
    CHECK(band("llama-3.1-8b", "l4", 1) == 0.1);
    CHECK(band("llama-3.1-8b", "l4", 2) == 0.25);
}

TEST_CASE("Profile: a request that insists on a kind gets it, or hears what there is") {
    const CatalogueWithProfiles files;
    files.add("h100-sxm.json", measured("h100-sxm"));
    files.add("seen.json", observed("llama-3.1-8b", "h100-sxm", 1));
    const Catalogue catalogue = files.load();
    ProfileRequest r = request("llama-3.1-8b", "h100-sxm");
    for (const ProfileKind kind :
         {ProfileKind::measured, ProfileKind::observed, ProfileKind::estimated}) {
        r.kind = kind;
        const ProfileResult result = make_profile(catalogue, r);
        REQUIRE(result.profile.has_value());
        CHECK(result.profile->info.kind == profile_kind_names()[static_cast<std::size_t>(kind)]);
    }
    r = request("llama-3.1-8b", "h200-sxm");
    r.kind = ProfileKind::measured;
    CHECK(make_profile(catalogue, r).error.find("the catalogue has h100-sxm") != std::string::npos);
    r.kind = ProfileKind::observed;
    CHECK(make_profile(catalogue, r).error.find("the catalogue has seen") != std::string::npos);
}

TEST_CASE("Profile: an observed profile is for its own model, degree and types alone") {
    const CatalogueWithProfiles files;
    files.add("seen.json", observed("llama-3.1-8b", "h100-sxm", 2));
    const Catalogue catalogue = files.load();
    const auto kind = [&](ProfileRequest r) {
        return make_profile(catalogue, r).profile->info.kind;
    };
    CHECK(kind(request("llama-3.1-8b", "h100-sxm", 2)) == "observed");
    CHECK(kind(request("llama-3.1-8b", "h100-sxm", 1)) == "estimated");
    CHECK(kind(request("llama-3.1-8b", "h200-sxm", 2)) == "estimated");
    CHECK(kind(request("qwen3-8b", "h100-sxm", 2)) == "estimated");
    ProfileRequest fp8 = request("llama-3.1-8b", "h100-sxm", 2);
    fp8.dtype = DType::fp8;
    CHECK(kind(fp8) == "estimated");
}

TEST_CASE("Profile: fp8 weights on a GPU without fp8 are for those who observed them") {
    const CatalogueWithProfiles files;
    ProfileRequest r = request("llama-3.1-8b", "a100-sxm-80");
    r.dtype = DType::fp8;
    CHECK(make_profile(files.load(), r).error.find("has no fp8") != std::string::npos);
    ProfileFile seen = observed("llama-3.1-8b", "a100-sxm-80", 1);
    seen.observed->dtype = DType::fp8;
    files.add("seen.json", seen);
    CHECK(make_profile(files.load(), r).profile->info.kind == "observed");
    r.kind = ProfileKind::estimated;
    CHECK(make_profile(files.load(), r).error.find("has no fp8") != std::string::npos);
}

TEST_CASE("Profile: without measured fp8 products an fp8 model is estimated") {
    const CatalogueWithProfiles files;
    ProfileFile file = measured("h100-sxm");
    file.tables->gemm_fp8.clear();
    files.add("h100-sxm.json", file);
    ProfileRequest r = request("llama-3.1-8b", "h100-sxm");
    CHECK(make_profile(files.load(), r).profile->info.kind == "measured");
    r.dtype = DType::fp8;
    CHECK(make_profile(files.load(), r).profile->info.kind == "estimated");
}

TEST_CASE("Profile: a network in batches is measured where its times are, else estimated") {
    const CatalogueWithProfiles files;
    files.add("h100-sxm.json", measured("h100-sxm"));
    const Catalogue catalogue = files.load();
    const auto resnet = make_batch_profile(catalogue, "resnet-50", "h100-sxm", ProfileKind::best);
    CHECK(resnet.profile->info.kind == "measured");
    CHECK(resnet.profile->latency->at(8) == Duration::milliseconds(2));
    const auto vit = make_batch_profile(catalogue, "vit-b-16", "h100-sxm", ProfileKind::best);
    CHECK(vit.profile->info.kind == "estimated");
    CHECK(make_batch_profile(catalogue, "vit-b-16", "h100-sxm", ProfileKind::measured)
              .error.find("no measured profile of vit-b-16") == 0);
    CHECK(make_batch_profile(catalogue, "resnet50", "h100-sxm", ProfileKind::best)
              .error.find("did you mean \"resnet-50\"?") != std::string::npos);
}

TEST_CASE("Profile: of two that answer the same request the second is broken") {
    const CatalogueWithProfiles files;
    files.add("a.json", measured("h100-sxm"));
    files.add("b.json", measured("h200-sxm"));
    files.add("c.json", observed("llama-3.1-8b", "h100-sxm", 1));
    files.add("d.json", observed("llama-3.1-8b", "h100-sxm", 2));
    CHECK(files.load().profiles().size() == 4);
    CHECK(files.load().broken_profiles().empty());
    files.add("e.json", observed("llama-3.1-8b", "h100-sxm", 2));
    files.add("f.json", measured("h100-sxm"));
    const Catalogue both = files.load();
    CHECK(both.profiles().size() == 4);
    REQUIRE(both.broken_profiles().size() == 2);
    const BrokenProfile& observed_twice = both.broken_profiles()[0];
    CHECK(observed_twice.text().find("expected one observed profile of llama-3.1-8b on h100-sxm, "
                                     "found another in ") != std::string::npos);
    CHECK(observed_twice.text().find("d.json") != std::string::npos);
    CHECK(both.broken_profiles()[1].text().find("a.json") != std::string::npos);
}

TEST_CASE("Profile: one of a GPU or a model that the catalogue lacks is broken") {
    const CatalogueWithProfiles files;
    files.add("a.json", measured("h100-sxn"));
    files.add("b.json", observed("llama-3.1-9b", "h100-sxm", 1));
    files.add("c.json", measured("h200-sxm"));
    const Catalogue catalogue = files.load();
    CHECK(catalogue.profiles().size() == 1);
    REQUIRE(catalogue.broken_profiles().size() == 2);
    const BrokenProfile& a = catalogue.broken_profiles()[0];
    CHECK(a.kind == "measured");
    CHECK(a.gpu == "");
    CHECK(a.problems.at(0).pointer == "/gpu");
    CHECK(a.problems.at(0).message.find("did you mean \"h100-sxm\"") != std::string::npos);
    const BrokenProfile& b = catalogue.broken_profiles()[1];
    CHECK(b.gpu == "h100-sxm");
    CHECK(b.model == "");
    CHECK(b.problems.at(0).pointer == "/model");
    CHECK(b.problems.at(0).message.find("did you mean \"llama-3.1-8b\"") != std::string::npos);
}

TEST_CASE("Profile: a broken one stops those who may mean it, and nobody else") {
    const CatalogueWithProfiles files;
    ProfileFile seen = observed("llama-3.1-8b", "h100-sxm", 1);
    seen.error_band = 7;
    files.add("seen.json", seen);
    files.add_text("rtx-4090-new.json", "{\"schema\": 1, \"kind\": \"measured\"");
    files.add_text("half.json", "{");
    const Catalogue catalogue = files.load();
    const auto error = [&](ProfileRequest r, ProfileKind kind = ProfileKind::best) {
        r.kind = kind;
        return make_profile(catalogue, r).error;
    };
    const auto names = [](const std::string& text, const std::string& file) {
        const std::size_t told = text.find("a profile of the catalogue is refused: ");
        return told != std::string::npos && text.find(file, told) != std::string::npos;
    };
    const ProfileRequest meant = request("llama-3.1-8b", "h100-sxm");
    CHECK(names(error(meant), "seen.json"));
    CHECK(names(error(meant, ProfileKind::observed), "seen.json"));
    CHECK(error(meant, ProfileKind::estimated) == "");
    CHECK(error(request("qwen3-8b", "h100-sxm")) == "");
    CHECK(error(request("llama-3.1-8b", "h200-sxm")) == "");
    // Its name says of which GPU it is; a file that says nothing is in the way of those alone who
    // insist on what there is not.
    CHECK(names(error(request("llama-3.1-8b", "rtx-4090")), "rtx-4090-new.json"));
    CHECK(names(error(request("llama-3.1-8b", "h200-sxm"), ProfileKind::measured), "half.json"));
    const auto network = [&](const std::string& gpu) {
        return make_batch_profile(catalogue, "resnet-50", gpu, ProfileKind::best).error;
    };
    CHECK(names(network("rtx-4090"), "rtx-4090-new.json"));
    CHECK(network("h100-sxm") == "");
    // A measured profile goes before an observed one, broken or not.
    files.add("h100-sxm.json", measured("h100-sxm"));
    CHECK(make_profile(files.load(), meant).profile->info.kind == "measured");
}

TEST_CASE("Scenario: broken profiles that it does not use are warnings") {
    const CatalogueWithProfiles files;
    files.add_text("half.json", "{");
    const auto catalogue = std::make_shared<const Catalogue>(files.load());
    const TemporaryFolder folder;
    folder.write("s.json", R"({"duration": "1h", "services": {"web": {"simple": {}}}, "sources":
        {"u": {"service": "web", "arrivals": {"process": "poisson", "rate": 1}}}})");
    const LoadResult loaded = load_scenario(folder.path("s.json"), {.catalogue = catalogue});
    REQUIRE(loaded.scenario.has_value());
    REQUIRE(loaded.scenario->warnings.size() == 1);
    CHECK(loaded.scenario->warnings[0].find("half.json:") != std::string::npos);
}

}  // namespace headroom::scenarios
