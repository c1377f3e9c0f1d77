#include "sim/network/flow_network.hpp"

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::network {
namespace {

using tests::at;

std::vector<FlowId> finish_at(FlowNetwork& net, Time t) {
    std::vector<FlowId> out;
    net.finish_due(t, out);
    return out;
}

TEST_CASE("FlowNetwork: a lone flow takes its size over the capacity") {
    FlowNetwork net;
    const LinkId nic = net.add_link(1'000);
    const FlowId f = net.start(at(1), {{nic}}, Bytes{5'000});
    CHECK(net.rate(f) == 1'000);
    CHECK(net.used(nic) == 1'000);
    REQUIRE(net.next_finish() == at(6));
    CHECK(net.remaining(f, at(3)) == Bytes{3'000});
    CHECK(net.carried(nic, at(3)) == Bytes{2'000});
    CHECK(finish_at(net, at(6)) == std::vector<FlowId>{f});
    CHECK_FALSE(net.contains(f));
    CHECK_FALSE(net.next_finish().has_value());
    CHECK(net.carried(nic, at(9)) == Bytes{5'000});
    CHECK(net.used(nic) == 0);
}

TEST_CASE("FlowNetwork: two flows share a link, and the one that stays speeds up when one leaves") {
    FlowNetwork net;
    const LinkId link = net.add_link(1'000);
    const FlowId brief = net.start(at(0), {{link}}, Bytes{1'000});
    const FlowId big = net.start(at(0), {{link}}, Bytes{3'000});
    CHECK(net.rate(brief) == 500);
    CHECK(net.rate(big) == 500);
    REQUIRE(net.next_finish() == at(2));
    CHECK(finish_at(net, at(2)) == std::vector<FlowId>{brief});
    CHECK(net.rate(big) == 1'000);
    CHECK(net.remaining(big, at(2)) == Bytes{2'000});
    CHECK(net.next_finish() == at(4));
}

TEST_CASE("FlowNetwork: the parking lot gives the long flow its share of the tightest link") {
    FlowNetwork net;
    const LinkId a = net.add_link(1'000);
    const LinkId b = net.add_link(300);
    const LinkId c = net.add_link(900);
    const FlowId through = net.start(at(0), {{a, b, c}}, Bytes{1'000'000});
    const FlowId on_a = net.start(at(0), {{a}}, Bytes{1'000'000});
    const FlowId on_b1 = net.start(at(0), {{b}}, Bytes{1'000'000});
    const FlowId on_b2 = net.start(at(0), {{b}}, Bytes{1'000'000});
    const FlowId on_c = net.start(at(0), {{c}}, Bytes{1'000'000});
    CHECK(net.rate(through) == 100);
    CHECK(net.rate(on_b1) == 100);
    CHECK(net.rate(on_b2) == 100);
    CHECK(net.rate(on_a) == 900);
    CHECK(net.rate(on_c) == 800);
}

TEST_CASE("FlowNetwork: a flow's own limit leaves the rest to the others") {
    FlowNetwork net;
    const LinkId link = net.add_link(1'000);
    const FlowId slow = net.start(at(0), {{link}}, Bytes{10'000}, 200);
    const FlowId fast = net.start(at(0), {{link}}, Bytes{10'000}, 5'000);
    CHECK(net.rate(slow) == 200);
    CHECK(net.rate(fast) == 800);
}

TEST_CASE("FlowNetwork: a capacity change in mid-flow keeps what was moved") {
    FlowNetwork net;
    const LinkId link = net.add_link(1'000);
    const FlowId f = net.start(at(0), {{link}}, Bytes{10'000});
    net.set_capacity(at(4), link, 500);
    CHECK(net.remaining(f, at(4)) == Bytes{6'000});
    CHECK(net.next_finish() == at(16));
    net.set_capacity(at(6), link, 0);
    CHECK_FALSE(net.next_finish().has_value());
    CHECK_FALSE(net.finish_time(f).has_value());
    CHECK(net.remaining(f, at(100)) == Bytes{5'000});
    net.set_capacity(at(100), link, 5'000);
    CHECK(net.next_finish() == at(101));
}

TEST_CASE("FlowNetwork: nothing to move, and nowhere to move it, finish at once") {
    FlowNetwork net;
    const LinkId down = net.add_link(0);
    const FlowId nothing = net.start(at(1), {{down}}, Bytes{0});
    const FlowId local = net.start(at(1), {}, Bytes{1'000});
    const FlowId disk = net.start(at(1), {}, Bytes{1'000}, 100);
    REQUIRE(net.next_finish() == at(1));
    CHECK(finish_at(net, at(1)) == std::vector<FlowId>{nothing, local});
    CHECK(net.rate(disk) == 100);
    CHECK(net.next_finish() == at(11));
}

TEST_CASE("FlowNetwork: a zero-capacity link stalls only the flows that cross it") {
    FlowNetwork net;
    const LinkId down = net.add_link(0);
    const LinkId up = net.add_link(1'000);
    const FlowId stalled = net.start(at(0), {{up, down}}, Bytes{1'000});
    CHECK_FALSE(net.next_finish().has_value());
    const FlowId moving = net.start(at(0), {{up}}, Bytes{1'000});
    CHECK(net.rate(stalled) == 0);
    CHECK(net.rate(moving) == 1'000);
    CHECK(net.next_finish() == at(1));
}

TEST_CASE("FlowNetwork: cancel returns what was left, and a stale id is recognised") {
    FlowNetwork net;
    const LinkId link = net.add_link(1'000);
    const FlowId f = net.start(at(0), {{link}}, Bytes{10'000});
    CHECK(net.cancel(at(3), f) == Bytes{7'000});
    CHECK_FALSE(net.cancel(at(3), f).has_value());
    const FlowId again = net.start(at(3), {{link}}, Bytes{1'000});
    CHECK(again.index == f.index);
    CHECK(again != f);
    CHECK_FALSE(net.contains(f));
    CHECK(net.carried(link, at(3)) == Bytes{3'000});
}

TEST_CASE(
    "FlowNetwork: a finish is rounded up to a picosecond, and the link still carries exactly") {
    FlowNetwork net;
    const LinkId link = net.add_link(3);
    const FlowId f = net.start(Time::zero(), {{link}}, Bytes{1});
    REQUIRE(net.next_finish() == Time::picoseconds(333'333'333'334));
    CHECK(net.remaining(f, Time::picoseconds(333'333'333'333)) == Bytes{1});
    CHECK(finish_at(net, Time::picoseconds(333'333'333'334)).size() == 1);
    CHECK(net.carried(link, at(1)) == Bytes{1});
}

TEST_CASE("FlowNetwork: flows that finish together come in id order") {
    FlowNetwork net;
    const LinkId link = net.add_link(3'000);
    std::vector<FlowId> flows;
    for (int i = 0; i < 3; ++i) flows.push_back(net.start(at(0), {{link}}, Bytes{1'000}));
    CHECK(finish_at(net, at(1)) == flows);
}

TEST_CASE("FlowNetwork: a flow that is due may still be cancelled at that instant") {
    FlowNetwork net;
    const LinkId link = net.add_link(1'000);
    const FlowId a = net.start(at(0), {{link}}, Bytes{1'000});
    const FlowId b = net.start(at(1), {{link}}, Bytes{1'000});
    CHECK(net.rate(b) == 500);
    CHECK(net.next_finish() == at(1));
    CHECK(net.cancel(at(1), a) == Bytes{0});
    CHECK(net.rate(b) == 1'000);
    CHECK(net.next_finish() == at(2));
}

TEST_CASE("FlowNetwork: the sizes and rates of the largest clusters do not overflow") {
    FlowNetwork net;
    const LinkId fabric = net.add_link(FlowNetwork::kMaxCapacity);
    const FlowId f =
        net.start(Time::zero(), {{fabric}}, Bytes{std::numeric_limits<std::int64_t>::max()});
    CHECK(net.rate(f) == FlowNetwork::kMaxCapacity);
    const std::optional<Time> end = net.next_finish();
    REQUIRE(end.has_value());
    CHECK(end->to_seconds() == Approx(65536.0));
    CHECK(finish_at(net, *end).size() == 1);
    CHECK(net.carried(fabric, *end) == Bytes{std::numeric_limits<std::int64_t>::max()});
    const LinkId trickle = net.add_link(1);
    net.start(*end, {{trickle}}, Bytes{std::numeric_limits<std::int64_t>::max()});
    CHECK_FALSE(net.next_finish().has_value());
}

}  // namespace
}  // namespace headroom::network
