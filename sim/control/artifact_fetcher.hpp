/// ArtifactFetcher: brings images and model weights onto nodes over the shared network.
///
/// An image comes from the registry, weights from the weights store; each of the two has one link
/// out (when limited), each node its NIC. A transfer has a rate limit of its own (decompression,
/// disk), and shares the links max-min fairly with all others (network/flow_network.hpp).
///
/// Pods of one node that want the same thing at once share one transfer, as the container
/// runtime and the file locks of model hubs do. Whoever joins late gets nothing faster than at the
/// rate limit from its own start: it reads along behind the first. A transfer that nobody waits for
/// any more is cancelled.
///
///     fetcher.join(pod, node, Artifact::image, name, bytes, rate);
///     for (const Arrival& a : fetcher.finish_due()) ...       // at the flow_finish event
///
/// join and leave are O(log transfers) plus the network's work.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "sim/control/control_state.hpp"

namespace headroom::control {

class ArtifactFetcher {
  public:
    explicit ArtifactFetcher(ControlState& state);

    /// Gives a node its NIC, once.
    void add_node(NodeId node);

    void join(PodId pod, NodeId node, cluster::Artifact artifact, const std::string& name,
              Bytes size, std::int64_t rate);
    /// The pod is gone: it waits no more. Nothing happens when it did not.
    void leave(PodId pod);

    struct Arrival {
        PodId pod;
        Time readable;  ///< when the pod has read it: now, or later for one that joined late
    };
    /// Takes the transfers that end now; arrivals in order of transfer and joining.
    [[nodiscard]] std::vector<Arrival> finish_due();

  private:
    using Key = std::tuple<NodeId, cluster::Artifact, std::string>;
    struct Waiter {
        PodId pod;
        Time earliest;  ///< its own start plus size / rate
    };
    struct Transfer {
        network::FlowId flow;
        std::vector<Waiter> waiters;
    };

    void update_event();

    ControlState& state_;
    std::vector<network::LinkId> registry_;  ///< no or one link
    std::vector<network::LinkId> store_;
    std::vector<network::LinkId> nics_;  ///< by index of the node; none(): not a limit
    std::map<Key, Transfer> transfers_;
    std::map<network::FlowId, Key> by_flow_;
    std::map<PodId, Key> waiting_;
    EventHandle event_;
};

/// Time to move `size` at `rate` bytes/s, rounded up to a picosecond.
[[nodiscard]] Duration transfer_time(Bytes size, std::int64_t rate);

}  // namespace headroom::control
