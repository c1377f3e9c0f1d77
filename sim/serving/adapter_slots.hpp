/// AdapterSlots: which LoRA adapters an engine has at hand. Slots on the GPU and room in host
/// memory are two sets of which the one used longest ago is given up (vllm/lora/models.py,
/// LRUCacheWorkerLoRAManager at 992368522f). An adapter that a batch needs and that has no slot is
/// loaded before the batch runs: from host memory, or first from storage into it.
/// O(adapters of the batch).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/serving/prefix_lru.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::serving {

class AdapterSlots {
  public:
    explicit AdapterSlots(const AdapterSpec& spec);

    /// Gives all of them slots; they are different, and not more than there are slots. Returns how
    /// long that takes.
    Duration load(const std::vector<std::uint16_t>& adapters);
    /// Into slots, since the beginning.
    [[nodiscard]] std::int64_t loads() const { return loads_; }

  private:
    AdapterSpec spec_;
    PrefixLru slots_;
    PrefixLru host_;
    std::int64_t loads_ = 0;
};

}  // namespace headroom::serving
