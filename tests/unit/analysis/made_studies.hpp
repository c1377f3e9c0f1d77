/// Studies with given numbers, for tests of what is made of them: no simulation.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/experiments/replications.hpp"

namespace headroom::analysis {

using Column = std::vector<std::optional<double>>;

/// Replication i has value i of each column; all columns are of one length.
inline Replicated made_study(const std::map<std::string, Column>& columns) {
    Replicated study;
    study.runs.resize(columns.begin()->second.size());
    for (const auto& [name, values] : columns) {
        study.metrics.push_back(name);
        for (std::size_t i = 0; i < study.runs.size(); ++i) {
            study.runs[i].values.push_back(values[i]);
            if (name == "saturated") study.runs[i].saturated = values[i].value_or(0) > 0;
        }
    }
    for (std::size_t i = 0; i < study.runs.size(); ++i) {
        study.runs[i].seed = 7 + i;
        study.runs[i].digest = "digest-" + std::to_string(i);
    }
    return study;
}

inline control::Decision made_decision(std::int64_t second, std::string actor, std::int64_t before,
                                       std::int64_t after, std::string reason) {
    control::Decision decision;
    decision.time = Time::zero() + Duration::seconds(second);
    decision.subject = actor.substr(actor.rfind(' ') + 1);
    decision.actor = std::move(actor);
    decision.before = before;
    decision.wanted = decision.after = after;
    decision.reason = std::move(reason);
    return decision;
}

}  // namespace headroom::analysis
