#include "analysis/results/capacity_lag.hpp"

#include <algorithm>
#include <cstddef>
#include <queue>
#include <vector>

namespace headroom::analysis {

namespace {

struct Raise {
    std::int64_t target = 0;
    std::int64_t replicas = 0;
    Time at;
};

/// The least target on top: it is reached first. All raises below one target end together, so their
/// order does not matter.
struct LessTarget {
    bool operator()(const Raise& a, const Raise& b) const { return a.target > b.target; }
};

class LagMeter {
  public:
    void add(const Raise& raise) { open_.push(raise); }

    void end_reached(Time now, std::int64_t desired, std::int64_t ready) {
        const bool nothing_missing = desired <= ready;
        while (!open_.empty() && (nothing_missing || open_.top().target <= ready)) end_one(now);
    }

    CapacityLag finish(Time end) {
        while (!open_.empty()) end_one(end);
        return lag_;
    }

  private:
    void end_one(Time now) {
        const Raise& raise = open_.top();
        const Duration lag = now - raise.at;
        lag_.replicas += raise.replicas;
        lag_.waited.add(raise.replicas, lag);
        lag_.longest = std::max(lag_.longest, lag);
        open_.pop();
    }

    std::priority_queue<Raise, std::vector<Raise>, LessTarget> open_;
    CapacityLag lag_;
};

}  // namespace

CapacityLag& CapacityLag::operator+=(const CapacityLag& o) {
    replicas += o.replicas;
    waited += o.waited;
    longest = std::max(longest, o.longest);
    return *this;
}

std::optional<double> CapacityLag::mean_s() const {
    if (replicas == 0) return std::nullopt;
    return waited.to_seconds() / static_cast<double>(replicas);
}

std::optional<double> CapacityLag::max_s() const {
    if (replicas == 0) return std::nullopt;
    return longest.to_seconds();
}

CapacityLag capacity_lag(const metrics::TimeSeries& desired, const metrics::TimeSeries& ready,
                         Time end) {
    const auto& asked = desired.points();
    const auto& there = ready.points();
    LagMeter meter;
    std::int64_t desired_now = asked.empty() ? 0 : asked.front().value;
    std::int64_t ready_now = 0;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < asked.size() || j < there.size()) {
        const Time now = std::min(i < asked.size() ? asked[i].time : Time::max(),
                                  j < there.size() ? there[j].time : Time::max());
        if (j < there.size() && there[j].time == now) ready_now = there[j++].value;
        if (i < asked.size() && asked[i].time == now) {
            const std::int64_t target = asked[i++].value;
            if (target > desired_now) meter.add({target, target - desired_now, now});
            desired_now = target;
        }
        meter.end_reached(now, desired_now, ready_now);
    }
    return meter.finish(end);
}

}  // namespace headroom::analysis
