/// TraceFile reads a trace row by row and checks each row: TraceReader (which stops at the first
/// bad row) and summarize() (which goes on) are built on it.
///
/// Rules: arrivals never go back; a prompt has at least one token; an output of 0 tokens counts as
/// 1, because the prefill of a request that is served yields its first token (none of the public
/// traces at hand has one, but traces that log refused requests do); times lie within 100 days of
/// the origin; empty lines are skipped. A message reads "file:line: what was found; what was
/// expected". Constant memory; O(line) a row.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "traces/readers/line_reader.hpp"
#include "traces/readers/trace_format.hpp"

namespace headroom::traces {

class TraceFile {
  public:
    enum class Status : std::uint8_t { row, bad_row, end, failed };

    /// Reads the first line. `format` empty: detected. Null with `error` set when the file cannot
    /// be read, is empty, or has a header that fits no format.
    [[nodiscard]] static std::unique_ptr<TraceFile> open(const std::string& path,
                                                         const std::string& format,
                                                         std::string& error);

    /// bad_row: `message` says why, and reading may go on; failed: the file itself is damaged.
    [[nodiscard]] Status next(TraceRow& row, std::string& message);

    [[nodiscard]] const std::string& path() const { return lines_->path(); }
    [[nodiscard]] const std::string& format_name() const { return format_name_; }
    [[nodiscard]] std::int64_t line_number() const { return lines_->line_number(); }
    /// Whether rows may say what their tokens are.
    [[nodiscard]] bool tells_contents() const { return format_->tells_contents(); }
    /// A hash of the first row's text, good once a row was asked for: a trace is known by it,
    /// whatever the name of its file and however it is compressed.
    [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }
    /// Rows so far whose output of 0 tokens was counted as 1.
    [[nodiscard]] std::int64_t empty_outputs() const { return empty_outputs_; }
    /// "file:line: " of the row read last.
    [[nodiscard]] std::string where() const;

  private:
    TraceFile() = default;
    [[nodiscard]] bool check(TraceRow& row, std::string& message);

    std::unique_ptr<LineReader> lines_;
    std::unique_ptr<TraceFormat> format_;
    std::string format_name_;
    std::string first_line_;  ///< of a format without a header: the first row
    bool first_line_is_row_ = false;
    bool first_row_read_ = false;
    std::uint64_t fingerprint_ = 0;
    bool origin_known_ = false;
    Int128 origin_ps_ = 0;
    std::int64_t previous_ps_ = 0;
    std::int64_t previous_line_ = 0;
    std::int64_t empty_outputs_ = 0;
};

}  // namespace headroom::traces
