#include "sim/cluster/node.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace headroom::cluster {

const std::string& label(const NodeSpec& spec, std::string_view key) {
    static const std::string none;
    const auto it = spec.labels.find(key);
    return it == spec.labels.end() ? none : it->second;
}

const char* to_string(NodeState state) {
    switch (state) {
        case NodeState::starting:
            return "starting";
        case NodeState::ready:
            return "ready";
        case NodeState::cordoned:
            return "cordoned";
        case NodeState::lost:
            return "lost";
    }
    return "unknown";
}

const char* to_string(FitReason reason) {
    switch (reason) {
        case FitReason::node_starting:
            return "node is starting";
        case FitReason::cordoned:
            return "node is cordoned";
        case FitReason::lost:
            return "node is lost";
        case FitReason::taint:
            return "untolerated taint";
        case FitReason::node_selector:
            return "node selector does not match";
        case FitReason::node_affinity:
            return "node affinity does not match";
        case FitReason::pods:
            return "too many pods";
        case FitReason::cpu:
            return "insufficient cpu";
        case FitReason::memory:
            return "insufficient memory";
        case FitReason::devices:
            return "insufficient devices";
        case FitReason::device_kind:
            return "no such devices";
        case FitReason::no_node:
            return "there is no node";
    }
    return "unknown";
}

std::string Fit::text() const {
    std::string text;
    for (unsigned bit = 0; bit < kFitReasons; ++bit) {
        const auto reason = static_cast<FitReason>(1U << bit);
        if (!has(reason)) continue;
        if (!text.empty()) text += ", ";
        text += to_string(reason);
    }
    return text;
}

NodeUsage::NodeUsage(const std::shared_ptr<const NodeSpec>& spec) : spec_(spec) {
    devices_.reserve(spec->devices.size());
    for (const DeviceSpec& device : spec->devices) {
        devices_.emplace_back(std::shared_ptr<const DeviceSpec>(spec, &device));
    }
}

std::int32_t NodeUsage::place_devices(const DeviceRequest& request,
                                      std::vector<DeviceChoice>* out) const {
    std::int32_t placed = 0;
    const auto place = [&placed, out](std::size_t index) {
        ++placed;
        if (out != nullptr) out->push_back({.device = static_cast<std::int32_t>(index)});
    };
    for (std::size_t i = 0; i < devices_.size() && placed < request.count; ++i) {
        if (!devices_[i].allows(request) || !devices_[i].can_fit(request)) continue;
        place(i);
        if (request.slice_profile.empty()) continue;
        Device trial = devices_[i];
        for (trial.allocate(request); placed < request.count && trial.can_fit(request); place(i)) {
            trial.allocate(request);
        }
    }
    return placed;
}

bool NodeUsage::first_fit_devices(const DeviceRequest& request,
                                  std::vector<DeviceChoice>& out) const {
    return place_devices(request, &out) >= request.count;
}

bool NodeUsage::can_grant(const DeviceRequest& request,
                          std::span<const DeviceChoice> choices) const {
    if (choices.size() != static_cast<std::size_t>(std::max(request.count, 0))) return false;
    std::vector<std::pair<std::int32_t, Device>> trials;
    for (const DeviceChoice& choice : choices) {
        if (choice.device < 0 || static_cast<std::size_t>(choice.device) >= devices_.size()) {
            return false;
        }
        const Device& device = devices_[static_cast<std::size_t>(choice.device)];
        if (!device.allows(request)) return false;
        auto it = std::find_if(trials.begin(), trials.end(),
                               [&choice](const auto& t) { return t.first == choice.device; });
        if (it == trials.end()) {
            it = trials.emplace(trials.end(), choice.device, device);
        } else if (request.slice_profile.empty()) {
            return false;  // whole devices and shares are of distinct devices
        }
        if (!it->second.can_fit(request, choice.start)) return false;
        it->second.allocate(request, choice.start);
    }
    return true;
}

Fit NodeUsage::fits_devices(const DeviceRequest& request) const {
    if (request.count <= 0 || place_devices(request, nullptr) == request.count) return {};
    std::int32_t when_empty = 0;
    for (const Device& device : devices_) {
        if (device.allows(request)) when_empty += device.units_when_empty(request);
    }
    return Fit{when_empty >= request.count ? FitReason::devices : FitReason::device_kind};
}

Fit NodeUsage::fits(const PodSpec& pod) const {
    Fit fit;
    if (pods_ + 1 > spec_->allocatable.max_pods) fit.add(FitReason::pods);
    const Resources left = free();
    const Resources& wanted = pod.requests;
    if (wanted.cpu > MilliCpu{0} && wanted.cpu > left.cpu) fit.add(FitReason::cpu);
    if (wanted.memory > Bytes{0} && wanted.memory > left.memory) fit.add(FitReason::memory);
    fit.add(fits_devices(pod.devices));
    return fit;
}

void NodeUsage::charge(const PodSpec& pod, std::span<const DeviceChoice> choices,
                       std::vector<DeviceGrant>& grants) {
    HEADROOM_CHECK(pods_ < spec_->allocatable.max_pods, "a node takes more pods than it may");
    HEADROOM_CHECK(can_grant(pod.devices, choices), "the chosen devices do not fit the request");
    used_ += pod.requests;
    HEADROOM_CHECK(used_.cpu <= spec_->allocatable.cpu || pod.requests.cpu == MilliCpu{0},
                   "a node gives more cpu than it has");
    HEADROOM_CHECK(used_.memory <= spec_->allocatable.memory || pod.requests.memory == Bytes{0},
                   "a node gives more memory than it has");
    scoring_used_ += scoring_requests(pod);
    ++pods_;
    for (const DeviceChoice& choice : choices) {
        Device& device = devices_[static_cast<std::size_t>(choice.device)];
        DeviceGrant grant = device.allocate(pod.devices, choice.start);
        grant.device = choice.device;
        grants.push_back(grant);
    }
}

void NodeUsage::discharge(const PodSpec& pod, std::span<const DeviceGrant> grants) {
    HEADROOM_CHECK(pods_ > 0, "a node gives back more pods than it had");
    used_ -= pod.requests;
    HEADROOM_CHECK(used_.cpu >= MilliCpu{0} && used_.memory >= Bytes{0},
                   "a node gets back more than it gave");
    scoring_used_ -= scoring_requests(pod);
    --pods_;
    for (const DeviceGrant& grant : grants) {
        devices_[static_cast<std::size_t>(grant.device)].release(grant);
    }
}

MilliGpu NodeUsage::free_milli() const {
    MilliGpu sum;
    for (const Device& device : devices_) sum += device.free_milli();
    return sum;
}

Node::Node(std::shared_ptr<const NodeSpec> node_spec)
    : spec(std::move(node_spec)), usage(spec), images(spec->image_cache_capacity) {}

Fit fits_placement(const PodSpec& pod, const NodeSpec& spec) {
    if (first_untolerated(spec.taints, pod.tolerations) != nullptr) return Fit{FitReason::taint};
    if (!matches_all(pod.node_selector, spec.labels)) return Fit{FitReason::node_selector};
    if (!matches_any(pod.required_affinity, spec.labels)) return Fit{FitReason::node_affinity};
    return {};
}

Fit fits(const PodSpec& pod, const Node& node) {
    switch (node.state) {
        case NodeState::starting:
            return Fit{FitReason::node_starting};
        case NodeState::cordoned:
            return Fit{FitReason::cordoned};
        case NodeState::lost:
            return Fit{FitReason::lost};
        case NodeState::ready:
            break;
    }
    const Fit placement = fits_placement(pod, *node.spec);
    return placement.ok() ? node.usage.fits(pod) : placement;
}

Fit could_ever_fit(const PodSpec& pod, const std::shared_ptr<const NodeSpec>& spec) {
    const Fit placement = fits_placement(pod, *spec);
    return placement.ok() ? NodeUsage{spec}.fits(pod) : placement;
}

}  // namespace headroom::cluster
