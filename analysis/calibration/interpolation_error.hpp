/// What interpolating a measured table costs: each point, and each column, that has measured
/// neighbours on both sides is left out and predicted from the others, the way that
/// sim/serving/latency/measured_operators.hpp predicts what was not measured.
///
///     std::vector<double> errors = gemm_interpolation_errors(tables, DType::bf16);   // +0.03, ...
///
/// An error is predicted / measured - 1. Left out are, one at a time: every inner point of a
/// column; every column with neighbours along k (gemm: also all columns of one n) or along the
/// batch. The gaps are twice as wide as those that a prediction meets, so the errors are
/// pessimistic. Tables satisfy operator_tables.hpp. O(points log points) times a small constant.
#pragma once

#include <vector>

#include "sim/serving/latency/operator_tables.hpp"

namespace headroom::analysis {

enum class GemmTableKind { bf16, fp8, lm_head };

[[nodiscard]] std::vector<double> gemm_interpolation_errors(const serving::OperatorTables& tables,
                                                            GemmTableKind kind);
[[nodiscard]] std::vector<double> decode_interpolation_errors(
    const serving::OperatorTables& tables);
[[nodiscard]] std::vector<double> prefill_interpolation_errors(
    const serving::OperatorTables& tables);

}  // namespace headroom::analysis
