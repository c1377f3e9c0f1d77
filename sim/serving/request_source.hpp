/// RequestSource: yields the requests of one stream in time order, one at a time (pulled, so that
/// memory is O(requests in flight)). Open-loop sources (traces, generators) ignore completions;
/// closed-loop ones (users with think time, sessions of several turns) answer each completion with
/// the next request.
///
/// Contract:
///  - peek() is the time of the next request, nullopt while none is due. It may change only through
///    take() and completed(); it never lies before the last taken time or the last completion.
///  - take() may be called only when peek() has a value, and returns a request of that time.
///  - completed() is called once for every request taken, when its outcome is known; a source that
///    says by answers_completions() that it does not care is spared the calls.
///  - error() is not empty once the source met bad input (a streamed trace); peek() is then nullopt
///    and the run ends in order, as a failure.
/// A source draws from streams of its own, indexed by its own request numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/core/time.hpp"
#include "sim/serving/request.hpp"

namespace headroom::serving {

struct Completion {
    Time time;
    std::uint32_t user = 0;  ///< as in the Arrival
    Outcome outcome = Outcome::completed;
};

class RequestSource {
  public:
    virtual ~RequestSource() = default;
    [[nodiscard]] virtual OptionalTime peek() = 0;
    virtual Arrival take() = 0;
    virtual void completed(const Completion&) {}
    /// False: completed() does nothing. Asked once, before the run.
    [[nodiscard]] virtual bool answers_completions() const { return true; }
    [[nodiscard]] virtual const std::string& error() const {
        static const std::string none;
        return none;
    }
};

}  // namespace headroom::serving
