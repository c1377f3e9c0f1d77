#include "sim/serving/stepped_llm_instance.hpp"

#include <algorithm>

namespace headroom::serving {

SteppedLlmInstance::SteppedLlmInstance(const LlmEngineSpec& spec,
                                       std::unique_ptr<BatchingPolicy> policy, SpeedPpm speed,
                                       InstanceRecorder recorder, RandomStream draws)
    : BatchView(spec.block_size),
      spec_(spec),
      policy_(std::move(policy)),
      speed_(speed),
      recorder_(recorder),
      draws_(draws),
      cache_(spec.kv_blocks, spec.block_size, spec.prefix_caching,
             spec.host_kv ? spec.host_kv->blocks : 0),
      most_in_flight_(spec.pipeline_stages > 1 ? static_cast<std::size_t>(spec.pipeline_stages)
                                               : (spec.async_scheduling ? 2U : 1U)),
      stage_free_(static_cast<std::size_t>(spec.pipeline_stages)) {
    if (spec.adapters) adapters_.emplace(*spec.adapters);
}

// ---------------------------------------------------------------- requests come and go

std::optional<Cause> SteppedLlmInstance::refuses(std::int64_t prompt, std::int64_t output) const {
    if (prompt >= spec_.max_model_len) return Cause::exceeds_model_length;
    return policy_->refuses(prompt, std::min(output, spec_.max_model_len - prompt), spec_.kv_blocks,
                            spec_.block_size);
}

std::optional<Cause> SteppedLlmInstance::submit(const EventKey& position,
                                                const Submission& submission, std::uint32_t& slot) {
    const Time now = position.time;
    if (free_slots_.empty()) {
        slot = static_cast<std::uint32_t>(sequences_.size());
        sequences_.emplace_back();
    } else {
        slot = free_slots_.back();
        free_slots_.pop_back();
    }
    Sequence s;
    s.attempt = submission.attempt;
    s.prompt = submission.prompt;
    s.output = std::min(submission.output, spec_.max_model_len - submission.prompt);
    s.remote = submission.remote_tokens;
    s.request = submission.request;
    s.draw = submission.draw;
    s.priority = submission.priority;
    s.adapter = submission.adapter;
    s.keep_kv = submission.keep_kv;
    s.submitted = now;
    s.rank = next_rank_++;
    s.kv.contents.reset(submission.contents);
    s.kv.identity = static_cast<std::uint64_t>(s.rank);
    s.kv.salt = submission.adapter;
    sequences_[slot] = std::move(s);
    queue(slot, false);
    wake(now);
    return std::nullopt;
}

/// Something came: an idle engine looks at it, and one with room for another batch in flight too,
/// unless it waits for its oldest.
void SteppedLlmInstance::wake(Time now) {
    const bool room = in_flight_.empty() ||
                      (in_flight_.size() < most_in_flight_ && !policy_->waits_for_oldest_batch());
    if (!room || (forming_ && next_event().time <= now)) return;
    forming_ = true;
    await(now, kBatchForms);
}

/// Into the waiting queue, at its front or back, or to its place in the policy's order. What has
/// been fetched goes before the rest of the front, by age; who was passed over, or waits for what
/// is being fetched, before those that are preempted since (vLLM's skipped_waiting).
void SteppedLlmInstance::queue(std::uint32_t slot, bool at_front) {
    const Sequence& s = sequences_[slot];
    auto place = waiting_.end();
    if (policy_->sorts_queue()) {
        place = std::find_if(waiting_.begin(), waiting_.end(), [&](std::uint32_t other) {
            return policy_->precedes(view_of(s), view_of(sequences_[other]));
        });
    } else if (at_front) {
        place = std::find_if(waiting_.begin(), waiting_.end(), [&](std::uint32_t other) {
            const Sequence& o = sequences_[other];
            if (s.fetch == Fetch::there) return o.fetch != Fetch::there || s.rank < o.rank;
            return o.fetch == Fetch::none && !o.passed_over;
        });
    }
    waiting_.insert(place, slot);
}

void SteppedLlmInstance::abort(const EventKey& position, std::uint32_t slot) {
    account(position.time);
    Sequence& s = sequences_[slot];
    s.over = true;
    if (s.running) {
        aborted_.push_back(slot);
        if (!computes() || forming_) remove_aborted();
    } else {
        leave(slot);
    }
    // An idle engine with a queue waits for what others of it have fetched: that may be free now.
    if (in_flight_.empty() && !waiting_.empty()) wake(position.time);
}

void SteppedLlmInstance::release_kv(const EventKey& position, std::uint32_t slot) {
    account(position.time);
    cache_.retire(sequences_[slot].kv);
    free_slots_.push_back(slot);
    if (!waiting_.empty()) wake(position.time);
}

void SteppedLlmInstance::set_speed(const EventKey&, SpeedPpm speed) {
    speed_ = speed;
}

void SteppedLlmInstance::kill(const EventKey& position, std::vector<AttemptId>& lost) {
    finish(position);
    for (const std::uint32_t slot : running_) {
        if (!sequences_[slot].over) lost.push_back(sequences_[slot].attempt);
    }
    for (const std::uint32_t slot : waiting_) lost.push_back(sequences_[slot].attempt);
}

void SteppedLlmInstance::remove_aborted() {
    for (const std::uint32_t slot : aborted_) leave(slot);
    aborted_.clear();
}

/// A sequence that is over gives back what it holds, unless another instance has yet to read it.
/// Batches in flight may still name its slot.
void SteppedLlmInstance::leave(std::uint32_t slot) {
    Sequence& s = sequences_[slot];
    if (s.running) {
        running_.erase(std::find(running_.begin(), running_.end(), slot));
    } else {
        waiting_.erase(std::find(waiting_.begin(), waiting_.end(), slot));
    }
    const bool finished = s.generated == s.output;
    s.running = false;
    s.fetch = Fetch::none;
    s.fetch_number = 0;
    forget_swapped(s);
    if (finished && s.keep_kv) return;
    cache_.retire(s.kv);
    if (s.batches == 0) free_slots_.push_back(slot);
}

// ---------------------------------------------------------------- events

void SteppedLlmInstance::run(Time now, InstanceHost& host) {
    host_ = &host;
    now_ = now;
    if (forming_) {
        form_batches(now);
    } else {
        end_oldest(now);
        // Last, for a completion may bring the next request to this very instance.
        for (const auto& [attempt, report] : completed_now_) {
            host.attempt_completed(now, attempt, report);
        }
    }
    host_ = nullptr;
}

// ---------------------------------------------------------------- reading and recording

AttemptReport SteppedLlmInstance::report(const EventKey&, std::uint32_t slot) const {
    const Sequence& s = sequences_[slot];
    return {s.first_scheduled, s.first_token, s.generated, s.preemptions};
}

InstanceLoad SteppedLlmInstance::load(const EventKey& position) const {
    InstanceLoad load;
    load.waiting = static_cast<std::int64_t>(waiting_.size());
    load.running = static_cast<std::int64_t>(running_.size() - aborted_.size());
    load.in_flight = load.waiting + load.running;
    load.kv_total_blocks = spec_.kv_blocks;
    load.kv_used_blocks = spec_.kv_blocks - cache_.free_blocks();
    load.completed = completed_;
    load.prompt_tokens = prompt_tokens_;
    load.output_tokens = output_tokens_;
    load.busy = busy_;
    if (computes()) load.busy += position.time - accounted_;
    load.ttft_sum = ttft_sum_;
    load.ttft_count = ttft_count_;
    return load;
}

void SteppedLlmInstance::finish(const EventKey& position) {
    account(position.time);
}

/// Books what was so since it was last called: nothing changes in between.
void SteppedLlmInstance::account(Time until) {
    const Time since = accounted_;
    accounted_ = until;
    const bool busy = computes();
    if (busy) busy_ += until - since;
    if (until <= recorder_.measure_from) return;
    const Time from = std::max(since, recorder_.measure_from);
    if (busy) recorder_.stats->busy += until - from;
    recorder_.stats->kv_block_time.add(spec_.kv_blocks - cache_.free_blocks(), until - from);
}

}  // namespace headroom::serving
