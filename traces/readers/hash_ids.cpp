#include "traces/readers/hash_ids.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

#include "traces/readers/trace_format.hpp"

namespace headroom::traces {

namespace {

/// Takes the digits off the front of `text`; false where it does not begin with a number that fits.
bool take_id(std::string_view& text, std::uint64_t& id) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (code != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

/// "a" or "a-b", and nothing after it.
bool parse_range(std::string_view entry, std::uint64_t& first, std::uint64_t& last) {
    if (!take_id(entry, first)) return false;
    last = first;
    if (!entry.empty() && entry[0] == '-') {
        entry.remove_prefix(1);
        if (!take_id(entry, last)) return false;
    }
    return entry.empty() && last >= first;
}

void append_number(std::string& text, std::uint64_t value) {
    char digits[24];
    const auto whole = std::to_chars(digits, digits + sizeof digits, value);
    text.append(digits, whole.ptr);
}

}  // namespace

bool parse_hash_ids(std::string_view text, std::vector<std::uint64_t>& ids, std::string& message,
                    std::size_t most, std::string_view separators) {
    std::size_t at = text.find_first_not_of(separators);
    while (at != std::string_view::npos) {
        const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
        const std::string_view entry = text.substr(at, end - at);
        std::uint64_t first = 0, last = 0;
        if (!parse_range(entry, first, last)) {
            message = "hash_ids has " + quoted(entry) +
                      "; expected whole numbers up to 18446744073709551615 and ranges a-b of them, "
                      "separated by blanks";
            return false;
        }
        if (last - first >= most - ids.size()) {
            message = "hash_ids has more than " + std::to_string(most) + " ids with " +
                      quoted(entry) + "; expected at most so many";
            return false;
        }
        for (std::uint64_t id = first; id != last; ++id) ids.push_back(id);
        ids.push_back(last);
        at = text.find_first_not_of(separators, end);
    }
    return true;
}

void append_hash_ids(std::string& text, const std::vector<std::uint64_t>& ids, std::size_t count) {
    constexpr std::uint64_t kGreatest = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) text += ' ';
        std::size_t last = i;
        while (last + 1 < count && ids[last] != kGreatest && ids[last + 1] == ids[last] + 1) {
            ++last;
        }
        append_number(text, ids[i]);
        if (last == i) continue;
        text += '-';
        append_number(text, ids[last]);
        i = last;
    }
}

std::string wrong_count(std::size_t found, std::int64_t expected, std::int64_t tokens_per_id,
                        std::string_view of_what, std::int64_t tokens) {
    return "hash_ids has " + std::to_string(found) + (found == 1 ? " id" : " ids") + "; expected " +
           std::to_string(expected) + ", one for every " + std::to_string(tokens_per_id) +
           " tokens of " + std::string(of_what) + " (" + std::to_string(tokens) + ")";
}

}  // namespace headroom::traces
