#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/report/max_rate_table.hpp"
#include "analysis/results/json_values.hpp"
#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;
using scenarios::Expectation;

const char* name_of(SearchEnd end) {
    switch (end) {
        case SearchEnd::found:
            return "found";
        case SearchEnd::still_holds:
            return "still_holds";
        case SearchEnd::never_holds:
            return "never_holds";
        case SearchEnd::cannot_break:
            return "cannot_break";
        case SearchEnd::unjudged:
            return "unjudged";
        case SearchEnd::not_monotone:
            return "not_monotone";
        case SearchEnd::stopped:
            return "stopped";
    }
    return "";
}

Json points_json(const MaxRate& answer) {
    Json points = Json::array();
    for (const ScalePoint& point : answer.points) {
        Json expect = Json::array();
        for (const Judgement& j : point.judgements) {
            expect.push_back({{"held", j.held},
                              {"mean", or_null(j.mean)},
                              {"limit", or_null(j.limit)},
                              {"failed", j.failed},
                              {"missing", j.missing}});
        }
        points.push_back({{"scale", point.scale},
                          {"held", point.held},
                          {"saturated", point.saturated},
                          {"expect", std::move(expect)}});
    }
    return points;
}

Json answer_json(const MaxRateReport& report, const MaxRate& answer) {
    const bool has_scale = answer.scale > 0;
    const auto of_scale = [&](double today) {
        return has_scale ? Json(today * answer.scale) : Json(nullptr);
    };
    Json broken = Json::array();
    if (const ScalePoint* point = answer.at(answer.broken_at)) {
        for (std::size_t i = 0; i < point->judgements.size(); ++i) {
            if (!point->judgements[i].held) broken.push_back(report.scenario.expectations[i].text);
        }
    }
    return {{"end", name_of(answer.end)},
            {"scale", has_scale ? Json(answer.scale) : Json(nullptr)},
            {"requests_per_s", of_scale(report.requests_per_s)},
            {"users", of_scale(report.users)},
            {"broken_at", answer.broken_at > 0 ? Json(answer.broken_at) : Json(nullptr)},
            {"unjudged_at", answer.unjudged_at > 0 ? Json(answer.unjudged_at) : Json(nullptr)},
            {"breaks_first", std::move(broken)},
            {"points", points_json(answer)}};
}

}  // namespace

Json max_rate_json(const MaxRateReport& report) {
    Json expect = Json::array();
    for (const Expectation& expectation : report.scenario.expectations) {
        expect.push_back(expectation.text);
    }
    Json out = {{"version", program_version()},
                {"scenario", report.scenario.name},
                {"scenario_hash", report.scenario.hash},
                {"seed", report.scenario.spec.seed},
                {"replications", report.replications},
                {"confidence", report.confidence},
                {"precision", report.precision},
                {"today", {{"requests_per_s", report.requests_per_s}, {"users", report.users}}},
                {"expect", std::move(expect)}};
    out.update(answer_json(report, report.answer));
    Json pessimistic = nullptr;
    if (report.pessimistic) {
        pessimistic = {{"error_band", report.error_band}};
        pessimistic.update(answer_json(report, *report.pessimistic));
    }
    out["pessimistic"] = std::move(pessimistic);
    return out;
}

}  // namespace headroom::analysis
