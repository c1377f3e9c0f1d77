#include "sim/control/artifact_fetcher.hpp"

#include <algorithm>

namespace headroom::control {

using network::FlowNetwork;

Duration transfer_time(Bytes size, std::int64_t rate) {
    HEADROOM_CHECK(rate > 0, "a transfer needs a positive rate");
    const Int128 ps = (static_cast<Int128>(size.count()) * Duration::kPerSecond + rate - 1) / rate;
    return Duration::picoseconds(static_cast<std::int64_t>(ps));
}

ArtifactFetcher::ArtifactFetcher(ControlState& state) : state_(state) {
    const auto shared_link = [&](std::int64_t rate) {
        std::vector<network::LinkId> links;
        if (rate > 0) links.push_back(state_.network.add_link(FlowNetwork::clamped(rate)));
        return links;
    };
    registry_ = shared_link(state.spec.registry_bytes_per_s);
    store_ = shared_link(state.spec.weights_store_bytes_per_s);
}

void ArtifactFetcher::add_node(NodeId node) {
    if (nics_.size() <= node.index) nics_.resize(node.index + 1);
    const std::int64_t rate = state_.cluster.node(node).spec->nic_bytes_per_s;
    if (rate <= 0 || rate > FlowNetwork::kMaxCapacity) return;
    nics_[node.index] = state_.network.add_link(rate);
}

void ArtifactFetcher::join(PodId pod, NodeId node, cluster::Artifact artifact,
                           const std::string& name, Bytes size, std::int64_t rate) {
    const Key key{node, artifact, name};
    const Waiter waiter{pod, state_.now.later_by(transfer_time(size, rate))};
    HEADROOM_CHECK(waiting_.emplace(pod, key).second, "a pod waits for one transfer at a time");
    const auto found = transfers_.find(key);
    if (found != transfers_.end()) {
        found->second.waiters.push_back(waiter);
        return;
    }
    std::vector<network::LinkId> route = artifact == cluster::Artifact::image ? registry_ : store_;
    if (nics_[node.index].valid()) route.push_back(nics_[node.index]);
    const network::FlowId flow =
        state_.network.start(state_.now, route, size, FlowNetwork::clamped(rate));
    transfers_.emplace(key, Transfer{flow, {waiter}});
    by_flow_.emplace(flow, key);
    update_event();
}

void ArtifactFetcher::leave(PodId pod) {
    const auto waiting = waiting_.find(pod);
    if (waiting == waiting_.end()) return;
    const auto transfer = transfers_.find(waiting->second);
    waiting_.erase(waiting);
    std::vector<Waiter>& waiters = transfer->second.waiters;
    waiters.erase(std::find_if(waiters.begin(), waiters.end(),
                               [&](const Waiter& w) { return w.pod == pod; }));
    if (!waiters.empty()) return;
    state_.network.cancel(state_.now, transfer->second.flow);
    by_flow_.erase(transfer->second.flow);
    transfers_.erase(transfer);
    update_event();
}

std::vector<ArtifactFetcher::Arrival> ArtifactFetcher::finish_due() {
    std::vector<network::FlowId> done;
    state_.network.finish_due(state_.now, done);
    std::vector<Arrival> arrivals;
    for (const network::FlowId flow : done) {
        const auto key = by_flow_.find(flow);
        const auto transfer = transfers_.find(key->second);
        for (const Waiter& waiter : transfer->second.waiters) {
            arrivals.push_back({waiter.pod, std::max(waiter.earliest, state_.now)});
            waiting_.erase(waiter.pod);
        }
        transfers_.erase(transfer);
        by_flow_.erase(key);
    }
    update_event();
    return arrivals;
}

void ArtifactFetcher::update_event() {
    const std::optional<Time> next = state_.network.next_finish();
    if (!next) {
        state_.queue.cancel(event_);
        return;
    }
    const EventKey key = control_key(std::max(*next, state_.now), EventClass::flow_finish, 0);
    if (state_.queue.contains(event_)) {
        state_.queue.move(event_, key);
    } else {
        event_ = state_.queue.push(key, {});
    }
}

}  // namespace headroom::control
