/// `kv-aware`: the endpoint with the most room in its KV cache as last observed, then the fewest
/// attempts in flight, then one at random. The score is llm-d's (endpoint_scores.hpp): the weighted
/// sum of what is free of the KV cache and of how short the queue is. By default the cache alone
/// counts; llm-d's own profile without prefixes is 2 and 2.
///
/// O(endpoints).
#include "policies/routing/endpoint_scores.hpp"
#include "policies/routing/observed_loads.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class KvAware final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() {
        return {ObservedLoads::parameter_spec(Duration::milliseconds(50)),
                ParameterSpec::number("kv_cache_utilization_weight", 1,
                                      "of the fraction of the KV cache that is free")
                    .at_least(0)
                    .at_most(1e6),
                ParameterSpec::number("queue_weight", 0, "of how short the engine's queue is")
                    .at_least(0)
                    .at_most(1e6)};
    }
    KvAware(const Parameters& parameters, const PolicyContext& context)
        : random_(context.random),
          loads_(parameters),
          kv_weight_(parameters.number("kv_cache_utilization_weight")),
          queue_weight_(parameters.number("queue_weight")) {}

    [[nodiscard]] Duration observes_every() const override { return loads_.interval(); }
    void observe(const serving::RouterView& view) override { loads_.look(view); }

    std::int64_t pick(const serving::RouterView& view,
                      const serving::RoutedRequest& request) override {
        seen_.clear();
        for (std::int64_t i = 0; i < view.size(); ++i) seen_.push_back(loads_.of(view, i));
        QueueScorer queue;
        queue.begin(seen_[0].waiting);
        for (const ObservedLoad& load : seen_) queue.include(load.waiting);
        roomiest_.begin();
        for (std::int64_t i = 0; i < view.size(); ++i) {
            const ObservedLoad& load = seen_[static_cast<std::size_t>(i)];
            roomiest_.offer(i, weighted_score(kv_weight_, kv_cache_score(load.kv_usage)) +
                                   weighted_score(queue_weight_, queue.score(load.waiting)));
        }
        least_busy_.begin();
        for (const std::int64_t position : roomiest_.best()) {
            least_busy_.offer(position, -static_cast<double>(view.endpoint(position).in_flight));
        }
        return least_busy_.pick(random_, request);
    }

  private:
    RandomStream random_;
    ObservedLoads loads_;
    double kv_weight_;
    double queue_weight_;
    std::vector<ObservedLoad> seen_;  ///< by position; these three are kept to not allocate
    MaxScorePicker roomiest_;
    MaxScorePicker least_busy_;
};

REGISTER_POLICY(RoutingPolicy, KvAware, "kv-aware",
                "the most room in the KV cache as last observed, then the fewest in flight");

}  // namespace headroom::policies
