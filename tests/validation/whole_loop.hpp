/// A rig for whole loops of the control plane that are compared with pen and paper: one service
/// with servers to spare, lists of arrivals, and what came of them as steps in time.
#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom::tests {

using Values = std::vector<std::pair<std::string, ParameterValue>>;

/// A level from a second on.
struct Step {
    double second = 0;
    std::int64_t level = 0;
    bool operator==(const Step&) const = default;
};
using Steps = std::vector<Step>;

inline std::ostream& operator<<(std::ostream& out, const Step& step) {
    return out << step.level << " from " << step.second << " s";
}

inline ParameterValue object(const Parameters& parameters) {
    return {std::make_shared<const Parameters>(parameters)};
}
inline ParameterValue list(ParameterValue::List values) {
    return {std::make_shared<const ParameterValue::List>(std::move(values))};
}
inline ParameterValue words(const char* text) {
    return {std::string(text)};
}

inline Time at(double seconds) {
    return Time::zero() + Duration::from_seconds(seconds);
}

inline double in_seconds(Time time) {
    return (time - Time::zero()).to_seconds();
}

inline Steps steps(const metrics::TimeSeries& series) {
    Steps out;
    for (const auto& point : series.points()) {
        out.push_back({in_seconds(point.time), point.value});
    }
    return out;
}

/// `count` requests at each of the times.
inline std::vector<serving::Arrival> bursts(const std::vector<Duration>& times, std::size_t count) {
    std::vector<serving::Arrival> arrivals;
    for (const Duration time : times) arrivals.insert(arrivals.end(), count, arrival_at(time));
    return arrivals;
}

/// A request each `gap`, the first at `first`.
inline std::vector<serving::Arrival> stream(Duration first, Duration gap, std::int64_t count) {
    std::vector<serving::Arrival> arrivals;
    for (std::int64_t i = 0; i < count; ++i) arrivals.push_back(arrival_at(first + gap * i));
    return arrivals;
}

/// One service with more servers than it ever needs, in pods of one core.
inline SimulationSpec one_service(std::int64_t replicas, std::vector<serving::Arrival> arrivals,
                                  Duration service_time, Duration end) {
    SimulationSpec spec;
    spec.end = Time::zero() + end;
    spec.services.push_back(
        simple_service("web", 100'000, Distribution::fixed(service_time.to_seconds())));
    add_workload(spec, 0, replicas, 100);
    spec.control.workloads[0].lifecycle.container_start = Duration::seconds(2);
    spec.sources.push_back(list_source(0, std::move(arrivals)));
    return spec;
}

/// Each workload by an autoscaler of its own.
inline void scale_by(SimulationSpec& spec, const std::string& policy, const Values& values,
                     Duration phase = Duration::zero()) {
    for (control::WorkloadSpec& workload : spec.control.workloads) {
        workload.autoscaler =
            control::AutoscalerSpec{choose<control::ScalingPolicy>(policy, values), phase};
    }
}

/// The parameter `metrics` of an HPA that wants four requests in flight a pod.
inline ParameterValue four_in_flight_a_pod() {
    Parameters target;
    target.set("type", words("AverageValue"));
    target.set("value", whole(4000));
    Parameters metric;
    metric.set("type", words("Pods"));
    metric.set("name", words("requests_in_flight"));
    metric.set("container", words(""));
    metric.set("target", object(target));
    return list({object(metric)});
}

inline const control::WorkloadResult& only(const SimulationResult& result) {
    return result.control.workloads.at(0);
}

/// Everybody who came was served.
inline void check_none_lost(const SimulationResult& result, std::size_t requests) {
    CHECK(imbalance(result.total) == "");
    CHECK(result.total.requests.of(serving::Outcome::completed) ==
          static_cast<std::int64_t>(requests));
    CHECK(result.total.requests.of(serving::Outcome::failed) == 0);
    CHECK(result.total.requests.of(serving::Outcome::rejected) == 0);
    CHECK(result.total.requests.of(serving::Outcome::timed_out) == 0);
}

}  // namespace headroom::tests
