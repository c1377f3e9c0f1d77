/// `device-fit`: enough devices of an allowed model are free for the pod's whole devices, shares or
/// slices. Takes no part for a pod without devices. O(devices * placements).
/// What the NodeResourcesFit plugin and the device plugins do together for extended resources.
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::FilterPlugin;

class DeviceFit final : public control::FilterPlugin {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    DeviceFit(const Parameters&, const PolicyContext&) {}

    bool prepare(const control::SchedulingContext& context) override {
        return context.pod->devices.count > 0;
    }
    [[nodiscard]] std::string_view filter(const control::SchedulingContext& context,
                                          cluster::NodeId node) const override {
        const cluster::Fit fit = context.cluster->node(node).usage.fits(*context.pod);
        if (fit.has(cluster::FitReason::device_kind)) {
            return "node(s) didn't have devices of the requested kind";
        }
        return fit.has(cluster::FitReason::devices) ? "Insufficient devices" : std::string_view{};
    }
};

REGISTER_POLICY(FilterPlugin, DeviceFit, "device-fit",
                "enough devices of the wanted kind are free");

}  // namespace headroom::policies
