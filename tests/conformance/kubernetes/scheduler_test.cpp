/// The scheduler's plugins against cases of upstream's own unit tests, each plugin as the registry
/// makes it. Cases of plugins or features that are not there are listed as not covered.
#include <cmath>

#include "policies/scheduling/scores/broken_linear.hpp"
#include "sim/control/scheduling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/conformance/kubernetes/manifest.hpp"

namespace headroom::policies {
namespace {

using conformance::Json;
using conformance::kNow;
using conformance::NotCovered;
using control::FilterPlugin;
using control::SchedulingContext;
using control::ScorePlugin;

template <class Interface>
std::unique_ptr<Interface> make_plugin(const std::string& name,
                                       const std::map<std::string, ParameterValue>& values = {}) {
    const auto* entry = Registry<Interface>::instance().find(name);
    REQUIRE(entry != nullptr);
    Parameters parameters = Parameters::defaults(entry->specs);
    for (const auto& [key, value] : values) parameters.set(key, value);
    return entry->make(parameters, {});
}

ParameterValue list_of(std::vector<Parameters> entries) {
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
    if (conformance::selects(selector, pod.labels)) spread.owners.push_back(kOwn);
    const Json& existing = test.at("existing_pods");
    const Json& incoming = test.at("pod");
    for (std::size_t i = 0; i < existing.size(); ++i) {
        if (existing[i].value("namespace", "") == incoming.value("namespace", "") &&
            conformance::selects(selector, conformance::parse_labels(existing[i], "labels"))) {
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
        if (selector.contains("matchLabels"))
            return conformance::parse_labels(selector, "matchLabels");
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
        const auto id = scene.cluster.add_node(conformance::parse_node_spec(json), kNow);
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
    scene.pod = conformance::parse_pod_spec(test.at("pod"));
    const auto service = default_selector(test);
    const Json constraints = test.at("pod").value("topologySpreadConstraints", Json::array());
    if (service.has_value() || !constraints.empty()) scene.pod.owner = kOwn;
    for (const Json& constraint : constraints) {
        scene.pod.topology_spread.push_back(parse_spread(constraint, test, scene.pod));
    }
    const Json existing = test.value("existing_pods", Json::array());
    for (std::size_t i = 0; i < existing.size(); ++i) {
        cluster::PodSpec spec = conformance::parse_pod_spec(existing[i]);
        spec.owner = {static_cast<std::uint32_t>(i + 1), 0};
        if (service.has_value() && cluster::matches_all(*service, spec.labels)) spec.owner = kOwn;
        conformance::place(scene.cluster, std::move(spec), existing[i].value("nodeName", ""),
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
    return list_of(std::move(resources));
}

/// The plugin of a score case, `newer` for the formulas of v1.36. Null: not there.
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
        if (!shape.empty()) values["shape"] = list_of(std::move(shape));
        return make_plugin<ScorePlugin>("node-resources-fit", values);
    }
    if (test.contains("added_affinity")) throw NotCovered{"affinity added by configuration"};
    if (plugin == "TaintToleration") return make_plugin<ScorePlugin>("taint-toleration");
    if (plugin == "NodeAffinity") return make_plugin<ScorePlugin>("node-affinity");
    if (plugin == "PodTopologySpread") return make_plugin<ScorePlugin>("pod-topology-spread");
    if (plugin == "ImageLocality") throw NotCovered{"pods of several images"};
    return nullptr;
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

bool run_score(const Json& test, bool newer) {
    const auto plugin = make_score(test, newer);
    if (plugin == nullptr) throw NotCovered{"no such plugin"};
    Scene scene;
    build(scene, test);
    const auto scores = score_nodes(*plugin, scene);
    if (newer && test.value("v1_36_2_skipped_best_effort", false)) return !scores.has_value();
    if (test.value("expected_skip", false)) return !scores.has_value();
    const Json& expected = test.at(newer ? "expected_scores_v1_36_2" : "expected_scores");
    // A plugin that takes no part leaves every node at 0.
    std::map<std::string, std::int64_t> zeros;
    for (const auto id : scene.nodes) zeros[scene.cluster.node(id).spec->name] = 0;
    const auto& actual = scores.has_value() ? *scores : zeros;
    for (const auto& [name, score] : expected.items()) {
        const auto it = actual.find(name);
        const std::int64_t got = it == actual.end() ? 0 : it->second;
        CHECK(got == score);
        if (got != score) return false;
    }
    return true;
}

bool run_helper(const Json& test) {
    if (test.at("plugin") == "helper/BrokenLinear") {
        std::vector<ShapePoint> shape;
        for (const Json& point : test.at("points")) {
            shape.push_back({point.at("utilization"), point.at("score")});
        }
        return std::all_of(test.at("expected").begin(), test.at("expected").end(), [&](auto& e) {
            return broken_linear(shape, e.at("p")) == e.at("value");
        });
    }
    if (test.at("plugin") == "helper/PodRequestForScoring") {
        const auto requests =
            cluster::scoring_requests(conformance::parse_pod_spec(test.at("pod")));
        const Json& expected = test.at("expected_nonzero_request");
        return requests.cpu.count() == expected.at("cpu") &&
               requests.memory.count() == expected.at("memory");
    }
    throw NotCovered{"no such helper"};
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

TEST_CASE("Scheduling conformance: scores as upstream's plugin tests") {
    const auto cases = conformance::read_vectors("scheduler_scores.json");
    if (!cases.has_value()) return;
    conformance::Tally tally("scheduler_scores");
    for (const Json& test : *cases) {
        const std::string plugin = test.at("plugin");
        INFO(plugin << ": " << test.at("name").get<std::string>());
        try {
            bool passed = true;
            if (test.contains("expected_config_error")) {
                passed = refused_by_parameters(test);
            } else if (plugin.rfind("helper/", 0) == 0) {
                passed = run_helper(test);
            } else {
                passed = run_score(test, false);
                if (test.contains("expected_scores_v1_36_2")) {
                    const bool newer = run_score(test, true);
                    CHECK(newer);
                    tally.add(plugin + " v1.36", newer);
                }
            }
            CHECK(passed);
            tally.add(plugin, passed);
        } catch (const NotCovered& reason) {
            tally.skip(plugin + " (" + reason.reason + ")");
        }
    }
}

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

bool run_resources_filter(const Json& test) {
    if (test.contains("args")) throw NotCovered{"ignored resources"};
    Scene scene;
    const Json node = {{"name", "node"}, {"allocatable", test.at("node_allocatable")}};
    const auto id = scene.cluster.add_node(conformance::parse_node_spec(node), kNow);
    scene.pod = conformance::parse_pod_spec(test.at("pod"));
    const std::int64_t pods = test.value("node_pods", 0);
    for (std::int64_t i = 0; i < pods; ++i) {
        Json existing = Json::object();
        if (i == 0) existing["containers"] = {{{"requests", test.at("node_requested")}}};
        conformance::place(scene.cluster, conformance::parse_pod_spec(existing), "node", false);
    }
    std::string reasons;
    const bool resources = passes("node-resources-fit", scene, id, &reasons);
    const bool devices = passes("device-fit", scene, id, &reasons);
    for (const Json& resource : test.value("expected_insufficient", Json::array())) {
        const std::string name = resource;
        const std::string wanted = name == "pods"                      ? "Too many pods"
                                   : name == "cpu" || name == "memory" ? "Insufficient " + name
                                                                       : "devices";
        INFO(reasons);
        CHECK(reasons.find(wanted) != std::string::npos);
        if (reasons.find(wanted) == std::string::npos) return false;
    }
    return (resources && devices) == test.at("expected_fits").get<bool>();
}

bool run_one_node_filter(const std::string& name, const Json& test) {
    if (test.contains("added_affinity")) throw NotCovered{"affinity added by configuration"};
    Scene scene;
    const auto id = scene.cluster.add_node(conformance::parse_node_spec(test.at("node")), kNow);
    scene.pod = conformance::parse_pod_spec(test.at("pod"));
    if (test.value("prefilter_skip", false)) {
        const auto plugin = make_plugin<FilterPlugin>(name);
        if (plugin->prepare({&scene.cluster, &scene.pod})) return false;
    }
    return passes(name, scene, id) == test.at("expected_fits").get<bool>();
}

bool run_spread_filter(const Json& test) {
    Scene scene;
    build(scene, test);
    for (const auto& [name, expected] : test.at("expected_fits").items()) {
        const bool fits = passes("pod-topology-spread", scene, scene.cluster.find_node(name));
        INFO(name);
        CHECK(fits == expected.get<bool>());
        if (fits != expected.get<bool>()) return false;
    }
    return true;
}

bool run_filter(const Json& test) {
    const std::string plugin = test.at("plugin");
    if (plugin.rfind("NodeResourcesFit/", 0) == 0) return run_resources_filter(test);
    if (plugin == "TaintToleration/Filter") return run_one_node_filter("taint-toleration", test);
    if (plugin == "NodeAffinity/Filter") return run_one_node_filter("node-affinity", test);
    if (plugin == "PodTopologySpread/Filter") return run_spread_filter(test);
    throw NotCovered{"no such plugin"};
}

TEST_CASE("Scheduling conformance: filters as upstream's plugin tests") {
    const auto cases = conformance::read_vectors("scheduler_filters.json");
    if (!cases.has_value()) return;
    conformance::Tally tally("scheduler_filters");
    for (const Json& test : *cases) {
        const std::string plugin = test.at("plugin");
        INFO(plugin << ": " << test.at("name").get<std::string>());
        try {
            const bool passed = run_filter(test);
            CHECK(passed);
            tally.add(plugin, passed);
        } catch (const NotCovered& reason) {
            tally.skip(plugin + " (" + reason.reason + ")");
        }
    }
}

}  // namespace
}  // namespace headroom::policies
