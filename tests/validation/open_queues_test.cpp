// Waiting in open queues against their exact formulas (Kleinrock, Queueing Systems I, 1975: M/M/1
// 3.2, M/M/c 3.5, M/G/1 5.5 to 5.7). All times in units of about one mean service.
#include "tests/validation/confidence.hpp"

namespace headroom::tests {
namespace {

/// Pollaczek and Khinchine: the mean wait of M/G/1, from the first two moments of service.
double mean_wait_mg1(double rate, double mean, double cv) {
    const double second_moment = mean * mean * (1 + cv * cv);
    return rate * second_moment / (2 * (1 - rate * mean));
}

/// Erlang's C: the probability that an arrival at M/M/c has to wait, for a load of `a` servers.
double erlang_c(int servers, double a) {
    double blocking = 1;  // Erlang's B, by its recursion in the number of servers
    for (int c = 1; c <= servers; ++c) blocking = a * blocking / (c + a * blocking);
    return blocking / (1 - a / servers * (1 - blocking));
}

void check_mg1(const char* name, const Distribution& service, double rate, std::int64_t requests) {
    const Replications runs = replicate(kReplications, requests, [&](std::int64_t n) {
        return open_queue(1, rate, service, n, Duration::seconds(200));
    });
    check_covers(name, runs.estimate(mean_wait), mean_wait_mg1(rate, service.mean(), service.cv()),
                 runs.widest);
}

}  // namespace

TEST_CASE("Validation: M/M/1 has the exact mean wait and quantiles of the response time") {
    constexpr double kRate = 0.8;
    const Replications runs = replicate(kReplications, 3'000'000, [](std::int64_t requests) {
        return open_queue(1, kRate, Distribution::exponential(1.0), requests,
                          Duration::seconds(1000));
    });
    check_covers("wait", runs.estimate(mean_wait), kRate / (1 - kRate), runs.widest);
    check_covers("response", runs.estimate(mean_response), 1 / (1 - kRate), runs.widest);
    // The response time is exponential; a histogram's bucket is 0.4 % wide to either side.
    for (const double q : {0.5, 0.9, 0.99}) {
        const auto quantile = [q](const serving::ServiceStats& stats) {
            return static_cast<double>(stats.e2e.quantile(q)) * 1e-12;
        };
        check_covers("response quantile " + std::to_string(q), runs.estimate(quantile),
                     -std::log(1 - q) / (1 - kRate), runs.widest, 1.0 / 256);
    }
    const auto utilisation = [](const serving::ServiceStats& stats) {
        return stats.busy.to_seconds() / stats.instance_time.to_seconds();
    };
    check_covers("utilisation", runs.estimate(utilisation), kRate, runs.widest);
}

TEST_CASE("Validation: M/M/10 has the mean wait of Erlang's C") {
    constexpr int kServers = 10;
    constexpr double kRate = 8.0;
    const Replications runs = replicate(kReplications, 2'250'000, [](std::int64_t requests) {
        return open_queue(kServers, kRate, Distribution::exponential(1.0), requests,
                          Duration::seconds(200));
    });
    check_covers("wait", runs.estimate(mean_wait), erlang_c(kServers, kRate) / (kServers - kRate),
                 runs.widest);
}

TEST_CASE("Validation: M/D/1 and M/G/1 have the mean wait of Pollaczek and Khinchine") {
    check_mg1("fixed service", Distribution::fixed(1.0), 0.7, 300'000);
    check_mg1("gamma service, cv 1.4", Distribution::gamma(0.5, 2.0), 0.6, 600'000);
    // sigma^2 = log(1 + cv^2) with cv 0.8, mu so that the mean is 1.
    const double sigma2 = std::log(1 + 0.8 * 0.8);
    check_mg1("lognormal service, cv 0.8", Distribution::lognormal(-sigma2 / 2, std::sqrt(sigma2)),
              0.6, 400'000);
}

}  // namespace headroom::tests
