#include "analysis/calibration/engine_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "sim/core/nearest_name.hpp"
#include "traces/readers/hash_ids.hpp"
#include "traces/readers/line_reader.hpp"
#include "traces/readers/trace_format.hpp"

namespace headroom::analysis {

namespace {

using nlohmann::json;

enum Field : std::size_t {
    kArrival,
    kPrompt,
    kOutput,
    kFirstToken,
    kFinish,
    kFirstTokenLatency,
    kOutcome,
    kId,
    kContents
};
constexpr std::size_t kFields = 9;
constexpr std::size_t kNeeded = 5;

struct FieldName {
    std::string_view name;
    Field field;
    bool engine_clock = false;  ///< not the clock of arrival_time
};
constexpr FieldName kNames[] = {
    {"arrival_s", kArrival},
    {"arrived_at", kArrival},
    {"arrival_time", kArrival},
    {"prompt_tokens", kPrompt},
    {"num_prefill_tokens", kPrompt},
    {"num_prompt_tokens", kPrompt},
    {"output_tokens", kOutput},
    {"num_decode_tokens", kOutput},
    {"num_generation_tokens", kOutput},
    {"first_token_s", kFirstToken},
    {"first_token_at", kFirstToken},
    {"first_token_time", kFirstToken},
    {"first_token_ts", kFirstToken, true},
    {"finish_s", kFinish},
    {"last_token_at", kFinish},
    {"last_token_time", kFinish},
    {"finished_time", kFinish},
    {"last_token_ts", kFinish, true},
    {"first_token_latency", kFirstTokenLatency},
    {"outcome", kOutcome},
    {"id", kId},
    {"prompt_hash_ids", kContents},
};
constexpr std::string_view kMeanings[kNeeded] = {"the arrival", "the prompt's tokens",
                                                 "the output's tokens", "the first token's time",
                                                 "the last token's time"};

const FieldName* known_name(std::string_view name) {
    for (const FieldName& known : kNames) {
        if (known.name == name) return &known;
    }
    return nullptr;
}

std::string names_of(std::size_t field) {
    std::string text;
    for (const FieldName& known : kNames) {
        if (known.field != field) continue;
        if (!text.empty()) text += ", ";
        text += known.name;
    }
    return text;
}

/// One field of one row, whatever the format.
struct Cell {
    const FieldName* name = nullptr;  ///< null: not in this row
    std::string text;                 ///< as written
    std::optional<double> number;
};
using Cells = std::array<Cell, kFields>;

/// A row in seconds of the log's own clocks.
struct Row {
    double arrival = 0;
    double first_token = 0;
    double finish = 0;
    LoggedRequest request;
};

class Reader {
  public:
    Reader(const std::string& path, scenarios::Diagnostics& diagnostics)
        : path_(path), diagnostics_(diagnostics) {}

    std::optional<EngineLog> read() {
        std::string error;
        lines_ = traces::LineReader::open(path_, error);
        if (lines_ == nullptr) {
            add(0, error);
            return finish();
        }
        std::string_view line;
        bool any = false;
        while (!broken_ && lines_->next(line)) {
            if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
            const bool first = !any;
            any = true;
            if (first) json_lines_ = line[line.find_first_not_of(" \t")] == '{';
            if (first && !json_lines_) {
                read_header(line);
            } else {
                json_lines_ ? read_json(line) : read_csv(line);
            }
        }
        if (!lines_->error().empty()) add(0, lines_->error());
        if (!any && lines_->error().empty()) add(0, path_ + ": no requests (the file is empty)");
        return finish();
    }

  private:
    [[nodiscard]] int line() const { return static_cast<int>(lines_->line_number()); }

    /// At line 0 the message names the file itself.
    void add(int at, std::string message) {
        ++mistakes_;
        if (mistakes_ > EngineLog::kMostMistakes) return;
        diagnostics_.push_back({{at == 0 ? "" : path_, at, 0}, "", std::move(message)});
    }

    // --- CSV ---

    void read_header(std::string_view header) {
        traces::split_csv(header, views_);
        std::vector<std::string> found(views_.begin(), views_.end());
        Cells cells;
        for (std::size_t i = 0; i < found.size(); ++i) {
            const FieldName* name = known_name(found[i]);
            columns_.push_back(nullptr);
            if (name == nullptr || !place(cells, *name)) continue;
            columns_.back() = name;
        }
        // Of last_token_time and finished_time the second to come may have displaced the first.
        for (const FieldName*& column : columns_) {
            if (column != nullptr && cells[column->field].name != column) column = nullptr;
        }
        broken_ = !complete(cells, found, "column") || mistakes_ > 0;
    }

    void read_csv(std::string_view text) {
        traces::split_csv(text, views_);
        if (views_.size() != columns_.size()) {
            add(line(), fmt::format("expected {} fields as in the header, found {}",
                                    columns_.size(), views_.size()));
            return;
        }
        Cells cells;
        for (std::size_t i = 0; i < views_.size(); ++i) {
            if (columns_[i] == nullptr) continue;
            Cell& cell = cells[columns_[i]->field];
            cell.name = columns_[i];
            cell.text = std::string(views_[i]);
            double value = 0;
            const char* const end = cell.text.data() + cell.text.size();
            const auto [stop, code] = std::from_chars(cell.text.data(), end, value);
            if (code == std::errc() && stop == end) cell.number = value;
        }
        take(cells);
    }

    // --- JSON lines ---

    void read_json(std::string_view text) {
        const json row = json::parse(text.begin(), text.end(), nullptr, false);
        if (!row.is_object()) {
            add(line(), "expected one JSON object a line, found " + traces::quoted(text));
            return;
        }
        Cells cells;
        std::vector<std::string> found;
        for (const auto& [key, value] : row.items()) {
            found.push_back(key);
            const FieldName* name = known_name(key);
            if (name == nullptr || !place(cells, *name)) continue;
            Cell& cell = cells[name->field];
            cell.text = text_of(value);
            if (name->field == kContents && value.is_null()) cell.text.clear();
            cell.number.reset();
            if (value.is_number()) cell.number = value.get<double>();
        }
        if (complete(cells, found, "field")) take(cells);
    }

    /// As written, as far as any field has it: a list of plain values at most.
    static std::string text_of(const json& value) {
        if (value.is_string()) return value.get<std::string>();
        const bool nested = value.is_structured() &&
                            std::any_of(value.begin(), value.end(),
                                        [](const json& item) { return item.is_structured(); });
        return nested ? "a nested value" : value.dump();
    }

    // --- both ---

    /// Notes that the row has a field. False when it stands there already under another name, which
    /// is a mistake but for vLLM's last_token_time and finished_time: the former goes before.
    bool place(Cells& cells, const FieldName& name) {
        const FieldName*& standing = cells[name.field].name;
        if (standing == nullptr) {
            standing = &name;
            return true;
        }
        if (standing->name == "last_token_time" && name.name == "finished_time") return false;
        if (standing->name == "finished_time" && name.name == "last_token_time") {
            standing = &name;
            return true;
        }
        add(line(),
            fmt::format("{} and {} say the same; expected one of them", standing->name, name.name));
        return false;
    }

    /// Whether every needed field is there, else with what is missing.
    bool complete(const Cells& cells, const std::vector<std::string>& found,
                  std::string_view what) {
        bool whole = true;
        for (std::size_t field = 0; field < kNeeded; ++field) {
            if (cells[field].name != nullptr) continue;
            whole = false;
            add(line(), fmt::format("no {} for {}; expected one of {}{}", what, kMeanings[field],
                                    names_of(field), near_miss(field, found)));
        }
        for (const Field field : {kFirstToken, kFinish}) {
            const FieldName* name = cells[field].name;
            if (name == nullptr || !name->engine_clock || !whole) continue;
            if (cells[kFirstTokenLatency].name != nullptr &&
                cells[field == kFinish ? kFirstToken : kFinish].name->engine_clock) {
                continue;
            }
            whole = false;
            add(line(), fmt::format("{} counts on another clock than {}; expected "
                                    "first_token_latency, first_token_ts and last_token_ts "
                                    "together, or times of one clock",
                                    name->name, cells[kArrival].name->name));
        }
        return whole;
    }

    /// The found name that was probably meant for a missing field.
    static std::string near_miss(std::size_t field, const std::vector<std::string>& found) {
        std::vector<std::string> names;
        for (const FieldName& known : kNames) {
            if (known.field == field) names.emplace_back(known.name);
        }
        for (const std::string& name : found) {
            if (known_name(name) != nullptr) continue;
            const std::string near = nearest_name(name, names);
            if (!near.empty()) {
                return fmt::format("; found \"{}\"{}", name, scenarios::did_you_mean(near));
            }
        }
        return "";
    }

    void take(const Cells& cells) {
        if (cells[kOutcome].name != nullptr && !completed(cells[kOutcome].text)) return;
        Row row;
        bool good = seconds(cells[kArrival], row.arrival);
        good = tokens(cells[kPrompt], row.request.prompt_tokens) && good;
        good = tokens(cells[kOutput], row.request.output_tokens) && good;
        good = seconds(cells[kFirstToken], row.first_token) && good;
        good = seconds(cells[kFinish], row.finish) && good;
        good = good && contents(cells[kContents], row.request);
        if (cells[kFirstToken].name->engine_clock) {
            double latency = 0;
            good = seconds(cells[kFirstTokenLatency], latency) && good;
            const double decoding = row.finish - row.first_token;
            row.first_token = row.arrival + latency;
            row.finish = row.first_token + decoding;
        }
        if (good && row.first_token < row.arrival) {
            good = false;
            add(line(), fmt::format("{} is {}, before {} {}; expected the first token after the "
                                    "arrival",
                                    cells[kFirstToken].name->name, cells[kFirstToken].text,
                                    cells[kArrival].name->name, cells[kArrival].text));
        }
        if (good && row.finish < row.first_token) {
            good = false;
            add(line(), fmt::format("{} is {}, before {} {}; expected the last token not before "
                                    "the first",
                                    cells[kFinish].name->name, cells[kFinish].text,
                                    cells[kFirstToken].name->name, cells[kFirstToken].text));
        }
        if (!good) return;
        row.request.id = cells[kId].text;
        row.request.line = line();
        rows_.push_back(std::move(row));
    }

    /// Whether the row counts; otherwise it is left out, or a mistake.
    bool completed(const std::string& outcome) {
        static const std::vector<std::string> outcomes = {"completed", "failed", "rejected",
                                                          "timed_out", "in_flight"};
        if (outcome == "completed") return true;
        if (std::find(outcomes.begin(), outcomes.end(), outcome) != outcomes.end()) {
            ++left_out_;
        } else {
            add(line(), "outcome is " + traces::quoted(outcome) +
                            "; expected completed, failed, rejected, timed_out or in_flight" +
                            scenarios::did_you_mean(nearest_name(outcome, outcomes)));
        }
        return false;
    }

    bool seconds(const Cell& cell, double& value) {
        if (cell.number && std::isfinite(*cell.number) && *cell.number >= 0) {
            value = *cell.number;
            return true;
        }
        complain(cell, "seconds >= 0");
        return false;
    }

    bool tokens(const Cell& cell, std::int64_t& value) {
        constexpr auto kMost = static_cast<double>(traces::TraceFormat::kMaxTokens);
        if (cell.number && *cell.number >= 1 && *cell.number <= kMost &&
            std::trunc(*cell.number) == *cell.number) {
            value = static_cast<std::int64_t>(*cell.number);
            return true;
        }
        complain(cell, "a whole number of tokens, 1 to 1000000000");
        return false;
    }

    bool contents(const Cell& cell, LoggedRequest& request) {
        if (cell.name == nullptr || cell.text.empty()) return true;
        const std::int64_t most = (request.prompt_tokens - 1) / kTokensPerHashId + 1;
        const auto left = static_cast<std::int64_t>(EngineLog::kMostHashIds - hash_ids_);
        auto named = boost::intrusive_ptr<serving::TokenContents>(new serving::TokenContents);
        std::string unused;  // in the words of a trace's column
        if (!traces::parse_hash_ids(cell.text, named->ids, unused,
                                    static_cast<std::size_t>(std::min(most, left)), " \t,[]")) {
            complain(cell, fmt::format("whole numbers and ranges a-b, at most {} ids for a prompt "
                                       "of {} tokens{}",
                                       most, request.prompt_tokens,
                                       most > left ? ", and at most 33,554,432 in the log" : ""));
            return false;
        }
        hash_ids_ += named->ids.size();
        named->tokens_per_id = kTokensPerHashId;
        named->covered = std::min(request.prompt_tokens,
                                  kTokensPerHashId * static_cast<std::int64_t>(named->ids.size()));
        if (!named->ids.empty()) request.contents = std::move(named);
        return true;
    }

    void complain(const Cell& cell, std::string_view expected) {
        const std::string found = cell.text.empty() ? "empty" : traces::quoted(cell.text);
        add(line(), fmt::format("{} is {}; expected {}", cell.name->name, found, expected));
    }

    std::optional<EngineLog> finish() {
        EngineLog log;
        if (mistakes_ == 0) shift(log);
        if (mistakes_ == 0) return log;
        if (mistakes_ > EngineLog::kMostMistakes) {
            diagnostics_.push_back(
                {{path_, line(), 0},
                 "",
                 fmt::format("... and {} more mistakes", mistakes_ - EngineLog::kMostMistakes)});
        }
        return std::nullopt;
    }

    /// From the rows' clock to times since the first arrival, in the order of arrivals.
    void shift(EngineLog& log) {
        if (rows_.empty()) {
            add(line(), left_out_ == 0 ? "no requests behind the header; expected at least one"
                                       : "no request completed; expected at least one");
            return;
        }
        const auto earlier = [](const Row& a, const Row& b) { return a.arrival < b.arrival; };
        log.sorted = !std::is_sorted(rows_.begin(), rows_.end(), earlier);
        std::stable_sort(rows_.begin(), rows_.end(), earlier);
        const double origin = rows_.front().arrival;
        const double limit = Time::horizon_limit().to_seconds();
        for (Row& row : rows_) {
            if (row.finish - origin > limit) {
                add(row.request.line, fmt::format("a last token {:.10g} s after the first arrival; "
                                                  "expected at most {:.0f} (100 days)",
                                                  row.finish - origin, limit));
                continue;
            }
            row.request.arrival = Time::from_seconds(row.arrival - origin);
            row.request.first_token = Time::from_seconds(row.first_token - origin);
            row.request.finish = Time::from_seconds(row.finish - origin);
            log.requests.push_back(std::move(row.request));
        }
        log.file = path_;
        log.left_out = left_out_;
    }

    const std::string& path_;
    scenarios::Diagnostics& diagnostics_;
    std::unique_ptr<traces::LineReader> lines_;
    bool json_lines_ = false;
    bool broken_ = false;  ///< without its columns, each once, a CSV says nothing
    std::vector<const FieldName*> columns_;
    std::vector<std::string_view> views_;
    std::vector<Row> rows_;
    std::size_t mistakes_ = 0;
    std::size_t left_out_ = 0;
    std::size_t hash_ids_ = 0;  ///< of all rows so far
};

}  // namespace

std::optional<EngineLog> read_engine_log(const std::string& path,
                                         scenarios::Diagnostics& diagnostics) {
    return Reader(path, diagnostics).read();
}

}  // namespace headroom::analysis
