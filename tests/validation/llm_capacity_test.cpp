// The fluid limit of an LLM engine against the engine.

#include "analysis/experiments/llm_capacity.hpp"
#include "analysis/experiments/offered_load.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

struct Engine {
    std::string profile;
    std::string lengths;
};

scenarios::Scenario scenario_of(const Engine& engine, double rate) {
    const scenarios::TemporaryFolder folder;
    folder.write("s.json", R"({"duration": "15m", "measure_from": "5m",
        "services": {"chat": {"engine": {)" +
                               engine.profile + R"(}}},
        "sources": {"u": {"service": "chat",
            "arrivals": {"process": "poisson", "rate": )" +
                               std::to_string(rate) + R"(}, "lengths": {)" + engine.lengths +
                               "}}}}");
    auto loaded = scenarios::load_scenario(folder.path("s.json"));
    for (const auto& d : loaded.diagnostics) UNSCOPED_INFO(d.text());
    REQUIRE(loaded.scenario.has_value());
    return std::move(*loaded.scenario);
}

LlmCapacity capacity_of(const scenarios::Scenario& scenario) {
    return {*scenario.spec.services[0].versions[0].engine.llm,
            offered_loads(scenario).services[0].lengths};
}

const Engine kLinear{R"("num_gpu_blocks": 40001,
        "profile": {"kind": "linear", "c0": "8ms", "c1": "40us", "c2": "50us", "c3": "20ns"})",
                     R"("prompt": {"distribution": "lognormal", "mean": 500, "cv": 1},
                        "output": {"distribution": "lognormal", "mean": 150, "cv": 0.7})"};
const Engine kEstimated{
    R"("profile": {"kind": "estimated", "model": "llama-3.1-8b", "gpu": "h100-sxm"},
        "max_model_len": 16384)",
    R"("preset": "azure-2023-conversation")"};

}  // namespace

TEST_CASE("LlmCapacity: a flooded engine serves what the fluid limit says, within 5 %") {
    for (const Engine& engine : {kLinear, kEstimated}) {
        const scenarios::Scenario probe = scenario_of(engine, 1);
        const double most = capacity_of(probe).most().requests_per_s;
        const scenarios::Scenario flooded = scenario_of(engine, 1.5 * most);
        const SimulationResult result = Simulation(flooded.spec).run({});
        // All that arrived in time are measured; those that came before have held the engine.
        const serving::ServiceStats& stats = result.services[0].stats;
        const double served =
            static_cast<double>(stats.requests.of(serving::Outcome::completed)) / 900.0;
        INFO("limit " << most << ", served " << served);
        CHECK(served < 1.05 * most);
        CHECK(served > 0.95 * most);
    }
}

TEST_CASE("LlmCapacity: below it tokens come at the pace of the batch that settles") {
    for (const Engine& engine : {kLinear, kEstimated}) {
        const double most = capacity_of(scenario_of(engine, 1)).most().requests_per_s;
        for (const double share : {0.3, 0.6}) {
            const scenarios::Scenario scenario = scenario_of(engine, share * most);
            const SimulationResult result = Simulation(scenario.spec).run({});
            const LlmOperation now = capacity_of(scenario).at(share * most);
            const double itl = result.total.itl.mean() * 1e-12;
            INFO("share " << share << ": " << itl << " s, fluid " << now.iteration_s);
            CHECK(now.iteration_s > 0.85 * itl);
            CHECK(now.iteration_s < 1.15 * itl);
        }
    }
}

}  // namespace headroom::analysis
