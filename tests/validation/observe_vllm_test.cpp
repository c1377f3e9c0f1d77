// The fit against real vLLM runs: two logs that lie beside the project, read when they are there.
// Fitted on the first 150 requests by arrival, judged on the other 150, with the engine's settings
// as vLLM 0.19 has them: asynchronous, with prefix caching.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "analysis/calibration/observe_expected.hpp"
#include "tests/catch.hpp"

namespace headroom::tests {
namespace {

namespace fs = std::filesystem;
using analysis::MetricErrors;

struct LoggedRun {
    const char* folder;
    const char* model;
    std::int64_t tensor_parallel;
    std::int64_t kv_blocks;  ///< by memory; neither run fills them
};
constexpr LoggedRun kRuns[] = {{"rtxpro6000-llama-3.1-8b", "llama-3.1-8b", 1, 33000},
                               {"rtxpro6000-qwen3-32b-tp2", "qwen3-32b", 2, 22000}};

void print(const char* name, const MetricErrors& errors) {
    std::cout << fmt::format(
        "    {:5}{:+7.2f} % mean {:+7.2f} % p50 {:+7.2f} % p99 {:7.2f} % per request\n", name,
        100 * errors.mean, 100 * errors.p50, 100 * errors.p99, 100 * errors.per_request);
}

void print(const char* name, const analysis::ObservedFit& fit) {
    const serving::LinearCoefficients& c = fit.coefficients;
    std::cout << fmt::format(
        "  {}: {} simulations, c0 {:.2f} ms, c1 {:.1f} us, c2 {:.1f} us, c3 {:.0f} ns, c4 {:.1f} "
        "ns, front end {:.1f} ms, error band {:.0f} %\n",
        name, fit.simulations, c.per_iteration.to_seconds() * 1e3,
        c.per_prefill_token.to_seconds() * 1e6, c.per_decode_sequence.to_seconds() * 1e6,
        c.per_context_token.to_seconds() * 1e9, c.per_prefill_attention.to_seconds() * 1e9,
        fit.front_end.to_seconds() * 1e3, fit.error_band * 100);
    print("ttft", fit.held_out.ttft);
    print("tpot", fit.held_out.tpot);
    print("e2e", fit.held_out.e2e);
}

void check_run(const fs::path& folder, const LoggedRun& run) {
    scenarios::Diagnostics diagnostics;
    const auto log = analysis::read_engine_log((folder / "requests.csv").string(), diagnostics);
    for (const scenarios::Diagnostic& diagnostic : diagnostics) FAIL(diagnostic.text());
    REQUIRE(log);
    REQUIRE(log->requests.size() == 300);
    std::ifstream file(folder / "meta.json");
    const nlohmann::json engine = nlohmann::json::parse(file).at("engine_kwargs");

    analysis::ObserveOptions options;
    options.max_num_seqs = engine.at("max_num_seqs");
    options.max_num_batched_tokens = engine.at("max_num_batched_tokens");
    options.kv_blocks = run.kv_blocks;
    const auto catalogue =
        scenarios::Catalogue::load(scenarios::Catalogue::default_directory(), diagnostics);
    REQUIRE(catalogue);
    analysis::ObservedIdentity identity;
    identity.model = run.model;
    identity.gpu = "rtx-pro-6000-server";
    identity.tensor_parallel = run.tensor_parallel;
    options.expected =
        analysis::expected_coefficients(*catalogue, identity, *log, options).coefficients;
    REQUIRE(options.expected);
    const analysis::ObserveResult result = analysis::observe(*log, options);
    INFO(result.error);
    REQUIRE(result.fit);
    const analysis::PartErrors& held_out = result.fit->held_out;
    print(run.folder, *result.fit);
    CHECK(result.fit->simulations <= 300);
    CHECK(result.fit->fitted.requests == 150);
    CHECK(held_out.requests == 150);
    for (const MetricErrors* metric : {&held_out.ttft, &held_out.tpot, &held_out.e2e}) {
        CHECK(std::fabs(metric->mean) < 0.025);
        CHECK(std::fabs(metric->p99) < 0.025);
    }
    CHECK(held_out.e2e.per_request < 0.01);
}

}  // namespace

TEST_CASE("Observe: profiles fitted to half of a vLLM run predict the other half") {
    const fs::path shared = fs::path(HEADROOM_SOURCE_DIR) / "../shared/reference/vllm";
    for (const LoggedRun& run : kRuns) {
        if (!fs::exists(shared / run.folder / "requests.csv")) {
            std::cout << "skipped: no log of " << run.folder << "\n";
            continue;
        }
        DYNAMIC_SECTION(run.folder) {
            check_run(shared / run.folder, run);
        }
    }
}

}  // namespace headroom::tests
