#include "analysis/report/max_rate_table.hpp"

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

scenarios::Scenario with_condition() {
    scenarios::Scenario scenario;
    scenario.name = "queue";
    scenarios::Expectation condition;
    condition.text = "latency.e2e_s.p99 < 2s";
    condition.metric = "latency.e2e_s.p99";
    condition.bound = 2;
    scenario.expectations = {condition};
    return scenario;
}

ScalePoint point_at(double scale, bool held, int missing = 0) {
    ScalePoint point;
    point.scale = scale;
    point.held = held;
    point.replications = 5;
    Judgement judgement;
    judgement.held = held;
    judgement.missing = missing;
    if (missing == 0) judgement.mean = judgement.limit = held ? 1 : 3;
    point.judgements = {judgement};
    return point;
}

MaxRate ending(SearchEnd end, std::vector<ScalePoint> points) {
    MaxRate answer;
    answer.end = end;
    for (const ScalePoint& point : points) {
        if (point.held) answer.scale = point.scale;
    }
    answer.points = std::move(points);
    return answer;
}

/// The report with all white space made one blank.
std::string text_of(const MaxRateReport& report) {
    std::string out;
    for (const char c : render_max_rate(report, {.width = 100})) {
        const bool blank = c == ' ' || c == '\n';
        if (!blank || (!out.empty() && out.back() != ' ')) out += blank ? ' ' : c;
    }
    return out;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("max_rate_table: the pessimistic end says how its own search ended") {
    const scenarios::Scenario scenario = with_condition();
    MaxRateReport report{scenario, 10, 0, 5, 0.95, 0.01, {}};
    report.answer = ending(SearchEnd::still_holds, {point_at(1, true), point_at(1.95, true)});
    report.most = 1.95;
    report.error_band = 0.15;
    const auto told = [&](SearchEnd end, const std::vector<ScalePoint>& points) {
        MaxRate slow = ending(end, points);
        if (end == SearchEnd::found) slow.broken_at = points.back().scale;
        if (end == SearchEnd::unjudged) slow.unjudged_at = points.back().scale;
        report.pessimistic = slow;
        return text_of(report);
    };
    CHECK(has(told(SearchEnd::never_holds, {point_at(0.1, false)}), "Pessimistic never holds if"));
    const std::string endless =
        told(SearchEnd::cannot_break, {point_at(1.7, true), point_at(1.8, true)});
    INFO(endless);
    CHECK_FALSE(has(endless, "never holds"));
    CHECK(has(endless, "Pessimistic holds 1.8 times today's traffic, 18.0 requests/s, if "));
    CHECK(has(endless, "nothing breaks up to 1.95 times (--most)"));
    CHECK(has(told(SearchEnd::still_holds, {point_at(1.95, true)}), "(the most that was tried)"));
    CHECK(has(told(SearchEnd::found, {point_at(1.7, true), point_at(1.71, false)}),
              "; at 1.71 times breaks latency.e2e_s.p99 < 2s: mean 3.00 s"));
    CHECK(has(told(SearchEnd::unjudged, {point_at(1.7, true), point_at(1.71, false, 2)}),
              "; beyond that not judged: at 1.71 times latency.e2e_s.p99 < 2s: there is no data in "
              "2 of 5 replications"));
}

TEST_CASE("max_rate_table: no data is no break, and a trace that shrinks is a reason for it") {
    const scenarios::Scenario scenario = with_condition();
    MaxRateReport report{scenario, 10, 0, 5, 0.95, 0.01, {}};
    report.answer = ending(SearchEnd::unjudged, {point_at(2, true), point_at(2.01, false, 5)});
    report.answer.unjudged_at = 2.01;
    report.trace_shrinks = true;
    const std::string text = text_of(report);
    INFO(text);
    CHECK(has(text, "Not judged beyond that: at 2.01 times"));
    CHECK(has(text, "do not shrink with the trace"));
    CHECK_FALSE(has(text, "Breaks first"));
    const nlohmann::ordered_json json = max_rate_json(report);
    CHECK(json["end"] == "unjudged");
    CHECK(json["unjudged_at"] == 2.01);
    CHECK(json["broken_at"].is_null());
    CHECK(json["points"][1]["expect"][0]["missing"] == 5);
    report.cut_is_fixed = true;
    CHECK_FALSE(has(text_of(report), "Take care"));
    report.answer.end = SearchEnd::still_holds;
    CHECK(has(text_of(report), "Take care measure_from does not shrink with the trace"));
}

TEST_CASE("max_rate_table: scales have as many digits as tell them apart, four at least") {
    const scenarios::Scenario scenario = with_condition();
    MaxRateReport report{scenario, 10, 0, 5, 0.95, 0.01, {}};
    report.answer = ending(SearchEnd::found, {point_at(1.08312, true), point_at(1.0932, false)});
    report.answer.broken_at = 1.0932;
    CHECK(has(text_of(report), "Holds 1.083 times"));
    report.answer = ending(SearchEnd::found, {point_at(1.08312, true), point_at(1.08321, false)});
    report.answer.broken_at = 1.08321;
    CHECK(has(text_of(report), "Holds 1.0831 times"));
    CHECK(has(text_of(report), "at 1.0832 times"));
}

}  // namespace headroom::analysis
