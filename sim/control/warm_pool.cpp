#include "sim/control/warm_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace headroom::control {

std::vector<PodId> WarmPools::promotion_order(const Workload& workload,
                                              std::optional<std::uint32_t> revision) const {
    std::vector<PodId> order;
    for (const PodId id : workload.standby) {
        if (!revision || state_.managed(id).revision == *revision) order.push_back(id);
    }
    const auto key = [this](PodId id) {
        const ManagedPod& pod = state_.managed(id);
        const cluster::Pod& placed = state_.cluster.pod(id);
        // When a pod was loaded does not matter.
        const Time entered = pod.loaded ? Time::zero() : placed.entered_at(placed.phase);
        return std::tuple(!pod.loaded, -static_cast<int>(placed.phase), entered, pod.serial);
    };
    std::sort(order.begin(), order.end(), [&](PodId a, PodId b) { return key(a) < key(b); });
    return order;
}

std::int64_t WarmPools::promote(Workload& workload, std::uint32_t revision, std::int64_t count) {
    if (workload.standby.empty()) return 0;
    std::int64_t promoted = 0;
    for (const PodId id : promotion_order(workload, revision)) {
        if (promoted == count) break;
        lifecycle_.promote(id);
        ++promoted;
    }
    return promoted;
}

void WarmPools::reconcile(Workload& workload) {
    const std::int64_t size = workload.spec->warm_pool.size;
    const std::vector<PodId> before = workload.standby;
    for (const PodId id : before) {
        const std::uint32_t revision = state_.managed(id).revision;
        if (revision == workload.template_revision) continue;
        lifecycle_.dismiss(id, fmt::format("replaced: of revision {}, the present one is {}",
                                           revision, workload.template_revision));
    }
    const auto pods = [&] { return static_cast<std::int64_t>(workload.standby.size()); };
    if (pods() > size) {
        std::vector<PodId> order = promotion_order(workload, std::nullopt);
        for (; pods() > size; order.pop_back()) {
            lifecycle_.dismiss(order.back(), "superfluous: a loaded pod has returned");
        }
    }
    while (pods() < size) lifecycle_.create_standby(workload, workload.template_revision);
}

}  // namespace headroom::control
