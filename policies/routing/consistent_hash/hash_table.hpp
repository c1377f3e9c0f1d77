/// HashTable: from a hash to an endpoint such that most hashes keep theirs when endpoints come and
/// go. Two ways to build one, both after Envoy and with its rounding (normalised weights are
/// doubles; only IEEE + - * / and ceil are used on them):
///
/// - HashRing, "ketama" (source/extensions/load_balancing_policies/ring_hash/ring_hash_lb.cc): each
///   endpoint has points on a ring of 64-bit hashes, as many as its share of the ring's size; a
///   hash belongs to the first point at or after it. Building is O(size log size), lookup O(log
///   size).
/// - MaglevTable (source/extensions/load_balancing_policies/maglev/maglev_lb.cc; Eisenbud et al.,
///   "Maglev", NSDI 2016, listing 1): endpoints take turns at filling a table of prime size, each
///   along its own permutation. Building is O(size), lookup O(1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace headroom::policies {

/// An endpoint to hash to. Its index in the list is what lookups return.
struct HashedEndpoint {
    std::string key;  ///< its name in the hashes; not empty, distinct
    std::int64_t weight = 1;
};

/// weight / sum of weights, in the order of the list.
[[nodiscard]] std::vector<double> normalised_weights(const std::vector<HashedEndpoint>& endpoints);

class HashTable {
  public:
    virtual ~HashTable() = default;
    [[nodiscard]] virtual std::uint32_t lookup(std::uint64_t hash) const = 0;
};

class HashRing final : public HashTable {
  public:
    struct Point {
        std::uint64_t hash;
        std::uint32_t endpoint;
    };

    /// The size is the least multiple of what gives the lightest endpoint whole points that is at
    /// least `minimum_size`, but at most `maximum_size`. Not for an empty list.
    HashRing(const std::vector<HashedEndpoint>& endpoints, std::int64_t minimum_size,
             std::int64_t maximum_size);
    [[nodiscard]] std::uint32_t lookup(std::uint64_t hash) const override;
    /// By hash; of equal hashes the first endpoint's first.
    [[nodiscard]] const std::vector<Point>& points() const { return points_; }

  private:
    std::vector<Point> points_;
};

class MaglevTable final : public HashTable {
  public:
    /// `size` is a prime. Not for an empty list.
    MaglevTable(const std::vector<HashedEndpoint>& endpoints, std::int64_t size);
    [[nodiscard]] std::uint32_t lookup(std::uint64_t hash) const override {
        return table_[hash % table_.size()];
    }
    [[nodiscard]] const std::vector<std::uint32_t>& table() const { return table_; }

  private:
    std::vector<std::uint32_t> table_;  ///< endpoints
};

/// The least prime that is not below `number`. O(sqrt(number) log(number)) or so.
[[nodiscard]] std::int64_t prime_from(std::int64_t number);

}  // namespace headroom::policies
