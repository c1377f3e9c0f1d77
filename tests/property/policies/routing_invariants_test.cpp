/// Every registered routing policy, by enumeration: what any of them must keep.
#include <algorithm>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"
#include "tests/catch.hpp"
#include "tests/property/policies/test_policies.hpp"

namespace headroom::policies {
namespace {

using serving::RoutedRequest;
using serving::RoutingPolicy;

constexpr std::uint64_t kRoutingSeed = 20'240'607;

class LoadView final : public serving::RouterView {
  public:
    LoadView(std::int64_t size, std::int64_t most, std::uint64_t index) {
        const RandomStream random{kRoutingSeed, "view"};
        for (std::int64_t i = 0; i < size; ++i) {
            in_flight.push_back(static_cast<std::int64_t>(random.below(
                static_cast<std::uint64_t>(most), index, static_cast<std::uint64_t>(i))));
        }
    }
    [[nodiscard]] std::int64_t size() const override {
        return static_cast<std::int64_t>(in_flight.size());
    }
    [[nodiscard]] serving::EndpointView endpoint(std::int64_t position) const override {
        return {.in_flight = in_flight.at(static_cast<std::size_t>(position))};
    }
    [[nodiscard]] std::uint32_t ordinal(std::int64_t position) const override {
        return static_cast<std::uint32_t>(2 * position + 1);
    }
    [[nodiscard]] serving::InstanceLoad load(std::int64_t position) const override {
        serving::InstanceLoad load;
        load.in_flight = in_flight.at(static_cast<std::size_t>(position));
        load.waiting = load.in_flight / 2;
        load.running = load.in_flight - load.waiting;
        load.kv_used_blocks = position % 1000;
        load.kv_total_blocks = 1000;
        return load;
    }
    [[nodiscard]] std::uint64_t generation() const override { return in_flight.size(); }
    [[nodiscard]] Time now() const override { return time; }

    std::vector<std::int64_t> in_flight;
    Time time;
};

/// A request like any other: of one of some sessions, with contents two times in three.
RoutedRequest request_of(std::uint64_t number, std::uint64_t draw) {
    static const std::vector<serving::ContentsRef> contents = [] {
        const RandomStream random{kRoutingSeed, "contents"};
        std::vector<serving::ContentsRef> list;
        for (std::uint64_t i = 0; i < 20; ++i) {
            auto* made = new serving::TokenContents;
            made->tokens_per_id = i % 3 == 0 ? 5 : 16 * static_cast<std::int64_t>(i % 3);
            for (std::uint64_t k = 0; k < random.below(40, i, 0); ++k) {
                made->ids.push_back(random.below(2, i, k + 1));
            }
            list.emplace_back(made);
        }
        return list;
    }();
    RoutedRequest request{number, draw, {}};
    request.attributes.session = static_cast<std::uint32_t>(number % 13);
    request.attributes.tenant = static_cast<std::uint32_t>(number % 3);
    request.prompt = 1 + static_cast<std::int64_t>(number * 37 % 900);
    if (number % 3 != 0) request.contents = contents[number % contents.size()].get();
    return request;
}

/// What a router that looks now and then would see in between.
void look_now_and_then(RoutingPolicy& policy, const serving::RouterView& view,
                       std::uint64_t number) {
    if (policy.observes_every() > Duration::zero() && number % 4 == 1) policy.observe(view);
}

std::unique_ptr<RoutingPolicy> make_router(const Registry<RoutingPolicy>::Entry& entry) {
    Parameters parameters;
    tests::complete(parameters, entry.specs);
    return entry.make(parameters, {RandomStream{kRoutingSeed, "router"}});
}

/// Lists of changing length and load, as a router sees them in a run.
LoadView random_load_view(std::uint64_t index) {
    const RandomStream random{kRoutingSeed, "shape"};
    return LoadView(1 + static_cast<std::int64_t>(random.below(40, index, 0)),
                    1 + static_cast<std::int64_t>(random.below(9, index, 1)), index);
}

TEST_CASE("Routing policies: a pick is a valid position, whatever the list") {
    for (const auto& [name, entry] : Registry<RoutingPolicy>::instance().entries()) {
        INFO(name << ", seed " << kRoutingSeed);
        const auto policy = make_router(entry);
        bool valid = true;
        for (std::uint64_t i = 0; i < 2000; ++i) {
            LoadView view = random_load_view(i);
            view.time = Time::from_seconds(static_cast<double>(i));
            look_now_and_then(*policy, view, i);
            const std::int64_t pick = policy->pick(view, request_of(i, i % 3));
            valid = valid && pick >= 0 && pick < view.size();
        }
        CHECK(valid);
    }
}

TEST_CASE("Routing policies: equal histories give equal picks") {
    for (const auto& [name, entry] : Registry<RoutingPolicy>::instance().entries()) {
        INFO(name << ", seed " << kRoutingSeed);
        const auto one = make_router(entry);
        const auto two = make_router(entry);
        bool equal = true;
        for (std::uint64_t i = 0; i < 2000; ++i) {
            const LoadView view = random_load_view(i);
            look_now_and_then(*one, view, i);
            look_now_and_then(*two, view, i);
            equal = equal && one->pick(view, request_of(i, 0)) == two->pick(view, request_of(i, 0));
        }
        CHECK(equal);
    }
}

TEST_CASE("Routing policies: one endpoint gets everything") {
    for (const auto& [name, entry] : Registry<RoutingPolicy>::instance().entries()) {
        INFO(name);
        const auto policy = make_router(entry);
        const LoadView view(1, 100, 3);
        for (std::uint64_t i = 0; i < 50; ++i) {
            CHECK(policy->pick(view, request_of(i, 0)) == 0);
        }
    }
}

TEST_CASE("Routing policies: least-request never picks a strictly busier endpoint") {
    const auto* entry = Registry<RoutingPolicy>::instance().find("least-request");
    REQUIRE(entry != nullptr);
    const auto policy = make_router(*entry);
    for (std::uint64_t i = 0; i < 2000; ++i) {
        const LoadView view = random_load_view(i);
        const auto pick = static_cast<std::size_t>(policy->pick(view, {i, 0, {}}));
        const auto fewest = *std::min_element(view.in_flight.begin(), view.in_flight.end());
        if (view.in_flight[pick] != fewest) FAIL("view " << i);
    }
}

TEST_CASE("Routing policies: on equal endpoints each gets its share") {
    constexpr std::int64_t kEndpoints = 10;
    constexpr std::uint64_t kRequests = 50'000;
    for (const char* name : {"random", "round-robin", "least-request", "two-choice", "weighted"}) {
        INFO(name << ", seed " << kRoutingSeed);
        const auto* entry = Registry<RoutingPolicy>::instance().find(name);
        REQUIRE(entry != nullptr);
        const auto policy = make_router(*entry);
        const LoadView view(kEndpoints, 1, 0);
        std::vector<double> counts(kEndpoints, 0.0);
        for (std::uint64_t i = 0; i < kRequests; ++i) {
            counts[static_cast<std::size_t>(policy->pick(view, {i, 0, {}}))] += 1.0;
        }
        const double expected = static_cast<double>(kRequests) / kEndpoints;
        double chi_squared = 0.0;
        for (const double count : counts) {
            chi_squared += (count - expected) * (count - expected) / expected;
        }
        CHECK(chi_squared < 27.9);  // 9 degrees of freedom, 0.1 %
    }
}

TEST_CASE("Routing policies: what knows no more than equal endpoints spreads over all of them") {
    for (const auto& [name, entry] : Registry<RoutingPolicy>::instance().entries()) {
        if (tests::for_tests(name) || name == "shortest-queue") continue;  // ties to the first
        INFO(name << ", seed " << kRoutingSeed);
        const auto policy = make_router(entry);
        LoadView view(10, 1, 0);
        std::vector<bool> taken(10, false);
        for (std::uint64_t i = 0; i < 500; ++i) {
            const RoutedRequest request{i, 0, {}};
            const auto pick = static_cast<std::size_t>(policy->pick(view, request));
            taken[pick] = true;
        }
        CHECK(std::count(taken.begin(), taken.end(), true) == 10);
    }
}

TEST_CASE("Routing policies: two choices leave a far shorter longest queue than one") {
    const auto longest = [](const char* name) {
        const auto policy = make_router(*Registry<RoutingPolicy>::instance().find(name));
        LoadView view(1000, 1, 0);
        for (std::uint64_t i = 0; i < 100'000; ++i) {
            ++view.in_flight[static_cast<std::size_t>(policy->pick(view, {i, 0, {}}))];
        }
        return *std::max_element(view.in_flight.begin(), view.in_flight.end());
    };
    CHECK(longest("round-robin") == 100);
    CHECK(longest("least-request") == 100);
    CHECK(longest("two-choice") <= 105);
    CHECK(longest("random") >= 125);
}

}  // namespace
}  // namespace headroom::policies
