#include "analysis/results/write_results.hpp"

#include <nlohmann/json.hpp>

#include "analysis/results/decisions_jsonl.hpp"
#include "analysis/results/requests_csv.hpp"
#include "analysis/results/result_folder.hpp"
#include "analysis/results/results_h5.hpp"
#include "analysis/results/summary.hpp"
#include "analysis/results/text_file.hpp"

namespace headroom::analysis {

bool write_results(const std::filesystem::path& folder, const scenarios::Scenario& scenario,
                   const SimulationResult& result, const nlohmann::ordered_json& summary,
                   const RunInfo& info, const WriteOptions& options) {
    ResultFolder target(folder);
    const auto stopped = [&] {
        return options.stop != nullptr && options.stop->load(std::memory_order_relaxed);
    };
    write_text_file(target.path() / kSummaryFile, summary_text(summary));
    write_text_file(target.path() / kRunFile, run_json(info));
    if (options.decisions) {
        write_decisions_jsonl(target.path() / kDecisionsFile, result.control.decisions);
    }
    if (!options.replications.empty()) {
        write_text_file(target.path() / kReplicationsFile, options.replications);
    }
    if (stopped()) return false;
    write_results_h5(target.path() / kResultsFile, scenario, result, options.requests);
    if (stopped()) return false;
    if (options.requests) {
        write_requests_csv(target.path() / kRequestsFile, scenario.spec, result, options.stop);
    }
    if (stopped()) return false;
    target.commit();
    return true;
}

}  // namespace headroom::analysis
