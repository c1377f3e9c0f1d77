// What an LlmInstance says of itself in the middle of a step, and the rarer cases of what it
// records: everything here may look at single iterations or sequences, for none of it is asked
// often.
#include <algorithm>

#include "sim/serving/llm_instance.hpp"

namespace headroom::serving {

LlmInstance::Progress LlmInstance::progress_at(const EventKey& position) const {
    // A boundary of this instance at the very time of `position` counts if its event comes before.
    const EventKey end = EventKey::make(position.time, kStepEnd, entity_);
    const EventKey form = EventKey::make(position.time, kBatchForms, entity_);
    const std::int64_t elapsed = (position.time - step_start_).ps();
    const std::int64_t before = step_.iterations_within(elapsed - 1, planned_ - 1);
    Progress progress{before, before + 1};
    // The last boundary too: an abort at its time may have cut the step there.
    if (step_.offset(before + 1) == elapsed) {
        if (end < position) ++progress.done;
        if (form < position && before + 1 < planned_) ++progress.formed;
    }
    return progress;
}

AttemptReport LlmInstance::report(const EventKey& position, std::uint32_t slot) const {
    const Sequence& s = sequence(slot);
    AttemptReport report{s.first_scheduled, s.first_token, s.known - s.prompt, s.preemptions};
    if (s.stage == Stage::decoding) {
        std::int64_t iteration = iteration_;
        if (stepping_ && decode_ == StepPlan::Decode::all) {
            iteration += progress_at(position).done;
        }
        report.output_tokens = computed_at(s, iteration) + 1 - s.prompt;
    }
    return report;
}

InstanceLoad LlmInstance::load(const EventKey& position) const {
    InstanceLoad load;
    load.waiting = static_cast<std::int64_t>(waiting_.size());
    load.running = static_cast<std::int64_t>(running_.size()) - leaving_;
    load.in_flight = load.waiting + load.running;
    load.kv_total_blocks = spec_.kv_blocks;
    load.kv_used_blocks = spec_.kv_blocks - numbers_.free_blocks;
    load.completed = completed_;
    load.prompt_tokens = prompt_tokens_;
    load.output_tokens = output_tokens_;
    load.busy = busy_;
    load.ttft_sum = ttft_sum_;
    load.ttft_count = ttft_count_;
    if (stepping_) {
        load.busy += position.time - step_start_;
        if (all_decode_) {
            const Progress progress = progress_at(position);
            load.kv_used_blocks += phases_.taken(progress.formed).count;
            load.output_tokens += step_decodes_ * progress.done;
        }
    }
    return load;
}

void LlmInstance::account_uneven_gaps(std::int64_t done) {
    metrics::Histogram& itl = recorder_.stats->itl;
    const bool discards = done == planned_ && discarded_ > 0;
    const Time first_boundary = step_start_ + Duration::picoseconds(step_.duration_of(0));
    if (decode_ == StepPlan::Decode::listed || (done == 1 && discards)) {
        record_last_gaps(0, first_boundary);
        return;
    }
    const std::int64_t settled = step_decodes_ - static_cast<std::int64_t>(fresh_.size());
    itl.record((first_boundary - last_decode_).ps(), static_cast<std::uint64_t>(settled));
    for (const std::uint32_t slot : fresh_) {
        itl.record((first_boundary - sequence(slot).last_token).ps());
    }
    const std::int64_t even = done - 1 - (discards ? 1 : 0);
    itl.record_progression(step_.duration_of(1), step_.slope * step_.growth, even,
                           static_cast<std::uint64_t>(step_decodes_));
    if (discards && step_decodes_ > discarded_) {
        itl.record(step_.duration_of(done - 1),
                   static_cast<std::uint64_t>(step_decodes_ - discarded_));
    }
}

void LlmInstance::record_last_gaps(std::int64_t iteration, Time boundary) {
    // One iteration, sequence by sequence: some are left out or have gaps of their own.
    metrics::Histogram& itl = recorder_.stats->itl;
    const bool listed = decode_ == StepPlan::Decode::listed;
    std::size_t next_listed = 0;
    for (const auto& [finish_at, slot, attempt] : running_) {
        const Sequence& s = sequence(slot);
        if (s.stage != Stage::decoding) continue;
        if (listed) {
            if (next_listed == listed_.size() || listed_[next_listed] != slot) continue;
            ++next_listed;
        }
        if (s.discarded && iteration + 1 == planned_) continue;
        const Time last = iteration > 0
                              ? step_start_ + Duration::picoseconds(step_.offset(iteration))
                          : s.fresh ? s.last_token
                                    : last_decode_;
        itl.record((boundary - last).ps());
    }
}

void LlmInstance::account_slowly(std::int64_t done, std::int64_t formed, Time until) {
    // The step in which measuring starts, once per instance: iteration by iteration.
    std::int64_t used = spec_.kv_blocks - numbers_.free_blocks;
    for (std::int64_t j = 0; j < formed; ++j) {
        const Time start = step_start_ + Duration::picoseconds(step_.offset(j));
        const Time boundary =
            j < done ? step_start_ + Duration::picoseconds(step_.offset(j + 1)) : until;
        if (all_decode_) {
            used += phases_.due_after(j);
        }
        if (boundary <= recorder_.measure_from) continue;
        const Time from = std::max(start, recorder_.measure_from);
        recorder_.stats->busy += boundary - from;
        recorder_.stats->kv_block_time.add(used, boundary - from);
        if (j < done && step_decodes_ > 0) record_last_gaps(j, boundary);
    }
}

}  // namespace headroom::serving
