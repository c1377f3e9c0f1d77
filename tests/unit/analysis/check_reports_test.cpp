// What headroom check prints and writes of a result: table, Markdown, JSON, JUnit XML, annotations.
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/report/check_table.hpp"
#include "analysis/report/github.hpp"
#include "analysis/report/junit.hpp"
#include "tests/catch.hpp"

namespace headroom::analysis {
namespace {

using scenarios::Diagnostic;

Diagnostic message_at(const std::string& file, int line, const std::string& text,
                      const std::string& pointer = "") {
    return {{file, line, 0}, pointer, text};
}

/// A scenario that passed, one that failed, a rule test that failed, a file with an error.
SuiteResult example_suite() {
    SuiteResult result;
    result.checks = {
        {"checks/a.json",
         "a",
         CheckFile::Kind::scenario,
         {{.name = "requests.failed == 0"}, {.name = kBaseline}},
         0.25,
         {"service b gets no requests"}},
        {"checks/b.json",
         "b",
         CheckFile::Kind::scenario,
         {{.name = "slo.attainment >= 99%"},
          {.name = "replicas at 1m == 8",
           .status = CheckStatus::failed,
           .messages = {message_at("checks/b.json", 7, "replicas at 1m == 8: found 2")}}}},
        {"checks/r.json",
         "r",
         CheckFile::Kind::rule_test,
         {{.name = "keeps its pods",
           .status = CheckStatus::failed,
           .description = "or it flaps",
           .messages = {message_at("checks/r.json", 4,
                                   "replicas at 5m == 8: found \"2\" & <less>")}},
          {.name = "grows"}}},
        {"checks/c.json",
         "c",
         CheckFile::Kind::scenario,
         {{.name = "load",
           .status = CheckStatus::error,
           .messages = {message_at("checks/c.json", 3, "expected a number", "/seed"),
                        message_at("--set /x", 0, "expected a key")}}}}};
    result.left_out = {{"checks/what-if", "a folder of patches"}};
    return result;
}

/// An element of XML with its attributes and what is in it.
struct XmlElement {
    std::string name;
    std::map<std::string, std::string> attributes;
    std::vector<XmlElement> children;
    std::string text;
};

/// A reader of the XML that is written here: no entities but the five and numbers, no CDATA, no
/// comments. Any mistake of form makes `ok` false.
class XmlReader {
  public:
    explicit XmlReader(std::string_view text) : text_(text) {}
    bool ok = true;

    XmlElement document() {
        take("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        XmlElement root = element();
        blanks();
        if (at_ != text_.size()) ok = false;
        return root;
    }

  private:
    void take(std::string_view part) {
        if (text_.substr(at_, part.size()) == part) {
            at_ += part.size();
        } else {
            ok = false;
            at_ = text_.size();
        }
    }
    void blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    }
    std::string until(std::string_view ends) {
        const std::size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
        std::string out(text_.substr(at_, end - at_));
        at_ = end;
        return out;
    }
    std::string decoded(const std::string& raw) {
        static const std::map<std::string, std::string> names = {
            {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}};
        std::string out;
        for (std::size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] != '&') {
                if (raw[i] == '<') ok = false;
                out += raw[i];
                continue;
            }
            const std::size_t end = raw.find(';', i);
            if (end == std::string::npos) {
                ok = false;
                break;
            }
            const std::string name = raw.substr(i + 1, end - i - 1);
            if (names.count(name) > 0) {
                out += names.at(name);
            } else if (name.substr(0, 1) == "#") {
                out += static_cast<char>(std::stoi(name.substr(1)));
            } else {
                ok = false;
            }
            i = end;
        }
        return out;
    }
    XmlElement element() {
        XmlElement out;
        blanks();
        take("<");
        out.name = until(" />");
        while (ok && at_ < text_.size() && text_[at_] == ' ') {
            ++at_;
            const std::string name = until("=");
            take("=\"");
            const std::string value = until("\"");
            take("\"");
            if (!out.attributes.emplace(name, decoded(value)).second) ok = false;
        }
        if (text_.substr(at_, 2) == "/>") {
            at_ += 2;
            return out;
        }
        take(">");
        for (;;) {
            out.text += decoded(until("<"));
            if (!ok || at_ >= text_.size() || text_.substr(at_, 2) == "</") break;
            out.children.push_back(element());
        }
        take("</" + out.name + ">");
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

using Names = std::vector<std::string>;

bool has_exactly(const XmlElement& element, const Names& attributes) {
    std::map<std::string, std::string> left = element.attributes;
    for (const std::string& name : attributes) {
        if (left.erase(name) == 0) return false;
    }
    return left.empty();
}

/// What Apache Ant asks for (JUnit.xsd) and Jenkins allows (junit-10.xsd): elements in their order,
/// all attributes and no others, right counts.
void check_against_schema(const XmlElement& root) {
    CHECK(root.name == "testsuites");
    CHECK(has_exactly(root, {}));
    for (const XmlElement& suite : root.children) {
        CHECK(suite.name == "testsuite");
        CHECK(has_exactly(suite, {"id", "package", "name", "timestamp", "hostname", "tests",
                                  "failures", "errors", "time"}));
        CHECK(suite.attributes.at("timestamp").size() == 19);
        REQUIRE(suite.children.size() >= 3);
        CHECK(suite.children.front().name == "properties");
        CHECK(suite.children[suite.children.size() - 2].name == "system-out");
        CHECK(suite.children.back().name == "system-err");
        std::map<std::string, int> counts = {{"failure", 0}, {"error", 0}};
        for (std::size_t i = 1; i + 2 < suite.children.size(); ++i) {
            const XmlElement& one = suite.children[i];
            CHECK(one.name == "testcase");
            CHECK(has_exactly(one, {"name", "classname", "time"}));
            CHECK_FALSE(one.attributes.at("name").empty());
            CHECK(std::stod(one.attributes.at("time")) >= 0);
            REQUIRE(one.children.size() <= 1);
            if (one.children.empty()) continue;
            CHECK(has_exactly(one.children[0], {"message", "type"}));
            REQUIRE(counts.count(one.children[0].name) == 1);
            ++counts[one.children[0].name];
        }
        CHECK(suite.attributes.at("tests") == std::to_string(suite.children.size() - 3));
        CHECK(suite.attributes.at("failures") == std::to_string(counts["failure"]));
        CHECK(suite.attributes.at("errors") == std::to_string(counts["error"]));
    }
}

}  // namespace

TEST_CASE("CheckReports: the table tells each check, and what did not hold below it") {
    CHECK(check_table(example_suite(), {.width = 80}, false) ==
          "pass   a              1 expectation, baseline\n"
          "       warning: service b gets no requests\n"
          "FAIL   b              2 expectations: 1 failed\n"
          "       checks/b.json:7: replicas at 1m == 8: found 2\n"
          "FAIL   r              2 tests: 1 failed\n"
          "       keeps its pods: or it flaps\n"
          "         checks/r.json:4: replicas at 5m == 8: found \"2\" & <less>\n"
          "ERROR  checks/c.json\n"
          "       checks/c.json:3: /seed: expected a number\n"
          "       --set /x: expected a key\n"
          "\n"
          "4 checks: 1 passed, 2 failed, 1 error; 1 file left out (-v says which)\n");
    const std::string verbose = check_table(example_suite(), {.width = 80}, true);
    CHECK(verbose.find("left out: checks/what-if: a folder of patches\n") != std::string::npos);
}

TEST_CASE("CheckReports: of many messages the table tells the first ten, or all when asked") {
    SuiteResult result = example_suite();
    auto& messages = result.checks[1].cases[1].messages;
    for (int i = 0; i < 20; ++i) messages.push_back(message_at("x.json", i + 1, "more"));
    CHECK(check_table(result, {}, false).find("       ... and 11 more\n") != std::string::npos);
    CHECK(check_table(result, {}, true).find("x.json:20: more\n") != std::string::npos);
}

TEST_CASE("CheckReports: JSON holds every case and every message") {
    const nlohmann::ordered_json json = check_json(example_suite());
    CHECK(json.at("status") == "error");
    CHECK(json.at("passed") == 1);
    CHECK(json.at("failed") == 2);
    CHECK(json.at("errors") == 1);
    CHECK(json.at("checks").at(0).at("warnings").at(0) == "service b gets no requests");
    CHECK(json.at("checks").at(1).at("warnings").empty());
    CHECK(json.at("checks").at(1).at("cases").at(1).at("messages").at(0).at("line") == 7);
    CHECK(json.at("checks").at(2).at("kind") == "rule test");
    CHECK(json.at("checks").at(2).at("cases").at(0).at("description") == "or it flaps");
    CHECK(json.at("checks").at(3).at("cases").at(0).at("messages").at(1).at("line").is_null());
    CHECK(json.at("left_out").at(0).at("reason") == "a folder of patches");
}

TEST_CASE("CheckReports: Markdown escapes what would mean something") {
    const std::string text = check_markdown(example_suite());
    CHECK(text.find("### headroom check: 4 checks: 1 passed, 2 failed, 1 error\n") == 0);
    CHECK(text.find("| **failed** | b | 2 expectations: 1 failed |\n") != std::string::npos);
    CHECK(text.find("**a**\n\n- warning: service b gets no requests\n") != std::string::npos);
    CHECK(text.find("- keeps its pods: or it flaps\n"
                    "  - checks/r.json:4: replicas at 5m == 8: found \"2\" & \\<less\\>\n") !=
          std::string::npos);
}

TEST_CASE("CheckReports: JUnit XML has the form that its schemas ask for") {
    SuiteResult result = example_suite();
    const std::string text = junit_xml(result, "2026-01-31T12:00:00Z");
    XmlReader reader(text);
    const XmlElement root = reader.document();
    REQUIRE(reader.ok);
    check_against_schema(root);
    REQUIRE(root.children.size() == 4);
    CHECK(root.children[0].children.back().text == "warning: service b gets no requests\n");
    const XmlElement& failed = root.children[2].children[1];
    CHECK(failed.attributes.at("classname") == "rule-test.r");
    CHECK(failed.children[0].name == "failure");
    CHECK(failed.children[0].attributes.at("message") ==
          "replicas at 5m == 8: found \"2\" & <less>");
    CHECK(failed.children[0].text ==
          "or it flaps\nchecks/r.json:4: replicas at 5m == 8: found \"2\" & <less>\n");
    CHECK(root.children[3].children[1].children[0].name == "error");
    CHECK(root.children[0].attributes.at("time") == "0.250");
    CHECK(root.children[0].attributes.at("timestamp") == "2026-01-31T12:00:00");
}

TEST_CASE("CheckReports: rule tests of one name in two files are two classes in JUnit XML") {
    SuiteResult result = example_suite();
    result.checks.push_back(result.checks[2]);
    result.checks.back().path = "checks/more/r.json";
    const std::string text = junit_xml(result, "2026-01-31T12:00:00Z");
    XmlReader reader(text);
    const XmlElement root = reader.document();
    REQUIRE(reader.ok);
    const auto class_of = [&](std::size_t suite) {
        return root.children[suite].children[1].attributes.at("classname");
    };
    CHECK(class_of(0) == "scenario.a");
    CHECK(class_of(2) == "rule-test.r (checks/r_json)");
    CHECK(class_of(4) == "rule-test.r (checks/more/r_json)");
}

TEST_CASE("CheckReports: XML gets no character that it cannot hold") {
    CHECK(xml_escaped("a<b>&\"c\"") == "a&lt;b&gt;&amp;&quot;c&quot;");
    CHECK(xml_escaped("line\nnext\ttab") == "line&#10;next&#9;tab");
    CHECK(xml_escaped(std::string_view("nul\0bell\x07", 9)) == "nul?bell?");
    CHECK(xml_escaped("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80") ==
          "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    // Cut short, overlong, a surrogate, beyond the last, and U+FFFE.
    CHECK(xml_escaped("\xc3") == "?");
    CHECK(xml_escaped("\xc0\xaf") == "??");
    CHECK(xml_escaped("\xed\xa0\x80") == "???");
    CHECK(xml_escaped("\xf4\x90\x80\x80") == "????");
    CHECK(xml_escaped("\xef\xbf\xbe") == "???");
}

TEST_CASE("CheckReports: GitHub gets an annotation a message, escaped as its commands ask") {
    SuiteResult result = example_suite();
    result.checks[1].cases[1].messages[0] =
        message_at("checks/b,c:d.json", 7, "99 % held\nnot 100 %");
    CHECK(github_annotations(result) ==
          "::warning file=checks/a.json,title=a::service b gets no requests\n"
          "::error file=checks/b%2Cc%3Ad.json,line=7,title=b::99 %25 held%0Anot 100 %25\n"
          "::error file=checks/r.json,line=4,title=r%3A keeps its pods::replicas at 5m == 8: "
          "found \"2\" & <less>\n"
          "::error file=checks/c.json,line=3,title=c::/seed: expected a number\n"
          "::error title=c::--set /x: expected a key\n");
}

}  // namespace headroom::analysis
