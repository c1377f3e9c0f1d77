#include "scenarios/located_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "scenarios/merge.hpp"
#include "sim/core/nearest_name.hpp"
#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/scale.hpp"

namespace headroom::scenarios {

namespace {

using tests::Draws;

/// Small documents with what the larger ones lack, and files of the library.
tests::Corpus located_json_corpus() {
    tests::Corpus corpus = {
        "{}",
        "[]",
        "\"text with \\\"escapes\\\" \\u00e9 \\ud83d\\ude00 \\n\"",
        "\xef\xbb\xbf{\"a\": [1, -2, 0.5, 1e3, 10.0, 1.5e-7, [], {}, true, false, null]}",
        "/* a comment */ {\"a\": {\"b\": {\"c\": [[[[{\"d/e~f\": \"\"}]]]]}}} // the end",
        "{\r\n  \"crlf\": 9223372036854775807,\r\n  \"x\": -9223372036854775808\r\n}\r\n"};
    for (std::string& text : tests::repository_jsons("scenarios/library/what-if")) {
        corpus.push_back(std::move(text));
    }
    for (const char* name : {"mm1", "linear-replay", "kv-pressure"}) {
        corpus.push_back(
            tests::repository_text(std::string("scenarios/library/") + name + ".json"));
    }
    return corpus;
}

void check_locations(const LocatedJson& document, const nlohmann::json& value,
                     const std::string& pointer, int lines) {
    const Location where = document.where(pointer);
    const bool good =
        where.file == "input.json" && where.line >= 1 && where.line <= lines && where.column >= 1;
    if (!good) FAIL_CHECK("a location out of the file at " << pointer);
    if (value.is_object()) {
        for (const auto& [key, member] : value.items()) {
            check_locations(document, member, join_pointer(pointer, key), lines);
        }
    } else if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            check_locations(document, value[i], pointer + "/" + std::to_string(i), lines);
        }
    }
}

bool check_located_json(const std::string& text) {
    Diagnostics diagnostics;
    const std::optional<LocatedJson> document = parse_json(text, "input.json", diagnostics);
    const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
    if (!document) {
        REQUIRE(tests::fault_of(diagnostics, true) == "");
        for (const Diagnostic& diagnostic : diagnostics) {
            REQUIRE(diagnostic.where.line <= lines);
            REQUIRE(diagnostic.where.column >= 1);
        }
        return false;
    }
    REQUIRE(diagnostics.empty());
    check_locations(*document, document->value(), "", lines);
    // Another reader of JSON with comments says the same, whose comments end at "\r" and NUL too.
    if (text.find_first_of(std::string_view("\r\0", 2)) == std::string::npos) {
        REQUIRE(nlohmann::json::parse(text, nullptr, false, true) == document->value());
    }
    Diagnostics none;
    const auto again = parse_json(document->value().dump(), "again.json", none);
    REQUIRE(again.has_value());
    REQUIRE(again->value() == document->value());
    return true;
}

}  // namespace

TEST_CASE("LocatedJson fuzz: documents are refused with a line, or read as another reader does") {
    const tests::Corpus corpus = located_json_corpus();
    for (const std::string& text : corpus) {
        INFO(text);
        Diagnostics diagnostics;
        CHECK(parse_json(text, "input.json", diagnostics).has_value());
        check_located_json(text);
    }
    CHECK(tests::fuzz(
              "located-json/bytes", tests::scaled(6000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); }, check_located_json)
              .both());
    CHECK(tests::fuzz(
              "located-json/structure", tests::scaled(2000),
              [&](Draws& draws) { return tests::mutate_json(corpus, draws); }, check_located_json)
              .both());
}

TEST_CASE("LocatedJson fuzz: a merge patch gives what RFC 7396 says, each value with its place") {
    const tests::Corpus corpus = located_json_corpus();
    std::string base;
    CHECK(tests::fuzz(
              "merge", tests::scaled(1500),
              [&](Draws& draws) {
                  base = tests::mutate_json(corpus, draws);
                  const bool whole = nlohmann::json::accept(base, true);
                  const std::string& other = tests::pick_input(corpus, draws);
                  return tests::mutate_json({whole ? base : other, other, "{}"}, draws);
              },
              [&](const std::string& text) {
                  Diagnostics diagnostics;
                  auto target = parse_json(base, "input.json", diagnostics);
                  const auto patch = parse_json(text, "input.json", diagnostics);
                  if (!target || !patch) return false;
                  nlohmann::json expected = target->value();
                  expected.merge_patch(patch->value());
                  merge_patch(*target, *patch);
                  REQUIRE(target->value() == expected);
                  const auto lines = [](const std::string& of) {
                      return static_cast<int>(std::count(of.begin(), of.end(), '\n')) + 1;
                  };
                  check_locations(*target, target->value(), "", std::max(lines(base), lines(text)));
                  return true;
              })
              .both());
}

// What fuzzing found, reduced.

TEST_CASE("LocatedJson fuzz: control characters stand in no key and but line ends in strings") {
    const auto message_of = [](const std::string& text) {
        Diagnostics diagnostics;
        const bool read = parse_json(text, "a.json", diagnostics).has_value();
        CHECK(read == diagnostics.empty());
        return read ? "" : diagnostics[0].text();
    };
    const std::string in_string =
        "a.json:1:7: expected a string without control characters other than \\t, \\n and \\r";
    CHECK(message_of(R"({"a": "\u001b[31m"})") == in_string);
    CHECK(message_of(R"({"a": "x\u0000"})") == in_string);
    CHECK(message_of(R"({"a": "\u009b"})") == in_string);
    CHECK(message_of("{\"a\": \"\x7f\"}") == in_string);
    CHECK(message_of(R"({"a": "one\n\ttwo\r\n"})") == "");
    CHECK(message_of(R"({"a\n": 1})") == "a.json:1:2: expected a key without control characters");
}

TEST_CASE("LocatedJson fuzz: long keys above long lists do not ask for the square in memory") {
    std::string text = "{\"" + std::string(100'000, 'x') + "\": [1";
    for (int i = 0; i < 100'000; ++i) text += ",1";
    Diagnostics diagnostics;
    CHECK_FALSE(parse_json(text + "]}", "a.json", diagnostics).has_value());
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].text() ==
          "a.json:1:2: expected keys of at most 1000 bytes on the way to a value");
}

TEST_CASE("Diagnostic fuzz: a text is printable and of a bounded length, whatever was written") {
    const Diagnostic diagnostic{{"a\x1b.json", 3, 1}, "/\xff/b", "found \"\xc2\x9b\n\xc3\xa9\""};
    CHECK(diagnostic.text() == "a?.json:3: /?/b: found \"???\xc3\xa9\"");
    const Diagnostic longer{{"a.json", 3, 1}, "/b", std::string(1'000'000, 'x')};
    CHECK(longer.text() == "a.json:3: /b: " + std::string(2000, 'x') + "...");
    // Cut between characters.
    const Diagnostic cut{{"a.json", 3, 1}, "/b", std::string(1999, 'x') + "\xc3\xa9" + "y"};
    CHECK(cut.text() == "a.json:3: /b: " + std::string(1999, 'x') + "...");
}

TEST_CASE("NearestName fuzz: very long names are not compared letter by letter") {
    const std::string name(1'000'000, 'x');
    CHECK(nearest_name(name, {name.substr(1), "xx"}) == "");
    CHECK(nearest_name("x", {name}) == "");
    CHECK(nearest_name("replicsa", {"replicas"}) == "replicas");
}

}  // namespace headroom::scenarios
