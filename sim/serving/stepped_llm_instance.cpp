#include "sim/serving/stepped_llm_instance.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace headroom::serving {

SteppedLlmInstance::SteppedLlmInstance(const LlmEngineSpec& spec,
                                       std::unique_ptr<BatchingPolicy> policy, SpeedPpm speed,
                                       InstanceRecorder recorder)
    : spec_(spec), policy_(std::move(policy)), speed_(speed), recorder_(recorder) {}

// ---------------------------------------------------------------- what a policy sees

SequenceView SteppedLlmInstance::view_of(std::uint32_t slot) const {
    const Sequence& s = sequences_[slot];
    SequenceView view;
    view.prompt = s.prompt;
    view.known = s.prompt + s.generated;
    view.computed = s.computed;
    view.blocks = s.blocks;
    view.last_token = s.prompt + s.output;
    view.arrival_rank = s.rank;
    view.priority = s.priority;
    view.in_decode = view.computed + 1 == view.known && view.computed >= view.prompt &&
                     (s.prompt_done || policy_->cut_recomputation_decodes());
    return view;
}

std::int64_t SteppedLlmInstance::unused_blocks() const {
    std::int64_t held = 0;
    for (const std::uint32_t slot : running_) held += sequences_[slot].blocks;
    return spec_.kv_blocks - held;
}

void SteppedLlmInstance::count_view() {
    numbers_ = {};
    numbers_.block_size = spec_.block_size;
    numbers_.total_blocks = spec_.kv_blocks;
    numbers_.free_blocks = unused_blocks();
    numbers_.running = static_cast<std::int64_t>(running_.size());
    numbers_.waiting = static_cast<std::int64_t>(waiting_.size());
    for (const std::uint32_t slot : running_) {
        const Sequence& s = sequences_[slot];
        if (!view_of(slot).decoding()) continue;
        ++numbers_.decoding;
        if (s.computed == s.blocks * spec_.block_size) ++numbers_.blocks_due;
    }
}

SequenceView SteppedLlmInstance::running_at(std::int64_t position) const {
    return view_of(running_[static_cast<std::size_t>(position)]);
}

SequenceView SteppedLlmInstance::waiting_at(std::int64_t position) const {
    return view_of(waiting_[static_cast<std::size_t>(position)]);
}

// ---------------------------------------------------------------- requests come and go

std::optional<Cause> SteppedLlmInstance::refuses(std::int64_t prompt, std::int64_t output) const {
    if (prompt >= spec_.max_model_len) return Cause::exceeds_model_length;
    return policy_->refuses(prompt, std::min(output, spec_.max_model_len - prompt), spec_.kv_blocks,
                            spec_.block_size);
}

std::optional<Cause> SteppedLlmInstance::submit(Time now, const Submission& submission,
                                                std::uint32_t& slot) {
    slot = static_cast<std::uint32_t>(sequences_.size());
    Sequence s;
    s.attempt = submission.attempt;
    s.prompt = submission.prompt;
    s.output = std::min(submission.output, spec_.max_model_len - submission.prompt);
    s.priority = submission.priority;
    s.submitted = now;
    s.rank = next_rank_++;
    sequences_.push_back(s);
    waiting_.push_back(slot);
    if (awaits_nothing()) await(now, kBatchForms);
    return std::nullopt;
}

void SteppedLlmInstance::abort(const EventKey&, std::uint32_t slot) {
    sequences_[slot].aborted = true;
    const auto queued = std::find(waiting_.begin(), waiting_.end(), slot);
    if (queued != waiting_.end()) waiting_.erase(queued);
    if (!iterating_) remove_aborted();
}

void SteppedLlmInstance::set_speed(Time, SpeedPpm speed) {
    speed_ = speed;
}

void SteppedLlmInstance::kill(const EventKey& position, std::vector<AttemptId>& lost) {
    finish(position);
    for (const std::uint32_t slot : running_) {
        if (!sequences_[slot].aborted) lost.push_back(sequences_[slot].attempt);
    }
    for (const std::uint32_t slot : waiting_) lost.push_back(sequences_[slot].attempt);
}

void SteppedLlmInstance::remove_aborted() {
    std::erase_if(running_, [this](std::uint32_t slot) { return sequences_[slot].aborted; });
}

// ---------------------------------------------------------------- one iteration

void SteppedLlmInstance::run(Time now, InstanceHost& host) {
    if (iterating_) {
        end_iteration(now, host);
    } else {
        form_iteration(now);
    }
}

void SteppedLlmInstance::hold_blocks_for(Sequence& s, std::int64_t tokens) const {
    while (s.blocks * spec_.block_size < tokens) ++s.blocks;
}

void SteppedLlmInstance::form_iteration(Time now) {
    await_nothing();
    IterationShape shape;
    do {
        plan_.clear();
        count_view();
        policy_->plan_next_step(*this, plan_);
        shape = start_work(now);
    } while (shape.prefill_tokens + shape.decode_sequences == 0 && !plan_.preempt.empty());
    if (shape.prefill_tokens + shape.decode_sequences == 0) return;
    const IterationCost cost = scaled(spec_.latency->iteration_cost(shape), speed_);
    iterating_ = true;
    start_ = now;
    await(now + cost.at(shape.context_tokens), kStepEnd);
}

IterationShape SteppedLlmInstance::start_work(Time now) {
    const std::vector<std::uint32_t> listed = running_;
    std::vector<std::uint32_t> chunk_slots;
    for (const StepPlan::Chunk& chunk : plan_.chunks) {
        if (!chunk.admit) {
            chunk_slots.push_back(listed[static_cast<std::size_t>(chunk.position)]);
            continue;
        }
        chunk_slots.push_back(waiting_.front());
        waiting_.pop_front();
    }
    for (const std::int64_t position : plan_.preempt) {
        const std::uint32_t victim = listed[static_cast<std::size_t>(position)];
        Sequence& s = sequences_[victim];
        s.blocks = 0;
        s.computed = 0;
        s.prompt_done = false;
        ++s.preemptions;
        ++recorder_.stats->preemptions;
        std::erase(running_, victim);
        waiting_.push_front(victim);
    }
    IterationShape shape;
    for (std::size_t i = 0; i < chunk_slots.size(); ++i) {
        Sequence& s = sequences_[chunk_slots[i]];
        if (plan_.chunks[i].admit) {
            running_.push_back(chunk_slots[i]);
            if (s.first_scheduled == Time::max()) s.first_scheduled = now;
        }
        s.work = plan_.chunks[i].tokens;
        hold_blocks_for(s, plan_.chunks[i].reserve_tokens);
        shape.prefill_tokens += s.work;
        shape.prefill_attention_doubled += s.work * (2 * s.computed + s.work);
        ++shape.prefill_chunks;
        if (s.computed + s.work == s.prompt + s.generated) ++shape.sampled_tokens;
    }
    for (std::size_t i = 0; i < listed.size(); ++i) {
        Sequence& s = sequences_[listed[i]];
        const bool named = std::find(plan_.decode_positions.begin(), plan_.decode_positions.end(),
                                     static_cast<std::int64_t>(i)) != plan_.decode_positions.end();
        const bool preempted =
            std::find(running_.begin(), running_.end(), listed[i]) == running_.end();
        const bool wanted = plan_.decode == StepPlan::Decode::all || named;
        if (!wanted || preempted || !view_of(listed[i]).decoding()) continue;
        s.work = 1;
        hold_blocks_for(s, s.computed + 1);
        ++shape.decode_sequences;
        shape.context_tokens += s.computed;
        ++shape.sampled_tokens;
    }
    HEADROOM_CHECK(unused_blocks() >= 0, "a plan takes more KV blocks than are free");
    return shape;
}

void SteppedLlmInstance::end_iteration(Time now, InstanceHost& host) {
    account(now);
    iterating_ = false;
    remove_aborted();
    std::vector<std::uint32_t> finished;
    for (const std::uint32_t slot : running_) {
        Sequence& s = sequences_[slot];
        if (s.work == 0) continue;
        if (!view_of(slot).decoding()) prompt_tokens_ += s.work;
        s.computed += s.work;
        s.work = 0;
        if (s.computed < s.prompt + s.generated) continue;
        s.prompt_done = true;
        ++s.generated;
        ++output_tokens_;
        if (s.first_token == Time::max()) {
            s.first_token = now;
            ttft_sum_ += now - s.submitted;
            ++ttft_count_;
        } else if (now > recorder_.measure_from) {
            recorder_.stats->itl.record((now - s.last_token).ps());
        }
        s.last_token = now;
        if (s.generated == s.output) finished.push_back(slot);
    }
    for (const std::uint32_t slot : finished) std::erase(running_, slot);
    if (!running_.empty() || !waiting_.empty()) {
        await(now, kBatchForms);
    } else {
        await_nothing();
    }
    for (const std::uint32_t slot : finished) {
        ++completed_;
        const Sequence s = sequences_[slot];
        host.attempt_completed(now, s.attempt,
                               {s.first_scheduled, s.first_token, s.generated, s.preemptions});
    }
}

// ---------------------------------------------------------------- reading and recording

AttemptReport SteppedLlmInstance::report(const EventKey&, std::uint32_t slot) const {
    const Sequence& s = sequences_[slot];
    return {s.first_scheduled, s.first_token, s.generated, s.preemptions};
}

InstanceLoad SteppedLlmInstance::load(const EventKey& position) const {
    InstanceLoad load;
    load.waiting = static_cast<std::int64_t>(waiting_.size());
    for (const std::uint32_t slot : running_) load.running += sequences_[slot].aborted ? 0 : 1;
    load.in_flight = load.waiting + load.running;
    load.kv_total_blocks = spec_.kv_blocks;
    load.kv_used_blocks = spec_.kv_blocks - unused_blocks();
    load.completed = completed_;
    load.prompt_tokens = prompt_tokens_;
    load.output_tokens = output_tokens_;
    load.busy = busy_;
    if (iterating_) load.busy += position.time - start_;
    load.ttft_sum = ttft_sum_;
    load.ttft_count = ttft_count_;
    return load;
}

void SteppedLlmInstance::finish(const EventKey& position) {
    if (iterating_) account(position.time);
}

void SteppedLlmInstance::account(Time until) {
    busy_ += until - start_;
    if (until <= recorder_.measure_from) return;
    const Time from = std::max(start_, recorder_.measure_from);
    recorder_.stats->busy += until - from;
    recorder_.stats->kv_block_time.add(spec_.kv_blocks - unused_blocks(), until - from);
}

}  // namespace headroom::serving
