// headroom calibrate measure: runs the kernel benchmark on this machine's GPU, then fits a profile.

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "analysis/cli/calibrate_commands.hpp"
#include "analysis/cli/child_program.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/output_file.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/results/text_file.hpp"

namespace headroom::analysis {

namespace {

namespace fs = std::filesystem;

// The benchmark's exit codes (kernels/arguments.cpp).
constexpr int kCheckFailed = 1;
constexpr int kBadUsage = 2;
constexpr int kNoDevice = 77;
constexpr int kNotLoaded = 127;  // the dynamic loader's, which has said what is missing
constexpr std::uint64_t kMostDevices = 64;
constexpr const char* kDefaultOut = "out/measurement.json";

CommandSpec measure_spec() {
    return {.name = "measure",
            .usage = "[OPTION]...",
            .summary = "Runs the kernel benchmark on this machine's GPU and fits a profile.",
            .details =
                "Every operator is checked against a float64 reference, then timed; the budget\n"
                "is six minutes. The measurement grows in its file, so a run that is cut short\n"
                "can be fitted with calibrate fit --allow-incomplete.\n",
            .options = {{.name = "quick", .help = "a thin sweep, with a budget of two minutes"},
                        {.name = "out",
                         .value = "FILE",
                         .help = std::string("the measurement; default ") + kDefaultOut},
                        {.name = "profile",
                         .value = "FILE",
                         .help = "the profile; default <catalogue>/profiles/<gpu>.json"},
                        {.name = "gpu",
                         .value = "ID",
                         .help = "of the catalogue; default: the one with the device's name"},
                        {.name = "benchmark",
                         .value = "PATH",
                         .help = "the benchmark; default headroom_kernels beside this program"},
                        {.name = "device", .value = "N", .help = "the GPU, counted from 0"},
                        {.name = "only",
                         .value = "OP,...",
                         .help = "these operators alone; no profile is fitted"},
                        {.name = "no-fit", .help = "measures only"}},
            .least_positional = 0,
            .most_positional = 0,
            .positional_name = "no argument"};
}

fs::path own_folder() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    return error ? fs::path(".") : program.parent_path();
}

bool is_program(const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

/// Empty, after a note, when it is not built.
fs::path find_benchmark(const Arguments& given) {
    if (const auto path = given.value("benchmark")) {
        if (is_program(*path)) return *path;
        throw UsageError("--benchmark: expected a program, found \"" + *path + "\"");
    }
    fs::path beside = own_folder() / "headroom_kernels";
    if (is_program(beside)) return beside;
    print_note("the kernel benchmark is not built (" + beside.string() +
               "); it needs nvcc of the CUDA toolkit:\n"
               "    cmake --preset release -DHEADROOM_CUDA=ON && cmake --build --preset release\n"
               "or --benchmark names one that was built elsewhere");
    return {};
}

std::vector<std::string> benchmark_arguments(const Arguments& given, const std::string& out) {
    std::vector<std::string> words = {"--out", out};
    if (given.has("quick")) words.push_back("--quick");
    if (const auto only = given.value("only")) words.push_back("--only=" + *only);
    if (const auto device = given.value("device")) {
        words.push_back("--device=" +
                        std::to_string(whole_number("--device", *device, 0, kMostDevices - 1)));
    }
    return words;
}

/// What the benchmark's exit code means for ours; kExitGood: go on.
int judge_exit(const ChildResult& child, const StopSignal& stop, const std::string& out) {
    if (stop.raised()) {
        std::error_code error;
        const bool kept = fs::exists(out, error);
        print_note(
            "interrupted; no profile was written" +
            (kept ? "; calibrate fit --allow-incomplete takes what is in " + out : std::string()));
        return kExitUnfinished;
    }
    if (child.signalled) {
        print_note(fmt::format("the benchmark was ended by signal {}", child.exit_code - 128));
        return kExitUnfinished;
    }
    if (child.exit_code == 0) return kExitGood;
    if (child.exit_code == kNoDevice) {
        print_note(
            "there is no NVIDIA GPU here: run headroom_kernels --out FILE on a machine that "
            "has one; headroom calibrate fit FILE takes it from there");
        return kExitUnfinished;
    }
    if (child.exit_code == kNotLoaded) {
        print_note(
            "the benchmark could not be loaded: its libraries must be found. In a Python "
            "environment cuBLASLt and cuDNN lie in nvidia/*/lib of its site-packages: put these "
            "folders on LD_LIBRARY_PATH");
        return kExitUnfinished;
    }
    if (child.exit_code == kBadUsage) return kExitBadInput;
    print_note(child.exit_code == kCheckFailed
                   ? "a kernel failed its check, so nothing was measured"
                   : fmt::format("the benchmark failed with exit code {}", child.exit_code));
    return kExitUnfinished;
}

fs::path profile_path(const Arguments& given, const std::string& gpu) {
    if (const auto profile = given.value("profile")) return *profile;
    return profiles_folder() / (gpu + ".json");
}

int fit_measurement(const Arguments& given, const scenarios::Catalogue& catalogue,
                    const std::string& out) {
    scenarios::Diagnostics problems;
    const std::optional<Measurement> measurement = read_measurement(out, {}, problems);
    if (!measurement) {
        print_diagnostics(problems);
        print_note("the measurement cannot be fitted; it stays in " + out);
        return kExitUnfinished;
    }
    const std::string gpu = choose_gpu(catalogue, given.value("gpu"), measurement->device.name);
    const FitResult result = fit_profile(*measurement, gpu);
    const fs::path profile = profile_path(given, gpu);
    save_profile(result.profile, profile);
    print_out(render_fit(result, out_style()));
    print_note("measurement in " + out + ", profile in " + profile.string());
    return kExitGood;
}

int measure(const Arguments& given) {
    const bool fits = !given.has("no-fit") && !given.has("only");
    if (!fits && given.has("profile")) {
        throw UsageError("--profile goes with neither --no-fit nor --only");
    }
    const std::string out = given.value("out").value_or(kDefaultOut);
    require_other_file("--profile", given.value("profile"), out);
    const std::vector<std::string> words = benchmark_arguments(given, out);
    const scenarios::Catalogue catalogue = load_catalogue();
    if (const auto gpu = given.value("gpu")) require_gpu(catalogue, "--gpu", *gpu);
    const fs::path benchmark = find_benchmark(given);
    if (benchmark.empty()) return kExitUnfinished;
    prepare_output_file("--out", out);
    // Which GPU it is will be known later; the folder is the same.
    if (fits) prepare_output_file("--profile", profile_path(given, "gpu").string());

    const StopSignal stop;
    const ChildResult child = run_child(benchmark, words, stop);
    if (const int code = judge_exit(child, stop, out); code != kExitGood) return code;
    if (fits) return fit_measurement(given, catalogue, out);
    print_note("measurement in " + out);
    return kExitGood;
}

}  // namespace

Command calibrate_measure_command() {
    return {measure_spec(), measure};
}

}  // namespace headroom::analysis
