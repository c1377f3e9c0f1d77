/// What a scenario's sources ask of each service, before anything is simulated: the rate over the
/// run and in its busiest window, how bursty it is, and how long the requests are.
///
///     const OfferedLoads loads = offered_loads(scenario);
///     const OfferedLoad& chat = loads.services[0];     // in the order of scenario.spec.services
///     chat.mean_rate, chat.peak_rate, chat.lengths.mean_prompt()
///
/// An arrival process is asked for its rate and the lengths for their quantiles, so these are
/// expectations, the same for every seed. A trace is read once, to its end in this run. Sessions
/// are drawn with the scenario's seed as if each turn were answered at once, for which later turns
/// follow is up to the think times. A closed loop has users, no rate. Calls bring a service the
/// rate and lengths of those who call it.
///
/// The window is a minute, or a tenth of a run shorter than ten minutes; windows do not overlap.
/// O(requests of traces and sessions + windows * sources).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenarios/scenario.hpp"

namespace headroom::analysis {

/// Lengths of requests as weighted points; weights sum up to 1 (none: nothing is known).
struct LengthMix {
    struct Point {
        double prompt = 1;
        double output = 1;
        double weight = 0;
    };
    std::vector<Point> points;

    [[nodiscard]] double mean_prompt() const;
    [[nodiscard]] double mean_output() const;
};

struct OfferedLoad {
    double mean_rate = 0;         ///< requests/s over the run, without closed loops
    double peak_rate = 0;         ///< requests/s in the busiest window
    double window_s = 0;          ///< its length
    double peak_at_s = 0;         ///< where it begins
    double gap_cv = 1;            ///< of the arrivals' gaps; 1: Poisson
    double users = 0;             ///< of closed loops
    double think_s = 0;           ///< their mean think time
    std::int64_t sources = 0;     ///< whose requests come here
    bool called = false;          ///< by another service
    bool lengths_differ = false;  ///< means of its sources are more than a fifth apart
    LengthMix lengths;

    [[nodiscard]] bool closed() const { return users > 0; }
};

struct OfferedLoads {
    std::vector<OfferedLoad> services;  ///< in the order of spec.services
    double span_s = 0;                  ///< over which the means are taken
    /// Requests/s that enter, each source at its mean over its own time, when the most is sent: two
    /// sources count together only where they send at one time.
    double open_rate = 0;
    double users = 0;   ///< of all closed loops
    std::string error;  ///< not empty: a trace is bad, as "file:line: ..."
};

[[nodiscard]] OfferedLoads offered_loads(const scenarios::Scenario& scenario);

}  // namespace headroom::analysis
