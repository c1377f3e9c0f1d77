/// Connected components of an undirected graph (Boost.Graph behind it). The simulation finds its
/// cells with it: services are vertices; "calls" and "may contend with" are edges.
///
///     components(5, {{0, 3}, {4, 1}})  ->  {0, 1, 2, 0, 1}
///
/// O((n + edges) * alpha). An edge to a vertex >= n is a programmer error.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace headroom::cluster {

/// The component of each vertex, numbered from 0 in the order of their lowest members.
[[nodiscard]] std::vector<std::uint32_t> components(
    std::uint32_t n, std::span<const std::pair<std::uint32_t, std::uint32_t>> edges);

}  // namespace headroom::cluster
