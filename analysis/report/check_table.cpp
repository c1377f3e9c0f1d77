#include "analysis/report/check_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "analysis/report/units.hpp"
#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

const char* kind_of(const Check& check) {
    switch (check.kind) {
        case CheckFile::Kind::scenario:
            return "scenario";
        case CheckFile::Kind::rule_test:
            return "rule test";
        case CheckFile::Kind::unreadable:
            break;
    }
    return "file";
}

/// A name where there is one; what could not be loaded is known by its path.
std::string title_of(const Check& check) {
    const bool loaded = std::none_of(check.cases.begin(), check.cases.end(), [](const auto& one) {
        return one.status == CheckStatus::error && (one.name == "load" || one.name == "read");
    });
    return loaded ? check.name : check.path;
}

/// "4 expectations, baseline", "1 of 3 tests failed"; nothing where it could not be carried out.
std::string verdict_of(const Check& check) {
    if (check.status() == CheckStatus::error) return "";
    std::int64_t plain = 0;
    std::string besides;
    for (const CheckCase& one : check.cases) {
        const bool special = one.name == kBaseline || one.name == kRunsToItsEnd;
        plain += special ? 0 : 1;
        if (special) besides = one.name;
    }
    const std::string noun = check.kind == CheckFile::Kind::rule_test ? "test" : "expectation";
    std::string what = plain > 0 || besides.empty() ? plural(plain, noun) : "";
    if (!besides.empty()) what += (what.empty() ? "" : ", ") + besides;
    const std::size_t failed = check.count(CheckStatus::failed);
    if (failed == 0) return what;
    return fmt::format("{}: {} failed", what, failed);
}

/// An expectation's message begins with its text; that of a test does not tell which it was.
bool names_its_cases(const Check& check) {
    return check.kind == CheckFile::Kind::rule_test && check.status() == CheckStatus::failed;
}

std::string heading_of(const CheckCase& one) {
    return one.name + (one.description.empty() ? "" : ": " + one.description);
}

/// The messages of a case: all, or the first ones and how many there are besides.
std::vector<std::string> lines_of(const CheckCase& one, bool all) {
    std::vector<std::string> lines;
    for (const scenarios::Diagnostic& message : one.messages) {
        if (!all && lines.size() == kMostMessages) {
            lines.push_back(fmt::format("... and {} more", one.messages.size() - kMostMessages));
            break;
        }
        lines.push_back(message.text());
    }
    return lines;
}

std::string marked(CheckStatus status, const TextStyle& style) {
    switch (status) {
        case CheckStatus::passed:
            return ink("pass ", Ink::green, style);
        case CheckStatus::failed:
            return ink("FAIL ", Ink::red, style);
        case CheckStatus::error:
            return ink("ERROR", Ink::red, style);
    }
    return "";
}

/// Markdown's own characters lose their meaning.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::string_view("\\`*_{}[]<>|#").find(c) != std::string_view::npos) out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out;
}

Json message_json(const scenarios::Diagnostic& message) {
    Json out;
    out["file"] = message.where.file;
    out["line"] = message.where.line > 0 ? Json(message.where.line) : Json(nullptr);
    if (!message.pointer.empty()) out["pointer"] = message.pointer;
    out["message"] = message.message;
    return out;
}

Json check_entry(const Check& check) {
    Json out;
    out["file"] = check.path;
    out["name"] = check.name;
    out["kind"] = kind_of(check);
    out["status"] = to_string(check.status());
    out["warnings"] = check.warnings;
    out["cases"] = Json::array();
    for (const CheckCase& one : check.cases) {
        Json messages = Json::array();
        for (const auto& message : one.messages) messages.push_back(message_json(message));
        Json entry = {{"name", one.name}, {"status", to_string(one.status)}};
        if (!one.description.empty()) entry["description"] = one.description;
        entry["messages"] = std::move(messages);
        out["cases"].push_back(std::move(entry));
    }
    return out;
}

}  // namespace

const char* to_string(CheckStatus status) {
    switch (status) {
        case CheckStatus::passed:
            return "passed";
        case CheckStatus::failed:
            return "failed";
        case CheckStatus::error:
            break;
    }
    return "error";
}

std::string check_totals(const SuiteResult& result) {
    const auto count = [&](CheckStatus status) {
        return static_cast<std::int64_t>(result.count(status));
    };
    std::string out = plural(static_cast<std::int64_t>(result.checks.size()), "check") + ": ";
    out += fmt::format("{} passed", count(CheckStatus::passed));
    const std::int64_t failed = count(CheckStatus::failed);
    if (failed > 0) out += fmt::format(", {} failed", failed);
    const std::int64_t errors = count(CheckStatus::error);
    if (errors > 0) out += ", " + plural(errors, "error");
    return out;
}

std::string check_table(const SuiteResult& result, const TextStyle& style, bool verbose) {
    constexpr std::size_t kIndent = 7;  // below the title
    std::size_t width = 0;
    for (const Check& check : result.checks) width = std::max(width, columns_of(title_of(check)));
    width = std::min(width, style.width / 2);
    std::string out;
    for (const Check& check : result.checks) {
        std::string row = pad_right(title_of(check), width) + "  " + verdict_of(check);
        row.erase(row.find_last_not_of(' ') + 1);
        out += marked(check.status(), style) + "  " + row + "\n";
        for (const CheckCase& one : check.cases) {
            std::size_t indent = kIndent;
            if (names_its_cases(check) && one.status != CheckStatus::passed) {
                out += wrap(std::string(indent, ' ') + heading_of(one), style.width, indent) + "\n";
                indent += 2;
            }
            for (const std::string& line : lines_of(one, verbose)) {
                out += wrap(std::string(indent, ' ') + line, style.width, indent + 2) + "\n";
            }
        }
        for (const std::string& warning : check.warnings) {
            out +=
                wrap(std::string(kIndent, ' ') + "warning: " + warning, style.width, kIndent + 2) +
                "\n";
        }
    }
    if (verbose) {
        for (const LeftOut& file : result.left_out) {
            out += "left out: " + file.path + ": " + file.reason + "\n";
        }
    }
    out += (out.empty() ? "" : "\n") + check_totals(result);
    if (!result.left_out.empty() && !verbose) {
        out += fmt::format("; {} left out (-v says which)",
                           plural(static_cast<std::int64_t>(result.left_out.size()), "file"));
    }
    return out + "\n";
}

std::string check_markdown(const SuiteResult& result) {
    std::string out = "### headroom check: " + check_totals(result) + "\n";
    if (result.checks.empty()) return out;
    out += "\n| | check | result |\n| --- | --- | --- |\n";
    for (const Check& check : result.checks) {
        const bool passed = check.status() == CheckStatus::passed;
        out += fmt::format("| {} | {} | {} |\n",
                           passed ? "passed" : fmt::format("**{}**", to_string(check.status())),
                           escaped(title_of(check)), escaped(verdict_of(check)));
    }
    for (const Check& check : result.checks) {
        if (check.status() == CheckStatus::passed && check.warnings.empty()) continue;
        out += "\n**" + escaped(title_of(check)) + "**\n\n";
        for (const CheckCase& one : check.cases) {
            const bool named = names_its_cases(check);
            if (named && one.status != CheckStatus::passed) {
                out += "- " + escaped(heading_of(one)) + "\n";
            }
            for (const std::string& line : lines_of(one, false)) {
                out += (named ? "  - " : "- ") + escaped(line) + "\n";
            }
        }
        for (const std::string& warning : check.warnings) {
            out += "- warning: " + escaped(warning) + "\n";
        }
    }
    return out;
}

Json check_json(const SuiteResult& result) {
    Json out;
    out["version"] = program_version();
    out["status"] = to_string(result.worst());
    out["passed"] = result.count(CheckStatus::passed);
    out["failed"] = result.count(CheckStatus::failed);
    out["errors"] = result.count(CheckStatus::error);
    out["checks"] = Json::array();
    for (const Check& check : result.checks) out["checks"].push_back(check_entry(check));
    out["left_out"] = Json::array();
    for (const LeftOut& file : result.left_out) {
        out["left_out"].push_back({{"file", file.path}, {"reason", file.reason}});
    }
    return out;
}

}  // namespace headroom::analysis
