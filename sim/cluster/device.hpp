/// Device: one GPU of a node, handed out whole, in milli-shares or in hardware slices.
///
/// exclusive: one pod at a time takes all 1000 milli. shared: pods take m milli each (time-slicing
/// or MPS), together at most 1000; a share holds the same part of the memory. sliced: pods take MIG
/// profiles (slice_table.hpp), by name ("1g.10gb") or by kind ("1g"), at the first placement that
/// fits in table order, or at a start the caller names.
///
/// Invariants: what is granted never exceeds the device, and release gives back exactly the grant.
/// can_fit and allocate are O(profiles * placements), the rest O(1). Allocating what does not fit
/// is a programmer error.
///
///     Device gpu{spec};
///     if (gpu.can_fit({.slice_profile = "3g"})) grant = gpu.allocate({.slice_profile = "3g"});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/cluster/slice_table.hpp"
#include "sim/core/units.hpp"

namespace headroom::cluster {

inline constexpr MilliGpu kWholeDevice{1000};

enum class SharingMode : std::uint8_t { exclusive, shared, sliced };

struct DeviceSpec {
    std::string model{};
    Bytes memory{};
    SharingMode sharing = SharingMode::exclusive;
    std::int64_t idle_milliwatts = 0;
    std::int64_t peak_milliwatts = 0;
};

/// What a pod wants of the devices of its node.
struct DeviceRequest {
    std::int32_t count = 0;  ///< whole devices and shares: of so many distinct devices
    MilliGpu milli_each = kWholeDevice;
    std::string slice_profile{};        ///< not empty: `count` slices, which may share a device
    std::vector<std::string> models{};  ///< allowed models; empty = any
};

/// A device chosen for a pod: its index on the node, and of a slice where it starts.
struct DeviceChoice {
    static constexpr std::int32_t kFirstFit = -1;
    std::int32_t device = 0;
    std::int32_t start = kFirstFit;
    bool operator==(const DeviceChoice&) const = default;
};

/// What a pod holds on one device.
struct DeviceGrant {
    std::int32_t device = 0;    ///< index on the node
    MilliGpu milli{};           ///< whole: 1000; a slice: its compute slices of all, rounded down
    std::int32_t profile = -1;  ///< of a slice: index in the table
    std::int32_t start = -1;    ///< of a slice: first memory slice
    Bytes memory{};             ///< that it may use
    bool operator==(const DeviceGrant&) const = default;
};

class Device {
  public:
    /// A sliced device without a table is a programmer error: the loader refuses such a model.
    explicit Device(std::shared_ptr<const DeviceSpec> spec);

    [[nodiscard]] const DeviceSpec& spec() const { return *spec_; }
    /// Null unless sliced.
    [[nodiscard]] const SliceTable* slice_table() const { return table_.get(); }

    [[nodiscard]] bool allows(const DeviceRequest& request) const;  ///< its model is wanted
    /// Whether one unit of the request (a device, a share, a slice) fits now. `start` as in
    /// DeviceChoice. Does not look at the model.
    [[nodiscard]] bool can_fit(const DeviceRequest& request,
                               std::int32_t start = DeviceChoice::kFirstFit) const;
    /// How many units of one request an empty device of this kind holds: 0 or 1 of whole
    /// devices and shares (they are of distinct devices), any number of slices.
    [[nodiscard]] std::int32_t units_when_empty(const DeviceRequest& request) const;
    /// The caller writes the device's index into the grant.
    DeviceGrant allocate(const DeviceRequest& request,
                         std::int32_t start = DeviceChoice::kFirstFit);
    void release(const DeviceGrant& grant);

    /// 1000 - used; of a sliced device the free compute slices of all, rounded down.
    [[nodiscard]] MilliGpu free_milli() const;
    [[nodiscard]] bool idle() const { return grants_ == 0; }
    [[nodiscard]] Bytes used_memory() const { return used_memory_; }
    /// Bit i: memory slice i is taken.
    [[nodiscard]] std::uint32_t used_slices() const { return used_slices_; }
    [[nodiscard]] std::int32_t free_compute_slices() const;

    bool operator==(const Device&) const = default;

  private:
    /// The first memory slice at which the profile fits, -1 if none does.
    [[nodiscard]] std::int32_t find_start(std::int32_t profile, std::int32_t wanted) const;

    std::shared_ptr<const DeviceSpec> spec_;
    std::shared_ptr<const SliceTable> table_;
    MilliGpu used_milli_;
    Bytes used_memory_;
    std::uint32_t used_slices_ = 0;
    std::int32_t used_compute_ = 0;
    std::int32_t grants_ = 0;
    std::vector<std::int32_t> profile_count_;  ///< slices in use, by profile
};

}  // namespace headroom::cluster
