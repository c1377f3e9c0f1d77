#include "analysis/experiments/replications.hpp"

#include <set>
#include <stdexcept>

#include "scenarios/metric_paths.hpp"
#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom::analysis {
namespace {

/// A queue under Poisson load that loses its pod half-way: cheap, random, and with decisions.
scenarios::Scenario small_queue(double rate = 30) {
    scenarios::Scenario scenario;
    scenario.name = "small";
    scenario.spec.seed = 5;
    scenario.spec.end = Time::zero() + Duration::seconds(60);
    scenario.spec.services.push_back(
        tests::simple_service("web.front", 8, Distribution::exponential(0.1)));
    scenario.spec.sources.push_back(tests::poisson_source(0, rate));
    tests::add_workload(scenario.spec, 0, 1);
    control::FaultSpec fault;
    fault.at = Time::zero() + Duration::seconds(30);
    fault.target = "web.front";
    scenario.spec.control.faults.push_back(fault);
    std::string error;
    bool in_condition = false;
    scenario.expectations.push_back(*scenarios::parse_expectation(
        "latency.e2e_s.mean", "< 0.2", {"web.front"}, error, in_condition));
    return scenario;
}

/// One request, after which the source turns out bad under seeds of `from` and later.
serving::SourceSpec bad_source(std::uint64_t from) {
    class Bad final : public serving::RequestSource {
      public:
        explicit Bad(std::string error) : error_(std::move(error)) {}
        OptionalTime peek() override {
            if (taken_) return std::nullopt;
            return Time::zero() + Duration::seconds(1);
        }
        serving::Arrival take() override {
            taken_ = true;
            serving::Arrival arrival;
            arrival.time = Time::zero() + Duration::seconds(1);
            return arrival;
        }
        [[nodiscard]] const std::string& error() const override {
            return taken_ ? error_ : RequestSource::error();
        }

      private:
        std::string error_;
        bool taken_ = false;
    };
    return {"bad", 0, [from](std::uint64_t seed) {
                return std::make_unique<Bad>(
                    seed < from ? "" : "trace.csv: bad under seed " + std::to_string(seed));
            }};
}

void check_equal(const Replicated& a, const Replicated& b) {
    CHECK(a.status == b.status);
    CHECK(a.error == b.error);
    CHECK(a.metrics == b.metrics);
    REQUIRE(a.runs.size() == b.runs.size());
    for (std::size_t i = 0; i < a.runs.size(); ++i) {
        CHECK(a.runs[i].seed == b.runs[i].seed);
        CHECK(a.runs[i].digest == b.runs[i].digest);
        CHECK(a.runs[i].saturated == b.runs[i].saturated);
        CHECK(a.runs[i].values == b.runs[i].values);  // bit for bit: no value is NaN
        CHECK(a.runs[i].decisions.size() == b.runs[i].decisions.size());
        REQUIRE(a.runs[i].expectations.size() == 1);
        CHECK(a.runs[i].expectations[0].message == b.runs[i].expectations[0].message);
    }
}

}  // namespace

TEST_CASE("Replications: equal bit for bit with one, two and four threads, and in parts") {
    const scenarios::Scenario scenario = small_queue();
    const Replicated one = replicate(scenario, {.count = 6, .threads = 1, .decisions_of = 3});
    REQUIRE(one.status == RunStatus::finished);
    REQUIRE(one.runs.size() == 6);
    for (const int threads : {2, 4}) {
        check_equal(one, replicate(scenario, {.count = 6, .threads = threads, .decisions_of = 3}));
    }
    Replicated parts;
    append(parts, replicate(scenario, {.count = 2, .decisions_of = 3}));
    append(parts, replicate(scenario, {.first = 2, .count = 4, .threads = 2, .decisions_of = 3}));
    check_equal(one, parts);
}

TEST_CASE("Replications: replication i is the run of seed + i") {
    const scenarios::Scenario scenario = small_queue();
    const Replicated study = replicate(scenario, {.count = 3});
    std::set<std::string> digests;
    for (std::size_t i = 0; i < 3; ++i) {
        scenarios::Scenario seeded = scenario;
        seeded.spec.seed = 5 + i;
        CHECK(study.runs[i].seed == 5 + i);
        CHECK(study.runs[i].digest == Simulation(seeded.spec).run({}).digest.hex());
        CHECK(study.values("seed")[i] == Approx(static_cast<double>(5 + i)));
        CHECK(study.runs[i].decisions.empty());
        digests.insert(study.runs[i].digest);
    }
    CHECK(digests.size() == 3);
}

TEST_CASE("Replications: metrics are those of the summary, by sorted name, of services as well") {
    const Replicated study = replicate(small_queue(), {.count = 2});
    CHECK(study.metrics == scenarios::summary_metric_paths({"web.front"}));
    CHECK(study.values("requests.arrived").size() == 2);
    CHECK(study.values("requests.arrived") == study.values("services.web.front.requests.arrived"));
    CHECK(study.values("latency.ttft_s.p99").empty());  // not an LLM: nothing was measured
    CHECK(study.values("no.such.metric").empty());
    CHECK(!study.saturated());
}

TEST_CASE("Replications: several scenarios share a pool and their draws") {
    const scenarios::Scenario a = small_queue();
    scenarios::Scenario b = small_queue();
    b.spec.services[0].versions[0].engine.simple->servers = 9;
    scenarios::Scenario c = small_queue(240);
    c.spec.control.faults.clear();  // a kill empties the queue
    const auto all = replicate_all({&a, &b, &c}, {.count = 3, .threads = 2, .decisions_of = 0});
    REQUIRE(all.size() == 3);
    CHECK(all[0].values("requests.arrived") == all[1].values("requests.arrived"));
    CHECK(all[0].values("latency.e2e_s.mean") != all[1].values("latency.e2e_s.mean"));
    CHECK(!all[0].runs[0].decisions.empty());
    CHECK(all[0].runs[1].decisions.empty());
    CHECK(all[2].saturated());
    CHECK(all[0].runs[0].expectations[0].held);
    CHECK(!all[2].runs[0].expectations[0].held);
}

TEST_CASE("Replications: bad input ends those of its scenario with the lowest index's error") {
    const scenarios::Scenario good = small_queue();
    scenarios::Scenario bad = small_queue();
    bad.spec.sources.push_back(bad_source(7));
    for (const int threads : {1, 4}) {
        const auto all = replicate_all({&bad, &good}, {.count = 8, .threads = threads});
        CHECK(all[0].status == RunStatus::bad_input);
        CHECK(all[0].error == "trace.csv: bad under seed 7");
        CHECK(all[0].runs.empty());
        CHECK(all[1].status == RunStatus::finished);
        CHECK(all[1].runs.size() == 8);
    }
    Replicated study = replicate(bad, {.count = 2});
    CHECK(study.status == RunStatus::finished);
    append(study, replicate(bad, {.first = 2, .count = 1}));
    CHECK(study.status == RunStatus::bad_input);
    CHECK(study.runs.empty());
}

TEST_CASE("Replications: a raised stop ends the study as interrupted") {
    const scenarios::Scenario scenario = small_queue();
    std::atomic<bool> stop{false};
    ReplicationOptions options{.count = 20, .threads = 2, .stop = &stop};
    int last = 0;
    options.progress = [&](int finished) {
        CHECK(finished == last + 1);
        last = finished;
        if (finished == 3) stop = true;
    };
    const Replicated study = replicate(scenario, options);
    CHECK(study.status == RunStatus::interrupted);
    CHECK(study.runs.empty());
    CHECK(last < 20);
}

}  // namespace headroom::analysis
