#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "scenarios/located_json.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"
#include "tests/catch.hpp"
#include "tests/scale.hpp"
#include "tests/unit/scenarios/json_pointers.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

std::vector<std::string> library_files() {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(HEADROOM_SOURCE_DIR) +
                                                                 "/scenarios/library")) {
        if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

Scenario load_good(const std::string& path) {
    return good_scenario(load_scenario(path));
}

}  // namespace

TEST_CASE(
    "Library: every scenario loads without a warning, describes itself and expects something") {
    REQUIRE(library_files().size() >= 6);
    for (const std::string& path : library_files()) {
        INFO(path);
        const Scenario scenario = load_good(path);
        CHECK(scenario.warnings.empty());
        CHECK(scenario.name == std::filesystem::path(path).stem().string());
        CHECK(scenario.description.size() > 20);
        CHECK_FALSE(scenario.expectations.empty());
    }
}

TEST_CASE("Library: the READMEs know every scenario") {
    const std::vector<std::string> paths = library_files();
    const std::filesystem::path root = HEADROOM_SOURCE_DIR;
    const std::string table = text_of(root / "scenarios/library/README.md");
    for (const std::string& path : paths) {
        const std::string name = std::filesystem::path(path).filename().string();
        CAPTURE(name);
        CHECK(table.find("\n| `" + name + "` | ") != std::string::npos);
    }
    std::size_t rows = 0;  // of the scenarios, before the tables of what lies in folders
    std::istringstream lines(table.substr(0, table.find("\n## ")));
    for (std::string line; std::getline(lines, line);) rows += line.starts_with("| `") ? 1 : 0;
    CHECK(rows == paths.size());
    const std::string number = "; " + std::to_string(paths.size()) + " [examples](";
    CHECK(text_of(root / "README.md").find(number) != std::string::npos);
}

TEST_CASE("Library: every what-if is a patch of quickstart that changes it") {
    const std::string folder = std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/";
    const std::string base = load_good(folder + "quickstart.json").hash;
    int patches = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder + "what-if")) {
        if (entry.path().extension() != ".json") continue;
        ++patches;
        INFO(entry.path());
        const LoadResult result =
            load_scenario(folder + "quickstart.json", {.patches = {entry.path().string()}});
        for (const Diagnostic& d : result.diagnostics) UNSCOPED_INFO(d.text());
        REQUIRE(result.scenario.has_value());
        CHECK(result.scenario->warnings.empty());
        CHECK(result.scenario->hash != base);
    }
    CHECK(patches >= 3);
}

TEST_CASE("Library: quickstart scales up in the surge and back, and no request fails") {
    const Scenario scenario =
        load_good(std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/quickstart.json");
    const SimulationResult result = Simulation(scenario.spec).run({});
    CHECK(result.status == RunStatus::finished);
    CHECK(result.total.requests.of(serving::Outcome::failed) == 0);
    CHECK(result.total.requests.of(serving::Outcome::completed) > 40'000);
    CHECK(result.control.workloads.at(0).scale_ups >= 1);
    CHECK(result.control.workloads.at(0).scale_downs >= 1);
    CHECK_FALSE(result.saturated);
    const auto good = static_cast<double>(result.total.slo_good);
    CHECK(good / (good + static_cast<double>(result.total.slo_missed)) >= 0.9);
}

TEST_CASE("Library: mm1 agrees with the formulas of the M/M/1 queue") {
    const Scenario scenario =
        load_good(std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/mm1.json");
    const SimulationResult result = Simulation(scenario.spec).run({});
    CHECK(result.total.e2e.mean() / 1e12 == Approx(0.5).epsilon(0.03));
    CHECK(result.total.queue.mean() / 1e12 == Approx(0.4).epsilon(0.04));
}

TEST_CASE("Library: three-cells has three cells and drains them all") {
    const Scenario scenario =
        load_good(std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/three-cells.json");
    CHECK(find_cells(scenario.spec).size() == 3);
    const SimulationResult result = Simulation(scenario.spec).run({});
    CHECK(result.total.requests.in_flight() == 0);
    CHECK(result.services.at(0).stats.requests.of(serving::Outcome::completed) > 1000);
}

TEST_CASE("Library: kv-pressure preempts") {
    const Scenario scenario =
        load_good(std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/kv-pressure.json");
    CHECK(Simulation(scenario.spec).run({}).total.preemptions > 100);
}

TEST_CASE("Library: no wrong value in any place brings the loader down") {
    Diagnostics none;
    auto loaded = Catalogue::load(Catalogue::default_directory(), none);
    REQUIRE(loaded.has_value());
    const auto catalogue = std::make_shared<const Catalogue>(std::move(*loaded));
    constexpr std::array values{"null", "0", "{}", "[]", "x"};
    // Each place gets at least one of them, the next place the next one.
    const auto count = static_cast<std::int64_t>(values.size());
    const std::int64_t each = std::min(count, tests::scaled(count));
    std::size_t next = 0;
    for (const std::string& path : library_files()) {
        Diagnostics diagnostics;
        const auto document = read_json_file(path, diagnostics);
        REQUIRE(document.has_value());
        for (const std::string& pointer : pointers_of(document->value())) {
            if (pointer.empty()) continue;
            for (std::int64_t i = 0; i < each; ++i) {
                const char* value = values[next++ % values.size()];
                INFO(path << ": " << pointer << " = " << value);
                const LoadResult result =
                    load_scenario(path, {.sets = {pointer + "=" + value}, .catalogue = catalogue});
                CHECK(result.scenario.has_value() == result.diagnostics.empty());
            }
        }
    }
}

}  // namespace headroom::scenarios
