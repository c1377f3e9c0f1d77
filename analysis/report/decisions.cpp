#include "analysis/report/decisions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <tuple>

#include "analysis/report/timeline.hpp"
#include "analysis/report/units.hpp"

namespace headroom::analysis {

namespace {

using control::Decision;

/// Numbers below 0 mark decisions that do not count replicas.
bool counts(const Decision& decision) {
    return decision.before >= 0 && decision.wanted >= 0;
}

std::int64_t size_of(const Decision& decision) {
    if (!counts(decision)) return 1;
    const std::int64_t reached =
        decision.outcome == Decision::Outcome::blocked ? decision.wanted : decision.after;
    return std::abs(reached - decision.before);
}

bool worth_telling(const Decision& decision) {
    if (decision.outcome == Decision::Outcome::unchanged) return false;
    if (is_of_warm_pool(decision.actor)) return false;  // its promotions are of the workload
    return decision.outcome == Decision::Outcome::blocked || counts(decision) ||
           decision.actor != "scheduler";
}

bool is_blocked(const Decision* decision) {
    return decision->outcome == Decision::Outcome::blocked;
}

/// 0: a change; 1: blocked, for more; 2: blocked, for less.
int rank_of(const Decision& decision) {
    if (!is_blocked(&decision)) return 0;
    return counts(decision) && decision.wanted < decision.before ? 2 : 1;
}

std::vector<const Decision*> ranked(const std::vector<Decision>& decisions) {
    std::vector<const Decision*> out;
    for (const Decision& decision : decisions) {
        if (worth_telling(decision)) out.push_back(&decision);
    }
    std::stable_sort(out.begin(), out.end(), [](const Decision* a, const Decision* b) {
        return std::make_tuple(rank_of(*a), -size_of(*a), a->time) <
               std::make_tuple(rank_of(*b), -size_of(*b), b->time);
    });
    return out;
}

std::vector<const Decision*> choose(std::vector<const Decision*> all) {
    if (all.size() <= kMostDecisions) return all;
    const auto first_blocked = std::find_if(all.begin(), all.end(), is_blocked);
    const auto changes = static_cast<std::size_t>(first_blocked - all.begin());
    const std::size_t kept = std::min(kKeptForBlocked, all.size() - changes);
    if (changes > kMostDecisions - kept) {
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(kMostDecisions - kept), first_blocked);
    }
    all.resize(kMostDecisions);
    return all;
}

}  // namespace

std::string decision_actor(const Decision& decision) {
    const bool named = decision.actor.ends_with(" " + decision.subject);
    return named ? decision.actor : decision.actor + ", " + decision.subject;
}

std::string decision_change(const Decision& decision) {
    if (!counts(decision)) {
        return decision.outcome == Decision::Outcome::blocked ? "blocked" : "";
    }
    if (decision.outcome == Decision::Outcome::blocked) {
        return fmt::format("{} (wanted {})", decision.after, decision.wanted);
    }
    return fmt::format("{} -> {}", decision.before, decision.after);
}

std::string render_decisions(const std::vector<Decision>& decisions, const TextStyle& style) {
    const std::vector<const Decision*> all = ranked(decisions);
    if (all.empty()) return {};
    const std::vector<const Decision*> chosen = choose(all);

    std::size_t time_width = 0;
    std::size_t actor_width = 0;
    std::size_t change_width = 0;
    for (const Decision* decision : chosen) {
        time_width = std::max(time_width, clock_text(decision->time.to_seconds()).size());
        actor_width = std::max(actor_width, columns_of(decision_actor(*decision)));
        change_width = std::max(change_width, decision_change(*decision).size());
    }
    std::string out = ink("Decisions", Ink::bold, style);
    out += all.size() > chosen.size()
               ? fmt::format(", the {} largest of {}\n", chosen.size(), all.size())
               : "\n";
    const std::size_t indent = 2 + time_width + 2 + std::min<std::size_t>(actor_width, 30) + 2;
    for (const Decision* decision : chosen) {
        std::string line = "  " + pad_left(clock_text(decision->time.to_seconds()), time_width) +
                           "  " + pad_right(decision_actor(*decision), actor_width) + "  ";
        if (change_width > 0) line += pad_right(decision_change(*decision), change_width) + "  ";
        line += decision->reason;
        if (!decision->inputs.empty()) line += "; " + decision->inputs;
        out += wrap(line, style.width, indent) + "\n";
    }
    return out;
}

}  // namespace headroom::analysis
