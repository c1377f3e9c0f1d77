// The part of the scenario format that describes pods, node pools and faults.

#include "scenarios/format.hpp"
#include "sim/control/control_spec.hpp"

namespace headroom::scenarios {

namespace {

std::vector<std::string> effects() {
    return {"NoSchedule", "PreferNoSchedule", "NoExecute"};
}

ParameterSpec labels_format(const char* name, const char* help) {
    return ParameterSpec::map(name, ParameterSpec::text("value", "", "").required(), help);
}

ParameterSpec artifact_format(const char* name, std::vector<ParameterSpec> more, const char* help) {
    std::vector<ParameterSpec> fields = {
        ParameterSpec::text("name", "", "nodes keep what they have by name").required(),
        ParameterSpec::quantity("size", 0, "bytes", "what is transferred").required()};
    for (ParameterSpec& field : more) fields.push_back(std::move(field));
    return ParameterSpec::object(name, std::move(fields), help).optional_without_default();
}

ParameterSpec tolerations_format() {
    ParameterSpec toleration = ParameterSpec::object(
        "toleration",
        {ParameterSpec::text("key", "", "of the taint; empty with Exists: every key"),
         ParameterSpec::choice("operator", {"Equal", "Exists"}, "Equal", "how it compares"),
         ParameterSpec::text("value", "", "for Equal"),
         ParameterSpec::choice("effect", effects(), "", "default: every effect")
             .optional_without_default(),
         ParameterSpec::duration("toleration_time", Duration::seconds(300),
                                 "how long a NoExecute taint is borne; default: for ever")
             .optional_without_default()
             .at_most(kHorizonSeconds)},
        "a taint that the pod bears");
    return ParameterSpec::list("tolerations", std::move(toleration), "taints that the pod bears");
}

ParameterSpec topology_spread_format() {
    ParameterSpec constraint = ParameterSpec::object(
        "constraint",
        {ParameterSpec::integer("max_skew", 1, "difference of pods between domains")
             .at_least(1)
             .at_most(1e6),
         ParameterSpec::text("topology_key", "", "the node label that makes a domain").required(),
         ParameterSpec::choice("when_unsatisfiable", {"DoNotSchedule", "ScheduleAnyway"},
                               "DoNotSchedule", "whether it is a must"),
         ParameterSpec::integer("min_domains", 1, "fewer domains count as empty ones")
             .at_least(1)
             .at_most(1e6)},
        "one constraint");
    return ParameterSpec::list("topology_spread", std::move(constraint),
                               "how the pods spread over nodes, zones, ...");
}

ParameterSpec usage_format() {
    const control::UsageModel defaults;
    return ParameterSpec::object(
        "usage",
        {ParameterSpec::quantity("cpu_idle", defaults.cpu_idle.count(), "m", "without load"),
         ParameterSpec::quantity("cpu_busy", defaults.cpu_busy.count(), "m",
                                 "more at full utilisation, in proportion"),
         ParameterSpec::quantity("memory_idle", defaults.memory_idle.count(), "bytes",
                                 "without load"),
         ParameterSpec::quantity("memory_per_in_flight", defaults.memory_per_in_flight.count(),
                                 "bytes", "more for each request in flight")},
        "what the pod is seen to use, for resource metrics");
}

ParameterSpec node_format() {
    return ParameterSpec::object(
               "node",
               {ParameterSpec::quantity("cpu", 0, "m", "what pods may request").required().above(0),
                ParameterSpec::quantity("memory", 0, "bytes", "what pods may request")
                    .required()
                    .above(0),
                ParameterSpec::integer("gpus", 0, "devices of the node").at_least(0).at_most(1024),
                ParameterSpec::text("gpu", "", "a GPU of the catalogue, with `gpus`")
                    .optional_without_default(),
                ParameterSpec::integer("max_pods", 110, "pods at most").at_least(1).at_most(1e6),
                ParameterSpec::number("price_per_hour", 0, "in the scenario's currency")
                    .at_least(0)
                    .at_most(1e9),
                ParameterSpec::quantity("network_bandwidth", 1'250'000'000, "bytes/s",
                                        "of its network interface")
                    .above(0)},
               "a node of one's own")
        .optional_without_default();
}

ParameterSpec taints_format() {
    ParameterSpec taint = ParameterSpec::object(
        "taint",
        {ParameterSpec::text("key", "", "its name").required(),
         ParameterSpec::text("value", "", "its value"),
         ParameterSpec::choice("effect", effects(), "NoSchedule", "what it does")},
        "one taint");
    return ParameterSpec::list("taints", std::move(taint), "taints of the nodes");
}

ParameterSpec probe_format(const char* name, double most_successes, const char* help) {
    const control::ProbeSpec probe;
    return ParameterSpec::object(
               name,
               {ParameterSpec::duration("initial_delay", probe.initial_delay,
                                        "from the container's start to the first one")
                    .at_most(kHorizonSeconds),
                ParameterSpec::duration("period", probe.period, "from one to the next")
                    .at_least(1)
                    .at_most(kHorizonSeconds),
                ParameterSpec::integer("failure_threshold", probe.failure_threshold,
                                       "failures in a row that count")
                    .at_least(1)
                    .at_most(1e6),
                ParameterSpec::integer("success_threshold", probe.success_threshold,
                                       "successes in a row that count; 1 but for readiness")
                    .at_least(1)
                    .at_most(most_successes)},
               help)
        .optional_without_default();
}

ParameterSpec probes_format() {
    return ParameterSpec::object(
               "probes",
               {probe_format("startup", 1,
                             "the others wait for it; when it fails too often, the "
                             "container is started again"),
                probe_format("liveness", 1,
                             "when it fails too often, the container is started again"),
                probe_format("readiness", 1e6, "the pod is ready when it passes")},
               "of the kubelet: a server is up once it is warm")
        .optional_without_default();
}

}  // namespace

ParameterSpec pod_format() {
    const control::LifecycleSpec lifecycle;
    const auto span = [](const char* name, Duration value, const char* help) {
        return ParameterSpec::duration(name, value, help).at_most(kHorizonSeconds);
    };
    return ParameterSpec::object(
        "pod",
        {ParameterSpec::map("requests", ParameterSpec::quantity("amount", 0, "m", ""),
                            "cpu, memory, <vendor>/gpu, nvidia.com/mig-<profile>; an engine that "
                            "names its GPU asks for its GPUs by itself"),
         ParameterSpec::object(
             "limits",
             {ParameterSpec::quantity("memory", 0, "bytes",
                                      "a container that uses more is killed at once (OOMKilled) "
                                      "and started again; default: none. A memory request that is "
                                      "not made is as large")
                  .optional_without_default()
                  .above(0)},
             "what a container may use: usage.memory_idle, and usage.memory_per_in_flight for each "
             "request, against `memory`"),
         ParameterSpec::number("gpu_share", 1,
                               "share of each GPU and of its memory, where nodes share their GPUs")
             .above(0)
             .at_most(1),
         artifact_format("image",
                         {ParameterSpec::quantity("on_disk", 0, "bytes", "default: as `size`")
                              .optional_without_default()},
                         "the container image; default: on every node already"),
         artifact_format("weights", {}, "what is loaded before it serves; default: the model's"),
         labels_format("node_selector", "labels that its node must have"), tolerations_format(),
         topology_spread_format(),
         ParameterSpec::integer("priority", 0, "higher ones are scheduled first")
             .at_least(-1e9)
             .at_most(1e9),
         labels_format("labels", "of the pod"),
         span("container_start", lifecycle.container_start, "from the image to a running process"),
         span("warm_up", lifecycle.warm_up, "after the weights: graph capture, compilation"),
         span("readiness_delay", lifecycle.readiness_delay, "from ready to receiving requests"),
         span("termination_grace", lifecycle.termination_grace,
              "a draining pod is killed after this"),
         probes_format(),
         ParameterSpec::quantity("image_pull_rate", lifecycle.image_pull_bytes_per_s, "bytes/s",
                                 "of one pull at most: network, decompression, disk")
             .above(0),
         ParameterSpec::quantity("weights_load_rate", lifecycle.weights_load_bytes_per_s, "bytes/s",
                                 "of one load at most")
             .above(0),
         usage_format()},
        "the pod of an instance");
}

ParameterSpec node_pool_format() {
    return ParameterSpec::object(
        "node_pool",
        {ParameterSpec::text("instance_type", "", "a cloud instance type of the catalogue")
             .optional_without_default(),
         node_format(),
         ParameterSpec::integer("count", 1, "nodes").required().at_least(0).at_most(1e6),
         ParameterSpec::list("zones", ParameterSpec::text("zone", "", "").required(),
                             "zones that the nodes are dealt to in turn; default: all in "
                             "\"zone-a\""),
         ParameterSpec::choice("gpu_sharing", {"exclusive", "shared", "sliced"}, "exclusive",
                               "whole GPUs, shares of a GPU, MIG slices"),
         labels_format("labels", "further labels of the nodes"), taints_format(),
         ParameterSpec::number("price_per_hour", 0, "instead of the list price")
             .optional_without_default()
             .at_least(0)
             .at_most(1e9),
         ParameterSpec::quantity("image_cache_capacity", 0, "bytes",
                                 "room on a node for images and weights. When it is full, those "
                                 "that no pod uses are deleted, least recently used first. What "
                                 "does not fit even then is fetched but not kept: the next pod "
                                 "fetches it again. Default: unlimited")
             .optional_without_default()
             .above(0)},
        "nodes of one kind: exactly one of instance_type and node");
}

ParameterSpec fault_format() {
    std::vector<std::string> kinds;
    for (const control::FaultKind& kind : control::kFaultKinds) kinds.emplace_back(kind.name);
    return ParameterSpec::object(
        "fault",
        {ParameterSpec::duration("at", Duration::zero(), "when")
             .required()
             .at_most(kHorizonSeconds),
         ParameterSpec::choice("kind", std::move(kinds), "kill_instance", "what happens"),
         ParameterSpec::text("target", "",
                             "a service (with several versions \"<service>-<version>\"), or a node "
                             "\"<pool>-<number>\"")
             .required(),
         ParameterSpec::integer("index", 0, "which of the live pods, oldest first")
             .at_least(0)
             .at_most(1e6),
         ParameterSpec::number("speed", 1, "of set_speed: factor of the nominal speed")
             .above(0)
             .at_most(1000),
         ParameterSpec::integer("times", 1, "of crash_container: how often it crashes")
             .at_least(1)
             .at_most(1e6),
         ParameterSpec::duration("after", Duration::zero(),
                                 "of crash_container: from each further start to its crash")
             .at_most(kHorizonSeconds)},
        "an event that befalls the cluster");
}

}  // namespace headroom::scenarios
