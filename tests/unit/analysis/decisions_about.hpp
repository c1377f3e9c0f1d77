/// Decisions about what is no workload, as tests write them down.
#pragma once

#include "sim/control/control_results.hpp"

namespace headroom::analysis {

inline control::Decision about_pod(control::Decision decision) {
    decision.about = control::Decision::About::pod;
    return decision;
}

inline control::Decision about_node(control::Decision decision) {
    decision.about = control::Decision::About::node;
    return decision;
}

}  // namespace headroom::analysis
