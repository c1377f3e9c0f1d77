#include "policies/scaling/slo_aware/slo_clauses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "policies/scaling/decision_text.hpp"

namespace headroom::policies {

namespace {

/// How much more arrives when help comes than now, g; 1 where nothing arrives.
double arrival_growth(const LlmSignals& signals, const SloOutlook& outlook) {
    const double now = signals.arrivals.value_or(0.0);
    return now > 0.0 ? std::max(1.0, outlook.expected_arrivals / now) : 1.0;
}

/// lambda b: the share of a step's time that the batch is to blame for.
double batch_load(const SloOutlook& outlook) {
    return 1.0 - 1.0 / outlook.slowdown;
}

/// How much more of the KV cache will be in use when help comes.
double kv_growth(const LlmSignals& signals, const SloOutlook& outlook) {
    const double arrivals = arrival_growth(signals, outlook);
    const double load = batch_load(outlook);
    const double left = 1.0 - arrivals * load;
    if (left <= 0.0) return outlook.max_growth;
    return std::min(outlook.max_growth, arrivals * (1.0 - load) / left);
}

/// What will wait when an instance asked for now is ready.
double future_backlog(const LlmSignals& signals, const SloOutlook& outlook, double rate) {
    const auto instances = static_cast<double>(signals.ready + signals.starting);
    const double surplus = outlook.expected_arrivals - rate * instances;
    return std::max(0.0, signals.waiting + surplus * outlook.start_s);
}

double queue_need(const LlmSignals& signals, const SloTargets& targets, const SloOutlook& outlook) {
    const auto ready = static_cast<double>(signals.ready);
    if (signals.waiting <= targets.max_queue * ready) return 0.0;
    if (!outlook.rate_of_instance) return signals.waiting / targets.max_queue;
    const double rate = *outlook.rate_of_instance;
    const double backlog = future_backlog(signals, outlook, rate);
    const bool within_target = backlog <= rate * ready * targets.ttft_s;
    const double drain = within_target ? 0.0 : backlog / targets.drain_s;
    return (outlook.expected_arrivals + drain) / rate;
}

double ttft_need(const LlmSignals& signals, const SloTargets& targets) {
    const double limit = targets.ttft_threshold * targets.ttft_s;
    if (!signals.ttft_s || *signals.ttft_s <= limit) return 0.0;
    const auto ready = static_cast<double>(signals.ready);
    return std::min(2.0 * ready, ready * *signals.ttft_s / limit);
}

}  // namespace

SloNeeds slo_needs(const LlmSignals& signals, const SloTargets& targets,
                   const SloOutlook& outlook) {
    SloNeeds needs = {};
    needs[static_cast<std::size_t>(SloClause::kv)] =
        signals.kv * kv_growth(signals, outlook) / targets.kv;
    if (outlook.rate_of_instance) {
        needs[static_cast<std::size_t>(SloClause::load)] =
            outlook.expected_arrivals / (targets.load * *outlook.rate_of_instance);
    }
    needs[static_cast<std::size_t>(SloClause::queue)] = queue_need(signals, targets, outlook);
    needs[static_cast<std::size_t>(SloClause::ttft)] = ttft_need(signals, targets);
    return needs;
}

double kv_leaves(const LlmSignals& signals, const SloTargets& targets, const SloOutlook& outlook) {
    const double load = batch_load(outlook);
    const auto ready = static_cast<double>(signals.ready);
    return arrival_growth(signals, outlook) *
           ((1.0 - load) * signals.kv / targets.kv + load * ready);
}

SloTargets with_margin(const SloTargets& targets, double margin) {
    SloTargets tighter = targets;
    tighter.ttft_threshold *= margin;
    tighter.kv *= margin;
    tighter.max_queue *= margin;
    tighter.load *= margin;
    return tighter;
}

SloClause largest_need(const SloNeeds& needs) {
    const auto most = std::max_element(needs.begin(), needs.end());
    return static_cast<SloClause>(most - needs.begin());
}

std::int64_t whole_instances(double need) {
    constexpr double kRounding = 1e-6;
    constexpr double kMost = 1e9;
    return static_cast<std::int64_t>(std::ceil(std::clamp(need - kRounding, 0.0, kMost)));
}

std::string describe_clause(SloClause clause, const LlmSignals& signals, const SloTargets& targets,
                            const SloOutlook& outlook) {
    const auto ready = static_cast<double>(std::max<std::int64_t>(1, signals.ready));
    const std::int64_t start_s = std::llround(outlook.start_s);
    switch (clause) {
        case SloClause::kv: {
            const double more = kv_growth(signals, outlook);
            const std::string ahead = more > 1.0 ? fmt::format(", {} times as much in {} s",
                                                               hundredths_text(more), start_s)
                                                 : std::string();
            return fmt::format("KV {} of {}{}", hundredths_text(signals.kv / ready),
                               hundredths_text(targets.kv), ahead);
        }
        case SloClause::load:
            return fmt::format("{} arrivals/s in {} s, {} % of {}/s an instance",
                               hundredths_text(outlook.expected_arrivals), start_s,
                               std::llround(targets.load * 100.0),
                               hundredths_text(outlook.rate_of_instance.value_or(0.0)));
        case SloClause::queue:
            return fmt::format("queue {}, {} an instance of {}", tenths_text(signals.waiting),
                               tenths_text(signals.waiting / ready),
                               tenths_text(targets.max_queue));
        case SloClause::ttft:
            return fmt::format("TTFT {} s of {} s", hundredths_text(signals.ttft_s.value_or(0.0)),
                               hundredths_text(targets.ttft_threshold * targets.ttft_s));
    }
    return {};
}

}  // namespace headroom::policies
