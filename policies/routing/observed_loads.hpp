/// ObservedLoads: what a router knows of its endpoints' engines when it polls their metrics: the
/// values of the last look, however old. With an interval of zero it reads them live instead. An
/// endpoint that was never looked at shows zeros, like metrics that did not come yet.
///
/// A policy forwards observes_every() and observe() and asks of() while it picks. of() is O(1)
/// after a look, live as costly as RouterView::load(); a look is O(endpoints) loads. Memory: 16
/// bytes per instance that ever was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/core/parameter.hpp"
#include "sim/serving/routing_policy.hpp"

namespace headroom::policies {

struct ObservedLoad {
    std::int64_t waiting = 0;  ///< requests in the engine's queue
    double kv_usage = 0.0;     ///< fraction of the KV cache in use, 0 where there is none
};

class ObservedLoads {
  public:
    /// The parameter `metrics_refresh`.
    static ParameterSpec parameter_spec(Duration value);
    explicit ObservedLoads(const Parameters& parameters);

    [[nodiscard]] Duration interval() const { return interval_; }
    void look(const serving::RouterView& view);
    [[nodiscard]] ObservedLoad of(const serving::RouterView& view, std::int64_t position) const;

  private:
    Duration interval_;
    std::vector<ObservedLoad> last_;  ///< by ordinal
};

}  // namespace headroom::policies
