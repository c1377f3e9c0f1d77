/// TextFile: a file written from front to back through a buffer, whose errors do not get lost: a
/// full disk throws WriteError at the latest in close(). Writing is O(length), amortised.
///
///     TextFile file(folder / "requests.csv");
///     file.write("id,service\n");
///     file.close();
///
/// WriteError is what everything here throws when results cannot be written; its text names the
/// file.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::analysis {

class WriteError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class TextFile {
  public:
    explicit TextFile(std::filesystem::path path);
    void write(std::string_view text);
    void close();

  private:
    struct Closer {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    [[noreturn]] void fail(const char* what) const;

    std::filesystem::path path_;
    std::unique_ptr<std::FILE, Closer> file_;
};

void write_text_file(const std::filesystem::path& path, std::string_view text);

/// Files that are replaced together. add() writes each into a sibling, so that a full disk shows
/// before any file has changed; commit() renames the siblings, in order: a file is the old one or
/// the new one, never half. What is no regular file (a pipe, a device, a link) is written into
/// instead. An object that goes away without commit() takes its siblings along. Errors throw
/// WriteError.
///
///     FileReplacements files;
///     files.add("baselines/a.json", text_a);
///     files.add("baselines/b.json", text_b);
///     files.commit();
class FileReplacements {
  public:
    FileReplacements() = default;
    ~FileReplacements();
    FileReplacements(const FileReplacements&) = delete;
    FileReplacements& operator=(const FileReplacements&) = delete;

    void add(const std::filesystem::path& path, std::string_view text);
    void commit();

  private:
    struct Replacement {
        std::filesystem::path path;
        std::filesystem::path sibling;  ///< empty: there is none, or no longer
        std::string text;               ///< of what has no sibling
    };
    std::vector<Replacement> replacements_;
};

/// One file alone.
void replace_text_file(const std::filesystem::path& path, std::string_view text);

/// Seconds with all twelve decimals of a picosecond clock: "0.000000000001". Exact.
void append_padded_seconds(std::string& text, std::int64_t picoseconds);

}  // namespace headroom::analysis
