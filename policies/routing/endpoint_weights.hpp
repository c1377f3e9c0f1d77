/// EndpointWeights: the parameter `weights` of the routers that know weights, and what becomes of a
/// weight under load. Weights are whole and at least 1, as in Envoy
/// (source/extensions/load_balancing_policies/common/thread_aware_lb_impl.cc); the instance of
/// ordinal i has the one at i modulo the length of the list, as replicas have speeds by rank. An
/// empty list: 1 each.
///
/// O(1).
#pragma once

#include <cstdint>
#include <vector>

#include "policies/routing/edf_schedule.hpp"
#include "sim/core/parameter.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

class EndpointWeights {
  public:
    static ParameterSpec parameter_spec();
    explicit EndpointWeights(const Parameters& parameters);

    [[nodiscard]] std::int64_t at(const serving::RouterView& view, std::int64_t position) const {
        if (weights_.empty()) return 1;
        return weights_[view.ordinal(position) % weights_.size()];
    }

  private:
    std::vector<std::int64_t> weights_;
};

/// weight / (active + 1)^bias: what is left of a weight with so many attempts in flight, after
/// Envoy's least request (source/extensions/load_balancing_policies/least_request). bias >= 0.
[[nodiscard]] double effective_weight(std::int64_t weight, std::int64_t active, double bias);

/// The period that goes with it: round / effective_weight, at least a tick. Exact for a bias of 0
/// or 1 where the weight divides the round.
[[nodiscard]] EdfSchedule::Ticks period_of(EdfSchedule::Ticks round, std::int64_t weight,
                                           std::int64_t active, double bias);

}  // namespace headroom::policies
