#include "policies/routing/edf_schedule.hpp"

#include <algorithm>
#include <numeric>

#include "sim/core/check.hpp"

namespace headroom::policies {

EdfSchedule::Ticks EdfSchedule::round_of(const std::vector<std::int64_t>& weights) {
    constexpr std::int64_t kLeast = std::int64_t{1} << 40;
    constexpr std::int64_t kMost = std::int64_t{1} << 60;
    std::int64_t multiple = 1;
    for (const std::int64_t weight : weights) {
        HEADROOM_DCHECK(weight >= 1, "a weight is at least 1");
        const std::int64_t factor = weight / std::gcd(multiple, weight);
        if (factor > kMost / multiple) return kMost;
        multiple *= factor;
    }
    while (multiple < kLeast) multiple *= 2;  // fine enough for periods that are not whole
    return multiple;
}

std::uint64_t EdfSchedule::picks_in(Ticks round, const std::vector<Ticks>& periods) {
    std::uint64_t picks = 0;
    for (const Ticks period : periods) picks += static_cast<std::uint64_t>(round / period);
    return picks;
}

void EdfSchedule::start(const std::vector<Ticks>& periods, Ticks round, std::uint64_t picks) {
    // Not pick by pick: at the time when so many picks are about over, what each item has had is a
    // division. The few that are missing then are made.
    const std::uint64_t in_round = std::max<std::uint64_t>(1, picks_in(round, periods));
    HEADROOM_DCHECK(picks <= in_round, "more picks than a round has");
    const auto share = static_cast<Ticks>(picks);
    const auto all = static_cast<Ticks>(in_round);
    const Ticks time = round / all * share + round % all * share / all;
    std::uint64_t made = 0;
    heap_.clear();
    now_ = 0;
    for (std::uint32_t item = 0; item < periods.size(); ++item) {
        const Ticks times = time / periods[item];
        made += static_cast<std::uint64_t>(times);
        now_ = std::max(now_, times * periods[item]);
        heap_.push_back({(times + 1) * periods[item], 0, item});
    }
    // They were put back in the order of their last picks. Where that ties too, what is due
    // together has one period, and the first of the list has stayed the first.
    std::sort(heap_.begin(), heap_.end(), [&periods](const Entry& a, const Entry& b) {
        const Ticks last_a = a.deadline - periods[a.item];
        const Ticks last_b = b.deadline - periods[b.item];
        return last_a != last_b ? last_a < last_b : a.item < b.item;
    });
    next_order_ = 0;
    for (Entry& entry : heap_) entry.order = next_order_++;
    std::make_heap(heap_.begin(), heap_.end(), later);
    for (; made < picks; ++made) {
        const std::uint32_t item = take();
        put_back(item, periods[item]);
    }
}

std::uint32_t EdfSchedule::take() {
    HEADROOM_DCHECK(!heap_.empty(), "a pick of no items");
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Entry first = heap_.back();
    heap_.pop_back();
    now_ = first.deadline;
    return first.item;
}

void EdfSchedule::put_back(std::uint32_t item, Ticks period) {
    heap_.push_back({now_ + period, next_order_++, item});
    std::push_heap(heap_.begin(), heap_.end(), later);
}

bool EdfSchedule::later(const Entry& a, const Entry& b) {
    if (a.deadline != b.deadline) return a.deadline > b.deadline;
    return a.order > b.order;
}

}  // namespace headroom::policies
