/// `pod-topology-spread`: fewer matching pods in the node's domains are better. Raw score: the sum
/// over the ScheduleAnyway constraints of count * ln(domains + 2) + max_skew - 1, rounded;
/// normalised 100 * (largest + least - s) / largest. Domains are those of feasible nodes, counts
/// those of all nodes. A pod of a workload that states no constraint has the default ones (hosts 3,
/// zones 5), for which a node may lack a label; with stated ones such a node scores 0. prepare is
/// O(constraints * (feasible nodes + pods of the workload)), score O(constraints + pods of the
/// node). Source: kubernetes v1.28 pkg/scheduler/framework/plugins/podtopologyspread/scoring.go.
#include <algorithm>
#include <cmath>
#include <limits>

#include "policies/scheduling/scores/normalise.hpp"
#include "policies/scheduling/spread_constraints.hpp"
#include "sim/core/math.hpp"

namespace headroom::policies {

using control::ScorePlugin;

class PodTopologySpreadScore final : public control::ScorePlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    PodTopologySpreadScore(const Parameters&, const PolicyContext&) {}

    bool prepare(const control::SchedulingContext& context,
                 const std::vector<cluster::NodeId>& nodes) override {
        const cluster::PodSpec& pod = *context.pod;
        stated_ = !pod.topology_spread.empty();
        if (!stated_ && !pod.owner.valid()) return false;
        constraints_ = stated_ ? spread_constraints(
                                     pod, cluster::WhenUnsatisfiable::schedule_anyway, topology_)
                               : default_spread_constraints(pod, topology_);
        if (constraints_.empty()) return false;
        find_domains(*context.cluster, nodes);
        count_pods(context);
        return true;
    }
    [[nodiscard]] std::int64_t score(const control::SchedulingContext& context,
                                     cluster::NodeId id) const override {
        const cluster::Node& node = context.cluster->node(id);
        if (is_ignored(id, node)) return kIgnored;
        double sum = 0.0;
        for (std::size_t i = 0; i < constraints_.size(); ++i) {
            const SpreadConstraint& constraint = constraints_[i];
            const TopologyDomains::Domain domain = constraint.domains->of(id, node);
            if (!domain.labelled) continue;
            const std::int64_t count = constraint.domains->is_host()
                                           ? count_matching_pods(*context.cluster, node, constraint)
                                           : matches_[i][domain.number];
            sum += static_cast<double>(count) * weights_[i] +
                   static_cast<double>(constraint.max_skew - 1);
        }
        return static_cast<std::int64_t>(std::round(sum));
    }
    void normalise(std::vector<std::int64_t>& scores) const override {
        std::int64_t least = std::numeric_limits<std::int64_t>::max();
        std::int64_t largest = 0;
        for (const std::int64_t score : scores) {
            if (score == kIgnored) continue;
            least = std::min(least, score);
            largest = std::max(largest, score);
        }
        for (std::int64_t& score : scores) {
            if (score == kIgnored) {
                score = 0;
            } else if (largest == 0) {
                score = kMaxNodeScore;
            } else {
                score = kMaxNodeScore * (largest + least - score) / largest;
            }
        }
    }

  private:
    static constexpr std::int64_t kIgnored = -1;  ///< of a node that lacks a key

    static constexpr std::int64_t kNotFeasible = -1;

    [[nodiscard]] bool is_ignored(cluster::NodeId id, const cluster::Node& node) const {
        return stated_ && !has_all_keys(id, node, constraints_);
    }
    /// Domains of the feasible nodes. Each node is its own domain of the hostname, counted at its
    /// score. With the default constraints, nodes without the label are a domain together.
    void find_domains(const cluster::Cluster& cluster, const std::vector<cluster::NodeId>& nodes) {
        for (auto& counts : matches_) counts.clear();
        matches_.resize(constraints_.size());
        std::vector<std::int64_t> sizes(constraints_.size(), 0);
        for (const cluster::NodeId id : nodes) {
            const cluster::Node& node = cluster.node(id);
            if (is_ignored(id, node)) continue;
            for (std::size_t i = 0; i < constraints_.size(); ++i) {
                if (constraints_[i].domains->is_host()) {
                    ++sizes[i];
                } else if (std::int64_t& count = count_of(i, id, node); count == kNotFeasible) {
                    count = 0;
                    ++sizes[i];
                }
            }
        }
        weights_.clear();
        for (const std::int64_t size : sizes) {
            weights_.push_back(det_log(static_cast<double>(size + 2)));
        }
    }
    void count_pods(const control::SchedulingContext& context) {
        const cluster::Cluster& cluster = *context.cluster;
        for (std::size_t i = 0; i < constraints_.size(); ++i) {
            if (constraints_[i].domains->is_host()) continue;
            for_each_matching_pod(cluster, constraints_[i], [&](cluster::NodeId id) {
                const cluster::Node& node = cluster.node(id);
                if (!affinity_allows(*context.pod, node) || is_ignored(id, node)) return;
                std::int64_t& count = count_of(i, id, node);
                if (count != kNotFeasible) ++count;
            });
        }
    }
    std::int64_t& count_of(std::size_t constraint, cluster::NodeId id, const cluster::Node& node) {
        const std::size_t number = constraints_[constraint].domains->of(id, node).number;
        std::vector<std::int64_t>& counts = matches_[constraint];
        if (number >= counts.size()) counts.resize(number + 1, kNotFeasible);
        return counts[number];
    }

    Topology topology_;
    bool stated_ = false;
    std::vector<SpreadConstraint> constraints_;
    std::vector<std::vector<std::int64_t>> matches_;  ///< by constraint and domain: matching pods
    std::vector<double> weights_;
};

REGISTER_POLICY(ScorePlugin, PodTopologySpreadScore, "pod-topology-spread",
                "fewer pods of the same workload in the node's domains");

}  // namespace headroom::policies
