/// RoutingPolicy picks the instance of an attempt. It sees the service's ready endpoints in the
/// order of their instance ordinals, each with live counts, and returns a position in that list.
/// Draws come from its own stream, indexed by (request, attempt), so that they depend on nothing
/// else.
///
/// pick() is called only with at least one endpoint and must return a valid position.
///
/// A router that works with what it was last told, as one that polls its endpoints' metrics does,
/// says how often in observes_every() and keeps what it reads in observe(). That is called at the
/// exact multiples of the interval, 0 included, before the data plane's own events of that time:
/// a function of time alone, whatever requests come. Unlike pick(), it is also shown endpoints that
/// are full. It is left out where there is no endpoint, and ends with the last request of the run.
#pragma once

#include <cstdint>

#include "sim/core/registry.hpp"
#include "sim/core/time.hpp"
#include "sim/serving/data_plane.hpp"
#include "sim/serving/request.hpp"

namespace headroom::serving {

/// What a router may ask of one endpoint. Counts are live: those of the events before this one.
struct EndpointView {
    std::int64_t in_flight = 0;  ///< attempts sent to it and not ended
};

class RouterView {
  public:
    virtual ~RouterView() = default;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    [[nodiscard]] virtual EndpointView endpoint(std::int64_t position) const = 0;
    /// The instance's ordinal: a name that it keeps for life and that no other gets after it.
    [[nodiscard]] virtual std::uint32_t ordinal(std::int64_t position) const = 0;
    /// What a scrape of the instance would show now. Costs more than endpoint(): it looks into the
    /// engine.
    [[nodiscard]] virtual InstanceLoad load(std::int64_t position) const = 0;
    /// A number that changes whenever the list of endpoints does.
    [[nodiscard]] virtual std::uint64_t generation() const = 0;
    [[nodiscard]] virtual Time now() const = 0;
};

struct RoutedRequest {
    std::uint64_t request = 0;  ///< the root request's number within its source
    std::uint64_t draw = 0;     ///< distinct for every (call, attempt) of the request
    RequestAttributes attributes;
    std::int64_t prompt = 1;                  ///< tokens
    const TokenContents* contents = nullptr;  ///< good during pick()
};

class RoutingPolicy {
  public:
    virtual ~RoutingPolicy() = default;
    virtual std::int64_t pick(const RouterView& view, const RoutedRequest& request) = 0;
    /// How often observe() shall be called; zero: never. The same for the policy's whole life.
    [[nodiscard]] virtual Duration observes_every() const { return Duration::zero(); }
    virtual void observe(const RouterView&) {}
};

}  // namespace headroom::serving
