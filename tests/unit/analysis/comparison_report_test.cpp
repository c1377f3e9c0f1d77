#include "analysis/report/comparison_report.hpp"

#include <nlohmann/json.hpp>

#include "analysis/report/metric_text.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/made_studies.hpp"

namespace headroom::analysis {
namespace {

/// A comparison of "today" with one that is slower and dearer and one that saturates.
class MadeComparison {
  public:
    MadeComparison() {
        today_.runs[0].decisions = {made_decision(10, "hpa chat", 2, 3, "load"),
                                    made_decision(200, "hpa chat", 3, 4, "load 160 over 40")};
        slow_.runs[0].decisions = {today_.runs[0].decisions[0],
                                   made_decision(90, "hpa chat", 3, 6, "load 240 over 40")};
        comparison_ = compare({"today", today_}, {{"slow|er", slow_}, {"full", full_}},
                              {.metrics = {"latency.e2e_s.p99", "slo.attainment", "requests.failed",
                                           "replicas.mean", "cost.total"}});
        report_.scenarios =
            std::vector<ComparedInput>{{"today", "today.json", "", "00aa", "USD", today_},
                                       {"slow|er", "today.json", "slow.json", "00bb", "USD", slow_},
                                       {"full", "full.json", "", "00cc", "USD", full_}};
    }
    MadeComparison(const MadeComparison&) = delete;
    MadeComparison& operator=(const MadeComparison&) = delete;
    [[nodiscard]] const ComparisonReport& report() const { return report_; }

  private:
    static Replicated study(const Column& latency, const Column& slo, const Column& replicas,
                            double cost, double saturated) {
        return made_study({{"cost.total", Column(4, cost)},
                           {"latency.e2e_s.p99", latency},
                           {"replicas.mean", replicas},
                           {"requests.failed", Column(4, 0.0)},
                           {"saturated", Column(4, saturated)},
                           {"slo.attainment", slo}});
    }
    Replicated today_ = study({2.1, 2.4, 2.2, 2.5}, {0.99, 0.98, 0.99, 0.98}, {3, 4, 3, 4}, 50, 0);
    Replicated slow_ =
        study({9.6, 9.9, 9.71, 10}, {0.41, 0.4, 0.41, 0.4002}, {4, 3, 3, 4}, 51.5, 0);
    Replicated full_ = study({200, 300, 100, 90}, {0.1, 0.2, 0.1, 0.1}, {3, 4, 3, 4}, 50, 1);
    Comparison comparison_;
    ComparisonReport report_{comparison_, {}, {}};
};

/// The sentence about two studies, of these metrics.
std::string sentence_of(const std::map<std::string, Column>& a,
                        const std::map<std::string, Column>& b,
                        const std::vector<std::string>& metrics) {
    const Replicated first = made_study(a);
    const Replicated second = made_study(b);
    const Comparison comparison =
        compare({"first", first}, {{"second", second}}, {.metrics = metrics});
    const ComparisonReport report{
        comparison,
        {{"first", "1.json", "", "", "USD", first}, {"second", "2.json", "", "", "USD", second}},
        {}};
    return comparison_sentence(report, 0);
}

}  // namespace

TEST_CASE("ComparisonReport: the table begins with the answer") {
    const MadeComparison made;
    CHECK("\n" + render_comparison(made.report(), {}) == R"(
slow|er: p99 latency 2.30 s -> 9.80 s (+7.50 s, 95 % between +7.49 s and +7.51 s), SLO attainment
  98.5 % -> 40.5 %, cost +3 %

Metric                 today    slow|er  difference       95 % interval
latency.e2e_s.p99     2.30 s     9.80 s     +7.50 s    +7.49 to +7.51 s  worse
slo.attainment        98.5 %     40.5 %    -58.0 pp   -58.0 to -58.0 pp  worse
replicas.mean           3.50       3.50           0      -1.30 to +1.30      -
cost.total         50.00 USD  51.50 USD   +1.50 USD  +1.50 to +1.50 USD  worse

Pairing: with draws of its own, each side would have needed about 10,564 replications for the
interval of the p99 latency (2640 times as many).

First decision that differs (replication 0): 1m30s, hpa chat
  today    at 3m20s, 3 -> 4, load 160 over 40
  slow|er  3 -> 6, load 240 over 40

full: p99 latency 2.30 s -> saturated, SLO attainment 98.5 % -> 12.5 %, the same cost

Metric                 today       full  difference      95 % interval
latency.e2e_s.p99     2.30 s  saturated           -                  -  worse
slo.attainment        98.5 %     12.5 %    -86.0 pp  -94.5 to -77.5 pp  worse
replicas.mean           3.50       3.50           0             0 to 0      -
cost.total         50.00 USD  50.00 USD           0             0 to 0      -

First decision that differs (replication 0): 10.0s, hpa chat
  today  2 -> 3, load
  full   nothing more

4 replications (seeds 7 to 10), paired; 95 % intervals by Student's t. better, worse, changed:
significant among all metrics compared, by Holm's procedure.
)");
}

TEST_CASE("ComparisonReport: Markdown, with names that hold its own marks") {
    const MadeComparison made;
    CHECK("\n" + comparison_markdown(made.report()) == R"(
**slow\|er**: p99 latency 2.30 s -> 9.80 s (+7.50 s, 95 % between +7.49 s and +7.51 s), SLO attainment 98.5 % -> 40.5 %, cost +3 %

| metric | today | slow\|er | difference |  | 95 % interval |  |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| latency.e2e\_s.p99 | 2.30 s | 9.80 s | +7.50 s | +326.2 % | +7.49 to +7.51 s | worse |
| slo.attainment | 98.5 % | 40.5 % | -58.0 pp | -58.9 % | -58.0 to -58.0 pp | worse |
| replicas.mean | 3.50 | 3.50 | 0 | 0 % | -1.30 to +1.30 | - |
| cost.total | 50.00 USD | 51.50 USD | +1.50 USD | +3 % | +1.50 to +1.50 USD | worse |

First decision that differs (replication 0): 1m30s, hpa chat

- today: at 3m20s, 3 -> 4, load 160 over 40
- slow\|er: 3 -> 6, load 240 over 40

**full**: p99 latency 2.30 s -> saturated, SLO attainment 98.5 % -> 12.5 %, the same cost

| metric | today | full | difference |  | 95 % interval |  |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| latency.e2e\_s.p99 | 2.30 s | saturated | - | - | - | worse |
| slo.attainment | 98.5 % | 12.5 % | -86.0 pp | -87.3 % | -94.5 to -77.5 pp | worse |
| replicas.mean | 3.50 | 3.50 | 0 | 0 % | 0 to 0 | - |
| cost.total | 50.00 USD | 50.00 USD | 0 | 0 % | 0 to 0 | - |

First decision that differs (replication 0): 10.0s, hpa chat

- today: 2 -> 3, load
- full: nothing more

4 replications (seeds 7 to 10), paired; 95 % intervals by Student's t. better, worse, changed: significant among all metrics compared, by Holm's procedure.
)");
}

TEST_CASE("ComparisonReport: JSON has every number, and words where there is none") {
    const MadeComparison made;
    const auto json = comparison_json(made.report());
    CHECK(json["replications"] == 4);
    CHECK(json["seeds"] == nlohmann::ordered_json({7, 8, 9, 10}));
    CHECK(json["confidence"] == 0.95);
    CHECK(json["base"]["name"] == "today");
    CHECK(json["alternatives"][0]["what_if"] == "slow.json");
    CHECK(json["alternatives"][1]["saturated_replications"] == 4);
    const auto& latency = json["alternatives"][0]["metrics"]["latency.e2e_s.p99"];
    CHECK(latency["a"].get<double>() == Approx(2.3));
    CHECK(latency["b"].get<double>() == Approx(9.8025));
    CHECK(latency["difference"].get<double>() == Approx(7.5025));
    CHECK(latency["low"].get<double>() < 7.5025);
    CHECK(latency["high"].get<double>() > 7.5025);
    CHECK(latency["significant"] == true);
    CHECK(latency["change"] == "worse");
    const auto& full = json["alternatives"][1]["metrics"]["latency.e2e_s.p99"];
    CHECK(full["b"] == "saturated");
    CHECK(full["difference"].is_null());
    CHECK(full["low"].is_null());
    CHECK(full["change"] == "worse");
    const auto& apart = json["alternatives"][0]["first_difference"];
    CHECK(apart["time_s"] == 90.0);
    CHECK(apart["a"]["after"] == 4);
    CHECK(apart["b"]["after"] == 6);
    CHECK(json["alternatives"][1]["first_difference"]["b"].is_null());
}

TEST_CASE("ComparisonReport: the answer is about what differs, not about 0 -> 0") {
    const Column none(3, 0.0);
    const Column same(3, 2.0);
    const std::string rejected = "rejected requests 4 -> 8 (+4.00, 95 % between +4.00 and +4.00)";
    CHECK(sentence_of({{"requests.failed", none}, {"requests.rejected", Column(3, 4.0)}},
                      {{"requests.failed", none}, {"requests.rejected", Column(3, 8.0)}},
                      {"requests.failed", "requests.rejected"}) == rejected);
    // Where the latency stands still, that is said, and then what does not.
    CHECK(sentence_of({{"latency.e2e_s.p99", same}, {"requests.rejected", Column(3, 4.0)}},
                      {{"latency.e2e_s.p99", same}, {"requests.rejected", Column(3, 8.0)}},
                      {"latency.e2e_s.p99", "requests.rejected"}) ==
          rejected + ", the same p99 latency");
    // What differs for sure goes before what may be chance.
    CHECK(sentence_of({{"replicas.mean", {1, 2, 3}}, {"requests.rejected", Column(3, 4.0)}},
                      {{"replicas.mean", {3, 2, 2}}, {"requests.rejected", Column(3, 8.0)}},
                      {"replicas.mean", "requests.rejected"}) == rejected);
    // Of means that are equal by chance the one that is not 0.
    CHECK(sentence_of({{"replicas.mean", {1, 2, 3}}, {"requests.failed", none}},
                      {{"replicas.mean", {3, 2, 1}}, {"requests.failed", none}},
                      {"requests.failed", "replicas.mean"}) ==
          "mean replicas 2 -> 2 (0, 95 % between -4.97 and +4.97, not significant)");
    CHECK(sentence_of({{"requests.failed", none}}, {{"requests.failed", none}},
                      {"requests.failed"}) ==
          "no difference, in any of 1 metric over 3 replications");
}

TEST_CASE("ComparisonReport: of one replication nothing is called significant or not") {
    const Replicated a = made_study({{"cost.total", {50}}, {"latency.e2e_s.p99", {2.0}}});
    const Replicated b = made_study({{"cost.total", {25}}, {"latency.e2e_s.p99", {3.0}}});
    const Comparison comparison =
        compare({"a", a}, {{"b", b}}, {.metrics = {"latency.e2e_s.p99", "cost.total"}});
    const ComparisonReport report{
        comparison, {{"a", "a.json", "", "", "USD", a}, {"b", "b.json", "", "", "USD", b}}, {}};
    CHECK(comparison_sentence(report, 0) ==
          "p99 latency 2.00 s -> 3.00 s (+1.00 s), cost -50 %; one replication cannot say how much "
          "of it is chance");
    CHECK(method_text(report) ==
          "1 replication (seed 7), paired; no interval and no verdict: those take at least 2 "
          "replications (--replications).");
    const auto metric = comparison_json(report)["alternatives"][0]["metrics"]["cost.total"];
    CHECK(metric["difference"] == -25.0);
    CHECK(metric["significant"].is_null());
    CHECK(metric["change"].is_null());
}

TEST_CASE("MetricText: names, values and differences in the metric's unit") {
    CHECK(metric_label("latency.ttft_s.p99") == "p99 TTFT");
    CHECK(metric_label("services.chat.latency.e2e_s.mean") == "mean latency of chat");
    CHECK(metric_label("kv_cache.swaps") == "kv_cache.swaps");
    CHECK(metric_text("latency.ttft_s.p99", 2.312, "USD") == "2.31 s");
    CHECK(metric_text("slo.attainment", 0.984, "USD") == "98.4 %");
    CHECK(metric_text("cost.total", 1234.5, "EUR") == "1,234.50 EUR");
    CHECK(metric_text("replicas.max", 8, "USD") == "8");
    CHECK(metric_text("replicas.mean", 2.944, "USD") == "2.94");
    CHECK(difference_text("latency.ttft_s.p99", -0.0123, "USD") == "-12.3 ms");
    CHECK(difference_text("slo.attainment", 0.057, "USD") == "+5.70 pp");
    CHECK(difference_text("cost.total", 0, "USD") == "0");
    CHECK(range_text("latency.ttft_s.p99", -0.5, 0.25, "USD") == "-500 to +250 ms");
    CHECK(range_text("latency.ttft_s.p99", -1.5, 0.25, "USD") == "-1.50 s to +250 ms");
    CHECK(relative_text(-0.031) == "-3.1 %");
    CHECK(relative_text(0) == "0 %");
}

}  // namespace headroom::analysis
