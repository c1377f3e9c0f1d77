// The files of the catalogue: GPUs, models, networks, instance types, profiles.
#include "scenarios/catalogue/catalogue.hpp"

#include <nlohmann/json.hpp>

#include "scenarios/catalogue/catalogue_reader.hpp"
#include "scenarios/catalogue/launch_work.hpp"
#include "sim/serving/latency/measured_operators.hpp"
#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/fuzz/scenarios/scenario_files.hpp"
#include "tests/scale.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::scenarios {

namespace {

using tests::Draws;
using tests::InputFile;

/// The first entries of a table, for its files are long.
std::string first_entries(const std::string& file, const char* table, std::size_t count) {
    auto whole = nlohmann::ordered_json::parse(
        tests::repository_text("scenarios/catalogue/" + file), nullptr, true, true);
    auto rows = nlohmann::ordered_json::object();
    for (const auto& [id, row] : whole[table].items()) {
        if (rows.size() < count) rows[id] = row;
    }
    whole[table] = rows;
    return whole.dump(1);
}

/// Profiles of both kinds, with a column or two of each operator.
tests::Corpus profile_corpus() {
    ProfileFile measured;
    measured.kind = "measured";
    measured.gpu = "h100-sxm";
    measured.source = "a known law";
    measured.error_band = 0.1;
    measured.l2_bytes = 52428800;
    serving::OperatorTables& tables = measured.tables.emplace(serving::tests::synthetic_tables());
    tables.lm_head_bf16 = {{128256, 4096, {1, 8}, {4e-4, 4.1e-4}}};
    tables.batch_times = {{"resnet50", {{1, 8, 64}, {1e-3, 2e-3, 9e-3}}}};
    tables.gemm_bf16.resize(2);
    tables.gemm_fp8.resize(1);
    tables.decode_attention.resize(2);
    tables.prefill_attention.resize(1);
    ProfileFile observed;
    observed.kind = "observed";
    observed.gpu = "rtx-pro-6000-server";
    observed.source = "a log";
    observed.error_band = 0.02;
    ObservedProfile& fitted = observed.observed.emplace();
    fitted.model = "llama-3.1-8b";
    fitted.tensor_parallel = 2;
    fitted.dtype = serving::DType::fp8;
    fitted.linear = {Duration::microseconds(13100), Duration::nanoseconds(38100),
                     Duration::nanoseconds(15300), Duration::nanoseconds(98),
                     Duration::picoseconds(2100)};
    fitted.front_end = Duration::milliseconds(12);
    fitted.fit = std::make_shared<const nlohmann::json>(nlohmann::json{{"requests", 150}});
    return {profile_text(measured), profile_text(observed)};
}

bool check_profile(const std::string& path, const InputFile& written) {
    Diagnostics diagnostics;
    const std::optional<ProfileFile> profile = read_profile(path, diagnostics);
    if (!profile) {
        REQUIRE(tests::fault_of(diagnostics, true) == "");
        return false;
    }
    REQUIRE(diagnostics.empty());
    REQUIRE(profile->tables.has_value() == (profile->kind == "measured"));
    REQUIRE(profile->observed.has_value() == (profile->kind == "observed"));
    Diagnostics none;
    const auto again = read_profile(written.write(profile_text(*profile)), none);
    REQUIRE(again.has_value());
    REQUIRE(to_json(*again) == to_json(*profile));
    if (!profile->tables) return true;
    // What it holds can be evaluated.
    const serving::MeasuredOperators operators(*profile->tables, serving::tests::h100());
    REQUIRE(operators.has_fp8() == !profile->tables->gemm_fp8.empty());
    return true;
}

}  // namespace

TEST_CASE("ProfileFile fuzz: a profile is refused with its lines, or comes back as it is written") {
    const tests::Corpus corpus = profile_corpus();
    const InputFile file("p.json");
    const InputFile written("again.json");
    for (const std::string& text : corpus) {
        Diagnostics diagnostics;
        CHECK(read_profile(file.write(text), diagnostics).has_value());
    }
    const auto check = [&](const std::string& text) {
        return check_profile(file.write(text), written);
    };
    CHECK(tests::fuzz(
              "profile/structure", tests::scaled(1000),
              [&](Draws& draws) { return tests::mutate_json(corpus, draws); }, check)
              .both());
    CHECK(tests::fuzz(
              "profile/bytes", tests::scaled(600),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); }, check)
              .both());
}

TEST_CASE("Catalogue fuzz: tables are refused with their lines, or make a catalogue") {
    struct Table {
        const char* file;
        const char* name;
        std::size_t entries;
        tests::Corpus corpus;
    };
    std::vector<Table> tables = {{"gpus.json", "gpus", 3, {}},
                                 {"models.json", "models", 6, {}},
                                 {"networks.json", "networks", 3, {}},
                                 {"instance_types.json", "instance_types", 4, {}}};
    for (Table& table : tables) {
        table.corpus = {first_entries(table.file, table.name, table.entries)};
    }
    const std::vector<std::string> gpus = shared_catalogue()->gpu_names();
    const InputFile file("table.json");
    std::size_t which = 0;
    const auto check = [&](const std::string& text) {
        const std::string& path = file.write(text);
        Diagnostics diagnostics;
        bool any = false;
        switch (which) {
            case 0:
                any = !read_gpus(path, diagnostics).empty();
                break;
            case 1:
                any = !read_models(path, diagnostics).empty();
                break;
            case 2:
                any = !read_networks(path, diagnostics).empty();
                break;
            default:
                for (const InstanceTypeEntry& type : read_instance_types(path, gpus, diagnostics)) {
                    any = true;
                    if (!diagnostics.empty()) continue;
                    REQUIRE(type.capacity.cpu.count() >= 1);
                    REQUIRE((!type.price_per_hour || type.price_per_hour->count() >= 0));
                    (void)shared_catalogue()->node_spec_of(type);
                }
                break;
        }
        if (!diagnostics.empty()) REQUIRE(tests::fault_of(diagnostics, true) == "");
        return any && diagnostics.empty();
    };
    for (which = 0; which < tables.size(); ++which) CHECK(check(tables[which].corpus[0]));
    CHECK(tests::fuzz(
              "catalogue", tests::scaled(1500),
              [&](Draws& draws) {
                  which = static_cast<std::size_t>(draws.below(4));
                  return draws.one_in(4) ? tests::mutate_bytes(tables[which].corpus, draws)
                                         : tests::mutate_json(tables[which].corpus, draws);
              },
              check)
              .both());
}

// What fuzzing found, reduced.

TEST_CASE("Catalogue fuzz: prices and watts that no whole number of millionths holds are refused") {
    const InputFile file("table.json");
    const auto message_of = [&](const char* table, const char* name, const char* field,
                                const auto& read) {
        auto text = nlohmann::ordered_json::parse(first_entries(table, name, 1));
        for (auto& entry : text[name]) entry[field] = 1e300;
        Diagnostics diagnostics;
        (void)read(file.write(text.dump()), diagnostics);
        REQUIRE(diagnostics.size() == 1);
        return diagnostics[0].message;
    };
    const std::string expected = "expected at most 1000000, found 1e+300";
    CHECK(message_of("gpus.json", "gpus", "peak_watts", read_gpus) == expected);
    CHECK(message_of("instance_types.json", "instance_types", "price_usd_per_hour",
                     [](const std::string& path, Diagnostics& diagnostics) {
                         return read_instance_types(path, {}, diagnostics);
                     }) == expected);
}

TEST_CASE("ProfileFile fuzz: heads times their size may pass 2^63") {
    const AttentionHeads heads{std::int64_t{1} << 53, std::int64_t{1} << 53, 1000};
    CHECK(decode_attention_launch(heads, 1, 1).flop == 4 * 0x1p53 * 1000);
    CHECK(prefill_attention_launch(heads, 1).bytes == 2 * 2 * 2 * 0x1p53 * 1000);
    CHECK(rope_kv_append_launch(heads, 1).bytes == 2 * 2 * 3 * 0x1p53 * 1000);
}

}  // namespace headroom::scenarios
