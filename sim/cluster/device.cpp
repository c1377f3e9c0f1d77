#include "sim/cluster/device.hpp"

#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/core/time.hpp"

namespace headroom::cluster {

namespace {

Bytes share_of(Bytes whole, std::int64_t part, std::int64_t parts) {
    return Bytes{static_cast<std::int64_t>(static_cast<Int128>(whole.count()) * part / parts)};
}

}  // namespace

Device::Device(std::shared_ptr<const DeviceSpec> spec) : spec_(std::move(spec)) {
    if (spec_->sharing != SharingMode::sliced) return;
    table_ = builtin_slice_table(spec_->model, spec_->memory);
    HEADROOM_CHECK(table_ != nullptr, "a sliced device of a model without a slice table");
    HEADROOM_CHECK(table_->memory_slices < 32, "a device has at most 31 memory slices");
    profile_count_.assign(table_->profiles.size(), 0);
}

bool Device::allows(const DeviceRequest& request) const {
    return request.models.empty() || std::find(request.models.begin(), request.models.end(),
                                               spec_->model) != request.models.end();
}

std::int32_t Device::find_start(std::int32_t profile, std::int32_t wanted) const {
    const SliceProfile& p = table_->profiles[static_cast<std::size_t>(profile)];
    if (profile_count_[static_cast<std::size_t>(profile)] >= p.max_count) return -1;
    if (used_compute_ + p.compute_slices > table_->compute_slices) return -1;
    for (const std::int32_t start : p.starts) {
        if (wanted != DeviceChoice::kFirstFit && start != wanted) continue;
        if ((used_slices_ & slice_mask(start, p.memory_slices)) == 0) return start;
    }
    return -1;
}

bool Device::can_fit(const DeviceRequest& request, std::int32_t start) const {
    if (spec_->sharing == SharingMode::sliced) {
        if (request.slice_profile.empty()) return false;
        const std::int32_t profile = table_->find(request.slice_profile);
        return profile >= 0 && find_start(profile, start) >= 0;
    }
    if (!request.slice_profile.empty() || start != DeviceChoice::kFirstFit) return false;
    if (spec_->sharing == SharingMode::exclusive) {
        return request.milli_each == kWholeDevice && grants_ == 0;
    }
    return used_milli_ + request.milli_each <= kWholeDevice;
}

std::int32_t Device::units_when_empty(const DeviceRequest& request) const {
    if (spec_->sharing != SharingMode::sliced) {
        if (!request.slice_profile.empty() || request.milli_each > kWholeDevice) return 0;
        return spec_->sharing == SharingMode::shared || request.milli_each == kWholeDevice ? 1 : 0;
    }
    const std::int32_t profile =
        request.slice_profile.empty() ? -1 : table_->find(request.slice_profile);
    if (profile < 0) return 0;
    const SliceProfile& p = table_->profiles[static_cast<std::size_t>(profile)];
    std::uint32_t taken = 0;
    std::int32_t units = 0;
    for (const std::int32_t start : p.starts) {
        if (units == p.max_count) break;
        if ((units + 1) * p.compute_slices > table_->compute_slices) break;
        const std::uint32_t mask = slice_mask(start, p.memory_slices);
        if ((taken & mask) != 0) continue;
        taken |= mask;
        ++units;
    }
    return units;
}

DeviceGrant Device::allocate(const DeviceRequest& request, std::int32_t start) {
    HEADROOM_CHECK(can_fit(request, start), "a device is given out beyond what it has");
    DeviceGrant grant;
    if (spec_->sharing == SharingMode::sliced) {
        grant.profile = table_->find(request.slice_profile);
        grant.start = find_start(grant.profile, start);
        const SliceProfile& p = table_->profiles[static_cast<std::size_t>(grant.profile)];
        grant.milli = MilliGpu{kWholeDevice.count() * p.compute_slices / table_->compute_slices};
        grant.memory = p.memory > Bytes{0}
                           ? p.memory
                           : share_of(spec_->memory, p.memory_slices, table_->memory_slices);
        used_slices_ |= slice_mask(grant.start, p.memory_slices);
        used_compute_ += p.compute_slices;
        ++profile_count_[static_cast<std::size_t>(grant.profile)];
    } else {
        HEADROOM_CHECK(request.milli_each > MilliGpu{0}, "a share of nothing");
        grant.milli = request.milli_each;
        grant.memory = share_of(spec_->memory, grant.milli.count(), kWholeDevice.count());
        used_milli_ += grant.milli;
    }
    used_memory_ += grant.memory;
    ++grants_;
    return grant;
}

void Device::release(const DeviceGrant& grant) {
    HEADROOM_CHECK(grants_ > 0, "a release of what was not granted");
    if (table_ != nullptr) {
        HEADROOM_CHECK(grant.profile >= 0, "a share is released on a sliced device");
        const SliceProfile& p = table_->profiles[static_cast<std::size_t>(grant.profile)];
        const std::uint32_t mask = slice_mask(grant.start, p.memory_slices);
        HEADROOM_CHECK((used_slices_ & mask) == mask, "a release of what was not granted");
        used_slices_ &= ~mask;
        used_compute_ -= p.compute_slices;
        --profile_count_[static_cast<std::size_t>(grant.profile)];
    } else {
        HEADROOM_CHECK(grant.profile < 0 && grant.milli <= used_milli_,
                       "a release of what was not granted");
        used_milli_ -= grant.milli;
    }
    used_memory_ -= grant.memory;
    --grants_;
}

std::int32_t Device::free_compute_slices() const {
    return table_ != nullptr ? table_->compute_slices - used_compute_ : 0;
}

MilliGpu Device::free_milli() const {
    if (table_ == nullptr) return kWholeDevice - used_milli_;
    return MilliGpu{kWholeDevice.count() * free_compute_slices() / table_->compute_slices};
}

}  // namespace headroom::cluster
