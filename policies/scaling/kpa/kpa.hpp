/// `kpa`: Knative Serving's pod autoscaler. Every second it samples the service's concurrency (or
/// requests a second) as the queue-proxies and the activator report it, every tick it averages the
/// samples over a stable and a panic window (window_buckets.hpp), asks for pods (kpa_decider.hpp)
/// and applies bounds and scale to zero (kpa_activity.hpp). A request that waits at the gateway of
/// a service with no pods makes a tick at once. The gateway buffers (Knative's activator in the
/// path) while the ready pods cannot take `target_burst_capacity` more, or there are none.
///
///     {"max_replicas": 20, "target": 50, "stable_window": "60s",
///      "scale_to_zero_grace_period": "30s"}
///
/// Parameters are Knative's in snake_case with its defaults; the bounds are called as in the other
/// policies. A workload that starts with 0 replicas counts as scaled to zero. Equal views in equal
/// states give equal decisions. decide is O(pods + buckets). Errors are outcomes with a reason;
/// what cannot work is in faults(). Source: knative/serving
/// pkg/autoscaler/{scaling,metrics,aggregation}, pkg/activator/handler (concurrency_reporter.go),
/// pkg/reconciler/autoscaling/{kpa,resources}; defaults pkg/autoscaler/config/config.go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policies/scaling/kpa/kpa_activity.hpp"
#include "policies/scaling/kpa/kpa_decider.hpp"
#include "policies/scaling/kpa/window_buckets.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

class Kpa final : public control::ScalingPolicy {
  public:
    /// What the autoscaler remembers.
    struct Memory {
        WindowBuckets stable;
        WindowBuckets panic;
        KpaDeciderState decider;
        KpaActivity activity;
        /// The last valid answer of kpa_scale(); -1: none yet.
        std::int64_t desired_scale = -1;
        std::int64_t excess_burst_capacity = 0;
        bool started = false;  ///< saw its first tick or sample
        Time next_tick = {};   ///< a call before it is a wake-up
        Time sampled_at = {};
        std::int64_t sampled_total_milli = 0;
        double reported_early = 0.0;  ///< the activator's first request, not to be counted twice
        bool idle = true;             ///< the last sample was of no pods and no load
        std::optional<bool> buffering = {};
    };

    static ParameterSpecs parameter_specs();
    Kpa(const Parameters& parameters, const PolicyContext& context);

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override;
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override { return faults_; }
    [[nodiscard]] Duration period() const override { return tick_interval_; }
    [[nodiscard]] Duration observes_every() const override;
    void observe(const control::ScalingView& view) override;
    control::ScalingDecision decide(const control::ScalingView& view) override;

    [[nodiscard]] const KpaDeciderSpec& spec() const { return spec_; }
    /// Goes on with another spec, as when a revision's annotations change.
    void update(const KpaDeciderSpec& spec) { spec_ = spec; }
    [[nodiscard]] const Memory& memory() const { return memory_; }
    void restore(Memory memory) { memory_ = std::move(memory); }

  private:
    enum class Metric : std::uint8_t { concurrency, rps };

    void find_faults(const Parameters& parameters);
    void start(const control::ScalingView& view, std::int64_t ready);
    void report_first_request(Time now);
    [[nodiscard]] std::string describe(const std::optional<KpaScale>& scale, const KpaWant& want,
                                       Time now) const;
    [[nodiscard]] std::string describe_load(KpaLoad load, std::int64_t ready) const;

    Metric metric_;
    KpaDeciderSpec spec_;
    KpaActivityConfig activity_;
    Duration panic_window_;
    Duration scale_down_delay_;
    Duration tick_interval_;
    std::vector<control::ScalingFault> faults_;
    Memory memory_;
};

}  // namespace headroom::policies
