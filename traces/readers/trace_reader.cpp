#include "traces/readers/trace_reader.hpp"

#include <utility>

#include "sim/core/check.hpp"
#include "sim/core/hash.hpp"

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
    for (;;) {
        const TraceFile::Status status = file_->next(row_, error_);
        if (status != TraceFile::Status::row) return;
        const auto time_ps = static_cast<std::int64_t>(row_.time_ps);
        if (time_ps < start_ps) continue;
        const Duration since_start = Duration::picoseconds(time_ps - start_ps);
        if (options_.window && since_start >= *options_.window) return;
        const Duration scaled = scale_(since_start);
        const Duration most = Time::horizon_limit().since_start() - options_.delay;
        if (scaled > most) {
            error_ = file_->where() +
                     "an arrival more than 100 days after the start once scaled and delayed; "
                     "expected at most 100 days";
            return;
        }
        if (options_.require_contents && row_.ids.empty()) {
            error_ = file_->where() +
                     "no hash_ids; expected every request to say what its tokens "
                     "are";
            return;
        }
        next_ = {.time = Time::zero() + scaled + options_.delay,
                 .prompt = Tokens{row_.prompt},
                 .output = Tokens{row_.output},
                 .attributes = row_.attributes,
                 .contents = contents()};
        has_next_ = true;
        return;
    }
}

serving::ContentsRef TraceReader::contents() const {
    if (row_.ids.empty()) return nullptr;
    const boost::intrusive_ptr<serving::TokenContents> contents(new serving::TokenContents);
    contents->tokens_per_id = row_.tokens_per_id;
    contents->covered = row_.covered;
    contents->ids.reserve(row_.ids.size());
    // Pieces of different sizes are different, whatever a file calls them.
    const std::uint64_t shift =
        file_->fingerprint() + mix64(static_cast<std::uint64_t>(row_.tokens_per_id));
    for (const std::uint64_t id : row_.ids) contents->ids.push_back(id + shift);
    return contents;
}

serving::Arrival TraceReader::take() {
    HEADROOM_CHECK(has_next_, "take() from a trace without a next request");
    serving::Arrival arrival = std::move(next_);
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
    if (options.require_contents && !file->tells_contents()) {
        error = file->where() + "rows that do not say what their tokens are (format " +
                file->format_name() +
                "); expected hash_ids: those of mooncake, or that column in a csv";
        return nullptr;
    }
    std::unique_ptr<TraceReader> reader(new TraceReader(std::move(file), options, *scale));
    if (!reader->error().empty()) {
        error = reader->error();
        return nullptr;
    }
    if (!reader->peek()) {
        const bool cut = options.window || options.start > Duration::zero();
        error = path + (cut ? ": no requests within start and window" : ": no requests");
        return nullptr;
    }
    return reader;
}

}  // namespace headroom::traces
