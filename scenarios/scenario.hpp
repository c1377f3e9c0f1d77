/// Scenario: a file of the scenario format, loaded: everything resolved and checked, ready to run.
///
///     LoadResult loaded = load_scenario("quickstart.json", {.sets = {"/seed=2"}});
///     if (!loaded.scenario) {
///         for (const Diagnostic& d : loaded.diagnostics) std::cerr << d.text() << '\n';
///         return 2;
///     }
///     SimulationResult result = Simulation(loaded.scenario->spec).run({});
///
/// Order: `extends` chain, `patches`, `traces`, `seed`, `sets`, `rate_scale`, then the checks. All
/// mistakes are reported at once; nothing is thrown. A file is also a contract: `hash` names the
/// merged content, so two runs of one hash, seed and version are the same run. Services, sources
/// and pools are in the order of their names, whatever the order in the file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/diagnostic.hpp"
#include "scenarios/expectation.hpp"
#include "scenarios/source_load.hpp"
#include "sim/simulation.hpp"

namespace headroom::scenarios {

/// Which profile an engine runs on: repeated wherever its results are shown.
struct ProfileUse {
    std::string service;
    std::string version;
    serving::ProfileInfo info;
};

struct Scenario {
    SimulationSpec spec;
    std::string name;
    std::string description;
    std::string currency = "USD";
    std::optional<std::int64_t> start_unix_s;  ///< UTC; nothing: the run has no calendar
    std::vector<Expectation> expectations;
    std::vector<ProfileUse> profiles;
    std::vector<std::string> warnings;
    std::string canonical;          ///< the merged scenario: JSON without blanks, keys sorted
    std::string hash;               ///< 16 hexadecimal digits of `canonical`
    double rate_scale = 1;          ///< times the rates that the sources are described with
    std::vector<SourceLoad> loads;  ///< in the order of spec.sources, `rate_scale` within
};

struct LoadOptions {
    /// Files that are merge patches (RFC 7396) on the scenario, carried out in order. Mistakes in
    /// what they say are located there; paths in them are relative to them.
    std::vector<std::string> patches{};
    std::vector<std::string> sets{};  ///< "/json/pointer=value", carried out in order
    /// "FILE" replaces the only source, "SERVICE=FILE" the sources of that service: unscaled, and
    /// the run drains instead of ending at `duration` (other sources keep ending there).
    std::vector<std::string> traces{};
    std::optional<std::uint64_t> seed{};
    /// Times the traffic that the file asks for: what its `rate_scale` says, or 1, is multiplied.
    std::optional<double> rate_scale{};
    /// Where models, GPUs and instance types come from. Nothing: the default one is read, which is
    /// most of the time of a load; who loads many scenarios reads it once.
    std::shared_ptr<const Catalogue> catalogue{};
};

struct LoadResult {
    std::optional<Scenario> scenario;  ///< nothing: `diagnostics` says why
    Diagnostics diagnostics;
};

[[nodiscard]] LoadResult load_scenario(const std::string& path, const LoadOptions& options = {});

}  // namespace headroom::scenarios
