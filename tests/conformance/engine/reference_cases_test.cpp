// Outcomes request by request against other schedulers: cases of the project's own, one of each
// batching policy, and those of Vidur and of vLLM v1 where they lie beside the project.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

#include "sim/core/registry.hpp"
#include "sim/serving/batching_policy.hpp"
#include "tests/catch.hpp"
#include "tests/conformance/engine/reference_case.hpp"

namespace headroom::tests {
namespace {

namespace fs = std::filesystem;

const fs::path kOwnCases = fs::path(HEADROOM_SOURCE_DIR) / "tests/conformance/engine/cases";

/// In macro-steps and by the slow twin.
void check_equal(const ReferenceCase& reference) {
    for (const bool exact : {false, true}) {
        const CaseComparison comparison = compare(reference, exact);
        INFO(reference.name << (exact ? " exact steps: " : " macro-steps: ") << comparison.text());
        CHECK(comparison.requests > 0);
        CHECK(comparison.passed());
    }
}

/// Every case of a folder beside the project that the engine covers; `covered` at least.
void check_reference(const std::string& name, const std::vector<std::string>& covered) {
    const fs::path folder = fs::path(HEADROOM_SOURCE_DIR) / ".." / "shared" / "reference" / name;
    if (!fs::exists(folder)) {
        std::cout << "skipped: the reference cases of " << name << " are not beside the project\n";
        return;
    }
    std::size_t found = 0;
    for (const fs::path& each : find_cases(folder)) {
        const ReferenceCase reference = read_case(each);
        const auto wanted = std::find(covered.begin(), covered.end(), reference.name);
        if (wanted != covered.end()) {
            ++found;
            INFO(reference.name);
            CHECK(reference.not_covered.empty());
        }
        if (reference.not_covered.empty()) check_equal(reference);
    }
    CHECK(found == covered.size());
}

/// A copy of an own case to be changed, gone at the end.
class CaseCopy {
  public:
    explicit CaseCopy(const std::string& name) {
        static int copies = 0;
        folder_ = fs::temp_directory_path() /
                  ("headroom-case-" + std::to_string(getpid()) + "-" + std::to_string(++copies));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        fs::copy(kOwnCases / name, folder_ / name);
        folder_ /= name;
    }
    ~CaseCopy() { fs::remove_all(folder_.parent_path()); }
    CaseCopy(const CaseCopy&) = delete;
    CaseCopy& operator=(const CaseCopy&) = delete;

    void replace(const std::string& file, const std::string& what, const std::string& by) const {
        std::ifstream in(folder_ / file);
        std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        const auto at = text.find(what);
        REQUIRE(at != std::string::npos);
        std::ofstream(folder_ / file) << text.replace(at, what.size(), by);
    }
    void remove(const std::string& file) const { fs::remove(folder_ / file); }
    /// run_cases' answer, and what it said.
    [[nodiscard]] int run(std::string& out, std::string& problems) const {
        std::ostringstream lines;
        std::ostringstream complaints;
        const int code = run_cases(folder_, lines, complaints);
        out = lines.str();
        problems = complaints.str();
        return code;
    }

  private:
    fs::path folder_;
};

bool has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return true;
    UNSCOPED_INFO("it says: " << text);
    return false;
}

}  // namespace

TEST_CASE("Reference cases: the own ones are equal, and there is one for each batching policy") {
    std::vector<std::string> policies;
    for (const fs::path& each : find_cases(kOwnCases)) {
        const ReferenceCase reference = read_case(each);
        INFO(reference.name);
        REQUIRE(reference.not_covered.empty());
        check_equal(reference);
        policies.push_back(reference.spec.services[0].versions[0].engine.llm->batching.name);
    }
    for (const auto& [name, entry] : Registry<serving::BatchingPolicy>::instance().entries()) {
        INFO(name);
        CHECK(std::find(policies.begin(), policies.end(), name) != policies.end());
    }
}

TEST_CASE("Reference cases: outcomes equal those of Vidur's schedulers") {
    check_reference("vidur",
                    {"01_vllm_1rep_poisson", "02_sarathi512_1rep_poisson", "03_orca_1rep_poisson",
                     "05_vllm_4rep_rr_poisson", "07_vllm_mem_pressure_restarts",
                     "08_sarathi_mem_pressure_restarts", "13_sarathi_1rep_bursts_ties"});
}

TEST_CASE("Reference cases: outcomes equal those of vLLM v1's own scheduler") {
    check_reference("vllm-v1",
                    {"01_plain_sync", "03_chunked_budget512_sync", "04_kv_pressure_nocache_sync",
                     "11_bursts_seqs32_sync", "15_fixed_512_128_sync"});
}

TEST_CASE("Reference cases: a line for each case says what became of it") {
    std::ostringstream out;
    std::ostringstream problems;
    CHECK(run_cases(kOwnCases, out, problems) == 0);
    CHECK(has(out.str(), "sarathi_restart: 2 of 2 equal, preemptions 1 = 1\n"));
    CHECK(problems.str().empty());
    // A case by itself, and no case at all.
    CHECK(run_cases(kOwnCases / "orca_reserve", out, problems) == 0);
    CHECK(run_cases(kOwnCases / "orca_reserve" / "config.json", out, problems) == 2);
    CHECK(has(problems.str(), "expected a folder"));
    CHECK(run_cases(fs::path(HEADROOM_SOURCE_DIR) / "policies", out, problems) == 2);
}

TEST_CASE("Reference cases: what differs is found, from a nanosecond on") {
    const CaseCopy copy("sarathi_restart");
    std::string out;
    std::string problems;
    copy.replace("results.csv", "0.013320192", "0.0133201929");
    CHECK(copy.run(out, problems) == 0);
    copy.replace("results.csv", "0.0133201929", "0.013320194");
    CHECK(copy.run(out, problems) == 1);
    CHECK(out ==
          "sarathi_restart: FAILED, 1 of 2 equal, preemptions 1 = 1; first request 0: first "
          "token at 0.013320192 s, expected 0.013320194 s\n");
    copy.replace("results.csv", "0.125726455,1,1", "0.125726455,1,2");
    CHECK(copy.run(out, problems) == 1);
    CHECK(has(out, "0 of 2 equal, preemptions 1 != 2"));
    // Another chunk gives another first token.
    const CaseCopy other("sarathi_chunks");
    other.replace("config.json", "\"chunk_size\": 64", "\"chunk_size\": 63");
    CHECK(other.run(out, problems) == 1);
    CHECK(has(out, "FAILED, 1 of 2 equal"));
}

TEST_CASE("Reference cases: what the engine lacks is named, not run") {
    const CaseCopy vllm("vllm_v1_chunks");
    std::string out;
    std::string problems;
    vllm.replace("config.json", "\"policy\": \"fcfs\"",
                 "\"policy\": \"sjf\", \"num_lookahead_slots\": 2");
    CHECK(vllm.run(out, problems) == 1);
    CHECK(out ==
          "vllm_v1_chunks: not covered: the policy \"sjf\", the setting "
          "\"num_lookahead_slots\"\n");
    const CaseCopy vidur("orca_reserve");
    vidur.replace("config.json", "\"rr\"", "\"random\"");
    vidur.replace("config.json", "\"linear\"", "\"random_forest\"");
    CHECK(vidur.run(out, problems) == 1);
    CHECK(has(out, "not covered: the router \"random\", the iteration times of \"random_forest\""));
}

TEST_CASE("Reference cases: bad files are refused with every mistake and its line") {
    const CaseCopy copy("sarathi_chunks");
    std::string out;
    std::string problems;
    copy.replace("config.json", "\"chunk_size\": 64", "\"chunk_size\": 0");
    copy.replace("config.json", "\"c0\": 0.0065", "\"c0\": \"fast\"");
    CHECK(copy.run(out, problems) == 2);
    CHECK(out.empty());
    CHECK(has(problems, "config.json:11: /chunk_size: expected a whole number >= 1"));
    CHECK(has(problems, "/coef/c0: expected a number >= 0"));

    const CaseCopy rows("sarathi_chunks");
    rows.replace("requests.csv", "0,0.0,40,3", "0,soon,40,0");
    rows.replace("results.csv", "completed_at", "done_at");
    CHECK(rows.run(out, problems) == 2);
    CHECK(has(problems, "requests.csv:2:"));
    CHECK(has(problems, "arrived_at: expected a number >= 0, found \"soon\""));
    CHECK(has(problems, "num_decode_tokens: expected a number >= 1, found \"0\""));
    CHECK(has(problems, "expected a column \"prefill_completed_at\""));

    const CaseCopy fewer("sarathi_chunks");
    fewer.replace("requests.csv", "1,0.0,90,2\n", "2,0.0,90,2\n");
    CHECK(fewer.run(out, problems) == 2);
    CHECK(has(problems, "results.csv: expected a row for each request once, but not for 2"));
    fewer.remove("requests.csv");
    CHECK(fewer.run(out, problems) == 2);
    CHECK(has(problems, "cannot be read"));
}

}  // namespace headroom::tests
