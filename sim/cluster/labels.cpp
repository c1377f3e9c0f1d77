#include "sim/cluster/labels.hpp"

#include <algorithm>
#include <charconv>

namespace headroom::cluster {

namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool compares(const MatchExpression& expression, const std::string& label) {
    if (expression.values.size() != 1) return false;
    const auto have = whole_number(label);
    const auto want = whole_number(expression.values[0]);
    if (!have || !want) return false;
    return expression.op == MatchOperator::gt ? *have > *want : *have < *want;
}

}  // namespace

bool matches(const MatchExpression& expression, const Labels& labels) {
    const auto it = labels.find(expression.key);
    const bool there = it != labels.end();
    const auto listed = [&expression, &it] {
        const auto& values = expression.values;
        return std::find(values.begin(), values.end(), it->second) != values.end();
    };
    switch (expression.op) {
        case MatchOperator::in:
            return there && listed();
        case MatchOperator::not_in:
            return !there || !listed();
        case MatchOperator::exists:
            return there;
        case MatchOperator::does_not_exist:
            return !there;
        case MatchOperator::gt:
        case MatchOperator::lt:
            return there && compares(expression, it->second);
    }
    return false;
}

bool matches(const SelectorTerm& term, const Labels& labels) {
    return !term.expressions.empty() &&
           std::all_of(term.expressions.begin(), term.expressions.end(),
                       [&labels](const MatchExpression& e) { return matches(e, labels); });
}

bool matches_any(const std::vector<SelectorTerm>& terms, const Labels& labels) {
    return terms.empty() ||
           std::any_of(terms.begin(), terms.end(),
                       [&labels](const SelectorTerm& t) { return matches(t, labels); });
}

bool matches_all(const Labels& selector, const Labels& labels) {
    return std::all_of(selector.begin(), selector.end(), [&labels](const auto& wanted) {
        const auto it = labels.find(wanted.first);
        return it != labels.end() && it->second == wanted.second;
    });
}

bool tolerates(const Toleration& toleration, const Taint& taint) {
    if (toleration.effect && *toleration.effect != taint.effect) return false;
    if (!toleration.key.empty() && toleration.key != taint.key) return false;
    return toleration.op == TolerationOperator::exists || toleration.value == taint.value;
}

bool tolerated(const Taint& taint, const std::vector<Toleration>& tolerations) {
    return std::any_of(tolerations.begin(), tolerations.end(),
                       [&taint](const Toleration& t) { return tolerates(t, taint); });
}

std::optional<Duration> toleration_time(const std::vector<Taint>& taints,
                                        const std::vector<Toleration>& tolerations) {
    std::optional<Duration> least;
    for (const Taint& taint : taints) {
        if (taint.effect != TaintEffect::no_execute) continue;
        const auto first =
            std::find_if(tolerations.begin(), tolerations.end(),
                         [&taint](const Toleration& t) { return tolerates(t, taint); });
        if (first == tolerations.end() || !first->toleration_time) continue;
        if (!least || *first->toleration_time < *least) least = first->toleration_time;
    }
    return least;
}

const Taint* first_untolerated(const std::vector<Taint>& taints,
                               const std::vector<Toleration>& tolerations) {
    for (const Taint& taint : taints) {
        if (taint.effect == TaintEffect::prefer_no_schedule) continue;
        if (!tolerated(taint, tolerations)) return &taint;
    }
    return nullptr;
}

}  // namespace headroom::cluster
