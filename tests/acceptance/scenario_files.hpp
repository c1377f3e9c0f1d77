/// Scenario texts that several acceptance tests write into a folder of theirs and run.
#pragma once

#include <string>

namespace headroom::acceptance {

inline std::string library(const std::string& name) {
    return std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/" + name + ".json";
}

/// One simple service under Poisson load for a minute; `more` goes into the top-level object.
inline std::string small_scenario(const std::string& more = "") {
    return R"({
  "name": "small",
  "duration": "1m",
  "services": {
    "web": {"simple": {"servers": 4,
                       "service_time": {"distribution": "exponential", "mean": "100ms"}}}
  },
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 20}}})" +
           (more.empty() ? "" : ",\n  " + more) + "\n}\n";
}

/// An LLM service that replays `trace`, a path relative to the scenario's folder.
inline std::string replay_scenario(const std::string& trace) {
    return R"({
  "name": "replay",
  "drain": true,
  "services": {
    "chat": {
      "engine": {
        "profile": {"kind": "linear",
                    "c0": "6.5ms", "c1": "40us", "c2": "30us", "c3": "90ns", "c4": "6ns"},
        "num_gpu_blocks": 4001,
        "max_model_len": 8192
      }
    }
  },
  "sources": {"replay": {"service": "chat", "trace": {"file": ")" +
           trace + R"("}}}
}
)";
}

/// A pod that asks for `cpu` cores on a pool of two nodes with 8 each.
inline std::string cluster_scenario(const std::string& cpu, int replicas) {
    return R"({
  "name": "cluster",
  "duration": "10m",
  "services": {
    "web": {
      "simple": {"servers": 4,
                 "service_time": {"distribution": "exponential", "mean": "100ms"}},
      "replicas": )" +
           std::to_string(replicas) + R"(,
      "pod": {"requests": {"cpu": ")" +
           cpu + R"(", "memory": "1Gi"}}
    }
  },
  "sources": {"users": {"service": "web", "arrivals": {"process": "poisson", "rate": 5}}},
  "node_pools": {"small": {"count": 2, "node": {"cpu": "8", "memory": "32Gi"}}}
}
)";
}

}  // namespace headroom::acceptance
