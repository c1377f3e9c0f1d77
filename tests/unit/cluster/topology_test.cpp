#include "sim/cluster/topology.hpp"

#include "sim/cluster/components.hpp"
#include "tests/catch.hpp"

namespace headroom::cluster {
namespace {

using network::FlowNetwork;

constexpr std::int64_t kGigabyte = 1'000'000'000;

std::vector<std::string> names(const FlowNetwork& net, const Route& route) {
    std::vector<std::string> out;
    for (const auto link : route.links) out.push_back(net.link_name(link));
    return out;
}

using Names = std::vector<std::string>;
using Numbers = std::vector<std::uint32_t>;

TEST_CASE("Topology: the default star leads from storage over the zone to the node") {
    FlowNetwork net;
    Topology topology{net};
    const StarTopology star =
        build_star(topology, {.zones = {"a", "b"},
                              .storages = {{.name = "registry", .bytes_per_s = 5 * kGigabyte}},
                              .zone_latency = Duration::microseconds(100)});
    const VertexId node =
        topology.attach_host(star.zones[1], "n", kGigabyte, Duration::microseconds(10));
    const Route& pull = topology.route(star.storages[0], node);
    REQUIRE(pull.reachable);
    CHECK(names(net, pull) == Names{"registry->backbone", "backbone->b", "b:host4:in"});
    CHECK(pull.latency == Duration::microseconds(250 + 100 + 10));
    const auto flow = net.start(Time::zero(), pull.links, Bytes{kGigabyte});
    CHECK(net.rate(flow) == kGigabyte);
    const VertexId neighbour = topology.attach_host(star.zones[1], "m", kGigabyte);
    CHECK(topology.route(node, neighbour).links.size() == 2);
    CHECK(topology.route(node, node).links.empty());
    CHECK(topology.route(node, node).reachable);
}

TEST_CASE("Topology: the least latency wins, then the fewest links, then the lowest vertex") {
    FlowNetwork net;
    Topology topology{net};
    std::vector<VertexId> v;
    for (const char* name : {"s", "x", "y", "t"}) {
        v.push_back(topology.add_vertex(VertexKind::site, name));
    }
    const auto us = [](std::int64_t n) { return Duration::microseconds(n); };
    topology.connect(v[0], v[3], kGigabyte, us(10));
    CHECK(names(net, topology.route(v[0], v[3])) == Names{"s->t"});
    topology.connect(v[0], v[2], kGigabyte, us(4));
    topology.connect(v[2], v[3], kGigabyte, us(5));
    CHECK(names(net, topology.route(v[0], v[3])) == Names{"s->y", "y->t"});
    topology.connect(v[0], v[1], kGigabyte, us(5));
    topology.connect(v[1], v[3], kGigabyte, us(4));
    CHECK(names(net, topology.route(v[0], v[3])) == Names{"s->x", "x->t"});
    topology.connect(v[0], v[3], kGigabyte, us(9));
    const Route& direct = topology.route(v[0], v[3]);
    REQUIRE(direct.links.size() == 1);
    CHECK(direct.latency == us(9));
    topology.connect(v[0], v[3], kGigabyte, us(9));
    CHECK(topology.route(v[0], v[3]).links.size() == 1);
    CHECK(topology.route(v[0], v[3]).links[0].index == 10);  // the older of two equal cables
}

TEST_CASE("Topology: links without latency do not lead in circles") {
    FlowNetwork net;
    Topology topology{net};
    std::vector<VertexId> v;
    for (int i = 0; i < 5; ++i) v.push_back(topology.add_vertex(VertexKind::rack, "r"));
    for (std::size_t i = 0; i < 5; ++i) topology.connect(v[i], v[(i + 1) % 5], 1, Duration::zero());
    CHECK(topology.route(v[0], v[2]).links.size() == 2);
    CHECK(topology.route(v[0], v[3]).links.size() == 2);
}

TEST_CASE("Topology: what is not wired is not reachable, in either direction of one-way links") {
    FlowNetwork net;
    Topology topology{net};
    const VertexId a = topology.add_vertex(VertexKind::site, "a");
    const VertexId b = topology.add_vertex(VertexKind::site, "b");
    CHECK_FALSE(topology.route(a, b).reachable);
    const VertexId host = topology.attach_host(a, "h", kGigabyte);
    CHECK_FALSE(topology.route(host, b).reachable);
    CHECK(topology.route(host, b).links.empty());
    const auto link = net.add_link("one-way", kGigabyte, Duration::microseconds(1));
    topology.connect_through(a, b, link);
    CHECK(topology.route(host, b).reachable);
    CHECK_FALSE(topology.route(b, host).reachable);
}

TEST_CASE("Topology: a bottleneck that a route meets twice is one link of the flow") {
    FlowNetwork net;
    Topology topology{net};
    const VertexId a = topology.add_vertex(VertexKind::zone, "a");
    const VertexId m = topology.add_vertex(VertexKind::site, "m");
    const VertexId b = topology.add_vertex(VertexKind::zone, "b");
    const auto gateway = net.add_link("gateway", kGigabyte, Duration::microseconds(3));
    topology.connect_through(a, m, gateway);
    topology.connect_through(m, b, gateway);
    CHECK(topology.route(a, b).links.size() == 1);
    CHECK(topology.route(a, b).latency == Duration::microseconds(6));
}

TEST_CASE("Topology: the links of a host that left serve the next one at the same place") {
    FlowNetwork net;
    Topology topology{net};
    const StarTopology star = build_star(topology, {.zones = {"a"}, .storages = {{.name = "s"}}});
    const VertexId first = topology.attach_host(star.zones[0], "first", kGigabyte);
    const auto link = topology.route(star.storages[0], first).links.back();
    const std::size_t links = net.link_count();
    topology.detach_host(first);
    const Time later = Time::zero() + Duration::seconds(5);
    const VertexId second =
        topology.attach_host(star.zones[0], "second", 3 * kGigabyte, Duration::zero(), later);
    CHECK(second != first);
    CHECK(net.link_count() == links);
    CHECK(topology.name(second) == "second");
    CHECK(topology.route(star.storages[0], second).links.back() == link);
    CHECK(net.capacity(link) == 3 * kGigabyte);
}

TEST_CASE("components: are numbered by their lowest member") {
    CHECK(components(0, {}) == Numbers{});
    CHECK(components(3, {}) == Numbers{0, 1, 2});
    const std::vector<std::pair<std::uint32_t, std::uint32_t>> edges{{0, 3}, {4, 1}};
    CHECK(components(5, edges) == Numbers{0, 1, 2, 0, 1});
    const std::vector<std::pair<std::uint32_t, std::uint32_t>> chain{
        {5, 4}, {4, 1}, {2, 5}, {2, 2}};
    CHECK(components(6, chain) == Numbers{0, 1, 1, 2, 1, 1});
}

}  // namespace
}  // namespace headroom::cluster
