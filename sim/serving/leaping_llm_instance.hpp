/// LeapingLlmInstance: a SteppedLlmInstance that leaps over iterations which are all alike.
///
/// LlmInstance, which touches no sequence while iterations pass, knows neither prefix caches nor
/// batches in flight beside each other. Here every sequence and block is as in the slow twin; but
/// where all batches in flight decode all of the running list, and the policy says that its plan is
/// repeatable, the next boundaries leave nothing but one more token for each. They are passed at
/// once, when the first boundary that may differ is due or something happens to the instance:
///
///   - the batches formed at them end as a MacroStep says (step_math.hpp),
///   - a sequence's counters are moved once,
///   - only sequences that need a new KV block, or fill one that can be found from then on, are
///     looked at boundary by boundary, in the twin's order.
///
/// So what is left after a leap is what the twin has there, and everything else is the twin's own
/// code. O(running + boundaries + blocks taken) a leap instead of O(running * boundaries); where
/// the free blocks may not last, O(running log boundaries) to find out how far they do. report()
/// and load() count boundaries and pass none, load() in O(running). Held equal bit for bit in
/// tests/property/serving/ (leaps_test, twin_test, disaggregation_test).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sim/serving/step_math.hpp"
#include "sim/serving/stepped_llm_instance.hpp"

namespace headroom::serving {

class LeapingLlmInstance final : public SteppedLlmInstance {
  public:
    /// As SteppedLlmInstance; `entity` is its number in the cell's event order.
    LeapingLlmInstance(const LlmEngineSpec& spec, std::unique_ptr<BatchingPolicy> policy,
                       std::uint64_t entity, SpeedPpm speed, InstanceRecorder recorder,
                       RandomStream draws);

    std::optional<Cause> submit(const EventKey& position, const Submission& submission,
                                std::uint32_t& slot) override;
    void abort(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] AttemptReport report(const EventKey& position, std::uint32_t slot) const override;
    void run(Time now, InstanceHost& host) override;
    void kill(const EventKey& position, std::vector<AttemptId>& lost) override;
    void set_speed(const EventKey& position, SpeedPpm speed) override;
    void kv_arrived(const EventKey& position, std::uint32_t slot) override;
    void release_kv(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] InstanceLoad load(const EventKey& position) const override;
    void finish(const EventKey& position) override;

  private:
    /// Boundaries 1 to `length` are alike. The first ones end the batches in flight when it began,
    /// which stay as they were until it is passed; the others end those formed since, one at each.
    struct Leap {
        std::int64_t length = 0;  ///< 0: there is none
        MacroStep step;           ///< of the batches formed, from the end of those in flight on
    };
    /// What came before a position.
    struct Progress {
        std::int64_t ended = 0;   ///< boundaries whose batch ended
        std::int64_t formed = 0;  ///< and of these, those at which one was formed
    };

    [[nodiscard]] bool all_alike() const;
    [[nodiscard]] std::int64_t blocks_taken(std::int64_t boundaries) const;
    void begin_leap();
    void end_leap(const EventKey& position);
    void pass(std::int64_t boundaries);
    void record_gaps_of(std::int64_t boundaries);
    void sort_by_block(std::int64_t boundaries);
    void take_blocks(std::int64_t boundary);
    [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> in_place(std::int64_t tokens) const;
    [[nodiscard]] Time time_of_boundary(std::int64_t boundary) const;
    [[nodiscard]] Progress progress_at(const EventKey& position) const;
    [[nodiscard]] std::int64_t depth() const { return static_cast<std::int64_t>(most_in_flight_); }

    std::uint64_t entity_;
    Leap leap_;
    // Scratch of pass(): positions of the running list by when they need a block.
    std::vector<std::uint32_t> by_block_;
    std::vector<std::uint32_t> block_begins_;
};

}  // namespace headroom::serving
