#include "analysis/calibration/kernels/attention_shapes.hpp"

#include <algorithm>
#include <cstdint>

namespace headroom::kernels::attention {
namespace {

constexpr double kMostKvBytes = 8e9;

struct Heads {
    int group;
    int kv_heads;
};

DecodeProblem decode(const Heads& heads, int batch, int context) {
    DecodeProblem problem;
    problem.batch = batch;
    problem.context = context;
    problem.query_heads = heads.group * heads.kv_heads;
    problem.kv_heads = heads.kv_heads;
    return problem;
}

bool fits(const DecodeProblem& problem) {
    const double row_bytes = 2.0 * 2.0 * problem.kv_heads * problem.head_size;  // K and V
    return row_bytes * problem.batch * problem.context <= kMostKvBytes;
}

const std::vector<int> kBatches = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
const std::vector<int> kContexts = {128, 512, 1024, 2048, 4096, 8192, 16384, 32768};

/// The contexts of `wanted` that fit, and where some do not, the longest of all that does: it is
/// the corner of what can be measured.
void add_contexts(std::vector<DecodeProblem>& problems, const Heads& heads, int batch,
                  const std::vector<int>& wanted) {
    int longest = 0;
    for (const int context : kContexts) {
        if (fits(decode(heads, batch, context))) longest = context;
    }
    for (const int context : kContexts) {
        const bool asked = std::find(wanted.begin(), wanted.end(), context) != wanted.end();
        const bool corner = context == longest && longest < wanted.back();
        if (context <= longest && (asked || corner)) {
            problems.push_back(decode(heads, batch, context));
        }
    }
}

bool is_common(const Heads& heads) {  // Llama 3 8B and 70B, whole and split over eight devices
    return (heads.group == 4 || heads.group == 8) && (heads.kv_heads == 8 || heads.kv_heads == 1);
}

PrefillProblem prefill(int tokens, int query_heads, int kv_heads) {
    PrefillProblem problem;
    problem.tokens = tokens;
    problem.query_heads = query_heads;
    problem.kv_heads = kv_heads;
    return problem;
}

struct HeadsAndTokens {
    int query_heads;
    int kv_heads;
    std::vector<int> tokens;
};

std::vector<HeadsAndTokens> prefill_grid(Mode mode) {
    if (mode == Mode::quick) {
        return {{32, 8, {128, 512, 2048, 8192}},
                {8, 1, {128, 1024, 8192}},
                {64, 8, {2048, 8192}},
                {4, 1, {8192}}};
    }
    const std::vector<int> all = {128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    return {{32, 8, {128, 256, 512, 1024, 2048, 4096, 8192, 16384}},
            {8, 1, all},
            {4, 1, all},
            {8, 2, all},
            {16, 4, {128, 512, 2048, 8192, 32768}},
            {16, 1, {128, 512, 2048, 8192, 32768}},
            {64, 8, {128, 512, 2048, 8192}},
            {32, 32, {128, 512, 2048, 8192}}};
}

}  // namespace

std::vector<DecodeProblem> decode_sweep(Mode mode) {
    std::vector<DecodeProblem> problems;
    if (mode == Mode::quick) {
        for (const Heads& heads : {Heads{4, 8}, Heads{8, 8}, Heads{8, 1}}) {
            for (const int batch : {1, 16, 128}) {
                add_contexts(problems, heads, batch, {512, 4096, 16384});
            }
        }
        for (const Heads& heads : {Heads{1, 8}, Heads{16, 1}, Heads{4, 1}}) {
            for (const int batch : {1, 64}) add_contexts(problems, heads, batch, {1024, 8192});
        }
        return problems;
    }
    for (const int group : {1, 4, 8, 16}) {
        for (const int kv_heads : {1, 2, 4, 8}) {
            const Heads heads{group, kv_heads};
            if (is_common(heads)) {
                for (const int batch : kBatches) add_contexts(problems, heads, batch, kContexts);
            } else {
                for (const int batch : {1, 8, 64, 512}) {
                    add_contexts(problems, heads, batch, {128, 1024, 8192, 32768});
                }
            }
        }
    }
    return problems;
}

std::vector<PrefillProblem> prefill_sweep(Mode mode) {
    std::vector<PrefillProblem> problems;
    for (const HeadsAndTokens& entry : prefill_grid(mode)) {
        for (const int tokens : entry.tokens) {
            problems.push_back(prefill(tokens, entry.query_heads, entry.kv_heads));
        }
    }
    return problems;
}

std::vector<DecodeProblem> decode_check_problems() {
    return {decode({4, 2}, 1, 1),    decode({1, 8}, 3, 17),    decode({4, 4}, 2, 130),
            decode({8, 2}, 5, 333),  decode({16, 1}, 3, 1000), decode({4, 8}, 37, 49),
            decode({8, 1}, 1, 4100), decode({5, 2}, 2, 2049)};
}

std::vector<PrefillProblem> prefill_check_problems() {
    // The last two fill any device of today: they meet the larger tile of the kernel `own`.
    return {prefill(17, 4, 1),  prefill(64, 2, 2),   prefill(129, 8, 8), prefill(200, 16, 1),
            prefill(333, 8, 2), prefill(577, 32, 8), prefill(300, 64, 8)};
}

Shape to_shape(const DecodeProblem& problem) {
    return {{"batch", problem.batch},
            {"context", problem.context},
            {"query_heads", problem.query_heads},
            {"kv_heads", problem.kv_heads},
            {"head_size", problem.head_size}};
}

Shape to_shape(const PrefillProblem& problem) {
    return {{"tokens", problem.tokens},
            {"query_heads", problem.query_heads},
            {"kv_heads", problem.kv_heads},
            {"head_size", problem.head_size}};
}

DecodeProblem decode_problem(const Shape& shape) {
    DecodeProblem problem;
    problem.batch = static_cast<int>(field(shape, "batch"));
    problem.context = static_cast<int>(field(shape, "context"));
    problem.query_heads = static_cast<int>(field(shape, "query_heads"));
    problem.kv_heads = static_cast<int>(field(shape, "kv_heads"));
    problem.head_size = static_cast<int>(field(shape, "head_size"));
    return problem;
}

PrefillProblem prefill_problem(const Shape& shape) {
    PrefillProblem problem;
    problem.tokens = static_cast<int>(field(shape, "tokens"));
    problem.query_heads = static_cast<int>(field(shape, "query_heads"));
    problem.kv_heads = static_cast<int>(field(shape, "kv_heads"));
    problem.head_size = static_cast<int>(field(shape, "head_size"));
    return problem;
}

}  // namespace headroom::kernels::attention
