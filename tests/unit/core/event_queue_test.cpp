#include "sim/core/event_queue.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom {
namespace {

using Queue = EventQueue<std::uint64_t>;

EventKey key_at(std::int64_t ps, unsigned event_class = 0, std::uint64_t entity = 0,
                std::uint64_t ordinal = 0) {
    return EventKey::make(Time::picoseconds(ps), event_class, entity, ordinal);
}

/// The obvious twin: events in a sorted map.
struct Model {
    std::map<EventKey, std::uint64_t> events;
};

struct Known {
    EventHandle handle;
    EventKey key;
};

/// One random history of pushes, pops, cancels and moves against the model.
void compare_with_model(std::uint64_t seed, std::uint64_t steps, std::uint64_t target_size) {
    const RandomStream random{seed, "event-queue-test"};
    Queue queue;
    Model model;
    std::vector<Known> live;
    std::vector<EventHandle> gone;
    std::uint64_t fresh = 0;
    const auto new_key = [&](std::uint64_t step) {
        // Few distinct times and classes, so that every level of the order decides often.
        return key_at(static_cast<std::int64_t>(random.below(50, step, 2)),
                      static_cast<unsigned>(random.below(3, step, 3)), random.below(4, step, 4),
                      fresh++);
    };
    const auto forget = [&](std::size_t at) {
        gone.push_back(live[at].handle);
        live[at] = live.back();
        live.pop_back();
    };
    for (std::uint64_t step = 0; step < steps; ++step) {
        const std::uint64_t dice = random.below(100, step, 0);
        const bool grow = dice < (live.size() < target_size ? 60U : 30U);
        if (grow || live.empty()) {
            const EventKey key = new_key(step);
            live.push_back({queue.push(key, step), key});
            model.events.emplace(key, step);
        } else if (dice < 75) {
            const auto expected = *model.events.begin();
            REQUIRE(queue.top_key() == expected.first);
            REQUIRE(queue.top() == expected.second);
            const auto event = queue.pop();
            REQUIRE(event.key == expected.first);
            REQUIRE(event.payload == expected.second);
            model.events.erase(model.events.begin());
            const auto at = std::find_if(live.begin(), live.end(),
                                         [&](const Known& k) { return k.key == event.key; });
            forget(static_cast<std::size_t>(at - live.begin()));
        } else {
            const auto at = static_cast<std::size_t>(random.below(live.size(), step, 1));
            Known& chosen = live[at];
            REQUIRE(queue.contains(chosen.handle));
            REQUIRE(queue.key_of(chosen.handle) == chosen.key);
            if (dice < 85) {
                REQUIRE(queue.cancel(chosen.handle));
                model.events.erase(chosen.key);
                forget(at);
            } else {
                const EventKey key = new_key(step);
                const std::uint64_t payload = model.events.at(chosen.key);
                queue.move(chosen.handle, key);
                model.events.erase(chosen.key);
                model.events.emplace(key, payload);
                chosen.key = key;
            }
        }
        REQUIRE(queue.size() == model.events.size());
        if (!gone.empty()) {
            const EventHandle stale = gone[random.below(gone.size(), step, 5)];
            REQUIRE_FALSE(queue.contains(stale));
            REQUIRE_FALSE(queue.cancel(stale));
        }
    }
    while (!queue.empty()) {
        const auto event = queue.pop();
        REQUIRE(event.key == model.events.begin()->first);
        model.events.erase(model.events.begin());
    }
    REQUIRE(model.events.empty());
}

TEST_CASE("EventQueue: orders by time, then class, then entity, then ordinal") {
    Queue queue;
    const std::vector<EventKey> in_order = {
        key_at(-3),         key_at(1, 0, 5, 9), key_at(1, 1, 0, 0), key_at(1, 1, 2, 0),
        key_at(1, 1, 2, 1), key_at(1, 15, 0),   key_at(2, 0, 0, 0)};
    for (std::size_t i = in_order.size(); i-- > 0;) queue.push(in_order[i], i);
    for (std::size_t i = 0; i < in_order.size(); ++i) {
        const auto event = queue.pop();
        CHECK(event.payload == i);
        CHECK(event.key == in_order[i]);
    }
    CHECK(queue.empty());
}

TEST_CASE("EventQueue: both ways of comparing keys give one order") {
    std::vector<EventKey> keys;
    for (const std::int64_t ps : {-5L, 0L, 1L, 0x7fffffffffffffffL}) {
        for (const unsigned c : {0U, 7U, 8U, 15U}) {
            for (const std::uint64_t e : {0UL, (1UL << 40) - 1})
                keys.push_back(key_at(ps, c, e, e & 3));
        }
    }
    for (const EventKey& a : keys) {
        for (const EventKey& b : keys) {
            CHECK((a < b) == ((a <=> b) < 0));
            CHECK((a < b) == (a.time != b.time ? a.time < b.time : a.order < b.order));
        }
    }
}

TEST_CASE("EventQueue: a key gives back the parts it was made of") {
    const EventKey key = key_at(17, 15, (1ULL << 40) - 1, (1ULL << 20) - 1);
    CHECK(key.time == Time::picoseconds(17));
    CHECK(key.event_class() == 15);
    CHECK(key.entity() == (1ULL << 40) - 1);
    CHECK(key.ordinal() == (1ULL << 20) - 1);
    CHECK(key_at(0, 3, 5, 7).entity() == 5);
    CHECK(key_at(0, 3, 5, 7).ordinal() == 7);
}

TEST_CASE("EventQueue: the order of pushing leaves no trace") {
    std::vector<std::uint64_t> forward, backward;
    for (auto* order : {&forward, &backward}) {
        Queue queue;
        for (std::uint64_t i = 0; i < 200; ++i) {
            const std::uint64_t n = order == &forward ? i : 199 - i;
            queue.push(key_at(static_cast<std::int64_t>(n % 7), static_cast<unsigned>(n % 3), n),
                       n);
        }
        while (!queue.empty()) order->push_back(queue.pop().payload);
    }
    CHECK(forward == backward);
}

TEST_CASE("EventQueue: a handle is stale after its event ran, even when the slot is used again") {
    Queue queue;
    const EventHandle first = queue.push(key_at(1), 1);
    queue.pop();
    CHECK_FALSE(queue.contains(first));
    CHECK_FALSE(queue.cancel(first));
    const EventHandle second = queue.push(key_at(2), 2);
    CHECK(second.slot == first.slot);
    CHECK_FALSE(queue.contains(first));
    CHECK_FALSE(queue.cancel(first));
    CHECK(queue.size() == 1);
    CHECK(queue.cancel(second));
    CHECK_FALSE(queue.cancel(second));
    CHECK_FALSE(queue.contains(EventHandle{}));
}

TEST_CASE("EventQueue: move takes an event earlier and later") {
    Queue queue;
    for (std::uint64_t i = 1; i <= 20; ++i)
        queue.push(key_at(static_cast<std::int64_t>(10 * i)), i);
    const EventHandle h = queue.push(key_at(105), 99);
    queue.move(h, key_at(5));
    CHECK(queue.top() == 99);
    queue.move(h, key_at(15));
    CHECK(queue.pop().payload == 1);
    CHECK(queue.top() == 99);
    queue.move(h, key_at(1000));
    CHECK(queue.key_of(h) == key_at(1000));
    std::uint64_t last = 0;
    while (!queue.empty()) last = queue.pop().payload;
    CHECK(last == 99);
}

TEST_CASE("EventQueue: agrees with a sorted map over random histories") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        INFO("seed " << seed);
        compare_with_model(seed, 2000, seed % 5 == 0 ? 400 : 3 * seed);
    }
}

}  // namespace
}  // namespace headroom
