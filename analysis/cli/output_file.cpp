#include "analysis/cli/output_file.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "analysis/cli/arguments.hpp"

namespace headroom::analysis {

namespace fs = std::filesystem;

void prepare_output_file(const std::string& option, const std::optional<std::string>& file) {
    if (!file) return;
    const fs::path folder = fs::path(*file).parent_path();
    std::error_code error;
    if (!folder.empty()) fs::create_directories(folder, error);
    if (file->empty() || fs::is_directory(*file, error) ||
        (!folder.empty() && !fs::is_directory(folder, error))) {
        throw UsageError(fmt::format(
            "{}: expected a file in a folder that is there or can be made, found \"{}\"", option,
            *file));
    }
}

}  // namespace headroom::analysis
