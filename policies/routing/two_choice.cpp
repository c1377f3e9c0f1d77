/// `two-choice`: two endpoints drawn independently, with replacement; the first one drawn, unless
/// the second has strictly fewer attempts in flight. Envoy's default least request with equal
/// weights (choice_count 2; source/extensions/load_balancing_policies/least_request); the queues it
/// leaves are in Mitzenmacher, "The power of two choices in randomized load balancing", 2001. O(1):
/// one Philox block gives both draws, and two endpoints are looked at.
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class TwoChoice final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    TwoChoice(const Parameters&, const PolicyContext& context) : random_(context.random) {}

    std::int64_t pick(const serving::RouterView& view,
                      const serving::RoutedRequest& request) override {
        const auto count = static_cast<std::uint64_t>(view.size());
        // The draws 2 * draw and 2 * draw + 1 of this request, as below() would give them.
        const auto [even, odd] = random_.bits2(request.request, request.draw);
        const std::int64_t first = scale(even, count);
        const std::int64_t second = scale(odd, count);
        return view.endpoint(second).in_flight < view.endpoint(first).in_flight ? second : first;
    }

  private:
    static std::int64_t scale(std::uint64_t bits, std::uint64_t count) {
        return static_cast<std::int64_t>((static_cast<Uint128>(bits) * count) >> 64);
    }

    RandomStream random_;
};

REGISTER_POLICY(RoutingPolicy, TwoChoice, "two-choice",
                "the less busy of two endpoints drawn at random");

}  // namespace headroom::policies
