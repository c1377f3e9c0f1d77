// Whole scenarios: files, what they extend, and what the command line does to them.
#include "scenarios/scenario.hpp"

#include <nlohmann/json.hpp>

#include "analysis/cli/compare_inputs.hpp"
#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/fuzz/scenarios/scenario_files.hpp"
#include "tests/scale.hpp"

namespace headroom::scenarios {

namespace {

using tests::Draws;
using tests::InputFile;

/// The first requests of each source: in order, and none without tokens.
void check_first_requests(const Scenario& scenario) {
    for (const serving::SourceSpec& spec : scenario.spec.sources) {
        const auto source = spec.make(scenario.spec.seed);
        REQUIRE(source != nullptr);
        Time last = Time::zero();
        for (int i = 0; i < 5 && source->peek(); ++i) {
            const Time due = *source->peek();
            REQUIRE(due >= last);
            const serving::Arrival arrival = source->take();
            REQUIRE(arrival.time == due);
            REQUIRE(arrival.prompt.count() >= 1);
            REQUIRE(arrival.output.count() >= 1);
            last = due;
        }
    }
}

/// `options` as of a command line; with some, a mistake may stand in them and not in a line.
bool check_scenario_file(const std::string& path, const LoadOptions& options) {
    const LoadResult loaded = load_scenario(path, options);
    if (!loaded.scenario) {
        const bool plain = options.sets.empty() && options.traces.empty();
        REQUIRE(tests::fault_of(loaded.diagnostics, plain) == "");
        return false;
    }
    REQUIRE(loaded.diagnostics.empty());
    const Scenario& scenario = *loaded.scenario;
    for (const std::string& warning : scenario.warnings) {
        REQUIRE(tests::fault_of_message(warning) == "");
    }
    REQUIRE_FALSE(scenario.spec.services.empty());
    REQUIRE_FALSE(scenario.spec.sources.empty());
    REQUIRE(scenario.loads.size() == scenario.spec.sources.size());
    check_first_requests(scenario);
    // What it was merged to is the same scenario.
    const InputFile merged("merged.json");
    const LoadResult again =
        load_scenario(merged.write(scenario.canonical), {.catalogue = shared_catalogue()});
    REQUIRE(again.scenario.has_value());
    REQUIRE(again.scenario->canonical == scenario.canonical);
    REQUIRE(again.scenario->hash == scenario.hash);
    REQUIRE(again.scenario->warnings == scenario.warnings);
    return true;
}

const LoadOptions& plain_options() {
    static const LoadOptions options{.catalogue = shared_catalogue()};
    return options;
}

}  // namespace

TEST_CASE("Scenario fuzz: a file is refused with line and reason, or loads the same again") {
    const tests::Corpus corpus = library_scenarios();
    const InputFile file("scenario.json");
    for (const std::string& text : corpus) {
        INFO(text);
        CHECK(load_scenario(file.write(text), plain_options()).scenario.has_value());
        check_scenario_file(file.path(), plain_options());
    }
    const auto check = [&](const std::string& text) {
        return check_scenario_file(file.write(text), plain_options());
    };
    CHECK(tests::fuzz(
              "scenario/structure", tests::scaled(1500),
              [&](Draws& draws) { return tests::mutate_json(corpus, draws); }, check)
              .both());
    CHECK(tests::fuzz(
              "scenario/bytes", tests::scaled(500),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); }, check)
              .both());
}

TEST_CASE("Scenario fuzz: a file that extends another one") {
    const InputFile base("base.json");
    (void)base.write(library_scenarios().at(0));
    const tests::Corpus corpus = {
        "{\"extends\": \"" + base.path() + "\"}",
        "{\"extends\": \"" + base.path() + "\", \"seed\": 3, \"duration\": \"5m\"}",
        "{\"extends\": \"" + base.path() + "\", \"expect\": null, \"name\": \"other\"}"};
    const InputFile file("scenario.json");
    for (const std::string& text : corpus) {
        INFO(text);
        CHECK(load_scenario(file.write(text), plain_options()).scenario.has_value());
    }
    CHECK(tests::fuzz(
              "scenario/extends", tests::scaled(200),
              [&](Draws& draws) {
                  return draws.one_in(3) ? tests::mutate_bytes(corpus, draws)
                                         : tests::mutate_json(corpus, draws);
              },
              [&](const std::string& text) {
                  return check_scenario_file(file.write(text), plain_options());
              })
              .both());
}

TEST_CASE("Scenario fuzz: assignments of --set") {
    const tests::Corpus corpus = {"/seed=2",
                                  "/name=other",
                                  "/duration=10m",
                                  "/services/chat/replicas=4",
                                  "/services/chat/routing={\"policy\": \"round-robin\"}",
                                  "/services/chat/pod/requests/nvidia.com~1gpu=2",
                                  "/services/chat/autoscaling/metrics/0/target/value=20",
                                  "/services/chat/autoscaling/metrics/-={\"type\": \"Pods\"}",
                                  "/sources/users/arrivals/rate=1e2",
                                  "/node_pools/gpu/zones/1=null",
                                  "/expect/replicas at 10m=== 2",
                                  "/services/chat/slo=null"};
    const InputFile file("scenario.json");
    (void)file.write(tests::repository_text("scenarios/library/quickstart.json"));
    LoadOptions options = plain_options();
    CHECK(tests::fuzz(
              "scenario/set", tests::scaled(800),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              [&](const std::string& text) {
                  options.sets = {text};
                  return check_scenario_file(file.path(), options);
              })
              .both());
}

TEST_CASE("Scenario fuzz: a trace and a rate of the command line") {
    const std::string trace = HEADROOM_SOURCE_DIR "/traces/samples/azure-like.csv";
    const tests::Corpus corpus = {trace, "chat=" + trace, "search=" + trace};
    const InputFile file("scenario.json");
    LoadOptions options = plain_options();
    const tests::Corpus files = library_scenarios();
    const std::vector<double> rates = {1, 0.5, 1e-6, 1e6, 1e-300, 1e300, -1, 0};
    CHECK(tests::fuzz(
              "scenario/trace", tests::scaled(200),
              [&](Draws& draws) {
                  (void)file.write(draws.one_in(2) ? tests::pick_input(files, draws)
                                                   : tests::mutate_json(files, draws));
                  options.rate_scale = rates[static_cast<std::size_t>(draws.below(8))];
                  return draws.one_in(2) ? tests::pick_input(corpus, draws)
                                         : tests::mutate_bytes(corpus, draws);
              },
              [&](const std::string& text) {
                  options.traces = {text};
                  const LoadResult loaded = load_scenario(file.path(), options);
                  if (loaded.scenario) {
                      check_first_requests(*loaded.scenario);
                  } else {
                      REQUIRE(tests::fault_of(loaded.diagnostics, false) == "");
                  }
                  return loaded.scenario.has_value();
              })
              .both());
}

TEST_CASE("Scenario fuzz: the patches of a comparison") {
    const tests::Corpus corpus = tests::repository_jsons("scenarios/library/what-if");
    const InputFile base("quickstart.json");
    (void)base.write(tests::repository_text("scenarios/library/quickstart.json"));
    const InputFile patch("what-if.json");
    const auto inputs_of = [&](const std::string& text) {
        return analysis::load_compare_inputs({base.path()}, {patch.write(text)}, plain_options());
    };
    for (const std::string& text : corpus) CHECK(inputs_of(text).scenarios.size() == 2);
    CHECK(tests::fuzz(
              "scenario/what-if", tests::scaled(400),
              [&](Draws& draws) {
                  return draws.one_in(3) ? tests::mutate_bytes(corpus, draws)
                                         : tests::mutate_json(corpus, draws);
              },
              [&](const std::string& text) {
                  const analysis::CompareInputs inputs = inputs_of(text);
                  for (const std::string& mistake : inputs.mistakes) {
                      REQUIRE(tests::fault_of_message(mistake) == "");
                  }
                  for (const std::string& note : inputs.notes) {
                      REQUIRE(tests::fault_of_message(note) == "");
                  }
                  if (inputs.scenarios.empty()) {
                      if (inputs.mistakes.empty()) {
                          REQUIRE(tests::fault_of(inputs.diagnostics, true) == "");
                      }
                      return false;
                  }
                  REQUIRE(inputs.scenarios.size() == 2);
                  REQUIRE(inputs.scenarios[0].name != inputs.scenarios[1].name);
                  REQUIRE(inputs.scenarios[0].scenario.spec.seed ==
                          inputs.scenarios[1].scenario.spec.seed);
                  return true;
              })
              .both());
}

// What fuzzing found, reduced.

TEST_CASE("Scenario fuzz: bytes of the command line that are no text are refused") {
    const auto message_of = [](const LoadOptions& options) {
        const LoadResult loaded =
            load_scenario(HEADROOM_SOURCE_DIR "/scenarios/library/mm1.json", options);
        REQUIRE(loaded.diagnostics.size() == 1);
        return loaded.diagnostics[0].text();
    };
    LoadOptions options = plain_options();
    const std::string expected = "expected text in UTF-8 without control characters";
    options.sets = {"/name=\xff"};
    CHECK(message_of(options) == "--set /name: " + expected);
    options.sets = {"/expect/\x1b[31m=1"};
    CHECK(message_of(options) == "--set /expect/?[31m: " + expected);
    options.sets = {"/expect/a\nb=1"};
    CHECK(message_of(options) == "--set /expect/a?b: " + expected);
    options.sets = {};
    options.traces = {"\xff.csv"};
    CHECK(message_of(options) ==
          "--trace ?.csv: expected a path in UTF-8 without control characters");
}

TEST_CASE("Scenario fuzz: a source may name its service by any number, whatever services are") {
    const InputFile file("scenario.json");
    const LoadResult loaded = load_scenario(
        file.write(R"({"services": [], "sources": {"a": {"service": "99999999999999999999",
                       "trace": {"file": "none.csv"}}}})"),
        plain_options());
    CHECK_FALSE(loaded.scenario.has_value());
    CHECK(tests::fault_of(loaded.diagnostics, true) == "");
}

}  // namespace headroom::scenarios
