/// A reference case: requests, an engine's settings, and what another scheduler made of them.
///
/// A folder with config.json (the settings of Vidur's or of vLLM v1's scheduler, and a closed-form
/// iteration time), requests.csv and results.csv, as README.md here describes. A case is read into
/// a simulation of one service, run, and compared request by request: preemptions and tokens equal,
/// first token and completion within a nanosecond. What the engine does not have is named, not run.
///
///     const ReferenceCase c = read_case("cases/sarathi_chunks");
///     if (c.not_covered.empty()) std::cout << c.name << ": " << compare(c, false).text() << '\n';
///
/// read_case throws BadCase with every mistake of the files, each with file:line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/simulation.hpp"

namespace headroom::tests {

class BadCase : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// What is known of one request. Times in seconds, as written.
struct ExpectedOutcome {
    std::string id;
    double first_token_s = 0;
    double completed_s = 0;
    std::int64_t preemptions = 0;
    std::int64_t output_tokens = 0;
};

struct ReferenceCase {
    std::string name;                      ///< of the folder
    std::vector<std::string> not_covered;  ///< what the engine lacks; empty: it can be run
    SimulationSpec spec;
    bool ids_are_texts = false;             ///< so they break ties between requests of one time
    std::vector<ExpectedOutcome> expected;  ///< in the order in which the requests arrive
};

struct CaseComparison {
    std::int64_t requests = 0;
    std::int64_t equal = 0;
    std::int64_t preemptions = 0;
    std::int64_t expected_preemptions = 0;
    std::string first_difference;  ///< of the earliest request that differs; empty: none does

    [[nodiscard]] bool passed() const { return equal == requests; }
    /// "600 of 600 equal, preemptions 0 = 0", or the same after "FAILED" with the difference.
    [[nodiscard]] std::string text() const;
};

/// `folder` itself when it is a case, else its subfolders that are, by name. Throws BadCase when
/// there are none.
[[nodiscard]] std::vector<std::filesystem::path> find_cases(const std::filesystem::path& folder);
[[nodiscard]] ReferenceCase read_case(const std::filesystem::path& folder);
/// `exact_steps`: by the engine's slow twin.
[[nodiscard]] CaseComparison compare(const ReferenceCase& reference, bool exact_steps);
/// Runs the cases in `folder` and says of each what became of it, a line each on `out`. 0: all are
/// equal; 1: one differs or is not covered; 2: bad files, said on `problems`.
[[nodiscard]] int run_cases(const std::filesystem::path& folder, std::ostream& out,
                            std::ostream& problems);

}  // namespace headroom::tests
