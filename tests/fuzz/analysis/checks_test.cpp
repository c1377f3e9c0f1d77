// What `headroom check` reads besides scenarios: which files are checks, baselines, tolerances.
#include <cmath>

#include "analysis/experiments/baseline.hpp"
#include "analysis/experiments/check_files.hpp"
#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/fuzz/scenarios/scenario_files.hpp"
#include "tests/scale.hpp"

namespace headroom::analysis {

namespace {

using tests::Draws;
using tests::InputFile;

Baseline fuzzed_baseline() {
    Baseline out;
    out.version = "0.1.0";
    out.scenario = "chat";
    out.scenario_hash = "8d0123456789abcd";
    out.seed = 1;
    out.digest = "5f0123456789abcd";
    out.metrics = {{"cost.total", {10.25, false}},
                   {"latency.ttft_s.p99", {0.41, false}},
                   {"services.chat.latency.ttft_s.p99", {0.41, false}},
                   {"requests.completed", {28800.0, true}},
                   {"saturated", {0.0, true}},
                   {"slo.attainment", {std::nullopt, false}}};
    for (const char* text : {"latency=5%", "cost=any", "services.chat=1e1%"}) {
        if (out.tolerances.add(text)) throw std::logic_error("a tolerance of the corpus");
    }
    return out;
}

bool check_baseline_file(const std::string& path, const InputFile& written) {
    scenarios::Diagnostics diagnostics;
    const std::optional<Baseline> read = read_baseline(path, diagnostics);
    if (!read) {
        REQUIRE(tests::fault_of(diagnostics, true) == "");
        return false;
    }
    REQUIRE(diagnostics.empty());
    for (const auto& [metric, value] : read->metrics) {
        REQUIRE(read->lines.at(metric) >= 1);
        if (value.number) REQUIRE(std::isfinite(*value.number));
    }
    // It differs from nothing that is equal to it, and is written as it is.
    const BaselineComparison same = compare_with_baseline(*read, *read, {});
    REQUIRE(same.refusal.empty());
    REQUIRE(same.differences.empty());
    scenarios::Diagnostics none;
    const auto again = read_baseline(written.write(baseline_text(*read)), none);
    REQUIRE(again.has_value());
    REQUIRE(again->seed == read->seed);
    REQUIRE(again->metrics.size() == read->metrics.size());
    REQUIRE(again->tolerances.written() == read->tolerances.written());
    // Against others it says what differs, or why nothing can be said.
    const BaselineComparison other = compare_with_baseline(*read, fuzzed_baseline(), {});
    if (!other.refusal.empty()) {
        REQUIRE(tests::fault_of({{{path, 1, 0}, "", other.refusal}}, true) == "");
    }
    for (const auto& [line, text] : other.differences) {
        REQUIRE(tests::fault_of({{{path, line, 0}, "", text}}, true) == "");
    }
    REQUIRE(baseline_file_name(read->scenario).find_first_of("/\\\n") == std::string::npos);
    return true;
}

}  // namespace

TEST_CASE("Baseline fuzz: a file is refused with its lines, or is read, compared and written") {
    const tests::Corpus corpus = {baseline_text(fuzzed_baseline())};
    const InputFile file("chat.json");
    const InputFile written("again.json");
    scenarios::Diagnostics diagnostics;
    CHECK(read_baseline(file.write(corpus[0]), diagnostics).has_value());
    const auto check = [&](const std::string& text) {
        return check_baseline_file(file.write(text), written);
    };
    CHECK(tests::fuzz(
              "baseline/structure", tests::scaled(1500),
              [&](Draws& draws) { return tests::mutate_json(corpus, draws); }, check)
              .both());
    CHECK(tests::fuzz(
              "baseline/bytes", tests::scaled(1000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); }, check)
              .both());
}

TEST_CASE("Tolerances fuzz: a tolerance is refused with a reason, or is a share of at least 0") {
    const tests::Corpus corpus = {"5%",         "any",
                                  "latency=5%", "latency.ttft_s.p99=0.5%",
                                  "cost=any",   "services.chat.latency=1e1%"};
    CHECK(
        tests::fuzz(
            "tolerances", tests::scaled(3000),
            [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
            [](const std::string& text) {
                Tolerances tolerances;
                if (const auto problem = tolerances.add(text)) {
                    REQUIRE(tests::fault_of({{{"--tolerance", 0, 0}, "", *problem}}, false) == "");
                    REQUIRE(tolerances.empty());
                    return false;
                }
                const auto written = tolerances.written();
                REQUIRE(written.size() == 1);
                const std::optional<double> amount = tolerances.of(written[0].first);
                REQUIRE(amount.has_value());
                REQUIRE(*amount >= 0);
                return true;
            })
            .both());
}

TEST_CASE("CheckFiles fuzz: a folder of any files is sorted into checks and what is none") {
    tests::Corpus corpus = scenarios::library_rule_tests();
    corpus.push_back(tests::repository_text("scenarios/library/mm1.json"));
    corpus.push_back(tests::repository_text("scenarios/library/what-if/double-traffic.json"));
    corpus.emplace_back("{\"extends\": \"first.json\", \"expect\": {}}");
    const InputFile first("first.json");
    CHECK(tests::fuzz(
              "check-files", tests::scaled(500),
              [&](Draws& draws) {
                  return draws.one_in(2) ? tests::mutate_bytes(corpus, draws)
                                         : tests::mutate_json(corpus, draws);
              },
              [&](const std::string& text) {
                  const std::string& path = first.write(text);
                  const CheckFiles named = find_check_files({path});
                  REQUIRE(named.files.size() == 1);
                  REQUIRE(named.files[0].path == path);
                  const bool unreadable = named.files[0].kind == CheckFile::Kind::unreadable;
                  REQUIRE(named.files[0].diagnostics.empty() != unreadable);
                  if (unreadable) REQUIRE(tests::fault_of(named.files[0].diagnostics, true) == "");
                  const CheckFiles found = find_check_files({first.folder()});
                  REQUIRE_FALSE(found.files.empty());
                  for (const LeftOut& left_out : found.left_out) {
                      REQUIRE(tests::fault_of_message(left_out.reason) == "");
                  }
                  return !unreadable;
              })
              .both());
}

// What fuzzing found, reduced.

TEST_CASE("Baseline fuzz: a seed below 0 is none, and a number past 2^53 is no count") {
    const InputFile file("chat.json");
    std::string text = baseline_text(fuzzed_baseline());
    text.replace(text.find("28800"), 5, "9223372036854775807");
    scenarios::Diagnostics diagnostics;
    const std::optional<Baseline> read = read_baseline(file.write(text), diagnostics);
    REQUIRE(read.has_value());
    CHECK_FALSE(read->metrics.at("requests.completed").whole);
    text.replace(text.find("\"seed\": 1"), 9, "\"seed\": -1");
    CHECK_FALSE(read_baseline(file.write(text), diagnostics).has_value());
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].message == "expected a whole number >= 0");
}

}  // namespace headroom::analysis
