#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"
#include "tests/unit/scenarios/varied_scenario.hpp"

namespace headroom::scenarios {
namespace {

/// One service whose only source is `source`, of which a trace is t.csv; `top` begins with a comma.
LoadResult load_source(const std::string& source, const LoadOptions& options = {},
                       const std::string& top = "") {
    return load_text(R"({"duration": "1h", "services": {"web": {"simple": {}}},
        "sources": {"u": {"service": "web", )" +
                         source + "}}" + top + "}",
                     options,
                     {{"t.csv", "arrival_s,prompt_tokens,output_tokens\n1,10,5\n3,30,5\n"}});
}

Scenario good_source(const std::string& source, const LoadOptions& options = {},
                     const std::string& top = "") {
    return good_scenario(load_source(source, options, top));
}

double rate_of(const Scenario& scenario) {
    return scenario.loads.at(0).arrivals->expected_by(Time::zero() + Duration::hours(1)) / 3600;
}

const char* const kPoisson = R"("arrivals": {"process": "poisson", "rate": 5})";

}  // namespace

TEST_CASE("rate_scale: multiplies the rate of every kind of arrivals, and leaves its shape") {
    const LoadOptions triple{.rate_scale = 3.0};
    CHECK(good_source(kPoisson).rate_scale == 1);
    CHECK(rate_of(good_source(kPoisson)) == Approx(5));
    CHECK(rate_of(good_source(kPoisson, triple)) == Approx(15));
    for (const char* process :
         {R"("process": "constant", "rate": 2)", R"("process": "gamma", "rate": 2)",
          R"("process": "weibull", "rate": 2)", R"("process": "diurnal", "rate": 2)",
          R"("process": "flash-crowd", "rate": 2)",
          R"("process": "steps", "steps": [{"at": "0s", "rate": 1}, {"at": "30m", "rate": 4}])"}) {
        const std::string source = R"("arrivals": {)" + std::string(process) + "}";
        INFO(source);
        CHECK(rate_of(good_source(source, triple)) ==
              Approx(3 * rate_of(good_source(source))).epsilon(1e-3));
    }
    // A surge stays where it was.
    const std::string surge =
        R"("arrivals": {"process": "steps", "steps": [{"at": "0s", "rate": 1}, {"at": "30m", "rate": 4}]})";
    const auto by_half = [&](const LoadOptions& options) {
        return good_source(surge, options)
            .loads[0]
            .arrivals->expected_by(Time::zero() + Duration::minutes(30));
    };
    CHECK(by_half(triple) == Approx(3 * by_half({})));
}

TEST_CASE("rate_scale: a trace's times are divided, users of a closed loop multiplied") {
    const TemporaryFolder folder;
    folder.write("t.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n3,30,5\n");
    folder.write("s.json", R"({"drain": true, "services": {"web": {"simple": {}}}, "sources":
        {"u": {"service": "web", "trace": {"file": "t.csv", "rate_scale": 2}}}})");
    const auto second = [&](const LoadOptions& options) {
        const auto loaded = load_scenario(folder.path("s.json"), options);
        const auto source = loaded.scenario->spec.sources[0].make(1);
        (void)source->take();
        return (*source->peek()).to_seconds();
    };
    CHECK(second({}) == 1.5);
    CHECK(second({.rate_scale = 2.0}) == 0.75);
    const char* const loop = R"("closed_loop": {"users": 5})";
    CHECK(good_source(loop, {.rate_scale = 1.5}).loads[0].users == 8);
    CHECK(good_source(loop, {.rate_scale = 0.01}).loads[0].users == 1);
}

TEST_CASE("rate_scale: the option multiplies what the file says, and is part of its hash") {
    const Scenario both = good_source(kPoisson, {.rate_scale = 3.0}, R"(, "rate_scale": 2)");
    CHECK(both.rate_scale == 6);
    CHECK(rate_of(both) == Approx(30));
    CHECK(both.hash != good_source(kPoisson, {}, R"(, "rate_scale": 2)").hash);
    CHECK(both.hash == good_source(kPoisson, {}, R"(, "rate_scale": 6.0)").hash);
    CHECK(rate_of(good_source(kPoisson, {.sets = {"/rate_scale=4"}})) == Approx(20));
}

TEST_CASE("rate_scale: a trace of the command line is replayed unscaled all the same") {
    const TemporaryFolder folder;
    folder.write("t.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n3,30,5\n");
    folder.write("s.json",
                 R"({"duration": "1h", "rate_scale": 2, "services": {"web": {"simple": {}}},
        "sources": {"u": {"service": "web", "arrivals": {"process": "poisson", "rate": 1}}}})");
    const auto second = [&](LoadOptions options) {
        options.traces = {folder.path("t.csv")};
        const auto loaded = load_scenario(folder.path("s.json"), options);
        const auto source = loaded.scenario->spec.sources[0].make(1);
        (void)source->take();
        return (*source->peek()).to_seconds();
    };
    CHECK(second({}) == 3);
    CHECK(second({.rate_scale = 3.0}) == 1);
}

TEST_CASE("rate_scale: out of range is a mistake that names where it was said") {
    const LoadResult high = load_source(kPoisson, {.rate_scale = 1e300});
    REQUIRE(high.diagnostics.size() == 1);
    CHECK(high.diagnostics[0].text().find("found 1e+300") != std::string::npos);
    const LoadResult low = load_source(kPoisson, {.rate_scale = 1e-9});
    REQUIRE(low.diagnostics.size() == 1);
    CHECK(low.diagnostics[0].text().rfind("--rate-scale: /rate_scale: ", 0) == 0);
    const LoadResult trace =
        load_source(R"("trace": {"file": "t.csv", "rate_scale": 1e5})", {.rate_scale = 1e5});
    REQUIRE(trace.diagnostics.size() == 1);
    CHECK(trace.diagnostics[0].text().find("together with the trace's own") != std::string::npos);
}

}  // namespace headroom::scenarios
