/// The horizontal pod autoscaler. Replica calculations and whole rounds go through the policy as
/// the registry makes it; the rules of behavior, which upstream tests one by one, through their
/// functions.
#include <algorithm>
#include <cmath>

#include "policies/scaling/hpa/hpa.hpp"
#include "tests/conformance/kubernetes/vector_values.hpp"

namespace headroom::conformance {
namespace {

using namespace policies;
using control::MetricKind;
using control::MetricReading;
using control::PodPhase;
using control::PodSample;
using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPod;
using control::ScalingPolicy;
using control::ScalingView;

PodPhase parse_phase(const std::string& name) {
    if (name == "Pending") return PodPhase::pending;
    if (name == "Running") return PodPhase::running;
    if (name == "Succeeded") return PodPhase::succeeded;
    return name == "Failed" ? PodPhase::failed : PodPhase::unknown;
}

std::optional<std::int64_t> optional_amount(const Json& object, const char* key) {
    const Json amount = object.value(key, Json());
    return amount.is_null() ? std::nullopt : std::optional(amount.get<std::int64_t>());
}

/// A list that may be missing or null.
Json list_or_empty(const Json& object, const char* key) {
    const Json list = object.value(key, Json());
    return list.is_null() ? Json::array() : list;
}

ScalingPod parse_pod(const Json& json) {
    ScalingPod pod;
    pod.name = json.at("name");
    pod.phase = parse_phase(json.at("phase"));
    pod.deleted = value_or(json, "deleted", false);
    pod.has_ready_condition = json.contains("ready") && !json.at("ready").is_null();
    pod.ready = pod.has_ready_condition && json.at("ready") == "True";
    const Json start = json.value("start_t", Json());
    if (!start.is_null()) pod.start_time = at(start);
    const Json transition = json.value("ready_transition_t", Json());
    pod.ready_transition = transition.is_null() ? Time::max() : at(transition);
    for (const Json& container : list_or_empty(json, "containers")) {
        const auto request = optional_amount(container, "request_m");
        pod.containers.push_back({container.at("name"), request, request});
    }
    // Upstream's tests of whole rounds give each pod two containers that share its request.
    if (const auto request = optional_amount(json, "request_m")) {
        pod.containers = {{"container1", *request / 2, *request / 2},
                          {"container2", *request - *request / 2, *request - *request / 2}};
    }
    return pod;
}

std::vector<ScalingPod> parse_pods(const Json& json) {
    std::vector<ScalingPod> pods;
    for (const Json& pod : json) pods.push_back(parse_pod(pod));
    return pods;
}

std::optional<PodSample> sample(std::int64_t milli, Time timestamp, Duration window) {
    return PodSample{.value_milli = milli, .timestamp = timestamp, .window = window};
}

ParameterValue object(Parameters parameters) {
    return {std::make_shared<const Parameters>(std::move(parameters))};
}
ParameterValue list(ParameterValue::List values) {
    return {std::make_shared<const ParameterValue::List>(std::move(values))};
}

Parameters metric_parameters(const std::string& type, const std::string& name,
                             const std::string& container, const std::string& target_type,
                             std::int64_t milli) {
    Parameters target;
    target.set("type", {target_type});
    target.set("value", {milli});
    Parameters metric;
    metric.set("type", {type});
    metric.set("name", {name});
    metric.set("container", {container});
    metric.set("target", object(std::move(target)));
    return metric;
}

/// Rules as the vectors write them; null or absent ones stay at the default.
void set_rules(Parameters& behavior, const char* direction, const Json& json) {
    if (json.is_null()) return;
    Parameters rules = behavior.object(direction);
    rules.set("stabilization_window", {seconds(json.at("stabilization_window_s"))});
    rules.set("select_policy", {json.at("select_policy").get<std::string>()});
    ParameterValue::List policies;
    for (const Json& entry : list_or_empty(json, "policies")) {
        Parameters policy;
        policy.set("type", {entry.at("type").get<std::string>()});
        policy.set("value", {entry.at("value").get<std::int64_t>()});
        policy.set("period", {seconds(entry.at("period_s"))});
        policies.push_back(object(std::move(policy)));
    }
    rules.set("policies", list(std::move(policies)));
    behavior.set(direction, object(std::move(rules)));
}

Parameters hpa_parameters(std::int64_t min, std::int64_t max, ParameterValue::List metrics,
                          const Json& test) {
    Parameters p = Parameters::defaults(Hpa::parameter_specs());
    p.set("min_replicas", {min});
    p.set("max_replicas", {max});
    p.set("metrics", list(std::move(metrics)));
    p.set("tolerance", {value_or(test, "tolerance", 0.1)});
    p.set("cpu_initialization_period", {seconds(test.at("cpu_initialization_period_s"))});
    p.set("initial_readiness_delay", {seconds(test.at("initial_readiness_delay_s"))});
    if (test.contains("downscale_stabilization_s")) {
        p.set("downscale_stabilization", {seconds(test.at("downscale_stabilization_s"))});
    }
    if (test.contains("scale_up_limit_factor")) {
        p.set("scale_up_limit_factor", {test.at("scale_up_limit_factor").get<double>()});
        p.set("scale_up_limit_minimum", {test.at("scale_up_limit_minimum").get<std::int64_t>()});
    }
    const Json up = test.value("scale_up_rules", Json());
    const Json down = test.value("scale_down_rules", Json());
    if (!up.is_null() || !down.is_null()) {
        for (const ParameterSpec& spec : Hpa::parameter_specs()) {
            if (spec.name != "behavior") continue;
            Parameters behavior = Parameters::defaults(spec.fields);
            set_rules(behavior, "scale_up", up);
            set_rules(behavior, "scale_down", down);
            p.set("behavior", object(std::move(behavior)));
        }
    }
    return p;
}

std::unique_ptr<ScalingPolicy> make_hpa(Parameters parameters) {
    return make_policy<ScalingPolicy>({"hpa", std::move(parameters)}, {});
}

std::vector<HpaRecommendation> parse_recommendations(const Json& json) {
    std::vector<HpaRecommendation> log;
    for (const Json& entry : json) log.push_back({entry.at("replicas"), at(entry.at("t"))});
    return log;
}

// Replica calculations.

/// The samples by pod and container that the case reports, at the places of the view's pods.
MetricReading parse_reading(const Json& test, const std::vector<ScalingPod>& pods) {
    MetricReading reading;
    const Time timestamp = at(test.at("metric_timestamp_t"));
    const Duration window = seconds(test.at("metric_window_s"));
    if (test.contains("metric_values_m")) {
        const auto values = list_or_empty(test, "metric_values_m").get<std::vector<std::int64_t>>();
        reading.available = !values.empty();
        reading.values_milli = values;
        reading.pods.resize(pods.size());
        for (std::size_t i = 0; i < std::min(values.size(), pods.size()); ++i) {
            reading.pods[i] = sample(values[i], timestamp, window);
        }
        return reading;
    }
    reading.available = !list_or_empty(test, "pod_metrics").empty();
    reading.containers.resize(pods.size());
    for (const Json& measured : list_or_empty(test, "pod_metrics")) {
        for (std::size_t i = 0; i < pods.size(); ++i) {
            if (pods[i].name != measured.at("pod")) continue;
            auto& row = reading.containers[i];
            row.resize(pods[i].containers.size());
            for (const Json& container : list_or_empty(measured, "containers")) {
                for (std::size_t c = 0; c < row.size(); ++c) {
                    if (pods[i].containers[c].name == container.at("name")) {
                        row[c] = sample(container.at("usage_m"), timestamp, window);
                    }
                }
            }
        }
    }
    return reading;
}

Parameters parse_metric_of_case(const Json& test) {
    const std::string kind = test.at("kind");
    const auto resource = value_or(test, "resource", std::string());
    const auto container = value_or(test, "container", std::string());
    if (kind == "Resource" || kind == "ContainerResource") {
        if (const auto percent = optional_amount(test, "target_utilization")) {
            return metric_parameters(kind, resource, container, "Utilization", *percent * 1000);
        }
        return metric_parameters(kind, resource, container, "AverageValue", test.at("target_m"));
    }
    if (kind == "Pods") {
        return metric_parameters("Pods", "qps", "", "AverageValue", test.at("target_m"));
    }
    if (kind == "Object" || kind == "External") {
        return metric_parameters(kind, "qps", "", "Value", test.at("target_m"));
    }
    const std::string type = kind.substr(0, kind.rfind("PerPod"));
    return metric_parameters(type, "qps", "", "AverageValue", test.at("target_m"));
}

std::string run_group_pods(const Json& test) {
    const auto pods = parse_pods(list_or_empty(test, "pods"));
    std::vector<std::optional<PodSample>> samples(pods.size());
    for (std::size_t i = 0; i < pods.size(); ++i) {
        const auto it = test.at("metrics").find(pods[i].name);
        if (it == test.at("metrics").end()) continue;
        samples[i] =
            sample(it->at("value"), at(it->at("timestamp_t")), seconds(it->at("window_s")));
    }
    HpaCalculatorOptions options;
    options.cpu_initialization_period = seconds(test.at("cpu_initialization_period_s"));
    options.initial_readiness_delay = seconds(test.at("initial_readiness_delay_s"));
    const auto groups = group_pods(pods, samples, test.at("resource") == "cpu", kNow, options);
    const auto names = [&](const std::vector<std::size_t>& positions) {
        std::vector<std::string> result;
        for (const std::size_t i : positions) result.push_back(pods[i].name);
        std::sort(result.begin(), result.end());
        return result;
    };
    const auto expected = [&](const char* key) {
        auto result = list_or_empty(test, key).get<std::vector<std::string>>();
        std::sort(result.begin(), result.end());
        return result;
    };
    Differences differences;
    differences.compare("ready", test.at("expected_ready_count"), groups.ready_count);
    differences.compare("unready", expected("expected_unready"), names(groups.unready));
    differences.compare("missing", expected("expected_missing"), names(groups.missing));
    differences.compare("ignored", expected("expected_ignored"), names(groups.ignored));
    return differences.text();
}

std::string run_replica_calculation(const Json& test) {
    const Parameters metric = parse_metric_of_case(test);
    ScalingView view;
    view.now = kNow;
    view.spec_replicas = view.status_replicas = test.at("current_replicas");
    view.pods = parse_pods(list_or_empty(test, "pods"));
    view.metrics = {parse_reading(test, view.pods)};
    const auto policy = make_hpa(hpa_parameters(0, 100'000, {object(metric)}, test));
    const ScalingDecision decision = policy->decide(view);
    Differences differences;
    if (value_or(test, "expected_error", false)) {
        if (decision.outcome != ScalingOutcome::no_metrics) {
            differences.add("error", "one", decision.reason);
        }
        return differences.text();
    }
    differences.compare("replicas", test.at("expected_replicas"), decision.wanted);

    HpaMetric parsed;
    parsed.request = policy->metrics().front();
    const Parameters& target = metric.object("target");
    parsed.target_kind = target.text("type") == "Utilization"    ? HpaTargetKind::utilization
                         : target.text("type") == "AverageValue" ? HpaTargetKind::average_value
                                                                 : HpaTargetKind::value;
    parsed.target_milli = target.integer("value");
    HpaCalculatorOptions options;
    options.cpu_initialization_period = seconds(test.at("cpu_initialization_period_s"));
    options.initial_readiness_delay = seconds(test.at("initial_readiness_delay_s"));
    const auto proposal = propose_replicas(parsed, view, view.metrics.front(), options);
    const auto compare = [&](const char* what, const char* key, std::int64_t value) {
        if (const auto expected = optional_amount(test, key)) {
            differences.compare(what, *expected, value);
        }
    };
    compare("utilization", "expected_utilization", proposal.utilization_percent);
    compare("raw average", "expected_raw_average_m", proposal.usage_milli);
    compare("usage", "expected_usage_m", proposal.usage_milli);
    return differences.text();
}

const CaseKind kGroupPods{"GroupPods", run_group_pods};
const CaseKind kResource{"Resource", run_replica_calculation};
const CaseKind kContainerResource{"ContainerResource", run_replica_calculation};
const CaseKind kPods{"Pods", run_replica_calculation};
const CaseKind kObject{"Object", run_replica_calculation};
const CaseKind kObjectPerPod{"ObjectPerPod", run_replica_calculation};
const CaseKind kExternal{"External", run_replica_calculation};
const CaseKind kExternalPerPod{"ExternalPerPod", run_replica_calculation};

// The rules of behavior.

HpaScalingRules parse_rules(const Json& json, HpaScalingRules rules) {
    if (json.is_null()) return rules;
    rules.stabilization_window = seconds(json.at("stabilization_window_s"));
    const std::string select = json.at("select_policy");
    rules.select_policy = select == "Max"   ? HpaSelectPolicy::max
                          : select == "Min" ? HpaSelectPolicy::min
                                            : HpaSelectPolicy::disabled;
    rules.policies.clear();
    for (const Json& policy : list_or_empty(json, "policies")) {
        rules.policies.push_back({.type = policy.at("type") == "Pods"
                                              ? HpaScalingPolicy::Type::pods
                                              : HpaScalingPolicy::Type::percent,
                                  .value = policy.at("value"),
                                  .period = seconds(policy.at("period_s"))});
    }
    return rules;
}

std::vector<HpaScaleEvent> parse_events(const Json& json) {
    std::vector<HpaScaleEvent> events;
    for (const Json& event : json) events.push_back({event.at("change"), at(event.at("t"))});
    return events;
}

std::string condition_of(const LimitedReplicas& limited) {
    if (limited.limit.empty()) return "DesiredWithinRange";
    if (limited.limit == "max_replicas") return "TooManyReplicas";
    return limited.limit == "min_replicas" ? "TooFewReplicas" : "limit";
}

std::string compare_limited(const Json& test, const LimitedReplicas& limited) {
    Differences differences;
    std::string condition = test.at("expected_condition");
    if (condition == "ScaleUpLimit" || condition == "ScaleDownLimit") condition = "limit";
    differences.compare("replicas", test.at("expected"), limited.replicas);
    differences.compare("condition", condition, condition_of(limited));
    return differences.text();
}

HpaBounds parse_bounds(const Json& test) {
    return {test.at("min"), test.at("max")};
}

HpaScaleEvents parse_both_events(const Json& test) {
    return {parse_events(list_or_empty(test, "scale_up_events")),
            parse_events(list_or_empty(test, "scale_down_events"))};
}

std::string run_no_behavior_limits(const Json& test) {
    return compare_limited(
        test, limit_without_behavior(parse_bounds(test), test.at("current"), test.at("desired"),
                                     test.at("scale_up_limit_factor"),
                                     test.at("scale_up_limit_minimum")));
}

std::string run_behavior_rate_limit(const Json& test) {
    const HpaBehavior behavior{
        parse_rules(test.at("scale_up_rules"), default_scale_up_rules()),
        parse_rules(test.at("scale_down_rules"), default_scale_down_rules(Duration::seconds(300)))};
    return compare_limited(
        test, limit_with_behavior(parse_bounds(test), behavior, parse_both_events(test),
                                  test.at("current"), test.at("desired"), kNow));
}

std::string run_one_limit(const Json& test) {
    const auto rules = parse_rules(test.at("rules"), {});
    const auto limit = test.at("kind") == "scale_up_limit" ? scale_up_limit : scale_down_limit;
    Differences differences;
    differences.compare("limit", test.at("expected"),
                        limit(test.at("current"), parse_both_events(test), rules, kNow).replicas);
    return differences.text();
}

std::string run_store_scale_event(const Json& test) {
    const HpaScalingRules rules = parse_rules(test.at("rules"), {});
    const std::int64_t change = test.at("replica_change");
    Differences differences;
    for (const std::int64_t sign : {1, -1}) {
        HpaScaleEvents events;
        auto& log = sign > 0 ? events.up : events.down;
        log = parse_events(list_or_empty(test, "prev_events"));
        differences.compare("change in the period", test.at("expected_change_in_period_before"),
                            change_in_period(log, seconds(test.at("query_period_s")), kNow));
        // Without behavior the policy keeps no events at all.
        if (!test.at("rules").is_null()) {
            store_scale_event(events, {rules, rules}, 10, 10 + sign * change, kNow);
        }
        const auto written = [](const auto& change_of, const auto& outdated_of) {
            return Json{{"change", change_of}, {"outdated", outdated_of}};
        };
        Json expected = Json::array();
        for (const Json& event : list_or_empty(test, "expected_events_after")) {
            expected.push_back(written(event.at("change"), value_or(event, "outdated", false)));
        }
        Json found = Json::array();
        for (const auto& event : log) found.push_back(written(event.change, event.outdated));
        differences.compare("events", expected, found);
    }
    return differences.text();
}

std::vector<std::int64_t> replicas_of(const std::vector<HpaRecommendation>& log) {
    std::vector<std::int64_t> replicas;
    for (const auto& entry : log) replicas.push_back(entry.replicas);
    return replicas;
}

std::string run_no_behavior_stabilize(const Json& test) {
    auto log = parse_recommendations(list_or_empty(test, "recommendations"));
    const std::int64_t found = stabilize_downscale(
        log, test.at("desired"), seconds(test.at("downscale_stabilization_s")), kNow);
    Differences differences;
    differences.compare("replicas", test.at("expected"), found);
    if (const auto length = optional_amount(test, "expected_log_length")) {
        differences.compare("length of the log", *length, log.size());
    }
    return differences.text();
}

std::string run_behavior_stabilize(const Json& test) {
    auto log = parse_recommendations(list_or_empty(test, "recommendations"));
    HpaBehavior behavior;
    behavior.up.stabilization_window = seconds(test.at("scale_up_stabilization_s"));
    behavior.down.stabilization_window = seconds(test.at("scale_down_stabilization_s"));
    const std::int64_t found =
        stabilize_with_behavior(log, behavior, test.at("current"), test.at("desired"), kNow);
    Differences differences;
    differences.compare("replicas", test.at("expected"), found);
    const Json after = test.value("expected_recommendations_after", Json());
    if (!after.is_null()) differences.compare("recommendations", after, replicas_of(log));
    return differences.text();
}

const CaseKind kNoBehaviorLimits{"no_behavior_limits", run_no_behavior_limits};
const CaseKind kNoBehaviorStabilize{"no_behavior_stabilize", run_no_behavior_stabilize};
const CaseKind kBehaviorRateLimit{"behavior_rate_limit", run_behavior_rate_limit};
const CaseKind kBehaviorStabilize{"behavior_stabilize", run_behavior_stabilize};
const CaseKind kStoreScaleEvent{"store_scale_event", run_store_scale_event};
const CaseKind kScaleUpLimit{"scale_up_limit", run_one_limit};
const CaseKind kScaleDownLimit{"scale_down_limit", run_one_limit};

// Whole rounds.

/// "20" or "2222m", in milli-units.
std::int64_t parse_milli(const std::string& text) {
    if (text.back() == 'm') return std::stoll(text);
    return std::llround(std::stod(text) * 1000.0);
}

/// An entry of a manifest's `metrics` as this project writes it.
Parameters parse_manifest_metric(const Json& json) {
    const std::string type = json.at("type");
    for (const char* key : {"resource", "containerResource", "pods", "object", "external"}) {
        if (!json.contains(key)) continue;
        const Json& source = json.at(key);
        const Json& target = source.at("target");
        const std::string name =
            source.contains("name") ? source.at("name") : source.at("metric").at("name");
        std::int64_t milli = 0;
        if (target.contains("averageUtilization")) {
            milli = target.at("averageUtilization").get<std::int64_t>() * 1000;
        } else if (target.contains("averageValue")) {
            milli = parse_milli(target.at("averageValue"));
        } else {
            milli = parse_milli(target.at("value"));
        }
        return metric_parameters(type, name, source.value("container", ""), target.at("type"),
                                 milli);
    }
    return metric_parameters(type, "", "", "Value", 1000);
}

/// The levels as each kind of metric sees them: by pod, or as the series of one value.
MetricReading reading_of_levels(const Json& test, const std::vector<ScalingPod>& pods,
                                MetricKind kind) {
    const auto levels = list_or_empty(test, "reported_levels").get<std::vector<std::int64_t>>();
    MetricReading reading;
    reading.available =
        !levels.empty() && !(kind == MetricKind::container_resource &&
                             !value_or(test, "container_resource_metrics_enabled", true));
    reading.values_milli = levels;
    reading.pods.resize(pods.size());
    const bool by_container = kind == MetricKind::container_resource;
    if (by_container) reading.containers.resize(pods.size());
    for (std::size_t i = 0; i < std::min(levels.size(), pods.size()); ++i) {
        const Duration window = Duration::seconds(60);
        reading.pods[i] = sample(levels[i], kNow, window);
        if (by_container) {
            reading.containers[i] = {sample(levels[i] / 2, kNow, window),
                                     sample(levels[i] - levels[i] / 2, kNow, window)};
        }
    }
    return reading;
}

std::string run_reconcile(const Json& test) {
    ParameterValue::List metrics;
    const auto percent = value_or(test, "cpu_target_utilization", std::int64_t{0});
    if (percent > 0) {
        metrics.push_back(
            object(metric_parameters("Resource", "cpu", "", "Utilization", percent * 1000)));
    }
    for (const Json& metric : list_or_empty(test, "metrics")) {
        metrics.push_back(object(parse_manifest_metric(metric)));
    }
    const auto policy =
        make_hpa(hpa_parameters(test.at("min"), test.at("max"), std::move(metrics), test));
    const Json recommendations = test.value("recommendations", Json());
    if (!recommendations.is_null()) {
        dynamic_cast<Hpa&>(*policy).restore(
            {.recommendations = parse_recommendations(recommendations), .events = {}});
    }
    ScalingView view;
    view.now = kNow;
    view.spec_replicas = test.at("spec_replicas");
    view.status_replicas = test.at("status_replicas");
    view.pods = parse_pods(list_or_empty(test, "pods"));
    for (const auto& request : policy->metrics()) {
        view.metrics.push_back(reading_of_levels(test, view.pods, request.kind));
    }
    const ScalingDecision decision = policy->decide(view);
    Differences differences;
    differences.compare("replicas (" + decision.reason + ")", test.at("expected_desired_replicas"),
                        decision.desired);
    return differences.text();
}

const CaseKind kReconcile{"reconcile", run_reconcile};

}  // namespace
}  // namespace headroom::conformance
