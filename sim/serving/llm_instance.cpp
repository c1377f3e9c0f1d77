#include "sim/serving/llm_instance.hpp"

#include <algorithm>
#include <bit>

#include "sim/core/check.hpp"

namespace headroom::serving {

LlmInstance::LlmInstance(const LlmEngineSpec& spec, std::unique_ptr<BatchingPolicy> policy,
                         std::uint64_t entity, SpeedPpm speed, InstanceRecorder recorder)
    : spec_(spec),
      policy_(std::move(policy)),
      entity_(entity),
      speed_(speed),
      recorder_(recorder),
      block_size_(spec.block_size),
      free_blocks_(spec.kv_blocks),
      due_(static_cast<std::size_t>(spec.block_size), 0) {
    HEADROOM_CHECK(spec.block_size >= 1 && spec.kv_blocks >= 1, "an engine needs KV blocks");
    if (std::has_single_bit(static_cast<std::uint64_t>(block_size_))) {
        block_shift_ = std::countr_zero(static_cast<std::uint64_t>(block_size_));
    }
    numbers_.block_size = block_size_;
    numbers_.total_blocks = spec.kv_blocks;
}

// ---------------------------------------------------------------- what a policy sees

void LlmInstance::refresh_view() {
    numbers_.free_blocks = free_blocks_;
    numbers_.running = static_cast<std::int64_t>(running_.size());
    numbers_.decoding = decoding_;
    numbers_.blocks_due = blocks_due_now();
    numbers_.waiting = static_cast<std::int64_t>(waiting_.size());
}

SequenceView LlmInstance::view_of(const Sequence& s) const {
    SequenceView view;
    view.prompt = s.prompt;
    view.last_token = s.last_known;
    view.arrival_rank = s.rank;
    view.priority = s.priority;
    if (s.stage == Stage::decoding) {
        view.computed = computed_at(s, iteration_);
        view.known = view.computed + 1;
        view.blocks = blocks_for(view.computed);
    } else {
        view.computed = s.computed;
        view.known = s.known;
        view.blocks = s.blocks;
    }
    return view;
}

SequenceView LlmInstance::running_at(std::int64_t position) const {
    return view_of(sequences_[running_[static_cast<std::size_t>(position)]]);
}

SequenceView LlmInstance::waiting_at(std::int64_t position) const {
    return view_of(sequences_[waiting_[static_cast<std::size_t>(position)]]);
}

// ---------------------------------------------------------------- requests come and go

std::optional<Cause> LlmInstance::refuses(std::int64_t prompt, std::int64_t output) const {
    if (prompt >= spec_.max_model_len) return Cause::exceeds_model_length;
    const std::int64_t generated = std::min(output, spec_.max_model_len - prompt);
    return policy_->refuses(prompt, generated, spec_.kv_blocks, block_size_);
}

std::uint32_t LlmInstance::new_slot() {
    if (!free_slots_.empty()) {
        const std::uint32_t slot = free_slots_.back();
        free_slots_.pop_back();
        return slot;
    }
    sequences_.emplace_back();
    return static_cast<std::uint32_t>(sequences_.size() - 1);
}

std::optional<Cause> LlmInstance::submit(Time now, const Submission& submission,
                                         std::uint32_t& slot) {
    slot = new_slot();
    Sequence& s = sequences_[slot];
    s = Sequence{};
    s.attempt = submission.attempt;
    s.prompt = submission.prompt;
    s.known = submission.prompt;
    s.last_known =
        submission.prompt + std::min(submission.output, spec_.max_model_len - submission.prompt);
    s.submitted = now;
    s.rank = next_rank_++;
    s.priority = submission.priority;
    s.stage = Stage::waiting;
    waiting_.push_back(slot);
    if (!stepping_) {
        if (!forming_) {
            forming_ = true;
            form_time_ = now;
        }
    } else if (plan_.arrivals_matter) {
        truncate(now);
    }
    return std::nullopt;
}

void LlmInstance::abort(const EventKey& position, std::uint32_t slot) {
    const Time now = position.time;
    Sequence& s = sequences_[slot];
    if (s.stage == Stage::waiting) {
        std::size_t at = 0;
        while (waiting_[at] != slot) ++at;
        waiting_.erase_at(at);
        release(slot);
        // The new head may be admissible at once where the old one was not.
        if (stepping_ && at == 0) truncate(now);
        return;
    }
    s.aborted = true;
    ++leaving_;
    if (!stepping_) {
        remove_aborted();
        return;
    }
    truncate(now);
    // A boundary at this very time whose turn came before this event has given its token already.
    const bool passed = step_end_ == now && EventKey::make(now, kStepEnd, entity_) < position;
    if (s.stage == Stage::decoding && decodes_in_step(slot) && !passed) {
        s.discarded = true;
        ++discarded_;
    }
}

bool LlmInstance::decodes_in_step(std::uint32_t slot) const {
    if (plan_.decode != StepPlan::Decode::listed) return plan_.decode == StepPlan::Decode::all;
    const auto first = plan_slots_.begin() +
                       static_cast<std::ptrdiff_t>(plan_.preempt.size() + plan_.chunks.size());
    return std::find(first, plan_slots_.end(), slot) != plan_slots_.end();
}

void LlmInstance::set_speed(Time now, SpeedPpm speed) {
    speed_ = speed;
    if (stepping_) truncate(now);
}

void LlmInstance::kill(const EventKey& position, std::vector<AttemptId>& lost) {
    finish(position);
    for (const std::uint32_t slot : running_) {
        if (!sequences_[slot].aborted) lost.push_back(sequences_[slot].attempt);
    }
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
        lost.push_back(sequences_[waiting_[i]].attempt);
    }
}

// ---------------------------------------------------------------- events

Instance::NextEvent LlmInstance::next_event() const {
    if (stepping_) return {step_end_, kStepEnd};
    if (forming_) return {form_time_, kBatchForms};
    return {};
}

void LlmInstance::run(Time now, InstanceHost& host) {
    if (stepping_) {
        complete_step(now, host);
    } else {
        form_step(now);
    }
}

void LlmInstance::truncate(Time now) {
    // The first boundary at or after now: one more than those strictly before it.
    const std::int64_t elapsed = (now - step_start_).ps() - 1;
    const std::int64_t next = step_.iterations_within(elapsed, planned_ - 1) + 1;
    if (next >= planned_) return;
    planned_ = next;
    step_end_ = step_start_ + Duration::picoseconds(step_.offset(planned_));
}

void LlmInstance::form_step(Time now) {
    forming_ = false;
    IterationShape shape;
    do {
        plan_.clear();
        refresh_view();
        policy_->plan_next_step(*this, plan_);
        apply_plan(now);
        shape = shape_of_plan();
        // A plan that only preempted made room: ask again. Each round has fewer running sequences.
    } while (shape.prefill_tokens + shape.decode_sequences == 0 && !plan_.preempt.empty());
    if (shape.prefill_tokens + shape.decode_sequences == 0) return;

    const IterationCost cost = scaled(spec_.latency->iteration_cost(shape), speed_);
    step_.fixed = cost.fixed.ps();
    step_.slope = cost.per_context_token.ps();
    step_.context = shape.context_tokens;
    step_.growth = shape.decode_sequences;
    step_decodes_ = shape.decode_sequences;
    planned_ = 1;
    if (plan_.repeatable && plan_.decode == StepPlan::Decode::all && plan_.chunks.empty()) {
        std::int64_t most = std::min(next_finish_ - iteration_, MacroStep::kMaxIterations);
        if (cost.valid_until != std::numeric_limits<std::int64_t>::max()) {
            const std::int64_t room = cost.valid_until - shape.context_tokens;
            most = std::min(most, std::max<std::int64_t>(1, (room + decoding_ - 1) / decoding_));
        }
        planned_ = std::max<std::int64_t>(1, iterations_until_kv_short(plan_.spare_blocks, most));
        while (!step_.fits(planned_)) planned_ = (planned_ + 1) / 2;
    }
    stepping_ = true;
    discarded_ = 0;
    step_start_ = now;
    step_end_ = now + Duration::picoseconds(step_.offset(planned_));
}

void LlmInstance::apply_plan(Time now) {
    // Positions are those the policy saw: turn all of them into slots before anything moves.
    plan_slots_.clear();
    if (plan_.preempt.empty() && plan_.chunks.empty() && plan_.decode_positions.empty()) return;
    for (const std::int64_t position : plan_.preempt) {
        plan_slots_.push_back(running_[static_cast<std::size_t>(position)]);
    }
    std::size_t admissions = 0;
    for (const StepPlan::Chunk& chunk : plan_.chunks) {
        const auto position = static_cast<std::size_t>(chunk.position);
        HEADROOM_CHECK(!chunk.admit || position == admissions,
                       "a plan admits the waiting queue's head first, without gaps");
        if (chunk.admit) ++admissions;
        plan_slots_.push_back(chunk.admit ? waiting_[position] : running_[position]);
    }
    for (const std::int64_t position : plan_.decode_positions) {
        plan_slots_.push_back(running_[static_cast<std::size_t>(position)]);
    }
    for (std::size_t i = 0; i < admissions; ++i) waiting_.pop_front();

    for (std::size_t i = 0; i < plan_.preempt.size(); ++i) {
        preempt(sequences_[plan_slots_[i]], plan_slots_[i]);
    }
    if (!plan_.preempt.empty()) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < running_.size(); ++i) {
            if (sequences_[running_[i]].stage == Stage::waiting) continue;
            running_[kept] = running_[i];
            finish_at_[kept++] = finish_at_[i];
        }
        running_.resize(kept);
        finish_at_.resize(kept);
        refresh_next_finish();
        collect_fresh();
    }

    for (std::size_t i = 0; i < plan_.chunks.size(); ++i) {
        const StepPlan::Chunk& chunk = plan_.chunks[i];
        const std::uint32_t slot = plan_slots_[plan_.preempt.size() + i];
        Sequence& s = sequences_[slot];
        if (chunk.admit) {
            s.stage = Stage::prefilling;
            running_.push_back(slot);
            finish_at_.push_back(kNever);
            if (s.first_scheduled == Time::max()) s.first_scheduled = now;
        }
        HEADROOM_CHECK(s.stage == Stage::prefilling && chunk.tokens >= 1 &&
                           s.computed + chunk.tokens <= s.known,
                       "a chunk goes past the known tokens");
        s.chunk = chunk.tokens;
        const std::int64_t blocks = std::max(s.blocks, blocks_for(chunk.reserve_tokens));
        free_blocks_ -= blocks - s.blocks;
        s.blocks = blocks;
    }
    HEADROOM_CHECK(free_blocks_ >= 0, "a plan takes more KV blocks than are free");
}

IterationShape LlmInstance::shape_of_plan() {
    IterationShape shape;
    for (std::size_t i = 0; i < plan_.chunks.size(); ++i) {
        const Sequence& s = sequences_[plan_slots_[plan_.preempt.size() + i]];
        shape.prefill_tokens += s.chunk;
        shape.prefill_attention_doubled += s.chunk * (2 * s.computed + s.chunk);
        ++shape.prefill_chunks;
        if (s.computed + s.chunk == s.known) ++shape.sampled_tokens;
    }
    if (plan_.decode == StepPlan::Decode::all) {
        shape.decode_sequences = decoding_;
        shape.context_tokens = context_;
        HEADROOM_CHECK(free_blocks_ >= blocks_due_now(),
                       "a decode takes more KV blocks than are free");
    } else if (plan_.decode == StepPlan::Decode::listed) {
        const std::size_t first = plan_.preempt.size() + plan_.chunks.size();
        for (std::size_t i = first; i < plan_slots_.size(); ++i) {
            const std::int64_t computed = computed_at(sequences_[plan_slots_[i]], iteration_);
            ++shape.decode_sequences;
            shape.context_tokens += computed;
            if (computed % block_size_ == 0) --free_blocks_;
        }
        HEADROOM_CHECK(free_blocks_ >= 0, "a decode takes more KV blocks than are free");
    }
    shape.sampled_tokens += shape.decode_sequences;
    return shape;
}

void LlmInstance::complete_step(Time now, InstanceHost& host) {
    const bool all = plan_.decode == StepPlan::Decode::all;
    const TakenBlocks taken = blocks_of_step(planned_);
    account(planned_, planned_, taken, now);
    stepping_ = false;
    if (all && step_decodes_ > 0) {
        advance_all_decodes(taken.count);
        last_decode_ = now;
        for (const std::uint32_t slot : fresh_) sequences_[slot].fresh = false;
        fresh_.clear();
    } else if (step_decodes_ > 0) {
        advance_listed_decodes(now);
    }
    remove_aborted();
    end_chunks_and_finish(now);
    if (!running_.empty() || !waiting_.empty()) {
        forming_ = true;
        form_time_ = now;
    }
    // Last, for a completion may bring the next request to this very instance.
    for (std::size_t i = 0; i < finished_.size(); ++i) {
        host.attempt_completed(now, finished_[i].attempt, finished_[i].report);
    }
    finished_.clear();
}

void LlmInstance::advance_all_decodes(std::int64_t blocks) {
    free_blocks_ -= blocks;
    iteration_ += planned_;
    context_ += step_decodes_ * planned_;
}

void LlmInstance::advance_listed_decodes(Time now) {
    // Those left out fall one iteration behind the counter; every gap becomes a sequence's own.
    const std::size_t first = plan_.preempt.size() + plan_.chunks.size();
    std::size_t next_listed = first;
    for (std::size_t i = 0; i < running_.size(); ++i) {
        Sequence& s = sequences_[running_[i]];
        if (s.stage != Stage::decoding) continue;
        if (!s.fresh) {
            s.fresh = true;
            s.last_token = last_decode_;
            fresh_.push_back(running_[i]);
        }
        if (next_listed < plan_slots_.size() && plan_slots_[next_listed] == running_[i]) {
            ++next_listed;
            s.last_token = now;
            ++context_;
            continue;
        }
        remove_due(s);
        ++s.joined;
        add_due(s);
        ++finish_at_[i];
    }
    ++iteration_;
    refresh_next_finish();
}

void LlmInstance::end_chunks_and_finish(Time now) {
    if (plan_.chunks.empty() && next_finish_ > iteration_) return;
    std::size_t kept = 0;
    std::int64_t next_finish = kNever;
    for (std::size_t i = 0; i < running_.size(); ++i) {
        const std::uint32_t slot = running_[i];
        std::int64_t finish_at = finish_at_[i];
        bool over = false;
        // Only these can change, so the records of the others stay out of the cache.
        if (finish_at == kNever) {
            over = sequences_[slot].chunk > 0 && end_chunk(now, slot, finish_at);
        } else if (finish_at == iteration_) {
            over = true;
            remove_decoding(sequences_[slot]);
        }
        if (over) {
            complete(slot);
            continue;
        }
        running_[kept] = slot;
        finish_at_[kept++] = finish_at;
        next_finish = std::min(next_finish, finish_at);
    }
    next_finish_ = next_finish;
    if (kept == running_.size()) return;
    running_.resize(kept);
    finish_at_.resize(kept);
    collect_fresh();
}

void LlmInstance::complete(std::uint32_t slot) {
    const Sequence& s = sequences_[slot];
    ++completed_;
    finished_.push_back(
        {s.attempt, {s.first_scheduled, s.first_token, s.last_known - s.prompt, s.preemptions}});
    release(slot);
}

bool LlmInstance::end_chunk(Time now, std::uint32_t slot, std::int64_t& finish_at) {
    Sequence& s = sequences_[slot];
    s.computed += s.chunk;
    prompt_tokens_ += s.chunk;
    s.chunk = 0;
    if (s.computed == s.known) {
        ++s.known;
        ++output_tokens_;
        record_first_token(s, now);
        s.last_token = now;
        if (s.known == s.last_known) {
            free_blocks_ += s.blocks;
            return true;
        }
    } else if (s.computed + 1 < s.known || s.computed < s.prompt) {
        return false;
    }
    // All but its newest token is computed (also when a recomputation was cut there): it decodes.
    s.fresh = true;
    fresh_.push_back(slot);
    add_decoding(s);
    finish_at = iteration_ + (s.last_known - s.known);
    return false;
}

void LlmInstance::record_first_token(Sequence& s, Time now) {
    if (s.first_token == Time::max()) {
        s.first_token = now;
        ttft_sum_ += now - s.submitted;
        ++ttft_count_;
        return;
    }
    // Recomputed after a preemption: the reader of the stream waited since the last token.
    if (now > recorder_.measure_from) recorder_.stats->itl.record((now - s.last_token).ps());
}

void LlmInstance::add_due(Sequence& s) {
    // It takes a block at counter i when computed + (i - joined) is a multiple of the block size.
    const std::int64_t ahead = s.joined - s.computed;
    s.phase = ahead >= 0 ? phase_of(ahead) : phase_of(block_size_ - phase_of(-ahead));
    ++due_[static_cast<std::size_t>(s.phase)];
    if (s.phase < 64) due_mask_ |= 1ULL << s.phase;
}

void LlmInstance::remove_due(Sequence& s) {
    if (--due_[static_cast<std::size_t>(s.phase)] == 0 && s.phase < 64) {
        due_mask_ &= ~(1ULL << s.phase);
    }
}

void LlmInstance::add_decoding(Sequence& s) {
    s.stage = Stage::decoding;
    s.joined = iteration_;
    add_due(s);
    ++decoding_;
    context_ += s.computed;
}

void LlmInstance::remove_decoding(Sequence& s) {
    remove_due(s);
    --decoding_;
    const std::int64_t computed = computed_at(s, iteration_);
    context_ -= computed;
    free_blocks_ += blocks_for(computed);
    s.known = computed + 1;
    if (!s.fresh) s.last_token = last_decode_;
}

void LlmInstance::preempt(Sequence& s, std::uint32_t slot) {
    if (s.stage == Stage::decoding) {
        remove_decoding(s);
    } else {
        free_blocks_ += s.blocks;
    }
    s.fresh = false;
    s.computed = 0;
    s.blocks = 0;
    s.stage = Stage::waiting;
    ++s.preemptions;
    ++recorder_.stats->preemptions;
    waiting_.push_front(slot);
}

void LlmInstance::remove_aborted() {
    if (leaving_ == 0) return;
    leaving_ = 0;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < running_.size(); ++i) {
        const std::uint32_t slot = running_[i];
        Sequence& s = sequences_[slot];
        if (s.aborted) {
            if (s.stage == Stage::decoding) {
                remove_decoding(s);
            } else {
                free_blocks_ += s.blocks;
            }
            release(slot);
            continue;
        }
        running_[kept] = slot;
        finish_at_[kept++] = finish_at_[i];
    }
    if (kept == running_.size()) return;
    running_.resize(kept);
    finish_at_.resize(kept);
    refresh_next_finish();
    collect_fresh();
}

void LlmInstance::collect_fresh() {
    std::size_t kept = 0;
    for (const std::uint32_t slot : fresh_) {
        if (sequences_[slot].fresh && sequences_[slot].stage == Stage::decoding) {
            fresh_[kept++] = slot;
        }
    }
    fresh_.resize(kept);
}

void LlmInstance::release(std::uint32_t slot) {
    sequences_[slot].stage = Stage::unused;
    sequences_[slot].fresh = false;
    sequences_[slot].aborted = false;
    sequences_[slot].discarded = false;
    sequences_[slot].chunk = 0;
    free_slots_.push_back(slot);
}

void LlmInstance::refresh_next_finish() {
    next_finish_ = kNever;
    for (const std::int64_t at : finish_at_) next_finish_ = std::min(next_finish_, at);
}

// ---------------------------------------------------------------- closed forms

/// fn(iterations until a phase's next block, sequences of that phase) for all due before `reach` <=
/// block_size_ iterations have passed.
template <class Fn>
void LlmInstance::for_each_due(std::int64_t reach, Fn&& fn) const {
    const std::int64_t start = phase_of(iteration_);
    const auto visit = [&](std::int64_t first) {
        const std::int64_t phase = start + first;
        fn(first,
           due_[static_cast<std::size_t>(phase < block_size_ ? phase : phase - block_size_)]);
    };
    if (block_size_ < 64) {
        const std::uint64_t turned = due_mask_ >> start | due_mask_ << (block_size_ - start);
        for (std::uint64_t left = turned & ((1ULL << reach) - 1); left != 0; left &= left - 1) {
            visit(std::countr_zero(left));
        }
    } else {
        for (std::int64_t first = 0; first < reach; ++first) visit(first);
    }
}

LlmInstance::TakenBlocks LlmInstance::blocks_taken(std::int64_t count) const {
    if (count == 1) return {blocks_due_now(), 0, 0};
    const std::int64_t cycles = blocks_in(count);
    const std::int64_t in_cycles = cycles * block_size_;
    TakenBlocks taken;
    for_each_due(count - in_cycles, [&](std::int64_t first, std::int64_t blocks) {
        const std::int64_t j = in_cycles + first;
        taken.count += blocks;
        taken.sum_j += blocks * j;
        taken.sum_j2 += blocks * j * j;
    });
    if (cycles == 0) return taken;
    // In whole cycles each phase takes its blocks at j = first + m * block_size, m < cycles.
    const std::int64_t sum_m = block_size_ * (cycles * (cycles - 1) / 2);
    const std::int64_t sum_m2 =
        block_size_ * block_size_ * ((cycles - 1) * cycles * (2 * cycles - 1) / 6);
    for_each_due(block_size_, [&](std::int64_t first, std::int64_t blocks) {
        taken.count += blocks * cycles;
        taken.sum_j += blocks * (cycles * first + sum_m);
        taken.sum_j2 += blocks * (first * (cycles * first + 2 * sum_m) + sum_m2);
    });
    return taken;
}

std::int64_t LlmInstance::iterations_until_kv_short(std::int64_t spare,
                                                    std::int64_t at_most) const {
    std::int64_t room = free_blocks_ - spare;
    if ((blocks_in(at_most) + 1) * decoding_ <= room) return at_most;
    if (room < 0) return 0;
    // A whole cycle of phases takes one block of each sequence.
    const std::int64_t cycles = room / decoding_;
    room -= cycles * decoding_;
    std::int64_t count = cycles * block_size_;
    std::int64_t phase = phase_of(iteration_);
    while (count < at_most && due_[static_cast<std::size_t>(phase)] <= room) {
        room -= due_[static_cast<std::size_t>(phase)];
        ++count;
        if (++phase == block_size_) phase = 0;
    }
    return std::min(count, at_most);
}

LlmInstance::Progress LlmInstance::progress_at(const EventKey& position) const {
    // A boundary of this instance at the very time of `position` counts if its event comes before.
    const EventKey end = EventKey::make(position.time, kStepEnd, entity_);
    const EventKey form = EventKey::make(position.time, kBatchForms, entity_);
    const std::int64_t elapsed = (position.time - step_start_).ps();
    const std::int64_t before = step_.iterations_within(elapsed - 1, planned_ - 1);
    Progress progress{before, before + 1};
    if (before + 1 < planned_ && step_.offset(before + 1) == elapsed) {
        if (end < position) ++progress.done;
        if (form < position) ++progress.formed;
    }
    return progress;
}

// ---------------------------------------------------------------- reading and recording

AttemptReport LlmInstance::report(const EventKey& position, std::uint32_t slot) const {
    const Sequence& s = sequences_[slot];
    AttemptReport report{s.first_scheduled, s.first_token, s.known - s.prompt, s.preemptions};
    if (s.stage == Stage::decoding) {
        std::int64_t iteration = iteration_;
        if (stepping_ && plan_.decode == StepPlan::Decode::all) {
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
    load.kv_used_blocks = spec_.kv_blocks - free_blocks_;
    load.completed = completed_;
    load.prompt_tokens = prompt_tokens_;
    load.output_tokens = output_tokens_;
    load.busy = busy_;
    load.ttft_sum = ttft_sum_;
    load.ttft_count = ttft_count_;
    if (stepping_) {
        load.busy += position.time - step_start_;
        if (plan_.decode == StepPlan::Decode::all && step_decodes_ > 0) {
            const Progress progress = progress_at(position);
            load.kv_used_blocks += blocks_taken(progress.formed).count;
            load.output_tokens += step_decodes_ * progress.done;
        }
    }
    return load;
}

void LlmInstance::finish(const EventKey& position) {
    if (!stepping_) return;
    const Progress progress = progress_at(position);
    account(progress.done, progress.formed, blocks_of_step(progress.formed), position.time);
}

void LlmInstance::account(std::int64_t done, std::int64_t formed, const TakenBlocks& taken,
                          Time until) {
    const std::int64_t discarded = done == planned_ ? discarded_ : 0;
    busy_ += until - step_start_;
    output_tokens_ += step_decodes_ * done - discarded;
    if (until <= recorder_.measure_from) return;
    if (step_start_ < recorder_.measure_from) {
        account_slowly(done, formed, until);
        return;
    }
    recorder_.stats->busy += until - step_start_;
    account_gaps(done);
    account_kv(taken, until);
}

void LlmInstance::account_gaps(std::int64_t done) {
    if (done == 0 || step_decodes_ == 0) return;
    metrics::Histogram& itl = recorder_.stats->itl;
    const bool discards = done == planned_ && discarded_ > 0;
    const Time first_boundary = step_start_ + Duration::picoseconds(step_.offset(1));
    if (plan_.decode == StepPlan::Decode::listed || (done == 1 && discards)) {
        record_last_gaps(0, first_boundary);
        return;
    }
    const std::int64_t settled = step_decodes_ - static_cast<std::int64_t>(fresh_.size());
    if (settled > 0) {
        itl.record((first_boundary - last_decode_).ps(), static_cast<std::uint64_t>(settled));
    }
    for (const std::uint32_t slot : fresh_) {
        itl.record((first_boundary - sequences_[slot].last_token).ps());
    }
    const std::int64_t even = done - 1 - (discards ? 1 : 0);
    if (even > 0) {
        itl.record_progression(step_.duration_of(1), step_.slope * step_.growth, even,
                               static_cast<std::uint64_t>(step_decodes_));
    }
    if (discards && step_decodes_ > discarded_) {
        itl.record(step_.duration_of(done - 1),
                   static_cast<std::uint64_t>(step_decodes_ - discarded_));
    }
}

void LlmInstance::record_last_gaps(std::int64_t iteration, Time boundary) {
    // One iteration, sequence by sequence: some are left out or have gaps of their own.
    metrics::Histogram& itl = recorder_.stats->itl;
    const std::size_t first = plan_.preempt.size() + plan_.chunks.size();
    const bool listed = plan_.decode == StepPlan::Decode::listed;
    std::size_t next_listed = first;
    for (const std::uint32_t slot : running_) {
        const Sequence& s = sequences_[slot];
        if (s.stage != Stage::decoding) continue;
        if (listed) {
            if (next_listed == plan_slots_.size() || plan_slots_[next_listed] != slot) continue;
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

void LlmInstance::account_kv(const TakenBlocks& taken, Time until) {
    TimeIntegral& held = recorder_.stats->kv_block_time;
    held.add(spec_.kv_blocks - free_blocks_ + taken.count, until - step_start_);
    // A block taken at iteration j is held from offset(j) on, a quadratic in j: so the sums of j
    // and j^2 over all blocks taken are enough.
    if (taken.sum_j > 0) held.add_ps(-step_.offset_sum(taken.sum_j, taken.sum_j2));
}

void LlmInstance::account_slowly(std::int64_t done, std::int64_t formed, Time until) {
    // The step in which measuring starts, once per instance: iteration by iteration.
    const bool all = plan_.decode == StepPlan::Decode::all;
    std::int64_t used = spec_.kv_blocks - free_blocks_;
    for (std::int64_t j = 0; j < formed; ++j) {
        const Time start = step_start_ + Duration::picoseconds(step_.offset(j));
        const Time boundary =
            j < done ? step_start_ + Duration::picoseconds(step_.offset(j + 1)) : until;
        if (all && step_decodes_ > 0) {
            used += due_[static_cast<std::size_t>(phase_of(iteration_ + j))];
        }
        if (boundary <= recorder_.measure_from) continue;
        const Time from = std::max(start, recorder_.measure_from);
        recorder_.stats->busy += boundary - from;
        recorder_.stats->kv_block_time.add(used, boundary - from);
        if (j < done && step_decodes_ > 0) record_last_gaps(j, boundary);
    }
}

}  // namespace headroom::serving
