#include <map>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"
#include "tests/catch.hpp"

namespace headroom {
namespace {

using serving::RoutedRequest;
using serving::RoutingPolicy;

class FixedView final : public serving::RouterView {
  public:
    explicit FixedView(std::vector<std::int64_t> in_flight) : in_flight_(std::move(in_flight)) {}
    [[nodiscard]] std::int64_t size() const override {
        return static_cast<std::int64_t>(in_flight_.size());
    }
    [[nodiscard]] serving::EndpointView endpoint(std::int64_t position) const override {
        ++looks;
        return {.in_flight = in_flight_.at(static_cast<std::size_t>(position)), .weight = 1};
    }
    [[nodiscard]] std::int64_t kv_used_ppm(std::int64_t) const override { return 0; }
    [[nodiscard]] std::uint64_t generation() const override { return 1; }

    mutable std::int64_t looks = 0;

  private:
    std::vector<std::int64_t> in_flight_;
};

constexpr std::uint64_t kSeed = 7;

std::unique_ptr<RoutingPolicy> make(const std::string& name) {
    return make_policy<RoutingPolicy>({name, {}}, {RandomStream{kSeed, "router/chat"}});
}

RoutedRequest request(std::uint64_t number, std::uint64_t draw = 0) {
    return {.request = number, .draw = draw, .attributes = {}};
}

TEST_CASE("RoundRobin: goes through the endpoints in order and starts again") {
    const auto policy = make("round-robin");
    const FixedView view({0, 9, 0});
    std::vector<std::int64_t> picks;
    for (std::uint64_t i = 0; i < 7; ++i) picks.push_back(policy->pick(view, request(i)));
    CHECK(picks == std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0});
}

TEST_CASE(
    "RoundRobin: starts at the first when the list shrinks below its turn, and goes on when it "
    "grows") {
    const auto policy = make("round-robin");
    const FixedView four({0, 0, 0, 0});
    const FixedView two({0, 0});
    CHECK(policy->pick(four, request(0)) == 0);
    CHECK(policy->pick(four, request(1)) == 1);
    CHECK(policy->pick(four, request(2)) == 2);
    CHECK(policy->pick(two, request(3)) == 0);
    CHECK(policy->pick(two, request(4)) == 1);
    CHECK(policy->pick(four, request(5)) == 2);
}

TEST_CASE("RandomChoice: takes its draw from the request's own index and no other") {
    const auto policy = make("random");
    const RandomStream stream{kSeed, "router/chat"};
    const FixedView view({5, 0, 5, 5, 5, 5, 5});
    for (std::uint64_t i = 0; i < 100; ++i) {
        CHECK(policy->pick(view, request(i, 3)) ==
              static_cast<std::int64_t>(stream.below(7, i, 3)));
    }
}

TEST_CASE("LeastRequest: takes the endpoint with the fewest attempts in flight") {
    const auto policy = make("least-request");
    CHECK(policy->pick(FixedView({4, 3, 1, 2}), request(1)) == 2);
    CHECK(policy->pick(FixedView({0, 3, 1, 2}), request(1)) == 0);
    CHECK(policy->pick(FixedView({4, 3, 1, 0}), request(1)) == 3);
}

TEST_CASE("LeastRequest: draws uniformly among equally idle endpoints") {
    const auto policy = make("least-request");
    const FixedView view({2, 1, 5, 1, 1});
    std::map<std::int64_t, int> picks;
    for (std::uint64_t i = 0; i < 3000; ++i) ++picks[policy->pick(view, request(i))];
    CHECK(picks.size() == 3);
    for (const std::int64_t position : {1, 3, 4}) {
        CHECK(picks[position] > 900);
        CHECK(picks[position] < 1100);
    }
}

TEST_CASE("TwoChoice: keeps the first drawn unless the second is strictly less busy") {
    const auto policy = make("two-choice");
    const RandomStream stream{kSeed, "router/chat"};
    const std::vector<std::int64_t> in_flight = {3, 1, 4, 1, 5, 9, 2, 6};
    const FixedView view(in_flight);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        for (std::uint64_t draw = 0; draw < 3; ++draw) {
            const std::uint64_t first = stream.below(8, i, draw * 2);
            const std::uint64_t second = stream.below(8, i, draw * 2 + 1);
            const std::uint64_t expected = in_flight[second] < in_flight[first] ? second : first;
            CHECK(policy->pick(view, request(i, draw)) == static_cast<std::int64_t>(expected));
        }
    }
}

TEST_CASE("TwoChoice: looks at two endpoints however many there are") {
    const auto policy = make("two-choice");
    const FixedView view(std::vector<std::int64_t>(1000, 0));
    static_cast<void>(policy->pick(view, request(1)));
    CHECK(view.looks == 2);
}

TEST_CASE("TwoChoice: the busiest of three gets only what both draws give it") {
    // With replacement the busiest is picked when it is drawn twice: one time in nine.
    const auto policy = make("two-choice");
    const FixedView view({7, 3, 5});
    std::map<std::int64_t, int> picks;
    for (std::uint64_t i = 0; i < 9000; ++i) ++picks[policy->pick(view, request(i))];
    CHECK(picks[0] == Approx(1000).epsilon(0.12));
    CHECK(picks[1] == Approx(5000).epsilon(0.05));
    CHECK(picks[2] == Approx(3000).epsilon(0.06));
}

}  // namespace
}  // namespace headroom
