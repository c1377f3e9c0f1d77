/// `least-request`: an endpoint with the fewest attempts in flight, found by looking at all; ties
/// by one uniform draw. The router that knows everything: Envoy's least request with FULL_SCAN
/// (source/extensions/load_balancing_policies/least_request). O(endpoints); `two-choice` is O(1).
#include <vector>

#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class LeastRequest final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    LeastRequest(const Parameters&, const PolicyContext& context) : random_(context.random) {}

    std::int64_t pick(const serving::RouterView& view,
                      const serving::RoutedRequest& request) override {
        const std::int64_t count = view.size();
        std::int64_t fewest = view.endpoint(0).in_flight;
        tied_.assign(1, 0);
        for (std::int64_t position = 1; position < count; ++position) {
            const std::int64_t in_flight = view.endpoint(position).in_flight;
            if (in_flight > fewest) continue;
            if (in_flight < fewest) {
                fewest = in_flight;
                tied_.clear();
            }
            tied_.push_back(position);
        }
        if (tied_.size() == 1) return tied_.front();
        return tied_[random_.below(tied_.size(), request.request, request.draw)];
    }

  private:
    RandomStream random_;
    std::vector<std::int64_t> tied_;  ///< kept, so that a pick does not allocate
};

REGISTER_POLICY(RoutingPolicy, LeastRequest, "least-request",
                "the fewest attempts in flight among all endpoints");

}  // namespace headroom::policies
