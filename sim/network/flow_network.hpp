/// FlowNetwork: transfers (flows) that share links max-min fairly, in integers. It knows no event
/// queue: the owner asks next_finish(), comes back at that time with finish_due(), and may start,
/// cancel or change a capacity in between.
///
/// Allocation: progressive filling (Bertsekas and Gallager, Data Networks, 2nd ed., sec. 6.5.2).
/// The rate of all flows rises together; a flow stops at its own max_rate, or when one of its links
/// has no room for one more unit for each of its rising flows. All links that fill up at one level
/// stop together, so the rates depend on the set of flows alone: not on the order of insertion, not
/// on ids. On a saturated link less than one unit per flow stays unused.
///
/// Units: capacities and rates in bytes/s; inside, a rate is an integer of 2^-16 byte/s and what
/// remains of a flow is an Int128 of 2^-16 byte * 10^-12 (rate unit times picosecond), so sums over
/// any cutting of time are exact. A finish is rounded up to a picosecond. Capacity < 2^47 bytes/s.
/// Finished flows hold their share until finish_due takes them, for no time: to change anything, or
/// to call finish_due, later than next_finish() is a programmer error, as is time going backwards.
///
/// Rates are computed lazily, at the first question after the changes of an instant, and only for
/// the links connected with a changed one through flows. With L links, H hops and R distinct rate
/// levels in there: O(H + L * R + C log C), C capped flows, plus O(log flows) per changed rate.
/// Nothing is allocated once the largest numbers of flows and hops have been seen.
///
///     LinkId nic = network.add_link(1'250'000'000);
///     FlowId pull = network.start(now, {{registry, nic}}, gibibytes(9));
///     if (auto t = network.next_finish()) { network.finish_due(*t, done); }
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "sim/core/event_queue.hpp"
#include "sim/core/id.hpp"
#include "sim/core/time.hpp"
#include "sim/core/units.hpp"

namespace headroom::network {

using LinkId = Id<struct LinkTag>;  ///< links are never removed: index = order of add_link
using FlowId = Id<struct FlowTag>;

class FlowNetwork {
  public:
    /// 2^16 rate units are one byte per second.
    static constexpr int kRateShift = 16;
    static constexpr std::int64_t kMaxCapacity = (std::int64_t{1} << (63 - kRateShift)) - 1;
    static constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
    /// A capacity that a link can have; more is not a limit to anybody.
    [[nodiscard]] static constexpr std::int64_t clamped(std::int64_t bytes_per_s) {
        return bytes_per_s < kMaxCapacity ? bytes_per_s : kMaxCapacity;
    }

    /// A link in one direction. Capacity 0 stalls its flows.
    LinkId add_link(std::int64_t capacity_bytes_per_s);

    /// Starts a transfer of `total` bytes over a route that has no link twice. `max_rate` in
    /// bytes/s is a limit of its own (disk, decompression). Zero bytes, or an empty route without a
    /// limit, finish at `now`; an empty route with a limit runs at the limit.
    FlowId start(Time now, std::span<const LinkId> route, Bytes total,
                 std::int64_t max_rate = kNoLimit);
    /// Takes a flow out and returns what it had left, rounded up to a byte; nothing for a flow that
    /// is gone already.
    std::optional<Bytes> cancel(Time now, FlowId id);
    void set_capacity(Time now, LinkId id, std::int64_t capacity_bytes_per_s);

    /// The earliest finish; nothing when no flow moves (or none ends before Time::max()).
    [[nodiscard]] std::optional<Time> next_finish() const;
    /// Takes out the flows that finish at `now` and appends them to `out` in id order.
    void finish_due(Time now, std::vector<FlowId>& out);

    [[nodiscard]] bool contains(FlowId id) const;
    [[nodiscard]] std::size_t flow_count() const { return live_flows_; }
    [[nodiscard]] std::size_t flow_count(LinkId id) const { return link(id).members.size(); }
    [[nodiscard]] Bytes total(FlowId id) const { return flow(id).total; }
    /// Rounded up to a byte. `as_of` is between the last change and next_finish().
    [[nodiscard]] Bytes remaining(FlowId id, Time as_of) const;
    [[nodiscard]] std::optional<Time> finish_time(FlowId id) const;
    [[nodiscard]] std::int64_t rate(FlowId id) const { return rate_units(id) >> kRateShift; }
    [[nodiscard]] std::int64_t rate_units(FlowId id) const;
    /// What the flows of a link use of it now.
    [[nodiscard]] std::int64_t used(LinkId id) const { return used_units(id) >> kRateShift; }
    [[nodiscard]] std::int64_t used_units(LinkId id) const;
    /// What a link has carried since the start of the run, rounded down to a byte: exactly the
    /// bytes of the flows that finished, and of the others what they have moved so far.
    [[nodiscard]] Bytes carried(LinkId id, Time as_of) const;

  private:
    struct Member {
        std::uint32_t flow;
        std::uint32_t hop;  ///< which hop of the flow's route this link is
    };
    struct Link {
        std::int64_t capacity = 0;
        std::vector<Member> members;
        std::int64_t used = 0;  ///< rate units
        Int128 carried = 0;     ///< up to `settled`
        Time settled;
        bool dirty = false;
        std::uint64_t visit = 0;    ///< the last recomputation that saw it
        std::int64_t residual = 0;  ///< of the recomputation: not given out yet
        std::int64_t rising = 0;    ///< of the recomputation: members that still rise
    };
    struct Hop {
        std::uint32_t link;
        std::uint32_t position;  ///< in the link's members
    };
    struct Flow {
        std::vector<Hop> route;
        Bytes total;
        Int128 remaining = 0;  ///< at `settled`
        Time settled;
        std::int64_t rate = 0;
        std::int64_t limit = kNoLimit;  ///< rate units
        EventHandle finish;
        std::uint32_t generation = 0;
        std::uint32_t next_free = FlowId::kNone;
        bool live = false;
        std::uint64_t visit = 0;
        std::int64_t level = kRising;  ///< of the recomputation: the new rate
    };
    static constexpr std::int64_t kRising = -1;

    [[nodiscard]] const Link& link(LinkId id) const;
    [[nodiscard]] const Flow& flow(FlowId id) const;
    [[nodiscard]] FlowId id_of(std::uint32_t index) const {
        return {index, flows_[index].generation};
    }

    void begin_change(Time now);
    void mark_dirty(std::uint32_t link_index);
    /// Lazy evaluation behind a const face: a network that was never changed is never written to.
    void refresh() const;
    void recompute();
    void collect_component();
    void fill();
    void freeze(std::uint32_t flow_index, std::int64_t level);
    void freeze_limited(std::int64_t level);
    void apply_levels();
    void settle(Flow& f, Time now);
    void settle(Link& l, Time now);
    void set_rate(std::uint32_t flow_index, std::int64_t rate);
    void schedule(std::uint32_t flow_index);
    void remove(std::uint32_t flow_index);

    std::vector<Link> links_;
    std::vector<Flow> flows_;
    std::uint32_t free_flow_ = FlowId::kNone;
    std::size_t live_flows_ = 0;
    EventQueue<std::uint32_t> finishes_;
    Time now_;

    std::vector<std::uint32_t> dirty_;
    std::uint64_t visit_ = 0;
    std::vector<std::uint32_t> component_links_;
    std::vector<std::uint32_t> component_flows_;
    std::vector<std::uint32_t> active_links_;
    std::vector<std::uint32_t> full_links_;
    std::vector<std::pair<std::int64_t, std::uint32_t>> limited_;  ///< (limit, flow), ascending
    std::size_t next_limited_ = 0;
};

}  // namespace headroom::network
