// headroom calibrate: where iteration times come from. Its subcommands, and what they share.

#include <fmt/format.h>

#include <algorithm>

#include "analysis/cli/calibrate_commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/results/text_file.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace fs = std::filesystem;

namespace {

/// Named in full, and BadInput has been told already.
Command as_subcommand(Command command) {
    command.spec.name = "calibrate " + command.spec.name;
    command.run = [run = std::move(command.run)](const Arguments& given) {
        try {
            return run(given);
        } catch (const BadInput&) {
            return kExitBadInput;
        }
    };
    return command;
}

[[noreturn]] void unknown(const std::string& option, const char* what, const std::string& found,
                          const std::vector<std::string>& names) {
    throw UsageError(fmt::format("{}: the catalogue has no {} \"{}\"{}", option, what, found,
                                 scenarios::did_you_mean(nearest_name(found, names))));
}

std::vector<std::string> profile_names() {
    std::vector<std::string> names;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(profiles_folder(), error)) {
        if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

Command calibrate_command() {
    Command command;
    command.spec = {
        .name = "calibrate",
        .summary = "Measures GPUs, fits profiles from measurements and logs, compares them.",
        .details =
            "A profile says how long an iteration takes: of kind measured, from the kernel\n"
            "benchmark on a GPU; of kind observed, fitted to a serving engine's log.\n"};
    for (Command subcommand :
         {calibrate_measure_command(), calibrate_fit_command(), calibrate_show_command(),
          calibrate_diff_command(), calibrate_observe_command(), calibrate_predict_command()}) {
        command.subcommands.push_back(as_subcommand(std::move(subcommand)));
    }
    return command;
}

scenarios::Catalogue load_catalogue() {
    scenarios::Diagnostics problems;
    std::optional<scenarios::Catalogue> catalogue =
        scenarios::Catalogue::load(scenarios::Catalogue::default_directory(), problems);
    if (catalogue) {
        for (const scenarios::BrokenProfile& broken : catalogue->broken_profiles()) {
            print_note("warning: " + broken.text() + "; it is left out");
        }
        return std::move(*catalogue);
    }
    print_diagnostics(problems);
    throw BadInput();
}

void require_gpu(const scenarios::Catalogue& catalogue, const std::string& option,
                 const std::string& id) {
    if (catalogue.find_gpu(id) == nullptr) unknown(option, "GPU", id, catalogue.gpu_names());
}

void require_model(const scenarios::Catalogue& catalogue, const std::string& option,
                   const std::string& id) {
    if (catalogue.find_model(id) == nullptr) unknown(option, "model", id, catalogue.model_names());
}

std::string choose_gpu(const scenarios::Catalogue& catalogue,
                       const std::optional<std::string>& given, const std::string& device_name) {
    if (given) {
        require_gpu(catalogue, "--gpu", *given);
        return *given;
    }
    GpuChoice choice = gpu_of_device(catalogue, device_name);
    if (choice.id.empty()) throw UsageError(choice.error);
    return choice.id;
}

fs::path profiles_folder() {
    return scenarios::Catalogue::default_directory() / "profiles";
}

std::string find_profile(const std::string& file_or_name) {
    std::error_code error;
    if (fs::exists(file_or_name, error)) return file_or_name;
    const bool is_path = file_or_name.find('/') != std::string::npos;
    const fs::path in_folder = profiles_folder() / (file_or_name + ".json");
    if (!is_path && fs::exists(in_folder, error)) return in_folder.string();
    throw UsageError(fmt::format(
        "expected a file or one of the catalogue's profiles, found \"{}\"{}", file_or_name,
        scenarios::did_you_mean(nearest_name(file_or_name, profile_names()))));
}

scenarios::ProfileFile load_profile(const std::string& path) {
    scenarios::Diagnostics problems;
    std::optional<scenarios::ProfileFile> profile = scenarios::read_profile(path, problems);
    if (profile) return std::move(*profile);
    print_diagnostics(problems);
    throw BadInput();
}

void require_other_file(const std::string& option, const std::optional<std::string>& given,
                        const std::string& input) {
    if (!given) return;
    std::error_code error;
    const fs::path target = fs::weakly_canonical(*given, error);
    if (error || target != fs::weakly_canonical(input, error)) return;
    throw UsageError(fmt::format("{}: expected another file than {}", option, input));
}

void save_profile(const scenarios::ProfileFile& profile, const fs::path& path) {
    const std::string text = scenarios::profile_text(profile);
    scenarios::Diagnostics problems;
    if (!scenarios::parse_profile(text, path.string(), problems)) {
        throw WriteError(fmt::format("cannot write {}: no reader would take it: {}", path.string(),
                                     problems.front().text()));
    }
    replace_text_file(path, text);
}

std::vector<OptionSpec> engine_options(const std::string& kv_cache_default,
                                       std::vector<OptionSpec> more) {
    std::vector<OptionSpec> options = {
        {.name = "model", .value = "ID", .help = "of the catalogue, as llama-3.1-8b; needed"},
        {.name = "gpu", .value = "ID", .help = "of the catalogue, as h100-sxm; needed"},
        {.name = "tp", .value = "N", .help = "GPUs of one instance (tensor parallel); default 1"},
        {.name = "dtype",
         .value = "bf16|fp8",
         .help = "of the weights; default bf16",
         .choices = {"bf16", "fp8"}},
        {.name = "kv-cache-dtype",
         .value = "bf16|fp8",
         .help = "of the KV cache; default " + kv_cache_default,
         .choices = {"bf16", "fp8"}}};
    for (OptionSpec& option : more) options.push_back(std::move(option));
    return options;
}

serving::DType dtype_of(const std::string& name) {
    return name == "fp8" ? serving::DType::fp8 : serving::DType::bf16;
}

}  // namespace headroom::analysis
