/// fit_profile: from a measurement to the measured profile that the simulator reads.
///
///     GpuChoice gpu = gpu_of_device(catalogue, measurement.device.name);
///     FitResult fit = fit_profile(measurement, gpu.id);
///     write(profile_text(fit.profile));
///
/// Products, attention and whole networks become columns: of each shape the fastest kernel,
/// smoothed (measurement.hpp). Memory-bound operators become floor + bytes / rate by non-negative
/// least squares over relative residuals (nnls.hpp), the rate held to at most the read bandwidth of
/// the same run. Bytes are those of launch_work.hpp.
///
/// The error band is the largest, over the interpolated tables, of the median error of predicting
/// points and columns that were left out (interpolation_error.hpp) plus the mean half spread from
/// p10 to p90, rounded up to a per cent, and kLeastErrorBand at the least: an engine adds errors of
/// its own (host, front end, kernels that were not measured). Deterministic. Under a second.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/calibration/measurement.hpp"
#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/catalogue/profile_file.hpp"

namespace headroom::analysis {

inline constexpr double kLeastErrorBand = 0.10;

/// Sizes of relative errors, all at least 0.
struct ErrorSummary {
    std::size_t count = 0;
    double mean = 0;
    double median = 0;
    double worst = 0;
};
[[nodiscard]] ErrorSummary summarise_errors(std::vector<double> errors);

struct OperatorReport {
    std::string op;
    std::string dtype;
    std::string kernels;  ///< "cudnn 40, own 12": whose points were taken
    std::size_t points = 0;
    std::size_t columns = 0;  ///< 0: fitted
    double spread = 0;        ///< mean of (p90 - p10) / 2 / median
    /// Of interpolating, or of the fit where there is one. Nothing: no point has neighbours.
    std::optional<ErrorSummary> errors;
    std::optional<serving::MemoryBoundFit> fit;
};

struct FitResult {
    scenarios::ProfileFile profile;
    std::vector<OperatorReport> operators;  ///< in the order of operator_kinds()
    std::vector<std::string> warnings;
};

/// `measurement` has every operator that is needed.
[[nodiscard]] FitResult fit_profile(const Measurement& measurement, const std::string& gpu);

/// Either an id of the catalogue or an error with the nearest name.
struct GpuChoice {
    std::string id;
    std::string error;
};
/// The GPU whose product name the device has.
[[nodiscard]] GpuChoice gpu_of_device(const scenarios::Catalogue& catalogue,
                                      const std::string& device_name);

}  // namespace headroom::analysis
