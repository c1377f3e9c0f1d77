/// `pod-topology-spread`: for each DoNotSchedule constraint, the node's domain would have at most
/// max_skew matching pods more than the emptiest domain: matches + (1 if the pod itself counts) -
/// least <= max_skew. Domains are those of nodes that have every key and that the pod's selector
/// and affinity allow; fewer than min_domains of them make the least 0. A node without a key fails.
/// prepare is O(constraints * (nodes + pods of the workload)), filter O(constraints).
/// Source: kubernetes v1.28 pkg/scheduler/framework/plugins/podtopologyspread/filtering.go.
#include <algorithm>
#include <limits>

#include "policies/scheduling/spread_constraints.hpp"

namespace headroom::policies {

using control::FilterPlugin;

class PodTopologySpreadFilter final : public control::FilterPlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    PodTopologySpreadFilter(const Parameters&, const PolicyContext&) {}

    bool prepare(const control::SchedulingContext& context) override {
        constraints_ = spread_constraints(*context.pod, cluster::WhenUnsatisfiable::do_not_schedule,
                                          topology_);
        if (constraints_.empty()) return false;
        for (auto& counts : matches_) counts.clear();
        matches_.resize(constraints_.size());
        const cluster::Cluster& cluster = *context.cluster;
        const auto counts = [&](cluster::NodeId id, const cluster::Node& node) {
            return affinity_allows(*context.pod, node) && has_all_keys(id, node, constraints_);
        };
        cluster.for_each_node([&](cluster::NodeId id, const cluster::Node& node) {
            if (!counts(id, node)) return;
            for (std::size_t i = 0; i < constraints_.size(); ++i) {
                const std::size_t number = constraints_[i].domains->of(id, node).number;
                if (number >= matches_[i].size()) matches_[i].resize(number + 1, kNoNode);
                matches_[i][number] = 0;
            }
        });
        for (std::size_t i = 0; i < constraints_.size(); ++i) {
            for_each_matching_pod(cluster, constraints_[i], [&](cluster::NodeId id) {
                const cluster::Node& node = cluster.node(id);
                if (counts(id, node)) ++matches_[i][constraints_[i].domains->of(id, node).number];
            });
        }
        least_.clear();
        for (std::size_t i = 0; i < constraints_.size(); ++i) {
            std::int64_t least = std::numeric_limits<std::int32_t>::max();
            std::int64_t domains = 0;
            for (const std::int64_t count : matches_[i]) {
                if (count == kNoNode) continue;
                least = std::min(least, count);
                ++domains;
            }
            least_.push_back(domains < constraints_[i].min_domains ? 0 : least);
        }
        return true;
    }
    [[nodiscard]] std::string_view filter(const control::SchedulingContext& context,
                                          cluster::NodeId node) const override {
        for (std::size_t i = 0; i < constraints_.size(); ++i) {
            const TopologyDomains::Domain domain =
                constraints_[i].domains->of(node, context.cluster->node(node));
            if (!domain.labelled) {
                return "node(s) didn't match pod topology spread constraints (missing required "
                       "label)";
            }
            const std::vector<std::int64_t>& counts = matches_[i];
            const std::int64_t matches = domain.number < counts.size()
                                             ? std::max<std::int64_t>(counts[domain.number], 0)
                                             : 0;
            const std::int64_t itself = constraints_[i].counts_itself ? 1 : 0;
            if (matches + itself - least_[i] > constraints_[i].max_skew) {
                return "node(s) didn't match pod topology spread constraints";
            }
        }
        return {};
    }

  private:
    static constexpr std::int64_t kNoNode = -1;

    Topology topology_;
    std::vector<SpreadConstraint> constraints_;
    std::vector<std::vector<std::int64_t>> matches_;  ///< by constraint and domain: matching pods
    std::vector<std::int64_t> least_;
};

REGISTER_POLICY(FilterPlugin, PodTopologySpreadFilter, "pod-topology-spread",
                "no DoNotSchedule constraint is exceeded");

}  // namespace headroom::policies
