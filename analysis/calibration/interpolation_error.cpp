#include "analysis/calibration/interpolation_error.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "sim/serving/latency/measured_operators.hpp"

namespace headroom::analysis {

namespace {

using serving::DecodeAttentionColumn;
using serving::GemmColumn;
using serving::MeasuredOperators;
using serving::OperatorTables;
using serving::PrefillAttentionColumn;

/// The least that MeasuredOperators can be made from; the caller replaces the table it judges.
OperatorTables slim(const OperatorTables& tables) {
    OperatorTables out;
    out.ceilings = tables.ceilings;
    out.gemm_bf16 = {tables.gemm_bf16.front()};
    out.decode_attention = {tables.decode_attention.front()};
    out.prefill_attention = {tables.prefill_attention.front()};
    out.head_size = tables.head_size;
    return out;
}

/// What it is made from beside the tables stands for collectives, which are not asked here.
MeasuredOperators operators_of(const OperatorTables& tables) {
    serving::GpuSpec gpu;
    gpu.memory_bytes_per_s = tables.ceilings.read_bytes_per_s;
    gpu.bf16_flops = tables.ceilings.bf16_flops;
    return {tables, gpu};
}

template <class T>
void drop(std::vector<T>& values, std::size_t i) {
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(i));
}

/// Inner keys of an ordered set: all but the least and the largest.
template <class Key>
std::vector<Key> inner(const std::set<Key>& keys) {
    std::vector<Key> out(keys.begin(), keys.end());
    if (out.size() < 3) return {};
    out.pop_back();
    out.erase(out.begin());
    return out;
}

class GemmErrors {
  public:
    GemmErrors(const OperatorTables& tables, GemmTableKind kind)
        : columns_(columns_of(tables, kind)), kind_(kind), slim_(slim(tables)) {}

    std::vector<double> all() {
        for (const GemmColumn& column : columns_) leave_out_points(column);
        std::set<std::int64_t> ns;
        std::map<std::int64_t, std::set<std::int64_t>> ks_of;
        for (const GemmColumn& column : columns_) {
            ns.insert(column.n);
            ks_of[column.n].insert(column.k);
        }
        for (const auto& entry : ks_of) {
            const std::int64_t n = entry.first;
            for (const std::int64_t k : inner(entry.second)) {
                leave_out([&](const GemmColumn& c) { return c.n == n && c.k == k; });
            }
        }
        for (const std::int64_t n : inner(ns)) {
            leave_out([&](const GemmColumn& c) { return c.n == n; });
        }
        return std::move(errors_);
    }

  private:
    static const std::vector<GemmColumn>& columns_of(const OperatorTables& tables,
                                                     GemmTableKind kind) {
        if (kind == GemmTableKind::fp8) return tables.gemm_fp8;
        return kind == GemmTableKind::lm_head ? tables.lm_head_bf16 : tables.gemm_bf16;
    }
    [[nodiscard]] MeasuredOperators operators_from(const std::vector<GemmColumn>& columns) const {
        OperatorTables tables = slim_;
        if (kind_ == GemmTableKind::fp8) tables.gemm_fp8 = columns;
        if (kind_ == GemmTableKind::lm_head) tables.lm_head_bf16 = columns;
        if (kind_ == GemmTableKind::bf16) tables.gemm_bf16 = columns;
        return operators_of(tables);
    }
    void compare(const MeasuredOperators& operators, const GemmColumn& column, std::size_t i) {
        const serving::Gemm gemm{column.n, column.k, 1};
        const double predicted =
            kind_ == GemmTableKind::lm_head
                ? operators.lm_head(gemm, column.m[i])
                : operators.gemm(
                      gemm, column.m[i],
                      kind_ == GemmTableKind::fp8 ? serving::DType::fp8 : serving::DType::bf16);
        errors_.push_back(predicted / column.t_s[i] - 1);
    }
    void leave_out_points(const GemmColumn& column) {
        for (std::size_t i = 1; i + 1 < column.m.size(); ++i) {
            GemmColumn rest = column;
            drop(rest.m, i);
            drop(rest.t_s, i);
            compare(operators_from({rest}), column, i);
        }
    }
    template <class Predicate>
    void leave_out(const Predicate& is_left_out) {
        std::vector<GemmColumn> rest;
        for (const GemmColumn& column : columns_) {
            if (!is_left_out(column)) rest.push_back(column);
        }
        const MeasuredOperators operators = operators_from(rest);
        for (const GemmColumn& column : columns_) {
            if (!is_left_out(column)) continue;
            for (std::size_t i = 0; i < column.m.size(); ++i) compare(operators, column, i);
        }
    }

    const std::vector<GemmColumn>& columns_;
    GemmTableKind kind_;
    OperatorTables slim_;
    std::vector<double> errors_;
};

class DecodeErrors {
  public:
    explicit DecodeErrors(const OperatorTables& tables)
        : columns_(tables.decode_attention), slim_(slim(tables)) {}

    std::vector<double> all() {
        std::map<std::pair<std::int64_t, std::int64_t>, std::set<std::int64_t>> batches_of;
        for (const DecodeAttentionColumn& column : columns_) {
            leave_out_points(column);
            batches_of[{column.query_heads, column.kv_heads}].insert(column.batch);
        }
        for (const auto& entry : batches_of) {
            for (const std::int64_t batch : inner(entry.second)) leave_out(entry.first, batch);
        }
        return std::move(errors_);
    }

  private:
    [[nodiscard]] MeasuredOperators operators_from(
        const std::vector<DecodeAttentionColumn>& columns) const {
        OperatorTables tables = slim_;
        tables.decode_attention = columns;
        return operators_of(tables);
    }
    void compare(const MeasuredOperators& operators, const DecodeAttentionColumn& column,
                 std::size_t i) {
        constexpr double kKeyAndValueBytes = 4;  // bf16
        const double bytes =
            kKeyAndValueBytes * static_cast<double>(column.kv_heads * slim_.head_size);
        const double predicted =
            operators.decode_attention(column.query_heads, column.kv_heads, bytes, column.batch,
                                       static_cast<double>(column.context[i]));
        errors_.push_back(predicted / column.t_s[i] - 1);
    }
    void leave_out_points(const DecodeAttentionColumn& column) {
        for (std::size_t i = 1; i + 1 < column.context.size(); ++i) {
            DecodeAttentionColumn rest = column;
            drop(rest.context, i);
            drop(rest.t_s, i);
            compare(operators_from({rest}), column, i);
        }
    }
    void leave_out(const std::pair<std::int64_t, std::int64_t>& heads, std::int64_t batch) {
        std::vector<DecodeAttentionColumn> rest;
        const DecodeAttentionColumn* left_out = nullptr;
        for (const DecodeAttentionColumn& column : columns_) {
            if (column.query_heads != heads.first || column.kv_heads != heads.second) continue;
            if (column.batch == batch) {
                left_out = &column;
            } else {
                rest.push_back(column);
            }
        }
        const MeasuredOperators operators = operators_from(rest);
        for (std::size_t i = 0; i < left_out->context.size(); ++i) compare(operators, *left_out, i);
    }

    const std::vector<DecodeAttentionColumn>& columns_;
    OperatorTables slim_;
    std::vector<double> errors_;
};

}  // namespace

std::vector<double> gemm_interpolation_errors(const OperatorTables& tables, GemmTableKind kind) {
    return GemmErrors(tables, kind).all();
}

std::vector<double> decode_interpolation_errors(const OperatorTables& tables) {
    return DecodeErrors(tables).all();
}

std::vector<double> prefill_interpolation_errors(const OperatorTables& tables) {
    std::vector<double> errors;
    OperatorTables part = slim(tables);
    for (const PrefillAttentionColumn& column : tables.prefill_attention) {
        for (std::size_t i = 1; i + 1 < column.tokens.size(); ++i) {
            PrefillAttentionColumn rest = column;
            drop(rest.tokens, i);
            drop(rest.t_s, i);
            part.prefill_attention = {rest};
            const double predicted = operators_of(part).prefill_attention(
                column.query_heads, column.kv_heads, static_cast<double>(column.tokens[i]));
            errors.push_back(predicted / column.t_s[i] - 1);
        }
    }
    return errors;
}

}  // namespace headroom::analysis
