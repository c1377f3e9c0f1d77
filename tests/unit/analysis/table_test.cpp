#include "analysis/report/table.hpp"

#include <nlohmann/json.hpp>

#include "analysis/report/decisions.hpp"
#include "analysis/report/step_chart.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/summary.hpp"
#include "analysis/results/summary_metrics.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"
#include "tests/unit/analysis/hand_made_run.hpp"

namespace headroom::analysis {
namespace {

std::string table_of(HandMadeRun run, const TextStyle& style = {}) {
    std::string error;
    bool in_condition = false;
    for (const char* condition : {"< 2", "< 1ms"}) {
        run.scenario.expectations.push_back(*scenarios::parse_expectation(
            "latency.ttft_s.p99", condition, {"chat", "reranker"}, error, in_condition));
    }
    nlohmann::ordered_json summary = build_summary(run.scenario, run.result);
    const auto expectations = check_expectations(run.scenario, run.result, summary);
    return render_table({run.scenario, run.result, summary, expectations}, style);
}

}  // namespace

TEST_CASE("Table: tells a run on one page") {
    CHECK("\n" + table_of(hand_made_run()) == R"(
by-hand  A chat service and its reranker.
1h simulated, measured from 10m; 2 services in 1 cell
seed 7, digest 00000000000000000000000000000abc

Requests    110 arrived: 100 completed, 6 rejected, 1 timed out, 3 in flight; 3 preemptions
Causes      6 gateway queue full at chat, 1 timeout at chat
Throughput  0.0333 requests/s, 16.7 prompt and 6.67 output tokens/s

Latency         p50      p90      p95      p99      max     mean
TTFT         499 ms   900 ms   951 ms   990 ms   1.00 s   505 ms
TPOT        20.0 ms  20.0 ms  20.0 ms  20.0 ms  20.0 ms  20.0 ms
ITL         20.0 ms  20.0 ms  20.0 ms  20.0 ms  20.0 ms  20.0 ms
end to end   5.89 s   9.93 s   10.4 s   10.8 s   10.9 s   5.95 s
queueing    49.0 ms  88.9 ms  94.2 ms  98.0 ms  99.0 ms  49.5 ms

Services  completed  not  TTFT p99  end to end p99  busy   SLO      cost
chat            100    7    990 ms          10.8 s  50 %  90 %  5.00 USD
reranker        100    0         -         5.00 ms  25 %     -         -

Replicas over 1h
  chat      ready  |::::::::::::::::@@@@@@@@@@@@@@@@@@======|
            wanted |:::::::::::::@@@@@@@@@@@@@@@@@@@@@======|
            1 to 4, mean 2.70, 2 at the end
            scaling 1 up, 1 down, 1 reversal (1.00/h), lag mean 300 s, max 300 s
  reranker  1 throughout

Use         1.67 GPU hours held; engines busy 50 % of the time, KV cache 25 % full on average
Cost        20.00 USD for nodes, 1,000.00 USD per million output tokens; 1.58 kWh
SLO         chat: 90 % of requests within TTFT 2.00 s, TPOT 100 ms
Cold starts 4 pods became ready, on average after 45.0 s: image pull 30.0 s, weights load 15.0 s

Decisions
  20m  hpa chat           1 -> 4   in flight 160 over target 40
  50m  hpa chat           4 -> 2   2 wanted; in flight 60 of 80
  20m  scheduler, chat-3  blocked  0/4 nodes are available

Expectations
  pass  latency.ttft_s.p99 < 2: found 0.98999
  FAIL  latency.ttft_s.p99 < 1ms: found 0.98999

Take care
  1 pod of reranker waits for a node at the end
  small model runs on an estimated profile: expect times to be off by up to 25 %
)");
}

TEST_CASE("Table: a run that is over before measure_from says so, and tells no cost of nothing") {
    HandMadeRun run = hand_made_run();
    run.scenario.spec.measure_from = run.result.end + Duration::hours(1);
    run.result.measure_from = run.result.end;
    const std::string text = table_of(std::move(run));
    CHECK(text.find("1h simulated, which ends before measure_from (2h): nothing was measured") !=
          std::string::npos);
    CHECK(text.find("\nCost") == std::string::npos);
    CHECK(text.find("\nUse") == std::string::npos);
    CHECK(text.find("\n\n\n") == std::string::npos);
}

TEST_CASE("Table: no line is longer than 100 columns") {
    HandMadeRun run = hand_made_run();
    run.result.control.decisions[1].reason =
        std::string(30, 'a') + " " + std::string(60, 'b') + " " + std::string(60, 'c');
    const std::string table = table_of(run, {.utf8 = true});
    std::size_t begin = 0;
    while (begin < table.size()) {
        const std::size_t end = table.find('\n', begin);
        const std::string line = table.substr(begin, end - begin);
        CAPTURE(line);
        CHECK(columns_of(line) <= 100);
        begin = end + 1;
    }
}

TEST_CASE("Table: says saturated instead of latencies that depend on how long one looks") {
    HandMadeRun run = hand_made_run();
    run.result.saturated = run.result.services[0].saturated = true;
    const std::string table = table_of(run);
    CHECK(contains(table, "TTFT        saturated  saturated"));
    CHECK(contains(table, "chat is saturated: its backlog grows"));
    CHECK_FALSE(contains(table, "500 ms"));
}

TEST_CASE("Table: colours only where asked for, and never the numbers") {
    CHECK_FALSE(contains(table_of(hand_made_run()), "\033"));
    const std::string table = table_of(hand_made_run(), {.colour = true});
    CHECK(contains(table, "\033[32mpass\033[0m"));
    CHECK(contains(table, "\033[1;31mFAIL\033[0m"));
}

TEST_CASE("Table: a short run without latencies, workloads or costs still has a report") {
    HandMadeRun run = hand_made_run();
    run.result.services.resize(1);
    run.scenario.spec.services.resize(1);
    run.scenario.spec.services[0].calls.clear();
    run.result.services[0].stats = run.result.total = {};
    run.result.control = {};
    run.result.cells = {{{0}}};
    run.scenario.profiles.clear();
    run.result.end = run.result.measure_from = Time::zero();
    CHECK(contains(table_of(run), "0 arrived: 0 completed"));
}

TEST_CASE(
    "Decisions: the largest come first, then the earliest, then blocked wishes; no bindings") {
    std::vector<control::Decision> decisions = hand_made_run().result.control.decisions;
    for (int i = 0; i < 10; ++i) {
        decisions.push_back(about_node({Time::zero() + Duration::minutes(55), "fault", "node-1",
                                        control::Decision::Outcome::changed, -1, 0, 0, "killed"}));
    }
    const std::string text = render_decisions(decisions, {});
    CHECK(text.rfind("Decisions, the 8 largest of 13\n", 0) == 0);
    const std::size_t up = text.find("1 -> 4");
    const std::size_t down = text.find("4 -> 2");
    CHECK(up < down);
    CHECK(down < text.find("killed"));
    CHECK(text.rfind("killed") < text.find("blocked"));  // which has a place of its own
    CHECK_FALSE(contains(text, "bound to"));
    CHECK_FALSE(contains(text, "within tolerance"));
    CHECK(render_decisions({}, {}).empty());
}

TEST_CASE("Decisions: say on what, unless the actor's name ends with it") {
    control::Decision decision;
    decision.subject = "a";
    decision.actor = "fault";  // which has that letter
    CHECK(decision_actor(decision) == "fault, a");
    decision.actor = "hpa a";
    CHECK(decision_actor(decision) == "hpa a");
    decision.actor = "hpa data";
    CHECK(decision_actor(decision) == "hpa data, a");
}

TEST_CASE("StepChart: each column shows the greatest value of its span") {
    metrics::TimeSeries series;
    const auto at = [](int s) { return Time::zero() + Duration::seconds(s); };
    series.append(at(0), 1);
    series.append(at(5), 8);
    series.append(at(6), 0);
    CHECK(step_chart(series, at(0), at(10), 8, 10, false) == ".....@    ");
    CHECK(step_chart(series, at(0), at(10), 8, 2, false) == ".@");
    CHECK(step_chart(series, at(0), at(10), 8, 5, true) == "▁▁█  ");
    CHECK(step_chart(series, at(0), at(0), 0, 3, true) == "   ");
}

TEST_CASE("Units: three significant digits and a unit that suits") {
    CHECK(significant(0) == "0");
    CHECK(significant(99.96) == "100");
    CHECK(significant(1234.5) == "1230");
    CHECK(significant(0.00123) == "0.00123");
    CHECK(significant(-2.5) == "-2.50");
    CHECK(duration_text(0) == "0 s");
    CHECK(duration_text(0.0452) == "45.2 ms");
    CHECK(duration_text(2.5e-6) == "2.50 us");
    CHECK(duration_text(2.5e-9) == "2.50 ns");
    CHECK(duration_text(215) == "215 s");
    CHECK(duration_text(1200) == "20.0 min");
    CHECK(duration_text(86400) == "24.0 h");
    CHECK(clock_text(932.4) == "15m32s");
    CHECK(clock_text(0) == "0s");
    CHECK(count_text(-1234567) == "-1,234,567");
    CHECK(count_text(12'345'678) == "12.3 M");
    CHECK(rate_text(16.84) == "16.8");
    CHECK(rate_text(1234.4) == "1,234");
    CHECK(rate_text(18'400) == "18.4 k");
    CHECK(money_text(1234.565, "USD") == "1,234.57 USD");
    CHECK(money_text(0.0123, "USD") == "0.0123 USD");
    CHECK(plural(1, "pod") == "1 pod");
    CHECK(plural(2, "pod") == "2 pods");
}

TEST_CASE("Units: all but all is not all") {
    CHECK(percent_text(1) == "100 %");
    CHECK(percent_text(0.99999) == "99.99 %");
    CHECK(percent_text(0.9614) == "96.1 %");
    CHECK(percent_text(0.0001) == "0.0100 %");
    CHECK(percent_text(0) == "0 %");
}

}  // namespace headroom::analysis
