/// OperatorKind: what the benchmark measures, by name: the fields of a launch's shape, along which
/// of them time cannot fall, and how much work a shape is (README.md has the table).
///
///     const OperatorKind* kind = find_operator("gemm");
///     LaunchWork work = kind->work("bf16", {{"m", 16}, {"n", 4096}, {"k", 4096}});
///
/// Everything that reads, fits, compares or shows points goes by this list, so a new operator is
/// one entry (and a column in operator_tables.hpp for its evaluation). Immutable; O(operators).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scenarios/catalogue/launch_work.hpp"

namespace headroom::analysis {

/// Names and values, in the order of OperatorKind::fields.
using LaunchShape = std::vector<std::pair<std::string, std::int64_t>>;

/// 0 where the shape has no such field.
[[nodiscard]] std::int64_t field(const LaunchShape& shape, std::string_view name);
/// "m=16 n=4096 k=4096"
[[nodiscard]] std::string to_text(const LaunchShape& shape);

struct OperatorKind {
    std::string name;
    std::vector<std::string> fields;
    std::string axis;                   ///< along which columns run
    std::string second_axis{};          ///< along which time cannot fall either; empty: none
    std::vector<std::string> dtypes{};  ///< that may be measured
    bool needed = false;                ///< a profile must have it, in the first dtype
    /// Where the tables keep it, when it is memory-bound and fitted as floor + bytes / rate.
    serving::MemoryBoundFit serving::OperatorTables::*fit = nullptr;
    /// Nothing (0 flop, 0 bytes) where it is not known: whole networks.
    scenarios::LaunchWork (*work)(std::string_view dtype, const LaunchShape& shape) = nullptr;

    [[nodiscard]] bool memory_bound() const { return fit != nullptr; }
};

/// In the order in which they are listed and shown.
[[nodiscard]] const std::vector<OperatorKind>& operator_kinds();
[[nodiscard]] const OperatorKind* find_operator(std::string_view name);
/// Its place in that order; the number of kinds for a name that is none.
[[nodiscard]] std::size_t rank_of(std::string_view name);
[[nodiscard]] std::vector<std::string> operator_names();

}  // namespace headroom::analysis
