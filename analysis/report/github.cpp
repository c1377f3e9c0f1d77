#include "analysis/report/github.hpp"

#include <string_view>

#include "scenarios/diagnostic.hpp"

namespace headroom::analysis {

namespace {

/// `property`: of a value before the second "::", where ':' and ',' mean something too.
std::string escaped(std::string_view text, bool property) {
    std::string out;
    for (const char c : text) {
        if (c == '%') {
            out += "%25";
        } else if (c == '\r') {
            out += "%0D";
        } else if (c == '\n') {
            out += "%0A";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            out += '?';
        } else if (property && c == ':') {
            out += "%3A";
        } else if (property && c == ',') {
            out += "%2C";
        } else {
            out += c;
        }
    }
    return out;
}

/// `level`: "error" or "warning".
std::string annotation(const char* level, const scenarios::Diagnostic& message,
                       const std::string& title) {
    const scenarios::Location& where = message.where;
    // An option of the command line is no file to show a message at.
    const bool is_file = where.file.substr(0, 2) != "--";
    std::string out = "::" + std::string(level) + " ";
    if (is_file) out += "file=" + escaped(where.file, true) + ",";
    if (where.line > 0) out += "line=" + std::to_string(where.line) + ",";
    out += "title=" + escaped(title, true) + "::";
    if (!is_file) return out + escaped(message.text(), false) + "\n";
    if (!message.pointer.empty()) out += escaped(message.pointer, false) + ": ";
    return out + escaped(message.message, false) + "\n";
}

}  // namespace

std::string github_annotations(const SuiteResult& result) {
    std::string out;
    for (const Check& check : result.checks) {
        for (const CheckCase& one : check.cases) {
            const bool named =
                check.kind == CheckFile::Kind::rule_test && one.status == CheckStatus::failed;
            const std::string title = named ? check.name + ": " + one.name : check.name;
            for (const scenarios::Diagnostic& message : one.messages) {
                out += annotation("error", message, title);
            }
        }
        for (const std::string& warning : check.warnings) {
            out += annotation("warning", {{check.path, 0, 0}, "", warning}, check.name);
        }
    }
    return out;
}

}  // namespace headroom::analysis
