#include "sim/cluster/components.hpp"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/connected_components.hpp>

#include "sim/core/check.hpp"

namespace headroom::cluster {

std::vector<std::uint32_t> components(
    std::uint32_t n, std::span<const std::pair<std::uint32_t, std::uint32_t>> edges) {
    boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS> graph(n);
    for (const auto& edge : edges) {
        HEADROOM_CHECK(edge.first < n && edge.second < n, "an edge to a vertex that is not there");
        boost::add_edge(edge.first, edge.second, graph);
    }
    std::vector<std::uint32_t> found(n);
    if (n == 0) return found;
    const std::uint32_t count = boost::connected_components(graph, found.data());
    constexpr std::uint32_t kUnnumbered = 0xffffffffU;
    std::vector<std::uint32_t> number(count, kUnnumbered);
    std::uint32_t next = 0;
    for (std::uint32_t& component : found) {
        if (number[component] == kUnnumbered) number[component] = next++;
        component = number[component];
    }
    return found;
}

}  // namespace headroom::cluster
