/// KvFabric: the links over which the instances of one service send KV blocks: out of the NIC of
/// the one that computed a prompt, through the fabric that all share (where it has a limit), into
/// the NIC of the other. Transfers share links max-min fairly (network/flow_network.hpp has the
/// rules, units and costs). It knows no event queue: the owner comes back at next_finish().
///
/// A transfer carries a HandoverId, whose transfer it is. Its latency comes after it, at the owner.
#pragma once

#include <optional>
#include <vector>

#include "sim/network/flow_network.hpp"
#include "sim/serving/records.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::serving {

class KvFabric {
  public:
    explicit KvFabric(const KvTransferSpec& spec);

    /// Instances are named by small numbers, for each of which two links are kept.
    network::FlowId start(Time now, HandoverId handover, std::uint32_t from, std::uint32_t to,
                          Bytes size);
    /// Takes a transfer out that has not finished; what had not been sent.
    Bytes cancel(Time now, network::FlowId transfer);
    [[nodiscard]] Bytes unsent(network::FlowId transfer, Time now) const;

    /// Time::max() when nothing moves.
    [[nodiscard]] Time next_finish() const;
    /// Takes out the transfers that finish at `now`; whose they were, good until the next call.
    [[nodiscard]] const std::vector<HandoverId>& finish_due(Time now);

  private:
    struct Nic {
        network::LinkId out;
        network::LinkId in;
    };
    [[nodiscard]] const Nic& nic_of(std::uint32_t instance);

    network::FlowNetwork network_;
    std::int64_t nic_capacity_;
    std::optional<network::LinkId> shared_;
    std::vector<std::optional<Nic>> nics_;  ///< by instance, made when first asked for
    std::vector<HandoverId> owners_;        ///< by the index of a transfer
    std::vector<network::FlowId> finished_;
    std::vector<HandoverId> sent_;
};

}  // namespace headroom::serving
