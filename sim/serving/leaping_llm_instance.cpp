#include "sim/serving/leaping_llm_instance.hpp"

#include <algorithm>
#include <limits>

#include "sim/core/check.hpp"

namespace headroom::serving {

LeapingLlmInstance::LeapingLlmInstance(const LlmEngineSpec& spec,
                                       std::unique_ptr<BatchingPolicy> policy, std::uint64_t entity,
                                       SpeedPpm speed, InstanceRecorder recorder,
                                       RandomStream draws)
    : SteppedLlmInstance(spec, std::move(policy), speed, recorder, draws), entity_(entity) {}

// ---------------------------------------------------------------- what ends a leap

std::optional<Cause> LeapingLlmInstance::submit(const EventKey& position,
                                                const Submission& submission, std::uint32_t& slot) {
    if (plan_.arrivals_matter) end_leap(position);
    return SteppedLlmInstance::submit(position, submission, slot);
}

void LeapingLlmInstance::abort(const EventKey& position, std::uint32_t slot) {
    end_leap(position);
    SteppedLlmInstance::abort(position, slot);
}

void LeapingLlmInstance::run(Time now, InstanceHost& host) {
    if (leap_.length > 0) {
        pass(leap_.length);
        leap_.length = 0;
        HEADROOM_DCHECK(in_flight_.front().ends == now, "a leap ends where its last batch does");
    }
    const bool forms = forming_;
    SteppedLlmInstance::run(now, host);
    if (forms) begin_leap();
}

void LeapingLlmInstance::kill(const EventKey& position, std::vector<AttemptId>& lost) {
    end_leap(position);
    SteppedLlmInstance::kill(position, lost);
}

void LeapingLlmInstance::set_speed(const EventKey& position, SpeedPpm speed) {
    end_leap(position);
    SteppedLlmInstance::set_speed(position, speed);
}

void LeapingLlmInstance::kv_arrived(const EventKey& position, std::uint32_t slot) {
    end_leap(position);
    SteppedLlmInstance::kv_arrived(position, slot);
}

void LeapingLlmInstance::release_kv(const EventKey& position, std::uint32_t slot) {
    end_leap(position);
    SteppedLlmInstance::release_kv(position, slot);
}

void LeapingLlmInstance::finish(const EventKey& position) {
    end_leap(position);
    SteppedLlmInstance::finish(position);
}

// ---------------------------------------------------------------- what looks at one

AttemptReport LeapingLlmInstance::report(const EventKey& position, std::uint32_t slot) const {
    AttemptReport report = SteppedLlmInstance::report(position, slot);
    if (leap_.length > 0 && sequences_[slot].running) {
        report.output_tokens += progress_at(position).ended;
    }
    return report;
}

InstanceLoad LeapingLlmInstance::load(const EventKey& position) const {
    InstanceLoad load = SteppedLlmInstance::load(position);
    if (leap_.length > 0) {
        const Progress progress = progress_at(position);
        load.kv_used_blocks += blocks_taken(progress.formed);
        load.output_tokens += progress.ended * static_cast<std::int64_t>(running_.size());
    }
    return load;
}

Time LeapingLlmInstance::time_of_boundary(std::int64_t boundary) const {
    if (boundary <= depth()) return in_flight_[static_cast<std::size_t>(boundary - 1)].ends;
    const Time line = in_flight_.back().ends;
    return line.later_by(Duration::picoseconds(leap_.step.offset(boundary - depth())));
}

LeapingLlmInstance::Progress LeapingLlmInstance::progress_at(const EventKey& position) const {
    Progress progress;
    const std::int64_t known = std::min(depth(), leap_.length);
    while (progress.ended < known && time_of_boundary(progress.ended + 1) < position.time) {
        ++progress.ended;
    }
    if (progress.ended == depth()) {
        const Duration along = position.time - in_flight_.back().ends;
        progress.ended +=
            leap_.step.iterations_within(along.ps() - 1, leap_.length - progress.ended);
    }
    progress.formed = progress.ended;
    if (progress.ended == leap_.length) return progress;
    if (time_of_boundary(progress.ended + 1) != position.time) return progress;
    // A boundary of this instance at the very time of `position` counts if its event comes before.
    if (EventKey::make(position.time, kStepEnd, entity_) < position) ++progress.ended;
    if (EventKey::make(position.time, kBatchForms, entity_) < position) ++progress.formed;
    return progress;
}

/// How many blocks the running sequences take at the first boundaries of the leap.
std::int64_t LeapingLlmInstance::blocks_taken(std::int64_t boundaries) const {
    if (boundaries == 0) return 0;
    std::int64_t taken = 0;
    for (const std::uint32_t slot : running_) {
        const Sequence& s = sequences_[slot];
        const auto held = static_cast<std::int64_t>(s.kv.blocks.size());
        taken += std::max<std::int64_t>(0, cache_.blocks_for(s.computed + boundaries) - held);
    }
    return taken;
}

// ---------------------------------------------------------------- a leap

/// Whether each batch in flight decodes all of the running list, and so will the next ones.
bool LeapingLlmInstance::all_alike() const {
    // Without a request in the queue that is looked at anew in each plan.
    if (!plan_.repeatable || plan_.decode != StepPlan::Decode::all || !plan_.chunks.empty() ||
        !plan_.preempt.empty() || looked_up_) {
        return false;
    }
    if (spec_.pipeline_stages > 1 || spec_.speculation || !aborted_.empty() || forming_ ||
        in_flight_.size() != most_in_flight_) {
        return false;
    }
    for (const Batch& batch : in_flight_) {
        if (batch.work.size() != running_.size()) return false;
        for (std::size_t i = 0; i < running_.size(); ++i) {
            const Work& work = batch.work[i];
            if (work.slot != running_[i] || !work.decode || !work.yields) return false;
        }
    }
    return true;
}

void LeapingLlmInstance::begin_leap() {
    if (!all_alike()) return;
    const auto count = static_cast<std::int64_t>(running_.size());
    IterationShape shape;
    shape.decode_sequences = count;
    shape.sampled_tokens = count;
    std::int64_t tokens_left = std::numeric_limits<std::int64_t>::max();
    for (const std::uint32_t slot : running_) {
        const Sequence& s = sequences_[slot];
        shape.context_tokens += s.computed;
        tokens_left = std::min(tokens_left, s.output - s.generated);
    }
    // The batch formed at the last of them gives at most the last token of one.
    std::int64_t length = std::min(tokens_left - depth(), MacroStep::kMaxIterations);
    const IterationCost cost = scaled(spec_.latency->iteration_cost(shape), speed_);
    if (cost.valid_until != std::numeric_limits<std::int64_t>::max()) {
        const std::int64_t room = cost.valid_until - shape.context_tokens;
        length = std::min(length, (room + count - 1) / count);
    }
    leap_.step = {cost.fixed.ps(), cost.per_context_token.ps(), shape.context_tokens, count};
    while (length > 1 && !leap_.step.fits(length)) length /= 2;

    const std::int64_t free = cache_.free_blocks() - plan_.spare_blocks;
    const auto fits = [&](std::int64_t boundaries) { return blocks_taken(boundaries) <= free; };
    if (length > 0 && count * (block_size_.whole_blocks(length) + 1) > free && !fits(length)) {
        std::int64_t too_many = length;
        length = 0;
        while (too_many - length > 1) {
            const std::int64_t middle = length + (too_many - length) / 2;
            (fits(middle) ? length : too_many) = middle;
        }
    }
    if (length < 2) return;  // it would cost more than it saves
    leap_.length = length;
    await(time_of_boundary(length + 1), kStepEnd);
}

void LeapingLlmInstance::end_leap(const EventKey& position) {
    if (leap_.length == 0) return;
    const Progress progress = progress_at(position);
    pass(progress.formed);
    leap_.length = 0;
    if (progress.ended > progress.formed) {
        // Right between the end of a batch and the forming of the next one. None is completed.
        end_oldest(position.time);
        HEADROOM_DCHECK(completed_now_.empty(), "a request ends within a leap");
    }
}

/// The first boundaries of the leap, all that happens at them.
void LeapingLlmInstance::pass(std::int64_t boundaries) {
    if (boundaries > 0) {
        record_gaps_of(boundaries);
        sort_by_block(boundaries);
        for (std::int64_t i = 1; i <= boundaries; ++i) take_blocks(i);
        const Time last = time_of_boundary(boundaries);
        account(last);
        end_host_fetches(last);
        for (const std::uint32_t slot : running_) {
            Sequence& s = sequences_[slot];
            s.computed += boundaries;
            s.generated += boundaries;
            s.last_token = last;
            s.prompt_done = true;
        }
        output_tokens_ += boundaries * static_cast<std::int64_t>(running_.size());
    }
    // From the oldest on: each time still follows from those that come after.
    for (std::size_t i = 0; i < most_in_flight_; ++i) {
        in_flight_[i].ends = time_of_boundary(boundaries + 1 + static_cast<std::int64_t>(i));
    }
    stage_free_.front() = in_flight_.back().ends;
    await(in_flight_.front().ends, kStepEnd);
}

void LeapingLlmInstance::record_gaps_of(std::int64_t boundaries) {
    const std::uint64_t count = running_.size();
    metrics::Histogram& gaps = recorder_.stats->itl;
    const Time first = time_of_boundary(1);
    if (first > recorder_.measure_from) {
        for (const std::uint32_t slot : running_) {
            gaps.record((first - sequences_[slot].last_token).ps());
        }
    }
    // One by one where they are those of batches in flight before, or not all measured.
    std::int64_t i = 2;
    const auto measured = [&] { return time_of_boundary(i - 1) >= recorder_.measure_from; };
    for (; i <= boundaries && (i <= depth() || !measured()); ++i) {
        const Time now = time_of_boundary(i);
        if (now <= recorder_.measure_from) continue;
        gaps.record((now - time_of_boundary(i - 1)).ps(), count);
    }
    const MacroStep& step = leap_.step;
    gaps.record_progression(step.duration_of(i - depth() - 1), step.slope * step.growth,
                            boundaries - i + 1, count);
}

/// By how many tokens their last block has room for, so by the boundary at which they need one, as
/// far as that comes within so many boundaries and one more.
void LeapingLlmInstance::sort_by_block(std::int64_t boundaries) {
    const std::int64_t size = block_size_.tokens();
    const auto places = static_cast<std::size_t>(std::min(size, boundaries + 1));
    block_begins_.assign(places + 1, 0);
    const auto place_of = [&](std::uint32_t slot) {
        const std::int64_t into = block_size_.within_block(sequences_[slot].computed);
        return static_cast<std::size_t>(into == 0 ? 0 : size - into);
    };
    for (const std::uint32_t slot : running_) {
        const std::size_t place = place_of(slot);
        if (place < places) ++block_begins_[place + 1];
    }
    for (std::size_t i = 1; i <= places; ++i) block_begins_[i] += block_begins_[i - 1];
    by_block_.resize(block_begins_[places]);
    for (const std::uint32_t slot : running_) {
        const std::size_t place = place_of(slot);
        if (place < places) by_block_[block_begins_[place]++] = slot;
    }
    // Each begin has become an end: the next one's begin.
    for (std::size_t i = places; i > 0; --i) block_begins_[i] = block_begins_[i - 1];
    block_begins_[0] = 0;
}

/// At the forming of the batch at that boundary: first who needs a block, then who fills one with
/// tokens that are known. The order between the two does not matter: one empties places of the free
/// list, the other names blocks in use.
void LeapingLlmInstance::take_blocks(std::int64_t boundary) {
    const auto [begin, end] = in_place(boundary - 1);
    if (begin != end) account(time_of_boundary(boundary));
    for (std::uint32_t i = begin; i < end; ++i) {
        Sequence& s = sequences_[by_block_[i]];
        cache_.hold(s.kv, s.computed + boundary);
    }
    if (!spec_.prefix_caching) return;
    // Tokens known then: all computed, but for those of the other batches in flight.
    const std::int64_t known = boundary - (depth() - 1);
    const auto [first, last] = in_place(known);
    for (std::uint32_t i = first; i < last; ++i) {
        Sequence& s = sequences_[by_block_[i]];
        cache_.enter(s.kv, s.computed + known);
    }
}

/// Which of `by_block_` have a full last block after so many more tokens.
std::pair<std::uint32_t, std::uint32_t> LeapingLlmInstance::in_place(std::int64_t tokens) const {
    const auto place = static_cast<std::size_t>(block_size_.within_block(tokens));
    return {block_begins_[place], block_begins_[place + 1]};
}

}  // namespace headroom::serving
