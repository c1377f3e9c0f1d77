/// A cell of one service and the requests that come to it, by their times.
#pragma once

#include <utility>
#include <vector>

#include "tests/rig.hpp"

namespace headroom::tests {

/// Requests of one token at these seconds after the start.
inline std::vector<serving::Arrival> arrivals_at(const std::vector<double>& times) {
    std::vector<serving::Arrival> arrivals;
    for (const double time : times) arrivals.push_back(arrival_at(Duration::from_seconds(time)));
    return arrivals;
}

/// Not started, so that a test may still change it; and without an instance.
inline CellRig rig_of(serving::ServiceSpec service, const std::vector<double>& times) {
    CellRig rig;
    rig.specs.push_back(std::move(service));
    rig.sources.push_back(list_source(0, arrivals_at(times)));
    return rig;
}

}  // namespace headroom::tests
