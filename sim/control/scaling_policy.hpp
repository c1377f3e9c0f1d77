/// ScalingPolicy decides how many replicas a workload should have, or what its pods should request.
/// The autoscaler host calls it on its ticks with a ScalingView: the workload, its pods and the
/// metrics that the policy asked for in metrics(), as the metrics pipeline delivers them (scraped,
/// delayed, averaged over a window), or, where `live`, as their source has them at the tick. The
/// policy owns its state (stabilisation logs, forecasts); the view is read-only and lives for the
/// call.
///
/// Quantities follow Kubernetes: metric values and resource amounts are in milli-units (int64),
/// times are those of the simulation, `Time::max()` and negative values mean "never".
///
///     ScalingDecision decide(const ScalingView& view) override {
///         return {.desired = view.spec_replicas, .outcome = ScalingOutcome::unchanged,
///                 .reason = "3 are enough", .inputs = "queue 2"};
///     }
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/control/oom_kill.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/core/time.hpp"

namespace headroom::control {

/// No scenario may ask for more replicas: more than any cluster has, and a slip of the pen must not
/// fill the memory.
inline constexpr double kReplicaLimit = 1e6;

/// A parameter that is a number of replicas, 0 at least where nothing else is said: all of them are
/// made here.
[[nodiscard]] inline ParameterSpec replica_count(std::string name, std::int64_t value,
                                                 std::string help) {
    return ParameterSpec::integer(std::move(name), value, std::move(help))
        .at_least(0)
        .at_most(kReplicaLimit);
}

enum class MetricKind : std::uint8_t { resource, container_resource, pods, object, external };

/// A metric a policy wants to see. `name` is a Kubernetes resource ("cpu", "memory") for resource
/// kinds, else the name of a metric of the simulation (see control/metric_names.hpp).
struct MetricRequest {
    MetricKind kind = MetricKind::pods;
    std::string name;
    std::string container = {};  ///< of container_resource
    /// Asked of its source at the tick, past the pipeline (a KEDA scaler at a queue, Knative's own
    /// scraper): gauges and counters only.
    bool live = false;
    /// Where the policy's parameters name it, for messages: "/metrics/0/name"; may be empty.
    std::string pointer = {};
    /// Of a resource: read as a share of what the pods request, which they thus have to.
    bool share_of_requests = false;

    bool operator==(const MetricRequest&) const = default;
};

/// What cannot work in a policy's parameters although each of them is in its range.
struct ScalingFault {
    std::string pointer;      ///< below the policy's object: "/min_replicas"; empty: the object
    std::string expectation;  ///< "expected at most max_replicas (4), found 7"
};

struct PodSample {
    std::int64_t value_milli = 0;
    Time timestamp;   ///< when it was scraped
    Duration window;  ///< the span it averages over
};

/// A pod's status.phase as the Kubernetes API shows it; the simulator's own, finer phases are
/// cluster::PodPhase.
enum class PodPhase : std::uint8_t { pending, running, succeeded, failed, unknown };

struct ContainerResources {
    std::string name;
    std::optional<std::int64_t> cpu_milli;                ///< request; nullopt: none was made
    std::optional<std::int64_t> memory_milli;             ///< bytes * 1000
    std::optional<std::int64_t> memory_limit_milli = {};  ///< likewise; nullopt: no limit
    /// A name that it has as well, in all versions of its service; may be empty.
    std::string common_name = {};

    [[nodiscard]] bool is_named(const std::string& other) const {
        return other == name || (!common_name.empty() && other == common_name);
    }
};

/// One pod of the workload as the autoscaler sees it.
struct ScalingPod {
    std::string name;
    PodPhase phase = PodPhase::running;
    bool deleted = false;  ///< has a deletion time
    bool has_ready_condition = true;
    bool ready = false;
    std::optional<Time> start_time;  ///< status.startTime
    Time ready_transition;           ///< last change of the Ready condition
    std::vector<ContainerResources> containers;
    std::optional<OomKill> oom_kill = {};  ///< the last one
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
    /// UTC of Time::zero(), in seconds since 1970; nullopt: the run has no calendar.
    std::optional<std::int64_t> start_unix_s;
    std::int64_t spec_replicas = 0;    ///< what the workload's spec asks for
    std::int64_t status_replicas = 0;  ///< pods that exist
    /// What the workload's own template asks for, whatever was decided since.
    std::vector<ContainerResources> containers;
    std::vector<ScalingPod> pods;        ///< in creation order
    std::vector<MetricReading> metrics;  ///< one per metrics() entry
    /// True when the gateway holds requests because there is no endpoint (scale from zero).
    bool requests_wait = false;
    /// Mean time from creation, or promotion from a warm pool, to ready of the workload's pods that
    /// became ready; nullopt: none has.
    std::optional<Duration> mean_time_to_ready;
};

enum class ScalingOutcome : std::uint8_t {
    unchanged,   ///< the wanted number is the present one
    scaled,      ///< desired differs from spec_replicas
    limited,     ///< wanted more or less than limits, policies or stabilisation allow
    no_metrics,  ///< nothing could be computed
    disabled,    ///< the policy takes no part now (e.g. replicas 0 with a minimum above it)
    invalid,     ///< the configuration cannot work, as recorded in `reason`
};

/// A pod to delete, which the workload then replaces.
struct Eviction {
    std::size_t pod = 0;  ///< index into ScalingView::pods
    std::string reason;   ///< "requests memory 512Mi, recommended 1Gi to 2Gi"
};

struct ScalingDecision {
    std::int64_t desired = 0;  ///< spec_replicas when nothing is to change
    std::int64_t wanted = 0;   ///< before limits and stabilisation
    ScalingOutcome outcome = ScalingOutcome::unchanged;
    std::string reason = {};  ///< "14 wanted, 8 allowed: policy 100 %/15 s"
    std::string inputs = {};  ///< what it looked at: "requests_in_flight 61.5 a pod, target 40"
    /// What pods created from now on request, and their limits, by container; empty, and what is
    /// not given: as before.
    std::vector<ContainerResources> requests = {};
    std::vector<Eviction> evict = {};
    /// Whether the gateway keeps requests back from instances that have `container_concurrency` of
    /// them (Knative's activator in the path); nullopt: as before.
    std::optional<bool> buffer_at_gateway = {};
};

class ScalingPolicy {
  public:
    virtual ~ScalingPolicy() = default;
    /// What decide() wants in ScalingView::metrics, in that order. Asked once.
    [[nodiscard]] virtual std::vector<MetricRequest> metrics() const = 0;
    /// What a loader refuses besides unknown metrics.
    [[nodiscard]] virtual std::vector<ScalingFault> faults() const { return {}; }
    /// Whether it decides the number of replicas; else what pods request (vertical autoscaling).
    [[nodiscard]] virtual bool scales_replicas() const { return true; }
    /// Whether it takes part while the workload has 0 replicas.
    [[nodiscard]] virtual bool starts_from_zero() const { return true; }
    /// Time between ticks.
    [[nodiscard]] virtual Duration period() const = 0;
    virtual ScalingDecision decide(const ScalingView& view) = 0;
    /// Time between two calls of observe(), for a policy that samples more often than it decides;
    /// zero: never.
    [[nodiscard]] virtual Duration observes_every() const { return Duration::zero(); }
    virtual void observe(const ScalingView& /*view*/) {}
    /// Where its parameters ask for the time of day, as ScalingFault points: a loader refuses them
    /// in a run without a calendar.
    [[nodiscard]] virtual std::vector<std::string> needs_calendar() const { return {}; }
};

}  // namespace headroom::control
