#include "analysis/cli/compare_inputs.hpp"

#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

std::string queue_json(const std::string& name, int servers, const std::string& more = "") {
    return R"({"name": ")" + name + R"(", "duration": "1m",
  "services": {"web": {"simple": {"servers": )" +
           std::to_string(servers) + R"(}}},
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}})" +
           more + "}";
}

class ScenarioFiles {
  public:
    ScenarioFiles() {
        folder_.write("today.json", queue_json("queue", 2));
        folder_.write("copy.json", queue_json("queue", 3, R"(, "seed": 9)"));
        folder_.write("wide.json", queue_json("wide", 4));
        folder_.write("below/today.json", queue_json("queue", 5));
        folder_.write("faster.json", R"({"services": {"web": {"simple": {"servers": 8}}}})");
        folder_.write("named.json", R"({"name": "with eight"})");
        folder_.write("wrong.json", "{\n \"services\": {\"web\": {\"replicsa\": 8}}\n}");
    }
    [[nodiscard]] CompareInputs load(std::vector<std::string> files,
                                     std::vector<std::string> patches = {},
                                     std::vector<std::string> sets = {}) const {
        for (std::string& file : files) file = folder_.path(file);
        for (std::string& file : patches) file = folder_.path(file);
        scenarios::LoadOptions options;
        options.sets = std::move(sets);
        return load_compare_inputs(files, patches, options);
    }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }

  private:
    scenarios::TemporaryFolder folder_;
};

std::vector<std::string> names_of(const CompareInputs& inputs) {
    std::vector<std::string> out;
    for (const CompareInput& input : inputs.scenarios) out.push_back(input.name);
    return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("CompareInputs: sides are called by their names, else by their files") {
    const ScenarioFiles files;
    CHECK(names_of(files.load({"today.json", "wide.json"})) == Names{"queue", "wide"});
    CHECK(names_of(files.load({"today.json", "copy.json"})) == Names{"today", "copy"});
    CHECK(names_of(files.load({"today.json", "today.json"})) == Names{"today", "today (2)"});
    CHECK(names_of(files.load({"today.json"}, {"faster.json", "named.json"})) ==
          Names{"queue", "faster", "with eight"});
    const CompareInputs same = files.load({"today.json", "below/today.json"});
    CHECK(same.scenarios.empty());
    REQUIRE(same.mistakes.size() == 1);
    CHECK(same.mistakes[0].find("are both called today") != std::string::npos);
}

TEST_CASE("CompareInputs: a what-if is the base with a patch, both with the assignments") {
    const ScenarioFiles files;
    const CompareInputs inputs =
        files.load({"today.json"}, {"faster.json"}, {"/sources/users/arrivals/rate=6"});
    REQUIRE(inputs.scenarios.size() == 2);
    const auto servers = [&](std::size_t i) {
        return inputs.scenarios[i].scenario.spec.services[0].versions[0].engine.simple->servers;
    };
    CHECK(servers(0) == 2);
    CHECK(servers(1) == 8);
    CHECK(inputs.scenarios[0].patch == "");
    CHECK(inputs.scenarios[1].patch == files.path("faster.json"));
    for (const CompareInput& input : inputs.scenarios) {
        CHECK(input.scenario.canonical.find("\"rate\":6") != std::string::npos);
    }
}

TEST_CASE("CompareInputs: all share the base's seed, and it is said") {
    const ScenarioFiles files;
    const CompareInputs inputs = files.load({"today.json", "copy.json"});
    CHECK(inputs.scenarios[1].scenario.spec.seed == 1);
    REQUIRE(inputs.notes.size() == 1);
    CHECK(inputs.notes[0] == "copy has seed 9; compared under that of today, 1");
}

TEST_CASE("CompareInputs: mistakes of all files, each where it stands") {
    const ScenarioFiles files;
    const CompareInputs inputs = files.load({"today.json", "nowhere.json"}, {"wrong.json"});
    CHECK(inputs.scenarios.empty());
    REQUIRE(inputs.diagnostics.size() == 2);
    CHECK(inputs.diagnostics[0].text().find("nowhere.json") != std::string::npos);
    CHECK(inputs.diagnostics[1].text().find("wrong.json:2: /services/web/replicsa: ") !=
          std::string::npos);
}

}  // namespace headroom::analysis
