/// LlmWorkspace: what the LlmInstances of one cell share, so that each of ten thousand is small.
///
/// The records of their sequences lie in one pool; a freed one is used again first, mostly while it
/// is still in the processor's cache. The rest is scratch of one call into one instance: nothing in
/// it means anything once that call is over. Not for several threads.
///
///     const std::uint32_t slot = workspace.take();  // O(1), amortised
///     workspace.sequences[slot].prompt = 100;   // a reference: good until the next take()
///     workspace.give_back(slot);
#pragma once

#include <cstdint>
#include <vector>

#include "sim/serving/batching_policy.hpp"
#include "sim/serving/instance.hpp"

namespace headroom::serving {

/// A request in an LlmInstance. Two cache lines, for it is cold whenever it is looked at.
struct alignas(64) LlmSequence {
    enum class Stage : std::uint8_t { unused, waiting, prefilling, decoding };

    AttemptId attempt{};
    std::int64_t prompt = 0;
    std::int64_t last_known = 0;  ///< known tokens when finished: prompt + output
    std::int64_t computed = 0;    ///< decoding: when the instance's iteration_ was `joined`
    std::int64_t joined = 0;
    std::int64_t known = 0;   ///< not kept while decoding: computed + 1
    std::int64_t blocks = 0;  ///< while decoding kept only if `phase` is kReserved
    std::int64_t chunk = 0;   ///< prompt tokens in the iteration in progress
    std::int64_t rank = 0;
    std::int64_t phase = 0;  ///< while decoding: counter modulo block size of its next block,
                             ///< kReserved while it holds more than it has computed
    Time submitted{};
    Time first_scheduled = Time::max();
    Time first_token = Time::max();
    Time last_token = Time::max();  ///< while decoding only if `fresh`
    std::uint32_t preemptions = 0;
    std::int32_t priority = 0;
    Stage stage = Stage::unused;
    bool aborted = false;
    bool discarded = false;  ///< aborted in mid-iteration: that one's token is lost
    bool fresh = false;      ///< decoding, and its last token did not come at last_decode_
};
static_assert(sizeof(LlmSequence) == 128, "a sequence is a hot record: two cache lines");

struct LlmWorkspace {
    [[nodiscard]] std::uint32_t take() {
        if (free.empty()) {
            sequences.emplace_back();
            return static_cast<std::uint32_t>(sequences.size() - 1);
        }
        const std::uint32_t slot = free.back();
        free.pop_back();
        return slot;
    }
    void give_back(std::uint32_t slot) {
        sequences[slot].stage = LlmSequence::Stage::unused;
        free.push_back(slot);
    }

    std::vector<LlmSequence> sequences;
    std::vector<std::uint32_t> free;

    StepPlan plan;
    std::vector<std::uint32_t> plan_slots;  ///< behind the plan's positions
    std::vector<std::uint32_t> over;        ///< finished by the event that runs
};

}  // namespace headroom::serving
