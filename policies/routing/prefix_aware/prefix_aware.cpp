/// `prefix-aware`: llm-d's default endpoint picker (llm-d-router,
/// pkg/epp/config/loader/defaults.go): the endpoint with the greatest weighted sum of three scores,
/// prefix cache 3, queue 2 and KV cache utilization 2, ties at random. The picker does not see the
/// engines' prefix caches: it remembers which blocks it sent where (prefix_index.hpp), as if they
/// stayed there. Queues and caches are as at the last poll of the metrics, `metrics_refresh` apart:
/// between two polls only the prefixes tell the endpoints apart.
///
/// A request without contents has no blocks and goes by the other two. What it knows of an endpoint
/// that is gone is forgotten after 2 to 4 minutes. O(endpoints + matched blocks * who has them).
#include "policies/routing/endpoint_scores.hpp"
#include "policies/routing/observed_loads.hpp"
#include "policies/routing/prefix_aware/prefix_blocks.hpp"
#include "policies/routing/prefix_aware/prefix_index.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class PrefixAware final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs();
    PrefixAware(const Parameters& parameters, const PolicyContext& context);

    [[nodiscard]] Duration observes_every() const override { return loads_.interval(); }
    void observe(const serving::RouterView& view) override { loads_.look(view); }
    std::int64_t pick(const serving::RouterView& view,
                      const serving::RoutedRequest& request) override;

  private:
    /// As llm-d's podActiveCheckInterval.
    static constexpr Duration kCheckEvery = Duration::minutes(2);

    void forget_the_gone(const serving::RouterView& view);

    RandomStream random_;
    ObservedLoads loads_;
    double prefix_weight_;
    double queue_weight_;
    double kv_weight_;
    std::int64_t block_size_tokens_;
    std::int64_t max_prefix_tokens_;
    PrefixIndex index_;

    PrefixBlocks blocks_;  ///< of the request that is picked for; kept, as are the next two
    std::vector<ObservedLoad> seen_;  ///< by position
    MaxScorePicker picker_;
    Time next_check_;
    std::int64_t checks_ = 0;
    std::vector<std::int64_t> met_;  ///< by ordinal: the last check when it was met or picked
};

ParameterSpecs PrefixAware::parameter_specs() {
    const auto weight = [](const char* name, double value, const char* help) {
        return ParameterSpec::number(name, value, help).at_least(0).at_most(1e6);
    };
    return {
        ObservedLoads::parameter_spec(Duration::milliseconds(50)),
        weight("prefix_cache_weight", 3,
               "of the fraction of the prompt's blocks it was sent before"),
        weight("queue_weight", 2, "of how short the engine's queue is among the endpoints"),
        weight("kv_cache_utilization_weight", 2, "of the fraction of the KV cache that is free"),
        ParameterSpec::integer("block_size_tokens", 16,
                               "of a block; that of the trace where its pieces are larger")
            .at_least(1)
            .at_most(1'000'000)
            .in("tokens"),
        ParameterSpec::integer("max_prefix_tokens_to_match", 131'072,
                               "longer prompts with equal beginnings are not told apart")
            .at_least(1)
            .in("tokens"),
        ParameterSpec::integer("lru_capacity_per_server", 31'250,
                               "blocks of block_size_tokens remembered of an endpoint; larger ones "
                               "count as several")
            .at_least(1)
            .at_most(1e9)
            .in("blocks"),
    };
}

PrefixAware::PrefixAware(const Parameters& parameters, const PolicyContext& context)
    : random_(context.random),
      loads_(parameters),
      prefix_weight_(parameters.number("prefix_cache_weight")),
      queue_weight_(parameters.number("queue_weight")),
      kv_weight_(parameters.number("kv_cache_utilization_weight")),
      block_size_tokens_(parameters.integer("block_size_tokens")),
      max_prefix_tokens_(parameters.integer("max_prefix_tokens_to_match")),
      index_(parameters.integer("lru_capacity_per_server") * block_size_tokens_),
      next_check_(Time::zero() + kCheckEvery) {}

std::int64_t PrefixAware::pick(const serving::RouterView& view,
                               const serving::RoutedRequest& request) {
    if (view.now() >= next_check_) forget_the_gone(view);
    blocks_.assign(request, block_size_tokens_, max_prefix_tokens_);
    index_.match(blocks_.hashes);
    seen_.clear();
    for (std::int64_t i = 0; i < view.size(); ++i) seen_.push_back(loads_.of(view, i));
    QueueScorer queue;
    queue.begin(seen_[0].waiting);
    for (const ObservedLoad& load : seen_) queue.include(load.waiting);
    picker_.begin();
    for (std::int64_t i = 0; i < view.size(); ++i) {
        const ObservedLoad& load = seen_[static_cast<std::size_t>(i)];
        const std::int64_t matched = index_.matched(view.ordinal(i));
        picker_.offer(i, weighted_score(prefix_weight_, prefix_score(matched, blocks_.total)) +
                             weighted_score(queue_weight_, queue.score(load.waiting)) +
                             weighted_score(kv_weight_, kv_cache_score(load.kv_usage)));
    }
    const std::int64_t picked = picker_.pick(random_, request);
    const std::uint32_t ordinal = view.ordinal(picked);
    index_.add(ordinal, blocks_.hashes, blocks_.tokens_each);
    if (ordinal < met_.size()) met_[ordinal] = checks_;
    return picked;
}

/// An endpoint that neither two checks in a row met nor a pick after the first of them is taken to
/// be gone for good. (One that is merely full is picked again as soon as it is not.)
void PrefixAware::forget_the_gone(const serving::RouterView& view) {
    ++checks_;
    next_check_ = view.now() + kCheckEvery;
    for (std::int64_t i = 0; i < view.size(); ++i) {
        const std::uint32_t ordinal = view.ordinal(i);
        if (ordinal >= met_.size()) met_.resize(ordinal + 1, checks_);
        met_[ordinal] = checks_;
    }
    for (std::uint32_t ordinal = 0; ordinal < met_.size(); ++ordinal) {
        if (met_[ordinal] == checks_ - 2) index_.remove(ordinal);
    }
}

REGISTER_POLICY(RoutingPolicy, PrefixAware, "prefix-aware",
                "where the request's prefix was sent before, unless queues or caches are full");

}  // namespace headroom::policies
