/// Labels, selectors, taints and tolerations, with the meaning they have in Kubernetes.
///
/// matches(): In and NotIn compare the label's value with the list, and NotIn holds where the label
/// is absent; Gt and Lt compare whole numbers and fail where either side is none. A term is the AND
/// of its expressions and an empty term matches nothing; a list of terms is their OR.
/// Sources: apimachinery pkg/labels/selector.go (Requirement.Matches), component-helpers
/// scheduling/corev1/nodeaffinity, k8s.io/api core/v1 toleration.go (ToleratesTaint), v1.28.
///
///     MatchExpression zone{.key = kZoneLabel, .op = MatchOperator::in, .values = {"a", "b"}};
///     bool ok = matches(zone, node_labels);
///
/// Label look-ups are O(log labels); nothing here allocates.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::cluster {

using Labels = std::map<std::string, std::string, std::less<>>;

inline constexpr std::string_view kHostnameLabel = "kubernetes.io/hostname";
inline constexpr std::string_view kInstanceTypeLabel = "node.kubernetes.io/instance-type";
inline constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";
inline constexpr std::string_view kRegionLabel = "topology.kubernetes.io/region";
inline constexpr std::string_view kPoolLabel = "headroom/node-pool";
inline constexpr std::string_view kGpuModelLabel = "nvidia.com/gpu.product";

enum class MatchOperator : std::uint8_t { in, not_in, exists, does_not_exist, gt, lt };

struct MatchExpression {
    std::string key{};
    MatchOperator op = MatchOperator::in;
    std::vector<std::string> values{};
};

/// The AND of its expressions.
struct SelectorTerm {
    std::vector<MatchExpression> expressions{};
};

struct PreferredTerm {
    std::int32_t weight = 1;  ///< 1..100
    SelectorTerm term{};
};

enum class TaintEffect : std::uint8_t { no_schedule, prefer_no_schedule, no_execute };

struct Taint {
    std::string key{};
    std::string value{};
    TaintEffect effect = TaintEffect::no_schedule;
    bool operator==(const Taint&) const = default;
};

enum class TolerationOperator : std::uint8_t { equal, exists };

struct Toleration {
    std::string key{};  ///< empty with `exists`: every key
    TolerationOperator op = TolerationOperator::equal;
    std::string value{};
    std::optional<TaintEffect> effect{};  ///< nothing: every effect
    /// How long a NoExecute taint is borne; nothing: for ever.
    std::optional<Duration> toleration_time{};
};

[[nodiscard]] bool matches(const MatchExpression& expression, const Labels& labels);
[[nodiscard]] bool matches(const SelectorTerm& term, const Labels& labels);
/// An empty list of terms asks for nothing and matches.
[[nodiscard]] bool matches_any(const std::vector<SelectorTerm>& terms, const Labels& labels);
/// Each label of the selector is there with the same value.
[[nodiscard]] bool matches_all(const Labels& selector, const Labels& labels);

[[nodiscard]] bool tolerates(const Toleration& toleration, const Taint& taint);
[[nodiscard]] bool tolerated(const Taint& taint, const std::vector<Toleration>& tolerations);
/// How long a pod with these tolerations may stay on a node with these taints, which it tolerates:
/// the least time of the first toleration of each NoExecute taint; nothing: for ever. Source:
/// kubernetes v1.28 pkg/controller/nodelifecycle/scheduler/taint_manager.go (getMinTolerationTime),
/// pkg/apis/core/v1/helper (GetMatchingTolerations).
[[nodiscard]] std::optional<Duration> toleration_time(const std::vector<Taint>& taints,
                                                      const std::vector<Toleration>& tolerations);
/// The first NoSchedule or NoExecute taint that nothing tolerates, or null.
[[nodiscard]] const Taint* first_untolerated(const std::vector<Taint>& taints,
                                             const std::vector<Toleration>& tolerations);

}  // namespace headroom::cluster
