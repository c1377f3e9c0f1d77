#include "analysis/report/junit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "sim/core/printable_text.hpp"

namespace headroom::analysis {

namespace {

std::string attribute(const char* name, std::string_view value) {
    return fmt::format(" {}=\"{}\"", name, xml_escaped(value));
}

/// A package's name may not have what a class's may.
std::string class_name(const Check& check) {
    switch (check.kind) {
        case CheckFile::Kind::scenario:
            return "scenario." + check.name;
        case CheckFile::Kind::rule_test:
            return "rule-test." + check.name;
        case CheckFile::Kind::unreadable:
            break;
    }
    return "file." + check.name;
}

/// By check. A case is known by its class and its name, so rule tests of one name in two files,
/// which may have cases of one name, are told apart by their files.
std::vector<std::string> class_names(const std::vector<Check>& checks) {
    std::map<std::string, int> how_many;
    for (const Check& check : checks) ++how_many[class_name(check)];
    std::vector<std::string> out;
    for (const Check& check : checks) {
        out.push_back(class_name(check));
        if (how_many.at(out.back()) == 1) continue;
        // What stands before the last dot is taken for a package.
        std::string file = check.path;
        std::replace(file.begin(), file.end(), '.', '_');
        out.back() += " (" + file + ")";
    }
    return out;
}

std::string case_element(const std::string& class_name, const CheckCase& one, double time_s) {
    std::string out = "    <testcase" + attribute("name", one.name) +
                      attribute("classname", class_name) +
                      attribute("time", fmt::format("{:.3f}", time_s));
    if (one.status == CheckStatus::passed) return out + "/>\n";
    const char* element = one.status == CheckStatus::failed ? "failure" : "error";
    const char* type = one.status == CheckStatus::failed ? "expectation" : "input";
    std::string text = one.description.empty() ? "" : xml_escaped(one.description) + "\n";
    for (const scenarios::Diagnostic& message : one.messages) {
        text += xml_escaped(message.text()) + "\n";
    }
    const std::string first = one.messages.empty() ? one.name : one.messages.front().message;
    out += ">\n      <" + std::string(element) + attribute("message", first) +
           attribute("type", type) + ">" + text + "</" + element + ">\n";
    return out + "    </testcase>\n";
}

std::string suite_element(const Check& check, const std::string& class_name, std::size_t id,
                          const std::string& started_at) {
    std::string out = "  <testsuite" + attribute("id", std::to_string(id)) +
                      attribute("package", "headroom") + attribute("name", check.path) +
                      attribute("timestamp", started_at) + attribute("hostname", "localhost") +
                      attribute("tests", std::to_string(check.cases.size())) +
                      attribute("failures", std::to_string(check.count(CheckStatus::failed))) +
                      attribute("errors", std::to_string(check.count(CheckStatus::error))) +
                      attribute("time", fmt::format("{:.3f}", check.wall_s)) + ">\n";
    out += "    <properties/>\n";
    // A check is one run: its time is that of its first case.
    double time_s = check.wall_s;
    for (const CheckCase& one : check.cases) {
        out += case_element(class_name, one, time_s);
        time_s = 0;
    }
    std::string warnings;
    for (const std::string& warning : check.warnings) warnings += "warning: " + warning + "\n";
    return out + "    <system-out></system-out>\n    <system-err>" + xml_escaped(warnings) +
           "</system-err>\n  </testsuite>\n";
}

}  // namespace

std::string xml_escaped(std::string_view text) {
    std::string out;
    for (const char c : printable(text, "\t\n\r")) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\t':
            case '\n':
            case '\r':
                out += fmt::format("&#{};", static_cast<int>(c));
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string junit_xml(const SuiteResult& result, const std::string& started_at) {
    // The schemas' time stamps have no zone.
    const std::string stamp = started_at.substr(0, started_at.find('Z'));
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
    const std::vector<std::string> classes = class_names(result.checks);
    for (std::size_t i = 0; i < result.checks.size(); ++i) {
        out += suite_element(result.checks[i], classes[i], i, stamp);
    }
    return out + "</testsuites>\n";
}

}  // namespace headroom::analysis
