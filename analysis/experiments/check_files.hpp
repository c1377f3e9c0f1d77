/// CheckFiles: which files `headroom check` takes for checks, and what it takes each for.
///
///     CheckFiles found = find_check_files({"scenarios/library"});
///
/// A file that is named is taken as it is. Of a folder all *.json below it, in the order of their
/// paths; a file reached twice counts once. A rule test has the key "tests" (scenarios/
/// rule_test.hpp); anything else with one of "services", "sources", "extends" and "expect" is a
/// scenario. Left out, with the reason:
///
/// - folders named `what-if` (patches) and `baselines`, the folder that `options.baseline` names,
///   hidden ones, linked ones, and results of runs (they hold a run.json);
/// - a scenario that another one extends and that neither extends nor expects anything: a base;
/// - a file that is neither a scenario nor a rule test.
///
/// What cannot be read or is no JSON is a check too, one with an error. Nothing is thrown.
/// O(files), each is parsed once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/diagnostic.hpp"

namespace headroom::analysis {

struct CheckFile {
    enum class Kind : std::uint8_t { scenario, rule_test, unreadable };
    std::string path;
    Kind kind = Kind::scenario;
    scenarios::Diagnostics diagnostics{};  ///< of unreadable
};

struct LeftOut {
    std::string path;
    std::string reason;
};

struct CheckFiles {
    std::vector<CheckFile> files;
    std::vector<LeftOut> left_out;
};

[[nodiscard]] CheckFiles find_check_files(const std::vector<std::string>& arguments,
                                          const std::optional<std::string>& baseline = {});

}  // namespace headroom::analysis
