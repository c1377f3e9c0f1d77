/// Console: where a command writes. Data on standard output; notes, warnings and mistakes on
/// standard error. Colour only on a terminal and when NO_COLOR (no-color.org) is not set; block
/// characters only where the locale is UTF-8.
///
///     print_out(text);                       // throws OutputError when nobody can take it
///     print_note("results in out/mm1");      // "headroom: results in out/mm1"
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "analysis/report/text_block.hpp"
#include "scenarios/diagnostic.hpp"

namespace headroom::analysis {

class OutputError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Empty where it is not set.
[[nodiscard]] std::string environment_variable(const char* name);

[[nodiscard]] TextStyle out_style();
[[nodiscard]] bool error_is_terminal();
/// Columns of the terminal on standard error; 80 when it does not say.
[[nodiscard]] std::size_t error_columns();

void print_out(std::string_view text);
void print_note(std::string_view text);
void print_diagnostics(const scenarios::Diagnostics& diagnostics);

}  // namespace headroom::analysis
