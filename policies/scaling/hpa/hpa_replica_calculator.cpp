#include "policies/scaling/hpa/hpa_replica_calculator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace headroom::policies {

namespace {

using control::MetricKind;
using control::MetricReading;
using control::PodPhase;
using control::PodSample;
using control::ScalingPod;
using control::ScalingView;

using Samples = std::vector<std::optional<PodSample>>;
using Amounts = std::vector<std::optional<std::int64_t>>;

/// "Never" (Time::max() or negative) becomes a time so long ago that adding a duration to it stays
/// in the past: the zero time of the API, which upstream compares like any other.
Time or_long_ago(Time time) {
    constexpr std::int64_t kLongAgo = std::numeric_limits<std::int64_t>::min() / 4;
    return time == Time::max() || time < Time::zero() ? Time::picoseconds(kLongAgo) : time;
}

/// ceil to the 32-bit replica count of the API; out of range saturates, NaN is none.
std::int64_t ceil_replicas(double replicas) {
    constexpr double kMost = std::numeric_limits<std::int32_t>::max();
    if (!(replicas > 0.0)) return 0;
    return static_cast<std::int64_t>(std::min(std::ceil(replicas), kMost));
}

/// Three decimals at most, without trailing zeros: 12500 -> "12.5".
std::string milli_text(std::int64_t milli) {
    std::string text = fmt::format("{}{}.{:03}", milli < 0 ? "-" : "", std::abs(milli / 1000),
                                   std::abs(milli % 1000));
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

ReplicaProposal refuse(std::string error) {
    ReplicaProposal proposal;
    proposal.error = std::move(error);
    return proposal;
}

bool is_too_young(const ScalingPod& pod, const PodSample& sample, Time now,
                  const HpaCalculatorOptions& options) {
    if (!pod.has_ready_condition || !pod.start_time.has_value()) return true;
    const Time start = or_long_ago(*pod.start_time);
    const Time transition = or_long_ago(pod.ready_transition);
    if (start + options.cpu_initialization_period > now) {
        return !pod.ready || or_long_ago(sample.timestamp) < transition + sample.window;
    }
    return !pod.ready && start + options.initial_readiness_delay > transition;
}

std::optional<std::size_t> find_container(const ScalingPod& pod, const std::string& name) {
    for (std::size_t i = 0; i < pod.containers.size(); ++i) {
        if (pod.containers[i].is_named(name)) return i;
    }
    return std::nullopt;
}

/// A pod's sample: its own, or the sum over its containers, which must all have one.
std::optional<PodSample> whole_pod_sample(const MetricReading& reading, std::size_t pod) {
    if (pod < reading.pods.size() && reading.pods[pod].has_value()) return reading.pods[pod];
    if (pod >= reading.containers.size() || reading.containers[pod].empty()) return std::nullopt;
    std::optional<PodSample> sum;
    for (const auto& sample : reading.containers[pod]) {
        if (!sample.has_value()) return std::nullopt;
        if (!sum.has_value()) {
            sum = sample;
        } else {
            sum->value_milli += sample->value_milli;
        }
    }
    return sum;
}

/// The samples that the metric is about, one slot a pod. False with an error when a pod that is
/// measured lacks the named container.
bool collect_samples(const HpaMetric& metric, const ScalingView& view, const MetricReading& reading,
                     Samples& samples, std::string& error) {
    samples.assign(view.pods.size(), std::nullopt);
    for (std::size_t i = 0; i < view.pods.size(); ++i) {
        const bool by_container = metric.request.kind == MetricKind::container_resource &&
                                  i < reading.containers.size() && !reading.containers[i].empty();
        if (!by_container) {
            samples[i] = whole_pod_sample(reading, i);
            continue;
        }
        const auto& row = reading.containers[i];
        const bool measured =
            std::any_of(row.begin(), row.end(), [](const auto& s) { return s.has_value(); });
        if (!measured) continue;
        const auto container = find_container(view.pods[i], metric.request.container);
        if (!container.has_value() || *container >= row.size() || !row[*container].has_value()) {
            error = fmt::format("container {} not present in metrics for pod {}",
                                metric.request.container, view.pods[i].name);
            return false;
        }
        samples[i] = row[*container];
    }
    return true;
}

/// Sum of the requests of the containers that the metric is about, per pod.
bool collect_requests(const HpaMetric& metric, const std::vector<ScalingPod>& pods,
                      std::vector<std::int64_t>& requests, std::string& error) {
    const bool is_cpu = metric.request.name == "cpu";
    requests.assign(pods.size(), 0);
    for (std::size_t i = 0; i < pods.size(); ++i) {
        for (const auto& container : pods[i].containers) {
            if (metric.request.kind == MetricKind::container_resource &&
                !container.is_named(metric.request.container)) {
                continue;
            }
            const auto& request = is_cpu ? container.cpu_milli : container.memory_milli;
            if (!request.has_value()) {
                error = fmt::format("missing request for {} in container {} of pod {}",
                                    metric.request.name, container.name, pods[i].name);
                return false;
            }
            requests[i] += *request;
        }
    }
    return true;
}

/// Usage against the target, over the pods that have an amount.
struct Usage {
    bool valid = false;
    double ratio = 0.0;
    std::int64_t utilization_percent = 0;
    std::int64_t average_milli = 0;
};

Usage measure_utilization(const Amounts& amounts, const std::vector<std::int64_t>& requests,
                          std::int64_t target_percent) {
    Int128 used = 0;
    Int128 requested = 0;
    std::int64_t entries = 0;
    for (std::size_t i = 0; i < amounts.size(); ++i) {
        if (!amounts[i].has_value()) continue;
        used += *amounts[i];
        requested += requests[i];
        ++entries;
    }
    if (requested == 0) return {};
    const auto percent = static_cast<std::int64_t>(used * 100 / requested);
    return {.valid = true,
            .ratio = static_cast<double>(percent) / static_cast<double>(target_percent),
            .utilization_percent = percent,
            .average_milli = static_cast<std::int64_t>(used / entries)};
}

Usage measure_average(const Amounts& amounts, std::int64_t target_milli) {
    Int128 used = 0;
    std::int64_t entries = 0;
    for (const auto& amount : amounts) {
        if (!amount.has_value()) continue;
        used += *amount;
        ++entries;
    }
    if (entries == 0) return {};
    const auto average = static_cast<std::int64_t>(used / entries);
    return {.valid = true,
            .ratio = static_cast<double>(average) / static_cast<double>(target_milli),
            .utilization_percent = 0,
            .average_milli = average};
}

/// Usage of the pods that have an amount, as the metric's target measures it.
Usage measure(const HpaMetric& metric, const Amounts& amounts,
              const std::vector<std::int64_t>& requests) {
    return metric.target_kind == HpaTargetKind::utilization
               ? measure_utilization(amounts, requests, metric.target_milli / 1000)
               : measure_average(amounts, metric.target_milli);
}

std::int64_t count_amounts(const Amounts& amounts) {
    return std::count_if(amounts.begin(), amounts.end(),
                         [](const auto& amount) { return amount.has_value(); });
}

/// Unknown pods count against the direction of the change: as fully used when load is low, as idle
/// when it is high. At exactly the target they stay left out.
void fill_missing(const HpaMetric& metric, const std::vector<std::size_t>& missing, double ratio,
                  const std::vector<std::int64_t>& requests, Amounts& amounts) {
    const std::int64_t percent = std::max<std::int64_t>(100, metric.target_milli / 1000);
    for (const std::size_t i : missing) {
        if (ratio > 1.0) {
            amounts[i] = 0;
        } else if (ratio < 1.0 && metric.target_kind == HpaTargetKind::utilization) {
            amounts[i] =
                static_cast<std::int64_t>(static_cast<Int128>(requests[i]) * percent / 100);
        } else if (ratio < 1.0) {
            amounts[i] = metric.target_milli;
        }
    }
}

/// Both passes over the pods: as measured, and again with the unknown pods filled in.
ReplicaProposal propose_from_amounts(const HpaMetric& metric, std::int64_t current,
                                     const HpaPodGroups& groups, Amounts amounts,
                                     const std::vector<std::int64_t>& requests,
                                     const HpaTolerances& tolerances) {
    const Usage first = measure(metric, amounts, requests);
    if (!first.valid) return refuse("no metrics matched pods with requests");
    ReplicaProposal proposal;
    proposal.valid = true;
    proposal.utilization_percent = first.utilization_percent;
    proposal.usage_milli = first.average_milli;
    proposal.replicas = current;

    const bool fill_unready = !groups.unready.empty() && first.ratio > 1.0;
    if (!fill_unready && groups.missing.empty()) {
        if (!tolerances.covers(first.ratio)) {
            proposal.replicas =
                ceil_replicas(first.ratio * static_cast<double>(groups.ready_count));
        }
        return proposal;
    }
    fill_missing(metric, groups.missing, first.ratio, requests, amounts);
    if (fill_unready) {
        for (const std::size_t i : groups.unready) amounts[i] = 0;
    }
    const Usage second = measure(metric, amounts, requests);
    if (!second.valid) return refuse("no metrics matched pods with requests");
    const bool flipped =
        (first.ratio < 1.0 && second.ratio > 1.0) || (first.ratio > 1.0 && second.ratio < 1.0);
    if (tolerances.covers(second.ratio) || flipped) return proposal;
    const std::int64_t wanted =
        ceil_replicas(second.ratio * static_cast<double>(count_amounts(amounts)));
    const bool contradicts =
        (second.ratio < 1.0 && wanted > current) || (second.ratio > 1.0 && wanted < current);
    if (!contradicts) proposal.replicas = wanted;
    return proposal;
}

/// The metrics that are sampled per pod.
ReplicaProposal propose_from_pods(const HpaMetric& metric, const ScalingView& view,
                                  const MetricReading& reading,
                                  const HpaCalculatorOptions& options) {
    std::string error;
    Samples samples;
    if (!collect_samples(metric, view, reading, samples, error)) return refuse(std::move(error));
    if (view.pods.empty()) return refuse("no pods to compute a replica count from");

    const bool is_cpu = metric.request.kind != MetricKind::pods && metric.request.name == "cpu";
    const HpaPodGroups groups = group_pods(view.pods, samples, is_cpu, view.now, options);
    Amounts amounts(view.pods.size());
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (samples[i].has_value()) amounts[i] = samples[i]->value_milli;
    }
    for (const std::size_t i : groups.ignored) amounts[i].reset();
    for (const std::size_t i : groups.unready) amounts[i].reset();
    if (count_amounts(amounts) == 0)
        return refuse("no metrics for the pods (they might be unready)");

    std::vector<std::int64_t> requests;
    if (metric.target_kind == HpaTargetKind::utilization &&
        !collect_requests(metric, view.pods, requests, error)) {
        return refuse(std::move(error));
    }
    return propose_from_amounts(metric, view.spec_replicas, groups, std::move(amounts), requests,
                                options.tolerances);
}

/// Object and external metrics: one value for the whole workload, external ones the sum of series.
ReplicaProposal propose_from_value(const HpaMetric& metric, const ScalingView& view,
                                   const MetricReading& reading,
                                   const HpaCalculatorOptions& options) {
    if (reading.values_milli.empty()) return refuse("no value was returned");
    std::int64_t value = 0;
    if (metric.request.kind == MetricKind::object) {
        value = reading.values_milli.front();
    } else {
        for (const std::int64_t part : reading.values_milli) value += part;
    }
    const auto amount = static_cast<double>(value);
    const auto target = static_cast<double>(metric.target_milli);
    ReplicaProposal proposal;
    proposal.valid = true;
    proposal.usage_milli = value;

    if (metric.target_kind == HpaTargetKind::average_value) {
        const auto replicas = static_cast<double>(view.status_replicas);
        proposal.replicas = view.status_replicas;
        if (!options.tolerances.covers(amount / (target * replicas))) {
            proposal.replicas = ceil_replicas(amount / target);
        }
        if (view.status_replicas > 0) {
            proposal.usage_milli = static_cast<std::int64_t>(std::ceil(amount / replicas));
        }
        return proposal;
    }
    const double ratio = amount / target;
    if (view.spec_replicas == 0) {
        proposal.replicas = ceil_replicas(ratio);
    } else if (options.tolerances.covers(ratio)) {
        proposal.replicas = view.spec_replicas;
    } else {
        if (view.pods.empty()) return refuse("no pods to compute a replica count from");
        const auto ready = std::count_if(view.pods.begin(), view.pods.end(), [](const auto& pod) {
            return pod.phase == PodPhase::running && pod.has_ready_condition && pod.ready;
        });
        proposal.replicas = ceil_replicas(ratio * static_cast<double>(ready));
    }
    return proposal;
}

std::string describe(const HpaMetric& metric, const ReplicaProposal& proposal) {
    if (metric.target_kind == HpaTargetKind::utilization) {
        return fmt::format("{} {} % (target {} %)", metric.request.name,
                           proposal.utilization_percent, metric.target_milli / 1000);
    }
    return fmt::format("{} {} (target {}{})", metric.request.name, milli_text(proposal.usage_milli),
                       milli_text(metric.target_milli),
                       metric.target_kind == HpaTargetKind::average_value ? " a pod" : "");
}

}  // namespace

bool HpaTolerances::covers(double ratio) const {
    if (per_direction) return 1.0 - scale_down <= ratio && ratio <= 1.0 + scale_up;
    return std::abs(1.0 - ratio) <= scale_up;
}

HpaPodGroups group_pods(const std::vector<ScalingPod>& pods, const Samples& samples, bool is_cpu,
                        Time now, const HpaCalculatorOptions& options) {
    HpaPodGroups groups;
    for (std::size_t i = 0; i < pods.size(); ++i) {
        const ScalingPod& pod = pods[i];
        if (pod.deleted || pod.phase == PodPhase::failed) {
            groups.ignored.push_back(i);
        } else if (pod.phase == PodPhase::pending) {
            groups.unready.push_back(i);
        } else if (i >= samples.size() || !samples[i].has_value()) {
            groups.missing.push_back(i);
        } else if (is_cpu && is_too_young(pod, *samples[i], now, options)) {
            groups.unready.push_back(i);
        } else {
            ++groups.ready_count;
        }
    }
    return groups;
}

ReplicaProposal propose_replicas(const HpaMetric& metric, const ScalingView& view,
                                 const MetricReading& reading,
                                 const HpaCalculatorOptions& options) {
    if (!metric.invalid.empty()) return refuse(metric.invalid);
    if (!reading.available) {
        return refuse(fmt::format("unable to get metric {}: {}", metric.request.name,
                                  reading.error.empty() ? "no metrics returned" : reading.error));
    }
    const bool whole_workload =
        metric.request.kind == MetricKind::object || metric.request.kind == MetricKind::external;
    ReplicaProposal proposal = whole_workload ? propose_from_value(metric, view, reading, options)
                                              : propose_from_pods(metric, view, reading, options);
    if (proposal.valid) {
        proposal.measured = describe(metric, proposal);
    } else {
        proposal.error = fmt::format("metric {}: {}", metric.request.name, proposal.error);
    }
    return proposal;
}

}  // namespace headroom::policies
