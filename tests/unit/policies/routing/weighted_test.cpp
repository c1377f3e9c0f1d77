// Weighted turns: the schedule of earliest deadlines, and the policy on top of it.
#include <algorithm>
#include <map>

#include "policies/routing/edf_schedule.hpp"
#include "policies/routing/endpoint_weights.hpp"
#include "tests/catch.hpp"
#include "tests/unit/policies/routing/hand_made_view.hpp"

namespace headroom::tests {
namespace {

using policies::EdfSchedule;
using Picks = std::vector<std::uint32_t>;
using Ticks = EdfSchedule::Ticks;

std::vector<Ticks> periods_of(Ticks round, const std::vector<std::int64_t>& weights) {
    std::vector<Ticks> periods;
    for (const std::int64_t weight : weights) periods.push_back(round / weight);
    return periods;
}

Picks picks_of(const std::vector<std::int64_t>& weights, std::uint64_t skipped, int count) {
    const Ticks round = EdfSchedule::round_of(weights);
    const std::vector<Ticks> periods = periods_of(round, weights);
    EdfSchedule schedule;
    schedule.start(periods, round, skipped);
    Picks picks;
    for (int i = 0; i < count; ++i) {
        picks.push_back(schedule.take());
        schedule.put_back(picks.back(), periods[picks.back()]);
    }
    return picks;
}

std::map<std::int64_t, int> counts_of(serving::RoutingPolicy& policy, const HandMadeView& view,
                                      std::uint64_t requests) {
    std::map<std::int64_t, int> counts;
    for (std::uint64_t i = 0; i < requests; ++i) ++counts[policy.pick(view, routed(i))];
    return counts;
}

}  // namespace

TEST_CASE(
    "EdfSchedule: takes what is due first, and of what is due together the earlier insertion") {
    // Deadlines 1/3 2/3 1 and 1/2 1 and 1: at 1 the order is that of insertion at 0, 1/2 and 2/3.
    CHECK(picks_of({3, 2, 1}, 0, 12) == Picks{0, 1, 0, 2, 1, 0, 0, 1, 0, 2, 1, 0});
    CHECK(picks_of({1, 1, 1}, 0, 7) == Picks{0, 1, 2, 0, 1, 2, 0});
    CHECK(picks_of({1, 1000}, 0, 3) == Picks{1, 1, 1});
}

TEST_CASE("EdfSchedule: ties stay ties however long it runs") {
    // Thirds, sevenths and elevenths do not add up to 1 in doubles.
    const Picks whole = picks_of({3, 7, 11}, 0, 21 * 5000);
    const Picks round(whole.begin(), whole.begin() + 21);
    CHECK(std::count(round.begin(), round.end(), 0U) == 3);
    CHECK(std::count(round.begin(), round.end(), 1U) == 7);
    bool periodic = true;
    for (std::size_t i = 0; i < whole.size(); ++i) periodic = periodic && whole[i] == round[i % 21];
    CHECK(periodic);
}

TEST_CASE("EdfSchedule: a start after some picks is what those picks leave") {
    const RandomStream random{11, "edf"};
    for (std::uint64_t n = 0; n < 300; ++n) {
        std::vector<std::int64_t> weights;
        const std::uint64_t items = 1 + random.below(6, n, 0);
        std::uint64_t sum = 0;
        for (std::uint64_t i = 0; i < items; ++i) {
            weights.push_back(static_cast<std::int64_t>(1 + random.below(9, n, i + 1)));
            sum += static_cast<std::uint64_t>(weights.back());
        }
        const Picks all = picks_of(weights, 0, static_cast<int>(2 * sum));
        const std::uint64_t skipped = random.below(sum, n, 20);
        const Picks rest = picks_of(weights, skipped, static_cast<int>(sum));
        INFO("case " << n << ", skipped " << skipped);
        CHECK(std::equal(rest.begin(), rest.end(),
                         all.begin() + static_cast<std::ptrdiff_t>(skipped)));
    }
}

TEST_CASE("EdfSchedule: a round is a multiple of the weights, or as fine as it can be") {
    CHECK(EdfSchedule::round_of({1, 1}) == Ticks{1} << 40);
    const Ticks round = EdfSchedule::round_of({3, 7, 1'000'000});
    for (const std::int64_t weight : {3, 7, 1'000'000}) CHECK(round % weight == 0);
    // Primes whose product is far beyond 2^60.
    const std::vector<std::int64_t> primes = {999'983, 999'979, 999'961, 999'959};
    CHECK(EdfSchedule::round_of(primes) == Ticks{1} << 60);
    const Picks picks = picks_of(primes, 0, 4000);
    for (std::uint32_t i = 0; i < 4; ++i) CHECK(std::count(picks.begin(), picks.end(), i) == 1000);
}

TEST_CASE("EndpointWeights: a period is a round over weight / (active + 1)^bias") {
    using policies::effective_weight;
    using policies::period_of;
    CHECK(effective_weight(2, 3, 1.0) == Approx(0.5));
    CHECK(effective_weight(3, 8, 0.5) == Approx(1.0));
    CHECK(effective_weight(7, 100, 0.0) == 7.0);
    CHECK(period_of(1 << 20, 4, 0, 1.0) == 1 << 18);
    CHECK(period_of(1 << 20, 4, 2, 1.0) == 3 << 18);
    CHECK(period_of(1 << 20, 4, 1000, 0.0) == 1 << 18);
    CHECK(period_of(1 << 20, 4, 3, 0.5) == 1 << 19);
    CHECK(period_of(1, 1'000'000, 0, 0.0) == 1);
    // However much is in flight, the sum of many still fits.
    CHECK(period_of(Ticks{1} << 60, 1, 1'000'000, 100.0) == Ticks{1} << 90);
}

TEST_CASE("Weighted: gives each endpoint the turns of its weight, by ordinal and in cycles") {
    const auto policy = make_router("weighted", {{"weights", list_of({2, 1})}});
    HandMadeView view = HandMadeView::of_size(4);
    CHECK(counts_of(*policy, view, 600) ==
          std::map<std::int64_t, int>{{0, 200}, {1, 100}, {2, 200}, {3, 100}});
    view.remove(0);  // ordinals 1, 2, 3 are left
    CHECK(counts_of(*policy, view, 400) ==
          std::map<std::int64_t, int>{{0, 100}, {1, 200}, {2, 100}});
}

TEST_CASE("Weighted: equal weights are plain turns") {
    const auto policy = make_router("weighted");
    const HandMadeView view = HandMadeView::of_size(5);
    const std::int64_t first = policy->pick(view, routed(0));
    for (std::uint64_t i = 1; i < 20; ++i) {
        CHECK(policy->pick(view, routed(i)) == (first + static_cast<std::int64_t>(i)) % 5);
    }
}

TEST_CASE("Weighted: a list that changes at every pick still gives each its share") {
    // Began it with the first endpoint each time, the last would never have a turn.
    const auto policy = make_router("weighted", {{"weights", list_of({1, 1, 2})}});
    HandMadeView view = HandMadeView::of_size(3);
    std::map<std::int64_t, int> counts;
    for (std::uint64_t i = 0; i < 8000; ++i) {
        ++view.changes;
        ++counts[policy->pick(view, routed(i))];
    }
    CHECK(counts[0] == Approx(2000).epsilon(0.06));
    CHECK(counts[1] == Approx(2000).epsilon(0.06));
    CHECK(counts[2] == Approx(4000).epsilon(0.06));
}

}  // namespace headroom::tests
