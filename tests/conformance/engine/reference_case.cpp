#include "tests/conformance/engine/reference_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "scenarios/diagnostic.hpp"
#include "tests/conformance/engine/case_rows.hpp"
#include "tests/conformance/engine/case_settings.hpp"

namespace headroom::tests {
namespace {

namespace fs = std::filesystem;
using scenarios::Diagnostics;

[[noreturn]] void refuse(const Diagnostics& problems) {
    std::string text;
    for (const scenarios::Diagnostic& problem : problems) {
        text += (text.empty() ? "" : "\n") + problem.text();
    }
    throw BadCase(text);
}

/// What differs in one request; empty: nothing.
std::string difference(const serving::RequestRow& row, const ExpectedOutcome& expected) {
    if (row.outcome != serving::Outcome::completed) {
        return std::string(to_string(row.outcome)) + " (" + std::string(to_string(row.cause)) + ")";
    }
    std::string text;
    const auto add = [&text](const char* what, const std::string& got, const std::string& want) {
        text += fmt::format("{}{} {}, expected {}", text.empty() ? "" : "; ", what, got, want);
    };
    const auto add_time = [&](const char* what, Time got, double want_s) {
        if (std::abs(got.to_seconds() - want_s) <= 1e-9) return;
        add(what, fmt::format("{:.9f} s", got.to_seconds()), fmt::format("{:.9f} s", want_s));
    };
    add_time("first token at", row.first_token, expected.first_token_s);
    add_time("completed at", row.finish, expected.completed_s);
    const auto add_count = [&](const char* what, std::int64_t got, std::int64_t want) {
        if (got != want) add(what, std::to_string(got), std::to_string(want));
    };
    add_count("preemptions", row.preemptions, expected.preemptions);
    add_count("tokens", row.output_tokens, expected.output_tokens);
    return text;
}

}  // namespace

std::vector<fs::path> find_cases(const fs::path& folder) {
    if (!fs::is_directory(folder)) throw BadCase(folder.string() + ": expected a folder");
    if (fs::exists(folder / "config.json")) return {folder};
    std::vector<fs::path> cases;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (fs::exists(entry.path() / "config.json")) cases.push_back(entry.path());
    }
    if (cases.empty()) {
        throw BadCase(folder.string() + ": expected config.json here or in its subfolders");
    }
    std::sort(cases.begin(), cases.end());
    return cases;
}

ReferenceCase read_case(const fs::path& folder) {
    ReferenceCase reference;
    reference.name = fs::weakly_canonical(folder).filename().string();
    reference.spec.name = reference.name;
    reference.spec.drain = true;
    Diagnostics problems;
    read_settings(folder / "config.json", reference, problems);
    // What the engine lacks may have settings of another kind.
    if (!reference.not_covered.empty()) return reference;
    if (problems.empty()) read_rows(folder, reference, problems);
    if (!problems.empty()) refuse(problems);
    return reference;
}

CaseComparison compare(const ReferenceCase& reference, bool exact_steps) {
    RunOptions options;
    options.keep_rows = true;
    options.exact_steps = exact_steps;
    const SimulationResult result = Simulation(reference.spec).run(options);
    CaseComparison comparison;
    comparison.requests = static_cast<std::int64_t>(reference.expected.size());
    if (result.rows.size() != reference.expected.size()) {
        comparison.first_difference = fmt::format("{} requests came to an end", result.rows.size());
        return comparison;
    }
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
        const ExpectedOutcome& expected = reference.expected[i];
        comparison.preemptions += result.rows[i].preemptions;
        comparison.expected_preemptions += expected.preemptions;
        const std::string differs = difference(result.rows[i], expected);
        if (differs.empty()) {
            ++comparison.equal;
        } else if (comparison.first_difference.empty()) {
            comparison.first_difference = "request " + expected.id + ": " + differs;
        }
    }
    return comparison;
}

std::string CaseComparison::text() const {
    const std::string figures =
        fmt::format("{} of {} equal, preemptions {} {} {}", equal, requests, preemptions,
                    preemptions == expected_preemptions ? "=" : "!=", expected_preemptions);
    return passed() ? figures : "FAILED, " + figures + "; first " + first_difference;
}

namespace {

/// Whether the case is covered and equal.
bool run_case(const fs::path& folder, std::ostream& out) {
    const ReferenceCase reference = read_case(folder);
    if (!reference.not_covered.empty()) {
        out << reference.name
            << ": not covered: " << fmt::format("{}", fmt::join(reference.not_covered, ", "))
            << std::endl;
        return false;
    }
    const CaseComparison comparison = compare(reference, false);
    out << reference.name << ": " << comparison.text() << std::endl;
    return comparison.passed();
}

}  // namespace

int run_cases(const fs::path& folder, std::ostream& out, std::ostream& problems) {
    bool all_equal = true;
    bool all_readable = true;
    try {
        for (const fs::path& each : find_cases(folder)) {
            try {
                all_equal = run_case(each, out) && all_equal;
            } catch (const BadCase& problem) {
                problems << problem.what() << '\n';
                all_readable = false;
            }
        }
    } catch (const BadCase& problem) {
        problems << problem.what() << '\n';
        return 2;
    }
    if (!all_readable) return 2;
    return all_equal ? 0 : 1;
}

}  // namespace headroom::tests
