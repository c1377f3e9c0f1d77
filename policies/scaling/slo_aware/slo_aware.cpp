/// `slo-aware`: replicas of an LLM service before its SLO breaks. Each tick reads vLLM's signals of
/// the instances (llm_signals.hpp), expects the arrivals of a cold start later and learns what an
/// instance can do (learned_rate.hpp), and asks four clauses how many instances they need: KV
/// cache, load, queue, TTFT (slo_clauses.hpp, with the derivation). The largest decides and is
/// named in the reason: "4 wanted: KV 0.91 of 0.80".
///
/// More replicas come at once. Fewer come when the same clauses, with targets times
/// scale_down_margin, have asked for fewer during all of scale_down_delay, so that what is left
/// keeps clear of the targets; as long as no instance was ever saturated, and so nobody knows what
/// one can take, a tenth of them at a time, at least one. Invariants: those of replica_demand.hpp.
/// O(pods) a tick.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "policies/scaling/decision_text.hpp"
#include "policies/scaling/replica_demand.hpp"
#include "policies/scaling/slo_aware/learned_rate.hpp"
#include "policies/scaling/slo_aware/llm_signals.hpp"
#include "policies/scaling/slo_aware/slo_clauses.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

using control::ScalingPolicy;
using control::ScalingView;

class SloAware final : public control::ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs();
    SloAware(const Parameters& parameters, const PolicyContext&);

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override {
        return signal_requests();
    }
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override { return faults_; }
    [[nodiscard]] Duration period() const override { return demand_.period(); }
    control::ScalingDecision decide(const ScalingView& view) override;

  private:
    [[nodiscard]] std::int64_t keeps(const LlmSignals& signals, const SloOutlook& outlook,
                                     std::int64_t current) const;

    SloTargets targets_;
    double margin_;
    std::string margin_text_;
    double max_growth_;
    Duration horizon_;
    LearnedRate rate_;
    LearnedSlowdown slowdown_;
    ArrivalTrend trend_;
    ReplicaDemand demand_;
    std::vector<control::ScalingFault> faults_;
};

ParameterSpecs SloAware::parameter_specs() {
    const SloTargets targets;
    const auto share = [](std::string name, double value, std::string help) {
        return ParameterSpec::number(std::move(name), value, std::move(help))
            .at_least(0.01)
            .at_most(1);
    };
    ParameterSpecs specs = {
        ParameterSpec::duration("ttft_target", Duration::from_seconds(targets.ttft_s),
                                "time to first token that the service promises")
            .at_least(0.001),
        share("ttft_threshold", targets.ttft_threshold,
              "share of ttft_target above which the mean TTFT asks for more: the SLO is about the "
              "slow ones"),
        share("kv_target", targets.kv, "share of the KV cache in use that is wanted at most"),
        ParameterSpec::number("max_queue", targets.max_queue,
                              "requests waiting an instance that are wanted at most")
            .at_least(0.1),
        share("load_target", targets.load,
              "arrivals over what the instances serve at their best, once that was seen"),
        ParameterSpec::duration("drain_time", Duration::from_seconds(targets.drain_s),
                                "in which a backlog is worked off once help is there")
            .at_least(1),
        ParameterSpec::duration("trend_window", Duration::minutes(2),
                                "over which the slope of the arrivals is taken")
            .at_least(1),
        ParameterSpec::number("max_growth", 2.0,
                              "what is coming is believed up to this many times "
                              "what is there; 1: not at all")
            .at_least(1),
        ParameterSpec::duration("horizon", Duration::minutes(2),
                                "how far to look until a cold start was measured"),
        share("scale_down_margin", 0.8, "share of the targets that fewer replicas must keep to")};
    ReplicaDemand::append_specs(specs, Duration::minutes(3));
    return specs;
}

SloAware::SloAware(const Parameters& parameters, const PolicyContext&)
    : targets_{.ttft_s = parameters.duration("ttft_target").to_seconds(),
               .ttft_threshold = parameters.number("ttft_threshold"),
               .kv = parameters.number("kv_target"),
               .max_queue = parameters.number("max_queue"),
               .load = parameters.number("load_target"),
               .drain_s = parameters.duration("drain_time").to_seconds()},
      margin_(parameters.number("scale_down_margin")),
      margin_text_(fmt::format("fewer leave less than the margin {}", margin_)),
      max_growth_(parameters.number("max_growth")),
      horizon_(parameters.duration("horizon")),
      trend_(parameters.duration("trend_window")),
      demand_(parameters) {
    demand_.append_faults(faults_);
}

std::int64_t SloAware::keeps(const LlmSignals& signals, const SloOutlook& outlook,
                             std::int64_t current) const {
    const SloTargets tighter = with_margin(targets_, margin_);
    const SloNeeds needs = slo_needs(signals, tighter, outlook);
    const double most = std::max(*std::max_element(needs.begin(), needs.end()),
                                 kv_leaves(signals, tighter, outlook));
    const std::int64_t needed = whole_instances(most);
    if (outlook.rate_of_instance) return needed;
    return std::max(needed, current - std::max<std::int64_t>(1, current / 10));
}

control::ScalingDecision SloAware::decide(const ScalingView& view) {
    const LlmSignals signals = read_signals(view, targets_.max_queue);
    if (signals.arrivals) trend_.note(view.now, *signals.arrivals);
    rate_.learn(signals);
    slowdown_.learn(signals);
    if (signals.ready == 0) return demand_.keep(view, "no ready instance has a sample");
    SloOutlook outlook;
    outlook.start_s = view.mean_time_to_ready.value_or(horizon_).to_seconds();
    outlook.expected_arrivals = trend_.expected_after(outlook.start_s, max_growth_);
    outlook.slowdown = slowdown_.slowdown();
    outlook.max_growth = max_growth_;
    outlook.rate_of_instance = rate_.rate();
    const SloNeeds needs = slo_needs(signals, targets_, outlook);
    const SloClause clause = largest_need(needs);
    ReplicaDemand::Wish wish;
    wish.wanted = whole_instances(needs[static_cast<std::size_t>(clause)]);
    wish.keeps = keeps(signals, outlook, view.spec_replicas);
    wish.why = describe_clause(clause, signals, targets_, outlook);
    wish.keeps_why = outlook.rate_of_instance
                         ? std::string_view(margin_text_)
                         : "a tenth at a time until a saturated instance was seen";
    const auto ready = static_cast<double>(signals.ready);
    wish.inputs = fmt::format(
        "{} ready, {} starting; an instance: KV {}, running {}, waiting {}; TTFT {} s; "
        "arrivals {}/s, {}/s in {} s; best rate {}",
        signals.ready, signals.starting, hundredths_text(signals.kv / ready),
        tenths_text(signals.running / ready), tenths_text(signals.waiting / ready),
        hundredths_text(signals.ttft_s.value_or(0.0)),
        hundredths_text(signals.arrivals.value_or(0.0)), hundredths_text(outlook.expected_arrivals),
        std::llround(outlook.start_s),
        outlook.rate_of_instance ? hundredths_text(*outlook.rate_of_instance) + "/s"
                                 : std::string("not known"));
    return demand_.settle(view, std::move(wish));
}

REGISTER_POLICY(ScalingPolicy, SloAware, "slo-aware",
                "an LLM service before its SLO breaks: KV cache, load, queue and TTFT");

}  // namespace headroom::policies
