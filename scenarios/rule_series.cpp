#include "scenarios/rule_series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "scenarios/quantities.hpp"
#include "sim/core/time.hpp"

namespace headroom::scenarios {

namespace {

using Samples = std::vector<SeriesSample>;
using Kind = SeriesSample::Kind;

constexpr const char* kExpected =
    "expected values such as \"40x4 120x8\", \"40+10x5\", \"_x2\" and \"stale\"";

/// One token of a series, read from left to right.
class Token {
  public:
    Token(std::string_view text, Samples& out, std::string& error)
        : text_(text), out_(out), error_(error) {}

    bool expand() {
        if (text_ == "stale") return append(1, {Kind::stale, 0});
        std::string_view head = text_;
        std::size_t times = 0;
        const std::size_t x = text_.rfind('x');
        const bool repeats = x != std::string_view::npos;
        if (repeats) {
            head = text_.substr(0, x);
            if (!parse_times(text_.substr(x + 1), times)) return refuse();
        }
        if (head == "_") return append(repeats ? times : 1, {Kind::missing, 0});
        const std::size_t sign = head.find_first_of("+-", 1);
        if (sign == std::string_view::npos) return expand_ramp(head, {}, false, times);
        if (!repeats) return refuse();
        return expand_ramp(head.substr(0, sign), head.substr(sign + 1), head[sign] == '-', times);
    }

  private:
    bool refuse() {
        error_ = fmt::format("{}, found \"{}\"", kExpected, text_);
        return false;
    }
    static bool parse_times(std::string_view digits, std::size_t& times) {
        const char* end = digits.data() + digits.size();
        const auto parsed = std::from_chars(digits.data(), end, times);
        return !digits.empty() && parsed.ec == std::errc{} && parsed.ptr == end;
    }
    bool has_room(std::size_t count) {
        if (count <= kMostSamples - out_.size()) return true;
        error_ = fmt::format(
            "expected at most 1,000,000 values in all, found \"{}\", which "
            "makes more",
            text_);
        return false;
    }
    bool append(std::size_t count, SeriesSample sample) {
        if (!has_room(count)) return false;
        out_.insert(out_.end(), count, sample);
        return true;
    }
    /// first, first + step, ... : `further` steps.
    bool expand_ramp(std::string_view first, std::string_view step, bool falls,
                     std::size_t further) {
        const Parsed<std::int64_t> from = parse_quantity_milli(first);
        const Parsed<std::int64_t> by =
            step.empty() ? Parsed<std::int64_t>{0, {}} : parse_quantity_milli(step);
        if (!from || !by) return refuse();
        if (further >= kMostSamples || !has_room(further + 1)) return has_room(kMostSamples + 1);
        const Int128 change = falls ? -Int128{*by.value} : Int128{*by.value};
        const Int128 last = *from.value + change * static_cast<Int128>(further);
        if (last < 0 || last > std::numeric_limits<std::int64_t>::max()) {
            error_ = fmt::format("expected values that stay {}, found \"{}\"",
                                 last < 0 ? ">= 0" : "within 64 bits", text_);
            return false;
        }
        for (std::size_t i = 0; i <= further; ++i) {
            const Int128 value = *from.value + change * static_cast<Int128>(i);
            out_.push_back({Kind::value, static_cast<std::int64_t>(value)});
        }
        return true;
    }

    std::string_view text_;
    Samples& out_;
    std::string& error_;
};

}  // namespace

std::optional<Samples> parse_series(std::string_view text, std::string& error) {
    constexpr std::string_view kBlanks = " \t\n";
    Samples out;
    std::size_t at = 0;
    while ((at = text.find_first_not_of(kBlanks, at)) != std::string_view::npos) {
        const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
        if (!Token(text.substr(at, end - at), out, error).expand()) return std::nullopt;
        at = end;
    }
    if (!out.empty()) return out;
    error = fmt::format("{}, found none", kExpected);
    return std::nullopt;
}

}  // namespace headroom::scenarios
