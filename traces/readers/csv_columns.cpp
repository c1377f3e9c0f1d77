/// A plain CSV with named columns in any order: arrival_s (or arrived_at), prompt_tokens (or
/// num_prefill_tokens), output_tokens (or num_decode_tokens), the second names being those of
/// Vidur's processed traces; priority, tenant, session and adapter where wanted; other columns are
/// ignored. Times count from 0 in decimal seconds.
///
/// What the tokens are: hash_ids lists ids and ranges a-b of them, separated by blanks. Each names
/// `tokens_per_id` tokens (a column of its own; 16 where it is missing or empty) of the prompt and
/// the output that follows it. The ids speak for the first `covered_tokens` (likewise) of these, or
/// for all where that is not given, and there must be as many as that takes. An empty field: not
/// told.

#include <array>
#include <limits>

#include "sim/core/nearest_name.hpp"
#include "traces/readers/hash_ids.hpp"
#include "traces/readers/trace_format.hpp"

namespace headroom::traces {

namespace {

enum Column : std::size_t {
    kArrival,
    kPrompt,
    kOutput,
    kPriority,
    kTenant,
    kSession,
    kAdapter,
    kHashIds,
    kTokensPerId,
    kCovered,
};
constexpr std::size_t kColumns = 10;
constexpr std::size_t kNeeded = 3;

struct ColumnName {
    std::string_view name;
    Column column;
};
constexpr ColumnName kNames[] = {
    {"arrival_s", kArrival},         {"arrived_at", kArrival},   {"prompt_tokens", kPrompt},
    {"num_prefill_tokens", kPrompt}, {"output_tokens", kOutput}, {"num_decode_tokens", kOutput},
    {"priority", kPriority},         {"tenant", kTenant},        {"session", kSession},
    {"adapter", kAdapter},           {"hash_ids", kHashIds},     {"tokens_per_id", kTokensPerId},
    {"covered_tokens", kCovered},
};
constexpr std::size_t kAbsent = std::numeric_limits<std::size_t>::max();

std::string names_of(Column column) {
    std::string text;
    for (const ColumnName& known : kNames) {
        if (known.column != column) continue;
        if (!text.empty()) text += " or ";
        text += known.name;
    }
    return text;
}

}  // namespace

class CsvColumns final : public TraceFormat {
  public:
    CsvColumns(const Parameters&, const PolicyContext&) { at_.fill(kAbsent); }
    static ParameterSpecs parameter_specs() { return {}; }

    [[nodiscard]] bool recognises(std::string_view first_line) const override {
        CsvColumns probe{{}, {}};
        std::string message;
        return probe.start(first_line, message);
    }
    [[nodiscard]] bool has_header() const override { return true; }
    [[nodiscard]] bool starts_at_first_row() const override { return false; }
    [[nodiscard]] bool tells_contents() const override { return at_[kHashIds] != kAbsent; }

    [[nodiscard]] bool start(std::string_view first_line, std::string& message) override {
        split_csv(first_line, fields_);
        for (std::size_t i = 0; i < fields_.size(); ++i) {
            for (const ColumnName& known : kNames) {
                if (known.name != fields_[i]) continue;
                if (at_[known.column] != kAbsent) {
                    message = "two columns mean " + names_of(known.column) + "; expected one";
                    return false;
                }
                at_[known.column] = i;
                name_[known.column] = known.name;
                last_ = std::max(last_, i);
            }
        }
        column_count_ = fields_.size();
        for (std::size_t column = 0; column < kNeeded; ++column) {
            if (at_[column] != kAbsent) continue;
            message = missing_columns(first_line);
            return false;
        }
        for (const Column column : {kTokensPerId, kCovered}) {
            if (at_[column] == kAbsent || tells_contents()) continue;
            message = "found the column " + std::string(name_[column]) +
                      " without hash_ids; expected both or none";
            return false;
        }
        return true;
    }

    [[nodiscard]] bool parse(std::string_view line, TraceRow& row, std::string& message) override {
        split_csv(line, fields_);
        // Columns that nobody reads may be missing at the end. A field too many may have moved
        // some: "0,5,..." for 0.5 s, "1,024" tokens.
        if (fields_.size() <= last_ || fields_.size() > column_count_) {
            message = "found " + std::to_string(fields_.size()) + " fields in " + quoted(line) +
                      "; expected " + std::to_string(column_count_);
            return false;
        }
        const std::string_view arrival = fields_[at_[kArrival]];
        std::int64_t ps = 0;
        const NumberProblem problem = parse_seconds(arrival, ps);
        if (problem != NumberProblem::none) {
            message = number_message(name_[kArrival], arrival, problem,
                                     "seconds from 0 to 8640000 (100 days)");
            return false;
        }
        row.time_ps = ps;
        return parse_tokens(fields_[at_[kPrompt]], name_[kPrompt], row.prompt, message) &&
               parse_tokens(fields_[at_[kOutput]], name_[kOutput], row.output, message) &&
               parse_attributes(row.attributes, message) &&
               (at_[kHashIds] == kAbsent || parse_contents(row, message));
    }

  private:
    [[nodiscard]] std::string missing_columns(std::string_view header) const {
        std::string message = "found the columns " + quoted(header) + "; expected ";
        std::vector<std::string> missing;
        for (std::size_t column = 0; column < kNeeded; ++column) {
            message += (column == 0             ? ""
                        : column + 1 == kNeeded ? " and "
                                                : ", ") +
                       names_of(static_cast<Column>(column));
        }
        for (const ColumnName& known : kNames) {
            if (known.column < kNeeded && at_[known.column] == kAbsent) {
                missing.emplace_back(known.name);
            }
        }
        std::size_t told = 0;
        for (const std::string_view field : fields_) {
            bool is_known = false;
            for (const ColumnName& known : kNames) is_known = is_known || known.name == field;
            if (is_known) continue;
            const std::string near = nearest_name(field, missing);
            if (near.empty()) continue;
            message += "; the nearest to " + quoted(field) + " is " + near;
            if (++told == missing.size()) break;
        }
        message += ". Other formats:";
        for (const auto& [name, entry] : Registry<TraceFormat>::instance().entries()) {
            if (name != "csv") message += " " + name + " (" + entry.help + ")";
        }
        return message;
    }

    /// An empty field of an optional column leaves the default.
    [[nodiscard]] bool parse_attribute(Column column, std::int64_t limit, std::int64_t& value,
                                       std::string& message) const {
        if (at_[column] == kAbsent || at_[column] >= fields_.size()) return true;
        std::string_view text = fields_[at_[column]];
        if (text.empty()) return true;
        // Only a priority may be below 0.
        const bool negative = column == kPriority && text[0] == '-';
        const NumberProblem problem = parse_whole(text.substr(negative ? 1 : 0), limit, value);
        if (problem != NumberProblem::none) {
            message = number_message(name_[column], text, problem,
                                     "a whole number up to " + std::to_string(limit));
            return false;
        }
        if (negative) value = -value;
        return true;
    }

    [[nodiscard]] bool parse_attributes(serving::RequestAttributes& attributes,
                                        std::string& message) const {
        std::int64_t priority = 0, tenant = 0, session = 0, adapter = 0;
        if (!parse_attribute(kPriority, std::numeric_limits<std::int32_t>::max(), priority,
                             message) ||
            !parse_attribute(kTenant, std::numeric_limits<std::uint32_t>::max(), tenant, message) ||
            !parse_attribute(kSession, std::numeric_limits<std::uint32_t>::max(), session,
                             message) ||
            !parse_attribute(kAdapter, std::numeric_limits<std::uint16_t>::max(), adapter,
                             message)) {
            return false;
        }
        attributes = {static_cast<std::int32_t>(priority), static_cast<std::uint32_t>(tenant),
                      static_cast<std::uint32_t>(session), static_cast<std::uint16_t>(adapter)};
        return true;
    }

    [[nodiscard]] bool parse_contents(TraceRow& row, std::string& message) const {
        const std::int64_t tokens = row.prompt + row.output;
        std::int64_t tokens_per_id = 16, covered = tokens;
        if (!parse_attribute(kTokensPerId, kMaxTokens, tokens_per_id, message) ||
            !parse_attribute(kCovered, kMaxTokens * 2, covered, message) ||
            !parse_hash_ids(fields_[at_[kHashIds]], row.ids, message)) {
            return false;
        }
        if (row.ids.empty()) return true;
        if (tokens_per_id < 1) {
            message = "tokens_per_id is 0; expected at least 1";
            return false;
        }
        if (covered > tokens) {
            message = "covered_tokens is " + std::to_string(covered) +
                      "; expected at most those of prompt and output, " + std::to_string(tokens);
            return false;
        }
        const std::int64_t expected = pieces_of(covered, tokens_per_id);
        if (static_cast<std::int64_t>(row.ids.size()) != expected) {
            message =
                wrong_count(row.ids.size(), expected, tokens_per_id,
                            covered < tokens ? "covered_tokens" : "prompt and output", covered);
            return false;
        }
        row.tokens_per_id = tokens_per_id;
        row.covered = covered;
        return true;
    }

    std::array<std::size_t, kColumns> at_{};
    std::array<std::string_view, kColumns> name_{};
    std::size_t last_ = 0;
    std::size_t column_count_ = 0;
    std::vector<std::string_view> fields_;
};

REGISTER_POLICY(TraceFormat, CsvColumns, "csv",
                "columns by name: arrival_s, prompt_tokens, output_tokens, optional priority, "
                "tenant, session, adapter, hash_ids");

}  // namespace headroom::traces
