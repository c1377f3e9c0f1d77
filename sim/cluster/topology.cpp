#include "sim/cluster/topology.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>

#include "sim/core/check.hpp"

namespace headroom::cluster {

const Topology::Vertex& Topology::vertex(VertexId v) const {
    HEADROOM_CHECK(v.index < vertices_.size() && vertices_[v.index].attached &&
                       vertices_[v.index].generation == v.generation,
                   "a vertex that is gone");
    return vertices_[v.index];
}

VertexId Topology::add_vertex(VertexKind kind, std::string name) {
    HEADROOM_CHECK(kind != VertexKind::host, "a host is attached, not added");
    Vertex& v = vertices_.emplace_back();
    v.kind = kind;
    v.name = std::move(name);
    edges_.emplace_back();
    distances_.clear();
    routes_.clear();
    return {static_cast<std::uint32_t>(vertices_.size() - 1), 0};
}

void Topology::add_edge(std::uint32_t from, std::uint32_t to, network::LinkId link) {
    HEADROOM_CHECK(
        vertices_[from].kind != VertexKind::host && vertices_[to].kind != VertexKind::host,
        "a host hangs at one vertex only");
    edges_[from].push_back({from, to, link, network_.latency(link).ps()});
    distances_.clear();
    routes_.clear();
}

void Topology::connect(VertexId a, VertexId b, std::int64_t bytes_per_s, Duration latency) {
    const std::string& from = vertex(a).name;
    const std::string& to = vertex(b).name;
    HEADROOM_CHECK(a != b, "a cable from a vertex to itself");
    add_edge(a.index, b.index, network_.add_link(from + "->" + to, bytes_per_s, latency));
    add_edge(b.index, a.index, network_.add_link(to + "->" + from, bytes_per_s, latency));
}

void Topology::connect_through(VertexId from, VertexId to, network::LinkId link) {
    HEADROOM_CHECK(vertex(from).kind != VertexKind::host && vertex(to).kind != VertexKind::host,
                   "a host hangs at one vertex only");
    HEADROOM_CHECK(from != to, "a cable from a vertex to itself");
    add_edge(from.index, to.index, link);
}

VertexId Topology::attach_host(VertexId parent, std::string name, std::int64_t bytes_per_s,
                               Duration latency, Time now) {
    HEADROOM_CHECK(vertex(parent).kind != VertexKind::host, "a host hangs at a switch");
    std::vector<std::uint32_t>& free = free_hosts_[{parent.index, latency.ps()}];
    if (!free.empty()) {
        const std::uint32_t index = free.back();
        free.pop_back();
        Vertex& v = vertices_[index];
        v.attached = true;
        v.name = std::move(name);
        network_.set_capacity(now, v.in, bytes_per_s);
        network_.set_capacity(now, v.out, bytes_per_s);
        return {index, v.generation};
    }
    const auto index = static_cast<std::uint32_t>(vertices_.size());
    const std::string where = vertices_[parent.index].name + ":host" + std::to_string(index);
    Vertex& v = vertices_.emplace_back();
    edges_.emplace_back();
    v.kind = VertexKind::host;
    v.name = std::move(name);
    v.parent = parent.index;
    v.in = network_.add_link(where + ":in", bytes_per_s, latency);
    v.out = network_.add_link(where + ":out", bytes_per_s, latency);
    return {index, 0};
}

void Topology::detach_host(VertexId host) {
    HEADROOM_CHECK(vertex(host).kind == VertexKind::host, "only a host is detached");
    Vertex& v = vertices_[host.index];
    HEADROOM_CHECK(network_.flow_count(v.in) == 0 && network_.flow_count(v.out) == 0,
                   "a host is detached in the middle of a transfer");
    v.attached = false;
    ++v.generation;
    free_hosts_[{v.parent, network_.latency(v.in).ps()}].push_back(host.index);
}

/// Dijkstra from the destination over reversed edges.
std::vector<Topology::Distance> Topology::distances_to(std::uint32_t destination) const {
    using Weight = boost::property<boost::edge_weight_t, Distance>;
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Weight>
        reversed(vertices_.size());
    for (const std::vector<Edge>& from_one : edges_) {
        for (const Edge& e : from_one) {
            boost::add_edge(e.to, e.from, Distance{e.latency_ps, 1}, reversed);
        }
    }
    std::vector<Distance> distances(vertices_.size());
    const auto sum = [](const Distance& a, const Distance& b) {
        if (a == kUnreachable || b == kUnreachable) return kUnreachable;
        return Distance{a.latency_ps + b.latency_ps, a.links + b.links};
    };
    boost::dijkstra_shortest_paths(
        reversed, destination,
        boost::distance_map(boost::make_iterator_property_map(
                                distances.begin(), boost::get(boost::vertex_index, reversed)))
            .distance_compare(std::less<Distance>{})
            .distance_combine(sum)
            .distance_inf(kUnreachable)
            .distance_zero(Distance{}));
    return distances;
}

/// A bottleneck that a route meets twice is one link of its flow, but its latency counts each time.
void Topology::append_link(network::LinkId link, Route& route) const {
    if (std::find(route.links.begin(), route.links.end(), link) == route.links.end()) {
        route.links.push_back(link);
    }
    route.latency += network_.latency(link);
}

/// Walks towards the destination along edges that lie on a least route. The number of links left
/// falls by one a step, so the walk ends even over links without latency.
void Topology::append_core_route(std::uint32_t from, std::uint32_t to, Route& route) {
    auto it = distances_.find(to);
    if (it == distances_.end()) it = distances_.emplace(to, distances_to(to)).first;
    const std::vector<Distance>& left = it->second;
    if (left[from] == kUnreachable) {
        route.reachable = false;
        return;
    }
    while (from != to) {
        const Edge* best = nullptr;
        for (const Edge& e : edges_[from]) {
            const Distance& rest = left[e.to];
            if (rest == kUnreachable) continue;
            if (Distance{rest.latency_ps + e.latency_ps, rest.links + 1} != left[from]) continue;
            if (best == nullptr || std::pair{e.to, e.link} < std::pair{best->to, best->link}) {
                best = &e;
            }
        }
        HEADROOM_CHECK(best != nullptr, "a least route has a next link");
        append_link(best->link, route);
        from = best->to;
    }
}

const Route& Topology::route(VertexId from, VertexId to) {
    const Vertex& source = vertex(from);
    const Vertex& destination = vertex(to);
    const auto [it, fresh] = routes_.try_emplace({from.index, to.index});
    Route& route = it->second;
    if (!fresh) return route;
    route.reachable = true;
    if (from == to) return route;
    const bool from_host = source.kind == VertexKind::host;
    const bool to_host = destination.kind == VertexKind::host;
    if (from_host) append_link(source.out, route);
    append_core_route(from_host ? source.parent : from.index,
                      to_host ? destination.parent : to.index, route);
    if (!route.reachable) {
        route = {};
        return route;
    }
    if (to_host) append_link(destination.in, route);
    return route;
}

StarTopology build_star(Topology& topology, const StarTopologySpec& spec) {
    StarTopology star;
    star.backbone = topology.add_vertex(VertexKind::site, "backbone");
    for (const std::string& zone : spec.zones) {
        star.zones.push_back(topology.add_vertex(VertexKind::zone, zone));
        topology.connect(star.zones.back(), star.backbone, spec.zone_uplink_bytes_per_s,
                         spec.zone_latency);
    }
    for (const StorageSpec& storage : spec.storages) {
        star.storages.push_back(topology.add_vertex(VertexKind::storage, storage.name));
        topology.connect(star.storages.back(), star.backbone, storage.bytes_per_s, storage.latency);
    }
    return star;
}

}  // namespace headroom::cluster
