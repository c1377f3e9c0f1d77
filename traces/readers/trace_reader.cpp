#include "traces/readers/trace_reader.hpp"

#include <utility>

#include "sim/core/check.hpp"

namespace headroom::traces {

TraceReader::TraceReader(std::unique_ptr<TraceFile> file, TraceOptions options, TimeScale scale)
    : file_(std::move(file)), options_(std::move(options)), scale_(scale) {
    advance();
}

/// Reads on to the next request that the options let through.
void TraceReader::advance() {
    has_next_ = false;
    if (options_.limit && taken_ >= *options_.limit) return;
    const std::int64_t start_ps = options_.start.ps();
    TraceRow row;
    for (;;) {
        const TraceFile::Status status = file_->next(row, error_);
        if (status != TraceFile::Status::row) return;
        const auto time_ps = static_cast<std::int64_t>(row.time_ps);
        if (time_ps < start_ps) continue;
        const Duration since_start = Duration::picoseconds(time_ps - start_ps);
        if (options_.window && since_start >= *options_.window) return;
        const Duration scaled = scale_(since_start);
        const Duration most = Time::horizon_limit().since_start() - options_.delay;
        const Duration end =
            (options_.end ? *options_.end : Time::max()).since_start() - options_.delay;
        if (scaled >= end) return;
        if (scaled > most) {
            error_ = file_->where() +
                     "an arrival more than 100 days after the start once scaled and delayed; "
                     "expected at most 100 days";
            return;
        }
        next_ = {.time = Time::zero() + scaled + options_.delay,
                 .prompt = Tokens{row.prompt},
                 .output = Tokens{row.output},
                 .attributes = row.attributes};
        has_next_ = true;
        return;
    }
}

serving::Arrival TraceReader::take() {
    HEADROOM_CHECK(has_next_, "take() from a trace without a next request");
    const serving::Arrival arrival = next_;
    ++taken_;
    advance();
    return arrival;
}

std::unique_ptr<TraceReader> open_trace(const std::string& path, const TraceOptions& options,
                                        std::string& error) {
    const std::optional<TimeScale> scale = TimeScale::make(options.time_scale, options.rate_scale);
    if (!scale) {
        error = path + ": a rate_scale or time_scale out of range; expected 0.000001 to 1000000";
        return nullptr;
    }
    const Duration horizon = Time::horizon_limit().since_start();
    if (options.start < Duration::zero() || options.delay < Duration::zero() ||
        options.delay > horizon) {
        error = path + ": a start or delay out of range; expected 0 s to 100 days";
        return nullptr;
    }
    std::unique_ptr<TraceFile> file = TraceFile::open(path, options.format, error);
    if (file == nullptr) return nullptr;
    std::unique_ptr<TraceReader> reader(new TraceReader(std::move(file), options, *scale));
    if (!reader->error().empty()) {
        error = reader->error();
        return nullptr;
    }
    if (!reader->peek()) {
        const bool cut =
            options.limit || options.window || options.end || options.start > Duration::zero();
        error =
            path + (cut ? ": no requests between start, window, limit and end" : ": no requests");
        return nullptr;
    }
    return reader;
}

}  // namespace headroom::traces
