/// run_suite: all checks of `headroom check`, each with its verdict. A check is one file: a
/// scenario, whose cases are what it expects and its baseline, or a rule test, whose cases are its
/// tests.
///
///     const SuiteResult result = run_suite(find_check_files({"checks"}), options);
///     result.worst()                          // passed, failed or error
///
/// A check *fails* when something expected does not hold, when a scenario checks nothing, or when
/// its baseline differs or is missing; it is an *error* when it cannot be carried out: a file with
/// mistakes, two scenarios of one name, a trace that turns out bad, memory that does not suffice, a
/// baseline that cannot be compared. An error ends its own check only.
///
/// Checks run on `jobs` threads; the result is in the order of the files and, but for the times,
/// does not depend on them. Baselines are written when all checks have ended, all or none.
/// Memory: the loaded scenarios, and the runs in hand.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/experiments/baseline.hpp"
#include "analysis/experiments/check_files.hpp"
#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/diagnostic.hpp"

namespace headroom::analysis {

enum class CheckStatus : std::uint8_t { passed, failed, error };

struct CheckCase {
    std::string name;  ///< "latency.ttft_s.p99 < 2", "baseline", or the name of a test
    CheckStatus status = CheckStatus::passed;
    std::string description{};          ///< why it matters, where somebody wrote that
    scenarios::Diagnostics messages{};  ///< "chat.json:40: replicas at 10m == 8: found 6"
};

/// Cases of a scenario besides what it expects: its baseline (compared, or recorded now), and,
/// where nothing else is checked and need not be, that it runs.
inline constexpr const char* kBaseline = "baseline";
inline constexpr const char* kRunsToItsEnd = "runs to its end";

struct Check {
    std::string path;
    std::string name;
    CheckFile::Kind kind = CheckFile::Kind::scenario;
    std::vector<CheckCase> cases{};
    double wall_s = 0;                    ///< the one thing that varies
    std::vector<std::string> warnings{};  ///< of a scenario; they change no verdict

    [[nodiscard]] CheckStatus status() const;
    [[nodiscard]] std::size_t count(CheckStatus status) const;  ///< cases
};

struct SuiteOptions {
    std::vector<std::string> sets{};        ///< for each scenario, those of rule tests included
    std::optional<std::string> baseline{};  ///< folder
    bool update_baseline = false;
    Tolerances tolerances{};
    bool allow_empty = false;  ///< a scenario that expects nothing passes when it runs to its end
    int jobs = 1;
    std::shared_ptr<const scenarios::Catalogue> catalogue{};
    const std::atomic<bool>* stop = nullptr;
    std::function<void(std::size_t done, std::size_t of)> progress{};  ///< one call at a time
};

struct SuiteResult {
    bool interrupted = false;  ///< then the checks are not whole
    std::vector<Check> checks;
    std::vector<LeftOut> left_out;

    [[nodiscard]] std::size_t count(CheckStatus status) const;  ///< checks
    [[nodiscard]] CheckStatus worst() const;
};

/// Throws WriteError when a baseline cannot be written.
[[nodiscard]] SuiteResult run_suite(CheckFiles files, const SuiteOptions& options);

}  // namespace headroom::analysis
