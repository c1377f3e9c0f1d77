#include <algorithm>
#include <map>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/policies/routing/hand_made_view.hpp"

namespace headroom::tests {
namespace {

HandMadeView view_of(const std::vector<std::int64_t>& in_flight) {
    return HandMadeView::of_in_flight(in_flight);
}

TEST_CASE("RoundRobin: goes through the endpoints in order and starts again") {
    const auto policy = make_router("round-robin");
    const HandMadeView view = view_of({0, 9, 0});
    std::vector<std::int64_t> picks;
    for (std::uint64_t i = 0; i < 7; ++i) picks.push_back(policy->pick(view, routed(i)));
    CHECK(picks == std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0});
}

TEST_CASE(
    "RoundRobin: starts at the first when the list shrinks below its turn, and goes on when it "
    "grows") {
    const auto policy = make_router("round-robin");
    const HandMadeView four = view_of({0, 0, 0, 0});
    const HandMadeView two = view_of({0, 0});
    CHECK(policy->pick(four, routed(0)) == 0);
    CHECK(policy->pick(four, routed(1)) == 1);
    CHECK(policy->pick(four, routed(2)) == 2);
    CHECK(policy->pick(two, routed(3)) == 0);
    CHECK(policy->pick(two, routed(4)) == 1);
    CHECK(policy->pick(four, routed(5)) == 2);
}

TEST_CASE("RandomChoice: takes its draw from the request's own index and no other") {
    const auto policy = make_router("random");
    const RandomStream stream = router_stream();
    const HandMadeView view = view_of({5, 0, 5, 5, 5, 5, 5});
    for (std::uint64_t i = 0; i < 100; ++i) {
        CHECK(policy->pick(view, routed(i, 3)) == static_cast<std::int64_t>(stream.below(7, i, 3)));
    }
}

TEST_CASE("LeastRequest: takes the endpoint with the fewest attempts in flight") {
    const auto policy = make_router("least-request");
    CHECK(policy->pick(view_of({4, 3, 1, 2}), routed(1)) == 2);
    CHECK(policy->pick(view_of({0, 3, 1, 2}), routed(1)) == 0);
    CHECK(policy->pick(view_of({4, 3, 1, 0}), routed(1)) == 3);
}

TEST_CASE("LeastRequest: draws uniformly among equally idle endpoints") {
    const auto policy = make_router("least-request");
    const HandMadeView view = view_of({2, 1, 5, 1, 1});
    std::map<std::int64_t, int> picks;
    for (std::uint64_t i = 0; i < 3000; ++i) ++picks[policy->pick(view, routed(i))];
    CHECK(picks.size() == 3);
    for (const std::int64_t position : {1, 3, 4}) {
        CHECK(picks[position] > 900);
        CHECK(picks[position] < 1100);
    }
}

TEST_CASE(
    "LeastRequest: with a choice count takes the first with the fewest of the endpoints drawn") {
    const auto policy = make_router("least-request", {{"choice_count", {std::int64_t{3}}}});
    const RandomStream stream = router_stream();
    const std::vector<std::int64_t> in_flight = {3, 1, 4, 1, 5, 9, 2, 6};
    const HandMadeView view = view_of(in_flight);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        std::uint64_t best = stream.below(8, i, 15);
        for (const std::uint64_t draw : {16, 17}) {
            const std::uint64_t other = stream.below(8, i, draw);
            if (in_flight[other] < in_flight[best]) best = other;
        }
        CHECK(policy->pick(view, routed(i, 5)) == static_cast<std::int64_t>(best));
    }
}

TEST_CASE("LeastRequest: a choice count of two is two-choice") {
    const auto policy = make_router("least-request", {{"choice_count", {std::int64_t{2}}}});
    const auto two = make_router("two-choice");
    const HandMadeView view = view_of({3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5});
    for (std::uint64_t i = 0; i < 1000; ++i) {
        CHECK(policy->pick(view, routed(i, i % 3)) == two->pick(view, routed(i, i % 3)));
    }
}

TEST_CASE("LeastRequest: equal weights make no schedule, whatever their value") {
    const auto plain = make_router("least-request");
    const auto equal = make_router("least-request", {{"weights", list_of({7, 7, 7})}});
    const HandMadeView view = view_of({2, 1, 5, 1, 1});
    for (std::uint64_t i = 0; i < 100; ++i) {
        CHECK(equal->pick(view, routed(i)) == plain->pick(view, routed(i)));
    }
}

TEST_CASE("LeastRequest: unequal weights share out by weight over attempts in flight") {
    // Two endpoints with weights 1 and 2 and with 0 and 3 in flight: shares 1 and 2 / 4^bias.
    struct Case {
        double bias;
        double first_share;
    };
    for (const Case c : {Case{0.0, 1.0 / 3}, Case{1.0, 2.0 / 3}, Case{0.5, 0.5}}) {
        INFO(c.bias);
        const auto policy = make_router(
            "least-request", {{"weights", list_of({1, 2})}, {"active_request_bias", {c.bias}}});
        const HandMadeView view = view_of({0, 3});
        int first = 0;
        for (std::uint64_t i = 0; i < 6000; ++i) first += policy->pick(view, routed(i)) == 0;
        CHECK(first == Approx(6000 * c.first_share).margin(2));
    }
}

TEST_CASE("LeastRequest: reads a weight when the endpoint is put back, not before") {
    const auto policy = make_router("least-request", {{"weights", list_of({1, 2})}});
    HandMadeView view = view_of({0, 0});
    std::vector<std::int64_t> picks;
    for (std::uint64_t i = 0; i < 6; ++i) picks.push_back(policy->pick(view, routed(i)));
    // Whatever the first pick of the round of three was, the turns are 1, 0, 1.
    CHECK(std::count(picks.begin(), picks.end(), 0) == 2);
    view.endpoints[1].in_flight = 99;  // its weight becomes 2/100 once it is put back
    int second = 0;
    for (std::uint64_t i = 0; i < 40; ++i) second += policy->pick(view, routed(i)) == 1;
    CHECK(second == 1);
}

TEST_CASE("TwoChoice: keeps the first drawn unless the second is strictly less busy") {
    const auto policy = make_router("two-choice");
    const RandomStream stream = router_stream();
    const std::vector<std::int64_t> in_flight = {3, 1, 4, 1, 5, 9, 2, 6};
    const HandMadeView view = view_of(in_flight);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        for (std::uint64_t draw = 0; draw < 3; ++draw) {
            const std::uint64_t first = stream.below(8, i, draw * 2);
            const std::uint64_t second = stream.below(8, i, draw * 2 + 1);
            const std::uint64_t expected = in_flight[second] < in_flight[first] ? second : first;
            CHECK(policy->pick(view, routed(i, draw)) == static_cast<std::int64_t>(expected));
        }
    }
}

TEST_CASE("TwoChoice: looks at two endpoints however many there are") {
    const auto policy = make_router("two-choice");
    const HandMadeView view = view_of(std::vector<std::int64_t>(1000, 0));
    static_cast<void>(policy->pick(view, routed(1)));
    CHECK(view.looks == 2);
}

TEST_CASE("TwoChoice: the busiest of three gets only what both draws give it") {
    // With replacement the busiest is picked when it is drawn twice: one time in nine.
    const auto policy = make_router("two-choice");
    const HandMadeView view = view_of({7, 3, 5});
    std::map<std::int64_t, int> picks;
    for (std::uint64_t i = 0; i < 9000; ++i) ++picks[policy->pick(view, routed(i))];
    CHECK(picks[0] == Approx(1000).epsilon(0.12));
    CHECK(picks[1] == Approx(5000).epsilon(0.05));
    CHECK(picks[2] == Approx(3000).epsilon(0.06));
}

}  // namespace
}  // namespace headroom::tests
