/// DataPlane: the narrow interface through which the control plane changes and reads the data
/// plane, and the notifications that come back. Everything here happens *at* a time, before the
/// data plane's own events of that time; reads report the state that the events before it left.
///
/// An instance is named by its service and an ordinal that the control plane gives, counting up per
/// service and never used again. Instances are added ready: start-up is the control plane's affair.
#pragma once

#include <compare>
#include <cstdint>

#include "sim/core/time.hpp"
#include "sim/serving/latency/latency_model.hpp"

namespace headroom::serving {

struct InstanceKey {
    std::uint32_t service = 0;
    std::uint32_t ordinal = 0;
    constexpr auto operator<=>(const InstanceKey&) const = default;
};

/// What one instance shows to a scrape. Counters are cumulative since the instance was added.
struct InstanceLoad {
    std::int64_t in_flight = 0;  ///< attempts sent to it and not ended
    std::int64_t waiting = 0;    ///< of them, in its queue
    std::int64_t running = 0;    ///< of them, in its batch or on a server
    std::int64_t kv_used_blocks = 0;
    std::int64_t kv_total_blocks = 0;  ///< 0 for an instance without a KV cache
    std::int64_t completed = 0;        ///< counter
    std::int64_t prompt_tokens = 0;    ///< counter: computed
    std::int64_t output_tokens = 0;    ///< counter: generated
    TimeIntegral busy;         ///< time with an iteration in progress; servers in use, integrated
    std::int64_t servers = 1;  ///< busy / (servers * elapsed) is the utilisation
    /// Sums for means over a window: time to first token and requests that reached it.
    TimeIntegral ttft_sum;
    std::int64_t ttft_count = 0;
};

/// What one version of a service shows. Where there are several, a call counts as that version's
/// to which it was sent; while it waits at the gateway, as that one's to which it would go if all
/// had endpoints. So the versions' loads add up to the service's.
struct ServiceLoad {
    std::int64_t gateway_queue = 0;  ///< requests held because no instance can take them
    std::int64_t in_flight = 0;      ///< requests arrived and not ended, gateway queue included
    std::int64_t arrived = 0;        ///< counter
    std::int64_t endpoints = 0;      ///< instances that take new requests
    TimeIntegral in_flight_time;     ///< in_flight integrated over the run
};

struct Notification {
    enum class Kind : std::uint8_t {
        request_waits,      ///< a request met no endpoint; sent once until one is added
        drained,            ///< a draining instance has ended its last attempt
        in_flight_reached,  ///< an instance has as many attempts in flight as it was added with
    };
    Time time;
    Kind kind = Kind::request_waits;
    InstanceKey instance;  ///< for request_waits only the service counts
};

class DataPlane {
  public:
    virtual ~DataPlane() = default;
    /// `notify_at`: when this many attempts are in flight on it, it takes no more of them and
    /// `in_flight_reached` is sent; 0: never.
    virtual void add_instance(Time now, InstanceKey key, std::uint32_t version, SpeedPpm speed,
                              std::int64_t notify_at) = 0;
    /// No new requests; those it has are finished, then `drained` is sent and the instance is gone.
    /// An idle instance is gone at once, also with a notification.
    virtual void drain_instance(Time now, InstanceKey key) = 0;
    /// Gone now; its attempts fail with Cause::instance_lost (and may be retried by the gateway).
    virtual void kill_instance(Time now, InstanceKey key) = 0;
    /// Whether the gateway keeps requests back from instances that have their limit of them
    /// (GatewaySpec::max_in_flight_per_instance); it does until told otherwise.
    virtual void set_gateway_buffering(Time now, std::uint32_t service, bool buffers) = 0;
    /// Holds from the next iteration boundary (simple servers and batchers: from the next start).
    virtual void set_speed(Time now, InstanceKey key, SpeedPpm speed) = 0;
    [[nodiscard]] virtual InstanceLoad instance_load(Time now, InstanceKey key) const = 0;
    /// Of one version; pools for prefill and decode, which share each request, show the service's.
    [[nodiscard]] virtual ServiceLoad service_load(Time now, std::uint32_t service,
                                                   std::uint32_t version) const = 0;
};

}  // namespace headroom::serving
