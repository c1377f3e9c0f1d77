/// The scheduler's plugins, each as the registry makes it. A case names its plugin instead of a
/// kind; what plugins or the model do not have is not covered.
#include <algorithm>
#include <cmath>

#include "policies/scheduling/scores/broken_linear.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "tests/conformance/kubernetes/manifest.hpp"

namespace headroom::conformance {
namespace {

using control::FilterPlugin;
using control::SchedulingContext;
using control::ScorePlugin;

template <class Interface>
std::unique_ptr<Interface> make_plugin(const std::string& name,
                                       const std::map<std::string, ParameterValue>& values = {}) {
    const auto* entry = Registry<Interface>::instance().find(name);
    if (entry == nullptr) throw NotCovered{"no plugin " + name};
    Parameters parameters = Parameters::defaults(entry->specs);
    for (const auto& [key, value] : values) parameters.set(key, value);
    return entry->make(parameters, {});
}

ParameterValue list_parameter(std::vector<Parameters> entries) {
    ParameterValue::List list;
    for (Parameters& entry : entries) {
        list.push_back({std::make_shared<const Parameters>(std::move(entry))});
    }
    return {std::make_shared<const ParameterValue::List>(std::move(list))};
}

/// A case's cluster and pod. Workloads stand for label selectors: each pod is its own workload, and
/// a constraint names those whose pods its selector picks.
struct Scene {
    cluster::Cluster cluster;
    cluster::PodSpec pod;
    std::vector<cluster::NodeId> nodes;  ///< that are to be scored or filtered
};

constexpr cluster::WorkloadId kOwn{0, 0};
constexpr cluster::WorkloadId kNobody{1'000'000, 0};

cluster::TopologySpread parse_spread(const Json& json, const Json& test,
                                     const cluster::PodSpec& pod) {
    cluster::TopologySpread spread;
    spread.max_skew = json.at("maxSkew");
    spread.topology_key = json.at("topologyKey");
    spread.when_unsatisfiable = json.at("whenUnsatisfiable") == "DoNotSchedule"
                                    ? cluster::WhenUnsatisfiable::do_not_schedule
                                    : cluster::WhenUnsatisfiable::schedule_anyway;
    if (test.value("min_domains_enabled", false)) spread.min_domains = json.value("minDomains", 1);
    if (test.value("node_inclusion_policy_enabled", false) &&
        (json.value("nodeAffinityPolicy", "Honor") != "Honor" ||
         json.value("nodeTaintsPolicy", "Ignore") != "Ignore")) {
        throw NotCovered{"node inclusion policies other than the default"};
    }
    Json selector = json.value("labelSelector", Json());
    if (test.value("match_label_keys_enabled", false) && !selector.is_null()) {
        for (const std::string key : json.value("matchLabelKeys", Json::array())) {
            const auto it = pod.labels.find(key);
            if (it == pod.labels.end()) continue;
            selector["matchExpressions"].push_back(
                {{"key", key}, {"operator", "In"}, {"values", {it->second}}});
        }
    }
    if (selects(selector, pod.labels)) spread.owners.push_back(kOwn);
    const Json& existing = test.at("existing_pods");
    const Json& incoming = test.at("pod");
    for (std::size_t i = 0; i < existing.size(); ++i) {
        if (existing[i].value("namespace", "") == incoming.value("namespace", "") &&
            selects(selector, parse_labels(existing[i], "labels"))) {
            spread.owners.push_back({static_cast<std::uint32_t>(i + 1), 0});
        }
    }
    if (spread.owners.empty()) spread.owners.push_back(kNobody);
    return spread;
}

/// The labels that a Service or its like in `objects` selects pods of one workload by.
std::optional<cluster::Labels> default_selector(const Json& test) {
    for (const Json& object : test.value("objects", Json::array())) {
        const Json selector = object.value("spec", Json::object()).value("selector", Json());
        if (selector.contains("matchLabels")) return parse_labels(selector, "matchLabels");
        if (selector.is_object()) return selector.get<cluster::Labels>();
    }
    return std::nullopt;
}

void build(Scene& scene, const Json& test) {
    const auto add = [&](const Json& json, bool candidate) {
        const Json labels = json.value("labels", Json::object());
        for (const Json& constraint :
             test.at("pod").value("topologySpreadConstraints", Json::array())) {
            const std::string key = constraint.at("topologyKey");
            if (key == cluster::kHostnameLabel && !labels.contains(key)) {
                throw NotCovered{"a node without a hostname"};
            }
        }
        const auto id = scene.cluster.add_node(parse_node_spec(json), kNow);
        if (candidate) scene.nodes.push_back(id);
    };
    for (const Json& json : test.at("nodes")) add(json, true);
    for (const Json& json : test.value("filtered_out_nodes", Json::array())) {
        const std::string name = json.is_string() ? json : json.at("name");
        const auto known = scene.cluster.find_node(name);
        if (!known.valid()) {
            add(json, false);
        } else {
            scene.nodes.erase(std::remove(scene.nodes.begin(), scene.nodes.end(), known),
                              scene.nodes.end());
        }
    }
    scene.pod = parse_pod_spec(test.at("pod"));
    const auto service = default_selector(test);
    const Json constraints = test.at("pod").value("topologySpreadConstraints", Json::array());
    if (service.has_value() || !constraints.empty()) scene.pod.owner = kOwn;
    for (const Json& constraint : constraints) {
        scene.pod.topology_spread.push_back(parse_spread(constraint, test, scene.pod));
    }
    const Json existing = test.value("existing_pods", Json::array());
    for (std::size_t i = 0; i < existing.size(); ++i) {
        cluster::PodSpec spec = parse_pod_spec(existing[i]);
        spec.owner = {static_cast<std::uint32_t>(i + 1), 0};
        if (service.has_value() && cluster::matches_all(*service, spec.labels)) spec.owner = kOwn;
        place(scene.cluster, std::move(spec), existing[i].value("nodeName", ""),
              existing[i].contains("deletionTimestamp"));
    }
}

// Scores.

ParameterValue parse_resources(const Json& test) {
    std::set<std::string> extended;
    std::vector<Parameters> resources;
    for (const Json& json : test.at("resources")) {
        const std::string name = json.at("name");
        const bool known = name == "cpu" || name == "memory";
        if (!known) extended.insert(name);
        Parameters resource;
        resource.set("name", {known ? name : std::string("nvidia.com/gpu")});
        resource.set("weight", {json.at("weight").get<std::int64_t>()});
        resources.push_back(std::move(resource));
    }
    if (extended.size() > 1) throw NotCovered{"several extended resources"};
    return list_parameter(std::move(resources));
}

/// The plugin of a score case, `newer` for the formulas of v1.36.
std::unique_ptr<ScorePlugin> make_score(const Json& test, bool newer) {
    const std::string plugin = test.at("plugin");
    if (plugin == "NodeResourcesBalancedAllocation") {
        return make_plugin<ScorePlugin>(newer ? "balanced-allocation-v1.36" : "balanced-allocation",
                                        {{"resources", parse_resources(test)}});
    }
    if (plugin.rfind("NodeResourcesFit/", 0) == 0) {
        std::map<std::string, ParameterValue> values = {
            {"strategy", {plugin.substr(plugin.find('/') + 1)}},
            {"resources", parse_resources(test)}};
        std::vector<Parameters> shape;
        for (const Json& json : test.value("shape", Json::array())) {
            Parameters point;
            point.set("utilization", {json.at("utilization").get<std::int64_t>()});
            point.set("score", {json.at("score").get<std::int64_t>()});
            shape.push_back(std::move(point));
        }
        if (!shape.empty()) values["shape"] = list_parameter(std::move(shape));
        return make_plugin<ScorePlugin>("node-resources-fit", values);
    }
    if (test.contains("added_affinity")) throw NotCovered{"affinity added by configuration"};
    if (plugin == "TaintToleration") return make_plugin<ScorePlugin>("taint-toleration");
    if (plugin == "NodeAffinity") return make_plugin<ScorePlugin>("node-affinity");
    if (plugin == "PodTopologySpread") return make_plugin<ScorePlugin>("pod-topology-spread");
    throw NotCovered{"no plugin " + plugin};
}

/// Scores by name of the node; nullopt when the plugin takes no part.
std::optional<std::map<std::string, std::int64_t>> score_nodes(ScorePlugin& plugin,
                                                               const Scene& scene) {
    const SchedulingContext context{&scene.cluster, &scene.pod};
    if (!plugin.prepare(context, scene.nodes)) return std::nullopt;
    std::vector<std::int64_t> scores;
    for (const cluster::NodeId node : scene.nodes) scores.push_back(plugin.score(context, node));
    plugin.normalise(scores);
    std::map<std::string, std::int64_t> by_name;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        by_name[scene.cluster.node(scene.nodes[i]).spec->name] = scores[i];
    }
    return by_name;
}

/// Scores of one version against the case's field for them.
void compare_scores(const Json& test, bool newer, Differences& differences) {
    const auto plugin = make_score(test, newer);
    Scene scene;
    build(scene, test);
    const auto scores = score_nodes(*plugin, scene);
    const std::string version = newer ? "v1.36 " : "";
    const bool skipped = (newer && value_or(test, "v1_36_2_skipped_best_effort", false)) ||
                         value_or(test, "expected_skip", false);
    if (skipped) {
        differences.compare(version + "takes part", false, scores.has_value());
        return;
    }
    const Json& expected = test.at(newer ? "expected_scores_v1_36_2" : "expected_scores");
    for (const auto& [name, score] : expected.items()) {
        // A plugin that takes no part leaves every node at 0.
        std::int64_t found = 0;
        if (scores.has_value() && scores->count(name) > 0) found = scores->at(name);
        differences.compare(version + "score of " + name, score, found);
    }
}

/// A configuration that must be refused is one outside the ranges of the plugin's parameters.
bool refused_by_parameters(const Json& test) {
    const auto* entry = Registry<ScorePlugin>::instance().find("node-resources-fit");
    for (const ParameterSpec& spec : entry->specs) {
        if (spec.name != "resources") continue;
        for (const ParameterSpec& field : spec.fields.front().fields) {
            if (field.name != "weight") continue;
            for (const Json& resource : test.at("resources")) {
                const auto weight = resource.at("weight").get<double>();
                if (weight < field.minimum.value_or(weight)) return true;
                if (weight > field.maximum.value_or(weight)) return true;
            }
        }
    }
    return false;
}

std::string run_score(const Json& test) {
    Differences differences;
    if (value_or(test, "expected_config_error", false)) {
        differences.compare("refused", true, refused_by_parameters(test));
        return differences.text();
    }
    compare_scores(test, false, differences);
    if (test.contains("expected_scores_v1_36_2")) compare_scores(test, true, differences);
    return differences.text();
}

std::string run_broken_linear(const Json& test) {
    std::vector<policies::ShapePoint> shape;
    for (const Json& point : test.at("points")) {
        shape.push_back({point.at("utilization"), point.at("score")});
    }
    Differences differences;
    for (const Json& each : test.at("expected")) {
        differences.compare("score at " + each.at("p").dump(), each.at("value"),
                            policies::broken_linear(shape, each.at("p")));
    }
    return differences.text();
}

std::string run_request_for_scoring(const Json& test) {
    const auto requests = cluster::scoring_requests(parse_pod_spec(test.at("pod")));
    const Json& expected = test.at("expected_nonzero_request");
    Differences differences;
    differences.compare("cpu", expected.at("cpu"), requests.cpu.count());
    differences.compare("memory", expected.at("memory"), requests.memory.count());
    return differences.text();
}

const CaseKind kBalanced{"NodeResourcesBalancedAllocation", run_score};
const CaseKind kLeast{"NodeResourcesFit/LeastAllocated", run_score};
const CaseKind kMost{"NodeResourcesFit/MostAllocated", run_score};
const CaseKind kRatio{"NodeResourcesFit/RequestedToCapacityRatio", run_score};
const CaseKind kTaintScore{"TaintToleration", run_score};
const CaseKind kAffinityScore{"NodeAffinity", run_score};
const CaseKind kSpreadScore{"PodTopologySpread", run_score};
const CaseKind kBrokenLinear{"helper/BrokenLinear", run_broken_linear};
const CaseKind kRequestForScoring{"helper/PodRequestForScoring", run_request_for_scoring};

// Filters.

bool passes(const std::string& name, const Scene& scene, cluster::NodeId node,
            std::string* reasons = nullptr) {
    const auto plugin = make_plugin<FilterPlugin>(name);
    const SchedulingContext context{&scene.cluster, &scene.pod};
    if (!plugin->prepare(context)) return true;
    const std::string_view reason = plugin->filter(context, node);
    if (reasons != nullptr && !reason.empty()) *reasons += std::string(reason) + ", ";
    return reason.empty();
}

std::string run_resources_filter(const Json& test) {
    if (test.contains("args")) throw NotCovered{"ignored resources"};
    Scene scene;
    const Json node = {{"name", "node"}, {"allocatable", test.at("node_allocatable")}};
    const auto id = scene.cluster.add_node(parse_node_spec(node), kNow);
    scene.pod = parse_pod_spec(test.at("pod"));
    const std::int64_t pods = test.value("node_pods", 0);
    for (std::int64_t i = 0; i < pods; ++i) {
        Json existing = Json::object();
        if (i == 0) existing["containers"] = {{{"requests", test.at("node_requested")}}};
        place(scene.cluster, parse_pod_spec(existing), "node", false);
    }
    std::string reasons;
    const bool resources = passes("node-resources-fit", scene, id, &reasons);
    const bool devices = passes("device-fit", scene, id, &reasons);
    Differences differences;
    for (const Json& resource : test.value("expected_insufficient", Json::array())) {
        const std::string name = resource;
        const std::string wanted = name == "pods"                      ? "Too many pods"
                                   : name == "cpu" || name == "memory" ? "Insufficient " + name
                                                                       : "devices";
        if (reasons.find(wanted) == std::string::npos) differences.add("reason", wanted, reasons);
    }
    differences.compare("fits", test.at("expected_fits"), resources && devices);
    return differences.text();
}

std::string run_one_node_filter(const Json& test, const std::string& name) {
    if (test.contains("added_affinity")) throw NotCovered{"affinity added by configuration"};
    Scene scene;
    const auto id = scene.cluster.add_node(parse_node_spec(test.at("node")), kNow);
    scene.pod = parse_pod_spec(test.at("pod"));
    Differences differences;
    if (value_or(test, "prefilter_skip", false)) {
        const auto plugin = make_plugin<FilterPlugin>(name);
        differences.compare("takes part", false, plugin->prepare({&scene.cluster, &scene.pod}));
    }
    differences.compare("fits", test.at("expected_fits"), passes(name, scene, id));
    return differences.text();
}

std::string run_taint_filter(const Json& test) {
    return run_one_node_filter(test, "taint-toleration");
}

std::string run_affinity_filter(const Json& test) {
    return run_one_node_filter(test, "node-affinity");
}

std::string run_spread_filter(const Json& test) {
    Scene scene;
    build(scene, test);
    Differences differences;
    for (const auto& [name, expected] : test.at("expected_fits").items()) {
        differences.compare(name + " fits", expected,
                            passes("pod-topology-spread", scene, scene.cluster.find_node(name)));
    }
    return differences.text();
}

const CaseKind kResourcesFilter{"NodeResourcesFit/Filter", run_resources_filter};
const CaseKind kTaintFilter{"TaintToleration/Filter", run_taint_filter};
const CaseKind kAffinityFilter{"NodeAffinity/Filter", run_affinity_filter};
const CaseKind kSpreadFilter{"PodTopologySpread/Filter", run_spread_filter};

}  // namespace
}  // namespace headroom::conformance
