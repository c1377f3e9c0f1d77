/// `least-request`: an endpoint with few attempts in flight. Envoy's least request
/// (source/extensions/load_balancing_policies/least_request/least_request_lb.cc):
///
/// - equal weights, `choice_count` n > 0: n endpoints are drawn independently, with replacement,
///   and the first with the fewest attempts in flight is taken (`two-choice` is n = 2). n = 0
///   looks at all of them, ties by one uniform draw, as FULL_SCAN does: the router that knows
///   everything.
/// - unequal weights: no choice at all but a weighted round robin (see `weighted`) with the weight
///   weight / (in flight + 1)^active_request_bias, read when an endpoint is put back after its
///   turn.
///
/// O(endpoints), O(n) or O(log endpoints).
#include <algorithm>
#include <vector>

#include "policies/routing/edf_schedule.hpp"
#include "policies/routing/endpoint_weights.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class LeastRequest final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() {
        return {ParameterSpec::integer("choice_count", 0,
                                       "endpoints drawn to choose from; 0: all of them are looked "
                                       "at")
                    .at_least(0)
                    .at_most(10'000),
                ParameterSpec::number("active_request_bias", 1.0,
                                      "with unequal weights: how much attempts in flight count; 0: "
                                      "not at all")
                    .at_least(0)
                    .at_most(100),
                EndpointWeights::parameter_spec()};
    }
    LeastRequest(const Parameters& parameters, const PolicyContext& context)
        : random_(context.random),
          choices_(static_cast<std::uint64_t>(parameters.integer("choice_count"))),
          bias_(parameters.number("active_request_bias")),
          weights_(parameters) {}

    std::int64_t pick(const serving::RouterView& view,
                      const serving::RoutedRequest& request) override {
        if (!seen_ || generation_ != view.generation()) look_at_weights(view);
        if (!weighted_) return choices_ == 0 ? scan(view, request) : choose(view, request);
        const std::uint32_t position = schedule_.take();
        schedule_.put_back(position, period_now(view, position));
        return position;
    }

  private:
    std::int64_t scan(const serving::RouterView& view, const serving::RoutedRequest& request) {
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

    [[nodiscard]] std::int64_t choose(const serving::RouterView& view,
                                      const serving::RoutedRequest& request) const {
        const auto count = static_cast<std::uint64_t>(view.size());
        std::int64_t best = 0;
        std::int64_t fewest = 0;
        for (std::uint64_t choice = 0; choice < choices_; ++choice) {
            const auto drawn = static_cast<std::int64_t>(
                random_.below(count, request.request, choices_ * request.draw + choice));
            const std::int64_t in_flight = view.endpoint(drawn).in_flight;
            if (choice > 0 && in_flight >= fewest) continue;
            best = drawn;
            fewest = in_flight;
        }
        return best;
    }

    /// Endpoints came or went: is there a schedule, and where does it begin?
    void look_at_weights(const serving::RouterView& view) {
        seen_ = true;
        generation_ = view.generation();
        by_position_.clear();
        for (std::int64_t i = 0; i < view.size(); ++i) by_position_.push_back(weights_.at(view, i));
        weighted_ = std::any_of(by_position_.begin(), by_position_.end(),
                                [this](std::int64_t w) { return w != by_position_[0]; });
        if (!weighted_) return;
        round_ = EdfSchedule::round_of(by_position_);
        std::vector<EdfSchedule::Ticks> periods;
        for (std::int64_t i = 0; i < view.size(); ++i) periods.push_back(period_now(view, i));
        // Long enough for everybody to be taken once, unless very busy.
        const EdfSchedule::Ticks longest = *std::max_element(periods.begin(), periods.end());
        const EdfSchedule::Ticks whole = std::clamp(longest, round_, 1024 * round_);
        const std::uint64_t picks = EdfSchedule::picks_in(whole, periods);
        schedule_.start(periods, whole, random_.below(picks, generation_, ~0ULL));
    }

    [[nodiscard]] EdfSchedule::Ticks period_now(const serving::RouterView& view,
                                                std::int64_t position) const {
        return period_of(round_, by_position_[static_cast<std::size_t>(position)],
                         view.endpoint(position).in_flight, bias_);
    }

    RandomStream random_;
    std::uint64_t choices_;
    double bias_;
    EndpointWeights weights_;
    bool seen_ = false;
    bool weighted_ = false;
    std::uint64_t generation_ = 0;
    std::vector<std::int64_t> by_position_;  ///< weights
    EdfSchedule schedule_;
    EdfSchedule::Ticks round_ = 1;
    std::vector<std::int64_t> tied_;  ///< kept, so that a pick does not allocate
};

REGISTER_POLICY(RoutingPolicy, LeastRequest, "least-request",
                "the fewest attempts in flight among all endpoints, or some drawn");

}  // namespace headroom::policies
