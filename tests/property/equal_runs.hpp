/// Two runs of one spec that have to agree to the bit: in macro-steps and by the slow twin, on one
/// thread and on several. Everything is kept and compared, so that a difference names the first
/// figure, row or decision, and not just the digest.
///
///     const SimulationResult base = run_and_keep(spec, 1, false);
///     check_equal(base, run_and_keep(spec, 2, true));
#pragma once

#include <cstdint>
#include <tuple>

#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom::tests {

/// With all rows and decisions; the books of each service balance.
inline SimulationResult run_and_keep(const SimulationSpec& spec, int threads, bool exact_steps) {
    RunOptions options;
    options.threads = threads;
    options.exact_steps = exact_steps;
    options.keep_rows = true;
    options.all_decisions = true;
    SimulationResult result = Simulation(spec).run(options);
    for (std::uint32_t i = 0; i < result.services.size(); ++i) {
        INFO(result.services[i].name);
        CHECK(imbalance(result.services[i].stats) == "");
        CHECK(preemptions_of(result.rows, i) == result.services[i].stats.preemptions);
    }
    return result;
}

inline bool equal_rows(const serving::RequestRow& a, const serving::RequestRow& b) {
    const auto key = [](const serving::RequestRow& r) {
        return std::tuple(r.id, r.source, r.service, r.instance, r.preemptions, r.arrival,
                          r.first_scheduled, r.first_token, r.finish, r.prompt_tokens,
                          r.output_tokens, r.outcome, r.cause, r.attempts);
    };
    return key(a) == key(b);
}

inline void check_equal(const SimulationResult& a, const SimulationResult& b) {
    CHECK(a.digest.hex() == b.digest.hex());
    CHECK(a.end == b.end);
    for (std::size_t i = 0; i < a.services.size(); ++i) {
        INFO(a.services[i].name);
        CHECK(first_difference(a.services[i].stats, b.services[i].stats) == "");
        CHECK(a.services[i].saturated == b.services[i].saturated);
    }
    CHECK(first_difference(a.total, b.total) == "");
    REQUIRE(a.rows.size() == b.rows.size());
    for (std::size_t i = 0; i < a.rows.size(); ++i) {
        INFO("row " << i);
        REQUIRE(equal_rows(a.rows[i], b.rows[i]));
    }
    REQUIRE(a.control.decisions.size() == b.control.decisions.size());
    for (std::size_t i = 0; i < a.control.decisions.size(); ++i) {
        INFO("decision " << i << ": " << a.control.decisions[i].reason);
        REQUIRE(a.control.decisions[i].time == b.control.decisions[i].time);
        REQUIRE(a.control.decisions[i].reason == b.control.decisions[i].reason);
        REQUIRE(a.control.decisions[i].after == b.control.decisions[i].after);
    }
}

}  // namespace headroom::tests
