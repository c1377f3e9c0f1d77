/// `shortest-queue`: the endpoint whose engine has the fewest requests waiting, not counting those
/// that it is working on; ties to the lowest ordinal. With `metrics_refresh` 0 the queues are known
/// as they are, which is Vidur's least outstanding requests (vidur/scheduler/global_scheduler/
/// lor_global_scheduler.py: the first least number of pending requests; a request that runs is no
/// longer pending). With an interval all requests between two looks go the same way: the herd.
///
/// O(endpoints).
#include "policies/routing/observed_loads.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class ShortestQueue final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs() {
        return {ObservedLoads::parameter_spec(Duration::zero())};
    }
    ShortestQueue(const Parameters& parameters, const PolicyContext&) : loads_(parameters) {}

    [[nodiscard]] Duration observes_every() const override { return loads_.interval(); }
    void observe(const serving::RouterView& view) override { loads_.look(view); }

    std::int64_t pick(const serving::RouterView& view, const serving::RoutedRequest&) override {
        std::int64_t best = 0;
        std::int64_t fewest = loads_.of(view, 0).waiting;
        for (std::int64_t position = 1; position < view.size() && fewest > 0; ++position) {
            const std::int64_t waiting = loads_.of(view, position).waiting;
            if (waiting >= fewest) continue;
            best = position;
            fewest = waiting;
        }
        return best;
    }

  private:
    ObservedLoads loads_;
};

REGISTER_POLICY(RoutingPolicy, ShortestQueue, "shortest-queue",
                "the fewest requests waiting in the engine, ties to the first");

}  // namespace headroom::policies
