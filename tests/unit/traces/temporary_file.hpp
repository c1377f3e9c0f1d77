/// A file that lives as long as a test case: plain, or compressed with Boost.Iostreams.
#pragma once

#include <unistd.h>

#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_stream.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace headroom::traces {

class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& content, const std::string& name = "trace.csv") {
        static int count = 0;
        directory_ =
            std::filesystem::temp_directory_path() /
            ("headroom-traces-" + std::to_string(getpid()) + "-" + std::to_string(++count));
        std::filesystem::create_directories(directory_);
        path_ = directory_ / name;
        std::ofstream(path_, std::ios::binary) << content;
    }
    ~TemporaryFile() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    [[nodiscard]] std::string path() const { return path_.string(); }

  private:
    std::filesystem::path directory_;
    std::filesystem::path path_;
};

template <class Compressor>
std::string compressed(const std::string& content, Compressor compressor) {
    std::ostringstream out;
    {
        boost::iostreams::filtering_ostream chain;
        chain.push(compressor);
        chain.push(out);
        chain << content;
    }
    return out.str();
}
inline std::string gzipped(const std::string& content) {
    return compressed(content, boost::iostreams::gzip_compressor());
}
inline std::string zstandard(const std::string& content) {
    return compressed(content, boost::iostreams::zstd_compressor());
}

/// Rows enough that compressed files have several blocks; the numbers do not compress well.
inline std::string many_rows(int count) {
    std::string text = "arrival_s,prompt_tokens,output_tokens\n";
    unsigned state = 12345;
    for (int i = 0; i < count; ++i) {
        state = state * 1664525U + 1013904223U;
        text += std::to_string(i) + "." + std::to_string(state >> 16) + "," +
                std::to_string(1 + (state >> 20)) + "," + std::to_string(1 + (state >> 24)) + "\n";
    }
    return text;
}

}  // namespace headroom::traces
