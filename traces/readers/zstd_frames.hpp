/// ZstdFrameScanner follows the frames of a compressed zstd stream without decompressing it, so
/// that a file cut short is recognised: the stream is whole only where it ends between two frames.
/// (A streaming decompressor that runs out of input cannot tell the two apart by itself.)
///
///     ZstdFrameScanner scanner;
///     scanner.feed(bytes, count);      // in pieces of any size
///     if (!scanner.at_frame_end()) ... // the file ends inside a frame
///
/// O(blocks) and not O(bytes); constant memory. What is no zstd frame leaves the scanner inside a
/// frame for good; the decompressor reports such bytes as corrupt. Source: RFC 8878, section 3.1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace headroom::traces {

class ZstdFrameScanner {
  public:
    void feed(const char* bytes, std::size_t count);
    [[nodiscard]] bool at_frame_end() const { return part_ == Part::magic && have_ == 0; }

  private:
    enum class Part { magic, skippable_size, descriptor, block_header, skip, lost };

    void finish_part();
    void expect(Part part, std::uint64_t bytes_wanted);
    void after_skip();

    Part part_ = Part::magic;
    Part next_ = Part::magic;  ///< what follows a skip
    std::uint64_t want_ = 4;   ///< bytes of this part
    std::uint64_t have_ = 0;
    std::uint64_t value_ = 0;  ///< the part's bytes, little endian
    bool checksum_ = false;
};

}  // namespace headroom::traces
