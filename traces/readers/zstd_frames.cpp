#include "traces/readers/zstd_frames.hpp"

#include <algorithm>

namespace headroom::traces {

namespace {

constexpr std::uint64_t kFrameMagic = 0xfd2fb528U;
constexpr std::uint64_t kSkippableMagic = 0x184d2a50U;  ///< the low four bits are free
constexpr std::uint64_t kRawBlock = 0, kRleBlock = 1, kCompressedBlock = 2;

/// Bytes between the descriptor and the first block (RFC 8878, 3.1.1.1.1 to 3.1.1.1.4).
std::uint64_t header_rest(std::uint64_t descriptor) {
    constexpr std::uint64_t kDictionaryBytes[] = {0, 1, 2, 4};
    constexpr std::uint64_t kContentSizeBytes[] = {0, 2, 4, 8};
    const bool single_segment = (descriptor >> 5 & 1U) != 0;
    const std::uint64_t content_flag = descriptor >> 6 & 3U;
    const std::uint64_t content_size =
        content_flag == 0 && single_segment ? 1 : kContentSizeBytes[content_flag];
    return (single_segment ? 0 : 1) + kDictionaryBytes[descriptor & 3U] + content_size;
}

}  // namespace

void ZstdFrameScanner::feed(const char* bytes, std::size_t count) {
    std::size_t at = 0;
    while (at < count && part_ != Part::lost) {
        if (part_ == Part::skip) {
            const std::uint64_t take = std::min<std::uint64_t>(want_ - have_, count - at);
            have_ += take;
            at += static_cast<std::size_t>(take);
        } else {
            value_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at++]))
                      << (8 * have_++);
        }
        if (have_ == want_) finish_part();
    }
}

/// A part of no bytes is finished at once.
void ZstdFrameScanner::expect(Part part, std::uint64_t bytes_wanted) {
    part_ = part;
    want_ = bytes_wanted;
    have_ = 0;
    value_ = 0;
    if (want_ == 0) after_skip();
}

void ZstdFrameScanner::after_skip() {
    expect(next_, next_ == Part::block_header ? 3 : 4);
}

void ZstdFrameScanner::finish_part() {
    switch (part_) {
        case Part::magic:
            if (value_ == kFrameMagic) {
                expect(Part::descriptor, 1);
            } else if ((value_ & ~0xfULL) == kSkippableMagic) {
                expect(Part::skippable_size, 4);
            } else {
                part_ = Part::lost;
            }
            break;
        case Part::skippable_size:
            next_ = Part::magic;
            expect(Part::skip, value_);
            break;
        case Part::descriptor:
            checksum_ = (value_ >> 2 & 1U) != 0;
            next_ = Part::block_header;
            expect(Part::skip, header_rest(value_));
            break;
        case Part::block_header: {
            const bool last = (value_ & 1U) != 0;
            const std::uint64_t type = value_ >> 1 & 3U;
            if (type != kRawBlock && type != kRleBlock && type != kCompressedBlock) {
                part_ = Part::lost;
                break;
            }
            const std::uint64_t size = type == kRleBlock ? 1 : value_ >> 3;
            next_ = last ? Part::magic : Part::block_header;
            expect(Part::skip, size + (last && checksum_ ? 4 : 0));
            break;
        }
        case Part::skip:
            after_skip();
            break;
        case Part::lost:
            break;
    }
}

}  // namespace headroom::traces
