/// `round-robin`: each endpoint in turn, in the order of their ordinals, wherever the requests come
/// from. The counter is a position: when the list shrinks below it, it starts again at the first;
/// an endpoint that joins or leaves shifts the turn of the others by one at most. O(1).
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class RoundRobin final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    RoundRobin(const Parameters&, const PolicyContext&) {}

    std::int64_t pick(const serving::RouterView& view, const serving::RoutedRequest&) override {
        if (next_ >= view.size()) next_ = 0;
        return next_++;
    }

  private:
    std::int64_t next_ = 0;
};

REGISTER_POLICY(RoutingPolicy, RoundRobin, "round-robin", "each endpoint in turn");

}  // namespace headroom::policies
