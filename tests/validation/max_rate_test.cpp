// The highest rate scale against what theory says of it.

#include <fmt/format.h>

#include <cmath>

#include "analysis/experiments/bound.hpp"
#include "analysis/experiments/max_rate.hpp"
#include "analysis/statistics/queueing.hpp"
#include "scenarios/catalogue/catalogue.hpp"
#include "tests/catch.hpp"
#include "tests/scale.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

/// The search on a scenario that is written into a folder of its own.
class Searched {
  public:
    Searched(const std::string& text, const RateStudyOptions& options, const SearchGoal& goal) {
        folder_.write("s.json", text);
        scenarios::Diagnostics diagnostics;
        auto catalogue =
            scenarios::Catalogue::load(scenarios::Catalogue::default_directory(), diagnostics);
        REQUIRE(catalogue.has_value());
        load_.catalogue = std::make_shared<const scenarios::Catalogue>(std::move(*catalogue));
        const RateStudy study(
            [this](double scale) {
                scenarios::LoadOptions scaled = load_;
                scaled.rate_scale = scale;
                return scenarios::load_scenario(folder_.path("s.json"), scaled);
            },
            options);
        answer = search_max_rate([&](double scale) { return study.measure(scale); }, goal);
        INFO(study.error());
        REQUIRE(answer.end == SearchEnd::found);
    }
    [[nodiscard]] Bound bound() const {
        return make_bound(*scenarios::load_scenario(folder_.path("s.json"), load_).scenario);
    }
    MaxRate answer;

  private:
    scenarios::TemporaryFolder folder_;
    scenarios::LoadOptions load_;
};

}  // namespace

TEST_CASE("max_rate: within 1 % of the rate at which M/M/c's mean wait reaches the limit") {
    // Ten servers of 1 s. Their mean wait at 8.5 requests/s is the limit; today there are 5/s.
    const ServerQueue full{.rate = 8.5, .servers = 10, .service_s = 1};
    const std::int64_t seconds = headroom::tests::scaled(60'000, 20'000);
    const Searched searched(R"({"measure_from": "500s", "duration": ")" + std::to_string(seconds) +
                                R"(s",
            "services": {"web": {"simple": {"servers": 10,
                "service_time": {"distribution": "exponential", "mean": "1s"}}}},
            "sources": {"u": {"service": "web",
                "arrivals": {"process": "poisson", "rate": 5}}},
            "expect": {"latency.queue_s.mean": "< )" +
                                fmt::format("{}", full.mean_wait_s()) + R"("}})",
                            {}, {.precision = 0.002, .most = 4, .probe = false});
    const double rate = 5 * searched.answer.scale;
    INFO("found " << rate << " requests/s");
    // Shorter runs have wider confidence limits, which the answer stays below.
    const double allowed = 0.01 * std::sqrt(60'000.0 / static_cast<double>(seconds));
    CHECK(rate < 8.5 * (1 + allowed));
    CHECK(rate > 8.5 * (1 - allowed));
}

TEST_CASE("max_rate: an LLM service holds more with more GPUs, up to the fluid limit") {
    double before = 0;
    for (const int replicas : {1, 2, 4}) {
        const Searched searched(
            R"({"duration": "10m", "measure_from": "1m",
                "services": {"chat": {
                    "engine": {"num_gpu_blocks": 20001,
                        "profile": {"kind": "linear", "c0": "8ms", "c1": "40us", "c2": "50us",
                                    "c3": "20ns"}},
                    "replicas": )" +
                std::to_string(replicas) + R"(}},
                "sources": {"u": {"service": "chat",
                    "arrivals": {"process": "poisson", "rate": 5},
                    "lengths": {
                        "prompt": {"distribution": "lognormal", "mean": 500, "cv": 1},
                        "output": {"distribution": "lognormal", "mean": 100, "cv": 0.7}}}},
                "expect": {"latency.ttft_s.p99": "< 1s"}})",
            {.replications = 3}, {.precision = 0.02, .probe = false});
        const double rate = 5 * searched.answer.scale;
        const double fluid =
            searched.bound().versions.front().capacity_rps * static_cast<double>(replicas);
        INFO(replicas << " replicas: " << rate << " requests/s, fluid limit " << fluid);
        CHECK(rate > 1.8 * before);
        CHECK(rate < 1.05 * fluid);
        CHECK(rate > 0.6 * fluid);
        before = rate;
    }
}

}  // namespace headroom::analysis
