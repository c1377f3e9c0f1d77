/// The order in which pods are deleted, and the batches in which they are created.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "sim/control/deletion_order.hpp"
#include "tests/conformance/kubernetes/vector_values.hpp"

namespace headroom::conformance {
namespace {

using namespace control;

/// Texts as numbers of the same order: uids compare as upstream compares them.
class Numbers {
  public:
    explicit Numbers(const std::vector<const Json*>& pods, const char* key) : key_(key) {
        std::set<std::string> texts;
        for (const Json* pod : pods) texts.insert(text_of(*pod));
        for (const std::string& text : texts) numbers_.emplace(text, numbers_.size());
    }
    [[nodiscard]] std::string text_of(const Json& pod) const {
        return value_or(pod, key_, std::string());
    }
    [[nodiscard]] std::size_t of(const Json& pod) const { return numbers_.at(text_of(pod)); }

  private:
    const char* key_;
    std::map<std::string, std::size_t> numbers_;
};

/// A text of the pods' past in seconds; longer ago than the simulator's times reach is one class.
std::optional<Time> time_ago(const Json& pod, const char* key) {
    const Json ago = pod.value(key, Json());
    if (ago.is_null()) return std::nullopt;
    constexpr double kFarthest = 9e6;
    const double s = ago.get<double>();
    if (s >= 1e9) return std::nullopt;  // the zero time
    return kNow - Duration::from_seconds(std::min(s, kFarthest));
}

DeletionCandidate parse_candidate(const Json& pod, const Numbers& nodes, const Numbers& uids) {
    const auto phase = value_or(pod, "phase", std::string());
    DeletionCandidate candidate;
    if (!nodes.text_of(pod).empty()) candidate.node = static_cast<std::int64_t>(nodes.of(pod));
    // Upstream gives phases that it does not list the place of Pending.
    candidate.phase = phase == "Running"   ? DeletionPhase::running
                      : phase == "Unknown" ? DeletionPhase::unknown
                                           : DeletionPhase::pending;
    candidate.ready = value_or(pod, "ready", false);
    candidate.deletion_cost = value_or(pod, "deletion_cost", std::int64_t{0});
    candidate.ready_since = time_ago(pod, "ready_for_s");
    candidate.restarts = value_or(pod, "max_restarts", std::int64_t{0});
    candidate.created = time_ago(pod, "age_s");
    candidate.uid = uids.of(pod);
    return candidate;
}

std::vector<const Json*> pointers_to(const Json& pods) {
    std::vector<const Json*> pointers;
    for (const Json& pod : pods) pointers.push_back(&pod);
    return pointers;
}

bool is_active(const Json& pod) {
    const auto phase = value_or(pod, "phase", std::string());
    return phase != "Succeeded" && phase != "Failed" && !value_or(pod, "deleted", false);
}

DeletionRules rules_of(const Json& test) {
    return {value_or(test, "pod_deletion_cost", true),
            value_or(test, "logarithmic_scale_down", true)};
}

/// Whether the first pod goes before the second, and the second before the first.
std::pair<bool, bool> compare_pair(const Json& test, const char* first, const char* second,
                                   const char* first_rank, const char* second_rank) {
    const std::vector<const Json*> pods = {&test.at(first), &test.at(second)};
    const Numbers nodes(pods, "node");
    const Numbers uids(pods, "uid");
    DeletionCandidate a = parse_candidate(*pods[0], nodes, uids);
    DeletionCandidate b = parse_candidate(*pods[1], nodes, uids);
    a.rank = value_or(test, first_rank, std::int64_t{0});
    b.rank = value_or(test, second_rank, std::int64_t{0});
    const DeletionRules rules = rules_of(test);
    return {deleted_before(a, b, kNow, rules), deleted_before(b, a, kNow, rules)};
}

std::string run_equal(const Json& test) {
    const auto [forth, back] = compare_pair(test, "a", "b", "rank_a", "rank_b");
    Differences differences;
    differences.compare("a before b", false, forth);
    differences.compare("b before a", false, back);
    return differences.text();
}

std::string run_pair(const Json& test) {
    const auto [forth, back] =
        compare_pair(test, "deleted_first", "deleted_second", "rank_first", "rank_second");
    Differences differences;
    differences.compare("first before second", true, forth);
    differences.compare("second before first", false, back);
    return differences.text();
}

/// Plain ages, no ranks and no costs. Starts from the reverse of what is expected.
std::string run_sort_without_ranks(const Json& test) {
    const Json pods = test.value("pods", Json::array());
    const Numbers nodes(pointers_to(pods), "node");
    const Numbers uids(pointers_to(pods), "uid");
    std::vector<std::string> names;
    std::vector<DeletionCandidate> candidates;
    for (auto pod = pods.rbegin(); pod != pods.rend(); ++pod) {
        names.push_back(pod->at("name"));
        candidates.push_back(parse_candidate(*pod, nodes, uids));
    }
    std::vector<std::string> found;
    for (const std::size_t i : deletion_order(candidates, {}, kNow, {false, false})) {
        found.push_back(names[i]);
    }
    Differences differences;
    differences.compare("order", test.at("expected_order_first_deleted_first"), found);
    return differences.text();
}

std::string run_pods_to_delete(const Json& test) {
    const Json pods = test.value("pods", Json::array());
    const Json related = test.value("related_pods", Json::array());
    std::vector<const Json*> all = pointers_to(pods);
    for (const Json& pod : related) all.push_back(&pod);
    const Numbers nodes(all, "node");
    const Numbers uids(all, "uid");
    std::vector<DeletionCandidate> candidates;
    for (const Json& pod : pods) candidates.push_back(parse_candidate(pod, nodes, uids));
    std::vector<std::int64_t> related_nodes;
    for (const Json& pod : related) {
        if (is_active(pod)) related_nodes.push_back(parse_candidate(pod, nodes, uids).node);
    }
    const auto count = test.at("delete_count").get<std::size_t>();
    std::vector<std::string> found;
    for (const std::size_t i :
         pods_to_delete(candidates, related_nodes, count, kNow, rules_of(test))) {
        found.push_back(pods[i].at("name"));
    }
    Differences differences;
    differences.compare("deleted", test.at("expected_deleted"), found);
    return differences.text();
}

std::string run_slow_start_batch(const Json& test) {
    const auto limit = test.at("calls_that_succeed").get<std::int64_t>();
    const SlowStartResult result = slow_start_batch(
        test.at("count").get<std::int64_t>(), value_or(test, "initial_batch", kSlowStartFirstBatch),
        [limit](std::int64_t call) { return call < limit; });
    Differences differences;
    differences.compare("successes", test.at("expected_successes"), result.successes);
    differences.compare("error", value_or(test, "expected_error", false),
                        result.successes < result.calls);
    differences.compare("calls", test.at("expected_calls"), result.calls);
    return differences.text();
}

const CaseKind kEqual{"equal", run_equal};
const CaseKind kPair{"pair", run_pair};
const CaseKind kSortWithoutRanks{"sort_without_ranks", run_sort_without_ranks};
const CaseKind kPodsToDelete{"pods_to_delete", run_pods_to_delete};
const CaseKind kSlowStartBatch{"slow_start_batch", run_slow_start_batch};

}  // namespace
}  // namespace headroom::conformance
