/// A router's view made by hand: endpoints with what a test says of them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::tests {

struct HandMadeEndpoint {
    std::int64_t in_flight = 0;
    std::uint32_t ordinal = 0;
    std::int64_t waiting = 0;
    std::int64_t kv_used = 0;  ///< blocks of 1000
};

class HandMadeView final : public serving::RouterView {
  public:
    HandMadeView() = default;
    /// Ordinals count up from 0.
    explicit HandMadeView(std::vector<HandMadeEndpoint> list) : endpoints(std::move(list)) {
        for (std::uint32_t i = 0; i < endpoints.size(); ++i) endpoints[i].ordinal = i;
    }
    static HandMadeView of_in_flight(const std::vector<std::int64_t>& in_flight) {
        std::vector<HandMadeEndpoint> list(in_flight.size());
        for (std::size_t i = 0; i < list.size(); ++i) list[i].in_flight = in_flight[i];
        return HandMadeView(std::move(list));
    }
    static HandMadeView of_size(std::size_t size) {
        return HandMadeView(std::vector<HandMadeEndpoint>(size));
    }

    [[nodiscard]] std::int64_t size() const override {
        return static_cast<std::int64_t>(endpoints.size());
    }
    [[nodiscard]] serving::EndpointView endpoint(std::int64_t position) const override {
        ++looks;
        return {at(position).in_flight};
    }
    [[nodiscard]] std::uint32_t ordinal(std::int64_t position) const override {
        return at(position).ordinal;
    }
    [[nodiscard]] serving::InstanceLoad load(std::int64_t position) const override {
        ++loads;
        serving::InstanceLoad load;
        load.in_flight = at(position).in_flight;
        load.waiting = at(position).waiting;
        load.running = load.in_flight - load.waiting;
        load.kv_used_blocks = at(position).kv_used;
        load.kv_total_blocks = 1000;
        return load;
    }
    [[nodiscard]] std::uint64_t generation() const override { return changes; }
    [[nodiscard]] Time now() const override { return time; }

    void remove(std::size_t position) {
        endpoints.erase(endpoints.begin() + static_cast<std::ptrdiff_t>(position));
        ++changes;
    }

    std::vector<HandMadeEndpoint> endpoints;
    std::uint64_t changes = 1;
    Time time;
    mutable std::int64_t looks = 0;
    mutable std::int64_t loads = 0;

  private:
    [[nodiscard]] const HandMadeEndpoint& at(std::int64_t position) const {
        return endpoints.at(static_cast<std::size_t>(position));
    }
};

constexpr std::uint64_t kRouterSeed = 7;

inline RandomStream router_stream() {
    return {kRouterSeed, "router/chat"};
}

/// A router with some parameters other than their defaults.
inline std::unique_ptr<serving::RoutingPolicy> make_router(
    const std::string& name,
    const std::vector<std::pair<std::string, ParameterValue>>& values = {}) {
    const auto* entry = Registry<serving::RoutingPolicy>::instance().find(name);
    Parameters parameters = Parameters::defaults(entry->specs);
    for (const auto& [key, value] : values) parameters.set(key, value);
    return entry->make(parameters, {router_stream()});
}

inline ParameterValue list_of(const std::vector<std::int64_t>& numbers) {
    auto list = std::make_shared<ParameterValue::List>();
    for (const std::int64_t number : numbers) list->push_back({number});
    return {std::shared_ptr<const ParameterValue::List>(std::move(list))};
}

inline serving::RoutedRequest routed(std::uint64_t number, std::uint64_t draw = 0) {
    serving::RoutedRequest request;
    request.request = number;
    request.draw = draw;
    return request;
}

inline serving::RoutedRequest of_session(std::uint64_t number, std::uint32_t session) {
    serving::RoutedRequest request = routed(number);
    request.attributes.session = session;
    return request;
}

}  // namespace headroom::tests
