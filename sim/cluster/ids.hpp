/// The names of what a cluster holds. Ids are ordered by index: iterate and break ties in id order.
#pragma once

#include "sim/core/id.hpp"

namespace headroom::cluster {

using NodeId = Id<struct NodeTag>;
using PodId = Id<struct PodTag>;
using WorkloadId = Id<struct WorkloadTag>;  ///< a workload of the control plane; opaque here

}  // namespace headroom::cluster
