/// RoutingPolicy picks the instance of an attempt. It sees the service's ready endpoints in the
/// order of their instance ordinals, each with live counts, and returns a position in that list.
/// Draws come from its own stream, indexed by (request, attempt), so that they depend on nothing
/// else.
///
/// pick() is called only with at least one endpoint and must return a valid position.
#pragma once

#include <cstdint>

#include "sim/core/registry.hpp"
#include "sim/serving/request.hpp"

namespace headroom::serving {

/// What a router may ask of one endpoint. Counts are live: those of the events before this one.
struct EndpointView {
    std::int64_t in_flight = 0;  ///< attempts sent to it and not ended
    std::int64_t weight = 1;
};

class RouterView {
  public:
    virtual ~RouterView() = default;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    [[nodiscard]] virtual EndpointView endpoint(std::int64_t position) const = 0;
    /// Fraction of KV blocks in use in parts per million, as of now (0 for instances without).
    [[nodiscard]] virtual std::int64_t kv_used_ppm(std::int64_t position) const = 0;
    /// A number that changes whenever the list of endpoints does.
    [[nodiscard]] virtual std::uint64_t generation() const = 0;
};

struct RoutedRequest {
    std::uint64_t request = 0;  ///< the root request's number within its source
    std::uint64_t draw = 0;     ///< distinct for every (call, attempt) of the request
    RequestAttributes attributes;
};

class RoutingPolicy {
  public:
    virtual ~RoutingPolicy() = default;
    virtual std::int64_t pick(const RouterView& view, const RoutedRequest& request) = 0;
};

}  // namespace headroom::serving
