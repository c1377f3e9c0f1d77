#include "sim/serving/kv_fabric.hpp"

#include "sim/core/check.hpp"

namespace headroom::serving {

using network::FlowNetwork;

KvFabric::KvFabric(const KvTransferSpec& spec)
    : nic_capacity_(FlowNetwork::clamped(spec.nic_bytes_per_s)) {
    if (spec.fabric_bytes_per_s > 0) {
        shared_ = network_.add_link(FlowNetwork::clamped(spec.fabric_bytes_per_s));
    }
}

const KvFabric::Nic& KvFabric::nic_of(std::uint32_t instance) {
    if (nics_.size() <= instance) nics_.resize(instance + 1);
    std::optional<Nic>& nic = nics_[instance];
    if (!nic) nic = Nic{network_.add_link(nic_capacity_), network_.add_link(nic_capacity_)};
    return *nic;
}

network::FlowId KvFabric::start(Time now, HandoverId handover, std::uint32_t from, std::uint32_t to,
                                Bytes size) {
    std::vector<network::LinkId> route{nic_of(from).out};
    if (shared_) route.push_back(*shared_);
    route.push_back(nic_of(to).in);
    const network::FlowId transfer = network_.start(now, route, size);
    if (owners_.size() <= transfer.index) owners_.resize(transfer.index + 1);
    owners_[transfer.index] = handover;
    return transfer;
}

Bytes KvFabric::cancel(Time now, network::FlowId transfer) {
    const std::optional<Bytes> left = network_.cancel(now, transfer);
    HEADROOM_CHECK(left.has_value(), "a transfer that is over");
    return *left;
}

Bytes KvFabric::unsent(network::FlowId transfer, Time now) const {
    return network_.remaining(transfer, now);
}

Time KvFabric::next_finish() const {
    return network_.next_finish().value_or(Time::max());
}

const std::vector<HandoverId>& KvFabric::finish_due(Time now) {
    finished_.clear();
    sent_.clear();
    network_.finish_due(now, finished_);
    for (const network::FlowId transfer : finished_) sent_.push_back(owners_[transfer.index]);
    return sent_;
}

}  // namespace headroom::serving
