#include <boost/iostreams/categories.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ios>
#include <utility>

#include "traces/readers/line_reader.hpp"
#include "traces/readers/zstd_frames.hpp"

namespace headroom::traces {

namespace {

namespace io = boost::iostreams;

struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

class PlainBytes final : public ByteSource {
  public:
    explicit PlainBytes(File file) : file_(std::move(file)) {}
    std::size_t read(char* to, std::size_t size) override {
        const std::size_t got = std::fread(to, 1, size, file_.get());
        if (got == 0 && std::ferror(file_.get()) != 0) {
            error_ = std::string("cannot read: ") + std::strerror(errno);
        }
        return got;
    }

  private:
    File file_;
};

/// The compressed bytes as Boost.Iostreams reads them, watched on their way.
struct CompressedFile {
    File file;
    ZstdFrameScanner frames;
    bool ended = false;
    std::string read_error;
};

struct WatchedDevice {
    using char_type = char;
    using category = io::source_tag;
    CompressedFile* from;

    std::streamsize read(char* to, std::streamsize size) {
        const std::size_t got = std::fread(to, 1, static_cast<std::size_t>(size), from->file.get());
        if (got == 0) {
            from->ended = true;
            if (std::ferror(from->file.get()) != 0) {
                from->read_error = std::string("cannot read: ") + std::strerror(errno);
            }
            return -1;
        }
        from->frames.feed(to, got);
        return static_cast<std::streamsize>(got);
    }
};

enum class Compression { none, gzip, zstd };

class CompressedBytes final : public ByteSource {
  public:
    CompressedBytes(File file, Compression compression) : compression_(compression) {
        compressed_.file = std::move(file);
        constexpr std::streamsize kChunk = 1 << 16;
        if (compression == Compression::gzip) {
            chain_.push(io::gzip_decompressor(io::gzip::default_window_bits, kChunk), kChunk);
        } else {
            chain_.push(io::zstd_decompressor(kChunk), kChunk);
        }
        chain_.push(WatchedDevice{&compressed_}, kChunk);
    }

    std::size_t read(char* to, std::size_t size) override {
        if (done_) return 0;
        std::size_t got = 0;
        try {
            got = static_cast<std::size_t>(chain_.sgetn(to, static_cast<std::streamsize>(size)));
        } catch (const std::ios_base::failure&) {
            done_ = true;
            error_ = damage(compressed_.ended);
            return 0;
        }
        if (got > 0) return got;
        done_ = true;
        if (!compressed_.read_error.empty()) {
            error_ = compressed_.read_error;
        } else if (compression_ == Compression::zstd && !compressed_.frames.at_frame_end()) {
            error_ = damage(true);
        }
        return 0;
    }

  private:
    /// A decoder that fails when there is no more input lacked some; otherwise what it read is
    /// wrong.
    [[nodiscard]] std::string damage(bool out_of_input) const {
        const std::string kind = compression_ == Compression::gzip ? "gzip" : "zstd";
        return out_of_input
                   ? "truncated or corrupt " + kind + " file: it ends inside the compressed data"
                   : "corrupt " + kind + " file: its data cannot be decompressed";
    }

    Compression compression_;
    CompressedFile compressed_;
    io::filtering_streambuf<io::input> chain_;
    bool done_ = false;
};

Compression detect(std::FILE* file) {
    unsigned char magic[4] = {};
    const std::size_t got = std::fread(magic, 1, sizeof magic, file);
    std::rewind(file);
    if (got >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) return Compression::gzip;
    const bool frame = magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd;
    const bool skippable =
        (magic[0] & 0xf0U) == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d && magic[3] == 0x18;
    return got == 4 && (frame || skippable) ? Compression::zstd : Compression::none;
}

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::string& path, std::string& error) {
    File file(std::fopen(path.c_str(), "rb"));
    if (file == nullptr) {
        error = path + ": cannot open: " + std::strerror(errno);
        return nullptr;
    }
    if (std::fgetc(file.get()) == EOF && std::ferror(file.get()) != 0) {
        error = path + ": cannot read: " + std::strerror(errno);
        return nullptr;
    }
    if (std::fseek(file.get(), 0, SEEK_SET) != 0) {
        error = path + ": cannot be read from its start again: a pipe; expected a file";
        return nullptr;
    }
    const Compression compression = detect(file.get());
    if (compression == Compression::none) return std::make_unique<PlainBytes>(std::move(file));
    return std::make_unique<CompressedBytes>(std::move(file), compression);
}

}  // namespace headroom::traces
