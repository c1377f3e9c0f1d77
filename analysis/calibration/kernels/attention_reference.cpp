#include "analysis/calibration/kernels/attention_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <utility>

#include "analysis/calibration/kernels/reference.hpp"
#include "sim/core/check.hpp"

namespace headroom::kernels::attention {
namespace {

/// A query against rows that are added one after the other: scores first, then their softmax over
/// the values. Rows are kept by reference.
class OneQuery {
  public:
    explicit OneQuery(std::span<const double> query)
        : query_(query), scale_(1.0 / std::sqrt(static_cast<double>(query.size()))) {}

    void add(const double* key, const double* value) {
        double score = 0;
        for (std::size_t d = 0; d < query_.size(); ++d) score += query_[d] * key[d];
        scores_.push_back(score * scale_);
        values_.push_back(value);
    }

    void write(std::span<double> out) const {
        double maximum = -std::numeric_limits<double>::infinity();
        for (const double score : scores_) maximum = std::max(maximum, score);
        double sum = 0;
        for (std::size_t row = 0; row < scores_.size(); ++row) {
            const double weight = std::exp(scores_[row] - maximum);
            sum += weight;
            for (std::size_t d = 0; d < out.size(); ++d) out[d] += weight * values_[row][d];
        }
        for (double& value : out) value /= sum;
    }

  private:
    std::span<const double> query_;
    double scale_;
    std::vector<double> scores_;
    std::vector<const double*> values_;
};

std::size_t product(std::initializer_list<int> factors) {
    std::size_t result = 1;
    for (const int factor : factors) result *= static_cast<std::size_t>(factor);
    return result;
}

}  // namespace

std::vector<double> decode_attention_reference(const DecodeProblem& problem,
                                               std::span<const std::uint16_t> q,
                                               std::span<const std::uint16_t> k,
                                               std::span<const std::uint16_t> v,
                                               std::span<const std::int32_t> table) {
    const std::size_t size = product({problem.head_size});
    const std::size_t block = product({problem.kv_heads, problem.page_tokens}) * size;
    std::vector<double> out(product({problem.batch, problem.query_heads}) * size);
    HEADROOM_CHECK(q.size() >= out.size(), "decode attention: a query for each head");
    HEADROOM_CHECK(table.size() >= product({problem.batch, problem.pages()}),
                   "decode attention: a block for each page");
    const std::vector<double> queries = reference::widen_bf16(q);
    const std::vector<double> keys = reference::widen_bf16(k);
    const std::vector<double> values = reference::widen_bf16(v);
    for (int sequence = 0; sequence < problem.batch; ++sequence) {
        for (int head = 0; head < problem.query_heads; ++head) {
            const std::size_t at = (product({sequence, problem.query_heads}) + head) * size;
            OneQuery query({&queries[at], size});
            for (int token = 0; token < problem.context; ++token) {
                const std::size_t page =
                    product({sequence, problem.pages()}) + token / problem.page_tokens;
                const std::size_t row = product({head / problem.group(), problem.page_tokens}) +
                                        token % problem.page_tokens;
                const std::size_t from = static_cast<std::size_t>(table[page]) * block + row * size;
                HEADROOM_CHECK(from + size <= k.size() && from + size <= v.size(),
                               "decode attention: a block outside the cache");
                query.add(&keys[from], &values[from]);
            }
            query.write(std::span(out).subspan(at, size));
        }
    }
    return out;
}

std::vector<double> prefill_attention_reference(const PrefillProblem& problem,
                                                std::span<const std::uint16_t> q,
                                                std::span<const std::uint16_t> k,
                                                std::span<const std::uint16_t> v) {
    const std::size_t size = product({problem.head_size});
    std::vector<double> out(product({problem.tokens, problem.query_heads}) * size);
    const std::size_t kv_size = product({problem.tokens, problem.kv_heads}) * size;
    HEADROOM_CHECK(q.size() >= out.size() && k.size() >= kv_size && v.size() >= kv_size,
                   "prefill attention: a query, a key and a value for each token");
    const std::vector<double> queries = reference::widen_bf16(q);
    const std::vector<double> keys = reference::widen_bf16(k);
    const std::vector<double> values = reference::widen_bf16(v);
    for (int token = 0; token < problem.tokens; ++token) {
        for (int head = 0; head < problem.query_heads; ++head) {
            const std::size_t at = (product({token, problem.query_heads}) + head) * size;
            OneQuery query({&queries[at], size});
            for (int seen = 0; seen <= token; ++seen) {
                const std::size_t from =
                    (product({seen, problem.kv_heads}) + head / problem.group()) * size;
                query.add(&keys[from], &values[from]);
            }
            query.write(std::span(out).subspan(at, size));
        }
    }
    return out;
}

std::vector<std::int32_t> shuffled_blocks(int count, std::uint64_t seed) {
    std::vector<std::int32_t> blocks(static_cast<std::size_t>(count));
    std::iota(blocks.begin(), blocks.end(), 0);
    std::uint64_t state = seed;
    for (std::size_t left = blocks.size(); left > 1; --left) {  // Fisher and Yates
        state += 0x9e3779b97f4a7c15u;                           // SplitMix64 (Steele et al. 2014)
        std::uint64_t word = state;
        word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
        word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
        word ^= word >> 31;
        std::swap(blocks[left - 1], blocks[word % left]);
    }
    return blocks;
}

}  // namespace headroom::kernels::attention
