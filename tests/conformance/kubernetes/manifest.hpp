/// Builds a Cluster and pods from the manifests of conformance vectors. What a manifest says and
/// the model cannot is thrown as NotCovered with the reason. Any resource besides cpu and memory
/// becomes devices whose model is the resource's name; a metadata.name field becomes the hostname
/// label.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "tests/conformance/kubernetes/vector_values.hpp"

namespace headroom::conformance {

using Amounts = std::map<std::string, std::int64_t>;

inline Amounts parse_amounts(const Json& json) {
    return json.is_null() ? Amounts{} : json.get<Amounts>();
}

inline cluster::Labels parse_labels(const Json& object, const char* key) {
    return object.contains(key) ? object.at(key).get<cluster::Labels>() : cluster::Labels{};
}

inline cluster::MatchExpression parse_expression(const Json& json) {
    static const std::map<std::string, cluster::MatchOperator> kOperators = {
        {"In", cluster::MatchOperator::in},
        {"NotIn", cluster::MatchOperator::not_in},
        {"Exists", cluster::MatchOperator::exists},
        {"Gt", cluster::MatchOperator::gt},
        {"Lt", cluster::MatchOperator::lt},
        {"DoesNotExist", cluster::MatchOperator::does_not_exist}};
    cluster::MatchExpression expression;
    expression.key = json.at("key");
    if (expression.key == "metadata.name") expression.key = cluster::kHostnameLabel;
    expression.op = kOperators.at(json.at("operator"));
    expression.values = json.value("values", std::vector<std::string>{});
    return expression;
}

inline cluster::SelectorTerm parse_term(const Json& json) {
    cluster::SelectorTerm term;
    for (const char* key : {"matchExpressions", "matchFields"}) {
        for (const Json& expression : json.value(key, Json::array())) {
            term.expressions.push_back(parse_expression(expression));
        }
    }
    return term;
}

/// A label selector: absent matches nothing, empty everything.
inline bool selects(const Json& selector, const cluster::Labels& labels) {
    if (selector.is_null()) return false;
    for (const auto& [key, value] : parse_labels(selector, "matchLabels")) {
        const auto it = labels.find(key);
        if (it == labels.end() || it->second != value) return false;
    }
    for (const Json& expression : selector.value("matchExpressions", Json::array())) {
        if (!cluster::matches(parse_expression(expression), labels)) return false;
    }
    return true;
}

inline std::optional<cluster::TaintEffect> parse_effect(const std::string& effect) {
    if (effect == "NoSchedule") return cluster::TaintEffect::no_schedule;
    if (effect == "PreferNoSchedule") return cluster::TaintEffect::prefer_no_schedule;
    if (effect == "NoExecute") return cluster::TaintEffect::no_execute;
    return std::nullopt;
}

inline void parse_affinity(const Json& pod, cluster::PodSpec& spec) {
    const Json affinity = pod.value("affinity", Json::object()).value("nodeAffinity", Json());
    if (affinity.is_null()) return;
    if (affinity.contains("requiredDuringSchedulingIgnoredDuringExecution")) {
        const Json& required = affinity.at("requiredDuringSchedulingIgnoredDuringExecution");
        for (const Json& term : required.value("nodeSelectorTerms", Json::array())) {
            spec.required_affinity.push_back(parse_term(term));
        }
        // No term at all matches nothing, as one empty term does.
        if (spec.required_affinity.empty()) spec.required_affinity.emplace_back();
    }
    const char* preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for (const Json& term : affinity.value(preferred, Json::array())) {
        spec.preferred_affinity.push_back({term.at("weight"), parse_term(term.at("preference"))});
    }
}

/// Requests of containers: cpu and memory folded by the cluster's rules, the rest as devices.
inline void parse_requests(const Json& pod, cluster::PodSpec& spec) {
    Amounts extended;
    const auto read = [&](const char* key, bool init) {
        std::vector<cluster::ContainerRequests> containers;
        for (const Json& json : pod.value(key, Json::array())) {
            if (json.contains("restartPolicy")) throw NotCovered{"restartable init containers"};
            cluster::ContainerRequests container;
            for (const auto& [name, amount] : parse_amounts(json.value("requests", Json()))) {
                if (name == "cpu") {
                    container.cpu = MilliCpu{amount};
                } else if (name == "memory") {
                    container.memory = Bytes{amount};
                } else if (name != "pods" && amount > 0) {
                    auto& sum = extended[name];
                    sum = init ? std::max(sum, amount) : sum + amount;
                }
            }
            containers.push_back(container);
        }
        return containers;
    };
    const auto containers = read("containers", false);
    const auto init_containers = read("initContainers", true);
    cluster::Resources overhead;
    const Amounts extra = parse_amounts(pod.value("overhead", Json()));
    if (extra.count("cpu") > 0) overhead.cpu = MilliCpu{extra.at("cpu")};
    if (extra.count("memory") > 0) overhead.memory = Bytes{extra.at("memory")};
    const auto folded = cluster::fold_requests(containers, init_containers, overhead);
    spec.requests = folded.exact;
    spec.scoring_requests = folded.scoring;
    if (extended.size() > 1) throw NotCovered{"a pod with several extended resources"};
    for (const auto& [name, amount] : extended) {
        spec.devices.count = static_cast<std::int32_t>(amount);
        spec.devices.models = {name};
    }
}

inline cluster::PodSpec parse_pod_spec(const Json& pod) {
    cluster::PodSpec spec;
    spec.name = pod.value("name", "pod");
    spec.labels = parse_labels(pod, "labels");
    spec.node_selector = parse_labels(pod, "nodeSelector");
    parse_affinity(pod, spec);
    parse_requests(pod, spec);
    for (const Json& json : pod.value("tolerations", Json::array())) {
        cluster::Toleration toleration;
        toleration.key = json.value("key", "");
        toleration.value = json.value("value", "");
        toleration.op = json.value("operator", "Equal") == "Exists"
                            ? cluster::TolerationOperator::exists
                            : cluster::TolerationOperator::equal;
        toleration.effect = parse_effect(json.value("effect", ""));
        spec.tolerations.push_back(toleration);
    }
    return spec;
}

inline cluster::NodeSpec parse_node_spec(const Json& node) {
    cluster::NodeSpec spec;
    spec.name = node.at("name");
    spec.labels = parse_labels(node, "labels");
    spec.allocatable.max_pods = 1000;
    for (const auto& [name, amount] : parse_amounts(node.value("allocatable", Json()))) {
        if (name == "cpu") {
            spec.allocatable.cpu = MilliCpu{amount};
        } else if (name == "memory") {
            spec.allocatable.memory = Bytes{amount};
        } else if (name == "pods") {
            spec.allocatable.max_pods = static_cast<std::int32_t>(amount);
        } else {
            if (amount > 1000) throw NotCovered{"large amounts of an extended resource"};
            cluster::DeviceSpec device;
            device.model = name;
            spec.devices.insert(spec.devices.end(), static_cast<std::size_t>(amount), device);
        }
    }
    spec.capacity = spec.allocatable;
    for (const Json& json : node.value("taints", Json::array())) {
        spec.taints.push_back(
            {json.at("key"), json.value("value", ""), parse_effect(json.at("effect")).value()});
    }
    return spec;
}

/// Binds a pod that the case says is there already.
inline void place(cluster::Cluster& cluster, cluster::PodSpec spec, const std::string& node,
                  bool terminating) {
    const cluster::NodeId id = cluster.find_node(node);
    if (!id.valid()) return;
    if (!cluster.node(id).usage.fits(spec).ok()) {
        throw NotCovered{"nodes that hold more than they have"};
    }
    const cluster::PodId pod = cluster.add_pod(std::move(spec), 0, kNow);
    cluster.bind_first_fit(pod, id, kNow);
    cluster.set_phase(pod, cluster::PodPhase::ready, kNow);
    if (terminating) cluster.set_phase(pod, cluster::PodPhase::draining, kNow);
}

}  // namespace headroom::conformance
