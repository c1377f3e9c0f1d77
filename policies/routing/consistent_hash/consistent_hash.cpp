/// `consistent-hash`: requests of one key go to one endpoint, and most keys keep theirs when
/// endpoints come and go. The key is the request's session, tenant, adapter or the first pieces of
/// its contents; a request without it (0, or no contents) is hashed at random, which degrades to
/// `random`. Tables, hash and parameters are Envoy's (hash_table.hpp); the instance of ordinal 7 is
/// hashed as "instance-7". With `hash_balance_factor` no endpoint gets more than so many per cent
/// of its share of the attempts in flight (bounded_load.hpp).
///
/// A table is built when the list of endpoints changes. O(log points) or O(1), with bounded loads
/// O(endpoints).
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "policies/routing/consistent_hash/bounded_load.hpp"
#include "policies/routing/consistent_hash/hash_table.hpp"
#include "policies/routing/consistent_hash/xx_hash.hpp"
#include "policies/routing/endpoint_weights.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

using serving::RoutingPolicy;

class ConsistentHash final : public serving::RoutingPolicy {
  public:
    static ParameterSpecs parameter_specs();
    ConsistentHash(const Parameters& parameters, const PolicyContext& context);

    std::int64_t pick(const serving::RouterView& view,
                      const serving::RoutedRequest& request) override;

  private:
    enum class Key { session, tenant, adapter, prefix };

    static Key parse_key(const std::string& name);
    [[nodiscard]] std::uint64_t hash_of(const serving::RoutedRequest& request);
    void collect_key(const serving::RoutedRequest& request);
    void rebuild(const serving::RouterView& view);

    RandomStream random_;
    bool maglev_;
    Key key_;
    std::int64_t prefix_blocks_;
    std::int64_t minimum_ring_size_;
    std::int64_t maximum_ring_size_;
    std::int64_t table_size_;
    std::int64_t balance_factor_;
    EndpointWeights weights_;

    std::unique_ptr<const HashTable> table_;
    std::vector<HashedEndpoint> endpoints_;  ///< that the table was built of
    std::vector<double> shares_;             ///< their normalised weights
    std::uint64_t generation_ = 0;
    std::vector<std::uint64_t> words_;  ///< of a key; empty: there is none
};

ParameterSpecs ConsistentHash::parameter_specs() {
    return {
        ParameterSpec::choice("algorithm", {"ring", "maglev"}, "ring",
                              "ring: ketama; maglev: a table, more even and faster to look up"),
        ParameterSpec::choice("key", {"session", "tenant", "adapter", "prefix"}, "session",
                              "what requests that belong together share"),
        ParameterSpec::integer("prefix_blocks", 4,
                               "with key prefix: pieces of the request's contents that count")
            .at_least(1),
        ParameterSpec::integer("minimum_ring_size", 1024, "points on the ring at least")
            .at_least(1)
            .at_most(8'388'608),
        ParameterSpec::integer("maximum_ring_size", 8'388'608,
                               "points at most, also where that is below the minimum")
            .at_least(1)
            .at_most(8'388'608),
        ParameterSpec::integer("table_size", 65'537,
                               "of maglev; where it is not prime, the next prime is taken")
            .at_least(2)
            .at_most(5'000'011),
        ParameterSpec::integer(
            "hash_balance_factor", 0,
            "an endpoint's attempts in flight, in per cent of its share, above "
            "which requests go elsewhere; 0: no bound; below 100 is taken as 100")
            .at_least(0)
            .at_most(1'000'000),
        EndpointWeights::parameter_spec(),
    };
}

ConsistentHash::ConsistentHash(const Parameters& parameters, const PolicyContext& context)
    : random_(context.random),
      maglev_(parameters.text("algorithm") == "maglev"),
      key_(parse_key(parameters.text("key"))),
      prefix_blocks_(parameters.integer("prefix_blocks")),
      minimum_ring_size_(parameters.integer("minimum_ring_size")),
      maximum_ring_size_(parameters.integer("maximum_ring_size")),
      table_size_(prime_from(parameters.integer("table_size"))),
      balance_factor_(parameters.integer("hash_balance_factor")),
      weights_(parameters) {
    if (balance_factor_ > 0) balance_factor_ = std::max<std::int64_t>(100, balance_factor_);
}

ConsistentHash::Key ConsistentHash::parse_key(const std::string& name) {
    if (name == "tenant") return Key::tenant;
    if (name == "adapter") return Key::adapter;
    return name == "prefix" ? Key::prefix : Key::session;
}

std::int64_t ConsistentHash::pick(const serving::RouterView& view,
                                  const serving::RoutedRequest& request) {
    if (table_ == nullptr || generation_ != view.generation()) rebuild(view);
    const std::uint64_t hash = hash_of(request);
    const std::uint32_t first = table_->lookup(hash);
    if (balance_factor_ == 0) return first;
    std::int64_t in_flight = 0;
    for (std::int64_t i = 0; i < view.size(); ++i) in_flight += view.endpoint(i).in_flight;
    const auto count = static_cast<std::uint32_t>(view.size());
    return choose_bounded(first, hash, count, [&](std::uint32_t endpoint) {
        const std::int64_t slots = bounded_slots(in_flight, balance_factor_, shares_[endpoint]);
        return static_cast<double>(view.endpoint(endpoint).in_flight) / static_cast<double>(slots);
    });
}

std::uint64_t ConsistentHash::hash_of(const serving::RoutedRequest& request) {
    collect_key(request);
    if (words_.empty()) return random_.bits(request.request, request.draw);
    return xx_hash64(words_);
}

void ConsistentHash::collect_key(const serving::RoutedRequest& request) {
    words_.clear();
    if (key_ == Key::prefix) {
        if (request.contents == nullptr) return;
        // Only whole pieces of the prompt: one that reaches into the answer names both.
        const std::int64_t whole =
            std::min(prefix_blocks_, request.prompt / request.contents->tokens_per_id);
        for (const std::uint64_t id : request.contents->ids) {
            if (static_cast<std::int64_t>(words_.size()) == whole) break;
            words_.push_back(id);
        }
        return;
    }
    const serving::RequestAttributes& attributes = request.attributes;
    const std::uint64_t value = key_ == Key::session  ? attributes.session
                                : key_ == Key::tenant ? attributes.tenant
                                                      : attributes.adapter;
    if (value != 0) words_.push_back(value);
}

void ConsistentHash::rebuild(const serving::RouterView& view) {
    generation_ = view.generation();
    std::vector<HashedEndpoint> endpoints;
    bool equal = static_cast<std::size_t>(view.size()) == endpoints_.size();
    for (std::int64_t i = 0; i < view.size(); ++i) {
        endpoints.push_back({"instance-" + std::to_string(view.ordinal(i)), weights_.at(view, i)});
        const auto at = static_cast<std::size_t>(i);
        equal = equal && endpoints[at].key == endpoints_[at].key;
    }
    if (equal) return;  // one that was full for a while is back
    endpoints_ = std::move(endpoints);
    shares_ = normalised_weights(endpoints_);
    if (maglev_) {
        table_ = std::make_unique<MaglevTable>(endpoints_, table_size_);
    } else {
        table_ = std::make_unique<HashRing>(endpoints_, minimum_ring_size_, maximum_ring_size_);
    }
}

REGISTER_POLICY(RoutingPolicy, ConsistentHash, "consistent-hash",
                "requests of one session, tenant, adapter or prefix keep their endpoint");

}  // namespace headroom::policies
