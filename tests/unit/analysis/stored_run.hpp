/// A finished run written down by hand, as read_results gives it: a chat service that is scaled
/// from 2 to 8 in a surge while a node is lost and a pod finds no room, and a web service at rest.
#pragma once

#include <string>

#include "analysis/results/read_results.hpp"
#include "tests/unit/analysis/decisions_about.hpp"
#include "tests/unit/analysis/times.hpp"

namespace headroom::analysis {

inline control::Decision bound(double seconds, const std::string& pod, int node) {
    return about_pod({at_s(seconds), "scheduler", pod, control::Decision::Outcome::changed, -1,
                      node, node, "bound to gpu-" + std::to_string(node) + ", devices 0"});
}

/// A wish of the autoscaler of web, which has three replicas.
inline control::Decision web_wish(double seconds, std::int64_t wanted, const std::string& reason,
                                  control::Decision::Outcome outcome) {
    return {at_s(seconds), "hpa web", "web", outcome, 3, wanted, 3, reason};
}

inline StoredRun stored_run() {
    using Outcome = control::Decision::Outcome;
    StoredRun run;
    run.scenario = "surge";
    run.digest = "00abc";
    run.seed = 3;
    run.end = at_s(3600);
    run.services = {"chat", "web"};
    run.workloads = {{"chat", "chat", steps({{0, 2}, {1020, 4}, {1040, 7}, {1100, 8}, {1800, 3}}),
                      steps({{0, 2}, {900, 4}, {960, 8}, {1800, 3}})},
                     {"web", "web", steps({{0, 3}}), steps({{0, 3}})}};
    run.decisions = {
        bound(0, "chat-0", 0),
        bound(0, "chat-1", 1),
        {at_s(900), "hpa chat", "chat", Outcome::changed, 2, 6, 4, "6 wanted, 4 allowed: limit",
         "requests_in_flight 108 (target 40 a pod)"},
        bound(900, "chat-2", 2),
        bound(900, "chat-3", 3),
        {at_s(960), "hpa chat", "chat", Outcome::changed, 4, 13, 8, "13 wanted, 8 allowed: limit",
         "requests_in_flight 247.5 (target 40 a pod)"},
        bound(960, "chat-4", 4),
        bound(960, "chat-5", 5),
        bound(960, "chat-6", 6),
        about_pod({at_s(960), "scheduler", "chat-7", Outcome::blocked, -1, -1, -1,
                   "0/8 nodes are available"}),
        {at_s(975), "hpa chat", "chat", Outcome::blocked, 8, 17, 8, "17 wanted, 8 allowed: limit",
         "requests_in_flight 320 (target 40 a pod)"},
        about_node({at_s(985), "fault", "gpu-7", Outcome::changed, -1, 2, 2, "lost with 0 pods"}),
        bound(1000, "chat-7", 8),
        {at_s(1800), "hpa chat", "chat", Outcome::changed, 8, 1, 3, "1 wanted, 3 held: window",
         "requests_in_flight 3 (target 40 a pod)"},
        about_pod({at_s(1800), "workload chat", "chat-4", Outcome::changed, 8, 3, 7,
                   "deleted first: young"}),
        about_pod({at_s(1800), "workload chat", "chat-7", Outcome::changed, 7, 3, 6,
                   "deleted first: young"})};
    return run;
}

}  // namespace headroom::analysis
