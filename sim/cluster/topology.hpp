/// Topology: what is wired to what, and which links of the FlowNetwork a transfer crosses.
///
/// Vertices are sites, switches, storage (registries, object stores) and hosts (the machines);
/// a cable is two links, one in each direction. A route has the least latency; ties go to the
/// fewest links, then at each vertex to the lowest next vertex id, then to the lowest link id.
/// Hosts hang at one vertex each and forward nothing, so thousands of them come and go without
/// touching the routes between the others; a detached host's vertex and links are used again at the
/// same place.
///
/// Routes come from Dijkstra (Boost.Graph) over the vertices that are not hosts and are cached per
/// pair: O(V log V + E) once a destination after a change of the core, then O(log pairs) a look-up.
/// A capacity is the FlowNetwork's and may change at any time; latencies decide the routes and
/// stay.
///
///     Topology topology{network};
///     StarTopology star = build_star(topology, {.zones = {"a", "b"}, .storages = {{"registry"}}});
///     VertexId node = topology.attach_host(star.zones[0], "node-1", 1'250'000'000);
///     const Route& pull = topology.route(star.storages[0], node);
///     network.start(now, pull.links, size);          // ends at the finish plus pull.latency
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/cluster/ids.hpp"
#include "sim/core/time.hpp"
#include "sim/network/flow_network.hpp"

namespace headroom::cluster {

enum class VertexKind : std::uint8_t { site, zone, rack, storage, host };

struct Route {
    bool reachable = false;
    std::vector<network::LinkId> links;  ///< from source to destination; empty from a to a
    Duration latency;
};

class Topology {
  public:
    /// The network must outlive the topology.
    explicit Topology(network::FlowNetwork& network) : network_(network) {}

    /// Anything but a host.
    VertexId add_vertex(VertexKind kind, std::string name);
    /// A cable: a link there and a link back, each with this capacity (bytes/s) and latency.
    void connect(VertexId a, VertexId b, std::int64_t bytes_per_s, Duration latency);
    /// One direction only, and an existing link: two vertex pairs may share one bottleneck.
    void connect_through(VertexId from, VertexId to, network::LinkId link);

    /// A machine below `parent`. Uses the links of a detached host there again, with the capacity
    /// changed at `now`, if one had the same latency.
    VertexId attach_host(VertexId parent, std::string name, std::int64_t bytes_per_s,
                         Duration latency = Duration::zero(), Time now = Time::zero());
    /// Its transfers must have been cancelled: the links must be idle (CHECK).
    void detach_host(VertexId host);

    /// Cached; the reference is good until the next change of the topology.
    const Route& route(VertexId from, VertexId to);

    [[nodiscard]] VertexKind kind(VertexId v) const { return vertex(v).kind; }
    [[nodiscard]] const std::string& name(VertexId v) const { return vertex(v).name; }
    /// Of a host: the link into it (its receiving side) and out of it.
    [[nodiscard]] network::LinkId host_in(VertexId host) const { return vertex(host).in; }
    [[nodiscard]] network::LinkId host_out(VertexId host) const { return vertex(host).out; }
    [[nodiscard]] std::size_t vertex_count() const { return vertices_.size(); }
    [[nodiscard]] network::FlowNetwork& network() { return network_; }

  private:
    struct Vertex {
        VertexKind kind = VertexKind::site;
        std::string name;
        std::uint32_t parent = VertexId::kNone;  ///< of a host
        network::LinkId in;
        network::LinkId out;
        std::uint32_t generation = 0;
        bool attached = true;
    };
    struct Edge {
        std::uint32_t from;
        std::uint32_t to;
        network::LinkId link;
        std::int64_t latency_ps;
    };
    /// To one destination: ordered by latency, then number of links.
    struct Distance {
        std::int64_t latency_ps = 0;
        std::int64_t links = 0;
        auto operator<=>(const Distance&) const = default;
    };
    static constexpr Distance kUnreachable{Duration::max().ps(), Duration::max().ps()};

    [[nodiscard]] const Vertex& vertex(VertexId v) const;
    void add_edge(std::uint32_t from, std::uint32_t to, network::LinkId link);
    [[nodiscard]] std::vector<Distance> distances_to(std::uint32_t destination) const;
    void append_core_route(std::uint32_t from, std::uint32_t to, Route& route);
    void append_link(network::LinkId link, Route& route) const;

    network::FlowNetwork& network_;
    std::vector<Vertex> vertices_;
    std::vector<std::vector<Edge>> edges_;                      ///< by source; none of hosts
    std::map<std::uint32_t, std::vector<Distance>> distances_;  ///< by destination
    std::map<std::pair<std::uint32_t, std::uint32_t>, Route> routes_;
    std::map<std::pair<std::uint32_t, std::int64_t>, std::vector<std::uint32_t>> free_hosts_;
};

/// The common default: each machine at its zone's switch, the zones and the storages at one
/// backbone. Capacities in bytes/s; the figures are assumptions to be overridden: 10 Tb/s of uplink
/// a zone, 0.25 ms from a zone to the backbone, storage of 100 Gb/s.
struct StorageSpec {
    std::string name{};
    std::int64_t bytes_per_s = 12'500'000'000;
    Duration latency = Duration::microseconds(250);
};
struct StarTopologySpec {
    std::vector<std::string> zones{};
    std::vector<StorageSpec> storages{};
    std::int64_t zone_uplink_bytes_per_s = 1'250'000'000'000;
    Duration zone_latency = Duration::microseconds(250);
};
/// The vertices, in the order of the spec.
struct StarTopology {
    VertexId backbone;
    std::vector<VertexId> zones;
    std::vector<VertexId> storages;
};
StarTopology build_star(Topology& topology, const StarTopologySpec& spec);

}  // namespace headroom::cluster
