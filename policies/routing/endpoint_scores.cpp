#include "policies/routing/endpoint_scores.hpp"

#include <algorithm>

namespace headroom::policies {

void QueueScorer::include(std::int64_t waiting) {
    least = std::min(least, waiting);
    most = std::max(most, waiting);
}

double QueueScorer::score(std::int64_t waiting) const {
    if (most == least) return 1.0;
    return static_cast<double>(most - waiting) / static_cast<double>(most - least);
}

double kv_cache_score(double usage) {
    return 1.0 - usage;
}

double prefix_score(std::int64_t matched, std::int64_t total) {
    if (total == 0) return 0.0;
    return static_cast<double>(matched) / static_cast<double>(total);
}

double weighted_score(double weight, double score) {
    return weight * std::clamp(score, 0.0, 1.0);
}

void MaxScorePicker::offer(std::int64_t position, double score) {
    if (!best_.empty() && score < score_) return;
    if (best_.empty() || score > score_) {
        score_ = score;
        best_.clear();
    }
    best_.push_back(position);
}

std::int64_t MaxScorePicker::pick(const RandomStream& random,
                                  const serving::RoutedRequest& request) const {
    if (best_.size() == 1) return best_.front();
    return best_[random.below(best_.size(), request.request, request.draw)];
}

}  // namespace headroom::policies
