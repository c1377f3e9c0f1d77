#include "analysis/report/junit.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

namespace headroom::analysis {

namespace {

/// How many bytes of `text` are one character of UTF-8 that XML may hold; 0: none are.
std::size_t character_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
    }
    std::size_t length = 0;
    std::uint32_t code = 0;
    if ((first & 0xe0U) == 0xc0U) {
        length = 2;
        code = first & 0x1fU;
    } else if ((first & 0xf0U) == 0xe0U) {
        length = 3;
        code = first & 0x0fU;
    } else if ((first & 0xf8U) == 0xf0U) {
        length = 4;
        code = first & 0x07U;
    }
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return 0;
        code = code << 6U | (byte(i) & 0x3fU);
    }
    constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < kLeast[length] || code > 0x10ffff || surrogate) return 0;
    return code == 0xfffe || code == 0xffff ? 0 : length;
}

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

std::string case_element(const Check& check, const CheckCase& one, double time_s) {
    std::string out = "    <testcase" + attribute("name", one.name) +
                      attribute("classname", class_name(check)) +
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

std::string suite_element(const Check& check, std::size_t id, const std::string& started_at) {
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
        out += case_element(check, one, time_s);
        time_s = 0;
    }
    return out + "    <system-out></system-out>\n    <system-err></system-err>\n  </testsuite>\n";
}

}  // namespace

std::string xml_escaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        const char c = text.front();
        if (length == 0) {
            out += '?';
        } else if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else if (c == '\n' || c == '\r' || c == '\t') {
            out += fmt::format("&#{};", static_cast<int>(c));
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

std::string junit_xml(const SuiteResult& result, const std::string& started_at) {
    // The schemas' time stamps have no zone.
    const std::string stamp = started_at.substr(0, started_at.find('Z'));
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
    for (std::size_t i = 0; i < result.checks.size(); ++i) {
        out += suite_element(result.checks[i], i, stamp);
    }
    return out + "</testsuites>\n";
}

}  // namespace headroom::analysis
