/// OperatorTables: what a benchmark measured on one GPU, as columns: the content of a measured
/// profile. Seconds of one launch on one GPU, bytes/s, flop/s. Plain data; who fills it (the
/// catalogue's reader, the fit) checks it: columns not empty, keys ascending, times finite, > 0 and
/// never falling.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace headroom::serving {

/// Ceilings of the same run, that efficiencies refer to.
struct MeasuredCeilings {
    double read_bytes_per_s = 0;
    double bf16_flops = 0;
    double fp8_flops = 0;  ///< 0: not measured
};

/// Products with one k x n matrix of weights.
struct GemmColumn {
    std::int64_t n = 0;
    std::int64_t k = 0;
    std::vector<std::int64_t> m;
    std::vector<double> t_s;
};

/// One layer: every sequence attends to `context` tokens.
struct DecodeAttentionColumn {
    std::int64_t query_heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t batch = 0;
    std::vector<std::int64_t> context;
    std::vector<double> t_s;
};

/// One layer: one causal prompt.
struct PrefillAttentionColumn {
    std::int64_t query_heads = 0;
    std::int64_t kv_heads = 0;
    std::vector<std::int64_t> tokens;
    std::vector<double> t_s;
};

/// t = floor + bytes / bytes_per_s.
struct MemoryBoundFit {
    double floor_s = 0;
    double bytes_per_s = 0;
};

/// A whole network's forward pass by batch size, for dynamic batching.
struct BatchTimes {
    std::vector<std::int64_t> batch;
    std::vector<double> t_s;
};

struct OperatorTables {
    MeasuredCeilings ceilings;
    std::vector<GemmColumn> gemm_bf16;
    std::vector<GemmColumn> gemm_fp8;
    std::vector<GemmColumn> lm_head_bf16;
    std::vector<DecodeAttentionColumn> decode_attention;
    std::vector<PrefillAttentionColumn> prefill_attention;
    MemoryBoundFit norm;        ///< rmsnorm_residual
    MemoryBoundFit rotary;      ///< rope_kv_append
    MemoryBoundFit activation;  ///< swiglu
    MemoryBoundFit sampling;    ///< argmax
    std::map<std::string, BatchTimes> batch_times;
    std::int64_t head_size = 128;  ///< that attention was measured with
};

}  // namespace headroom::serving
