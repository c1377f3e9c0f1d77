#include "sim/network/flow_network.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace headroom::network {

namespace {

constexpr Int128 kUnitsPerByte = static_cast<Int128>(Duration::kPerSecond)
                                 << FlowNetwork::kRateShift;

Int128 moved(std::int64_t rate, Duration d) {
    return static_cast<Int128>(rate) * d.ps();
}

Bytes ceil_bytes(Int128 units) {
    return Bytes{static_cast<std::int64_t>((units + kUnitsPerByte - 1) / kUnitsPerByte)};
}

std::int64_t to_units(std::int64_t bytes_per_s) {
    return bytes_per_s > FlowNetwork::kMaxCapacity ? FlowNetwork::kNoLimit
                                                   : bytes_per_s << FlowNetwork::kRateShift;
}

}  // namespace

const FlowNetwork::Link& FlowNetwork::link(LinkId id) const {
    HEADROOM_CHECK(id.index < links_.size(), "an unknown link");
    return links_[id.index];
}

const FlowNetwork::Flow& FlowNetwork::flow(FlowId id) const {
    HEADROOM_CHECK(contains(id), "a flow that is gone");
    return flows_[id.index];
}

bool FlowNetwork::contains(FlowId id) const {
    return id.index < flows_.size() && flows_[id.index].live &&
           flows_[id.index].generation == id.generation;
}

LinkId FlowNetwork::add_link(std::int64_t capacity_bytes_per_s) {
    HEADROOM_CHECK(capacity_bytes_per_s >= 0 && capacity_bytes_per_s <= kMaxCapacity,
                   "a link's capacity is between 0 and 2^47 - 1 bytes/s");
    Link& l = links_.emplace_back();
    l.capacity = capacity_bytes_per_s;
    return {static_cast<std::uint32_t>(links_.size() - 1), 0};
}

void FlowNetwork::begin_change(Time now) {
    HEADROOM_CHECK(now >= now_, "time goes backwards");
    if (now == now_) return;  // changes of one instant are taken together
    refresh();
    HEADROOM_CHECK(finishes_.empty() || finishes_.top_key().time >= now,
                   "a flow finished before this change and was not taken out");
    now_ = now;
}

void FlowNetwork::mark_dirty(std::uint32_t link_index) {
    if (links_[link_index].dirty) return;
    links_[link_index].dirty = true;
    dirty_.push_back(link_index);
}

FlowId FlowNetwork::start(Time now, std::span<const LinkId> route, Bytes total,
                          std::int64_t max_rate) {
    HEADROOM_CHECK(total >= Bytes{0}, "a flow of less than nothing");
    HEADROOM_CHECK(max_rate >= 0, "a flow's limit is not negative");
    begin_change(now);
    std::uint32_t index = free_flow_;
    if (index != FlowId::kNone) {
        free_flow_ = flows_[index].next_free;
    } else {
        index = static_cast<std::uint32_t>(flows_.size());
        flows_.emplace_back();
    }
    Flow& f = flows_[index];
    f.live = true;
    f.total = total;
    f.settled = now;
    f.rate = 0;
    f.limit = to_units(max_rate);
    f.finish = {};
    f.remaining = total.count() * kUnitsPerByte;
    f.route.clear();
    ++live_flows_;
    for (const LinkId id : route) {
        HEADROOM_CHECK(id.index < links_.size(), "an unknown link");
        for (const Hop& hop : f.route) {
            HEADROOM_CHECK(hop.link != id.index, "a route has a link twice");
        }
        std::vector<Member>& members = links_[id.index].members;
        const auto hop_number = static_cast<std::uint32_t>(f.route.size());
        f.route.push_back({id.index, static_cast<std::uint32_t>(members.size())});
        members.push_back({index, hop_number});
        mark_dirty(id.index);
    }
    if (route.empty()) {
        if (f.limit == kNoLimit) {
            f.remaining = 0;
        } else {
            f.rate = f.limit;
        }
    }
    if (f.remaining == 0 || f.rate > 0) schedule(index);
    return id_of(index);
}

std::optional<Bytes> FlowNetwork::cancel(Time now, FlowId id) {
    begin_change(now);
    if (!contains(id)) return std::nullopt;
    settle(flows_[id.index], now);
    const Bytes left = ceil_bytes(flows_[id.index].remaining);
    remove(id.index);
    return left;
}

void FlowNetwork::set_capacity(Time now, LinkId id, std::int64_t capacity_bytes_per_s) {
    HEADROOM_CHECK(capacity_bytes_per_s >= 0 && capacity_bytes_per_s <= kMaxCapacity,
                   "a link's capacity is between 0 and 2^47 - 1 bytes/s");
    HEADROOM_CHECK(id.index < links_.size(), "an unknown link");
    begin_change(now);
    if (links_[id.index].capacity == capacity_bytes_per_s) return;
    links_[id.index].capacity = capacity_bytes_per_s;
    mark_dirty(id.index);
}

std::optional<Time> FlowNetwork::next_finish() const {
    refresh();
    if (finishes_.empty()) return std::nullopt;
    return finishes_.top_key().time;
}

void FlowNetwork::finish_due(Time now, std::vector<FlowId>& out) {
    begin_change(now);
    refresh();
    // One instant, and keys of one instant are ordered by the flow's index: id order.
    while (!finishes_.empty() && finishes_.top_key().time <= now) {
        const std::uint32_t index = finishes_.pop().payload;
        flows_[index].finish = {};
        settle(flows_[index], now);
        out.push_back(id_of(index));
        remove(index);
    }
}

Bytes FlowNetwork::remaining(FlowId id, Time as_of) const {
    refresh();
    const Flow& f = flow(id);
    HEADROOM_CHECK(as_of >= f.settled, "a question about a time before the last change");
    const Int128 left = f.remaining - moved(f.rate, as_of - f.settled);
    return ceil_bytes(left > 0 ? left : 0);
}

std::optional<Time> FlowNetwork::finish_time(FlowId id) const {
    refresh();
    const Flow& f = flow(id);
    if (!f.finish.valid()) return std::nullopt;
    return finishes_.key_of(f.finish).time;
}

std::int64_t FlowNetwork::rate_units(FlowId id) const {
    refresh();
    return flow(id).rate;
}

std::int64_t FlowNetwork::used_units(LinkId id) const {
    refresh();
    return link(id).used;
}

Bytes FlowNetwork::carried(LinkId id, Time as_of) const {
    refresh();
    const Link& l = link(id);
    HEADROOM_CHECK(as_of >= l.settled, "a question about a time before the last change");
    const Int128 units = l.carried + moved(l.used, as_of - l.settled);
    return Bytes{static_cast<std::int64_t>(units / kUnitsPerByte)};
}

void FlowNetwork::refresh() const {
    if (!dirty_.empty()) const_cast<FlowNetwork*>(this)->recompute();
}

void FlowNetwork::recompute() {
    ++visit_;
    collect_component();
    fill();
    apply_levels();
    for (const std::uint32_t l : dirty_) links_[l].dirty = false;
    dirty_.clear();
}

/// Everything that a changed link can reach through flows, and the state before any rate is given.
void FlowNetwork::collect_component() {
    component_links_.clear();
    component_flows_.clear();
    limited_.clear();
    next_limited_ = 0;
    const auto visit_link = [this](std::uint32_t index) {
        Link& l = links_[index];
        if (l.visit == visit_) return;
        l.visit = visit_;
        l.residual = to_units(l.capacity);
        l.rising = static_cast<std::int64_t>(l.members.size());
        component_links_.push_back(index);
    };
    for (const std::uint32_t l : dirty_) visit_link(l);
    for (std::size_t next = 0; next < component_links_.size(); ++next) {
        for (const Member& member : links_[component_links_[next]].members) {
            Flow& f = flows_[member.flow];
            if (f.visit == visit_) continue;
            f.visit = visit_;
            f.level = kRising;
            component_flows_.push_back(member.flow);
            if (f.limit != kNoLimit) limited_.emplace_back(f.limit, member.flow);
            for (const Hop& hop : f.route) visit_link(hop.link);
        }
    }
    std::sort(limited_.begin(), limited_.end());
}

void FlowNetwork::freeze(std::uint32_t flow_index, std::int64_t level) {
    Flow& f = flows_[flow_index];
    if (f.level != kRising) return;
    f.level = level;
    for (const Hop& hop : f.route) {
        links_[hop.link].residual -= level;
        --links_[hop.link].rising;
    }
}

/// Stops the flows whose own limit is reached no later than `level`. What they leave only raises
/// the level of the links, so all of them may stop in one round.
void FlowNetwork::freeze_limited(std::int64_t level) {
    for (; next_limited_ < limited_.size() && limited_[next_limited_].first <= level;
         ++next_limited_) {
        freeze(limited_[next_limited_].second, limited_[next_limited_].first);
    }
}

/// Progressive filling. The level only rises: if a link has room for `level` on each of its rising
/// flows, it still has when some of them stopped at or below it.
void FlowNetwork::fill() {
    active_links_ = component_links_;
    for (;;) {
        std::int64_t level = kNoLimit;
        full_links_.clear();
        std::size_t kept = 0;
        for (const std::uint32_t index : active_links_) {
            const Link& l = links_[index];
            if (l.rising == 0) continue;
            active_links_[kept++] = index;
            const std::int64_t share = l.residual / l.rising;
            if (share < level) full_links_.clear();
            if (share <= level) {
                level = share;
                full_links_.push_back(index);
            }
        }
        active_links_.resize(kept);
        if (active_links_.empty()) return;
        const std::size_t limited_before = next_limited_;
        freeze_limited(level);
        if (next_limited_ != limited_before) continue;
        for (const std::uint32_t index : full_links_) {
            for (const Member& member : links_[index].members) freeze(member.flow, level);
        }
    }
}

void FlowNetwork::apply_levels() {
    for (const std::uint32_t index : component_flows_) set_rate(index, flows_[index].level);
    for (const std::uint32_t index : component_links_) {
        Link& l = links_[index];
        const std::int64_t used = to_units(l.capacity) - l.residual;
        if (used == l.used) continue;
        settle(l, now_);
        l.used = used;
    }
}

void FlowNetwork::settle(Link& l, Time now) {
    l.carried += moved(l.used, now - l.settled);
    l.settled = now;
}

/// Brings what remains up to `now`. A finish is rounded up to a picosecond; what its rate would
/// have moved beyond the last byte is taken back from the links, so that they carry exact sums.
void FlowNetwork::settle(Flow& f, Time now) {
    f.remaining -= moved(f.rate, now - f.settled);
    f.settled = now;
    if (f.remaining >= 0) return;
    for (const Hop& hop : f.route) links_[hop.link].carried += f.remaining;
    f.remaining = 0;
}

void FlowNetwork::set_rate(std::uint32_t flow_index, std::int64_t rate) {
    Flow& f = flows_[flow_index];
    if (f.rate == rate) return;  // and the finish stays
    settle(f, now_);
    f.rate = rate;
    schedule(flow_index);
}

/// Puts the finish of a settled flow where its rate says, or out of the queue.
void FlowNetwork::schedule(std::uint32_t flow_index) {
    Flow& f = flows_[flow_index];
    Int128 wait = 0;
    bool ends = f.remaining == 0;
    if (!ends && f.rate > 0) {
        wait = (f.remaining + f.rate - 1) / f.rate;
        ends = wait < (Time::max() - f.settled).ps();
    }
    if (!ends) {
        finishes_.cancel(f.finish);
        f.finish = {};
        return;
    }
    const Time at = f.settled + Duration::picoseconds(static_cast<std::int64_t>(wait));
    const EventKey key = EventKey::make(at, 0, flow_index);
    if (f.finish.valid()) {
        finishes_.move(f.finish, key);
    } else {
        f.finish = finishes_.push(key, flow_index);
    }
}

void FlowNetwork::remove(std::uint32_t flow_index) {
    Flow& f = flows_[flow_index];
    for (const Hop& hop : f.route) {
        std::vector<Member>& members = links_[hop.link].members;
        const Member last = members.back();
        members[hop.position] = last;
        flows_[last.flow].route[last.hop].position = hop.position;
        members.pop_back();
        mark_dirty(hop.link);
    }
    finishes_.cancel(f.finish);
    f.live = false;
    ++f.generation;
    f.next_free = free_flow_;
    free_flow_ = flow_index;
    --live_flows_;
}

}  // namespace headroom::network
