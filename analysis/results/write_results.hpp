/// write_results: the files of one run, in a folder that appears whole or not at all.
///
///     write_results("out/quickstart", scenario, result, summary, info, {.requests = true});
///
/// Always summary.json, run.json and results.h5; requests.csv and decisions.jsonl where asked for.
/// Returns false, with nothing changed, when `stop` was set meanwhile. Throws WriteError.
#pragma once

#include <atomic>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "analysis/results/run_info.hpp"
#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

struct WriteOptions {
    bool requests = false;
    bool decisions = false;
    std::string replications{};  ///< text of replications.json; empty: there are none
    const std::atomic<bool>* stop = nullptr;
};

[[nodiscard]] bool write_results(const std::filesystem::path& folder,
                                 const scenarios::Scenario& scenario,
                                 const SimulationResult& result,
                                 const nlohmann::ordered_json& summary, const RunInfo& info,
                                 const WriteOptions& options);

}  // namespace headroom::analysis
