#include "analysis/results/replica_series.hpp"

#include <algorithm>
#include <vector>

namespace headroom::analysis {

namespace {

struct Step {
    Time time;
    std::int64_t delta = 0;
};

void add_steps(const metrics::TimeSeries& series, std::vector<Step>& steps) {
    std::int64_t before = 0;
    for (const auto& point : series.points()) {
        steps.push_back({point.time, point.value - before});
        before = point.value;
    }
}

metrics::TimeSeries sum_of(std::vector<Step> steps) {
    std::stable_sort(steps.begin(), steps.end(),
                     [](const Step& a, const Step& b) { return a.time < b.time; });
    metrics::TimeSeries sum;
    std::int64_t level = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        level += steps[i].delta;
        const bool last_of_instant = i + 1 == steps.size() || steps[i + 1].time > steps[i].time;
        if (last_of_instant) sum.append(steps[i].time, level);
    }
    return sum;
}

}  // namespace

ReplicaSeries replica_series(const control::ControlResults& control,
                             std::optional<std::uint32_t> service) {
    ReplicaSeries out;
    std::vector<Step> ready;
    std::vector<Step> desired;
    for (const control::WorkloadResult& workload : control.workloads) {
        if (service && workload.service != *service) continue;
        out.known = true;
        add_steps(workload.ready_replicas, ready);
        add_steps(workload.desired_replicas, desired);
    }
    out.ready = sum_of(std::move(ready));
    out.desired = sum_of(std::move(desired));
    return out;
}

}  // namespace headroom::analysis
