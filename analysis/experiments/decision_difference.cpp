#include "analysis/experiments/decision_difference.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>

namespace headroom::analysis {

namespace {

using control::Decision;

bool same(const Decision& a, const Decision& b) {
    const auto key = [](const Decision& d) {
        return std::tie(d.time, d.actor, d.subject, d.outcome, d.before, d.wanted, d.after);
    };
    return key(a) == key(b);
}

/// The next decision from `at` on of the same actor about the same subject.
std::optional<Decision> next_like(const std::vector<Decision>& list, std::size_t at,
                                  const Decision& like) {
    const auto found = std::find_if(
        list.begin() + static_cast<std::ptrdiff_t>(at), list.end(),
        [&](const Decision& d) { return d.actor == like.actor && d.subject == like.subject; });
    if (found == list.end()) return std::nullopt;
    return *found;
}

}  // namespace

std::optional<DecisionDifference> first_difference(const std::vector<Decision>& a,
                                                   const std::vector<Decision>& b) {
    std::size_t at = 0;
    while (at < a.size() && at < b.size() && same(a[at], b[at])) ++at;
    if (at == a.size() && at == b.size()) return std::nullopt;
    const bool a_first = at < a.size() && (at == b.size() || a[at].time <= b[at].time);
    const Decision& first = a_first ? a[at] : b[at];
    DecisionDifference out;
    out.time = first.time;
    out.actor = first.actor;
    out.subject = first.subject;
    out.a = next_like(a, at, first);
    out.b = next_like(b, at, first);
    return out;
}

}  // namespace headroom::analysis
