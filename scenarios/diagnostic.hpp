/// Diagnostic: one mistake in a scenario, where it stands and what was expected instead. A loader
/// collects them all; nothing is thrown, so a user sees every mistake of a file in one go.
///
///     chat.json:14: /services/chat/replicas: expected a whole number >= 0, found "two"
///     --set /seed: expected a whole number, found "x"
///
/// Lines and columns count from 1, columns in bytes; line 0 means that `file` is not a file but an
/// option of the command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headroom::scenarios {

struct Location {
    std::string file;
    int line = 0;
    int column = 0;

    bool operator==(const Location&) const = default;
};

struct Diagnostic {
    Location where;
    std::string pointer;  ///< JSON pointer (RFC 6901) in the merged scenario; may be empty
    std::string message;

    /// "file:line: /pointer: message"; with the column where there is no pointer (a syntax error).
    /// Printable (sim/core/printable_text.hpp), whatever a file says, and of a bounded
    /// length.
    [[nodiscard]] std::string text() const;
};

using Diagnostics = std::vector<Diagnostic>;

/// By file, line and column; mistakes at one place stay in the order in which they were found.
void sort_diagnostics(Diagnostics& diagnostics);

/// ` (did you mean "x"?)`, or nothing when `nearest` is empty: the end of a message.
[[nodiscard]] std::string did_you_mean(std::string_view nearest);

}  // namespace headroom::scenarios
