#include "sim/core/printable_text.hpp"

#include <string>

#include "tests/catch.hpp"

namespace headroom {
namespace {

using std::string_literals::operator""s;

TEST_CASE("Printable: well-formed UTF-8 without control characters", "[core]") {
    // The ends of each line of RFC 3629, section 4, and what lies just outside.
    for (const std::string& good :
         {" "s, "~"s, "\u00a0"s, "\u07ff"s, "\u0800"s, "\u0fff"s, "\ud7ff"s, "\ue000"s, "\ufffd"s,
          "\U00010000"s, "\U0003ffff"s, "\U0010ffff"s}) {
        CAPTURE(good);
        CHECK(find_unprintable(good) == std::string::npos);
        CHECK(printable(good) == good);
    }
    for (const std::string& bad :
         {"\0"s, "\x1f"s, "\x7f"s, "\u0080"s, "\u009f"s, "\x80"s, "\xc1\xbf"s, "\xe0\x9f\xbf"s,
          "\xed\xa0\x80"s, "\xf0\x8f\xbf\xbf"s, "\xef\xbf\xbe"s, "\xef\xbf\xbf"s,
          "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xc3"s, "\xe2\x82"s, "\xf0\x9f\x98"s}) {
        CAPTURE(bad);
        CHECK(find_unprintable(bad) == 0);
        CHECK(printable(bad) == std::string(bad.size(), '?'));
    }
}

TEST_CASE("Printable: what lies around a bad byte stays", "[core]") {
    CHECK(printable("a\x1b[31m\xff") == "a?[31m?");
    CHECK(printable("\xc3\xa9\x80\xc3\xa9") == "\u00e9?\u00e9");
    CHECK(printable("\xe2\x82 \xe2\x82\xac") == "?? \u20ac");
    CHECK(printable("a\n\x1b\t", "\t\n") == "a\n?\t");
    CHECK(find_unprintable("\u20ac\n") == 3);
    CHECK(find_unprintable("\u20ac\n\t\r", "\t\n\r") == std::string::npos);
    CHECK(find_unprintable("\n\x1b", "\n") == 1);
}

TEST_CASE("Printable: the beginning of a text ends with a whole character", "[core]") {
    const std::string text = "h\u00e9\u20ac\U0001f600";  // 1, 2, 3 and 4 bytes
    const std::string whole[] = {"",
                                 "h",
                                 "h",
                                 "h\u00e9",
                                 "h\u00e9",
                                 "h\u00e9",
                                 "h\u00e9\u20ac",
                                 "h\u00e9\u20ac",
                                 "h\u00e9\u20ac",
                                 "h\u00e9\u20ac",
                                 text};
    for (std::size_t bytes = 0; bytes <= text.size(); ++bytes) {
        CAPTURE(bytes);
        CHECK(beginning_of(text, bytes) == whole[bytes]);
    }
    // Bytes that continue nothing belong to no character: the limit holds, whatever they are.
    CHECK(beginning_of("\x80\x80\x80\x80\x80\x80", 5).size() == 5);

    CHECK(shortened(text, text.size()) == text);
    CHECK(shortened(text, 5) == "h\u00e9...");
    CHECK(shortened("\x1bx", 1) == "?...");
    CHECK(shortened("", 0).empty());
}

}  // namespace
}  // namespace headroom
