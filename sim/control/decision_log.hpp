/// DecisionLog: what the actors of the control plane decided, and the digest of it.
///
/// A change and a newly blocked change are kept and hashed. A tick that changed nothing, or that
/// was blocked exactly as the one before it, is a *repeat*: kept only when all decisions were asked
/// for, and never hashed, so asking for them changes no digest. Reasons are words and are not
/// hashed; a decision that its three numbers do not tell (which devices a pod got) adds `details`.
///
///     if (log.keeps_repeats() || !repeat) log.record(std::move(decision), repeat);
///
/// record is O(1); memory grows with the decisions kept.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/control/control_results.hpp"
#include "sim/metrics/digest.hpp"

namespace headroom::control {

class DecisionLog {
  public:
    explicit DecisionLog(bool keep_repeats) : keep_repeats_(keep_repeats) {}

    [[nodiscard]] bool keeps_repeats() const { return keep_repeats_; }
    void record(Decision decision, bool repeat, std::span<const std::int64_t> details = {});

    [[nodiscard]] const metrics::Digest& digest() const { return digest_; }
    [[nodiscard]] const std::vector<Decision>& decisions() const { return decisions_; }
    [[nodiscard]] std::vector<Decision> take() { return std::move(decisions_); }

  private:
    bool keep_repeats_;
    std::vector<Decision> decisions_;
    metrics::Digest digest_;
};

}  // namespace headroom::control
