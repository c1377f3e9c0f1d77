/// RestartBackoff: when the kubelet starts a container again that has ended (CrashLoopBackOff).
///
/// The first restart is immediate. Each further one waits, from the moment the container ended, 10
/// s, then 20 s, 40 s, ... and 300 s at most; a container that ends later than 600 s after the last
/// decision to restart begins anew. Source: kubernetes v1.28 pkg/kubelet/kuberuntime (doBackOff)
/// and client-go util/flowcontrol/backoff.go. O(1).
///
///     RestartBackoff backoff;
///     const Time at = backoff.restart_at(now);  // the container has ended now
#pragma once

#include <algorithm>
#include <optional>

#include "sim/core/time.hpp"

namespace headroom::control {

class RestartBackoff {
  public:
    /// The container ended at `ended`: when it is started again. Not before its last restart.
    Time restart_at(Time ended) {
        if (!decided_ || ended - *decided_ > kForgottenAfter) {
            wait_ = kFirstWait;
            decided_ = ended;
        } else {
            decided_ = ended + wait_;
            wait_ = std::min(wait_ * 2, kLongestWait);
        }
        return *decided_;
    }

    static constexpr Duration kFirstWait = Duration::seconds(10);
    static constexpr Duration kLongestWait = Duration::seconds(300);
    static constexpr Duration kForgottenAfter = Duration::seconds(600);

  private:
    std::optional<Time> decided_;  ///< when the last restart was due
    Duration wait_ = kFirstWait;   ///< of the next one
};

}  // namespace headroom::control
