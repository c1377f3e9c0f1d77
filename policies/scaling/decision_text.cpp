#include "policies/scaling/decision_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace headroom::policies {

std::string amount_text(std::int64_t milli) {
    std::string text = fmt::format("{}.{:03}", milli / 1000, milli % 1000);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
}

std::string hundredths_text(double value) {
    constexpr double kMost = 9e15;
    const std::int64_t hundredths = std::llround(std::clamp(value, 0.0, kMost) * 100.0);
    return fmt::format("{}.{:02}", hundredths / 100, hundredths % 100);
}

std::string tenths_text(double value) {
    constexpr double kMost = 9e15;
    return amount_text(std::llround(std::clamp(value, 0.0, kMost) * 10.0) * 100);
}

std::string span_text(Duration duration) {
    if (duration % Duration::seconds(1) == Duration::zero()) {
        return fmt::format("{} s", duration / Duration::seconds(1));
    }
    return fmt::format("{} s", duration.to_seconds());
}

}  // namespace headroom::policies
