// What a run says of all services together, where a service is entered by a source and called by
// another service as well.
#include "tests/catch.hpp"
#include "tests/rig.hpp"

namespace headroom::serving {
namespace {

/// `front` takes 20 requests/s and calls `back`, to which a source of its own sends `more`.
SimulationSpec two_services(std::int64_t more) {
    SimulationSpec spec;
    spec.drain = true;
    spec.services.push_back(tests::simple_service("front", 4, Distribution::exponential(0.05)));
    spec.services.push_back(tests::simple_service("back", 4, Distribution::exponential(0.08)));
    spec.services[0].calls = {1};
    for (ServiceSpec& service : spec.services) service.slo.e2e = Duration::milliseconds(300);
    spec.sources.push_back(tests::poisson_source(0, 20, 2'000));
    if (more > 0) spec.sources.push_back(tests::poisson_source(1, 5, more));
    tests::add_workload(spec, 0, 1);
    tests::add_workload(spec, 1, 1);
    return spec;
}

}  // namespace

TEST_CASE("Totals: each root request counts once, whoever else calls the service it enters") {
    for (const std::int64_t more : {0, 1, 500}) {
        CAPTURE(more);
        RunOptions options;
        options.keep_rows = true;
        const SimulationResult result = Simulation(two_services(more)).run(options);
        const ServiceStats& total = result.total;
        CHECK(total.requests.of(Outcome::completed) == 2'000 + more);
        CHECK(total.measured_completed == 2'000 + more);
        CHECK(total.slo_good + total.slo_missed == 2'000 + more);
        REQUIRE(total.e2e.count() == static_cast<std::uint64_t>(2'000 + more));
        // Under a service all its calls count.
        CHECK(result.services[1].stats.measured_completed == 2'000 + more);
        CHECK(result.services[1].stats.e2e.count() == static_cast<std::uint64_t>(2'000 + more));

        // Rows are of calls: those of `front`, and those of `back` that its own source made.
        Int128 sum = 0;
        std::int64_t good = 0;
        for (const RequestRow& row : result.rows) {
            if (row.service != row.source) continue;
            sum += (row.finish - row.arrival).ps();
            good += row.finish - row.arrival <= Duration::milliseconds(300) ? 1 : 0;
        }
        CHECK(total.slo_good == good);
        const auto requests = static_cast<double>(2'000 + more);
        CHECK(total.e2e.mean() == Approx(static_cast<double>(sum) / requests));
    }
}

}  // namespace headroom::serving
