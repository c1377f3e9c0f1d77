#include "traces/readers/trace_file.hpp"

#include <utility>

#include "sim/core/hash.hpp"

namespace headroom::traces {

std::unique_ptr<TraceFile> TraceFile::open(const std::string& path, const std::string& format,
                                           std::string& error) {
    std::unique_ptr<TraceFile> file(new TraceFile);
    file->lines_ = LineReader::open(path, error);
    if (file->lines_ == nullptr) return nullptr;
    std::string_view line;
    do {
        if (!file->lines_->next(line)) {
            error = file->lines_->error().empty() ? path + ": no requests (the file is empty)"
                                                  : file->lines_->error();
            return nullptr;
        }
    } while (line.empty());
    std::string message;
    file->format_ = choose_format(format, line, file->format_name_, message);
    if (file->format_ == nullptr) {
        error = path + ": " + message;
        return nullptr;
    }
    if (!file->format_->start(line, message)) {
        error = file->where() + message;
        return nullptr;
    }
    if (!file->format_->has_header()) {
        file->first_line_ = std::string(line);
        file->first_line_is_row_ = true;
    }
    return file;
}

std::string TraceFile::where() const {
    return path() + ":" + std::to_string(lines_->line_number()) + ": ";
}

TraceFile::Status TraceFile::next(TraceRow& row, std::string& message) {
    std::string_view line;
    if (first_line_is_row_) {
        first_line_is_row_ = false;
        line = first_line_;
    } else {
        do {
            if (!lines_->next(line)) {
                if (lines_->error().empty()) return Status::end;
                message = lines_->error();
                return Status::failed;
            }
        } while (line.empty());
    }
    if (!first_row_read_) {
        first_row_read_ = true;
        fingerprint_ = hash_name(line);
    }
    row.clear();
    if (format_->parse(line, row, message) && check(row, message)) return Status::row;
    message.insert(0, where());
    return Status::bad_row;
}

bool TraceFile::check(TraceRow& row, std::string& message) {
    if (row.prompt < 1) {
        message = "a prompt of 0 tokens; expected at least 1";
        return false;
    }
    if (!origin_known_) {
        origin_known_ = true;
        if (format_->starts_at_first_row()) origin_ps_ = row.time_ps;
    }
    const Int128 since_origin = row.time_ps - origin_ps_;
    if (since_origin < previous_ps_) {
        message = previous_line_ == 0
                      ? std::string("an arrival before the first one; expected times in order")
                      : "an arrival earlier than " + seconds_text(previous_ps_) +
                            " s, the one of line " + std::to_string(previous_line_) +
                            "; expected times in order";
        return false;
    }
    if (since_origin > Time::horizon_limit().ps()) {
        message = "an arrival more than 100 days after the start; expected at most 100 days";
        return false;
    }
    row.time_ps = since_origin;
    previous_ps_ = static_cast<std::int64_t>(since_origin);
    previous_line_ = lines_->line_number();
    if (row.output == 0) {
        row.output = 1;
        ++empty_outputs_;
    }
    return true;
}

}  // namespace headroom::traces
