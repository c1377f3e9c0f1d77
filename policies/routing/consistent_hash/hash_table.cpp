#include "policies/routing/consistent_hash/hash_table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "policies/routing/consistent_hash/xx_hash.hpp"
#include "sim/core/check.hpp"

namespace headroom::policies {

std::vector<double> normalised_weights(const std::vector<HashedEndpoint>& endpoints) {
    std::int64_t sum = 0;
    for (const HashedEndpoint& endpoint : endpoints) sum += endpoint.weight;
    std::vector<double> weights;
    weights.reserve(endpoints.size());
    for (const HashedEndpoint& endpoint : endpoints) {
        weights.push_back(static_cast<double>(endpoint.weight) / static_cast<double>(sum));
    }
    return weights;
}

HashRing::HashRing(const std::vector<HashedEndpoint>& endpoints, std::int64_t minimum_size,
                   std::int64_t maximum_size) {
    HEADROOM_CHECK(!endpoints.empty(), "a ring of no endpoints");
    const std::vector<double> weights = normalised_weights(endpoints);
    const double lightest = *std::min_element(weights.begin(), weights.end());
    const double scale =
        std::min(std::ceil(lightest * static_cast<double>(minimum_size)) / lightest,
                 static_cast<double>(maximum_size));
    points_.reserve(static_cast<std::size_t>(std::ceil(scale)));
    // Running sums: where shares are not whole, the rounding does not add up.
    double target = 0.0;
    std::string name;
    for (std::uint32_t i = 0; i < endpoints.size(); ++i) {
        target += scale * weights[i];
        for (std::int64_t n = 0; static_cast<double>(points_.size()) < target; ++n) {
            name = endpoints[i].key;
            name += '_';
            name += std::to_string(n);
            points_.push_back({xx_hash64(name), i});
        }
    }
    std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) {
        return a.hash != b.hash ? a.hash < b.hash : a.endpoint < b.endpoint;
    });
}

std::uint32_t HashRing::lookup(std::uint64_t hash) const {
    const auto at =
        std::lower_bound(points_.begin(), points_.end(), hash,
                         [](const Point& point, std::uint64_t h) { return point.hash < h; });
    return at == points_.end() ? points_.front().endpoint : at->endpoint;
}

MaglevTable::MaglevTable(const std::vector<HashedEndpoint>& endpoints, std::int64_t size) {
    HEADROOM_CHECK(!endpoints.empty() && size >= 2, "a Maglev table of nothing");
    const auto slots = static_cast<std::uint64_t>(size);
    struct Filler {
        std::uint32_t endpoint;
        std::uint64_t slot;  ///< its next wish
        std::uint64_t skip;
        double weight;
        double target = 0.0;
    };
    std::vector<std::uint32_t> order(endpoints.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&endpoints](std::uint32_t a, std::uint32_t b) {
        return endpoints[a].key < endpoints[b].key;
    });
    const std::vector<double> weights = normalised_weights(endpoints);
    const double heaviest = *std::max_element(weights.begin(), weights.end());
    std::vector<Filler> fillers;
    for (const std::uint32_t i : order) {
        fillers.push_back({i, xx_hash64(endpoints[i].key) % slots,
                           xx_hash64(endpoints[i].key, 1) % (slots - 1) + 1, weights[i]});
    }
    constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();
    table_.assign(slots, kFree);
    std::uint64_t filled = 0;
    for (std::uint64_t turn = 1; filled < slots; ++turn) {
        for (Filler& filler : fillers) {
            if (filled == slots) break;
            // The heaviest takes a slot in every turn, one of half its weight in every other.
            if (static_cast<double>(turn) * filler.weight < filler.target) continue;
            filler.target += heaviest;
            while (table_[filler.slot] != kFree) filler.slot = (filler.slot + filler.skip) % slots;
            table_[filler.slot] = filler.endpoint;
            filler.slot = (filler.slot + filler.skip) % slots;
            ++filled;
        }
    }
}

std::int64_t prime_from(std::int64_t number) {
    const auto is_prime = [](std::int64_t n) {
        for (std::int64_t factor = 2; factor * factor <= n; ++factor) {
            if (n % factor == 0) return false;
        }
        return n >= 2;
    };
    while (!is_prime(number)) ++number;
    return number;
}

}  // namespace headroom::policies
