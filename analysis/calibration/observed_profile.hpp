/// The profile that an observation makes, as catalogue and scenarios read it:
///
///     save(observed_profile({.model = "llama-3.1-8b", .gpu = "h100-sxm"}, options, *result.fit));
///
/// With it go, for people, the settings of the engine and the errors on the held-out part.
#pragma once

#include <cstdint>
#include <string>

#include "analysis/calibration/observe.hpp"
#include "scenarios/catalogue/profile_file.hpp"

namespace headroom::analysis {

/// What the log does not say of itself.
struct ObservedIdentity {
    std::string model;  ///< ids of the catalogue
    std::string gpu;
    std::int64_t tensor_parallel = 1;
    serving::DType dtype = serving::DType::bf16;
    serving::DType kv_cache_dtype = serving::DType::bf16;
    std::string source;  ///< where the log comes from, in words
};

[[nodiscard]] scenarios::ProfileFile observed_profile(const ObservedIdentity& identity,
                                                      const ObserveOptions& options,
                                                      const ObservedFit& fit);

}  // namespace headroom::analysis
