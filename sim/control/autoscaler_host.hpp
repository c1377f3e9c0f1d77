/// AutoscalerHost: calls each workload's ScalingPolicy on its period and carries out what it
/// decides: a number of replicas, what new pods request, which pods are evicted, whether the
/// gateway keeps requests back.
///
/// An autoscaler ticks at phase + k * period; a request that waits without an endpoint wakes one of
/// replicas at once besides (scale from zero). One that samples for itself does so at phase + k *
/// its interval, before a tick of the same instant. A workload may have two: one for its replicas,
/// one for what its pods request. It sees the pods as an API server would show them, and metrics as
/// the pipeline delivers them. Pods that were ready from the beginning started and became ready
/// "long ago" (negative times).
///
/// Decisions: a change of the desired number is recorded each time; a wanted change that did not
/// come (limits, missing metrics, a bad configuration) when it differs from what the same
/// autoscaler was last kept from; with all decisions asked for, every tick.
///
/// The view is kept between ticks and its pods are rebuilt only when the workload's version
/// changed: a tick in a quiet workload is O(metrics * pods) without allocation of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/control/control_state.hpp"
#include "sim/control/metrics_pipeline.hpp"
#include "sim/control/pod_lifecycle.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/control/workload_controller.hpp"

namespace headroom::control {

class AutoscalerHost {
  public:
    AutoscalerHost(ControlState& state, MetricsPipeline& metrics, WorkloadController& controller,
                   PodLifecycle& lifecycle);

    /// Puts the first tick of each autoscaler into the queue.
    void start();
    /// The event autoscaler; `woken` when a waiting request caused it.
    void tick(std::uint32_t index, bool woken);
    /// It takes a sample of its own.
    void observe(std::uint32_t index);
    /// A request of the service met no endpoint.
    void request_waits(std::uint32_t service);

  private:
    struct Autoscaler {
        std::uint32_t workload = 0;
        std::string actor;  ///< "hpa chat"
        std::unique_ptr<ScalingPolicy> policy;
        Duration period;
        Duration observes_every;
        Duration phase;
        std::vector<MetricRequest> requests;
        ScalingView view;
        std::vector<PodId> pods;         ///< behind view.pods
        std::uint64_t seen_version = 0;  ///< of the workload, plus one; 0: never
        EventHandle wake;
        // What it was last kept from, to record it once.
        bool blocked = false;
        ScalingOutcome blocked_outcome = ScalingOutcome::unchanged;
        int blocked_direction = 0;
        std::int64_t blocked_at = 0;
    };

    void add(const Workload& workload, const AutoscalerSpec& spec, const std::string& stream);
    void refresh_view(Autoscaler& autoscaler);
    void rebuild_pods(Autoscaler& autoscaler, const Workload& workload);
    void carry_out(Autoscaler& autoscaler, ScalingDecision&& decision);
    void record(Autoscaler& autoscaler, ScalingDecision& decision);
    void evict(Autoscaler& autoscaler, const ScalingDecision& decision);

    ControlState& state_;
    MetricsPipeline& metrics_;
    WorkloadController& controller_;
    PodLifecycle& lifecycle_;
    std::vector<Autoscaler> autoscalers_;
};

}  // namespace headroom::control
