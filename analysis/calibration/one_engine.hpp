/// one_engine_spec: a simulation of one LLM engine alone, ready from the start, fed with a list of
/// requests and run until all have ended: what calibration compares engines by. Of several replicas
/// of it (data parallel ranks) each gets a request in turn: the i-th goes to i mod replicas.
///
///     SimulationSpec spec = one_engine_spec(engine, arrivals);
///     spec.services[0].front_end_delay = Duration::milliseconds(15);
///     SimulationResult result = Simulation(spec).run({});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

/// A registered policy with its default parameters.
template <class Interface>
[[nodiscard]] PolicyChoice with_defaults(const std::string& name) {
    const auto* entry = Registry<Interface>::instance().find(name);
    HEADROOM_CHECK(entry != nullptr, name.c_str());
    return {name, Parameters::defaults(entry->specs)};
}

/// vllm-v1 with its two limits.
[[nodiscard]] PolicyChoice vllm_v1(std::int64_t max_num_seqs, std::int64_t max_num_batched_tokens);

/// Arrivals in order of time.
[[nodiscard]] SimulationSpec one_engine_spec(
    serving::LlmEngineSpec engine, std::shared_ptr<const std::vector<serving::Arrival>> arrivals,
    std::int64_t replicas = 1);

}  // namespace headroom::analysis
