#include "traces/readers/line_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace headroom::traces {

namespace {
constexpr std::size_t kBufferSize = std::size_t{1} << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
}  // namespace

LineReader::LineReader(std::string path, std::unique_ptr<ByteSource> bytes)
    : path_(std::move(path)), bytes_(std::move(bytes)), buffer_(kBufferSize) {}

std::unique_ptr<LineReader> LineReader::open(const std::string& path, std::string& error) {
    std::unique_ptr<ByteSource> bytes = open_bytes(path, error);
    if (bytes == nullptr) return nullptr;
    return std::unique_ptr<LineReader>(new LineReader(path, std::move(bytes)));
}

/// Moves what is left to the front and reads more behind it. False when nothing came.
bool LineReader::fill() {
    if (begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == buffer_.size()) {
        if (buffer_.size() >= kMaxLine) {
            error_ = path_ + ":" + std::to_string(line_number_ + 1) +
                     ": a line longer than 64 MiB; expected a text file of one request a line";
            return false;
        }
        buffer_.resize(buffer_.size() * 2);
    }
    const std::size_t got = bytes_->read(buffer_.data() + end_, buffer_.size() - end_);
    end_ += got;
    if (got > 0) return true;
    at_end_ = true;
    if (!bytes_->error().empty()) error_ = path_ + ": " + bytes_->error();
    return false;
}

bool LineReader::next(std::string_view& line) {
    if (!error_.empty()) return false;
    std::size_t searched = 0;
    for (;;) {
        const std::size_t from = begin_ + searched;
        const void* found =
            end_ > from ? std::memchr(buffer_.data() + from, '\n', end_ - from) : nullptr;
        if (found != nullptr) {
            const auto at =
                static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
            line = {buffer_.data() + begin_, at - begin_};
            begin_ = at + 1;
            break;
        }
        searched = end_ - begin_;
        if (!at_end_ && fill()) continue;
        if (!error_.empty() || begin_ == end_) return false;
        line = {buffer_.data() + begin_, end_ - begin_};
        begin_ = end_;
        break;
    }
    if (++line_number_ == 1 && line.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
        line.remove_prefix(kByteOrderMark.size());
    }
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return true;
}

}  // namespace headroom::traces
