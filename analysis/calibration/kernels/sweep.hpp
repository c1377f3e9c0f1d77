/// The run itself: checks, points, drift, power. Each stops at the next point once stop_signal() is
/// set, with the file saved.
///
///     Run run{context, state, ops, Mode::quick};
///     const CheckResults checks = run_checks(run);
///     sweep(run, ceilings, file);
///     hold_power(run, file);
///
/// A point that does not fit into the free memory, or that a library refuses, is left out and named
/// at the end. DeviceError: the device does not answer any more (an illegal address);
/// std::exception: the file cannot be written.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/device.hpp"
#include "analysis/calibration/kernels/gpu_state.hpp"
#include "analysis/calibration/kernels/measurement_file.hpp"
#include "analysis/calibration/kernels/op.hpp"

namespace headroom::kernels {

struct Run {
    Context& context;
    const GpuState& state;
    const std::vector<std::unique_ptr<Op>>& ops;
    Mode mode = Mode::full;
};

struct CheckResults {
    std::vector<CheckRecord> records;
    std::vector<std::string> failures;  ///< op, shape, and the error or what a call said
    std::vector<std::string> good_ops;  ///< all of whose checks passed: op:dtype:kernel
    [[nodiscard]] std::size_t passed() const;
};
/// Goes on after a failed check, so that all are named at once; ends early, with that as the last
/// failure, where one leaves the device unusable.
[[nodiscard]] CheckResults run_checks(const Run& run);

/// Every point of every op, with a progress line on stderr and the anchor product each minute.
/// Returns what was left out, a line each.
std::vector<std::string> sweep(const Run& run, const CeilingFacts& ceilings, MeasurementFile& file);

/// The largest `gemm` of each number format and the largest `decode_attention` for 10 s each (3 s
/// in the quick mode) under NVML's power reading, of which the first fifth, 1.5 s at
/// least, does not count.
void hold_power(const Run& run, MeasurementFile& file);

}  // namespace headroom::kernels
