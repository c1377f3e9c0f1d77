/// `keda-scaled-job`: a KEDA ScaledJob, for a service whose pods stand for jobs: each is started
/// for work, does it and ends. At each poll KEDA looks at the queue and creates jobs by its
/// strategy (scaled_job_strategy.hpp); it never ends one.
///
/// The mapping to replicas. A pod that is not ready is a pending job (KEDA counts so with
/// pending_pod_conditions ["Ready"]). A ready pod with a request in flight is a running one, as is
/// one whose load is not known. A ready pod found idle at a poll has done its work: the job has
/// ended and its pod is evicted, so that the next job starts a pod of its own, cold. Replicas are
/// then the jobs that have not ended and those created. Between two polls a pod that has ended its
/// work still holds its devices and takes new requests, as a job that drains a queue does.
///
/// One rule is stricter than KEDA's, where max_replicas bounds what one poll may create: here the
/// jobs that have not ended and the new ones are together at most max_replicas.
///
///     {"strategy": "accurate", "max_replicas": 30,
///      "triggers": [{"type": "queue", "count": "waiting", "threshold": 1}]}
///
/// `default` and `custom` expect a queue that still counts what is being worked on (count:
/// unfinished), `accurate` one that does not (count: waiting). O(triggers + pods).
/// Source: kedacore/keda pkg/scaling/executor/scale_jobs.go; defaults
/// apis/keda/v1alpha1/scaledjob_types.go.
#pragma once

#include <vector>

#include "policies/scaling/keda/keda_triggers.hpp"
#include "policies/scaling/keda/scaled_job_strategy.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

class KedaScaledJob final : public control::ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs();
    KedaScaledJob(const Parameters& parameters, const PolicyContext& context);

    /// The triggers', then the requests in flight by pod.
    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override;
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override { return faults_; }
    [[nodiscard]] std::vector<std::string> needs_calendar() const override {
        return triggers_.needs_calendar();
    }
    [[nodiscard]] Duration period() const override { return polling_interval_; }
    control::ScalingDecision decide(const control::ScalingView& view) override;

    [[nodiscard]] const ScaledJobRules& rules() const { return rules_; }

  private:
    struct Jobs {
        std::int64_t unfinished = 0;
        std::int64_t pending = 0;
        std::vector<std::size_t> finished;  ///< positions of their pods
    };

    [[nodiscard]] Jobs count_jobs(const control::ScalingView& view) const;
    [[nodiscard]] ScaledJobScale jobs_to_create(const Jobs& jobs,
                                                const ScaledJobDemand& demand) const;

    KedaTriggers triggers_;
    ScaledJobRules rules_;
    ScalersCalculation calculation_ = ScalersCalculation::max;
    std::int64_t min_replicas_;
    std::int64_t max_replicas_;
    Duration polling_interval_;
    std::vector<double> targets_;      ///< by trigger
    std::vector<ScalerLoad> scalers_;  ///< kept for its memory
    std::vector<control::ScalingFault> faults_;
    Time next_poll_;
};

}  // namespace headroom::policies
