/// `image-locality`: the pod's image is on the node already. An image counts with its size on disk
/// times the fraction of nodes that have it, so that one node does not draw all pods; the sum is
/// clamped to 23 MiB .. 1000 MiB a container and scaled to 0..100. prepare is O(nodes).
/// Source: kubernetes v1.28 pkg/scheduler/framework/plugins/imagelocality.
#include <algorithm>

#include "policies/scheduling/scores/normalise.hpp"
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::ScorePlugin;

class ImageLocality final : public control::ScorePlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    ImageLocality(const Parameters&, const PolicyContext&) {}

    bool prepare(const control::SchedulingContext& context,
                 const std::vector<cluster::NodeId>&) override {
        const cluster::ImageSpec& image = context.pod->image;
        if (image.name.empty()) return false;
        std::int64_t having = 0;
        std::int64_t nodes = 0;
        context.cluster->for_each_node([&](cluster::NodeId, const cluster::Node& node) {
            ++nodes;
            if (node.images.contains(image.name)) ++having;
        });
        const Bytes size = image.on_disk > Bytes{0} ? image.on_disk : image.compressed;
        const double spread = static_cast<double>(having) / static_cast<double>(nodes);
        constexpr std::int64_t kLeast = mebibytes(23).count();
        constexpr std::int64_t kMost = mebibytes(1000).count();
        const auto scaled = static_cast<std::int64_t>(static_cast<double>(size.count()) * spread);
        score_where_present_ =
            kMaxNodeScore * (std::clamp(scaled, kLeast, kMost) - kLeast) / (kMost - kLeast);
        return true;
    }
    [[nodiscard]] std::int64_t score(const control::SchedulingContext& context,
                                     cluster::NodeId node) const override {
        const bool present = context.cluster->node(node).images.contains(context.pod->image.name);
        return present ? score_where_present_ : 0;
    }

  private:
    std::int64_t score_where_present_ = 0;
};

REGISTER_POLICY(ScorePlugin, ImageLocality, "image-locality", "the pod's image is on the node");

}  // namespace headroom::policies
