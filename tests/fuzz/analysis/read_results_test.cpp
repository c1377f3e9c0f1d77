#include "analysis/results/read_results.hpp"

#include <filesystem>

#include "tests/catch.hpp"
#include "tests/fuzz/analysis/results_variants.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/scale.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {

namespace {

using tests::Draws;
using tests::InputFile;

/// What reading says, or nothing where it was read; what was read is a run.
std::string error_of_results(const std::string& folder) {
    std::optional<StoredRun> run;
    try {
        run = read_results(folder);
    } catch (const ReadError& error) {
        const std::string text = error.what();
        const std::string fault = tests::fault_of_message(text);
        if (!fault.empty()) return "BAD: " + fault;
        if (text.find(folder) == std::string::npos) return "BAD: it names no file: " + text;
        return text;
    }
    REQUIRE(run->end <= Time::horizon_limit());
    REQUIRE(std::is_sorted(run->services.begin(), run->services.end()));
    for (const StoredWorkload& workload : run->workloads) {
        REQUIRE(std::binary_search(run->services.begin(), run->services.end(), workload.service));
    }
    Time last = Time::zero();
    for (const control::Decision& decision : run->decisions) {
        REQUIRE(decision.time >= last);
        last = decision.time;
    }
    if (!run->requests) return "";
    for (const StoredRequest& request : *run->requests) {
        REQUIRE(request.service < run->services.size());
        REQUIRE(request.arrival >= Time::zero());
    }
    return "";
}

}  // namespace

TEST_CASE("ReadResults fuzz: a file of other things is refused with their place, or is a run") {
    const InputFile file("results.h5");
    Draws none{RandomStream(1, "unused"), 0};
    write_results_variant(file.path(), none, 0);
    CHECK(error_of_results(file.folder()) == "");
    std::int64_t number = 0;
    CHECK(tests::fuzz(
              "results/structure", tests::scaled(1000),
              [&](Draws& draws) {
                  write_results_variant(file.path(), draws, static_cast<int>(draws.between(1, 3)));
                  return std::to_string(number++);
              },
              [&](const std::string&) {
                  const std::string error = error_of_results(file.folder());
                  INFO(error);
                  REQUIRE(error.rfind("BAD", 0) != 0);
                  return error.empty();
              })
              .both());
}

// Not one with bytes overwritten: libhdf5 1.10 goes round for ever in a global heap that is not
// what it wrote itself (H5HG), which no caller can prevent.
TEST_CASE("ReadResults fuzz: a file cut short, and one of something else, are refused") {
    const InputFile file("results.h5");
    Draws none{RandomStream(1, "unused"), 0};
    write_results_variant(file.path(), none, 0);
    const std::string whole = scenarios::text_of(file.path());
    const tests::Corpus others = {tests::repository_text("scenarios/library/mm1.json"),
                                  tests::repository_text("traces/samples/prompt-bursts.csv")};
    (void)tests::fuzz(
        "results/bytes", tests::scaled(400),
        [&](Draws& draws) {
            if (draws.one_in(4)) return tests::mutate_bytes(others, draws);
            const auto size = static_cast<std::int64_t>(whole.size());
            return whole.substr(0, static_cast<std::size_t>(draws.below(size)));
        },
        [&](const std::string& text) {
            (void)file.write(text);
            const std::string error = error_of_results(file.folder());
            INFO(error);
            REQUIRE_FALSE(error.empty());
            REQUIRE(error.rfind("BAD", 0) != 0);
            return false;
        });
}

// What fuzzing found, reduced.

TEST_CASE("ReadResults fuzz: an attribute of many values is refused, not written past its place") {
    const InputFile file("results.h5");
    write_results_with(file.path(), ResultsMistake::list_of_seeds);
    CHECK(error_of_results(file.folder()).find("expected one value, found 64") !=
          std::string::npos);
}

TEST_CASE("ReadResults fuzz: a size that the file only claims is refused, not set aside") {
    const InputFile file("results.h5");
    write_results_with(file.path(), ResultsMistake::claimed_values);
    CHECK(error_of_results(file.folder())
              .find("1099511627776 values are claimed and 0 bytes are stored") !=
          std::string::npos);
}

TEST_CASE("ReadResults fuzz: a reason with an escape sequence does not reach the terminal") {
    const InputFile file("results.h5");
    write_results_with(file.path(), ResultsMistake::escape_in_reason);
    CHECK(error_of_results(file.folder())
              .find("expected texts in UTF-8 without control characters, found \"?[2J\"") !=
          std::string::npos);
}

}  // namespace headroom::analysis
