/// Queueing formulas: what a service with servers in parallel does in equilibrium, without a
/// simulation. Rates are per second, times seconds, offered load in erlangs (rate * mean service).
///
///     erlang_b(10, 4.46)                                    // 0.01: blocked, no queue
///     const ServerQueue q{.rate = 8, .servers = 10, .service_s = 1};
///     q.mean_wait_s()                                       // 0.205: M/M/c, Erlang C
///     q.response_quantile_s(0.99)
///
/// Exact: M/M/c (Erlang C), the mean wait of M/G/1 (Pollaczek-Khinchine), M/M/c/K, M/G/1/K, Erlang
/// B for any service time. Approximate, and named so by formula(): the mean wait of GI/G/c by
/// Allen-Cunneen, that of M/M/c times (ca^2 + cs^2) / 2, and its quantiles, an exponential tail of
/// that mean; M/M/c/K for other gaps or service times. With rho >= 1 and any number waiting there
/// is no equilibrium: waits are infinite.
///
/// Sources: Erlang B by its recursion, which never overflows: Cooper, Introduction to Queueing
/// Theory (2nd ed.), 3.3; Erlang C from B, M/M/c, M/M/c/K, M/G/1: Kleinrock, Queueing Systems I,
/// 3.4, 3.5, 5.6; Allen-Cunneen: Allen, Probability, Statistics, and Queueing Theory (2nd ed.),
/// 5.3; M/G/1/K: Tijms, A First Course in Stochastic Models (2003), 9.2 and 9.8; closed loops:
/// Lazowska et al., Quantitative System Performance, ch. 5. O(servers) a formula, O(servers +
/// places) with a limited queue, O(places^2) of M/G/1/K.
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

struct LimitedFigures {
    double blocked = 0;      ///< share of arrivals that find no room
    double mean_wait_s = 0;  ///< of those that are let in
    double utilisation = 0;  ///< of the servers
};

/// Room for `waiting` >= 0 requests before the servers: finite, so stable at any load.
struct LimitedQueue {
    ServerQueue queue;
    std::int64_t waiting = 0;

    /// M/M/c/K, or Erlang B, whatever the coefficients of variation are.
    [[nodiscard]] LimitedFigures exponential() const;
    /// By formula(). `service` must have the mean of the queue, or another that is scaled to it.
    [[nodiscard]] LimitedFigures figures(const Distribution& service) const;
    /// "Erlang B", "M/M/c/K", "M/G/1/K", or one of them with "(..., an approximation)".
    [[nodiscard]] std::string formula() const;
    /// Whether they are exact. Without room the service times do not matter (insensitivity).
    [[nodiscard]] bool exact() const;
    /// Whether there is a formula for the two below: M/M/c/K and Erlang B, with rho < 1.
    [[nodiscard]] bool has_quantiles() const;
    /// Of those that are let in.
    [[nodiscard]] double waits_within(double t) const;
    [[nodiscard]] double responds_within(double t, const Distribution& service) const;

  private:
    [[nodiscard]] bool exponential_times() const;
    [[nodiscard]] bool single_general() const;
    /// `up_to_busy`: one over Erlang B.
    [[nodiscard]] double waits_within(double t, double up_to_busy) const;
};

/// The standard deviation of the mean wait that `t` seconds show, relative to it; rho < 1. M/M/1:
/// the customers' asymptotic variance rho (2 + 5 rho - 4 rho^2 + rho^3) / (1 - rho)^4 (Daley, The
/// serial correlation coefficients of waiting times, 1968) over rate * t of them. Others, roughly:
/// that times (ca^2 + cs^2) / 2, exact as rho goes to 1 (Whitt, Planning Queueing Simulations,
/// Management Science 35, 1989), with Erlang C in place of one rho, for the fewer that wait.
[[nodiscard]] double mean_wait_scatter(const ServerQueue& queue, double t);

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
