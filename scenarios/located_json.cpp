#include "scenarios/located_json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "sim/core/ascii.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::scenarios {

namespace {

using nlohmann::json;

constexpr int kDeepest = 100;
// Every value's place is kept by its pointer, so a long one counts for all that is below it.
constexpr std::size_t kLongestPointer = 1000;
constexpr std::size_t kShownOfToken = 40;

bool is_word(char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '+' || c == '-' || c == '.';
}

/// A recursive-descent parser that stops at the first syntax error. nlohmann decodes the strings.
class Parser {
  public:
    Parser(std::string_view text, const std::string& file, Diagnostics& diagnostics,
           LocatedJson& document)
        : text_(text), file_(file), diagnostics_(diagnostics), document_(document) {
        line_starts_.push_back(0);
        for (std::size_t i = 0; i < text_.size(); ++i) {
            if (text_[i] == '\n') line_starts_.push_back(i + 1);
        }
        if (text_.substr(0, 3) == "\xef\xbb\xbf") at_ = 3;  // a byte order mark
    }

    bool parse() {
        if (!skip_blanks()) return false;
        document_.set_location("", location(at_));
        if (!parse_value(document_.value(), "", 0) || !skip_blanks()) return false;
        if (at_ < text_.size()) return fail("expected the end of the file, found " + found());
        return !duplicates_;
    }

  private:
    [[nodiscard]] Location location(std::size_t offset) const {
        const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
        const auto line = static_cast<std::size_t>(next - line_starts_.begin());
        return {file_, static_cast<int>(line),
                static_cast<int>(offset - line_starts_[line - 1]) + 1};
    }
    bool fail_at(std::size_t offset, std::string message) {
        diagnostics_.push_back({location(offset), "", std::move(message)});
        return false;
    }
    bool fail(std::string message) { return fail_at(at_, std::move(message)); }

    /// What stands at the reading position, for a message.
    [[nodiscard]] std::string found() const {
        if (at_ >= text_.size()) return "the end of the file";
        std::size_t end = at_;
        while (end < text_.size() && end - at_ < 30 && is_word(text_[end])) ++end;
        if (end > at_) return "'" + std::string(text_.substr(at_, end - at_)) + "'";
        if (text_[at_] == '"') return "a string";
        const auto byte = static_cast<unsigned char>(text_[at_]);
        if (byte < 0x20 || byte >= 0x7f) return "the byte " + std::to_string(byte);
        return std::string("'") + text_[at_] + "'";
    }

    bool skip_blanks() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
                ++at_;
            } else if (text_.substr(at_, 2) == "//") {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (text_.substr(at_, 2) == "/*") {
                const std::size_t end = text_.find("*/", at_ + 2);
                if (end == std::string_view::npos) return fail("expected '*/' after this comment");
                at_ = end + 2;
            } else {
                break;
            }
        }
        return true;
    }

    bool parse_value(json& out, const std::string& pointer, int depth) {
        if (depth > kDeepest) return fail("expected at most 100 levels of nesting");
        if (at_ >= text_.size()) return fail("expected a value, found the end of the file");
        const char c = text_[at_];
        if (c == '{') return parse_object(out, pointer, depth);
        if (c == '[') return parse_array(out, pointer, depth);
        if (c == '"') {
            std::string text;
            if (!parse_string(text)) return false;
            out = std::move(text);
            return true;
        }
        if (c == '-' || is_digit(c)) return parse_number(out);
        for (const auto& [word, value] : {std::pair<std::string_view, json>{"true", true},
                                          {"false", false},
                                          {"null", nullptr}}) {
            const std::size_t end = at_ + word.size();
            if (text_.substr(at_, word.size()) != word) continue;
            if (end < text_.size() && is_word(text_[end])) continue;
            out = value;
            at_ = end;
            return true;
        }
        std::string message = "expected a value, found " + found();
        if (c == '\'' || is_word(c)) message += " (a string stands in double quotes)";
        return fail(std::move(message));
    }

    bool parse_object(json& out, const std::string& pointer, int depth) {
        out = json::object();
        ++at_;
        bool first = true;
        for (;;) {
            if (!skip_blanks()) return false;
            if (at_ < text_.size() && text_[at_] == '}' && first) break;
            if (at_ >= text_.size() || text_[at_] != '"') return fail_in_object(first);
            const std::size_t key_at = at_;
            std::string key;
            if (!parse_string(key) || !skip_blanks()) return false;
            if (at_ >= text_.size() || text_[at_] != ':') {
                return fail("expected ':' after the key \"" + shortened(key, kShownOfToken) +
                            "\", found " + found());
            }
            ++at_;
            const std::string below = join_pointer(pointer, key);
            if (below.size() > kLongestPointer) {
                return fail_at(key_at, "expected keys of at most 1000 bytes on the way to a value");
            }
            if (find_unprintable(key) != std::string::npos) {
                return fail_at(key_at, "expected a key without control characters");
            }
            if (out.contains(key)) {
                duplicates_ = true;
                diagnostics_.push_back({location(key_at), below,
                                        "expected each key once, found \"" + key +
                                            "\" again (first in line " +
                                            std::to_string(document_.where(below).line) + ")"});
            } else {
                document_.set_location(below, location(key_at));
            }
            if (!skip_blanks() || !parse_value(out[key], below, depth + 1)) return false;
            first = false;
            bool more = false;
            if (!after_element('}', more)) return false;
            if (!more) break;
        }
        ++at_;
        return true;
    }
    bool fail_in_object(bool first) {
        if (at_ < text_.size() && text_[at_] == '}') {
            return fail("expected a key after the comma, found '}' (no comma after the last one)");
        }
        return fail(std::string("expected a key in double quotes") + (first ? " or '}'" : "") +
                    ", found " + found());
    }

    bool parse_array(json& out, const std::string& pointer, int depth) {
        out = json::array();
        ++at_;
        bool more = true;
        if (!skip_blanks()) return false;
        if (at_ < text_.size() && text_[at_] == ']') more = false;
        while (more) {
            if (!skip_blanks()) return false;
            if (at_ < text_.size() && text_[at_] == ']') {
                return fail(
                    "expected a value after the comma, found ']' (no comma after the last)");
            }
            const std::string below = pointer + "/" + std::to_string(out.size());
            document_.set_location(below, location(at_));
            out.push_back(nullptr);
            if (!parse_value(out.back(), below, depth + 1) || !after_element(']', more))
                return false;
        }
        ++at_;
        return true;
    }

    /// Behind an element: a comma (more follow) or the closing bracket, which is left to be read.
    bool after_element(char close, bool& more) {
        if (!skip_blanks()) return false;
        if (at_ < text_.size() && text_[at_] == ',') {
            ++at_;
            more = true;
            return true;
        }
        more = false;
        if (at_ < text_.size() && text_[at_] == close) return true;
        return fail(std::string("expected ',' or '") + close + "', found " + found());
    }

    bool parse_string(std::string& out) {
        const std::size_t begin = at_;
        std::size_t end = begin + 1;
        while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') {
            end += text_[end] == '\\' ? 2 : 1;
        }
        if (end >= text_.size() || text_[end] != '"') {
            return fail_at(begin, "expected '\"' at the end of this string, found the end of the " +
                                      std::string(end >= text_.size() ? "file" : "line"));
        }
        const json decoded =
            json::parse(text_.substr(begin, end + 1 - begin), nullptr, /*allow_exceptions=*/false);
        if (!decoded.is_string()) {
            return fail_at(begin,
                           "expected a string in UTF-8 with the escapes of JSON (\\\" \\\\ \\/ "
                           "\\b \\f \\n \\r \\t \\uXXXX), found something else");
        }
        out = decoded.get<std::string>();
        if (find_unprintable(out, "\t\n\r") != std::string::npos) {
            return fail_at(begin,
                           "expected a string without control characters other than \\t, \\n "
                           "and \\r");
        }
        at_ = end + 1;
        return true;
    }

    bool parse_number(json& out) {
        const std::size_t begin = at_;
        std::size_t end = begin;
        while (end < text_.size() && is_word(text_[end])) ++end;
        const std::string_view token = text_.substr(begin, end - begin);
        if (!is_json_number(token)) {
            return fail("expected a number as 12, -0.5 or 1e3, found " + found() +
                        " (a value with a unit stands in double quotes)");
        }
        at_ = end;
        const char* last = token.data() + token.size();
        if (token.find_first_of(".eE") == std::string_view::npos) {
            std::int64_t whole = 0;
            if (std::from_chars(token.data(), last, whole).ec != std::errc{}) {
                return fail_at(begin, "expected a whole number of at most 63 bits, found '" +
                                          shortened(token, kShownOfToken) + "'");
            }
            out = whole;
            return true;
        }
        double number = 0;
        if (std::from_chars(token.data(), last, number).ec != std::errc{}) {
            return fail_at(begin, "expected a number within the range of a double, found '" +
                                      shortened(token, kShownOfToken) + "'");
        }
        constexpr double kExact = 9007199254740992.0;  // 2^53
        if (number == std::trunc(number) && std::fabs(number) <= kExact) {
            out = static_cast<std::int64_t>(number);
        } else {
            out = number;
        }
        return true;
    }
    static bool is_json_number(std::string_view token) {
        std::size_t i = 0;
        const auto digits = [&] {
            const std::size_t begin = i;
            while (i < token.size() && is_digit(token[i])) ++i;
            return i - begin;
        };
        if (i < token.size() && token[i] == '-') ++i;
        const std::size_t first = i;
        const std::size_t count = digits();
        if (count == 0 || (count > 1 && token[first] == '0')) return false;
        if (i < token.size() && token[i] == '.') {
            ++i;
            if (digits() == 0) return false;
        }
        if (i < token.size() && (token[i] == 'e' || token[i] == 'E')) {
            ++i;
            if (i < token.size() && (token[i] == '+' || token[i] == '-')) ++i;
            if (digits() == 0) return false;
        }
        return i == token.size();
    }

    std::string_view text_;
    const std::string& file_;
    Diagnostics& diagnostics_;
    LocatedJson& document_;
    std::vector<std::size_t> line_starts_;
    std::size_t at_ = 0;
    bool duplicates_ = false;
};

bool at_or_below(std::string_view candidate, std::string_view pointer) {
    return candidate.substr(0, pointer.size()) == pointer &&
           (candidate.size() == pointer.size() || candidate[pointer.size()] == '/');
}

}  // namespace

LocatedJson::LocatedJson() : value_(std::make_unique<json>(json::object())) {}
LocatedJson::LocatedJson(const LocatedJson& other)
    : value_(std::make_unique<json>(*other.value_)), locations_(other.locations_) {}
LocatedJson::LocatedJson(LocatedJson&& other) noexcept = default;
LocatedJson& LocatedJson::operator=(LocatedJson other) noexcept {
    value_.swap(other.value_);
    locations_.swap(other.locations_);
    return *this;
}
LocatedJson::~LocatedJson() = default;

Location LocatedJson::where(std::string_view pointer) const {
    for (;;) {
        const auto found = locations_.find(pointer);
        if (found != locations_.end()) return found->second;
        if (pointer.empty()) return {};
        pointer = pointer.substr(0, pointer.rfind('/'));
    }
}

void LocatedJson::set_location(const std::string& pointer, Location location) {
    locations_[pointer] = std::move(location);
}

void LocatedJson::erase_locations(const std::string& pointer) {
    auto it = locations_.lower_bound(pointer);
    while (it != locations_.end() && it->first.compare(0, pointer.size(), pointer) == 0) {
        it = at_or_below(it->first, pointer) ? locations_.erase(it) : std::next(it);
    }
}

void LocatedJson::copy_locations(const LocatedJson& other, const std::string& pointer) {
    auto it = other.locations_.lower_bound(pointer);
    for (; it != other.locations_.end() && it->first.compare(0, pointer.size(), pointer) == 0;
         ++it) {
        if (at_or_below(it->first, pointer)) locations_[it->first] = it->second;
    }
}

std::optional<LocatedJson> parse_json(std::string_view text, const std::string& file,
                                      Diagnostics& diagnostics) {
    LocatedJson document;
    if (!Parser(text, file, diagnostics, document).parse()) return std::nullopt;
    return document;
}

std::optional<LocatedJson> read_json_file(const std::string& path, Diagnostics& diagnostics) {
    std::error_code error;
    const bool is_file = std::filesystem::is_regular_file(path, error);
    std::ifstream in;
    // To open a pipe would wait for somebody who writes.
    if (is_file) in.open(path, std::ios::binary);
    if (!is_file || !in) {
        std::string message = "expected a file, found ";
        if (std::filesystem::exists(path, error)) {
            message += is_file ? "one that may not be read" : "something else";
        } else if (error) {
            message = "expected a file that may be read: " + error.message();
        } else {
            message += "none of that name";
        }
        diagnostics.push_back({{path, 0, 0}, "", std::move(message)});
        return std::nullopt;
    }
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return parse_json(text, path, diagnostics);
}

std::string join_pointer(std::string_view pointer, std::string_view token) {
    std::string out(pointer);
    out += '/';
    for (const char c : token) {
        if (c == '~') {
            out += "~0";
        } else if (c == '/') {
            out += "~1";
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace headroom::scenarios
