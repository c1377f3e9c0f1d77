#include "analysis/cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "sim/core/ascii.hpp"

namespace headroom::analysis {

std::string environment_variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

namespace {

/// The first that is set of LC_ALL, LC_CTYPE and LANG decides, as in setlocale(3).
bool locale_is_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        std::string value = environment_variable(name);
        if (value.empty()) continue;
        std::transform(value.begin(), value.end(), value.begin(), to_lower);
        return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

bool colours_wanted() {
    return environment_variable("NO_COLOR").empty() && environment_variable("TERM") != "dumb";
}

}  // namespace

TextStyle out_style() {
    return {.utf8 = locale_is_utf8(), .colour = ::isatty(STDOUT_FILENO) == 1 && colours_wanted()};
}

bool error_is_terminal() {
    return ::isatty(STDERR_FILENO) == 1;
}

std::size_t error_columns() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

void print_out(std::string_view text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (!written || std::fflush(stdout) != 0) throw OutputError("cannot write to standard output");
}

void print_note(std::string_view text) {
    std::fprintf(stderr, "headroom: %.*s\n", static_cast<int>(text.size()), text.data());
}

void print_diagnostics(const scenarios::Diagnostics& diagnostics) {
    for (const scenarios::Diagnostic& diagnostic : diagnostics) {
        std::fprintf(stderr, "%s\n", diagnostic.text().c_str());
    }
    if (diagnostics.size() > 1) print_note(std::to_string(diagnostics.size()) + " mistakes");
}

}  // namespace headroom::analysis
