/// StatusLine: one line of a terminal's standard error that says what is being done; nothing where
/// standard error is no terminal. At most ten changes a second, gone when the object goes.
///
///     StatusLine status(!given.has("quiet"));
///     status.show("1.50 times today's traffic: 3 of 5 runs");
#pragma once

#include <cstddef>
#include <string>

namespace headroom::analysis {

class StatusLine {
  public:
    explicit StatusLine(bool wanted);
    ~StatusLine();
    StatusLine(const StatusLine&) = delete;
    StatusLine& operator=(const StatusLine&) = delete;

    /// Whether show() would show anything now; a clock reading.
    [[nodiscard]] bool due() const;
    void show(const std::string& text);

  private:
    bool on_;
    bool shown_ = false;
    double next_s_ = 0;
};

/// "[##########--------------------]  33 %  ".
[[nodiscard]] std::string bar_text(double fraction);
/// As much as fits: the last column stays free, or some terminals go to the next line.
[[nodiscard]] std::string fit_line(std::string text, std::size_t width);

}  // namespace headroom::analysis
