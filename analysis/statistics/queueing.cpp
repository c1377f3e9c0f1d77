#include "analysis/statistics/queueing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace headroom::analysis {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
/// Points of a service time's quantile function that a response time is averaged over.
constexpr int kServicePoints = 512;
constexpr double kNearOne = 1e-9;

/// P(W + S > t) of M/M/c: W is 0, or with probability `waits` exponential of rate `drain`.
double exponential_response_tail(double waits, double drain, double serve, double t) {
    const double served = det_exp(-serve * t);
    if (std::fabs(drain - serve) < kNearOne * serve) {
        return (1 - waits) * served + waits * (1 + serve * t) * served;
    }
    const double both = (drain * served - serve * det_exp(-drain * t)) / (drain - serve);
    return (1 - waits) * served + waits * both;
}

/// The least t with good(t), by halving; `good` must hold from some t on.
double least_time(double guess, const std::function<bool(double)>& good) {
    double low = 0;
    double high = guess;
    while (!good(high)) {
        low = high;
        high *= 2;
        if (!(high < 1e18)) return kNever;
    }
    constexpr int kHalvings = 60;
    for (int i = 0; i < kHalvings; ++i) {
        const double middle = 0.5 * (low + high);
        (good(middle) ? high : low) = middle;
    }
    return high;
}

}  // namespace

double erlang_b(std::int64_t servers, double offered) {
    HEADROOM_CHECK(servers >= 0 && offered >= 0, "Erlang B of negative numbers");
    double blocked = 1;
    for (std::int64_t c = 1; c <= servers; ++c) {
        blocked = offered * blocked / (static_cast<double>(c) + offered * blocked);
    }
    return blocked;
}

double erlang_c(std::int64_t servers, double offered) {
    HEADROOM_CHECK(servers >= 1 && offered >= 0, "Erlang C without servers");
    const double utilisation = offered / static_cast<double>(servers);
    if (utilisation >= 1) return 1;
    const double blocked = erlang_b(servers, offered);
    return blocked / (1 - utilisation * (1 - blocked));
}

double ServerQueue::mean_wait_s() const {
    if (!stable()) return kNever;
    const double free = static_cast<double>(servers) - offered();
    const double variation = 0.5 * (arrival_cv * arrival_cv + service_cv * service_cv);
    return waits() * service_s / free * variation;
}

double ServerQueue::waits_within(double t) const {
    if (!stable()) return 0;
    if (t < 0) return 0;
    const double waiting = waits();
    const double mean = mean_wait_s();
    if (!(mean > 0)) return 1;
    return 1 - waiting * det_exp(-t * waiting / mean);
}

double ServerQueue::responds_within(double t, const Distribution& service) const {
    if (!stable() || t < 0) return 0;
    const bool exponential = service.kind() == Distribution::Kind::exponential;
    if (exponential && arrival_cv == 1) {
        const double drain = (static_cast<double>(servers) - offered()) / service_s;
        return 1 - exponential_response_tail(waits(), drain, 1 / service_s, t);
    }
    const double waiting = waits();
    const double mean = mean_wait_s();
    double sum = 0;
    for (int i = 0; i < kServicePoints; ++i) {
        const double served = std::max(0.0, service.quantile((i + 0.5) / kServicePoints));
        if (served > t) break;
        sum += mean > 0 ? 1 - waiting * det_exp(-(t - served) * waiting / mean) : 1;
    }
    return sum / kServicePoints;
}

double ServerQueue::wait_quantile_s(double q) const {
    if (!stable()) return kNever;
    const double waiting = waits();
    if (1 - q >= waiting) return 0;
    return mean_wait_s() / waiting * det_log(waiting / (1 - q));
}

double ServerQueue::response_quantile_s(double q, const Distribution& service) const {
    if (!stable()) return kNever;
    return least_time(service_s + mean_wait_s(),
                      [&](double t) { return responds_within(t, service) >= q; });
}

std::string ServerQueue::formula() const {
    const bool poisson = arrival_cv == 1;
    if (poisson && service_cv == 1) return servers == 1 ? "M/M/1" : "M/M/c";
    if (poisson && servers == 1) return "M/G/1";
    return poisson ? "M/G/c (Allen-Cunneen, an approximation)"
                   : "GI/G/c (Allen-Cunneen, an approximation)";
}

bool ServerQueue::exact() const {
    return arrival_cv == 1 && (servers == 1 || service_cv == 1);
}

LimitedQueue limited_queue(const ServerQueue& queue, std::int64_t waiting) {
    HEADROOM_CHECK(waiting >= 0, "a queue of negative length");
    const double ratio = queue.utilisation();
    LimitedQueue out;
    out.blocked = erlang_b(queue.servers, queue.offered());
    if (!(queue.rate > 0)) return out;
    // In units of the probability that all servers are busy and nobody waits.
    double up_to_busy = 1 / out.blocked;
    double more = 0;
    double length = 0;
    double state = 1;
    // Beyond the double's range at low load nothing is ever blocked.
    if (!std::isfinite(up_to_busy)) return {0, 0, ratio};
    for (std::int64_t k = 1; k <= waiting; ++k) {
        state *= ratio;
        more += state;
        length += static_cast<double>(k) * state;
        out.blocked = ratio * out.blocked / (1 + ratio * out.blocked);
        if (state > 1e200) {  // far above the servers' rate: only ratios matter
            up_to_busy /= state, more /= state, length /= state, state = 1;
        }
        if (state < 1e-300) break;
    }
    const double let_in = queue.rate * (1 - out.blocked);
    out.mean_wait_s = let_in > 0 ? length / (up_to_busy + more) / let_in : 0;
    out.utilisation = let_in * queue.service_s / static_cast<double>(queue.servers);
    return out;
}

ClosedBounds closed_bounds(double users, double think_s, double response_s, double bottleneck_s) {
    ClosedBounds out;
    const double alone = response_s + think_s;
    out.rate = std::min(users / alone, 1 / bottleneck_s);
    out.response_s = std::max(response_s, users * bottleneck_s - think_s);
    out.knee = alone / bottleneck_s;
    return out;
}

std::int64_t least_that(std::int64_t most, const std::function<bool(std::int64_t)>& good) {
    std::int64_t low = 0;  // does not hold, or is out of range
    std::int64_t high = 1;
    while (!good(high)) {
        low = high;
        if (high >= most) return most + 1;
        high = std::min(most, high * 2);
    }
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (good(middle) ? high : low) = middle;
    }
    return high;
}

}  // namespace headroom::analysis
