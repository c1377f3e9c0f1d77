// A closed network (the machine repairman): N users think for an exponential time Z, then ask one
// of c servers for an exponential service S, and wait where all are busy. Exact figures by
// mean-value analysis with the marginal probabilities of a multi-server station (Reiser and
// Lavenberg, JACM 27, 1980, section 3).
#include "tests/validation/confidence.hpp"

namespace headroom::tests {
namespace {

struct ClosedNetwork {
    double response = 0;    ///< mean, at the servers, s
    double throughput = 0;  ///< requests/s
};

ClosedNetwork mean_value_analysis(int users, double think, int servers, double service) {
    std::vector<double> probability(static_cast<std::size_t>(users) + 1,
                                    0.0);  // of j at the station
    probability[0] = 1;
    ClosedNetwork network;
    for (int n = 1; n <= users; ++n) {
        const auto rate = [&](int j) { return std::min(j, servers) / service; };
        network.response = 0;
        for (int j = 1; j <= n; ++j) {
            network.response += j / rate(j) * probability[static_cast<std::size_t>(j - 1)];
        }
        network.throughput = n / (think + network.response);
        double rest = 1;
        for (int j = n; j >= 1; --j) {
            const auto at = static_cast<std::size_t>(j);
            probability[at] = network.throughput / rate(j) * probability[at - 1];
            rest -= probability[at];
        }
        probability[0] = rest;
    }
    return network;
}

/// The same from the birth-death chain's equilibrium, to check the checker.
double throughput_of_chain(int users, double think, int servers, double service) {
    double weight = 1;
    double sum = 1;
    double flow = 0;
    for (int j = 1; j <= users; ++j) {
        const double rate = std::min(j, servers) / service;
        weight *= (users - j + 1) / think / rate;
        sum += weight;
        flow += weight * rate;
    }
    return flow / sum;
}

void check_network(std::uint32_t users, double think, int servers) {
    const ClosedNetwork exact = mean_value_analysis(static_cast<int>(users), think, servers, 1.0);
    REQUIRE(
        exact.throughput ==
        Approx(throughput_of_chain(static_cast<int>(users), think, servers, 1.0)).epsilon(1e-9));
    const Replications runs = replicate(kReplications, 100'000, [&](std::int64_t requests) {
        SimulationSpec spec;
        spec.drain = true;
        spec.measure_from = Time::zero() + Duration::seconds(200);
        spec.services.push_back(simple_service("queue", servers, Distribution::exponential(1.0)));
        spec.sources.push_back(
            closed_loop_source(0, users, Distribution::exponential(think), requests));
        add_workload(spec, 0, 1);
        return spec;
    });
    INFO(users << " users, think time " << think << ", " << servers << " servers");
    check_covers("response", runs.estimate(mean_response), exact.response, runs.widest);
    const auto throughput = [](const serving::ServiceStats& stats) {
        return static_cast<double>(stats.requests.arrived) /
               stats.last_arrival.since_start().to_seconds();
    };
    check_covers("throughput", runs.estimate(throughput), exact.throughput, runs.widest);
}

}  // namespace

TEST_CASE("Validation: a closed network with think time equals exact mean-value analysis") {
    check_network(8, 10.0, 1);
    check_network(30, 6.0, 4);
    check_network(60, 5.0, 8);  // saturated: the servers are the bottleneck
}

}  // namespace headroom::tests
