#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "scenarios/located_json.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::scenarios {
namespace {

using nlohmann::json;

std::string first_message(const std::string& text) {
    Diagnostics diagnostics;
    CHECK_FALSE(parse_json(text, "f.json", diagnostics).has_value());
    return diagnostics.empty() ? "" : diagnostics.front().text();
}

}  // namespace

TEST_CASE("LocatedJson: reads what nlohmann reads, comments included") {
    for (const char* text :
         {"{}", "[]", "1", "-0.25", "1e3", "\"a\\u00e9\\n\"", "true", "false", "null",
          "[1, [2, {\"a\": []}], \"x\"]", "{\"a\": {\"b\": [1.5, -2]}, \"c\": \"\\\"\\\\\"}",
          "// head\n{\"a\": /* inside */ 1 // behind\n}\n", "{\"a//b\": \"/* no comment */\"}"}) {
        INFO(text);
        Diagnostics diagnostics;
        const auto document = parse_json(text, "f.json", diagnostics);
        REQUIRE(document.has_value());
        CHECK(document->value() == json::parse(text, nullptr, true, /*ignore_comments=*/true));
    }
}

TEST_CASE("LocatedJson: remembers where each value stands") {
    Diagnostics diagnostics;
    const auto document = parse_json(
        "{\n  \"a\": 1, // one\n  \"b/c\": {\n    \"~\": [10,\n 20]}\n}", "f.json", diagnostics);
    REQUIRE(document.has_value());
    CHECK(document->where("/a") == Location{"f.json", 2, 3});
    CHECK(document->where("/b~1c") == Location{"f.json", 3, 3});
    CHECK(document->where("/b~1c/~0") == Location{"f.json", 4, 5});
    CHECK(document->where("/b~1c/~0/1") == Location{"f.json", 5, 2});
    CHECK(document->where("") == Location{"f.json", 1, 1});
    // What is not there is said to be where its nearest ancestor is.
    CHECK(document->where("/b~1c/missing/deep") == Location{"f.json", 3, 3});
}

TEST_CASE("LocatedJson: a whole number may be written with an exponent or a point") {
    Diagnostics diagnostics;
    const auto document = parse_json("[1e3, 10.0, 1.5, 1e300]", "f.json", diagnostics);
    REQUIRE(document.has_value());
    CHECK(document->value()[0].is_number_integer());
    CHECK(document->value()[1].get<int>() == 10);
    CHECK(document->value()[2].is_number_float());
    CHECK(document->value()[3].is_number_float());
}

TEST_CASE("LocatedJson: a syntax error says where, what was expected and what was found") {
    CHECK(first_message("{\"a\": 1\n \"b\": 2}") ==
          "f.json:2:2: expected ',' or '}', found a string");
    CHECK(first_message("{\"a\": }") == "f.json:1:7: expected a value, found '}'");
    CHECK(first_message("{\n\"a\": 1,\n}") ==
          "f.json:3:1: expected a key after the comma, found '}' (no comma after the last one)");
    CHECK(first_message("[1,]").find("expected a value after the comma") != std::string::npos);
    CHECK(first_message("{a: 1}").find("expected a key in double quotes or '}', found 'a'") !=
          std::string::npos);
    CHECK(first_message("{\"a\" 1}").find("expected ':' after the key \"a\"") != std::string::npos);
    CHECK(first_message("{\"a\": 10m}").find("a value with a unit stands in double quotes") !=
          std::string::npos);
    CHECK(first_message("{\"a\": 'x'}").find("double quotes") != std::string::npos);
    CHECK(first_message("{\"a\": \"x\n\"}").find("the end of the line") != std::string::npos);
    CHECK(first_message("{\"a\": 1").find("the end of the file") != std::string::npos);
    CHECK(first_message("{} {}").find("expected the end of the file") != std::string::npos);
    CHECK(first_message("{ /* x }").find("expected '*/'") != std::string::npos);
    CHECK(first_message("\"\\q\"").find("escapes") != std::string::npos);
    CHECK(first_message("\"\xff\"").find("UTF-8") != std::string::npos);
    CHECK(first_message("01").find("expected a number") != std::string::npos);
    CHECK(first_message("99999999999999999999").find("63 bits") != std::string::npos);
    CHECK(first_message("1e999").find("range of a double") != std::string::npos);
    CHECK(first_message(std::string(200, '[')).find("100 levels") != std::string::npos);
    CHECK(first_message("") == "f.json:1:1: expected a value, found the end of the file");
}

TEST_CASE("LocatedJson: each duplicate key is reported with both lines") {
    Diagnostics diagnostics;
    CHECK_FALSE(
        parse_json("{\"a\": 1,\n\"b\": {\"c\": 1,\n\"c\": 2},\n\"a\": 3}", "f.json", diagnostics));
    REQUIRE(diagnostics.size() == 2);
    CHECK(diagnostics[0].text() ==
          "f.json:3: /b/c: expected each key once, found \"c\" again (first in line 2)");
    CHECK(diagnostics[1].where.line == 4);
}

TEST_CASE("LocatedJson: a file that is not there is a diagnostic") {
    Diagnostics diagnostics;
    CHECK_FALSE(read_json_file("no-such-file.json", diagnostics));
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].text() == "no-such-file.json: expected a file, found none of that name");
}

TEST_CASE("LocatedJson: a link that leads to itself is not called a file that is not there") {
    const TemporaryFolder folder;
    const std::string link = folder.path("loop.json");
    std::filesystem::create_symlink("loop.json", link);
    Diagnostics diagnostics;
    CHECK_FALSE(read_json_file(link, diagnostics));
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].text() ==
          link + ": expected a file that may be read: Too many levels of symbolic links");
}

}  // namespace headroom::scenarios
