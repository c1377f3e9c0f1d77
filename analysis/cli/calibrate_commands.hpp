/// The subcommands of `headroom calibrate`, each one file, calibrate_<name>.cpp, and what they
/// share: naming GPUs and profiles, and writing a file that appears whole or not at all.
///
/// To add one: a file of its own, a line here, and a line in calibrate_command.cpp, which puts
/// "calibrate" before its name.
#pragma once

#include <exception>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/calibration/fit_profile.hpp"
#include "analysis/cli/commands.hpp"
#include "analysis/report/text_block.hpp"
#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/catalogue/profile_file.hpp"

namespace headroom::analysis {

[[nodiscard]] Command calibrate_measure_command();
[[nodiscard]] Command calibrate_fit_command();
[[nodiscard]] Command calibrate_show_command();
[[nodiscard]] Command calibrate_diff_command();
[[nodiscard]] Command calibrate_observe_command();
[[nodiscard]] Command calibrate_predict_command();

/// What is wrong with the input has been printed: exit 2.
class BadInput : public std::exception {};

/// The shipped catalogue, or BadInput.
[[nodiscard]] scenarios::Catalogue load_catalogue();

/// `given` (--gpu) if it is in the catalogue, else the GPU of the device's name; UsageError with
/// the nearest name.
[[nodiscard]] std::string choose_gpu(const scenarios::Catalogue& catalogue,
                                     const std::optional<std::string>& given,
                                     const std::string& device_name);

/// An id of the catalogue given as `option`, or UsageError with the nearest.
void require_gpu(const scenarios::Catalogue& catalogue, const std::string& option,
                 const std::string& id);
void require_model(const scenarios::Catalogue& catalogue, const std::string& option,
                   const std::string& id);

/// The folder that holds the catalogue's profiles.
[[nodiscard]] std::filesystem::path profiles_folder();
/// A file, or profiles_folder()/<name>.json; UsageError with the nearest name.
[[nodiscard]] std::string find_profile(const std::string& file_or_name);
/// read_profile, or BadInput.
[[nodiscard]] scenarios::ProfileFile load_profile(const std::string& path);

/// UsageError when `option` names the file that is read: what was measured cannot be had again.
void require_other_file(const std::string& option, const std::optional<std::string>& given,
                        const std::string& input);

/// Checks that it reads back, then replaces the file (text_file.hpp). WriteError.
void save_profile(const scenarios::ProfileFile& profile, const std::filesystem::path& path);

[[nodiscard]] std::string render_fit(const FitResult& fit, const TextStyle& style);
[[nodiscard]] nlohmann::ordered_json fit_report(const FitResult& fit);

/// The options that name an engine: --model, --gpu, --tp, --dtype, --kv-cache-dtype, and `more`.
[[nodiscard]] std::vector<OptionSpec> engine_options(const std::string& kv_cache_default,
                                                     std::vector<OptionSpec> more);
[[nodiscard]] serving::DType dtype_of(const std::string& name);

}  // namespace headroom::analysis
