/// ScalingPolicy decides how many replicas a workload should have. The autoscaler host calls it on
/// its ticks with a ScalingView: the workload, its pods and the metrics that the policy asked for
/// in metrics(), as the metrics pipeline delivers them (scraped, delayed, averaged over a window).
/// The policy owns its state (stabilisation logs, forecasts); the view is read-only and lives for
/// the call.
///
/// Quantities follow Kubernetes: metric values and resource amounts are in milli-units (int64),
/// times are those of the simulation, `Time::max()` and negative values mean "never".
///
///     ScalingDecision decide(const ScalingView& view) override {
///         return {.desired = view.spec_replicas, .outcome = ScalingOutcome::unchanged, .reason =
///         "..."};
///     }
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/core/time.hpp"

namespace headroom::control {

enum class MetricKind : std::uint8_t { resource, container_resource, pods, object, external };

/// A metric a policy wants to see. `name` is a Kubernetes resource ("cpu", "memory") for resource
/// kinds, else the name of a metric of the simulation (see control/metric_names.hpp).
struct MetricRequest {
    MetricKind kind = MetricKind::pods;
    std::string name;
    std::string container;  ///< of container_resource

    bool operator==(const MetricRequest&) const = default;
};

struct PodSample {
    std::int64_t value_milli = 0;
    Time timestamp;   ///< when it was scraped
    Duration window;  ///< the span it averages over
};

enum class PodPhase : std::uint8_t { pending, running, succeeded, failed, unknown };

struct ContainerResources {
    std::string name;
    std::optional<std::int64_t> cpu_milli;     ///< request; nullopt: none was made
    std::optional<std::int64_t> memory_milli;  ///< bytes * 1000
};

/// One pod of the workload as the autoscaler sees it.
struct ScalingPod {
    std::string name;
    PodPhase phase = PodPhase::running;
    bool deleted = false;  ///< has a deletion time
    bool has_ready_condition = true;
    bool ready = false;
    std::optional<Time> start_time;
    Time ready_transition;  ///< last change of the Ready condition
    std::vector<ContainerResources> containers;
};

struct MetricReading {
    bool available = false;  ///< false: the pipeline has nothing, `error` says why
    std::string error;
    /// Per pod, index into ScalingView::pods; a pod without a sample is missing.
    std::vector<std::optional<PodSample>> pods;
    /// Per pod and container (container_resource and resource of several containers); may be empty
    /// when the pod has one container.
    std::vector<std::vector<std::optional<PodSample>>> containers;
    /// For object and external metrics: the series' values.
    std::vector<std::int64_t> values_milli;
    Time timestamp;
};

struct ScalingView {
    Time now;
    std::int64_t spec_replicas = 0;      ///< what the workload's spec asks for
    std::int64_t status_replicas = 0;    ///< pods that exist
    std::vector<ScalingPod> pods;        ///< in creation order
    std::vector<MetricReading> metrics;  ///< one per metrics() entry
    /// True when the gateway holds requests because there is no endpoint (scale from zero).
    bool requests_wait = false;
};

enum class ScalingOutcome : std::uint8_t {
    unchanged,   ///< the wanted number is the present one
    scaled,      ///< desired differs from spec_replicas
    limited,     ///< wanted more or less than limits, policies or stabilisation allow
    no_metrics,  ///< nothing could be computed
    disabled,    ///< the policy takes no part now (e.g. replicas 0 with a minimum above it)
    invalid,     ///< the configuration cannot work, as recorded in `reason`
};

struct ScalingDecision {
    std::int64_t desired = 0;  ///< spec_replicas when nothing is to change
    std::int64_t wanted = 0;   ///< before limits and stabilisation
    ScalingOutcome outcome = ScalingOutcome::unchanged;
    std::string reason;  ///< "14 wanted, 8 allowed: policy 100 %/15 s"
};

class ScalingPolicy {
  public:
    virtual ~ScalingPolicy() = default;
    /// What decide() wants in ScalingView::metrics, in that order. Asked once.
    [[nodiscard]] virtual std::vector<MetricRequest> metrics() const = 0;
    /// What is wrong with each of metrics() that the names alone do not tell (a target of a type
    /// that its source does not take); an empty text where nothing is. A loader refuses them.
    [[nodiscard]] virtual std::vector<std::string> metric_faults() const { return {}; }
    /// Time between ticks.
    [[nodiscard]] virtual Duration period() const = 0;
    virtual ScalingDecision decide(const ScalingView& view) = 0;
};

}  // namespace headroom::control
