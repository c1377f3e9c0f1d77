/// ClosedLoopSource: N users, each of whom issues a request, waits until it ends, thinks, and
/// issues the next one: the load slows down with the system, as a load tester's does. At most N
/// requests are ever in flight.
///
///     ClosedLoopSource source({.name = "bench", .seed = 1, .users = 64, .think = fixed_1s, ...});
///
/// User k starts at k * ramp / N. Turn t of user k uses number (k, t) of the streams "think",
/// "prompt" and "output", so no user's draws depend on the others' speed. Of users due at one time
/// the lowest comes first. After a request that did not complete the user waits `failure_pause` at
/// least, so that a rejection cannot loop within one instant. Arrival.user is the user's number.
/// O(log N) a request, no allocation after construction, 16 bytes a user and as many a due one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/distribution.hpp"
#include "sim/serving/request_source.hpp"
#include "traces/generators/due_heap.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::traces {

struct ClosedLoopConfig {
    std::string name{};
    std::uint64_t seed = 0;
    std::uint32_t users = 1;  ///< >= 1
    Distribution think{};     ///< seconds between an end and the next request
    Duration ramp{};          ///< over which the users start
    Duration failure_pause = Duration::seconds(1);
    LengthModel prompt{};
    LengthModel output{};
    serving::RequestAttributes attributes{};
    std::optional<Time> end{};            ///< no request at or after it
    std::optional<std::int64_t> limit{};  ///< requests at most
};

class ClosedLoopSource final : public serving::RequestSource {
  public:
    explicit ClosedLoopSource(ClosedLoopConfig config);

    [[nodiscard]] OptionalTime peek() override;
    serving::Arrival take() override;
    void completed(const serving::Completion& completion) override;

    [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }

  private:
    ClosedLoopConfig config_;
    RandomStream think_stream_;
    RandomStream prompt_stream_;
    RandomStream output_stream_;
    std::vector<std::uint64_t> turns_;  ///< requests issued, by user
    DueHeap due_;
    std::int64_t taken_ = 0;
    std::uint32_t in_flight_ = 0;
};

}  // namespace headroom::traces
