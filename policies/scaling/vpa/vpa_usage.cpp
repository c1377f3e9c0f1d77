#include "policies/scaling/vpa/vpa_usage.hpp"

#include <algorithm>

#include "policies/scaling/vpa/vpa_amounts.hpp"
#include "sim/core/check.hpp"

namespace headroom::policies {

namespace {

constexpr double kCpuSampleWeight = 0.1;
constexpr double kMemoryPeakWeight = 1.0;
/// A sample of the least weight counts until it has decayed a thousandfold.
constexpr double kEpsilon = 0.001 * kCpuSampleWeight;
constexpr double kBucketGrowth = 1.05;

VpaHistogramOptions cpu_buckets() {
    return *VpaHistogramOptions::exponential(1000.0, 0.01, kBucketGrowth, kEpsilon);
}
VpaHistogramOptions memory_buckets() {
    return *VpaHistogramOptions::exponential(1e12, 1e7, kBucketGrowth, kEpsilon);
}

}  // namespace

VpaUsageHistory::VpaUsageHistory(const VpaUsageOptions& options, std::int64_t start_unix_s,
                                 Time created)
    : cpu_(cpu_buckets(), options.cpu_half_life, start_unix_s),
      memory_peaks_(memory_buckets(), options.memory_half_life, start_unix_s),
      created_(created) {
    const Int128 window = static_cast<Int128>(options.memory_interval.ps()) *
                          static_cast<Int128>(options.memory_intervals);
    const auto longest = static_cast<Int128>(Duration::max().ps());
    window_ = Duration::picoseconds(static_cast<std::int64_t>(std::min(window, longest)));
}

void VpaUsageHistory::add_cpu_sample(Time at, std::int64_t milli) {
    cpu_.add(static_cast<double>(milli) / 1000.0, kCpuSampleWeight, at);
    first_sample_ = cpu_samples_ == 0 ? at : std::min(first_sample_, at);
    last_sample_ = cpu_samples_ == 0 ? at : std::max(last_sample_, at);
    ++cpu_samples_;
}

void VpaUsageHistory::add_memory_peak(Time at, std::int64_t bytes) {
    memory_peaks_.add(static_cast<double>(bytes), kMemoryPeakWeight, at);
}

void VpaUsageHistory::subtract_memory_peak(Time at, std::int64_t bytes) {
    memory_peaks_.subtract(static_cast<double>(bytes), kMemoryPeakWeight, at);
}

bool VpaUsageHistory::expired(Time now) const {
    return now - (cpu_samples_ == 0 ? created_ : last_sample_) >= window_;
}

bool VpaContainerUsage::add_cpu_sample(VpaUsageHistory& history, Time at, std::int64_t milli) {
    if (milli < 0 || (last_cpu_ && at <= *last_cpu_)) return false;
    history.add_cpu_sample(at, milli);
    last_cpu_ = at;
    return true;
}

bool VpaContainerUsage::add_memory_sample(VpaUsageHistory& history, const VpaUsageOptions& options,
                                          Time at, std::int64_t bytes) {
    if (bytes < 0 || (last_memory_ && at < *last_memory_)) return false;
    add_memory(history, options, at, bytes, false);
    return true;
}

void VpaContainerUsage::add_memory(VpaUsageHistory& history, const VpaUsageOptions& options,
                                   Time at, std::int64_t bytes, bool oom) {
    last_memory_ = at;
    if (!interval_end_) interval_end_ = at;
    if (at < *interval_end_) {
        const std::int64_t peak = std::max(memory_peak_, oom_peak_);
        if (peak == 0 || bytes <= peak) return;
        history.subtract_memory_peak(*interval_end_, peak);
    } else {
        const Duration past = at - *interval_end_;
        const Duration whole = past - past % options.memory_interval;
        interval_end_ = interval_end_->later_by(whole).later_by(options.memory_interval);
        memory_peak_ = 0;
        oom_peak_ = 0;
    }
    history.add_memory_peak(*interval_end_, bytes);
    (oom ? oom_peak_ : memory_peak_) = bytes;
}

bool VpaContainerUsage::record_oom(VpaUsageHistory& history, const VpaUsageOptions& options,
                                   Time at, std::int64_t requested_bytes) {
    if (interval_end_ && at < *interval_end_ - options.memory_interval) return false;
    // Not the peak of an earlier kill: kill after kill would drive it up without end.
    const std::int64_t used = std::max(requested_bytes, memory_peak_);
    const std::int64_t needed = std::max(used + options.oom_min_bump_up.count(),
                                         vpa_scale(used, options.oom_bump_up_ratio));
    if (needed < 0) return false;
    add_memory(history, options, at, needed, true);
    return true;
}

}  // namespace headroom::policies
