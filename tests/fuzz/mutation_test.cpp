#include "tests/fuzz/mutation.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"

namespace headroom::tests {

namespace {

const Corpus kTwoDocuments = {"{\"a\": [1, 2.5, {\"b\": \"c\"}], // note\n \"d\": null}\n",
                              "{\"longer\": {\"x\": {\"y\": {\"z\": 1e3}}}, \"w\": true}\n"};

std::string variant(std::string (*mutate)(const Corpus&, Draws&), int number) {
    Draws draws{RandomStream(1, "mutation/" + std::to_string(number)), 0};
    return mutate(kTwoDocuments, draws);
}

}  // namespace

TEST_CASE("Mutation: a variant is a function of its corpus and its draws") {
    for (int i = 0; i < 50; ++i) {
        CHECK(variant(mutate_bytes, i) == variant(mutate_bytes, i));
        CHECK(variant(mutate_json, i) == variant(mutate_json, i));
    }
}

TEST_CASE("Mutation: variants differ from their corpus and from each other") {
    constexpr int kCount = 400;
    for (const auto mutate : {mutate_bytes, mutate_json}) {
        std::set<std::string> seen;
        int unchanged = 0;
        std::size_t longest = 0;
        for (int i = 0; i < kCount; ++i) {
            const std::string text = variant(mutate, i);
            unchanged += text == kTwoDocuments[0] || text == kTwoDocuments[1] ? 1 : 0;
            longest = std::max(longest, text.size());
            seen.insert(text);
        }
        CHECK(unchanged < kCount / 20);
        CHECK(seen.size() > kCount / 2);
        CHECK(longest > 1000);
        CHECK(longest < 2 * kMostMutatedBytes);
    }
}

TEST_CASE(
    "Mutation: most documents of changed structure are still JSON, most of changed bytes not") {
    constexpr int kCount = 400;
    const auto whole = [](const std::string& text) { return nlohmann::json::accept(text, true); };
    int by_structure = 0;
    int by_bytes = 0;
    for (int i = 0; i < kCount; ++i) {
        by_structure += whole(variant(mutate_json, i)) ? 1 : 0;
        by_bytes += whole(variant(mutate_bytes, i)) ? 1 : 0;
    }
    CHECK(by_structure > kCount * 3 / 4);
    CHECK(by_bytes < kCount / 2);
    CHECK(by_bytes > 0);
}

TEST_CASE("Fuzz: a message that garbles a terminal or a report is told from a good one") {
    CHECK(fault_of_message("chat.json:14: expected \"\xc3\xa9\" or \xf0\x9f\x98\x80") == "");
    CHECK(fault_of_message("") == "an empty message");
    CHECK(fault_of_message(std::string(6000, 'x')) == "a message of 6000 bytes");
    for (const char* bad : {"a\x1b[31m", "a\nb", "a\tb", "a\x7f", "a\xc2\x9b"}) {
        CAPTURE(bad);
        CHECK(fault_of_message(bad).find("a control character at byte 1") == 0);
    }
    for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                            "\xe2\x82", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\x80"}) {
        CHECK(fault_of_message(std::string("ab") + bad).find("no UTF-8 at byte 2") == 0);
    }
    const scenarios::Location where{"a.json", 3, 1};
    CHECK(fault_of({{where, "/a", "expected b"}}, true) == "");
    CHECK(fault_of({}, false) == "refused without a message");
    CHECK(fault_of({{{"a.json", 0, 0}, "", "expected b"}}, false) == "");
    CHECK(fault_of({{{"a.json", 0, 0}, "", "expected b"}}, true) != "");
    CHECK(fault_of({{{"", 3, 1}, "", "expected b"}}, true) != "");
    CHECK(fault_of({{where, "/a", ""}}, true) != "");
}

TEST_CASE("Fuzz: an input is shown whole or by its ends, and printable") {
    CHECK(shown("a\"b\n\x01\xff") == R"("a\x22b\n\x01\xff")");
    const std::string text = shown("begin" + std::string(100'000, 'x') + "end");
    CHECK(text.size() < 1500);
    CHECK(text.find("\"begin") == 0);
    CHECK(text.find("end\"") != std::string::npos);
}

}  // namespace headroom::tests
