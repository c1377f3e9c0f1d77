/// SourceLoad: what a source asks for, as far as its description tells without drawing a request.
/// An arrival process knows its rate at every time; a trace has to be read, and how fast a closed
/// loop goes is up to the system. For formulas about the load: a run never looks at it.
///
///     const double requests = load.arrivals->expected_by(end);      // Kind::arrivals
///     const double most = load.users / load.think_s;                // Kind::closed_loop
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "sim/core/time.hpp"
#include "traces/generators/arrival_process.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::scenarios {

struct SourceLoad {
    enum class Kind : std::uint8_t { arrivals, sessions, closed_loop, trace };

    Kind kind = Kind::arrivals;
    std::shared_ptr<const traces::ArrivalProcess> arrivals{};  ///< of requests, or of sessions
    traces::LengthModel prompt{};                              ///< in sessions what a turn adds
    traces::LengthModel output{};
    std::int64_t users = 0;               ///< of a closed loop
    double think_s = 0;                   ///< of a closed loop, on average
    std::optional<Time> end{};            ///< no request at or after it
    std::optional<std::int64_t> limit{};  ///< requests (or sessions) at most
};

}  // namespace headroom::scenarios
