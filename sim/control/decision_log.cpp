#include "sim/control/decision_log.hpp"

#include <utility>

#include "sim/core/hash.hpp"

namespace headroom::control {

namespace {
/// Tells records of decisions from those of requests in a merged digest: "decision" in ASCII.
constexpr std::uint64_t kDecisionRecord = 0x6465636973696f6eULL;
}  // namespace

void DecisionLog::record(Decision decision, bool repeat, std::span<const std::int64_t> details) {
    if (repeat && !keep_repeats_) return;
    if (!repeat) {
        metrics::DigestRecord record{kDecisionRecord};
        record.add(decision.time).add(hash_name(decision.actor)).add(hash_name(decision.subject));
        record.add(decision.outcome).add(decision.before).add(decision.wanted).add(decision.after);
        for (const std::int64_t detail : details) record.add(detail);
        digest_.add(record);
    }
    decisions_.push_back(std::move(decision));
}

}  // namespace headroom::control
