/// What the device can do at best, measured in the same run as the points: reading 4 GiB once (own
/// kernel, 16-byte loads, eight of a thread that wait for none before), and an 8192^3 matrix
/// product in bf16 and fp8 (the `gemm` op). Each is the best of five medians, before each of which
/// the device rests a quarter of a second.
///
///     const CeilingFacts ceilings = measure_ceilings(context);
///     percent_of_ceiling(op.work(shape), op.ceiling(shape), timing.median_s, ceilings)
///
/// Less than 4 GiB is read where less than 8 GiB is free; the ceiling of fp8 is 0 where cuBLASLt
/// has no such product. DeviceError: the reading kernel adds up wrongly, or a call failed.
#pragma once

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/measurement_file.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

[[nodiscard]] CeilingFacts measure_ceilings(Context& context);

/// 100: the work takes as long as its ceiling allows.
[[nodiscard]] double percent_of_ceiling(const Work& work, Ceiling ceiling, double seconds,
                                        const CeilingFacts& ceilings);

/// The product that the ceilings are measured with, and the anchor for drift.
[[nodiscard]] Shape anchor_shape();

}  // namespace headroom::kernels
