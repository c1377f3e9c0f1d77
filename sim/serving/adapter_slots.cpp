#include "sim/serving/adapter_slots.hpp"

namespace headroom::serving {

AdapterSlots::AdapterSlots(const AdapterSpec& spec)
    : spec_(spec),
      slots_(static_cast<std::uint32_t>(spec.max_loras)),
      host_(static_cast<std::uint32_t>(spec.max_cpu_loras)) {}

Duration AdapterSlots::load(const std::vector<std::uint16_t>& adapters) {
    // First those that have a slot: none of this batch may be given up for another.
    for (const std::uint16_t adapter : adapters) {
        if (slots_.contains(adapter)) slots_.touch(adapter);
        if (host_.contains(adapter)) host_.touch(adapter);
    }
    Duration time = Duration::zero();
    for (const std::uint16_t adapter : adapters) {
        if (slots_.touch(adapter)) continue;
        ++loads_;
        time += spec_.load_from_host;
        if (!host_.touch(adapter)) time += spec_.load_from_storage;
    }
    return time;
}

}  // namespace headroom::serving
