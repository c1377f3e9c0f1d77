/// `pod-topology-spread`: for each DoNotSchedule constraint, the node's domain would have at most
/// max_skew matching pods more than the emptiest domain: matches + (1 if the pod itself counts) -
/// least <= max_skew. Domains are those of nodes that have every key and that the pod's selector
/// and affinity allow; fewer than min_domains of them make the least 0. A node without a key fails.
/// prepare is O(nodes * constraints + pods), filter O(constraints * log domains).
/// Source: kubernetes v1.28 pkg/scheduler/framework/plugins/podtopologyspread/filtering.go.
#include <algorithm>
#include <limits>
#include <map>

#include "policies/scheduling/spread_constraints.hpp"

namespace headroom::policies {

using control::FilterPlugin;

class PodTopologySpreadFilter final : public control::FilterPlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    PodTopologySpreadFilter(const Parameters&, const PolicyContext&) {}

    bool prepare(const control::SchedulingContext& context) override {
        constraints_ =
            spread_constraints(*context.pod, cluster::WhenUnsatisfiable::do_not_schedule);
        if (constraints_.empty()) return false;
        domains_.assign(constraints_.size(), {});
        context.cluster->for_each_node([&](cluster::NodeId, const cluster::Node& node) {
            if (!affinity_allows(*context.pod, node) || !has_all_keys(node, constraints_)) return;
            for (std::size_t i = 0; i < constraints_.size(); ++i) {
                domains_[i][*domain_of(node, constraints_[i].topology_key)] +=
                    count_matching_pods(*context.cluster, node, constraints_[i]);
            }
        });
        least_.clear();
        for (std::size_t i = 0; i < constraints_.size(); ++i) {
            std::int64_t least = std::numeric_limits<std::int32_t>::max();
            for (const auto& domain : domains_[i]) least = std::min(least, domain.second);
            const auto count = static_cast<std::int64_t>(domains_[i].size());
            least_.push_back(count < constraints_[i].min_domains ? 0 : least);
        }
        return true;
    }
    [[nodiscard]] std::string_view filter(const control::SchedulingContext& context,
                                          cluster::NodeId node) const override {
        for (std::size_t i = 0; i < constraints_.size(); ++i) {
            const auto domain =
                domain_of(context.cluster->node(node), constraints_[i].topology_key);
            if (!domain.has_value()) {
                return "node(s) didn't match pod topology spread constraints (missing required "
                       "label)";
            }
            const auto found = domains_[i].find(*domain);
            const std::int64_t matches = found == domains_[i].end() ? 0 : found->second;
            const std::int64_t itself = constraints_[i].counts_itself ? 1 : 0;
            if (matches + itself - least_[i] > constraints_[i].max_skew) {
                return "node(s) didn't match pod topology spread constraints";
            }
        }
        return {};
    }

  private:
    std::vector<SpreadConstraint> constraints_;
    std::vector<std::map<std::string_view, std::int64_t>> domains_;  ///< matching pods by domain
    std::vector<std::int64_t> least_;
};

REGISTER_POLICY(FilterPlugin, PodTopologySpreadFilter, "pod-topology-spread",
                "no DoNotSchedule constraint is exceeded");

}  // namespace headroom::policies
