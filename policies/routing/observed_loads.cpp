#include "policies/routing/observed_loads.hpp"

namespace headroom::policies {

namespace {

ObservedLoad read(const serving::RouterView& view, std::int64_t position) {
    const serving::InstanceLoad load = view.load(position);
    if (load.kv_total_blocks == 0) return {load.waiting, 0.0};
    return {load.waiting,
            static_cast<double>(load.kv_used_blocks) / static_cast<double>(load.kv_total_blocks)};
}

}  // namespace

ParameterSpec ObservedLoads::parameter_spec(Duration value) {
    return ParameterSpec::duration(
               "metrics_refresh", value,
               "how often the endpoints' metrics are read; 0: they are known at any time")
        .at_most(3600);
}

ObservedLoads::ObservedLoads(const Parameters& parameters)
    : interval_(parameters.duration("metrics_refresh")) {}

void ObservedLoads::look(const serving::RouterView& view) {
    for (std::int64_t position = 0; position < view.size(); ++position) {
        const std::uint32_t ordinal = view.ordinal(position);
        if (ordinal >= last_.size()) last_.resize(ordinal + 1);
        last_[ordinal] = read(view, position);
    }
}

ObservedLoad ObservedLoads::of(const serving::RouterView& view, std::int64_t position) const {
    if (interval_ == Duration::zero()) return read(view, position);
    const std::uint32_t ordinal = view.ordinal(position);
    return ordinal < last_.size() ? last_[ordinal] : ObservedLoad{};
}

}  // namespace headroom::policies
