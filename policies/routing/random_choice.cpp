/// `random`: an endpoint drawn uniformly, whatever its load. What iptables does per connection, and
/// the baseline that two choices improve on. O(1).
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class RandomChoice final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    RandomChoice(const Parameters&, const PolicyContext& context) : random_(context.random) {}

    std::int64_t pick(const serving::RouterView& view,
                      const serving::RoutedRequest& request) override {
        const auto count = static_cast<std::uint64_t>(view.size());
        return static_cast<std::int64_t>(random_.below(count, request.request, request.draw));
    }

  private:
    RandomStream random_;
};

REGISTER_POLICY(RoutingPolicy, RandomChoice, "random", "an endpoint drawn uniformly");

}  // namespace headroom::policies
