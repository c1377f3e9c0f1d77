/// The cell's records: a root request (what a user asked), its calls (one service's part each) and
/// their attempts (one try on one instance each). See request.hpp for what they mean.
#pragma once

#include <cstdint>

#include "sim/core/event_queue.hpp"
#include "sim/core/id.hpp"
#include "sim/core/time.hpp"
#include "sim/network/flow_network.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/request.hpp"

namespace headroom::serving {

using RootId = Id<struct RootTag>;
using CallId = Id<struct CallTag>;

using HandoverId = Id<struct HandoverTag>;

struct RootRequest {
    std::uint64_t number = 0;  ///< within its source
    Time arrival{};
    std::uint32_t source = 0;
    std::uint32_t draw_key = 0;  ///< of its source, by name: no other source moves its draws
    std::uint32_t user = 0;
    std::uint32_t calls = 0;  ///< made so far
    RequestAttributes attributes{};
    ContentsRef contents{};
};

struct Call {
    RootId root{};
    CallId parent{};        ///< none for the root's own call
    CallId child{};         ///< the call to a further service that it waits for
    AttemptId attempt{};    ///< in progress; none while it waits at the gateway
    HandoverId handover{};  ///< from prefill to decode
    EventHandle timeout{};
    Time arrival{};
    Time first_scheduled = Time::max();
    Time first_token = Time::max();
    std::int32_t prompt = 1;
    std::int32_t output = 1;
    std::int32_t generated = 0;
    std::uint32_t service = 0;  ///< within the cell
    std::uint32_t number = 0;   ///< among its root's calls
    std::uint32_t attempts = 0;
    std::uint32_t next_child = 0;
    std::uint32_t preemptions = 0;
    std::uint32_t instance = 0xffffffffU;  ///< ordinal of the last one tried
    std::uint32_t version = 0xffffffffU;   ///< in whose load it counts, where a service has several
    std::uint16_t lost = 0;                ///< tries that ended with an instance
    bool queued = false;                   ///< waits at the gateway
};
static_assert(sizeof(Call) <= 128, "a call is a hot record: two cache lines");

/// A call whose prompt one instance has computed and another one shall go on with.
struct Handover {
    CallId call{};
    std::uint64_t number = 0;    ///< within the cell: orders arrivals
    std::uint32_t instance = 0;  ///< that has the KV, index within the cell
    std::uint32_t slot = 0;      ///< within that instance
    bool kept = true;            ///< that instance still keeps the blocks
    bool sending = false;        ///< `transfer` is under way
    network::FlowId transfer{};
    EventHandle arrival{};  ///< sent, but not there yet
};

struct Attempt {
    CallId call{};
    EventHandle delivery{};      ///< still on its way to the instance
    std::uint64_t number = 0;    ///< within the cell: orders deliveries
    std::uint32_t instance = 0;  ///< index within the cell
    std::uint32_t slot = 0;      ///< within the instance, once delivered
};
static_assert(sizeof(Attempt) <= 64, "an attempt is a hot record");

}  // namespace headroom::serving
