/// A scenario of the library, loaded and run as it stands.
///
///     const LibraryRun run("speculative");
///     CHECK(run.of("drafted").accepted_tokens > 0);
#pragma once

#include <cstddef>
#include <string>

#include "scenarios/scenario.hpp"
#include "sim/simulation.hpp"
#include "tests/catch.hpp"

namespace headroom::tests {

class LibraryRun {
  public:
    explicit LibraryRun(const std::string& name) {
        const auto loaded = scenarios::load_scenario(std::string(HEADROOM_SOURCE_DIR) +
                                                     "/scenarios/library/" + name + ".json");
        for (const auto& d : loaded.diagnostics) UNSCOPED_INFO(d.text());
        REQUIRE(loaded.scenario.has_value());
        spec_ = loaded.scenario->spec;
        result_ = Simulation(spec_).run({});
    }
    [[nodiscard]] const SimulationSpec& spec() const { return spec_; }
    [[nodiscard]] const SimulationResult& result() const { return result_; }
    /// The place of a service in the spec and in the result.
    [[nodiscard]] std::size_t index_of(const std::string& service) const {
        for (std::size_t i = 0; i < spec_.services.size(); ++i) {
            if (spec_.services[i].name == service) return i;
        }
        FAIL("no service " << service);
        return 0;
    }
    [[nodiscard]] const serving::ServiceStats& of(const std::string& service) const {
        return result_.services[index_of(service)].stats;
    }

  private:
    SimulationSpec spec_;
    SimulationResult result_;
};

}  // namespace headroom::tests
