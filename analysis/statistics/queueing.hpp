/// Queueing formulas: what a service with servers in parallel does in equilibrium, without a
/// simulation. Rates are per second, times seconds, offered load in erlangs (rate * mean service).
///
///     erlang_b(10, 4.46)                                    // 0.01: blocked, no queue
///     const ServerQueue q{.rate = 8, .servers = 10, .service_s = 1};
///     q.mean_wait_s()                                       // 0.205: M/M/c, Erlang C
///     q.response_quantile_s(0.99)
///
/// Exact: M/M/c (Erlang C), the mean wait of M/G/1 (Pollaczek-Khinchine), M/M/c/K, Erlang B for any
/// service time. Approximate, and named so by formula(): the mean wait of GI/G/c by Allen-Cunneen,
/// that of M/M/c times (ca^2 + cs^2) / 2, and its quantiles, an exponential tail of that mean.
/// With rho >= 1 there is no equilibrium: waits are infinite.
///
/// Sources: Erlang B by its recursion, which never overflows: Cooper, Introduction to Queueing
/// Theory (2nd ed.), 3.3; Erlang C from B, M/M/c, M/M/c/K, M/G/1: Kleinrock, Queueing Systems I,
/// 3.4, 3.5, 5.6; Allen-Cunneen: Allen, Probability, Statistics, and Queueing Theory (2nd ed.),
/// 5.3; closed loops: Lazowska et al., Quantitative System Performance, ch. 5. O(servers) a
/// formula, O(servers + places) with a limited queue.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/core/distribution.hpp"

namespace headroom::analysis {

/// Probability that all of `servers` >= 0 are busy and there is no queue; `offered` >= 0.
[[nodiscard]] double erlang_b(std::int64_t servers, double offered);
/// Probability of having to wait for one of `servers` >= 1; 1 where offered >= servers.
[[nodiscard]] double erlang_c(std::int64_t servers, double offered);

struct ServerQueue {
    double rate = 0;           ///< arrivals a second, >= 0
    std::int64_t servers = 1;  ///< >= 1
    double service_s = 1;      ///< mean, > 0
    double arrival_cv = 1;     ///< coefficient of variation of the gaps; 1: Poisson
    double service_cv = 1;     ///< and of the service times; 1: exponential

    [[nodiscard]] double offered() const { return rate * service_s; }
    [[nodiscard]] double utilisation() const { return offered() / static_cast<double>(servers); }
    [[nodiscard]] bool stable() const { return utilisation() < 1; }
    /// Probability of waiting: Erlang C.
    [[nodiscard]] double waits() const { return erlang_c(servers, offered()); }
    [[nodiscard]] double mean_wait_s() const;
    [[nodiscard]] double mean_response_s() const { return mean_wait_s() + service_s; }
    /// Probability that the wait ends within `t` seconds.
    [[nodiscard]] double waits_within(double t) const;
    /// The same of wait and service together. `service`: its distribution, which must have the mean
    /// and variation above; an exponential one is used as such.
    [[nodiscard]] double responds_within(double t, const Distribution& service) const;
    [[nodiscard]] double wait_quantile_s(double q) const;
    [[nodiscard]] double response_quantile_s(double q, const Distribution& service) const;
    /// "M/M/1", "M/M/c", "M/G/1" or "GI/G/c (Allen-Cunneen, an approximation)".
    [[nodiscard]] std::string formula() const;
    /// Whether the mean wait is exact.
    [[nodiscard]] bool exact() const;
};

/// M/M/c with room for `waiting` >= 0 requests before the servers: finite, so stable at any load.
/// Blocking is also that of general service times where `waiting` is 0 (Erlang's insensitivity).
struct LimitedQueue {
    double blocked = 0;      ///< share of arrivals that find no room
    double mean_wait_s = 0;  ///< of those that are let in
    double utilisation = 0;  ///< of the servers
};
[[nodiscard]] LimitedQueue limited_queue(const ServerQueue& queue, std::int64_t waiting);

/// Asymptotic bounds of a closed loop: `users` who think `think_s`, then ask for `response_s` of
/// service (without waiting), of which the bottleneck takes one request each `bottleneck_s`.
struct ClosedBounds {
    double rate = 0;        ///< at most, min(N / (R + Z), 1 / D)
    double response_s = 0;  ///< at least, max(R, N D - Z)
    double knee = 0;        ///< users from which the bottleneck decides, (R + Z) / D
};
[[nodiscard]] ClosedBounds closed_bounds(double users, double think_s, double response_s,
                                         double bottleneck_s);

/// The least n in [1, most] for which `good` holds; most + 1 where none does. `good` must stay true
/// once it is. O(log n) calls.
[[nodiscard]] std::int64_t least_that(std::int64_t most,
                                      const std::function<bool(std::int64_t)>& good);

}  // namespace headroom::analysis
