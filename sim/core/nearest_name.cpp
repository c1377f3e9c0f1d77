#include "sim/core/nearest_name.hpp"

#include <algorithm>

#include "sim/core/ascii.hpp"

namespace headroom::inline core {

namespace {

/// Nobody mistypes a longer one; to compare it would take the square of its length.
constexpr std::size_t kLongestName = 1000;

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const char x = to_lower(a[i - 1]);
            const char y = to_lower(b[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (x == y ? 0U : 1U)});
            const bool swapped =
                i > 1 && j > 1 && x == to_lower(b[j - 2]) && to_lower(a[i - 2]) == y;
            if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        before_last.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

std::string nearest_name(std::string_view given, const std::vector<std::string>& names) {
    const std::string* best = nullptr;
    std::size_t least = given.size();
    if (given.size() > kLongestName) return {};
    for (const std::string& name : names) {
        const std::size_t limit = std::max<std::size_t>(1, std::max(given.size(), name.size()) / 3);
        // So many letters are too many or too few at least.
        const std::size_t shorter = std::min(given.size(), name.size());
        if (std::max(given.size(), name.size()) - shorter > limit) continue;
        const std::size_t distance = edit_distance(given, name);
        if (distance <= limit && distance < least) {
            best = &name;
            least = distance;
        }
    }
    if (best != nullptr) return *best;
    const auto begins = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
        return given.size() >= 2 && given.size() < name.size() &&
               equal_in_any_case(given, std::string_view(name).substr(0, given.size()));
    });
    return begins == names.end() ? std::string() : *begins;
}

}  // namespace headroom::inline core
