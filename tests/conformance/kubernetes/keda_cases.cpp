/// Runners of the cases about KEDA: one poll of the registered policy `keda`, the strategies of
/// `keda-scaled-job` and the target that its scalers aim for. Source of the cases: kedacore/keda
/// pkg/scaling.
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "policies/scaling/keda/keda.hpp"
#include "policies/scaling/keda/keda_scaled_job.hpp"
#include "tests/conformance/kubernetes/vector_values.hpp"

namespace headroom::conformance {
namespace {

using policies::Keda;
using policies::KedaScaledJob;

/// nullptr where the case does not have it, or has null.
const Json* find(const Json& item, const char* key) {
    const auto it = item.find(key);
    return it == item.end() || it->is_null() ? nullptr : &*it;
}

std::optional<std::int64_t> integer(const Json& item, std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
        if (const Json* value = find(item, key)) return value->get<std::int64_t>();
    }
    return std::nullopt;
}

bool flag(const Json& item, const char* key) {
    return value_or<bool>(item, key, false);
}

std::optional<Parameters> defaults_of(const char* policy) {
    const auto* entry = Registry<control::ScalingPolicy>::instance().find(policy);
    if (entry == nullptr) return std::nullopt;
    return Parameters::defaults(entry->specs);
}

void set_seconds(Parameters& parameters, const char* name, const Json& item, const char* key) {
    const Json* value = find(item, key);
    if (value != nullptr) parameters.set(name, {seconds(*value)});
}

/// Two triggers above 0 when they are active: one that is as active as the case says, one that
/// fails when the case has an error and is inactive else.
ParameterValue make_triggers() {
    ParameterValue::List list;
    for (const char* name : {"service_in_flight", "gateway_queue"}) {
        Parameters trigger;
        trigger.set("type", {std::string("metric")});
        trigger.set("name", {std::string(name)});
        trigger.set("threshold", {std::int64_t{1000}});
        trigger.set("activation_threshold", {std::int64_t{0}});
        trigger.set("metric_type", {std::string("AverageValue")});
        trigger.set("live", {true});
        trigger.set("ignore_null_values", {false});
        list.push_back({std::make_shared<const Parameters>(std::move(trigger))});
    }
    return {std::make_shared<const ParameterValue::List>(std::move(list))};
}

void set_fallback(Parameters& parameters, const Json& item) {
    const Json* given = find(item, "fallback");
    const auto replicas = given != nullptr && given->is_object()
                              ? integer(*given, {"replicas"})
                              : integer(item, {"fallback_replicas"});
    if (!replicas) return;
    Parameters fallback;
    fallback.set("failure_threshold", {std::int64_t{3}});
    fallback.set("replicas", {*replicas});
    fallback.set("behavior", {std::string("static")});
    parameters.set("fallback", {std::make_shared<const Parameters>(std::move(fallback))});
}

Parameters scaled_object_parameters(Parameters parameters, const Json& item) {
    const auto set = [&](const char* name, std::optional<std::int64_t> value) {
        if (value) parameters.set(name, {*value});
    };
    set("min_replicas", integer(item, {"min_replicas", "min_replica_count"}));
    set("max_replicas", integer(item, {"max_replicas", "max_replica_count"}));
    set("idle_replica_count", integer(item, {"idle_replicas", "idle_replica_count"}));
    set("paused_replicas", integer(item, {"paused_replicas", "paused_replica_count"}));
    for (const char* name : {"paused_scale_in", "paused_scale_out", "force_activation"}) {
        parameters.set(name, {flag(item, name)});
    }
    set_seconds(parameters, "cooldown_period", item, "cooldown_period_s");
    set_seconds(parameters, "initial_cooldown_period", item, "initial_cooldown_period_s");
    set_fallback(parameters, item);
    parameters.set("triggers", make_triggers());
    return parameters;
}

control::ScalingView scaled_object_view(const Json& item) {
    control::ScalingView view;
    view.now = kNow;
    view.spec_replicas = view.status_replicas = item.at("current_replicas").get<std::int64_t>();
    view.metrics.resize(2);
    view.metrics[0].available = true;
    view.metrics[0].values_milli = {flag(item, "active") ? 1000 : 0};
    view.metrics[1].available = !flag(item, "error");
    view.metrics[1].error = "the scaler cannot be reached";
    view.metrics[1].values_milli = {0};
    return view;
}

std::string run_scaled_object(const Json& item) {
    const auto defaults = defaults_of("keda");
    if (!defaults) return "there is no policy keda";
    const auto policy = make_policy<control::ScalingPolicy>(
        {"keda", scaled_object_parameters(*defaults, item)}, {});
    auto* keda = dynamic_cast<Keda*>(policy.get());
    if (keda == nullptr) return "there is no policy keda";

    // KEDA's own poll is due, the HPA's sync is not; the object was created long ago.
    Keda::Memory memory = keda->memory();
    memory.created = Time::zero();
    memory.next_poll = kNow;
    memory.next_sync = kNow + Duration::seconds(1);
    if (const Json* last = find(item, "last_active_time")) {
        memory.last_active = at(*last) == Time::max() ? Time::zero() : at(*last);
    }
    keda->restore(memory);
    const control::ScalingDecision decision = keda->decide(scaled_object_view(item));

    Differences differences;
    if (const Json* replicas = find(item, "expected_replicas")) {
        differences.compare("replicas (" + decision.reason + ")", *replicas, decision.desired);
    }
    if (const Json* sets = find(item, "expected_sets_last_active")) {
        differences.compare("sets_last_active", *sets, keda->memory().last_active == kNow);
    }
    return differences.text();
}

/// A percentage may be written as a number or, as in a manifest, as text.
std::optional<double> percentage(const Json& item) {
    const Json* value = find(item, "running_job_percentage");
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return value->get<double>();
    const std::string text = *value;
    std::size_t used = 0;
    try {
        const double number = std::stod(text, &used);
        return used == text.size() ? std::optional<double>(number) : std::nullopt;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

std::string run_scaled_job_strategy(const Json& item) {
    auto parameters = defaults_of("keda-scaled-job");
    if (!parameters) return "there is no policy keda-scaled-job";
    const std::int64_t max_replicas = integer(item, {"max_replica_count"}).value_or(100);
    if (const Json* strategy = find(item, "strategy")) {
        parameters->set("strategy", {strategy->get<std::string>()});
    }
    parameters->set("max_replicas", {max_replicas});
    if (const auto deduction = integer(item, {"queue_length_deduction"})) {
        parameters->set("custom_scaling_queue_length_deduction", {*deduction});
    }
    if (const auto share = percentage(item)) {
        parameters->set("custom_scaling_running_job_percentage", {*share});
    }
    const auto policy = make_policy<control::ScalingPolicy>({"keda-scaled-job", *parameters}, {});
    const auto* job = dynamic_cast<const KedaScaledJob*>(policy.get());
    if (job == nullptr) return "there is no policy keda-scaled-job";
    const policies::ScaledJobScale scale = policies::scaled_job_scale(
        job->rules(), integer(item, {"max_scale"}).value_or(0),
        integer(item, {"running_jobs"}).value_or(0), integer(item, {"pending_jobs"}).value_or(0),
        max_replicas, integer(item, {"scale_to"}).value_or(0));

    Differences differences;
    if (const Json* effective = find(item, "expected_effective_max_scale")) {
        differences.compare("effective_max_scale", *effective, scale.effective_max_scale);
    }
    if (const Json* to = find(item, "expected_scale_to")) {
        differences.compare("scale_to", *to, scale.scale_to);
    }
    return differences.text();
}

std::string run_target_average_value(const Json& item) {
    std::vector<std::optional<double>> averages;
    for (const Json& average : item.at("averages")) {
        averages.push_back(average.is_null() ? std::nullopt
                                             : std::optional<double>(average.get<double>()));
    }
    const Json& expected = item.at("expected");
    const double found = policies::target_average_value(averages);
    Differences differences;
    if (std::abs(found - expected.get<double>()) > value_or<double>(item, "tolerance", 1e-12)) {
        differences.compare("target_average_value", expected, found);
    }
    return differences.text();
}

const CaseKind kScaledObject{"scaled_object", run_scaled_object};
const CaseKind kScaledJobStrategy{"scaled_job_strategy", run_scaled_job_strategy};
const CaseKind kTargetAverageValue{"target_average_value", run_target_average_value};

}  // namespace
}  // namespace headroom::conformance
