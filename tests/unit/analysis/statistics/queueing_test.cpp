#include "analysis/statistics/queueing.hpp"

#include <cmath>

#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

Approx about(double x, double relative = 1e-9) {
    return Approx(x).epsilon(relative);
}

/// P(N >= k) for N of Poisson's distribution.
double poisson_tail(double mean, std::int64_t k) {
    double sum = 0;
    for (std::int64_t j = k;; ++j) {
        const auto n = static_cast<double>(j);
        const double term = std::exp(n * std::log(mean) - mean - std::lgamma(n + 1));
        sum += term;
        if (n > mean && term < 1e-18) return sum;
    }
}

/// In service times, by Crommelin's series (Delay probability formulae, 1932): the sum over i >= 1
/// of P(N >= ic) - P(N >= ic + 1) / rho, N of Poisson's distribution with mean ic rho.
double exact_mean_wait_of_mdc(std::int64_t servers, double utilisation) {
    double sum = 0;
    for (std::int64_t i = 1;; ++i) {
        const std::int64_t k = i * servers;
        const double mean = static_cast<double>(k) * utilisation;
        const double term = poisson_tail(mean, k) - poisson_tail(mean, k + 1) / utilisation;
        sum += term;
        if (term < 1e-12) return sum;
    }
}

}  // namespace

TEST_CASE("erlang_b: the loads of the published traffic tables") {
    // Erlang loss tables (Cooper, appendix; ITU-D Teletraffic Engineering Handbook): the load in
    // erlangs that n trunks carry at a blocking of 1 % and 2 %, to the digits of the table.
    CHECK(erlang_b(1, 0.0101) == about(0.01, 2e-3));
    CHECK(erlang_b(10, 4.4612) == about(0.01, 5e-4));
    CHECK(erlang_b(20, 12.031) == about(0.01, 5e-4));
    CHECK(erlang_b(100, 84.064) == about(0.01, 5e-4));
    CHECK(erlang_b(10, 5.0840) == about(0.02, 5e-4));
    CHECK(erlang_b(50, 40.255) == about(0.02, 5e-4));
}

TEST_CASE("erlang_b: its closed form where that does not overflow, and no overflow where it does") {
    CHECK(erlang_b(0, 3) == 1);
    CHECK(erlang_b(5, 0) == 0);
    CHECK(erlang_b(1, 3) == about(0.75));
    CHECK(erlang_b(3, 2) == about((8.0 / 6) / (1 + 2 + 2 + 8.0 / 6)));
    CHECK(erlang_b(100'000, 99'000) > 0);
    CHECK(erlang_b(100'000, 99'000) < 0.01);
    CHECK(erlang_b(10, 1e6) == about(1 - 10 / 1e6, 1e-6));
}

TEST_CASE("erlang_c: textbook values, and its identity with Erlang B") {
    CHECK(erlang_c(1, 0.7) == about(0.7));
    CHECK(erlang_c(2, 1) == about(1.0 / 3));
    CHECK(erlang_c(3, 2) == about(4.0 / 9));
    CHECK(erlang_c(10, 8) == about(0.409180, 1e-5));
    CHECK(erlang_c(5, 5) == 1);
    CHECK(erlang_c(5, 7) == 1);
    // 1/C(c, a) = 1/B(c, a) - 1/B(c - 1, a).
    for (const double a : {0.3, 4.0, 17.0, 40.0}) {
        const std::int64_t c = 45;
        CHECK(1 / erlang_c(c, a) == about(1 / erlang_b(c, a) - 1 / erlang_b(c - 1, a), 1e-6));
    }
}

TEST_CASE("ServerQueue: M/M/1 and M/G/1 have their well-known means") {
    const ServerQueue mm1{.rate = 8, .servers = 1, .service_s = 0.1};
    CHECK(mm1.mean_wait_s() == about(0.4));
    CHECK(mm1.mean_response_s() == about(0.5));
    CHECK(mm1.formula() == "M/M/1");
    const ServerQueue md1{.rate = 8, .servers = 1, .service_s = 0.1, .service_cv = 0};
    CHECK(md1.mean_wait_s() == about(0.2));
    CHECK(md1.formula() == "M/G/1");
    CHECK(md1.exact());
    // Pollaczek-Khinchine: lambda E[S^2] / (2 (1 - rho)), E[S^2] = s^2 (1 + cv^2).
    const ServerQueue mg1{.rate = 5, .servers = 1, .service_s = 0.15, .service_cv = 2};
    CHECK(mg1.mean_wait_s() == about(5 * 0.15 * 0.15 * 5 / (2 * 0.25)));
    const ServerQueue mgc{.rate = 5, .servers = 2, .service_s = 0.15, .service_cv = 2};
    CHECK_FALSE(mgc.exact());
    CHECK(mgc.formula() == "M/G/c (Allen-Cunneen, an approximation)");
}

TEST_CASE(
    "ServerQueue: Allen-Cunneen is within 2 % of the exact mean wait of M/D/c in heavy traffic") {
    for (const std::int64_t servers : {1, 2, 4}) {
        const ServerQueue queue{.rate = 0.9 * static_cast<double>(servers),
                                .servers = servers,
                                .service_s = 1,
                                .service_cv = 0};
        CHECK(queue.mean_wait_s() == about(exact_mean_wait_of_mdc(servers, 0.9), 0.02));
    }
}

TEST_CASE("ServerQueue: quantiles are where the probabilities reach them") {
    const Distribution service = Distribution::exponential(0.1);
    const ServerQueue mm1{.rate = 8, .servers = 1, .service_s = 0.1};
    // The response time of M/M/1 is exponential with mean 1 / (mu - lambda).
    CHECK(mm1.response_quantile_s(0.99, service) == about(0.5 * std::log(100.0)));
    CHECK(mm1.wait_quantile_s(0.99) == about(0.5 * std::log(80.0)));
    CHECK(mm1.wait_quantile_s(0.1) == 0);
    const ServerQueue mmc{.rate = 80, .servers = 10, .service_s = 0.1};
    for (const double q : {0.5, 0.9, 0.999}) {
        CHECK(mmc.responds_within(mmc.response_quantile_s(q, service), service) == about(q, 1e-7));
    }
    CHECK(mmc.waits_within(mmc.wait_quantile_s(0.95)) == about(0.95));
    // drain == serve, where the closed form of the sum is another.
    const ServerQueue equal{.rate = 10, .servers = 2, .service_s = 0.1};
    CHECK(equal.responds_within(0.3, service) > 0.85);
    CHECK(equal.responds_within(0.3, service) < equal.responds_within(0.3001, service));
}

TEST_CASE("ServerQueue: the sum over service times agrees with the closed form") {
    // A lognormal of cv 1 in its place: same mean wait by Allen-Cunneen; the sum must integrate the
    // service time's own distribution. Fixed service: the response is the wait, moved.
    const ServerQueue md1{.rate = 8, .servers = 1, .service_s = 0.1, .service_cv = 0};
    const Distribution fixed = Distribution::fixed(0.1);
    CHECK(md1.responds_within(0.3, fixed) == about(md1.waits_within(0.2)));
    CHECK(md1.responds_within(0.09, fixed) == 0);
}

TEST_CASE("ServerQueue: without equilibrium waits never end") {
    const ServerQueue over{.rate = 11, .servers = 1, .service_s = 0.1};
    CHECK_FALSE(over.stable());
    CHECK(std::isinf(over.mean_wait_s()));
    CHECK(std::isinf(over.wait_quantile_s(0.5)));
    CHECK(over.waits_within(1e9) == 0);
}

TEST_CASE("LimitedQueue: M/M/c/K by its states, Erlang B without room, Erlang C with much") {
    const ServerQueue queue{.rate = 3, .servers = 2, .service_s = 0.5};
    const LimitedQueue none{queue, 0};
    CHECK(none.exponential().blocked == about(erlang_b(2, 1.5)));
    // States 0..4 of M/M/2/4: 1, a, a^2/2, then times 0.75 each.
    const double p2 = 1.5 * 1.5 / 2;
    const double all = 1 + 1.5 + p2 + p2 * 0.75 + p2 * 0.5625;
    const LimitedFigures four = LimitedQueue{queue, 2}.exponential();
    CHECK(four.blocked == about(p2 * 0.5625 / all));
    const double waiting = (p2 * 0.75 + 2 * p2 * 0.5625) / all;
    CHECK(four.mean_wait_s == about(waiting / (3 * (1 - four.blocked))));
    CHECK(four.utilisation == about(0.75 * (1 - four.blocked)));
    const LimitedFigures endless = LimitedQueue{queue, 10'000}.exponential();
    CHECK(endless.blocked < 1e-12);
    CHECK(endless.mean_wait_s == about(queue.mean_wait_s()));
    const LimitedFigures over =
        LimitedQueue{{.rate = 40, .servers = 2, .service_s = 0.5}, 5000}.exponential();
    CHECK(over.blocked == about(0.9));
    CHECK(over.utilisation == about(1));
    CHECK(over.mean_wait_s == about(1250, 1e-3));
}

TEST_CASE("LimitedQueue: M/G/1/K is exact for fixed service, and M/M/1/K for exponential") {
    // M/D/1/2, load a = 0.9: departures leave 0 or 1 behind. From 0 (and from 1, whose service
    // starts at once) the next leaves 0 behind where nobody came, e^-a. So pi_0 = e^-a, and blocked
    // is 1 - 1 / (pi_0 + a).
    const ServerQueue fixed{.rate = 9, .servers = 1, .service_s = 0.1, .service_cv = 0};
    const Distribution tenth = Distribution::fixed(0.1);
    const LimitedFigures one = LimitedQueue{fixed, 1}.figures(tenth);
    CHECK(one.blocked == about(1 - 1 / (std::exp(-0.9) + 0.9)));
    CHECK(one.utilisation == about(0.9 * (1 - one.blocked)));
    // The one place is taken for blocked of the time: Little's law.
    CHECK(one.mean_wait_s == about(one.blocked / (9 * (1 - one.blocked))));
    const LimitedQueue three{fixed, 3};
    CHECK(three.formula() == "M/G/1/K");
    CHECK(three.exact());
    CHECK(three.figures(tenth).blocked == about(0.09136, 1e-4));
    CHECK(three.figures(tenth).utilisation == about(0.8178, 1e-4));
    // With much room Pollaczek-Khinchine, also of a distribution with another mean.
    const ServerQueue varied{.rate = 5, .servers = 1, .service_s = 0.1, .service_cv = 2};
    const Distribution lognormal = Distribution::lognormal(0, std::sqrt(std::log(5.0)));
    CHECK(LimitedQueue{varied, 1500}.figures(lognormal).mean_wait_s ==
          about(varied.mean_wait_s(), 0.01));
    // A variation that is not quite 1 takes the general way: it agrees with M/M/1/K.
    ServerQueue nearly{.rate = 12, .servers = 1, .service_s = 0.1, .service_cv = 1.0001};
    const LimitedFigures general = LimitedQueue{nearly, 6}.figures(Distribution::exponential(0.1));
    const LimitedFigures exponential = LimitedQueue{nearly, 6}.exponential();
    CHECK(general.blocked == about(exponential.blocked, 1e-4));
    CHECK(general.mean_wait_s == about(exponential.mean_wait_s, 1e-4));
}

TEST_CASE("LimitedQueue: says where it is an approximation") {
    const auto formula = [](std::int64_t servers, double gaps, double service, std::int64_t room) {
        const LimitedQueue limited{
            {.rate = 3, .servers = servers, .arrival_cv = gaps, .service_cv = service}, room};
        CHECK(limited.exact() == (limited.formula().find("approximation") == std::string::npos));
        return limited.formula();
    };
    CHECK(formula(4, 1, 1, 2) == "M/M/c/K");
    CHECK(formula(4, 1, 0, 2).find("M/M/c/K (for Poisson arrivals and exponential") == 0);
    CHECK(formula(1, 0, 1, 2).find("an approximation") != std::string::npos);
    CHECK(formula(1, 1, 0, 2) == "M/G/1/K");
    CHECK(formula(4, 1, 0, 0) == "Erlang B");
    CHECK(formula(4, 0.5, 0, 0) == "Erlang B (for Poisson arrivals, an approximation)");
}

TEST_CASE("LimitedQueue: how long those wait who are let in") {
    // M/M/1/3: let in from states 0, 1, 2, of weight 1, r, r^2; who finds n waits for n to leave.
    const ServerQueue queue{.rate = 8, .servers = 1, .service_s = 0.1};
    const LimitedQueue limited{queue, 2};
    const double all = 1 + 0.8 + 0.64;
    for (const double t : {0.0, 0.05, 0.3}) {
        const double x = t / 0.1;
        const double longer = (0.8 + 0.64 * (1 + x)) * std::exp(-x) / all;
        CHECK(limited.waits_within(t) == about(1 - longer));
        // With their own service one more has to leave.
        const double later = (1 + 0.8 * (1 + x) + 0.64 * (1 + x + x * x / 2)) * std::exp(-x) / all;
        CHECK(limited.responds_within(t, Distribution::exponential(0.1)) ==
              Approx(1 - later).margin(3e-4));
    }
    // Much room: as without a limit, also where the exponentials leave the double's range.
    const ServerQueue busy{.rate = 9'990, .servers = 1000, .service_s = 0.1};
    const LimitedQueue endless{busy, 50'000};
    for (const double t : {0.01, 0.1, 0.3}) {
        CHECK(endless.waits_within(t) == about(busy.waits_within(t), 1e-7));
    }
    CHECK(LimitedQueue{queue, 0}.waits_within(0) == 1);
    CHECK_FALSE(LimitedQueue{{.rate = 12, .service_s = 0.1}, 5}.has_quantiles());
}

TEST_CASE("mean_wait_scatter: the waits of M/M/1, and the heavy-traffic limit") {
    // rho = 0.5: 0.5 (2 + 2.5 - 1 + 0.125) / 0.5^4 = 29 service times squared a customer, and the
    // mean wait is 1; 5000 service times see 2500 customers.
    const ServerQueue half{.rate = 5, .servers = 1, .service_s = 0.1};
    CHECK(mean_wait_scatter(half, 500) == about(std::sqrt(29.0 / 2500)));
    // rho -> 1: sqrt(2 s (ca^2 + cs^2) / (c t)) / (1 - rho).
    const ServerQueue heavy{
        .rate = 3.9996, .servers = 4, .service_s = 1, .arrival_cv = 2, .service_cv = 0.5};
    CHECK(mean_wait_scatter(heavy, 1e6) == about(std::sqrt(2 * 4.25 / 4e6) / 1e-4, 2e-3));
}

TEST_CASE("closed_bounds: users decide below the knee, the bottleneck above") {
    const ClosedBounds few = closed_bounds(10, 9, 1, 0.1);
    CHECK(few.rate == about(1));
    CHECK(few.response_s == about(1));
    CHECK(few.knee == about(100));
    const ClosedBounds many = closed_bounds(500, 9, 1, 0.1);
    CHECK(many.rate == about(10));
    CHECK(many.response_s == about(41));
}

TEST_CASE("least_that: the first that holds, or one past the last") {
    for (const std::int64_t wanted : {1, 2, 3, 7, 8, 9, 1000}) {
        CHECK(least_that(1000, [&](std::int64_t n) { return n >= wanted; }) == wanted);
    }
    CHECK(least_that(1000, [](std::int64_t) { return false; }) == 1001);
}

}  // namespace headroom::analysis
