/// requests.csv: one row per call, in the order (source, id, service), with times to the
/// picosecond:
///
///     id,service,arrival_s,first_scheduled_s,first_token_s,finish_s,prompt_tokens,output_tokens,
///     preemptions,pod,outcome
///
/// `id` numbers the requests of a source from 0; where there are several sources it is
/// "source/number". A time that did not come, and the pod of a call that never reached one, are
/// empty; of several pods it is the last one tried. `outcome` is completed, failed, rejected,
/// timed_out or in_flight. Text with commas or quotes is quoted (RFC 4180).
#pragma once

#include <atomic>
#include <filesystem>

#include "sim/simulation.hpp"

namespace headroom::analysis {

/// Returns early, with a file that is not whole, once `stop` is set. Throws WriteError.
void write_requests_csv(const std::filesystem::path& path, const SimulationSpec& spec,
                        const SimulationResult& result, const std::atomic<bool>* stop = nullptr);

}  // namespace headroom::analysis
