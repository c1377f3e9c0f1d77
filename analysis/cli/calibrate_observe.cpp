// headroom calibrate observe: from a serving engine's log to an observed profile.

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "analysis/calibration/observe_expected.hpp"
#include "analysis/cli/calibrate_commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/output_file.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/report/profile_table.hpp"
#include "analysis/report/units.hpp"
#include "scenarios/catalogue/profile.hpp"

namespace headroom::analysis {

namespace {

constexpr std::uint64_t kLargest = 1'000'000'000;
constexpr std::uint64_t kMostSimulations = 1'000'000;
constexpr std::uint64_t kMostRanks = 64;
constexpr std::uint64_t kMostReplicas = 1024;

CommandSpec observe_spec() {
    return {
        .name = "observe",
        .usage = "LOG --model ID --gpu ID [OPTION]...",
        .summary = "Fits a profile to a serving engine's per-request log, through the simulator.",
        .details =
            "LOG is CSV or JSON lines (plain, .gz or .zst) with each request's arrival, first and\n"
            "last token, prompt and output tokens; vLLM's field names are known. What the fit is\n"
            "worth is its error on the requests that were held out. The engine's settings are "
            "told\n"
            "by options alone, which are named and preset as vLLM's; no other file is read.\n",
        .options = engine_options(
            "bf16",
            {{.name = "max-num-seqs", .value = "N", .help = "of the logged engine; default 256"},
             {.name = "max-num-batched-tokens",
              .value = "N",
              .help = "of the logged engine; default 2048"},
             {.name = "kv-blocks",
              .value = "N",
              .help = "of 16 tokens; default: as many as the log could need"},
             {.name = "async-scheduling",
              .value = "on|off",
              .help = "whether it planned a batch while another ran; default on, as vLLM's",
              .choices = {"on", "off"},
              .implied = "on"},
             {.name = "no-async-scheduling", .help = "the same as --async-scheduling off"},
             {.name = "enable-prefix-caching",
              .value = "on|off",
              .help = "whether it kept blocks for equal prefixes (prompt_hash_ids); default on",
              .choices = {"on", "off"},
              .implied = "on"},
             {.name = "no-enable-prefix-caching",
              .help = "the same as --enable-prefix-caching off"},
             {.name = "replicas",
              .value = "N",
              .help = "engines that got the requests in turn, as data parallel ranks; default 1"},
             {.name = "fit-part",
              .value = "SHARE",
              .help = "of the requests that is fitted when it is the first; default 0.5"},
             {.name = "split",
              .value = "first|alternate",
              .help = "which requests are fitted; default first",
              .choices = {"first", "alternate"}},
             {.name = "simulations", .value = "N", .help = "at most; default 240"},
             {.name = "source", .value = "TEXT", .help = "where the log comes from; default: LOG"},
             {.name = "out", .value = "PROFILE.json", .help = "writes the profile"},
             output_option()}),
        .least_positional = 1,
        .most_positional = 1,
        .positional_name = "a log"};
}

std::string needed(const Arguments& given, const std::string& name) {
    const auto value = given.value(name);
    if (!value) throw UsageError("expected --" + name + ", an id of the catalogue");
    return *value;
}

void take_number(const Arguments& given, const std::string& name, std::uint64_t most,
                 std::int64_t& out) {
    if (const auto value = given.value(name)) {
        out = static_cast<std::int64_t>(whole_number("--" + name, *value, 1, most));
    }
}

double share(const std::string& text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    const bool good = parsed.ec == std::errc{} && parsed.ptr == end;
    if (good && value > 0 && value < 1) return value;
    throw UsageError("--fit-part: expected a number above 0 and below 1, found \"" + text + "\"");
}

/// --<name> on|off or --no-<name>, as vLLM has it; on when neither is given.
bool on_unless_told(const Arguments& given, const std::string& name) {
    const bool off = given.has("no-" + name);
    if (off && given.has(name)) {
        throw UsageError(fmt::format("expected --{0} or --no-{0}, found both", name));
    }
    return !off && given.value(name).value_or("on") == "on";
}

ObserveOptions observe_options(const Arguments& given, const StopSignal& stop) {
    ObserveOptions options;
    take_number(given, "max-num-seqs", kLargest, options.max_num_seqs);
    options.max_num_batched_tokens = std::max(options.max_num_batched_tokens, options.max_num_seqs);
    take_number(given, "max-num-batched-tokens", kLargest, options.max_num_batched_tokens);
    if (options.max_num_batched_tokens < options.max_num_seqs) {
        throw UsageError(
            fmt::format("--max-num-batched-tokens: expected at least --max-num-seqs, "
                        "{}, found {}",
                        options.max_num_seqs, options.max_num_batched_tokens));
    }
    if (given.has("kv-blocks"))
        take_number(given, "kv-blocks", kLargest, options.kv_blocks.emplace());
    options.async_scheduling = on_unless_told(given, "async-scheduling");
    options.prefix_caching = on_unless_told(given, "enable-prefix-caching");
    take_number(given, "replicas", kMostReplicas, options.replicas);
    if (given.value("split") == "alternate") options.split = FitSplit::alternate;
    if (const auto text = given.value("fit-part")) {
        if (options.split != FitSplit::first) {
            throw UsageError("--fit-part goes with --split first; alternate fits one half");
        }
        options.fit_part = share(*text);
    }
    if (const auto text = given.value("simulations")) {
        options.simulations = static_cast<int>(
            whole_number("--simulations", *text, static_cast<std::uint64_t>(kLeastSimulations),
                         kMostSimulations));
    }
    options.stop = &stop.flag();
    if (error_is_terminal()) {
        options.progress = [most = options.simulations](int done) {
            std::fprintf(stderr, "\r\033[K%d of at most %d simulations", done, most);
        };
    }
    return options;
}

/// A profile of a degree that no engine has could never be asked for.
void require_split(const scenarios::Catalogue& catalogue, const ObservedIdentity& identity) {
    const scenarios::ModelEntry& model = *catalogue.find_model(identity.model);
    if (serving::splits_over(model.shape, identity.tensor_parallel)) return;
    throw UsageError("--tp: " + scenarios::does_not_split(model, identity.tensor_parallel));
}

int observe_log(const Arguments& given) {
    const StopSignal stop;
    const std::string& path = given.positional.front();
    require_other_file("--out", given.value("out"), path);
    ObserveOptions options = observe_options(given, stop);
    ObservedIdentity identity;
    identity.model = needed(given, "model");
    identity.gpu = needed(given, "gpu");
    const scenarios::Catalogue catalogue = load_catalogue();
    require_model(catalogue, "--model", identity.model);
    require_gpu(catalogue, "--gpu", identity.gpu);
    take_number(given, "tp", kMostRanks, identity.tensor_parallel);
    require_split(catalogue, identity);
    options.moe = catalogue.find_model(identity.model)->shape.moe;
    identity.dtype = dtype_of(given.value("dtype").value_or("bf16"));
    identity.kv_cache_dtype = dtype_of(given.value("kv-cache-dtype").value_or("bf16"));
    identity.source =
        given.value("source").value_or("fitted by headroom calibrate observe to " +
                                       std::filesystem::path(path).filename().string());

    scenarios::Diagnostics problems;
    const std::optional<EngineLog> log = read_engine_log(path, problems);
    if (!log) {
        print_diagnostics(problems);
        return kExitBadInput;
    }
    prepare_output_file("--out", given.value("out"));
    if (log->sorted) print_note("the requests were not in the order of their arrivals; sorted");
    if (log->left_out > 0) {
        print_note(plural(static_cast<std::int64_t>(log->left_out), "request") +
                   " did not complete and were left out");
    }
    const ExpectedCoefficients expected = expected_coefficients(catalogue, identity, *log, options);
    options.expected = expected.coefficients;
    if (!expected.coefficients) {
        print_note("the log alone decides, no times are expected: " + expected.error);
    }
    const ObserveResult result = observe(*log, options);
    if (options.progress) std::fprintf(stderr, "\r\033[K");
    if (!result.fit) {
        print_note(result.error);
        return stop.raised() ? kExitUnfinished : kExitBadInput;
    }
    if (result.fit->error_band > 1) {
        print_note(
            fmt::format("{}: the simulated engine misses the held-out requests by {}; "
                        "expected the settings of the logged engine",
                        path, percent_text(result.fit->error_band)));
        return kExitBadInput;
    }
    const scenarios::ProfileFile profile = observed_profile(identity, options, *result.fit);
    if (const auto out = given.value("out")) {
        save_profile(profile, *out);
        print_note("profile in " + *out);
    }
    print_out(given.value("output") == "json" ? scenarios::profile_text(profile)
                                              : render_profile(profile, out_style()));
    return kExitGood;
}

}  // namespace

Command calibrate_observe_command() {
    return {observe_spec(), observe_log};
}

}  // namespace headroom::analysis
