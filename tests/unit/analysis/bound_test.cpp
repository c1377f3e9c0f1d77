#include "analysis/experiments/bound.hpp"

#include <cmath>

#include "tests/catch.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::analysis {
namespace {

scenarios::Scenario load_good(const std::string& text) {
    return scenarios::good_scenario(scenarios::load_text(text));
}

/// A simple service: `service` beside its engine, `simple` within it, `top` beside the services.
scenarios::Scenario poisson_queue(const std::string& simple, const std::string& service = "",
                                  const std::string& top = "") {
    return load_good(R"({"duration": "1h", "services": {"web": {"simple": {)" + simple + "}" +
                     service +
                     R"(}}, "sources": {"u": {"service": "web",
                   "arrivals": {"process": "poisson", "rate": 30}}})" +
                     top + "}");
}

const char* const kTwoServers =
    R"("servers": 2, "service_time": {"distribution": "exponential", "mean": "100ms"})";

}  // namespace

TEST_CASE("make_bound: a service of servers, its load, what it holds and what it needs") {
    const Bound bound = make_bound(poisson_queue(kTwoServers, R"(, "replicas": 2)"));
    REQUIRE(bound.versions.size() == 1);
    const VersionBound& web = bound.versions[0];
    CHECK(web.name == "web");
    CHECK(web.capacity_rps == Approx(20));
    REQUIRE(web.at.size() == 1);
    CHECK(web.at[0].utilisation == Approx(0.75));
    CHECK(web.at[0].headroom == Approx(40.0 / 30));
    CHECK(*web.for_mean == 2);
    CHECK(*web.for_peak == 2);
    REQUIRE(web.simple.has_value());
    CHECK(web.simple->queue.servers == 4);
    CHECK(web.simple->mean_wait_s == Approx(erlang_c(4, 3) * 0.1));
    CHECK(web.simple->formula == "M/M/c");
    CHECK_FALSE(web.target.has_value());
}

TEST_CASE("make_bound: a rate that exactly fills replicas needs one more") {
    const Bound bound = make_bound(poisson_queue(
        R"("servers": 1, "service_time": {"distribution": "fixed", "mean": "100ms"})"));
    CHECK(*bound.versions[0].for_mean == 4);
    CHECK(std::isinf(bound.versions[0].simple->mean_wait_s));
}

TEST_CASE("make_bound: what is expected, else the SLO, says how many replicas it takes") {
    const Bound slo = make_bound(poisson_queue(kTwoServers, R"(, "slo": {"e2e": "400ms"})"));
    REQUIRE(slo.versions[0].target.has_value());
    CHECK(slo.versions[0].target->quantile == 0.99);
    // p99 of the service time alone is 0.46 s: no number of servers does it.
    CHECK_FALSE(slo.versions[0].for_target.has_value());
    const Bound fine = make_bound(poisson_queue(kTwoServers, R"(, "slo": {"e2e": "500ms"})"));
    REQUIRE(fine.versions[0].for_target.has_value());
    const std::int64_t n = *fine.versions[0].for_target;
    const Distribution service = Distribution::exponential(0.1);
    const auto within = [&](std::int64_t replicas) {
        return ServerQueue{.rate = 30, .servers = 2 * replicas, .service_s = 0.1}.responds_within(
            0.5, service);
    };
    CHECK(within(n) >= 0.99);
    CHECK(within(n - 1) < 0.99);
    const Bound wait =
        make_bound(poisson_queue(kTwoServers, "", R"(, "expect": {"requests.failed": "== 0",
                                        "services.web.latency.queue_s.mean": "< 20ms"})"));
    REQUIRE(wait.versions[0].target.has_value());
    CHECK(wait.versions[0].target->kind == Target::Kind::mean_wait);
    CHECK(*wait.versions[0].for_target == 3);
}

TEST_CASE("make_bound: a limited queue turns away by Erlang B or M/M/c/K") {
    const Bound loss = make_bound(
        poisson_queue(std::string(kTwoServers) + R"(, "queue_limit": 0)", R"(, "replicas": 2)"));
    CHECK(loss.versions[0].simple->blocked == Approx(erlang_b(4, 3)));
    CHECK(loss.versions[0].simple->formula == "Erlang B");
    const Bound room =
        make_bound(poisson_queue(std::string(kTwoServers) + R"(, "queue_limit": 3)"));
    CHECK(room.versions[0].simple->waiting_room == 3);
    CHECK(room.versions[0].simple->formula == "M/M/c/K");
}

TEST_CASE("make_bound: a limited queue says where its formula is an approximation") {
    const auto simple = [](const std::string& servers, const std::string& limit) {
        return *make_bound(poisson_queue(R"("servers": )" + servers +
                                         R"(, "service_time": {"distribution": "fixed",
                                         "mean": "30ms"}, "queue_limit": )" +
                                         limit))
                    .versions[0]
                    .simple;
    };
    // M/D/1/4 at 30/s of 30 ms, load 0.9: 9.136 % are turned away.
    CHECK(simple("1", "3").exact);
    CHECK(simple("1", "3").formula == "M/G/1/K");
    CHECK(simple("1", "3").blocked == Approx(0.09136).epsilon(1e-4));
    CHECK_FALSE(simple("2", "3").exact);
    CHECK(simple("2", "3").formula.find("an approximation") != std::string::npos);
    // Without room service times do not matter.
    CHECK(simple("2", "0").exact);
    CHECK(simple("2", "0").formula == "Erlang B");
    CHECK(std::isinf(simple("2", "0").response_p99_s));
}

TEST_CASE("make_bound: what replicas with limited queues reach of a target") {
    const auto needed = [](const std::string& simple, const std::string& service,
                           const std::string& top) {
        return make_bound(poisson_queue(simple, service, top)).versions[0];
    };
    const std::string six = R"("servers": 4, "service_time": {"distribution": "exponential",
                             "mean": "100ms"}, "queue_limit": 6)";
    // M/M/4/10 at 3 erlangs: Erlang B 0.2061 at 4 servers, so P(busy, nobody waits) is in
    // proportion 1 to 4.852 up to there; r = 0.75, 6 places: lengths sum to 6.653, shares to
    // 4.852 + 2.466 = 7.318, blocked 0.178 / 7.318 = 2.43 %, wait 0.909 / (30 * 0.976) = 31.1 ms.
    // Any number waiting: C(4, 3) * 0.1 = 50.9 ms.
    const auto mean = [&](const std::string& room, const std::string& limit) {
        return *needed(six.substr(0, six.size() - 1) + room, "",
                       R"(, "expect": {"services.web.latency.queue_s.mean": "< )" + limit + R"("})")
                    .for_target;
    };
    CHECK(mean("6", "32ms") == 1);
    CHECK(mean("6", "31ms") == 2);
    CHECK(mean("600", "32ms") == 2);
    // All that are let in are within a minute, but 2.43 % are not let in.
    const auto attained = [&](const std::string& share) {
        return *needed(six, R"(, "slo": {"e2e": "1m"})",
                       R"(, "expect": {"slo.attainment": ">= )" + share + R"("})")
                    .for_target;
    };
    CHECK(attained("0.975") == 1);
    CHECK(attained("0.977") == 2);
    CHECK(*needed(six, R"(, "slo": {"e2e": "1m"})", "").for_target == 2);
    // Of the answered, all are in time.
    CHECK(*needed(six, "", R"(, "expect": {"latency.e2e_s.p99": "< 1m"})").for_target == 1);
    // No formula for quantiles of other service times: nothing is said.
    CHECK_FALSE(needed(R"("servers": 4, "service_time": {"distribution": "fixed",
                       "mean": "100ms"}, "queue_limit": 6)",
                       R"(, "slo": {"e2e": "1m"})", "")
                    .target.has_value());
}

TEST_CASE("make_bound: an autoscaled service at its least and at its most replicas") {
    const Bound bound = make_bound(poisson_queue(
        kTwoServers,
        R"(, "autoscaling": {"policy": "hpa", "min_replicas": 1, "max_replicas": 5})"));
    const VersionBound& web = bound.versions[0];
    CHECK(web.autoscaler == "hpa");
    REQUIRE(web.at.size() == 2);
    CHECK(web.at[0].utilisation == Approx(1.5));
    CHECK(web.at[0].headroom < 1);
    CHECK(web.at[1].replicas == 5);
    CHECK(web.at[1].utilisation == Approx(0.3));
}

TEST_CASE("make_bound: versions share the traffic by weight; speeds of replicas count") {
    const Bound bound = make_bound(load_good(R"({"duration": "1h",
        "services": {"web": {"speed_by_rank": [1, 0.5], "replicas": 2, "versions": {
            "old": {"weight": 90, "simple": {"servers": 1}},
            "new": {"weight": 10, "simple": {"servers": 4}}}}},
        "sources": {"u": {"service": "web", "arrivals": {"process": "poisson", "rate": 20}}}})"));
    REQUIRE(bound.versions.size() == 2);
    CHECK(bound.versions[0].name == "web/new");
    CHECK(bound.versions[0].load.mean_rate == Approx(2));
    CHECK(bound.versions[1].load.mean_rate == Approx(18));
    CHECK(bound.versions[1].capacity_rps == Approx(7.5));
}

TEST_CASE("make_bound: a closed loop asks for what its users can") {
    const Bound bound = make_bound(load_good(R"({"duration": "1h",
        "services": {"web": {"simple": {"servers": 2, "service_time": {"distribution": "fixed", "mean": "100ms"}}}},
        "sources": {"u": {"service": "web", "closed_loop": {"users": 11, "think_time": {"mean": "1s"}}}}})"));
    const VersionBound& web = bound.versions[0];
    REQUIRE(web.closed.has_value());
    CHECK(web.closed->rate == Approx(10));
    CHECK(web.closed->knee == Approx(22));
    CHECK(web.load.mean_rate == Approx(10));
    CHECK_FALSE(web.for_mean.has_value());
}

TEST_CASE("make_bound: GPUs of the pools against what the most replicas need") {
    const Bound bound = make_bound(load_good(R"({"duration": "1h", "services": {"chat": {
          "engine": {"profile": {"model": "llama-3.1-8b", "gpu": "h100-sxm"}},
          "slo": {"tpot": "30ms"},
          "autoscaling": {"policy": "hpa", "min_replicas": 2, "max_replicas": 12}}},
        "sources": {"u": {"service": "chat", "arrivals": {"process": "poisson", "rate": 5},
                          "lengths": {"preset": "azure-2023-conversation"}}},
        "node_pools": {"gpu": {"instance_type": "p5.4xlarge", "count": 8}}})"));
    const VersionBound& chat = bound.versions[0];
    CHECK(bound.gpus.held == 8);
    CHECK(bound.gpus.needed == 12);
    REQUIRE(chat.llm.has_value());
    CHECK(chat.capacity_rps > 5);
    CHECK(chat.tpot_capacity_rps > 0);
    CHECK(chat.tpot_capacity_rps <= chat.capacity_rps);
    CHECK(chat.llm->now.iteration_s < chat.llm->most.iteration_s);
}

}  // namespace headroom::analysis
