/// Amounts of the two resources that the vertical pod autoscaler handles: whole milli-cores of CPU,
/// whole bytes of memory, from 0 to 1e14 ("any amount"). All O(1). Source: kubernetes/autoscaler
/// vertical-pod-autoscaler/pkg/recommender/model/types.go.
///
///     vpa_amount(3.14 * 1000);   // 3140 milli-cores
///     vpa_scale(3140, 0.15);     // 471: fractions are cut off
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace headroom::policies {

enum class VpaResource : std::uint8_t { cpu, memory };
/// As Kubernetes calls it.
[[nodiscard]] constexpr const char* name_of(VpaResource resource) {
    return resource == VpaResource::cpu ? "cpu" : "memory";
}
inline constexpr std::array<VpaResource, 2> kVpaResources = {VpaResource::cpu, VpaResource::memory};

/// One value for each resource.
template <class T>
struct VpaPerResource {
    T cpu{};
    T memory{};

    [[nodiscard]] T& operator[](VpaResource resource) {
        return resource == VpaResource::cpu ? cpu : memory;
    }
    [[nodiscard]] const T& operator[](VpaResource resource) const {
        return resource == VpaResource::cpu ? cpu : memory;
    }
    bool operator==(const VpaPerResource&) const = default;
};

inline constexpr std::int64_t kMostVpaAmount = 100'000'000'000'000;

/// Cut off to whole units and to the range; NaN is 0.
[[nodiscard]] constexpr std::int64_t vpa_amount(double amount) {
    if (amount > static_cast<double>(kMostVpaAmount)) return kMostVpaAmount;
    return amount > 0 ? static_cast<std::int64_t>(amount) : 0;
}

[[nodiscard]] constexpr std::int64_t vpa_scale(std::int64_t amount, double factor) {
    return vpa_amount(static_cast<double>(amount) * factor);
}

}  // namespace headroom::policies
