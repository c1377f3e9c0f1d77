#include "analysis/statistics/queueing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace headroom::analysis {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
/// Points of a service time's quantile function that a response time is averaged over.
constexpr int kServicePoints = 512;
/// And of one that a limited queue is averaged over.
constexpr int kTailPoints = 2048;
constexpr double kNearOne = 1e-9;
/// M/G/1/K takes the square of the places, and its numbers must stay within the double's range.
constexpr std::int64_t kMostPlaces = 2000;
constexpr double kMostGeneralLoad = 20;
constexpr double kLarge = 1e200;
constexpr double kNegligible = 1e-18;

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

/// A service time and its probability.
struct ServicePoint {
    double time_s = 0;
    double weight = 0;
};

/// A service time as points, close together in its tail: u = 1 - (1 - x)^3 for even x. Scaled to
/// `mean_s`.
std::vector<ServicePoint> service_points(const Distribution& service, double mean_s) {
    std::vector<ServicePoint> points;
    double weights = 0;
    double mean = 0;
    for (int i = 0; i < kTailPoints; ++i) {
        const double rest = 1 - (i + 0.5) / kTailPoints;
        const double time = std::max(0.0, service.quantile(1 - rest * rest * rest));
        points.push_back({time, rest * rest});
        weights += rest * rest;
        mean += rest * rest * time;
    }
    const double scale = mean > 0 ? mean_s * weights / mean : 1;
    for (ServicePoint& point : points) {
        point.time_s *= scale;
        point.weight /= weights;
    }
    return points;
}

/// P(N > n) for n < `count`, N the arrivals during a service.
std::vector<double> arrivals_above(const std::vector<ServicePoint>& points, double rate,
                                   std::int64_t count) {
    std::vector<double> above(static_cast<std::size_t>(count), 1);
    for (const ServicePoint& point : points) {
        const double mean = rate * point.time_s;
        double term = point.weight * det_exp(-mean);
        double sum = 0;
        for (std::int64_t n = 0; n < count; ++n) {
            if (n > 0) term *= mean / static_cast<double>(n);
            sum += term;
            above[static_cast<std::size_t>(n)] -= sum;
        }
    }
    for (double& x : above) x = std::max(0.0, x);
    return above;
}

/// States 0 to places - 1 of M/G/1/K are those of M/G/1 but for a factor; each follows from those
/// below it, since as many go up from j - 1 to j as come down. In units of the sum of all.
LimitedFigures general_single(const ServerQueue& queue, std::int64_t waiting,
                              const Distribution& service) {
    const std::int64_t places = waiting + 1;
    const auto above = arrivals_above(service_points(service, queue.service_s), queue.rate, places);
    std::vector<double> state = {1};
    for (std::size_t j = 1; j < static_cast<std::size_t>(places); ++j) {
        double up = above[j - 1] * state[0];
        for (std::size_t k = 1; k < j; ++k) up += above[j - k] * state[k];
        state.push_back(up / (1 - above[0]));
        if (state.back() > kLarge) {
            for (double& each : state) each /= kLarge;
        }
    }
    double all = 0;
    double length = 0;
    for (std::size_t j = 0; j < state.size(); ++j) {
        all += state[j];
        if (j > 0) length += static_cast<double>(j - 1) * state[j];
    }
    // What is let in is what is served: load (1 - blocked) = 1 - state 0.
    const double load = queue.utilisation();
    const double whole = state[0] + load * all;
    LimitedFigures out;
    out.blocked = std::max(0.0, (state[0] - (1 - load) * all) / whole);
    const double waiting_mean = length / whole + static_cast<double>(waiting) * out.blocked;
    out.mean_wait_s = waiting_mean / (queue.rate * all / whole);
    out.utilisation = load * all / whole;
    return out;
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

LimitedFigures LimitedQueue::exponential() const {
    HEADROOM_CHECK(waiting >= 0, "a queue of negative length");
    const double ratio = queue.utilisation();
    LimitedFigures out;
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
        if (state > kLarge) {  // far above the servers' rate: only ratios matter
            up_to_busy /= state, more /= state, length /= state, state = 1;
        }
        if (state < 1e-300) break;
    }
    const double let_in = queue.rate * (1 - out.blocked);
    out.mean_wait_s = let_in > 0 ? length / (up_to_busy + more) / let_in : 0;
    out.utilisation = let_in * queue.service_s / static_cast<double>(queue.servers);
    return out;
}

bool LimitedQueue::exponential_times() const {
    return queue.arrival_cv == 1 && queue.service_cv == 1;
}

bool LimitedQueue::single_general() const {
    return waiting > 0 && waiting < kMostPlaces && queue.servers == 1 && queue.arrival_cv == 1 &&
           queue.service_cv != 1 && queue.rate > 0 && queue.utilisation() < kMostGeneralLoad;
}

LimitedFigures LimitedQueue::figures(const Distribution& service) const {
    return single_general() ? general_single(queue, waiting, service) : exponential();
}

std::string LimitedQueue::formula() const {
    if (waiting == 0) {
        return exact() ? "Erlang B" : "Erlang B (for Poisson arrivals, an approximation)";
    }
    if (single_general()) return "M/G/1/K";
    return exact() ? "M/M/c/K"
                   : "M/M/c/K (for Poisson arrivals and exponential service, an approximation)";
}

bool LimitedQueue::exact() const {
    return exponential_times() || single_general() || (waiting == 0 && queue.arrival_cv == 1);
}

bool LimitedQueue::has_quantiles() const {
    return queue.stable() && exact() && !single_general();
}

double LimitedQueue::waits_within(double t) const {
    return waits_within(t, 1 / erlang_b(queue.servers, queue.offered()));
}

double LimitedQueue::waits_within(double t, double up_to_busy) const {
    HEADROOM_CHECK(has_quantiles(), "a queue whose waits have no formula");
    if (t < 0) return 0;
    if (waiting == 0 || !(queue.rate > 0) || !std::isfinite(up_to_busy)) return 1;
    // Who finds all servers busy and j waiting, a share of ratio^j, waits for j + 1 to leave:
    // longer than t where a Poisson number of mean `left` is j or less.
    const double ratio = queue.utilisation();
    const double left = t * static_cast<double>(queue.servers) / queue.service_s;
    const double last = det_exp(static_cast<double>(waiting) * det_log(ratio));
    // The terms of the Poisson number, in pieces that stay within the double's range.
    constexpr double kPiece = 400;
    double unscaled = std::max(0.0, left - kPiece);
    double term = det_exp(unscaled - left);
    double power = 1;  // ratio^n; the shares from n on sum to (power - last) / (1 - ratio)
    double sum = 0;
    for (std::int64_t n = 0; n < waiting; ++n) {
        if (n > 0) {
            term *= left / static_cast<double>(n);
            power *= ratio;
        }
        sum += term * std::max(0.0, power - last) / (1 - ratio);
        if (term > 1 && unscaled > 0) {
            const double piece = std::min(unscaled, kPiece);
            unscaled -= piece;
            term *= det_exp(-piece);
            sum *= det_exp(-piece);
        }
        if (static_cast<double>(n) > left && term < kNegligible) break;
    }
    sum *= det_exp(-unscaled);
    return 1 - sum / (up_to_busy + (ratio - last) / (1 - ratio));
}

double LimitedQueue::responds_within(double t, const Distribution& service) const {
    const double up_to_busy = 1 / erlang_b(queue.servers, queue.offered());
    double sum = 0;
    for (const ServicePoint& point : service_points(service, queue.service_s)) {
        if (point.time_s > t) continue;
        sum += point.weight * waits_within(t - point.time_s, up_to_busy);
    }
    return sum;
}

double mean_wait_scatter(const ServerQueue& queue, double t) {
    const double rho = queue.utilisation();
    const double variation =
        0.5 * (queue.arrival_cv * queue.arrival_cv + queue.service_cv * queue.service_cv);
    const double single = (2 + rho * (5 + rho * (rho - 4))) / (rho * queue.waits());
    const double seen = t * static_cast<double>(queue.servers) / queue.service_s;
    return std::sqrt(single * variation / seen) / (1 - rho);
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
