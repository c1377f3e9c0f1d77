/// A file that an option names for a command's result: looked at once the input is known to be
/// good and before the work that fills it, for after an hour it is late to hear that it cannot be.
///
///     prepare_output_file("--junit", given.value("junit"));
#pragma once

#include <optional>
#include <string>

namespace headroom::analysis {

/// Makes the file's folder where there is none, for folders of results are seldom in a repository.
/// UsageError where that cannot be done, or where the file is a folder. Not given: nothing.
void prepare_output_file(const std::string& option, const std::optional<std::string>& file);

}  // namespace headroom::analysis
