/// The Azure LLM inference traces of 2023 (and of 2024, which differ in the time's "+00:00"):
/// "TIMESTAMP,ContextTokens,GeneratedTokens", times "YYYY-MM-DD HH:MM:SS[.fraction]" in UTC with up
/// to twelve digits of fraction. The first request is time 0.
/// Source: github.com/Azure/AzurePublicDataset, AzureLLMInferenceDataset2023.md.

#include <cstddef>

#include "sim/core/civil_time.hpp"
#include "traces/readers/trace_format.hpp"

namespace headroom::traces {

namespace {

bool read_digits(std::string_view text, std::size_t at, std::size_t count, std::int64_t& value) {
    value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    return true;
}

bool parse_timestamp(std::string_view text, Int128& ps) {
    constexpr std::string_view kShape = "YYYY-MM-DD HH:MM:SS";
    if (text.size() >= 6 && text.substr(text.size() - 6) == "+00:00") text.remove_suffix(6);
    if (!text.empty() && text.back() == 'Z') text.remove_suffix(1);
    if (text.size() < kShape.size() || text[4] != '-' || text[7] != '-' ||
        (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':') {
        return false;
    }
    std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (!read_digits(text, 0, 4, year) || !read_digits(text, 5, 2, month) ||
        !read_digits(text, 8, 2, day) || !read_digits(text, 11, 2, hour) ||
        !read_digits(text, 14, 2, minute) || !read_digits(text, 17, 2, second)) {
        return false;
    }
    if (year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, static_cast<int>(month)) || hour > 23 || minute > 59 ||
        second > 60) {
        return false;
    }
    std::int64_t fraction_ps = 0;
    if (text.size() > kShape.size()) {
        constexpr std::size_t kMostDigits = 12;
        const std::size_t digits = text.size() - kShape.size() - 1;
        if (text[kShape.size()] != '.' || digits < 1 || digits > kMostDigits) return false;
        if (!read_digits(text, kShape.size() + 1, digits, fraction_ps)) return false;
        for (std::size_t i = digits; i < kMostDigits; ++i) fraction_ps *= 10;
    }
    const CivilDate date{year, static_cast<int>(month), static_cast<int>(day)};
    const std::int64_t seconds =
        days_from_civil(date) * kSecondsPerDay + hour * 3'600 + minute * 60 + second;
    ps = static_cast<Int128>(seconds) * Duration::kPerSecond + fraction_ps;
    return true;
}

}  // namespace

class AzureLlm final : public TraceFormat {
  public:
    AzureLlm(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }

    [[nodiscard]] bool recognises(std::string_view first_line) const override {
        return first_line == kHeader;
    }
    [[nodiscard]] bool has_header() const override { return true; }
    [[nodiscard]] bool starts_at_first_row() const override { return true; }
    [[nodiscard]] bool start(std::string_view first_line, std::string& message) override {
        if (recognises(first_line)) return true;
        message = "the header is " + quoted(first_line) + "; expected " + quoted(kHeader);
        return false;
    }
    [[nodiscard]] bool parse(std::string_view line, TraceRow& row, std::string& message) override {
        split_csv(line, fields_);
        if (fields_.size() != 3) {
            message = "found " + std::to_string(fields_.size()) + " fields in " + quoted(line) +
                      "; expected 3: " + std::string(kHeader);
            return false;
        }
        if (!parse_timestamp(fields_[0], row.time_ps)) {
            message = "TIMESTAMP is " + quoted(fields_[0]) +
                      "; expected YYYY-MM-DD HH:MM:SS.fffffff in UTC";
            return false;
        }
        return parse_tokens(fields_[1], "ContextTokens", row.prompt, message) &&
               parse_tokens(fields_[2], "GeneratedTokens", row.output, message);
    }

  private:
    static constexpr std::string_view kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens";
    std::vector<std::string_view> fields_;
};

REGISTER_POLICY(TraceFormat, AzureLlm, "azure-llm",
                "Azure LLM inference traces: TIMESTAMP,ContextTokens,GeneratedTokens");

}  // namespace headroom::traces
