/// The horizontal pod autoscaler against cases of upstream's own unit tests. Replica calculations
/// and whole rounds go through the policy as the registry makes it; the rules of behavior, which
/// upstream tests one by one, through their functions.
#include <cmath>

#include "policies/scaling/hpa/hpa.hpp"
#include "tests/catch.hpp"
#include "tests/conformance/kubernetes/vector_file.hpp"

namespace headroom::policies {
namespace {

using conformance::at;
using conformance::Json;
using conformance::kNow;
using control::MetricKind;
using control::MetricReading;
using control::PodPhase;
using control::PodSample;
using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPod;
using control::ScalingPolicy;
using control::ScalingView;

Duration seconds(const Json& s) {
    return Duration::from_seconds(s.get<double>());
}

PodPhase parse_phase(const std::string& name) {
    if (name == "Pending") return PodPhase::pending;
    if (name == "Running") return PodPhase::running;
    if (name == "Succeeded") return PodPhase::succeeded;
    return name == "Failed" ? PodPhase::failed : PodPhase::unknown;
}

std::optional<std::int64_t> optional_amount(const Json& object, const char* key) {
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) return std::nullopt;
    return it->get<std::int64_t>();
}

ScalingPod parse_pod(const Json& json) {
    ScalingPod pod;
    pod.name = json.at("name");
    pod.phase = parse_phase(json.at("phase"));
    pod.deleted = json.value("deleted", false);
    pod.has_ready_condition = !json.at("ready").is_null();
    pod.ready = pod.has_ready_condition && json.at("ready") == "True";
    if (!json.at("start_t").is_null()) pod.start_time = at(json.at("start_t"));
    pod.ready_transition =
        json.at("ready_transition_t").is_null() ? Time::max() : at(json.at("ready_transition_t"));
    for (const Json& container : json.value("containers", Json::array())) {
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
    for (const Json& entry : json.at("policies")) {
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
    p.set("tolerance", {test.value("tolerance", 0.1)});
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
        const auto values = test.at("metric_values_m").get<std::vector<std::int64_t>>();
        reading.available = !values.empty();
        reading.values_milli = values;
        reading.pods.resize(pods.size());
        for (std::size_t i = 0; i < std::min(values.size(), pods.size()); ++i) {
            reading.pods[i] = sample(values[i], timestamp, window);
        }
        return reading;
    }
    reading.available = !test.at("pod_metrics").empty();
    reading.containers.resize(pods.size());
    for (const Json& measured : test.at("pod_metrics")) {
        for (std::size_t i = 0; i < pods.size(); ++i) {
            if (pods[i].name != measured.at("pod")) continue;
            auto& row = reading.containers[i];
            row.resize(pods[i].containers.size());
            for (const Json& container : measured.at("containers")) {
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

/// The metric of a case, or nullopt for a kind that is not one of replica calculation.
std::optional<Parameters> parse_metric_of_case(const Json& test) {
    const std::string kind = test.at("kind");
    const std::string resource = test.value("resource", "");
    const std::string container = test.value("container", "");
    if (kind == "Resource" || kind == "ContainerResource") {
        if (test.contains("target_utilization")) {
            return metric_parameters(kind, resource, container, "Utilization",
                                     test.at("target_utilization").get<std::int64_t>() * 1000);
        }
        return metric_parameters(kind, resource, container, "AverageValue", test.at("target_m"));
    }
    if (kind == "Pods") {
        return metric_parameters("Pods", "qps", "", "AverageValue", test.at("target_m"));
    }
    if (kind == "Object" || kind == "External") {
        return metric_parameters(kind, "qps", "", "Value", test.at("target_m"));
    }
    if (kind == "ObjectPerPod" || kind == "ExternalPerPod") {
        return metric_parameters(kind.substr(0, kind.size() - 6), "qps", "", "AverageValue",
                                 test.at("target_m"));
    }
    return std::nullopt;
}

bool run_group_pods(const Json& test) {
    const auto pods = parse_pods(test.at("pods"));
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
        auto result = test.at(key).get<std::vector<std::string>>();
        std::sort(result.begin(), result.end());
        return result;
    };
    return groups.ready_count == test.at("expected_ready_count") &&
           names(groups.unready) == expected("expected_unready") &&
           names(groups.missing) == expected("expected_missing") &&
           names(groups.ignored) == expected("expected_ignored");
}

bool run_replica_calculation(const Json& test, const Parameters& metric) {
    ScalingView view;
    view.now = kNow;
    view.spec_replicas = view.status_replicas = test.at("current_replicas");
    view.pods = parse_pods(test.at("pods"));
    view.metrics = {parse_reading(test, view.pods)};
    const auto policy = make_hpa(hpa_parameters(0, 100'000, {object(metric)}, test));
    const ScalingDecision decision = policy->decide(view);
    if (test.contains("expected_error")) return decision.outcome == ScalingOutcome::no_metrics;
    INFO(decision.reason);
    CHECK(decision.wanted == test.at("expected_replicas"));
    if (decision.wanted != test.at("expected_replicas")) return false;

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
    const auto agrees = [&](const char* key, std::int64_t value) {
        return !test.contains(key) || test.at(key) == value;
    };
    return agrees("expected_utilization", proposal.utilization_percent) &&
           agrees("expected_raw_average_m", proposal.usage_milli) &&
           agrees("expected_usage_m", proposal.usage_milli);
}

TEST_CASE("Hpa conformance: replica calculations as upstream's replica_calculator_test") {
    const auto cases = conformance::read_vectors("hpa_replica_calc.json");
    if (!cases.has_value()) return;
    conformance::Tally tally("hpa_replica_calc");
    for (const Json& test : *cases) {
        const std::string kind = test.at("kind");
        INFO(test.at("name").get<std::string>());
        if (kind == "GroupPods") {
            const bool passed = run_group_pods(test);
            CHECK(passed);
            tally.add(kind, passed);
        } else if (const auto metric = parse_metric_of_case(test)) {
            const bool passed = run_replica_calculation(test, *metric);
            CHECK(passed);
            tally.add(kind, passed);
        } else {
            tally.skip(kind);
        }
    }
}

// The rules of behavior.

HpaScalingRules parse_rules(const Json& json, HpaScalingRules rules) {
    if (json.is_null()) return rules;
    rules.stabilization_window = seconds(json.at("stabilization_window_s"));
    const std::string select = json.at("select_policy");
    rules.select_policy = select == "Max"   ? HpaSelectPolicy::max
                          : select == "Min" ? HpaSelectPolicy::min
                                            : HpaSelectPolicy::disabled;
    rules.policies.clear();
    for (const Json& policy : json.at("policies")) {
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

bool agrees(const LimitedReplicas& limited, const Json& test) {
    std::string condition = test.at("expected_condition");
    if (condition == "ScaleUpLimit" || condition == "ScaleDownLimit") condition = "limit";
    return limited.replicas == test.at("expected") && condition_of(limited) == condition;
}

bool run_store_scale_event(const Json& test) {
    const HpaScalingRules rules = parse_rules(test.at("rules"), {});
    const std::int64_t change = test.at("replica_change");
    bool passed = true;
    for (const std::int64_t sign : {1, -1}) {
        HpaScaleEvents events;
        auto& log = sign > 0 ? events.up : events.down;
        log = parse_events(test.at("prev_events"));
        passed = passed && change_in_period(log, seconds(test.at("query_period_s")), kNow) ==
                               test.at("expected_change_in_period_before");
        // Without behavior the policy keeps no events at all.
        if (!test.at("rules").is_null()) {
            store_scale_event(events, rules, rules, 10, 10 + sign * change, kNow);
        }
        const Json& expected = test.at("expected_events_after");
        passed = passed && log.size() == expected.size();
        for (std::size_t i = 0; passed && i < log.size(); ++i) {
            passed = log[i].change == expected[i].at("change") &&
                     log[i].outdated == expected[i].at("outdated");
        }
    }
    return passed;
}

bool run_behavior_stabilize(const Json& test) {
    auto log = parse_recommendations(test.at("recommendations"));
    const std::int64_t result = stabilize_with_behavior(
        log, test.at("current"), test.at("desired"), seconds(test.at("scale_up_stabilization_s")),
        seconds(test.at("scale_down_stabilization_s")), kNow);
    if (result != test.at("expected")) return false;
    if (!test.contains("expected_recommendations_after")) return true;
    std::vector<std::int64_t> after;
    for (const auto& entry : log) after.push_back(entry.replicas);
    return after == test.at("expected_recommendations_after").get<std::vector<std::int64_t>>();
}

/// nullopt: a kind that is not known here.
std::optional<bool> run_behavior_case(const Json& test) {
    const std::string kind = test.at("kind");
    if (kind == "store_scale_event") return run_store_scale_event(test);
    if (kind == "behavior_stabilize") return run_behavior_stabilize(test);
    if (kind == "no_behavior_limits") {
        return agrees(limit_without_behavior({test.at("min"), test.at("max")}, test.at("current"),
                                             test.at("desired"), test.at("scale_up_limit_factor"),
                                             test.at("scale_up_limit_minimum")),
                      test);
    }
    if (kind == "no_behavior_stabilize") {
        auto log = parse_recommendations(test.at("recommendations"));
        return stabilize_downscale(log, test.at("desired"),
                                   seconds(test.at("downscale_stabilization_s")),
                                   kNow) == test.at("expected") &&
               log.size() == test.at("expected_log_length");
    }
    if (kind == "behavior_rate_limit") {
        const auto up = parse_rules(test.at("scale_up_rules"), default_scale_up_rules());
        const auto down = parse_rules(test.at("scale_down_rules"),
                                      default_scale_down_rules(Duration::seconds(300)));
        const HpaScaleEvents events{parse_events(test.at("scale_up_events")),
                                    parse_events(test.at("scale_down_events"))};
        return agrees(limit_with_behavior({test.at("min"), test.at("max")}, test.at("current"),
                                          test.at("desired"), up, down, events, kNow),
                      test);
    }
    if (kind == "scale_up_limit" || kind == "scale_down_limit") {
        const auto rules = parse_rules(test.at("rules"), {});
        const HpaScaleEvents events{parse_events(test.at("scale_up_events")),
                                    parse_events(test.at("scale_down_events"))};
        const auto limit = kind == "scale_up_limit" ? scale_up_limit : scale_down_limit;
        return limit(test.at("current"), events, rules, kNow).replicas == test.at("expected");
    }
    return std::nullopt;
}

TEST_CASE("Hpa conformance: stabilisation, limits and scale events as upstream's horizontal_test") {
    const auto cases = conformance::read_vectors("hpa_behavior.json");
    if (!cases.has_value()) return;
    conformance::Tally tally("hpa_behavior");
    for (const Json& test : *cases) {
        INFO(test.at("kind").get<std::string>() << ": " << test.at("name").get<std::string>());
        const auto passed = run_behavior_case(test);
        if (passed.has_value()) {
            CHECK(*passed);
            tally.add(test.at("kind"), *passed);
        } else {
            tally.skip(test.at("kind"));
        }
    }
}

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
    const auto levels = test.at("reported_levels").get<std::vector<std::int64_t>>();
    MetricReading reading;
    reading.available =
        !levels.empty() && !(kind == MetricKind::container_resource &&
                             !test.value("container_resource_metrics_enabled", true));
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

bool run_reconcile(const Json& test) {
    ParameterValue::List metrics;
    if (test.at("cpu_target_utilization") > 0) {
        const std::int64_t percent = test.at("cpu_target_utilization");
        metrics.push_back(
            object(metric_parameters("Resource", "cpu", "", "Utilization", percent * 1000)));
    }
    for (const Json& metric : test.at("metrics")) {
        metrics.push_back(object(parse_manifest_metric(metric)));
    }
    const auto policy =
        make_hpa(hpa_parameters(test.at("min"), test.at("max"), std::move(metrics), test));
    if (test.contains("recommendations")) {
        auto* hpa = dynamic_cast<Hpa*>(policy.get());
        REQUIRE(hpa != nullptr);
        hpa->restore(
            {.recommendations = parse_recommendations(test.at("recommendations")), .events = {}});
    }
    ScalingView view;
    view.now = kNow;
    view.spec_replicas = test.at("spec_replicas");
    view.status_replicas = test.at("status_replicas");
    view.pods = parse_pods(test.at("pods"));
    for (const auto& request : policy->metrics()) {
        view.metrics.push_back(reading_of_levels(test, view.pods, request.kind));
    }
    const ScalingDecision decision = policy->decide(view);
    INFO(decision.reason);
    CHECK(decision.desired == test.at("expected_desired_replicas"));
    return decision.desired == test.at("expected_desired_replicas");
}

TEST_CASE("Hpa conformance: whole rounds as upstream's horizontal_test") {
    const auto cases = conformance::read_vectors("hpa_reconcile.json");
    if (!cases.has_value()) return;
    conformance::Tally tally("hpa_reconcile");
    for (const Json& test : *cases) {
        const std::string kind = test.at("kind");
        if (kind != "reconcile") {
            tally.skip(kind);
            continue;
        }
        INFO(test.at("name").get<std::string>());
        tally.add(kind, run_reconcile(test));
    }
}

}  // namespace
}  // namespace headroom::policies
