/// The filters of every shipped profile, in kube-scheduler's order: what is cheap and final first.
#pragma once

#include <string>
#include <vector>

namespace headroom::policies {

[[nodiscard]] inline std::vector<std::string> default_filters() {
    return {"node-unschedulable", "taint-toleration", "node-affinity",
            "node-resources-fit", "device-fit",       "pod-topology-spread"};
}

}  // namespace headroom::policies
