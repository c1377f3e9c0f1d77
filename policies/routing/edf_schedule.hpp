/// EdfSchedule: earliest deadline first, the schedule behind weighted round robin. Every item has a
/// deadline; the earliest one is taken, and time jumps to it; put back, the item is due one period
/// later. A period is a round divided by the weight, so within a round of time an item of weight w
/// is taken w times. Ties go to the earlier insertion.
///
/// Envoy's scheduler (source/common/upstream/edf_scheduler.h) with deadlines in whole ticks where
/// it has doubles: 1/w is exact in a round that w divides, so ties are ties and nothing drifts.
///
///     const EdfSchedule::Ticks round = EdfSchedule::round_of(weights);
///     schedule.start({round / 5, round}, round, 0);
///     const std::uint32_t item = schedule.take();
///     schedule.put_back(item, round / weights[item]);
///
/// take and put_back are O(log n), start is O(n log n). Ticks have no unit; 128 bits of them are
/// 2^66 rounds.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::policies {

class EdfSchedule {
  public:
    using Ticks = Int128;

    /// A round in which every weight has a whole period: a multiple of them all, between 2^40 and
    /// 2^61. Weights without one that small get 2^60, and their periods are rounded down.
    [[nodiscard]] static Ticks round_of(const std::vector<std::int64_t>& weights);
    /// How often items of these periods are taken in a round from the start.
    [[nodiscard]] static std::uint64_t picks_in(Ticks round, const std::vector<Ticks>& periods);

    /// Items 0, 1, ... of these periods, inserted in this order at time 0, as they stand after the
    /// first `picks` picks, each put back with its own period. `picks` <= picks_in(round, periods).
    void start(const std::vector<Ticks>& periods, Ticks round, std::uint64_t picks);
    /// Removes the item that is due first.
    [[nodiscard]] std::uint32_t take();
    /// Puts an item in, due one period from the time of the last take.
    void put_back(std::uint32_t item, Ticks period);

  private:
    struct Entry {
        Ticks deadline;
        std::uint64_t order;  ///< of insertion
        std::uint32_t item;
    };
    /// Whether `a` is due after `b`: makes the standard library's heap one of earliest entries.
    [[nodiscard]] static bool later(const Entry& a, const Entry& b);

    std::vector<Entry> heap_;
    Ticks now_ = 0;
    std::uint64_t next_order_ = 0;
};

}  // namespace headroom::policies
