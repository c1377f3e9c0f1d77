#include "analysis/results/text_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <system_error>
#include <utility>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::analysis {

TextFile::TextFile(std::filesystem::path path) : path_(std::move(path)) {
    file_.reset(std::fopen(path_.c_str(), "wb"));
    if (file_ == nullptr) fail("cannot open");
}

void TextFile::write(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) fail("cannot write");
}

void TextFile::close() {
    if (std::fclose(file_.release()) != 0) fail("cannot write");
}

void TextFile::fail(const char* what) const {
    throw WriteError(fmt::format("{} {}: {}", what, path_.string(), std::strerror(errno)));
}

void write_text_file(const std::filesystem::path& path, std::string_view text) {
    TextFile file(path);
    file.write(text);
    file.close();
}

FileReplacements::~FileReplacements() {
    std::error_code ignored;
    for (const Replacement& one : replacements_) {
        if (!one.sibling.empty()) std::filesystem::remove(one.sibling, ignored);
    }
}

void FileReplacements::add(const std::filesystem::path& path, std::string_view text) {
    std::error_code unknown;
    const auto kind = std::filesystem::symlink_status(path, unknown).type();
    using Type = std::filesystem::file_type;
    if (kind != Type::regular && kind != Type::not_found && kind != Type::none) {
        replacements_.push_back({path, {}, std::string(text)});
        return;
    }
    std::filesystem::path sibling = path;
    sibling += fmt::format(".partial-{}", ::getpid());
    replacements_.push_back({path, sibling, {}});
    write_text_file(sibling, text);
}

void FileReplacements::commit() {
    for (Replacement& one : replacements_) {
        if (one.sibling.empty()) {
            write_text_file(one.path, one.text);
            continue;
        }
        std::error_code error;
        std::filesystem::rename(one.sibling, one.path, error);
        if (error) {
            throw WriteError(
                fmt::format("cannot write {}: {}", one.path.string(), error.message()));
        }
        one.sibling.clear();
    }
    replacements_.clear();
}

void replace_text_file(const std::filesystem::path& path, std::string_view text) {
    FileReplacements files;
    files.add(path, text);
    files.commit();
}

void append_padded_seconds(std::string& text, std::int64_t picoseconds) {
    HEADROOM_DCHECK(picoseconds >= 0, "a time of a run is not negative");
    fmt::format_to(std::back_inserter(text), "{}.{:012}", picoseconds / Duration::kPerSecond,
                   picoseconds % Duration::kPerSecond);
}

}  // namespace headroom::analysis
