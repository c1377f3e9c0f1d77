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
/// The same by way of a sibling that is renamed: the file is the old one or the new one, never
/// half. What is no regular file (a pipe, a device, a link) is written into instead.
void replace_text_file(const std::filesystem::path& path, std::string_view text);

/// Seconds with all twelve decimals of a picosecond clock: "0.000000000001". Exact.
void append_seconds(std::string& text, std::int64_t picoseconds);

}  // namespace headroom::analysis
