#include "scenarios/diagnostic.hpp"

#include <algorithm>
#include <tuple>

#include "sim/core/printable_text.hpp"

namespace headroom::scenarios {

namespace {

// Longer ones nobody reads; JSON reports have them whole.
constexpr std::size_t kLongestPart = 1000;
constexpr std::size_t kLongestMessage = 2000;

}  // namespace

std::string Diagnostic::text() const {
    std::string out = shortened(where.file, kLongestPart);
    if (where.line > 0) {
        out += ":" + std::to_string(where.line);
        if (pointer.empty() && where.column > 0) out += ":" + std::to_string(where.column);
    }
    if (!out.empty()) out += ": ";
    // "--set /x/y: /x/y: ..." would say the pointer twice.
    const bool said = where.line == 0 && where.file.size() > pointer.size() &&
                      where.file.substr(where.file.size() - pointer.size()) == pointer;
    if (!pointer.empty() && !said) out += shortened(pointer, kLongestPart) + ": ";
    return out + shortened(message, kLongestMessage);
}

void sort_diagnostics(Diagnostics& diagnostics) {
    std::stable_sort(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& a, const Diagnostic& b) {
                         return std::tie(a.where.file, a.where.line, a.where.column) <
                                std::tie(b.where.file, b.where.line, b.where.column);
                     });
}

std::string did_you_mean(std::string_view nearest) {
    if (nearest.empty()) return {};
    return " (did you mean \"" + std::string(nearest) + "\"?)";
}

}  // namespace headroom::scenarios
