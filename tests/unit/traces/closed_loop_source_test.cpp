#include "traces/generators/closed_loop_source.hpp"

#include <map>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::traces {
namespace {

using tests::at;

ClosedLoopConfig closed_loop_of(std::uint32_t users) {
    return {.name = "users",
            .seed = 9,
            .users = users,
            .think = Distribution::fixed(2),
            .prompt = LengthModel(Distribution::fixed(100)),
            .output = LengthModel(Distribution::fixed(10))};
}

TEST_CASE("ClosedLoopSource: users start along the ramp, the lowest first") {
    ClosedLoopConfig c = closed_loop_of(4);
    c.ramp = Duration::seconds(8);
    ClosedLoopSource source(std::move(c));
    for (std::uint32_t user = 0; user < 4; ++user) {
        CHECK(source.peek() == at(2.0 * user));
        CHECK(source.take().user == user);
    }
    CHECK_FALSE(source.peek().has_value());
    CHECK(source.in_flight() == 4);
}

TEST_CASE("ClosedLoopSource: a user thinks, and ties go to the lowest user") {
    ClosedLoopSource source(closed_loop_of(3));
    for (int i = 0; i < 3; ++i) (void)source.take();
    source.completed({at(5), 2});
    source.completed({at(5), 0});
    source.completed({at(4), 1});
    CHECK(source.peek() == at(6));
    CHECK(source.take().user == 1);
    CHECK(source.take().user == 0);
    const serving::Arrival last = source.take();
    CHECK(last.user == 2);
    CHECK(last.time == at(7));
}

TEST_CASE("ClosedLoopSource: a failure makes its user pause") {
    ClosedLoopConfig c = closed_loop_of(1);
    c.think = Distribution::fixed(0);
    c.failure_pause = Duration::seconds(3);
    ClosedLoopSource source(std::move(c));
    (void)source.take();
    source.completed({at(0), 0, serving::Outcome::rejected});
    CHECK(source.peek() == at(3));
    (void)source.take();
    source.completed({at(4), 0});
    CHECK(source.peek() == at(4));
}

TEST_CASE("ClosedLoopSource: ends at its end and after its limit") {
    ClosedLoopConfig c = closed_loop_of(1);
    c.end = at(4);
    ClosedLoopSource timed(std::move(c));
    (void)timed.take();
    timed.completed({at(1.9), 0});
    CHECK(timed.peek().has_value());
    (void)timed.take();
    timed.completed({at(3), 0});
    CHECK_FALSE(timed.peek().has_value());
    ClosedLoopConfig d = closed_loop_of(5);
    d.limit = 3;
    ClosedLoopSource limited(std::move(d));
    for (int i = 0; i < 3; ++i) (void)limited.take();
    CHECK_FALSE(limited.peek().has_value());
}

/// Runs the source against a server that takes `service` each; returns the draws of each user:
/// prompts, and the picoseconds thought before each but the first.
std::map<std::uint32_t, std::vector<std::int64_t>> drive(ClosedLoopSource& source, Duration service,
                                                         int requests, std::uint32_t users) {
    std::map<std::uint32_t, std::vector<std::int64_t>> draws;
    std::map<std::uint32_t, Time> ended;
    std::multimap<Time, std::uint32_t> running;
    for (int taken = 0; taken < requests;) {
        const OptionalTime next = source.peek();
        if (!running.empty() && (!next || running.begin()->first <= *next)) {
            source.completed({running.begin()->first, running.begin()->second});
            ended[running.begin()->second] = running.begin()->first;
            running.erase(running.begin());
            continue;
        }
        REQUIRE(next.has_value());
        const serving::Arrival arrival = source.take();
        draws[arrival.user].push_back((arrival.time - ended[arrival.user]).ps());
        draws[arrival.user].push_back(arrival.prompt.count());
        running.emplace(arrival.time + service, arrival.user);
        ++taken;
        REQUIRE(source.in_flight() == running.size());
        REQUIRE(source.in_flight() <= users);
    }
    return draws;
}

TEST_CASE("ClosedLoopSource: without think time all users are always in flight") {
    ClosedLoopConfig c = closed_loop_of(7);
    c.think = Distribution::fixed(0);
    ClosedLoopSource source(std::move(c));
    for (int i = 0; i < 7; ++i) (void)source.take();
    for (int i = 0; i < 1000; ++i) {
        CHECK_FALSE(source.peek().has_value());
        CHECK(source.in_flight() == 7);
        source.completed({at(1 + i), static_cast<std::uint32_t>(i % 7)});
        CHECK(source.take().user == static_cast<std::uint32_t>(i % 7));
    }
}

TEST_CASE("ClosedLoopSource: a user's draws do not depend on how fast the system is") {
    const auto make = [] {
        ClosedLoopConfig c = closed_loop_of(5);
        c.think = Distribution::exponential(3);
        c.prompt = LengthModel(Distribution::lognormal(6, 1));
        return ClosedLoopSource(std::move(c));
    };
    ClosedLoopSource slow = make(), fast = make();
    const auto a = drive(slow, Duration::seconds(20), 500, 5);
    const auto b = drive(fast, Duration::milliseconds(1), 500, 5);
    for (const auto& [user, drawn] : a) {
        const auto& other = b.at(user);
        const std::size_t common = std::min(drawn.size(), other.size());
        REQUIRE(common > 50);
        for (std::size_t t = 0; t < common; ++t) CHECK(drawn[t] == other[t]);
    }
}

}  // namespace
}  // namespace headroom::traces
