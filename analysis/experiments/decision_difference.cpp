#include "analysis/experiments/decision_difference.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>
#include <tuple>

namespace headroom::analysis {

namespace {

using control::Decision;

bool same(const Decision& a, const Decision& b) {
    const auto key = [](const Decision& d) {
        return std::tie(d.time, d.actor, d.subject, d.outcome);
    };
    if (key(a) != key(b)) return false;
    if (a.actor == "scheduler" && a.outcome == Decision::Outcome::changed) {
        return a.reason == b.reason;
    }
    return std::tie(a.before, a.wanted, a.after) == std::tie(b.before, b.wanted, b.after);
}

std::set<std::string_view> actors_of(const std::vector<Decision>& list) {
    std::set<std::string_view> actors;
    for (const Decision& d : list) actors.insert(d.actor);
    return actors;
}

/// The next decision of `list` from `at` on about the same subject: of the same actor, or of one
/// that took its place.
std::optional<Decision> next_like(const std::vector<Decision>& list, std::size_t at,
                                  const Decision& like, const std::vector<Decision>& other) {
    const std::set<std::string_view> others = actors_of(other);
    const bool replaced = actors_of(list).count(like.actor) == 0;
    const auto found = std::find_if(
        list.begin() + static_cast<std::ptrdiff_t>(at), list.end(), [&](const Decision& d) {
            if (d.subject != like.subject) return false;
            return d.actor == like.actor || (replaced && others.count(d.actor) == 0);
        });
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
    out.a = next_like(a, at, first, b);
    out.b = next_like(b, at, first, a);
    return out;
}

}  // namespace headroom::analysis
