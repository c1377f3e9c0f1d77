/// results.h5: what does not fit into a page of numbers, as HDF5:
///
///     /                         attributes version, scenario, scenario_hash, seed, digest,
///                               simulated_s, measure_from_s
///     /services/<name>/         attributes profile_kind, profile_name, profile_error_band
///         series/<replicas|desired_replicas>/  time_s, value: a step function, by its changes
///         histograms/<e2e_s|ttft_s|tpot_s|itl_s|queue_s>/  low_s, high_s, count: a bucket each
///         workloads/<name>/series/<replicas|desired_replicas>/  the same of each workload
///     /total/                   series and histograms over all services
///     /decisions/               time_s, actor, subject, about, outcome, before, wanted, after,
///                               reason, inputs: changes and blocked changes, always; all ticks
///                               with --decisions all
///     /requests/                the columns of requests.csv, where rows were kept; times that did
///                               not come are NaN; names stand once, in service_names,
///                               pod_names ..., and columns hold places in these lists, -1 for
///                               the pod of a call without one
///
/// A service whose versions differ in their profiles has them as
/// /services/<name>/versions/<version>/. Equal results give equal bytes. Memory: one column of the
/// requests at a time.
#pragma once

#include <filesystem>

#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

/// Throws WriteError.
void write_results_h5(const std::filesystem::path& path, const scenarios::Scenario& scenario,
                      const SimulationResult& result, bool with_requests);

}  // namespace headroom::analysis
