// Loss systems: c servers and no queue. The share of lost requests is Erlang's B, which depends on
// the service time's mean alone (Kleinrock, Queueing Systems I, 1975, 3.6; insensitivity:
// Sevastyanov 1957).
#include "tests/validation/confidence.hpp"

namespace headroom::tests {
namespace {

double erlang_b(int servers, double a) {
    double blocking = 1;
    for (int c = 1; c <= servers; ++c) blocking = a * blocking / (c + a * blocking);
    return blocking;
}

void check_blocking(const char* name, const Distribution& service) {
    constexpr int kServers = 10;
    constexpr double kRate = 8.0;
    const Replications runs = replicate(kReplications, 150'000, [&](std::int64_t requests) {
        return open_queue(kServers, kRate, service, requests, Duration::zero(), 0);
    });
    const auto lost = [](const serving::ServiceStats& stats) {
        return static_cast<double>(stats.requests.of(serving::Outcome::rejected)) /
               static_cast<double>(stats.requests.arrived);
    };
    check_covers(name, runs.estimate(lost), erlang_b(kServers, kRate), runs.widest);
    for (const serving::ServiceStats& stats : runs.stats) {
        // Nobody waits, and whoever is lost is lost at the instance.
        CHECK(stats.queue.max() == 0);
        CHECK(stats.causes[static_cast<std::size_t>(serving::Cause::instance_queue_full)] ==
              stats.requests.of(serving::Outcome::rejected));
    }
}

}  // namespace

TEST_CASE("Validation: M/M/10/10 loses the share of Erlang's B") {
    check_blocking("exponential service", Distribution::exponential(1.0));
}

TEST_CASE("Validation: M/G/10/10 loses the same share, whatever the service time's form") {
    check_blocking("fixed service", Distribution::fixed(1.0));
    check_blocking("gamma service, cv 1.4", Distribution::gamma(0.5, 2.0));
}

}  // namespace headroom::tests
