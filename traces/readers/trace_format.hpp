/// TraceFormat: how the lines of one kind of trace become requests. One class in one file of this
/// folder, registered by its last line; nothing else has to be touched:
///
///     class BurstGpt final : public TraceFormat { ... };
///     REGISTER_POLICY(TraceFormat, BurstGpt, "burst-gpt", "Timestamp,Session ID,...");
///
/// An object reads one file: recognises() looks at the first line, start() takes it over (a header
/// names the columns; a format without header parses it again as a row), parse() turns each further
/// line into a TraceRow. Errors are texts "found X; expected Y"; the caller puts file and line in
/// front. Order of detection: by name, except that `csv` is asked last; the formats' rules must not
/// overlap. parse() must be O(length) and must not allocate for a good row, once the row's buffers
/// have grown.
///
/// A format whose rows say what the tokens are fills ids, tokens_per_id and covered, by the rules
/// of serving::TokenContents, and says so by tells_contents().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/registry.hpp"
#include "sim/core/time.hpp"
#include "sim/serving/request.hpp"
#include "traces/readers/numbers.hpp"

namespace headroom::traces {

/// A row as the file has it, before any scaling.
struct TraceRow {
    Int128 time_ps = 0;  ///< since the format's own origin; calendar times do not fit 64 bits
    std::int64_t prompt = 0;
    std::int64_t output = 0;
    serving::RequestAttributes attributes;
    std::vector<std::uint64_t> ids;  ///< of the tokens, as in the file; empty: not told
    std::int64_t tokens_per_id = 0;
    std::int64_t covered = 0;

    /// As new, but for the memory.
    void clear() {
        time_ps = 0;
        prompt = output = tokens_per_id = covered = 0;
        attributes = {};
        ids.clear();
    }
};

class TraceFormat {
  public:
    static constexpr std::int64_t kMaxTokens = 1'000'000'000;

    virtual ~TraceFormat() = default;
    [[nodiscard]] virtual bool recognises(std::string_view first_line) const = 0;
    /// Whether the first line is a header, not a request.
    [[nodiscard]] virtual bool has_header() const = 0;
    /// Whether the first request's time is time 0 (calendar times) or times count from 0.
    [[nodiscard]] virtual bool starts_at_first_row() const = 0;
    /// After start(): whether rows of this file may say what their tokens are.
    [[nodiscard]] virtual bool tells_contents() const { return false; }
    [[nodiscard]] virtual bool start(std::string_view first_line, std::string& message) = 0;
    [[nodiscard]] virtual bool parse(std::string_view line, TraceRow& row,
                                     std::string& message) = 0;
};

/// The format of that name, or the one that recognises the first line when `name` is empty; null
/// with a message that says what was found, what is needed and the nearest valid name.
[[nodiscard]] std::unique_ptr<TraceFormat> choose_format(const std::string& name,
                                                         std::string_view first_line,
                                                         std::string& chosen, std::string& message);

/// The fields of a CSV line (RFC 4180 quotes are taken off, line breaks inside them are not
/// supported), without allocating once `fields` has grown; blanks around a field are dropped.
void split_csv(std::string_view line, std::vector<std::string_view>& fields);

/// "'abc'" with long or unprintable text cut, for messages.
[[nodiscard]] std::string quoted(std::string_view text);

/// Parses whole tokens, with a message "prompt_tokens is 'x'; expected a whole number from A to B".
[[nodiscard]] bool parse_tokens(std::string_view text, std::string_view name, std::int64_t& value,
                                std::string& message);
/// The message for a number that was refused.
[[nodiscard]] std::string number_message(std::string_view name, std::string_view text,
                                         NumberProblem problem, std::string_view expected);

}  // namespace headroom::traces
