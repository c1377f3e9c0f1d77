#include "analysis/experiments/offered_load.hpp"

#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::analysis {
namespace {

/// A scenario of two services, a calling b, with these sources; `top` begins with a comma.
OfferedLoads loads_of(const std::string& sources, const std::string& top = "",
                      const scenarios::LoadOptions& options = {}) {
    const scenarios::TemporaryFolder folder;
    folder.write("t.csv",
                 "arrival_s,prompt_tokens,output_tokens\n0,10,5\n1,30,5\n2,20,5\n40,20,5\n");
    folder.write("s.json", R"({"services": {
        "a": {"simple": {"servers": 2}, "calls": ["b"]},
        "b": {"simple": {"servers": 2}}},
        "sources": {)" + sources +
                               "}" + (top.empty() ? R"(, "duration": "1h")" : top) + "}");
    return offered_loads(
        scenarios::good_scenario(scenarios::load_scenario(folder.path("s.json"), options)));
}

}  // namespace

TEST_CASE("offered_loads: a process is asked for its rate, calls carry it on") {
    const OfferedLoads loads =
        loads_of(R"("u": {"service": "a", "arrivals": {"process": "poisson", "rate": 5}})");
    REQUIRE(loads.services.size() == 2);
    for (const OfferedLoad& load : loads.services) {
        CHECK(load.mean_rate == Approx(5));
        CHECK(load.peak_rate == Approx(5));
        CHECK(load.gap_cv == 1);
    }
    CHECK(loads.services[1].called);
    CHECK(loads.open_rate == Approx(5));
    CHECK(loads.span_s == 3600);
}

TEST_CASE("offered_loads: the busiest window of a surge, and the mean over the whole run") {
    const OfferedLoads loads = loads_of(
        R"("u": {"service": "b", "arrivals": {"process": "steps", "steps": [
            {"at": "0s", "rate": 2}, {"at": "30m", "rate": 10}, {"at": "33m", "rate": 2}]}})");
    const OfferedLoad& load = loads.services[1];
    CHECK(load.mean_rate == Approx((57 * 2 + 3 * 10) / 60.0));
    CHECK(load.peak_rate == Approx(10));
    CHECK(load.peak_at_s == Approx(1800));
    CHECK(load.window_s == Approx(60));
    CHECK(loads.services[0].mean_rate == 0);
}

TEST_CASE("offered_loads: sources of a service add up, bursts by their share") {
    const OfferedLoads loads = loads_of(
        R"("u": {"service": "b", "arrivals": {"process": "gamma", "rate": 6, "cv": 3}},
           "v": {"service": "b", "arrivals": {"process": "constant", "rate": 2}},
           "w": {"service": "b", "arrivals": {"process": "poisson", "rate": 4}, "until": "30m"})");
    CHECK(loads.services[1].mean_rate == Approx(10));
    CHECK(loads.services[1].peak_rate == Approx(12).epsilon(2e-3));
    CHECK(loads.services[1].gap_cv == Approx(std::sqrt((6 * 9 + 0 + 2) / 10.0)).epsilon(1e-3));
    CHECK(loads.open_rate == Approx(12).epsilon(1e-3));
}

TEST_CASE("offered_loads: sources that never send together are not added up") {
    const std::string morning =
        R"("u": {"service": "a", "arrivals": {"process": "poisson", "rate": 6}, "until": "20m"})";
    const auto steps = [](const std::string& name, const std::string& all) {
        return ", \"" + name +
               R"(": {"service": "a", "arrivals": {"process": "steps", "steps": [)" + all + "]}}";
    };
    const std::string evening = steps(
        "v", R"({"at": "0s", "rate": 0}, {"at": "30m", "rate": 4}, {"at": "40m", "rate": 0})");
    CHECK(loads_of(morning).open_rate == Approx(6));
    CHECK(loads_of(morning + evening).open_rate == Approx(6));
    const std::string late = steps("w", R"({"at": "0s", "rate": 0}, {"at": "39m", "rate": 3})");
    CHECK(loads_of(morning + evening + late).open_rate == Approx(7));
    const std::string delayed =
        R"(, "x": {"service": "a", "trace": {"file": "t.csv", "delay": "15m"}})";
    CHECK(loads_of(morning + delayed).open_rate == Approx(6 + 4 / 40.0).epsilon(1e-3));
}

TEST_CASE("offered_loads: rate_scale scales processes, traces and users") {
    const scenarios::LoadOptions twice{.rate_scale = 2.0};
    const std::string poisson =
        R"("u": {"service": "a", "arrivals": {"process": "poisson", "rate": 5}})";
    CHECK(loads_of(poisson, "", twice).services[0].mean_rate == Approx(10));
    const std::string steps =
        R"("u": {"service": "a", "arrivals": {"process": "steps", "steps": [{"at": "0s", "rate": 3}]}})";
    CHECK(loads_of(steps, "", twice).services[0].mean_rate == Approx(6));
    const std::string users =
        R"("u": {"service": "a", "closed_loop": {"users": 7, "think_time": {"mean": "2s"}}})";
    const OfferedLoads loop = loads_of(users, "", {.rate_scale = 1.5});
    CHECK(loop.users == 11);
    CHECK(loop.services[1].users == 11);
    CHECK(loop.services[0].think_s == Approx(2));
    CHECK(loop.services[0].mean_rate == 0);
    const std::string trace = R"("u": {"service": "a", "trace": {"file": "t.csv"}})";
    CHECK(loads_of(trace, R"(, "drain": true)").open_rate == Approx(4 / 40.0).epsilon(1e-3));
    CHECK(loads_of(trace, R"(, "drain": true)", twice).open_rate == Approx(4 / 20.0).epsilon(1e-3));
}

TEST_CASE("offered_loads: a trace is read once, with its lengths") {
    const OfferedLoads loads =
        loads_of(R"("u": {"service": "b", "trace": {"file": "t.csv"}})", R"(, "drain": true)");
    const OfferedLoad& load = loads.services[1];
    CHECK(loads.span_s == 40);
    CHECK(load.mean_rate == Approx(4 / 40.0).epsilon(1e-3));
    CHECK(load.peak_rate == Approx(3 / 4.0).epsilon(1e-3));
    CHECK(load.lengths.mean_prompt() == Approx(20));
    CHECK(load.lengths.mean_output() == Approx(5));
}

TEST_CASE("offered_loads: sessions bring their turns, whose prompts grow") {
    const OfferedLoads loads = loads_of(
        R"("u": {"service": "b", "arrivals": {"process": "constant", "rate": 1},
                 "sessions": {"turns": {"distribution": "fixed", "mean": 3},
                              "think_time": {"distribution": "fixed", "mean": "1s"}},
                 "lengths": {"prompt": {"distribution": "fixed", "mean": 100},
                             "output": {"distribution": "fixed", "mean": 10}}})");
    CHECK(loads.services[1].mean_rate == Approx(3).epsilon(2e-3));
    // 100, 210 and 320 tokens.
    CHECK(loads.services[1].lengths.mean_prompt() == Approx(210).epsilon(0.01));
}

}  // namespace headroom::analysis
