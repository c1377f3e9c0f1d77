/// `node-resources-fit`: how much of the node would be requested with the pod on it. Each resource
/// has a score of 0..100 in whole numbers, and the node their weighted mean, again in whole
/// numbers:
///   LeastAllocated            (allocatable - requested) * 100 / allocatable, 0 when over
///   MostAllocated             min(requested, allocatable) * 100 / allocatable
///   RequestedToCapacityRatio  `shape` (scores 0..10, times 10) at requested * 100 / allocatable;
///                             resources that score 0 are left out of the mean, which is rounded
/// Containers without a request count 100 milli-cpu and 200 MiB. `least-allocated`,
/// `most-allocated` and `requested-to-capacity-ratio` are the same class with its default
/// `strategy` set. O(resources + devices). Source: kubernetes v1.28
/// pkg/scheduler/framework/plugins/noderesources/{least,most}_allocated.go,
/// requested_to_capacity_ratio.go, resource_allocation.go.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "policies/scheduling/resource_levels.hpp"
#include "policies/scheduling/scores/broken_linear.hpp"
#include "policies/scheduling/scores/normalise.hpp"

namespace headroom::policies {

using control::ScorePlugin;

class NodeResourcesFitScore : public control::ScorePlugin {
  public:
    static ParameterSpecs parameter_specs() {
        return specs("LeastAllocated", {{ScoredResource::cpu, 1}, {ScoredResource::memory, 1}});
    }
    NodeResourcesFitScore(const Parameters& parameters, const PolicyContext&)
        : resources_(parse_resources(parameters)) {
        const std::string& strategy = parameters.text("strategy");
        strategy_ = strategy == "LeastAllocated"  ? Strategy::least_allocated
                    : strategy == "MostAllocated" ? Strategy::most_allocated
                                                  : Strategy::requested_to_capacity_ratio;
        for (const ParameterValue& value : parameters.list("shape")) {
            const Parameters& point = *std::get<std::shared_ptr<const Parameters>>(value.data);
            // Scores of a shape are written 0..10.
            shape_.push_back({point.integer("utilization"), point.integer("score") * 10});
        }
    }

    [[nodiscard]] std::int64_t score(const control::SchedulingContext& context,
                                     cluster::NodeId node) const override {
        const bool by_ratio = strategy_ == Strategy::requested_to_capacity_ratio;
        std::int64_t sum = 0;
        std::int64_t weights = 0;
        for (const WeightedResource& entry : resources_) {
            const ResourceLevel level =
                resource_level(entry.resource, context.cluster->node(node), *context.pod, true);
            if (level.allocatable == 0) continue;
            const std::int64_t points = score_resource(level);
            if (by_ratio && points <= 0) continue;
            sum += points * entry.weight;
            weights += entry.weight;
        }
        if (weights == 0) return 0;
        if (!by_ratio) return sum / weights;
        return std::llround(static_cast<double>(sum) / static_cast<double>(weights));
    }

  protected:
    static ParameterSpecs specs(std::string strategy,
                                const std::vector<WeightedResource>& resources) {
        ParameterSpec point = ParameterSpec::object(
            "point",
            {ParameterSpec::integer("utilization", 0, "per cent").at_least(0).at_most(100),
             ParameterSpec::integer("score", 0, "at that utilization").at_least(0).at_most(10)},
            "one point");
        ParameterSpec shape = ParameterSpec::list(
            "shape", std::move(point),
            "of RequestedToCapacityRatio: points in ascending utilization; by default (0, 0) and "
            "(100, 10), which packs");
        ParameterValue::List points;
        for (const auto& [utilization, score] : {std::pair{0, 0}, std::pair{100, 10}}) {
            Parameters fields;
            fields.set("utilization", {std::int64_t{utilization}});
            fields.set("score", {std::int64_t{score}});
            points.push_back({std::make_shared<const Parameters>(std::move(fields))});
        }
        shape.default_value = {std::make_shared<const ParameterValue::List>(std::move(points))};
        return {ParameterSpec::choice(
                    "strategy", {"LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"},
                    std::move(strategy), "which nodes are better: empty, full, or as `shape` says"),
                resources_spec(resources), std::move(shape)};
    }

  private:
    enum class Strategy : std::uint8_t {
        least_allocated,
        most_allocated,
        requested_to_capacity_ratio
    };

    [[nodiscard]] std::int64_t score_resource(const ResourceLevel& level) const {
        const std::int64_t requested = level.held + level.requested;
        const std::int64_t allocatable = level.allocatable;
        switch (strategy_) {
            case Strategy::least_allocated:
                if (requested > allocatable) return 0;
                return (allocatable - requested) * kMaxNodeScore / allocatable;
            case Strategy::most_allocated:
                return std::min(requested, allocatable) * kMaxNodeScore / allocatable;
            case Strategy::requested_to_capacity_ratio:
                break;
        }
        return broken_linear(shape_, requested > allocatable ? 100 : requested * 100 / allocatable);
    }

    Strategy strategy_ = Strategy::least_allocated;
    std::vector<WeightedResource> resources_;
    std::vector<ShapePoint> shape_;
};

class LeastAllocated final : public NodeResourcesFitScore {
  public:
    using NodeResourcesFitScore::NodeResourcesFitScore;
};

/// Devices count too: a planner packs for their sake.
class MostAllocated final : public NodeResourcesFitScore {
  public:
    using NodeResourcesFitScore::NodeResourcesFitScore;
    static ParameterSpecs parameter_specs() {
        return specs(
            "MostAllocated",
            {{ScoredResource::cpu, 1}, {ScoredResource::memory, 1}, {ScoredResource::devices, 1}});
    }
};

class RequestedToCapacityRatio final : public NodeResourcesFitScore {
  public:
    using NodeResourcesFitScore::NodeResourcesFitScore;
    static ParameterSpecs parameter_specs() {
        return specs("RequestedToCapacityRatio",
                     {{ScoredResource::cpu, 1}, {ScoredResource::memory, 1}});
    }
};

REGISTER_POLICY(ScorePlugin, NodeResourcesFitScore, "node-resources-fit",
                "how much of the node would be requested, by the chosen strategy");
REGISTER_POLICY(ScorePlugin, LeastAllocated, "least-allocated", "emptier nodes are better");
REGISTER_POLICY(ScorePlugin, MostAllocated, "most-allocated", "fuller nodes are better");
REGISTER_POLICY(ScorePlugin, RequestedToCapacityRatio, "requested-to-capacity-ratio",
                "fuller nodes are better, along a broken line");

}  // namespace headroom::policies
