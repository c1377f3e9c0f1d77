// Outcomes request by request against two public schedulers whose per-request results are kept
// beside the project: Vidur's vllm scheduler and vLLM v1's own. Read when they are there.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom::tests {
namespace {

namespace fs = std::filesystem;
using serving::Arrival;

std::vector<std::vector<std::string>> read_csv(const fs::path& path) {
    std::ifstream in(path);
    std::vector<std::vector<std::string>> rows;
    for (std::string line; std::getline(in, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        std::vector<std::string> fields;
        std::stringstream stream(line);
        for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
        rows.push_back(fields);
    }
    return rows;
}

std::size_t column(const std::vector<std::string>& header, const std::string& name) {
    for (std::size_t i = 0; i < header.size(); ++i) {
        if (header[i] == name) return i;
    }
    FAIL("no column " << name);
    return 0;
}

struct Differences {
    std::int64_t first_token = 0;
    std::int64_t finish = 0;
    std::int64_t preemptions = 0;
    double worst_ns = 0;
};

/// Runs a case's requests through a one-service simulation and compares row by row.
Differences compare(const fs::path& dir, serving::ServiceSpec service, std::int64_t replicas,
                    const std::string& restarts, bool exact) {
    const auto requests = read_csv(dir / "requests.csv");
    std::vector<Arrival> arrivals;
    for (std::size_t i = 1; i < requests.size(); ++i) {
        Arrival arrival;
        arrival.time = Time::from_seconds(std::stod(requests[i][1]));
        arrival.prompt = Tokens{std::stoll(requests[i][2])};
        arrival.output = Tokens{std::stoll(requests[i][3])};
        arrivals.push_back(arrival);
    }
    SimulationSpec spec;
    spec.drain = true;
    spec.services.push_back(std::move(service));
    spec.sources.push_back(list_source(0, std::move(arrivals)));
    add_workload(spec, 0, replicas);
    RunOptions options;
    options.keep_rows = true;
    options.exact_steps = exact;
    const SimulationResult result = Simulation(spec).run(options);

    const auto expected = read_csv(dir / "results.csv");
    const auto& header = expected[0];
    REQUIRE(result.rows.size() == expected.size() - 1);
    Differences differences;
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
        const auto& row = result.rows[i];
        const auto& want = expected[i + 1];
        const auto gap = [&](Time got, const std::string& name) {
            const double ns =
                std::abs(got.to_seconds() - std::stod(want[column(header, name)])) * 1e9;
            differences.worst_ns = std::max(differences.worst_ns, ns);
            return ns > 1.0 ? 1 : 0;
        };
        differences.first_token += gap(row.first_token, "prefill_completed_at");
        differences.finish += gap(row.finish, "completed_at");
        differences.preemptions +=
            std::stoll(want[column(header, restarts)]) != static_cast<long long>(row.preemptions);
    }
    return differences;
}

/// The number behind `"key":` in a case's config.json (flat enough not to need a parser).
std::int64_t setting(const fs::path& dir, const std::string& key) {
    std::ifstream in(dir / "config.json");
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto at = text.find("\"" + key + "\":");
    REQUIRE(at != std::string::npos);
    return std::stoll(text.substr(at + key.size() + 3));
}

fs::path reference(const std::string& name) {
    return fs::path(HEADROOM_SOURCE_DIR) / ".." / "shared" / "reference" / name;
}

void check_equal(const fs::path& dir, const serving::ServiceSpec& service, std::int64_t replicas,
                 const std::string& restarts) {
    for (const bool exact : {false, true}) {
        const Differences d = compare(dir, service, replicas, restarts, exact);
        INFO(dir.filename().string()
             << (exact ? " exact steps" : " macro-steps") << ", worst " << d.worst_ns << " ns");
        CHECK(d.first_token == 0);
        CHECK(d.finish == 0);
        CHECK(d.preemptions == 0);
    }
}

}  // namespace

TEST_CASE("vllm-v0: equals Vidur's vllm scheduler request by request") {
    for (const std::string name :
         {"01_vllm_1rep_poisson", "05_vllm_4rep_rr_poisson", "07_vllm_mem_pressure_restarts"}) {
        const fs::path dir = reference("vidur") / name;
        if (!fs::exists(dir)) {
            std::cout << "skipped: " << name << " is not beside the project\n";
            continue;
        }
        auto service = llm_service(
            "llm",
            choose<serving::BatchingPolicy>(
                "vllm-v0",
                {{"max_num_seqs", whole(setting(dir, "batch_size_cap"))},
                 {"max_num_batched_tokens", whole(setting(dir, "max_tokens_in_batch"))}}),
            setting(dir, "num_blocks"));
        // Vidur counts the token being computed as context: one more per decoding sequence.
        service.versions[0].engine.llm->latency = std::make_shared<serving::LinearLatency>(
            serving::LinearCoefficients{Duration::microseconds(6500), Duration::microseconds(40),
                                        Duration::nanoseconds(30'090), Duration::nanoseconds(90),
                                        Duration::nanoseconds(6)});
        check_equal(dir, service, setting(dir, "replicas"), "num_restarts");
    }
}

TEST_CASE("vllm-v1: equals vLLM's own scheduler request by request") {
    for (const std::string name :
         {"01_plain_sync", "03_chunked_budget512_sync", "04_kv_pressure_nocache_sync",
          "11_bursts_seqs32_sync", "15_fixed_512_128_sync"}) {
        const fs::path dir = reference("vllm-v1") / name;
        if (!fs::exists(dir)) {
            std::cout << "skipped: " << name << " is not beside the project\n";
            continue;
        }
        auto service = llm_service(
            "llm",
            choose<serving::BatchingPolicy>(
                "vllm-v1",
                {{"max_num_seqs", whole(setting(dir, "max_num_seqs"))},
                 {"max_num_batched_tokens", whole(setting(dir, "max_num_batched_tokens"))}}),
            setting(dir, "num_gpu_blocks") - 1);  // block 0 is never handed out
        service.versions[0].engine.llm->max_model_len = setting(dir, "max_model_len");
        check_equal(dir, service, 1, "num_preemptions");
    }
}

}  // namespace headroom::tests
