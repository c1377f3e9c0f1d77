#include "policies/scaling/keda/keda_scaled_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include "policies/scaling/invalid_decision.hpp"

namespace headroom::policies {

namespace {

using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;

ScaledJobRules parse_job_rules(const Parameters& parameters) {
    ScaledJobRules rules;
    const std::string& strategy = parameters.text("strategy");
    if (strategy == "custom") rules.strategy = ScaledJobStrategy::custom;
    if (strategy == "accurate") rules.strategy = ScaledJobStrategy::accurate;
    if (strategy == "eager") rules.strategy = ScaledJobStrategy::eager;
    rules.queue_length_deduction = parameters.integer("custom_scaling_queue_length_deduction");
    if (parameters.given("custom_scaling_running_job_percentage")) {
        rules.running_job_percentage = parameters.number("custom_scaling_running_job_percentage");
    }
    return rules;
}

ScalersCalculation parse_calculation(const std::string& text) {
    if (text == "min") return ScalersCalculation::min;
    if (text == "avg") return ScalersCalculation::avg;
    return text == "sum" ? ScalersCalculation::sum : ScalersCalculation::max;
}

}  // namespace

ParameterSpecs KedaScaledJob::parameter_specs() {
    return {
        control::replica_count("min_replicas", 0, "jobs that are always there (minReplicaCount)"),
        control::replica_count("max_replicas", 100, "jobs at most (KEDA: maxReplicaCount)")
            .at_least(1),
        ParameterSpec::duration("polling_interval", Duration::seconds(30),
                                "time between two looks at the queue")
            .above(0),
        ParameterSpec::choice("strategy", {"default", "custom", "accurate", "eager"}, "default",
                              "how the jobs that have not ended count against the queue"),
        ParameterSpec::integer("custom_scaling_queue_length_deduction", 0,
                               "of custom: taken off the jobs that the queue asks for"),
        ParameterSpec::number("custom_scaling_running_job_percentage", 0.0,
                              "of custom: share of the running jobs that is taken off; without it "
                              "custom is as default")
            .optional_without_default(),
        ParameterSpec::choice("multiple_scalers_calculation", {"max", "min", "avg", "sum"}, "max",
                              "which of several active triggers counts, by the queue's length"),
        KedaTriggers::spec(),
    };
}

KedaScaledJob::KedaScaledJob(const Parameters& parameters, const PolicyContext&)
    : triggers_(parameters.list("triggers")),
      rules_(parse_job_rules(parameters)),
      calculation_(parse_calculation(parameters.text("multiple_scalers_calculation"))),
      min_replicas_(parameters.integer("min_replicas")),
      max_replicas_(parameters.integer("max_replicas")),
      polling_interval_(parameters.duration("polling_interval")),
      faults_(triggers_.faults()) {
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        const double milli = static_cast<double>(triggers_.threshold_milli(i));
        // A target of the whole has no average.
        const bool averages = triggers_.target_type(i) == KedaTargetType::average_value;
        targets_.push_back(target_average_value(
            {averages ? std::optional<double>(milli / 1000.0) : std::nullopt}));
    }
    if (min_replicas_ > max_replicas_) {
        faults_.push_back(above_max("min_replicas", min_replicas_, max_replicas_));
    }
}

std::vector<control::MetricRequest> KedaScaledJob::metrics() const {
    std::vector<control::MetricRequest> requests = triggers_.metrics();
    requests.push_back({.kind = control::MetricKind::pods,
                        .name = "requests_in_flight",
                        .container = {},
                        .live = true,
                        .pointer = {}});
    return requests;
}

KedaScaledJob::Jobs KedaScaledJob::count_jobs(const ScalingView& view) const {
    const std::size_t at = triggers_.metrics().size();
    const auto* in_flight = at < view.metrics.size() ? &view.metrics[at].pods : nullptr;
    Jobs jobs;
    for (std::size_t i = 0; i < view.pods.size(); ++i) {
        const control::ScalingPod& pod = view.pods[i];
        const bool over = pod.phase == control::PodPhase::succeeded ||
                          pod.phase == control::PodPhase::failed || pod.deleted;
        if (over) continue;
        const bool ready = pod.phase == control::PodPhase::running && pod.ready;
        const bool known = in_flight != nullptr && i < in_flight->size() && (*in_flight)[i];
        if (ready && known && (*in_flight)[i]->value_milli == 0) {
            jobs.finished.push_back(i);
            continue;
        }
        ++jobs.unfinished;
        if (!ready) ++jobs.pending;
    }
    return jobs;
}

ScaledJobScale KedaScaledJob::jobs_to_create(const Jobs& jobs,
                                             const ScaledJobDemand& demand) const {
    if (jobs.unfinished < min_replicas_) {
        const std::int64_t missing = min_replicas_ - jobs.unfinished;
        return {missing, missing};
    }
    return scaled_job_scale(rules_, demand.max_scale, jobs.unfinished - min_replicas_, jobs.pending,
                            max_replicas_, demand.scale_to);
}

ScalingDecision KedaScaledJob::decide(const ScalingView& view) {
    ScalingDecision decision;
    decision.desired = decision.wanted = view.spec_replicas;
    if (!faults_.empty()) return invalid_decision(view, faults_.front());
    if (triggers_.lacks_calendar(view)) return no_calendar_decision(view);
    if (view.now < next_poll_) {
        decision.reason = "between two polls";
        return decision;
    }
    next_poll_ = view.now.later_by(polling_interval_);
    const std::vector<KedaReading>& readings = triggers_.read(view);
    scalers_.clear();
    for (std::size_t i = 0; i < readings.size(); ++i) {
        if (!readings[i].error.empty()) continue;
        const double length = static_cast<double>(readings[i].value_milli) / 1000.0;
        scalers_.push_back({.queue_length = length,
                            .max_value = jobs_for_queue(length, targets_[i], max_replicas_),
                            .active = readings[i].active});
    }
    const ScaledJobDemand demand =
        combine_scalers(scalers_, calculation_, min_replicas_, max_replicas_);
    const Jobs jobs = count_jobs(view);
    const ScaledJobScale scale = jobs_to_create(jobs, demand);
    const std::int64_t effective = std::max<std::int64_t>(scale.effective_max_scale, 0);
    const std::int64_t created =
        demand.active ? std::clamp<std::int64_t>(scale.scale_to, 0, effective) : 0;
    const std::int64_t room = std::max<std::int64_t>(max_replicas_ - jobs.unfinished, 0);

    // Pods beyond what was asked for (of a rollout's surge) are no jobs that anybody created.
    const std::int64_t running = std::min(
        jobs.unfinished, view.spec_replicas - static_cast<std::int64_t>(jobs.finished.size()));
    decision.wanted = running + created;
    decision.desired = running + std::min(created, room);
    decision.reason =
        fmt::format("{} jobs created, {} ended", std::min(created, room), jobs.finished.size());
    if (created > room) {
        decision.reason += fmt::format(", {} wanted: max_replicas {}", created, max_replicas_);
    } else if (!demand.active) {
        decision.reason += scalers_.size() < readings.size()
                               ? ": a trigger failed and none is active"
                               : ": no trigger is active";
    }
    decision.inputs = fmt::format("{}; {} jobs running, {} of them pending", triggers_.describe(),
                                  jobs.unfinished, jobs.pending);
    for (const std::size_t pod : jobs.finished) decision.evict.push_back({pod, "its job ended"});
    if (created > room) {
        decision.outcome = ScalingOutcome::limited;
    } else if (decision.desired != view.spec_replicas || !decision.evict.empty()) {
        decision.outcome = ScalingOutcome::scaled;
    } else if (scalers_.empty()) {
        decision.outcome = ScalingOutcome::no_metrics;
    }
    return decision;
}

REGISTER_POLICY(ScalingPolicy, KedaScaledJob, "keda-scaled-job",
                "KEDA's jobs: each poll creates pods for the queue, done ones go");

}  // namespace headroom::policies
