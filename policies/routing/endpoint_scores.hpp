/// The scores of llm-d's endpoint picker (llm-d-router,
/// pkg/epp/framework/plugins/scheduling/scorer): each between 0 and 1, more is better, added up
/// with weights and not normalised; the endpoint with the greatest sum is picked, ties at random
/// (picker/maxscore). Doubles, but only + - * / on them and in a written order: every compiler gets
/// the same sums.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

/// Queue depth: (most - waiting) / (most - least) over the candidates; 1 where all are equal.
struct QueueScorer {
    std::int64_t least = 0;
    std::int64_t most = 0;

    void begin(std::int64_t waiting) { least = most = waiting; }
    void include(std::int64_t waiting);
    [[nodiscard]] double score(std::int64_t waiting) const;
};

/// KV cache utilization: what is free of it, of `usage` in 0..1.
[[nodiscard]] double kv_cache_score(double usage);

/// Prefix cache: matched / total blocks; 0 where there is no block to match.
[[nodiscard]] double prefix_score(std::int64_t matched, std::int64_t total);

/// weight * score, the score held between 0 and 1.
[[nodiscard]] double weighted_score(double weight, double score);

/// Collects the best of the positions offered to it; kept by a policy, so that it does not
/// allocate.
class MaxScorePicker {
  public:
    void begin() { best_.clear(); }
    void offer(std::int64_t position, double score);
    [[nodiscard]] const std::vector<std::int64_t>& best() const { return best_; }
    /// One of the best, by one uniform draw where there are several.
    [[nodiscard]] std::int64_t pick(const RandomStream& random,
                                    const serving::RoutedRequest& request) const;

  private:
    double score_ = 0.0;
    std::vector<std::int64_t> best_;
};

}  // namespace headroom::policies
