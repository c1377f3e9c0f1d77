#include "traces/readers/line_reader.hpp"

#include <unistd.h>

#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/traces/temporary_file.hpp"
#include "traces/readers/zstd_frames.hpp"

namespace headroom::traces {
namespace {

struct Lines {
    std::vector<std::string> lines;
    std::string error;
};

Lines read_all(const std::string& path) {
    Lines all;
    const auto reader = LineReader::open(path, all.error);
    if (reader == nullptr) return all;
    std::string_view line;
    while (reader->next(line)) {
        all.lines.emplace_back(line);
        CHECK(reader->line_number() == static_cast<std::int64_t>(all.lines.size()));
    }
    all.error = reader->error();
    return all;
}

Lines read_text(const std::string& content) {
    return read_all(TemporaryFile(content).path());
}

using Texts = std::vector<std::string>;

TEST_CASE("LineReader: takes off line ends of both kinds and the byte order mark") {
    CHECK(read_text("a\nb\r\nc").lines == Texts{"a", "b", "c"});
    CHECK(read_text("a\n").lines == Texts{"a"});
    CHECK(read_text("\xef\xbb\xbf"
                    "a\n\xef\xbb\xbf")
              .lines == Texts{"a", "\xef\xbb\xbf"});
    CHECK(read_text("\n\na").lines == Texts{"", "", "a"});
    CHECK(read_text("").lines.empty());
}

TEST_CASE("LineReader: a line may be longer than the buffer") {
    const std::string longest(3'000'000, 'x');
    CHECK(read_text("a\n" + longest + "\nb\n").lines == Texts{"a", longest, "b"});
}

TEST_CASE("LineReader: reads gzip and zstd by their first bytes, whatever the name") {
    const std::string content = many_rows(200'000);  // several buffers
    const Lines plain = read_text(content);
    REQUIRE(plain.lines.size() == 200'001);
    CHECK(read_text(gzipped(content)).lines == plain.lines);
    CHECK(read_text(zstandard(content)).lines == plain.lines);
    CHECK(read_text(gzipped("a\nb") + gzipped("c\nd\n")).lines == Texts{"a", "bc", "d"});
    CHECK(read_text(zstandard("a\nb") + zstandard("c\nd\n")).lines == Texts{"a", "bc", "d"});
    CHECK(read_text(gzipped("")).error.empty());
    CHECK(read_text(zstandard("")).error.empty());
}

TEST_CASE("LineReader: a truncated compressed file is an error wherever it is cut") {
    const std::string content = many_rows(2'000);
    for (const std::string& whole : {gzipped(content), zstandard(content)}) {
        const std::size_t size = whole.size();
        std::vector<std::size_t> cuts = {5, 12, size / 3, size / 2};
        for (std::size_t less = 1; less < 40; ++less) {
            // Boost's zstd compressor ends with an empty frame of 9 bytes: without it all is whole.
            if (less != 9 || whole[0] == '\x1f') cuts.push_back(size - less);
        }
        for (const std::size_t kept : cuts) {
            const TemporaryFile file(whole.substr(0, kept));
            const std::string error = read_all(file.path()).error;
            CAPTURE(kept, size, error);
            CHECK(error.find(file.path() + ": truncated") == 0);
        }
    }
}

TEST_CASE("LineReader: a corrupt compressed file is an error that names the file") {
    const std::string content = many_rows(200'000);
    for (std::string bytes : {gzipped(content), zstandard(content)}) {
        for (std::size_t i = 0; i < 500; ++i)
            bytes[bytes.size() / 2 + i] = static_cast<char>(i * 7);
        const TemporaryFile file(bytes);
        const std::string error = read_all(file.path()).error;
        CHECK(error.find(file.path()) == 0);
        CHECK(error.find("corrupt") != std::string::npos);
    }
    // A wrong check sum alone, in gzip's footer.
    std::string bytes = gzipped("a\nb\n");
    bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);
    CHECK(read_text(bytes).error.find("corrupt") != std::string::npos);
}

TEST_CASE("LineReader: a file that is missing or a folder is an error") {
    CHECK(read_all("no-such-file.csv").error ==
          "no-such-file.csv: cannot open: No such file or directory");
    CHECK(read_all("/").error == "/: cannot read: Is a directory");
}

TEST_CASE("LineReader: a pipe is an error, for a file is read more than once") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(write(ends[1], "arrival_s\n", 10) == 10);
    const std::string path = "/dev/fd/" + std::to_string(ends[0]);
    CHECK(read_all(path).error ==
          path + ": cannot be read from its start again: a pipe; expected a file");
    close(ends[0]);
    close(ends[1]);
}

TEST_CASE("ZstdFrameScanner: knows the end of a frame for any cut into pieces") {
    const std::string frames = zstandard(many_rows(30'000)) + zstandard("b");
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, frames.size()}) {
        ZstdFrameScanner scanner;
        std::size_t at = 0;
        while (at < frames.size()) {
            const std::size_t n = std::min(piece, frames.size() - at);
            scanner.feed(frames.data() + at, n);
            at += n;
            if (at == frames.size() - 1) CHECK_FALSE(scanner.at_frame_end());
        }
        CHECK(scanner.at_frame_end());
    }
    // One raw block of one byte, its length in the header, a check sum behind it.
    const std::string checked(
        "\x28\xb5\x2f\xfd\x24\x01\x09\x00\x00"
        "a"
        "sum!",
        14);
    ZstdFrameScanner with_sum;
    with_sum.feed(checked.data(), 10);
    CHECK_FALSE(with_sum.at_frame_end());
    with_sum.feed(checked.data() + 10, 4);
    CHECK(with_sum.at_frame_end());
    ZstdFrameScanner skippable;
    skippable.feed(
        "\x53\x2a\x4d\x18\x02\x00\x00\x00"
        "x",
        9);
    CHECK_FALSE(skippable.at_frame_end());
    skippable.feed("y", 1);
    CHECK(skippable.at_frame_end());
}

}  // namespace
}  // namespace headroom::traces
