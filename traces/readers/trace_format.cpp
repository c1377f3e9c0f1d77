#include "traces/readers/trace_format.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/nearest_name.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::traces {

namespace {

using Formats = Registry<TraceFormat>;

std::vector<std::string> format_names() {
    std::vector<std::string> names;
    for (const auto& [name, entry] : Formats::instance().entries()) names.push_back(name);
    return names;
}

std::unique_ptr<TraceFormat> make(const Formats::Entry& entry) {
    return entry.make(Parameters::defaults(entry.specs), PolicyContext{});
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

}  // namespace

std::unique_ptr<TraceFormat> choose_format(const std::string& name, std::string_view first_line,
                                           std::string& chosen, std::string& message) {
    const Formats& formats = Formats::instance();
    if (!name.empty()) {
        const auto* entry = formats.find(name);
        if (entry == nullptr) {
            message = "the format " + traces::quoted(name) + " is not known; expected one of:";
            for (const std::string& known : format_names()) message += " " + known;
            const std::string near = nearest_name(name, format_names());
            if (!near.empty()) message += "; the nearest is " + traces::quoted(near);
            return nullptr;
        }
        chosen = name;
        return make(*entry);
    }
    for (const auto& [known, entry] : formats.entries()) {
        if (known == "csv") continue;
        auto format = make(entry);
        if (format->recognises(first_line)) {
            chosen = known;
            return format;
        }
    }
    // What nothing else claims is taken for a CSV, whose start() explains what it misses.
    chosen = "csv";
    const auto* csv = formats.find(chosen);
    HEADROOM_CHECK(csv != nullptr, "the csv format is registered");
    return make(*csv);
}

void split_csv(std::string_view line, std::vector<std::string_view>& fields) {
    fields.clear();
    std::size_t at = 0;
    for (;;) {
        std::size_t end = at;
        const std::size_t first = line.find_first_not_of(" \t", at);
        if (first != std::string_view::npos && line[first] == '"') {
            // A doubled quote stands for one; columns with numbers have none, so it may stay
            // doubled.
            std::size_t close = line.find('"', first + 1);
            while (close != std::string_view::npos && close + 1 < line.size() &&
                   line[close + 1] == '"') {
                close = line.find('"', close + 2);
            }
            if (close == std::string_view::npos) close = line.size();
            fields.push_back(line.substr(first + 1, close - first - 1));
            end = std::min(line.find(',', std::min(close, line.size())), line.size());
        } else {
            end = std::min(line.find(',', at), line.size());
            fields.push_back(trim(line.substr(at, end - at)));
        }
        if (end >= line.size()) return;
        at = end + 1;
    }
}

std::string quoted(std::string_view text) {
    constexpr std::size_t kShown = 80;
    return fmt::format("'{}'", shortened(text, kShown));
}

std::string number_message(std::string_view name, std::string_view text, NumberProblem problem,
                           std::string_view expected) {
    std::string message(name);
    if (text.empty()) {
        message += " is empty";
    } else {
        message += " is " + quoted(text);
        if (problem == NumberProblem::negative) message += ", which is negative";
        if (problem == NumberProblem::too_large) message += ", which is too large";
        if (problem == NumberProblem::not_a_number) message += ", which is not such a number";
    }
    return message + "; expected " + std::string(expected);
}

bool parse_tokens(std::string_view text, std::string_view name, std::int64_t& value,
                  std::string& message) {
    const NumberProblem problem = parse_whole(text, TraceFormat::kMaxTokens, value);
    if (problem == NumberProblem::none) return true;
    message = number_message(name, text, problem, "a whole number of tokens, at most 1000000000");
    return false;
}

}  // namespace headroom::traces
