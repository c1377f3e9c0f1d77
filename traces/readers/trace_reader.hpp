/// TraceReader: a trace as a RequestSource, streamed with constant memory whatever the file's size.
/// open_trace() reads as far as the first request, so that a missing file, a wrong header, a bad
/// first row and an empty trace are errors while loading; a bad row further on sets error() and
/// ends the stream.
///
///     std::string error;
///     auto trace = open_trace("azure.csv.gz", {.rate_scale = 2}, error);   // null: error says why
///
/// Order of the options: rows before `start` are left out and time counts from there, rows at or
/// after `start + window` end the trace, then times are scaled (time_scale / rate_scale), then
/// `delay` is added. Some ten million CSV rows a second on one core.
///
/// Rows that say what their tokens are (`hash_ids`) become requests with contents, one allocation
/// of them a request; no option changes these, for they scale times only. Ids mean something within
/// one trace, which is known by its first row: each is shifted by a number drawn from that row and
/// from tokens_per_id, so that two sources that read one trace (or copies of it) share contents,
/// and two traces that begin differently do not. With `require_contents` a used row without them is
/// an error of its line, and so is, while opening, a format that tells none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sim/serving/request_source.hpp"
#include "traces/readers/trace_file.hpp"
#include "traces/time_scale.hpp"

namespace headroom::traces {

struct TraceOptions {
    std::string format{};                 ///< "azure-llm", "csv", "mooncake"; empty: detected
    double rate_scale = 1;                ///< times are divided by it: 2 is twice the request rate
    double time_scale = 1;                ///< times are multiplied by it
    std::optional<std::int64_t> limit{};  ///< requests at most
    Duration start{};                     ///< in the trace's own time
    std::optional<Duration> window{};     ///< in the trace's own time; none: to the end
    Duration delay{};                     ///< added to every time of the result
    bool require_contents = false;        ///< a request without contents is an error
};

class TraceReader final : public serving::RequestSource {
  public:
    [[nodiscard]] OptionalTime peek() override {
        if (!has_next_) return std::nullopt;
        return next_.time;
    }
    serving::Arrival take() override;
    [[nodiscard]] bool answers_completions() const override { return false; }
    [[nodiscard]] const std::string& error() const override { return error_; }

    [[nodiscard]] const std::string& format_name() const { return file_->format_name(); }
    /// Whether requests may come with contents.
    [[nodiscard]] bool tells_contents() const { return file_->tells_contents(); }

  private:
    friend std::unique_ptr<TraceReader> open_trace(const std::string& path,
                                                   const TraceOptions& options, std::string& error);
    TraceReader(std::unique_ptr<TraceFile> file, TraceOptions options, TimeScale scale);
    void advance();
    [[nodiscard]] serving::ContentsRef contents() const;

    std::unique_ptr<TraceFile> file_;
    TraceOptions options_;
    TimeScale scale_;
    TraceRow row_;  ///< kept for its memory
    serving::Arrival next_;
    std::int64_t taken_ = 0;
    bool has_next_ = false;
    std::string error_;
};

/// Null with `error` set: the file cannot be read, has no request, or an option is out of range.
[[nodiscard]] std::unique_ptr<TraceReader> open_trace(const std::string& path,
                                                      const TraceOptions& options,
                                                      std::string& error);

}  // namespace headroom::traces
