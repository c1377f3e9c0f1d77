#include "sim/core/ring_buffer.hpp"

#include <deque>
#include <memory>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/scale.hpp"

namespace headroom {
namespace {

TEST_CASE("RingBuffer: both ends are queues, and positions count from the front") {
    RingBuffer<int> ring;
    CHECK(ring.empty());
    for (int i = 0; i < 5; ++i) ring.push_back(i);
    ring.push_front(-1);
    CHECK(ring.size() == 6);
    CHECK(ring.front() == -1);
    CHECK(ring[5] == 4);
    CHECK(ring.pop_front() == -1);
    CHECK(ring.pop_front() == 0);
    ring.erase_at(1);
    CHECK(ring.size() == 3);
    CHECK(ring[0] == 1);
    CHECK(ring[1] == 3);
    CHECK(ring[2] == 4);
    ring.clear();
    CHECK(ring.empty());
    ring.push_front(7);
    CHECK(ring.front() == 7);
}

TEST_CASE("RingBuffer: holds what can only be moved") {
    RingBuffer<std::unique_ptr<int>> ring;
    for (int i = 0; i < 20; ++i) ring.push_back(std::make_unique<int>(i));
    ring.erase_at(3);
    for (int i = 0; i < 20; ++i) {
        if (i != 3) CHECK(*ring.pop_front() == i);
    }
    CHECK(ring.empty());
}

TEST_CASE("RingBuffer: equals a std::deque over random operations") {
    const RandomStream random{7, "ring"};
    RingBuffer<std::int64_t> ring;
    std::deque<std::int64_t> model;
    bool equal = true;
    const std::int64_t steps = tests::scaled(200'000, 20'000);
    for (std::int64_t i = 0; i < steps; ++i) {
        const auto index = static_cast<std::uint64_t>(i);
        // Growing and shrinking by turns, so that the array wraps at every size.
        const std::uint64_t growing = i / 300 % 2 == 0 ? 6 : 4;
        const std::uint64_t draw = random.below(10, index);
        if (draw < growing / 2 + 1) {
            ring.push_back(i);
            model.push_back(i);
        } else if (draw < growing) {
            ring.push_front(i);
            model.push_front(i);
        } else if (!model.empty() && draw < 8) {
            equal = equal && ring.pop_front() == model.front();
            model.pop_front();
        } else if (!model.empty()) {
            const auto at = static_cast<std::size_t>(random.below(model.size(), index, 1));
            ring.erase_at(at);
            model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
        }
        equal = equal && ring.size() == model.size();
        if (!model.empty()) {
            const auto at = static_cast<std::size_t>(random.below(model.size(), index, 2));
            equal = equal && ring[at] == model[at] && ring.front() == model.front();
        }
    }
    CHECK(equal);
}

}  // namespace
}  // namespace headroom
