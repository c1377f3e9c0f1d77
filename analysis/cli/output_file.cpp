#include "analysis/cli/output_file.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "analysis/cli/arguments.hpp"

namespace headroom::analysis {

namespace fs = std::filesystem;

void prepare_output_file(const std::string& option, const std::optional<std::string>& file) {
    if (!file) return;
    const fs::path path = *file;
    const fs::path folder = path.parent_path();
    std::error_code error;
    const bool is_file = path.has_filename() && !fs::is_directory(path, error);
    if (is_file && !folder.empty()) fs::create_directories(folder, error);
    if (!is_file || (!folder.empty() && !fs::is_directory(folder, error))) {
        throw UsageError(fmt::format(
            "{}: expected a file in a folder that is there or can be made, found \"{}\"", option,
            *file));
    }
}

}  // namespace headroom::analysis
