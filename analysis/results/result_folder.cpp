#include "analysis/results/result_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "analysis/results/text_file.hpp"

namespace headroom::analysis {

namespace fs = std::filesystem;

namespace {

constexpr std::array<const char*, 6> kResultFiles = {
    kSummaryFile, kRunFile, kResultsFile, kRequestsFile, kDecisionsFile, kReplicationsFile};

[[noreturn]] void fail(const std::string& what, const fs::path& path,
                       const std::error_code& error) {
    throw WriteError(fmt::format("{} {}: {}", what, path.string(), error.message()));
}

/// Without a slash at the end, and with links resolved as far as it exists.
fs::path resolve(const fs::path& folder) {
    std::error_code error;
    fs::path path = fs::absolute(folder, error).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    const fs::path real = fs::weakly_canonical(path, error);
    return error ? path : real;
}

/// Why an existing folder must not be replaced.
std::optional<std::string> refuse_to_replace(const fs::path& folder) {
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (!fs::exists(status)) {
        if (!fs::is_symlink(fs::symlink_status(folder, error))) return std::nullopt;
        return folder.string() + " is a link to nothing: expected a folder for the results";
    }
    if (!fs::is_directory(status)) {
        return folder.string() + " is not a folder: expected a folder for the results";
    }
    const bool empty = fs::is_empty(folder, error);
    if (error) return folder.string() + ": " + error.message();
    if (empty || fs::exists(folder / kRunFile, error)) return std::nullopt;
    return folder.string() +
           " holds other files: expected a new or empty folder, or one with an "
           "earlier result (a run.json)";
}

void make_parents(const fs::path& folder, std::vector<fs::path>& made) {
    std::vector<fs::path> missing;
    std::error_code error;
    for (fs::path parent = folder.parent_path(); !fs::exists(parent, error);
         parent = parent.parent_path()) {
        if (parent == parent.parent_path()) break;
        missing.push_back(parent);
    }
    for (auto parent = missing.rbegin(); parent != missing.rend(); ++parent) {
        if (fs::create_directory(*parent, error)) made.push_back(*parent);
        if (error) fail("cannot make the folder", *parent, error);
    }
}

fs::path make_sibling(const fs::path& folder) {
    const std::string base = fmt::format("{}.partial-{}", folder.string(), ::getpid());
    for (int i = 0;; ++i) {
        fs::path candidate = i == 0 ? base : fmt::format("{}-{}", base, i);
        std::error_code error;
        if (fs::create_directory(candidate, error)) return candidate;
        // Left behind by a process of the same number that was killed.
        if (error || i == 100) fail("cannot make the folder", candidate, error);
    }
}

/// What in the old folder is not a result stays with the user.
void keep_foreign_files(const fs::path& old_folder, const fs::path& new_folder) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(old_folder, error)) {
        const fs::path name = entry.path().filename();
        const bool ours = std::any_of(kResultFiles.begin(), kResultFiles.end(),
                                      [&](const char* file) { return name == file; });
        if (ours) continue;
        std::error_code failed;
        fs::rename(entry.path(), new_folder / name, failed);
        if (failed) fail("cannot keep the file", entry.path(), failed);
    }
    if (error) fail("cannot read", old_folder, error);
}

}  // namespace

std::optional<std::string> ResultFolder::problem(const fs::path& folder) {
    if (folder.empty()) return "expected a folder for the results, found an empty name";
    if (auto refused = refuse_to_replace(resolve(folder))) return refused;
    try {
        const ResultFolder trial(folder);
    } catch (const WriteError& error) {
        return error.what();
    }
    return std::nullopt;
}

ResultFolder::ResultFolder(const fs::path& folder) : target_(resolve(folder)) {
    try {
        make_parents(target_, made_);
        partial_ = make_sibling(target_);
    } catch (...) {
        discard();
        throw;
    }
}

ResultFolder::~ResultFolder() {
    discard();
}

void ResultFolder::discard() noexcept {
    std::error_code ignored;
    if (!partial_.empty()) fs::remove_all(partial_, ignored);
    // Only what is empty goes: somebody else may have put something there meanwhile.
    for (auto parent = made_.rbegin(); parent != made_.rend(); ++parent) {
        if (::rmdir(parent->c_str()) != 0) break;
    }
    partial_.clear();
    made_.clear();
}

void ResultFolder::commit() {
    if (auto refused = refuse_to_replace(target_)) throw WriteError(*refused);
    made_.clear();
    std::error_code error;
    if (!fs::exists(target_, error)) {
        fs::rename(partial_, target_, error);
        if (error) fail("cannot make the folder", target_, error);
        partial_.clear();
        return;
    }
    fs::path old_folder = partial_;
    if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
        // Not every file system can swap.
        old_folder += ".old";
        fs::rename(target_, old_folder, error);
        if (error) fail("cannot move away", target_, error);
        fs::rename(partial_, target_, error);
        if (error) {
            std::error_code ignored;
            fs::rename(old_folder, target_, ignored);
            fail("cannot make the folder", target_, error);
        }
    }
    partial_.clear();
    keep_foreign_files(old_folder, target_);
    fs::remove_all(old_folder, error);
    if (error) fail("cannot remove the old results in", old_folder, error);
}

}  // namespace headroom::analysis
