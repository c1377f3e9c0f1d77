#include <algorithm>
#include <map>
#include <string>

#include "scenarios/expectation.hpp"
#include "scenarios/metric_paths.hpp"
#include "tests/catch.hpp"

namespace headroom::scenarios {
namespace {

const std::vector<std::string> kServices = {"chat", "reranker"};

Expectation expectation(const std::string& subject, const std::string& condition) {
    std::string error;
    bool in_condition = false;
    auto out = parse_expectation(subject, condition, kServices, error, in_condition);
    INFO(error);
    REQUIRE(out.has_value());
    return *out;
}

std::string refusal(const std::string& subject, const std::string& condition) {
    std::string error;
    bool in_condition = false;
    CHECK_FALSE(parse_expectation(subject, condition, kServices, error, in_condition));
    return error;
}

/// Replicas: 2 until 10 min, then 8.
class FakeMetrics final : public MetricSource {
  public:
    std::map<std::string, double, std::less<>> values;

    [[nodiscard]] std::optional<double> value(std::string_view path) const override {
        const auto it = values.find(path);
        return it == values.end() ? std::nullopt : std::optional(it->second);
    }
    [[nodiscard]] std::optional<double> value_at(std::string_view, Time t) const override {
        if (t > Time::zero() + Duration::hours(1)) return std::nullopt;
        return t < Time::zero() + Duration::minutes(10) ? 2 : 8;
    }
    [[nodiscard]] std::optional<Range> range(std::string_view series, Time from,
                                             Time to) const override {
        const auto low = value_at(series, from);
        const auto high = value_at(series, to);
        if (!low || !high) return std::nullopt;
        return Range{*low, *high};
    }
};

}  // namespace

TEST_CASE("Expectation: numbers, percentages and durations are bounds") {
    CHECK(expectation("latency.ttft_s.p99", "< 2").bound == 2);
    CHECK(expectation("latency.ttft_s.p99", "<1.5").comparison == Comparison::less);
    CHECK(expectation("slo.attainment", ">= 95%").bound == Approx(0.95));
    CHECK(expectation("latency.e2e_s.max", "<= 1m30s").bound == 90);
    CHECK(expectation("latency.tpot_s.p50", "!= 250ms").bound == 0.25);
    CHECK(expectation("requests.failed", "  ==   0 ").comparison == Comparison::equal);
    CHECK(expectation("cost.total", "> 1e3").bound == 1000);
    CHECK(expectation("services.chat.requests.failed", "== 0").metric ==
          "services.chat.requests.failed");
    CHECK(expectation("latency.ttft_s.p99", "< 2").text == "latency.ttft_s.p99 < 2");
}

TEST_CASE("Expectation: a series is looked at in a moment or over a span") {
    const Expectation at = expectation("replicas at 10m", "== 8");
    CHECK(at.when == Expectation::When::at);
    CHECK(at.from == Time::zero() + Duration::minutes(10));
    const Expectation during = expectation("services.chat.replicas during 5m..1h30m", "<= 12");
    CHECK(during.when == Expectation::When::during);
    CHECK(during.to == Time::zero() + Duration::minutes(90));
}

TEST_CASE("Expectation: mistakes name what was expected and the nearest metric") {
    CHECK(refusal("latency.ttf_s.p99", "< 2").find("did you mean \"latency.ttft_s.p99\"") !=
          std::string::npos);
    CHECK(refusal("services.chatt.requests.failed", "== 0")
              .find("did you mean \"services.chat.requests.failed\"") != std::string::npos);
    CHECK(refusal("replicas", "== 0").find("replicas.max") != std::string::npos);
    CHECK(refusal("replicas.max at 5m", "== 0").find("leave out the time") != std::string::npos);
    CHECK(refusal("replica at 5m", "== 0").find("did you mean \"replicas\"") != std::string::npos);
    CHECK(refusal("replicas at 5", "== 0").find("expected a duration") != std::string::npos);
    CHECK(refusal("replicas during 5m", "== 0").find("5m..20m") != std::string::npos);
    CHECK(refusal("replicas during 20m..5m", "== 0").find("ends after it begins") !=
          std::string::npos);
    CHECK(refusal("replicas during 5m..20m", "!= 0").find("over a span") != std::string::npos);
    CHECK(refusal("replicas in 5m", "== 0").find("expected \"metric\"") != std::string::npos);
    CHECK(refusal("requests.failed", "= 0").find("did you mean \"== 0\"") != std::string::npos);
    for (const char* bad : {"", "0", "<", "< two", "< 2 3", "=< 2", "< 5 %", "< nan", "< inf"}) {
        INFO(bad);
        CHECK(refusal("requests.failed", bad).find("expected a condition") == 0);
    }
}

TEST_CASE("Expectation: a bound that is not of the metric's unit is refused") {
    const auto refused = [](const char* metric, const char* condition, const std::string& value) {
        INFO(metric << " " << condition);
        CHECK(refusal(metric, condition) == "expected " + value + ", found \"" + condition + "\"");
    };
    const std::string share = "a share from 0 to 1, or such as \"95%\"";
    for (const char* metric : {"slo.attainment", "services.chat.gpu.busy_fraction",
                               "gpu.kv_fraction", "kv_cache.prefix_hit_rate"}) {
        for (const char* bad : {"> 95", "<= 101%", ">= -0.1", "< 90ms"}) {
            refused(metric, bad, share);
        }
        CHECK(expectation(metric, "<= 100%").bound == 1);
        CHECK(expectation(metric, ">= 0").bound == 0);
    }
    for (const char* metric : {"latency.ttft_s.p99", "scale_events.capacity_lag_s.max",
                               "services.chat.pods.start_s.pending", "simulated_s"}) {
        refused(metric, "< 5%", "a number of seconds or a duration such as \"250ms\"");
        CHECK(expectation(metric, "< 250ms").bound == 0.25);
    }
    for (const char* metric : {"requests.failed", "cost.total", "replicas at 10m",
                               "services.chat.throughput.requests_per_s"}) {
        for (const char* bad : {"< 1%", "< 2s"}) refused(metric, bad, "a number without a unit");
    }
    CHECK(refusal("requests.failed", "=< 2").find("did you mean \"<= 2\"") != std::string::npos);
    CHECK(refusal("requests.failed", "=>2").find("did you mean \">=2\"") != std::string::npos);
}

TEST_CASE("Expectation: holds or fails with the number that was found") {
    FakeMetrics source;
    source.values = {{"latency.ttft_s.p99", 2.3125}, {"slo.attainment", 0.95}};
    const auto run = [&](const std::string& subject, const std::string& condition) {
        return evaluate(expectation(subject, condition), source);
    };
    CHECK(run("slo.attainment", ">= 95%").held);
    CHECK_FALSE(run("slo.attainment", "> 95%").held);
    CHECK(run("latency.ttft_s.p99", "!= 2").held);
    const ExpectationResult late = run("latency.ttft_s.p99", "< 2");
    CHECK_FALSE(late.held);
    CHECK(late.message == "latency.ttft_s.p99 < 2: found 2.3125");
    CHECK(run("replicas at 10m", "== 8").held);
    CHECK(run("replicas at 599s", "== 2").held);
    CHECK(run("replicas during 5m..20m", "<= 8").held);
    CHECK_FALSE(run("replicas during 5m..20m", "< 8").held);
    CHECK(run("replicas during 5m..20m", ">= 2").held);
    const ExpectationResult low = run("replicas during 5m..20m", "> 2");
    CHECK_FALSE(low.held);
    CHECK(*low.found == 2);
    CHECK_FALSE(run("replicas during 5m..20m", "== 8").held);
    CHECK_FALSE(run("replicas during 5m..20m", "== 2").held);
    CHECK(run("replicas during 11m..20m", "== 8").held);
}

TEST_CASE("Expectation: no data is a failure, not a success") {
    const FakeMetrics source;
    for (const char* condition : {"< 2", ">= 0", "!= 1"}) {
        const auto result = evaluate(expectation("latency.ttft_s.p99", condition), source);
        CHECK_FALSE(result.held);
        CHECK(result.message.find("there is no data") != std::string::npos);
    }
    CHECK_FALSE(evaluate(expectation("replicas at 2h", ">= 0"), source).held);
    CHECK_FALSE(evaluate(expectation("replicas during 5m..2h", ">= 0"), source).held);
}

TEST_CASE("MetricPaths: every path of a service stands at the top level too, sorted and once") {
    const std::vector<std::string> all = summary_metric_paths(kServices);
    CHECK(std::is_sorted(all.begin(), all.end()));
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
    for (const std::string& path : service_metric_paths()) {
        CHECK(std::binary_search(all.begin(), all.end(), path));
        CHECK(std::binary_search(all.begin(), all.end(), "services.reranker." + path));
    }
    CHECK(all.size() == run_metric_paths().size() + 3 * service_metric_paths().size());
}

}  // namespace headroom::scenarios
