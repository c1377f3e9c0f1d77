/// `weighted`: round robin in which an endpoint's turn comes in proportion to its weight, spread
/// evenly: earliest deadline first, ties to the earlier insertion, as Envoy's round robin with
/// weights (source/extensions/load_balancing_policies/common/load_balancer_impl.cc). Equal weights
/// give plain turns.
///
/// When endpoints come or go, the schedule begins anew after a random number of picks of its round,
/// so that the first endpoints do not get more with each change. O(log endpoints); O(endpoints log
/// endpoints) after a change.
#include "policies/routing/edf_schedule.hpp"
#include "policies/routing/endpoint_weights.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class Weighted final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() { return {EndpointWeights::parameter_spec()}; }
    Weighted(const Parameters& parameters, const PolicyContext& context)
        : random_(context.random), weights_(parameters) {}

    std::int64_t pick(const serving::RouterView& view, const serving::RoutedRequest&) override {
        if (periods_.empty() || generation_ != view.generation()) begin_anew(view);
        const std::uint32_t position = schedule_.take();
        schedule_.put_back(position, periods_[position]);
        return position;
    }

  private:
    void begin_anew(const serving::RouterView& view) {
        generation_ = view.generation();
        std::vector<std::int64_t> weights;
        for (std::int64_t i = 0; i < view.size(); ++i) weights.push_back(weights_.at(view, i));
        const EdfSchedule::Ticks round = EdfSchedule::round_of(weights);
        periods_.clear();
        for (const std::int64_t weight : weights) {
            periods_.push_back(period_of(round, weight, 0, 0.0));
        }
        const std::uint64_t picks = EdfSchedule::picks_in(round, periods_);
        schedule_.start(periods_, round, random_.below(picks, generation_));
    }

    RandomStream random_;
    EndpointWeights weights_;
    EdfSchedule schedule_;
    std::vector<EdfSchedule::Ticks> periods_;  ///< by position
    std::uint64_t generation_ = 0;
};

REGISTER_POLICY(RoutingPolicy, Weighted, "weighted",
                "each endpoint in turn, as often as its weight says");

}  // namespace headroom::policies
