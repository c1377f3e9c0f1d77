/// What a request is while it is in the system: a root request (what a user asked), a call (one
/// service's part of it) and an attempt (one try of a call on one instance; a retry is another
/// attempt). Each is a record of its own and ends with an Outcome and, where it did not complete, a
/// Cause. Conservation holds at each level: arrived = the sum over outcomes, in_flight included.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sim/core/id.hpp"
#include "sim/core/time.hpp"
#include "sim/core/units.hpp"
#include "sim/serving/token_contents.hpp"

namespace headroom::serving {

enum class Outcome : std::uint8_t { in_flight, completed, failed, rejected, timed_out };
inline constexpr std::size_t kOutcomeCount = 5;

/// Why a request did not complete.
enum class Cause : std::uint8_t {
    none,
    gateway_queue_full,    ///< rejected: the gateway's bounded queue had no room
    instance_queue_full,   ///< rejected: the chosen instance's bounded queue had no room
    exceeds_kv_capacity,   ///< rejected: the sequence could never fit into the KV cache
    exceeds_batch_limit,   ///< rejected: the prompt is longer than the batching policy ever admits
    exceeds_model_length,  ///< rejected: the prompt is longer than max_model_len
    timeout,               ///< timed out at the gateway
    instance_lost,         ///< failed: its instance was killed and no retry was left
    queue_timeout,         ///< rejected: it waited in the instance's queue for longer than allowed
};
inline constexpr std::size_t kCauseCount = 9;

[[nodiscard]] std::string_view to_string(Outcome outcome);
[[nodiscard]] std::string_view to_string(Cause cause);

/// What a policy may know of a request besides its lengths.
struct RequestAttributes {
    std::int32_t priority = 0;  ///< lower is served first, as in vLLM
    std::uint32_t tenant = 0;
    std::uint32_t session = 0;  ///< 0: none
    std::uint16_t adapter = 0;  ///< 0: the base model
    /// Copied as 16 bytes at once; 14 would be two overlapping moves, for which the next look
    /// waits.
    std::uint16_t padding = 0;

    bool operator==(const RequestAttributes&) const = default;
};

/// One request as a source yields it. Only to an LLM engine do the lengths matter.
struct Arrival {
    Time time;
    Tokens prompt{1};  ///< >= 1
    Tokens output{1};  ///< >= 1; the length at which generation stops
    RequestAttributes attributes;
    std::uint32_t user = 0;  ///< the source's own mark, handed back with the completion
    ContentsRef contents{};  ///< null: tokens like no others
};

/// Counts by outcome at one level (request, call or attempt).
struct OutcomeCounts {
    std::int64_t arrived = 0;
    std::array<std::int64_t, kOutcomeCount>
        by_outcome{};  ///< in_flight is derived: see in_flight()

    [[nodiscard]] std::int64_t of(Outcome o) const {
        return by_outcome[static_cast<std::size_t>(o)];
    }
    void end(Outcome o) { ++by_outcome[static_cast<std::size_t>(o)]; }
    [[nodiscard]] std::int64_t ended() const {
        return of(Outcome::completed) + of(Outcome::failed) + of(Outcome::rejected) +
               of(Outcome::timed_out);
    }
    [[nodiscard]] std::int64_t in_flight() const { return arrived - ended(); }
    void merge(const OutcomeCounts& o) {
        arrived += o.arrived;
        for (std::size_t i = 0; i < kOutcomeCount; ++i) by_outcome[i] += o.by_outcome[i];
    }
    bool operator==(const OutcomeCounts&) const = default;
};

}  // namespace headroom::serving
