/// `best-fit`: for each unit the device with the least left that fits, ties to the lower index, so
/// that whole devices stay whole. Shares go to distinct devices; slices may share one. O(count *
/// devices * placements).
#include <algorithm>

#include "sim/control/scheduling_policy.hpp"

namespace headroom::policies {

using control::DeviceChooser;

class BestFitDevices final : public control::DeviceChooser {
  public:
    static ParameterSpecs parameter_specs() { return {}; }
    BestFitDevices(const Parameters&, const PolicyContext&) {}

    [[nodiscard]] std::vector<std::int32_t> choose(const cluster::Node& node,
                                                   const cluster::PodSpec& pod) const override {
        const cluster::DeviceRequest& request = pod.devices;
        const bool slices = !request.slice_profile.empty();
        std::vector<cluster::Device> trial = node.usage.devices();
        std::vector<bool> taken(trial.size(), false);
        std::vector<std::int32_t> chosen;
        for (std::int32_t unit = 0; unit < request.count; ++unit) {
            std::size_t best = trial.size();
            for (std::size_t i = 0; i < trial.size(); ++i) {
                if (taken[i] || !trial[i].allows(request) || !trial[i].can_fit(request)) continue;
                if (best == trial.size() || trial[i].free_milli() < trial[best].free_milli()) {
                    best = i;
                }
            }
            HEADROOM_CHECK(best < trial.size(),
                           "devices are chosen on a node where they do not fit");
            trial[best].allocate(request);
            taken[best] = !slices;
            chosen.push_back(static_cast<std::int32_t>(best));
        }
        std::sort(chosen.begin(), chosen.end());
        return chosen;
    }
};

REGISTER_POLICY(DeviceChooser, BestFitDevices, "best-fit",
                "the devices with the least left that fit");

}  // namespace headroom::policies
