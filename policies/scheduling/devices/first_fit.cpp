/// `first-fit`: the lowest devices that fit, as a device plugin without preferences hands them out.
/// O(devices * placements).
#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::DeviceChooser;

class FirstFitDevices final : public control::DeviceChooser {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    FirstFitDevices(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] std::vector<std::int32_t> choose(const cluster::Node& node,
                                                   const cluster::PodSpec& pod) const override {
        std::vector<cluster::DeviceChoice> choices;
        HEADROOM_CHECK(node.usage.first_fit_devices(pod.devices, choices),
                       "devices are chosen on a node where they do not fit");
        std::vector<std::int32_t> devices;
        for (const cluster::DeviceChoice& choice : choices) devices.push_back(choice.device);
        return devices;
    }
};

REGISTER_POLICY(DeviceChooser, FirstFitDevices, "first-fit", "the lowest devices that fit");

}  // namespace headroom::policies
