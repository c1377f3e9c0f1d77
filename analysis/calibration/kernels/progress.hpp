/// Progress on stderr: how far, and how long it will still take by the pace so far. On a terminal
/// one line that is written over, elsewhere a line every ten seconds.
///
///     Progress progress("points", 1200);
///     progress.at(17, "gemm bf16 m=16 n=4096 k=4096");
#pragma once

#include <cstddef>
#include <string>

namespace headroom::kernels {

/// Seconds since the program began, on a clock that does not go back.
[[nodiscard]] double now_s();

class Progress {
  public:
    Progress(std::string what, std::size_t total);
    ~Progress();  ///< clears the line
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void at(std::size_t done, const std::string& doing);
    void note(const std::string& line);  ///< a line that stays, at once

  private:
    std::string what_;
    std::size_t total_;
    bool terminal_;
    double begin_s_;
    double next_s_;
};

}  // namespace headroom::kernels
