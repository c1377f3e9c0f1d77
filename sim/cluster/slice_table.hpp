/// SliceTable: into which hardware slices a GPU model can be cut (NVIDIA MIG), as data.
///
/// A device has 8 memory slices and 7 compute slices. A profile takes `compute_slices` and a run of
/// `memory_slices` that may begin only at one of `starts`. A set of slices is valid when the runs
/// do not overlap, compute slices sum to at most 7 and no profile exceeds `max_count`. Placements
/// are tried in table order, first come first served, so an early 3g at 0 blocks a later 4g.
///
/// Sources: NVIDIA Multi-Instance GPU User Guide (profiles and placements of A100 and H100);
/// NVIDIA/go-nvml pkg/nvml/mock/gpus/a100.go; usable memory and multiprocessors from published
/// `nvidia-smi mig -lgip` listings; H200 and B200 by analogy with H100 where no listing is public.
/// A memory of 0 means "not published": the share of the device's memory by memory slices.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/units.hpp"

namespace headroom::cluster {

struct SliceProfile {
    std::string name{};  ///< as the driver says it: "1g.10gb"
    std::string kind{};  ///< the same over models: "1g", "1g+me", "1g2m", "2g", "3g", "4g", "7g"
    std::int32_t compute_slices = 1;
    std::int32_t memory_slices = 1;
    std::vector<std::int32_t> starts{};  ///< allowed first memory slices, in the order of trial
    std::int32_t max_count = 7;          ///< of this profile on one device
    Bytes memory{};                      ///< usable
    std::int32_t multiprocessors = 0;    ///< 0: not published
};

struct SliceTable {
    std::string name{};
    std::int32_t compute_slices = 7;
    std::int32_t memory_slices = 8;
    std::vector<SliceProfile> profiles{};

    /// Index of the profile with this name or kind, -1 when there is none. O(profiles).
    [[nodiscard]] std::int32_t find(std::string_view name_or_kind) const;
};

/// The memory slices start .. start + length - 1 as bits.
[[nodiscard]] constexpr std::uint32_t slice_mask(std::int32_t start, std::int32_t length) {
    return ((std::uint32_t{1} << length) - 1U) << start;
}

/// The built-in table of a device, recognised by a word of its model name ("A100-SXM4-40GB",
/// "h200") and, where one family has several sizes, by its memory. Null for a device that has no
/// slices.
[[nodiscard]] std::shared_ptr<const SliceTable> builtin_slice_table(std::string_view model,
                                                                    Bytes memory);

}  // namespace headroom::cluster
