/// The Mooncake traces: one JSON object a line, {"timestamp": ms, "input_length": tokens,
/// "output_length": tokens, "hash_ids": [...]}. Times count from 0 in whole milliseconds (they come
/// in ticks of 3 s). Each id names 512 tokens of the prompt, the last one what is left of it, so
/// there are ceil(input_length / 512); nothing is known of the output, and the contents therefore
/// cover the prompt only. A line without the list (or with null) is a request whose tokens are not
/// told. Source: github.com/kvcache-ai/Mooncake, FAST25-release/traces.

#include <cmath>
#include <nlohmann/json.hpp>

#include "traces/readers/hash_ids.hpp"
#include "traces/readers/trace_format.hpp"

namespace headroom::traces {

namespace {

using Json = nlohmann::json;

/// Takes the three numbers and the ids of a line as they pass; no document is built, so the (long)
/// lists cost no allocation.
class LineSax final : public nlohmann::json_sax<Json> {
  public:
    enum Field : int { kTimestamp, kInput, kOutput, kHashIds, kOther };
    struct Number {
        bool seen = false;
        bool whole = false;
        std::int64_t value = 0;
        std::string_view problem;
    };
    Number numbers[3];
    bool has_ids = false;
    std::string ids_problem;  ///< the first one
    std::string syntax_error;

    explicit LineSax(std::vector<std::uint64_t>& ids) : ids_(ids) {}

    bool null() override {
        if (depth_ == 1 && field_ == kHashIds) return true;
        return other("null");
    }
    bool boolean(bool) override { return other("a boolean"); }
    bool number_integer(number_integer_t value) override {
        if (!in_ids()) return whole(value, true);
        if (value < 0) return bad_id(std::to_string(value) + ", which is negative");
        ids_.push_back(static_cast<std::uint64_t>(value));
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (in_ids()) {
            ids_.push_back(value);
            return true;
        }
        return whole(static_cast<std::int64_t>(value),
                     value <= static_cast<number_unsigned_t>(INT64_MAX));
    }
    bool number_float(number_float_t value, const string_t& text) override {
        // 5.0 is whole; 2^53 is far above every limit here.
        const bool is_whole = std::trunc(value) == value && std::fabs(value) < 0x1p53;
        if (in_ids()) {
            if (value < 0) return bad_id(text + ", which is negative");
            if (!is_whole) {
                const bool too_large = std::trunc(value) == value;
                return bad_id(
                    text + (too_large ? ", which is too large" : ", which is not a whole number"));
            }
            ids_.push_back(static_cast<std::uint64_t>(value));
            return true;
        }
        if (is_whole) return whole(static_cast<std::int64_t>(value), true);
        return other(depth_ == 0 ? "a number" : "not a whole number");
    }
    bool string(string_t&) override { return other("a string"); }
    bool binary(binary_t&) override { return other("binary"); }
    bool start_object(std::size_t) override { return open("an object"); }
    bool end_object() override {
        --depth_;
        return true;
    }
    bool start_array(std::size_t) override {
        if (depth_ != 1 || field_ != kHashIds) return open("an array");
        ids_.clear();
        has_ids = ids_open_ = true;
        ++depth_;
        return true;
    }
    bool end_array() override {
        if (--depth_ == 1) ids_open_ = false;
        return true;
    }
    bool key(string_t& name) override {
        if (depth_ != 1) return true;
        field_ = name == "timestamp"       ? kTimestamp
                 : name == "input_length"  ? kInput
                 : name == "output_length" ? kOutput
                 : name == "hash_ids"      ? kHashIds
                                           : kOther;
        return true;
    }
    bool parse_error(std::size_t at, const std::string&, const Json::exception&) override {
        syntax_error = "no JSON object (a mistake at character " + std::to_string(at) + ")";
        return false;
    }

  private:
    /// Whether the next number is an entry of the list.
    [[nodiscard]] bool in_ids() const { return ids_open_ && depth_ == 2; }
    bool bad_id(const std::string& what) {
        if (ids_problem.empty()) {
            ids_problem = "hash_ids[" + std::to_string(ids_.size()) + "] is " + what;
        }
        return true;
    }
    bool open(std::string_view what) {
        if (depth_ == 0 && what != "an object") {
            syntax_error = "no JSON object but " + std::string(what);
            return false;
        }
        const bool go_on = depth_ == 0 || other(what);
        ++depth_;
        return go_on;
    }
    bool other(std::string_view what) {
        if (depth_ == 0) {
            syntax_error = "no JSON object but " + std::string(what);
            return false;
        }
        if (in_ids()) return bad_id(std::string(what));
        if (depth_ != 1 || field_ == kOther) return true;
        if (field_ != kHashIds) {
            numbers[field_] = {true, false, 0, what};
        } else if (ids_problem.empty()) {
            ids_problem = "hash_ids is " + std::string(what);
        }
        return true;
    }
    bool whole(std::int64_t value, bool fits) {
        if (depth_ == 0 || (depth_ == 1 && field_ == kHashIds)) return other("a number");
        if (depth_ == 1 && field_ != kOther) {
            numbers[field_] = {true, fits, value, fits ? "" : "too large"};
        }
        return true;
    }

    std::vector<std::uint64_t>& ids_;
    bool ids_open_ = false;
    int depth_ = 0;
    Field field_ = kOther;
};

}  // namespace

class Mooncake final : public TraceFormat {
  public:
    Mooncake(const Parameters&, const PolicyContext&) {}
    static ParameterSpecs parameter_specs() { return {}; }

    [[nodiscard]] bool recognises(std::string_view first_line) const override {
        const std::size_t first = first_line.find_first_not_of(" \t");
        return first != std::string_view::npos && first_line[first] == '{';
    }
    [[nodiscard]] bool has_header() const override { return false; }
    [[nodiscard]] bool starts_at_first_row() const override { return false; }
    [[nodiscard]] bool tells_contents() const override { return true; }
    [[nodiscard]] bool start(std::string_view, std::string&) override { return true; }

    [[nodiscard]] bool parse(std::string_view line, TraceRow& row, std::string& message) override {
        LineSax sax(row.ids);
        if (!Json::sax_parse(line.begin(), line.end(), &sax)) {
            message = "found " + sax.syntax_error + " in " + quoted(line) +
                      "; expected {\"timestamp\": ms, \"input_length\": n, \"output_length\": n}";
            return false;
        }
        std::int64_t milliseconds = 0;
        constexpr std::int64_t kMostMs = Time::horizon_limit().ps() / 1'000'000'000;
        if (!take(sax.numbers[LineSax::kTimestamp], "timestamp", kMostMs,
                  "whole milliseconds from 0 to 8640000000 (100 days)", milliseconds, message) ||
            !take(sax.numbers[LineSax::kInput], "input_length", kMaxTokens,
                  "a whole number of tokens, at most 1000000000", row.prompt, message) ||
            !take(sax.numbers[LineSax::kOutput], "output_length", kMaxTokens,
                  "a whole number of tokens, at most 1000000000", row.output, message)) {
            return false;
        }
        row.time_ps = static_cast<Int128>(milliseconds) * 1'000'000'000;
        return take_ids(sax, row, message);
    }

  private:
    static constexpr std::int64_t kTokensPerId = 512;

    static bool take_ids(const LineSax& sax, TraceRow& row, std::string& message) {
        if (!sax.ids_problem.empty()) {
            message = sax.ids_problem +
                      "; expected a list of whole numbers, one for every 512 tokens of the prompt";
            return false;
        }
        if (!sax.has_ids) return true;
        const std::int64_t expected = pieces_of(row.prompt, kTokensPerId);
        if (static_cast<std::int64_t>(row.ids.size()) != expected) {
            message = wrong_count(row.ids.size(), expected, kTokensPerId, "the prompt", row.prompt);
            return false;
        }
        row.tokens_per_id = kTokensPerId;
        row.covered = row.prompt;
        return true;
    }

    static bool take(const LineSax::Number& number, std::string_view name, std::int64_t limit,
                     std::string_view expected, std::int64_t& value, std::string& message) {
        value = number.value;
        if (number.seen && number.whole && value >= 0 && value <= limit) return true;
        message = std::string(name);
        if (!number.seen) {
            message += " is missing";
        } else if (!number.whole) {
            message += " is " + std::string(number.problem);
        } else {
            message += " is " + std::to_string(value);
            message += value < 0 ? ", which is negative" : ", which is too large";
        }
        message += "; expected " + std::string(expected);
        return false;
    }
};

REGISTER_POLICY(
    TraceFormat, Mooncake, "mooncake",
    "JSON lines {\"timestamp\": ms, \"input_length\": n, \"output_length\": n}, optional "
    "hash_ids");

}  // namespace headroom::traces
