/// LearnedRate: how many requests per second one instance serves at its best, learnt from what it
/// did when it had more than enough to do.
///
/// The best of an instance is counted in tokens per second, prompt and output, because these show
/// at once what a change of the requests' lengths would hide: rate = tokens per second / tokens per
/// request. Tokens per second are learnt from instances whose queue stayed at max_queue or above in
/// three ticks in a row, at half of the instances at least: up at once, down by an eighth of the
/// difference a tick; and whenever more than that is seen. Tokens per request are tokens over
/// arrivals while no instance is saturated (what comes in goes out), by a sixteenth of the
/// difference a tick. Until the first saturation nothing is known: a rate that was never reached is
/// no capacity. O(1).
///
/// LearnedSlowdown: how many times longer a request is in a batch than at light load. By Little's
/// law it is there W = running / arrivals seconds; W is averaged by a quarter of the difference a
/// tick, and the light load's is the least of that, which rises by a 256th of the difference a tick
/// where it is exceeded, to forget requests of another kind. O(1).
///
/// ArrivalTrend: the slope of the arrivals between now and the oldest reading at most `window` ago,
/// at least half of it; a falling load counts as level. O(ticks of a window) memory, O(1) a tick.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policies/scaling/slo_aware/llm_signals.hpp"
#include "sim/core/time.hpp"

namespace headroom::policies {

class LearnedRate {
  public:
    void learn(const LlmSignals& signals);
    /// Requests per second; nullopt: no saturation was seen yet.
    [[nodiscard]] std::optional<double> rate() const;

  private:
    double tokens_per_s_ = 0.0;  ///< of one instance at its best; 0: not known
    double tokens_per_request_ = 0.0;
    bool balanced_ = false;  ///< tokens_per_request_ comes from a time without queues
    int saturated_ticks_ = 0;
};

class LearnedSlowdown {
  public:
    void learn(const LlmSignals& signals);
    /// At least 1; 1 while nothing is known.
    [[nodiscard]] double slowdown() const { return least_s_ > 0.0 ? residence_s_ / least_s_ : 1.0; }

  private:
    double residence_s_ = 0.0;
    double least_s_ = 0.0;
};

class ArrivalTrend {
  public:
    explicit ArrivalTrend(Duration window) : window_(window) {}

    void note(Time now, double arrivals);
    /// The newest reading, extrapolated; at most max_growth times itself. 0 without a reading.
    [[nodiscard]] double expected_after(double seconds, double max_growth) const;

  private:
    struct Reading {
        Time at;
        double arrivals = 0;
    };
    Duration window_;
    std::vector<Reading> readings_;  ///< times ascend, from first_ on
    std::size_t first_ = 0;
};

}  // namespace headroom::policies
