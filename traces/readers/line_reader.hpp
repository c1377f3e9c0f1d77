/// LineReader streams the lines of a text file that is plain or compressed with gzip or zstd; which
/// of them is seen from the first bytes, not from the name. Line ends "\n" and "\r\n" are taken
/// off, and so is a UTF-8 byte order mark before the first line; the last line need not have an
/// end.
///
///     std::string error;
///     auto lines = LineReader::open("trace.csv.zst", error);   // null: error says why
///     std::string_view line;
///     while (lines->next(line)) use(line, lines->line_number());
///     if (!lines->error().empty()) ...    // "trace.csv.zst: truncated gzip file, ..."
///
/// Memory is one buffer (1 MiB, more only for a longer line, up to kMaxLine); no allocation per
/// line. A view stays valid until the next call of next(). Nothing throws. A missing, unreadable,
/// truncated or corrupt file is an error that names the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headroom::traces {

/// The bytes of a file after decompression.
class ByteSource {
  public:
    virtual ~ByteSource() = default;
    /// Reads up to `size` bytes (size > 0); 0 at the end or on an error.
    virtual std::size_t read(char* to, std::size_t size) = 0;
    [[nodiscard]] const std::string& error() const { return error_; }

  protected:
    std::string error_;
};

/// Null with `error` set when the file cannot be opened.
[[nodiscard]] std::unique_ptr<ByteSource> open_bytes(const std::string& path, std::string& error);

class LineReader {
  public:
    static constexpr std::size_t kMaxLine = std::size_t{64} << 20;

    [[nodiscard]] static std::unique_ptr<LineReader> open(const std::string& path,
                                                          std::string& error);

    /// False at the end of the file or on an error.
    [[nodiscard]] bool next(std::string_view& line);
    /// Of the line that next() returned last; the first is 1.
    [[nodiscard]] std::int64_t line_number() const { return line_number_; }
    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    LineReader(std::string path, std::unique_ptr<ByteSource> bytes);
    bool fill();

    std::string path_;
    std::string error_;
    std::unique_ptr<ByteSource> bytes_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;  ///< the first byte not yet handed out
    std::size_t end_ = 0;    ///< one past the last byte read
    std::int64_t line_number_ = 0;
    bool at_end_ = false;
};

}  // namespace headroom::traces
