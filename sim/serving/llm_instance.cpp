#include "sim/serving/llm_instance.hpp"

#include <algorithm>
#include <bit>

#include "sim/core/branchless.hpp"
#include "sim/core/check.hpp"

namespace headroom::serving {

LlmInstance::LlmInstance(const LlmEngineSpec& spec, LlmWorkspace& workspace,
                         std::unique_ptr<BatchingPolicy> policy, std::uint64_t entity,
                         SpeedPpm speed, InstanceRecorder recorder)
    : BatchView(spec.block_size),
      spec_(spec),
      workspace_(workspace),
      policy_(std::move(policy)),
      recorder_(recorder),
      sorts_queue_(policy_->sorts_queue()),
      speed_(speed),
      phases_(spec.block_size),
      entity_(entity) {
    HEADROOM_CHECK(spec.kv_blocks >= 1, "an engine needs KV blocks");
    numbers_.total_blocks = spec.kv_blocks;
    numbers_.free_blocks = spec.kv_blocks;
}

LlmInstance::~LlmInstance() {
    for (const Running& r : running_) workspace_.give_back(r.slot);
    for (std::size_t i = 0; i < waiting_.size(); ++i) workspace_.give_back(waiting_[i]);
}

// ---------------------------------------------------------------- what a policy sees

void LlmInstance::refresh_view() {
    numbers_.running = static_cast<std::int64_t>(running_.size());
    numbers_.blocks_due = phases_.due();
    numbers_.waiting = static_cast<std::int64_t>(waiting_.size());
}

SequenceView LlmInstance::view_of(const Sequence& s) const {
    SequenceView view;
    view.prompt = s.prompt;
    view.last_token = s.last_known;
    view.arrival_rank = s.rank;
    view.submitted = s.submitted;
    view.priority = s.priority;
    view.in_decode = s.stage == Stage::decoding;
    if (view.in_decode) {
        view.computed = computed_at(s, iteration_);
        view.known = view.computed + 1;
        view.blocks = s.phase == kReserved ? s.blocks : block_size_.blocks_for(view.computed);
    } else {
        view.computed = s.computed;
        view.known = s.known;
        view.blocks = s.blocks;
    }
    return view;
}

SequenceView LlmInstance::running_at(std::int64_t position) const {
    return view_of(sequence(running_[static_cast<std::size_t>(position)].slot));
}

SequenceView LlmInstance::waiting_at(std::int64_t position) const {
    return view_of(sequence(waiting_[static_cast<std::size_t>(position)]));
}

// ---------------------------------------------------------------- requests come and go

std::optional<Cause> LlmInstance::refuses(std::int64_t prompt, std::int64_t output) const {
    if (prompt >= spec_.max_model_len) return Cause::exceeds_model_length;
    const std::int64_t generated = std::min(output, spec_.max_model_len - prompt);
    return policy_->refuses(prompt, generated, spec_.kv_blocks, spec_.block_size);
}

std::optional<Cause> LlmInstance::submit(const EventKey& position, const Submission& submission,
                                         std::uint32_t& slot) {
    const Time now = position.time;
    slot = workspace_.take();
    Sequence& s = sequence(slot);
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
    if (sorts_queue_) sort_in();
    if (!stepping_) {
        if (awaits_nothing()) await(now, kBatchForms);
    } else if (arrivals_matter_) {
        truncate(now);
    }
    return std::nullopt;
}

void LlmInstance::abort(const EventKey& position, std::uint32_t slot) {
    const Time now = position.time;
    Sequence& s = sequence(slot);
    if (s.stage == Stage::waiting) {
        std::size_t at = 0;
        while (waiting_[at] != slot) ++at;
        waiting_.erase_at(at);
        workspace_.give_back(slot);
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
    const bool passed =
        next_event().time == now && EventKey::make(now, kStepEnd, entity_) < position;
    if (s.stage == Stage::decoding && decodes_in_step(slot) && !passed) {
        s.discarded = true;
        ++discarded_;
    }
}

bool LlmInstance::decodes_in_step(std::uint32_t slot) const {
    if (decode_ != StepPlan::Decode::listed) return decode_ == StepPlan::Decode::all;
    return std::find(listed_.begin(), listed_.end(), slot) != listed_.end();
}

void LlmInstance::set_speed(const EventKey& position, SpeedPpm speed) {
    speed_ = speed;
    if (stepping_) truncate(position.time);
}

void LlmInstance::kill(const EventKey& position, std::vector<AttemptId>& lost) {
    finish(position);
    for (const auto [finish_at, slot, attempt] : running_) {
        if (!sequence(slot).aborted) lost.push_back(sequence(slot).attempt);
    }
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
        lost.push_back(sequence(waiting_[i]).attempt);
    }
}

// ---------------------------------------------------------------- events

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
    await(step_start_.later_by(Duration::picoseconds(step_.offset(planned_))), kStepEnd);
}

void LlmInstance::form_step(Time now) {
    await_nothing();
    StepPlan& plan = workspace_.plan;
    IterationShape shape;
    do {
        plan.clear();
        refresh_view();
        policy_->plan_next_step(*this, plan);
        if (plan.names_sequences()) apply_plan(now);
        shape = shape_of(plan);
        // A plan that only preempted made room: ask again. Each round has fewer running sequences.
    } while (shape.prefill_tokens + shape.decode_sequences == 0 && !plan.preempt.empty());
    if (shape.prefill_tokens + shape.decode_sequences == 0) return;

    IterationCost cost = spec_.latency->iteration_cost(shape);
    if (speed_ != kNominalSpeed) cost = scaled(cost, speed_);
    step_.fixed = cost.fixed.ps();
    step_.slope = cost.per_context_token.ps();
    step_.context = shape.context_tokens;
    step_.growth = shape.decode_sequences;
    step_decodes_ = shape.decode_sequences;
    decode_ = plan.decode;
    arrivals_matter_ = plan.arrivals_matter;
    chunks_ = plan.chunks.size();
    all_decode_ = decode_ == StepPlan::Decode::all && step_decodes_ > 0;
    planned_ = 1;
    if (plan.repeatable && decode_ == StepPlan::Decode::all && chunks_ == 0) {
        std::int64_t most = std::min(
            {next_finish_ - iteration_, next_used_up_ - iteration_, MacroStep::kMaxIterations});
        if (cost.valid_until != std::numeric_limits<std::int64_t>::max()) {
            const std::int64_t room = cost.valid_until - shape.context_tokens;
            most = std::min(most, std::max<std::int64_t>(
                                      1, (room + numbers_.decoding - 1) / numbers_.decoding));
        }
        planned_ = std::max<std::int64_t>(
            1, phases_.iterations_within(numbers_.free_blocks - plan.spare_blocks,
                                         numbers_.decoding - reserved_, most));
        while (planned_ > 1 && !step_.fits(planned_)) planned_ = (planned_ + 1) / 2;
    }
    if (planned_ == 1 && !step_.fits(1)) [[unlikely]] {
        step_.fixed = cost.at(shape.context_tokens).ps();
        step_.slope = 0;
    }
    stepping_ = true;
    discarded_ = 0;
    step_start_ = now;
    even_gaps_ = all_decode_ && fresh_.empty() && last_decode_ == now;
    await(now.later_by(Duration::picoseconds(step_.offset(planned_))), kStepEnd);
}

void LlmInstance::apply_plan(Time now) {
    const StepPlan& plan = workspace_.plan;
    std::vector<std::uint32_t>& slots = workspace_.plan_slots;
    // Positions are those the policy saw: turn all of them into slots before anything moves.
    slots.clear();
    listed_.clear();
    for (const std::int64_t position : plan.preempt) {
        slots.push_back(running_[static_cast<std::size_t>(position)].slot);
    }
    std::size_t admissions = 0;
    for (const StepPlan::Chunk& chunk : plan.chunks) {
        const auto position = static_cast<std::size_t>(chunk.position);
        HEADROOM_CHECK(!chunk.admit || position == admissions,
                       "a plan admits the waiting queue's head first, without gaps");
        if (chunk.admit) ++admissions;
        slots.push_back(chunk.admit ? waiting_[position] : running_[position].slot);
    }
    for (const std::int64_t position : plan.decode_positions) {
        listed_.push_back(running_[static_cast<std::size_t>(position)].slot);
    }
    for (std::size_t i = 0; i < admissions; ++i) waiting_.pop_front();

    for (std::size_t i = 0; i < plan.preempt.size(); ++i) {
        preempt(sequence(slots[i]), slots[i]);
    }
    if (!plan.preempt.empty()) {
        std::erase_if(running_, [this](const Running& r) {
            return sequence(r.slot).stage == Stage::waiting;
        });
        refresh_next_finish();
        collect_fresh();
    }

    for (std::size_t i = 0; i < plan.chunks.size(); ++i) {
        const StepPlan::Chunk& chunk = plan.chunks[i];
        const std::uint32_t slot = slots[plan.preempt.size() + i];
        Sequence& s = sequence(slot);
        if (chunk.admit) {
            s.stage = Stage::prefilling;
            running_.push_back({kNever, slot, s.attempt.index});
            fresh_.reserve(running_.capacity());  // it grows with the list
            if (s.first_scheduled == Time::max()) s.first_scheduled = now;
        }
        HEADROOM_CHECK(s.stage == Stage::prefilling && chunk.tokens >= 1 &&
                           s.computed + chunk.tokens <= s.known,
                       "a chunk goes past the known tokens");
        s.chunk = chunk.tokens;
        const std::int64_t blocks =
            std::max(s.blocks, block_size_.blocks_for(chunk.reserve_tokens));
        numbers_.free_blocks -= blocks - s.blocks;
        s.blocks = blocks;
    }
    HEADROOM_CHECK(numbers_.free_blocks >= 0, "a plan takes more KV blocks than are free");
}

IterationShape LlmInstance::shape_of(const StepPlan& plan) {
    IterationShape shape;
    for (std::size_t i = 0; i < plan.chunks.size(); ++i) {
        const Sequence& s = sequence(workspace_.plan_slots[plan.preempt.size() + i]);
        shape.prefill_tokens += s.chunk;
        shape.prefill_attention_doubled += s.chunk * (2 * s.computed + s.chunk);
        ++shape.prefill_chunks;
        if (s.computed + s.chunk == s.known) ++shape.sampled_tokens;
    }
    if (plan.decode == StepPlan::Decode::all) {
        shape.decode_sequences = numbers_.decoding;
        shape.context_tokens = context_;
        HEADROOM_CHECK(numbers_.free_blocks >= phases_.due(),
                       "a decode takes more KV blocks than are free");
    } else if (plan.decode == StepPlan::Decode::listed) {
        for (const std::uint32_t slot : listed_) {
            const Sequence& s = sequence(slot);
            const std::int64_t computed = computed_at(s, iteration_);
            ++shape.decode_sequences;
            shape.context_tokens += computed;
            if (s.phase != kReserved && block_size_.within_block(computed) == 0) {
                --numbers_.free_blocks;
            }
        }
        HEADROOM_CHECK(numbers_.free_blocks >= 0, "a decode takes more KV blocks than are free");
    }
    shape.sampled_tokens += shape.decode_sequences;
    return shape;
}

void LlmInstance::complete_step(Time now, InstanceHost& host) {
    const BlockPhases::Taken taken = blocks_of_step(planned_);
    account(planned_, planned_, taken, now);
    stepping_ = false;
    if (all_decode_) {
        advance_all_decodes(taken.count);
        last_decode_ = now;
        for (const std::uint32_t slot : fresh_) sequence(slot).fresh = false;
        fresh_.clear();
    } else if (step_decodes_ > 0) {
        advance_listed_decodes(now);
    }
    remove_aborted();
    if (chunks_ > 0) end_chunks(now);
    const std::size_t over_count = next_finish_ <= iteration_ ? finish_sequences() : 0;
    if (next_used_up_ <= iteration_) end_reserves();
    if (!running_.empty() || !waiting_.empty()) {
        await(now, kBatchForms);
    } else {
        await_nothing();
    }
    // Last, for a completion may bring the next request to this very instance.
    const std::vector<std::uint32_t>& over = workspace_.over;
    for (std::size_t i = 0; i < over_count; ++i) {
        const Sequence& s = sequence(over[i]);
        const AttemptId attempt = s.attempt;
        const AttemptReport report{s.first_scheduled, s.first_token, s.last_known - s.prompt,
                                   s.preemptions};
        workspace_.give_back(over[i]);
        host.attempt_completed(now, attempt, report);
    }
}

void LlmInstance::advance_all_decodes(std::int64_t blocks) {
    numbers_.free_blocks -= blocks;
    iteration_ += planned_;
    phases_.advance(planned_);
    context_ += step_decodes_ * planned_;
}

void LlmInstance::advance_listed_decodes(Time now) {
    // Those left out fall one iteration behind the counter; every gap becomes a sequence's own.
    std::size_t next_listed = 0;
    for (auto& [finish_at, slot, attempt] : running_) {
        Sequence& s = sequence(slot);
        if (s.stage != Stage::decoding) continue;
        if (!s.fresh) {
            s.fresh = true;
            s.last_token = last_decode_;
            fresh_.push_back(slot);
        }
        if (next_listed < listed_.size() && listed_[next_listed] == slot) {
            ++next_listed;
            s.last_token = now;
            ++context_;
            continue;
        }
        ++s.joined;
        if (s.phase != kReserved) s.phase = phases_.delay(s.phase);
        ++finish_at;
    }
    ++iteration_;
    phases_.advance(1);
    refresh_next_finish();
}

/// Prompts whose chunk was in this iteration. They stand at the end of the running list or near.
void LlmInstance::end_chunks(Time now) {
    std::size_t left = chunks_;
    for (std::size_t i = running_.size(); left > 0 && i-- > 0;) {
        auto& [finish_at, slot, attempt] = running_[i];
        if (finish_at != kNever || sequence(slot).chunk == 0) continue;
        finish_at = end_chunk(now, slot);
        next_finish_ = std::min(next_finish_, finish_at);
        --left;
    }
}

/// Returns at which value of the counter the sequence finishes, kNever while that is unknown.
std::int64_t LlmInstance::end_chunk(Time now, std::uint32_t slot) {
    Sequence& s = sequence(slot);
    s.computed += s.chunk;
    prompt_tokens_ += s.chunk;
    s.chunk = 0;
    if (s.computed == s.known) {
        ++s.known;
        ++output_tokens_;
        record_first_token(s, now);
        s.last_token = now;
        if (s.known == s.last_known) return iteration_;
    } else if (s.computed + 1 < s.known || s.computed < s.prompt ||
               !policy_->cut_recomputation_decodes()) {
        return kNever;
    }
    // All but its newest token is computed (also when a recomputation was cut there): it decodes.
    if (numbers_.decoding == 0) last_decode_ = s.last_token;
    if (last_decode_ != s.last_token) {
        s.fresh = true;
        fresh_.push_back(slot);
    }
    add_decoding(s);
    return iteration_ + (s.last_known - s.known);
}

/// Takes them off the running list into LlmWorkspace::over; how many.
std::size_t LlmInstance::finish_sequences() {
    // Which of them is over cannot be predicted: written without a branch, and the records of the
    // others stay out of the cache.
    const std::size_t size = running_.size();
    std::vector<std::uint32_t>& over_slots = workspace_.over;
    if (over_slots.size() < size) over_slots.resize(running_.capacity());
    std::size_t kept = 0;
    std::size_t over = 0;
    std::int64_t next_finish = kNever;
    for (std::size_t i = 0; i < size; ++i) {
        const Running r = running_[i];
        const std::size_t ends = as_number(r.finish_at == iteration_);
        running_[kept] = r;
        over_slots[over] = r.slot;
        kept += 1 - ends;
        over += ends;
        const std::int64_t never_if_over = -static_cast<std::int64_t>(ends) & kNever;
        next_finish = std::min(next_finish, r.finish_at | never_if_over);
    }
    next_finish_ = next_finish;
    completed_ += static_cast<std::int64_t>(over);
    running_.resize(kept);
    for (std::size_t i = 0; i < over; ++i) leave_cache(sequence(over_slots[i]));
    if (!fresh_.empty()) collect_fresh();
    return over;
}

/// Gives a running sequence's blocks back.
void LlmInstance::leave_cache(Sequence& s) {
    if (s.stage == Stage::decoding) {
        remove_decoding(s);
    } else {
        numbers_.free_blocks += s.blocks;
    }
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

void LlmInstance::add_decoding(Sequence& s) {
    s.stage = Stage::decoding;
    s.joined = iteration_;
    if (s.blocks > block_size_.blocks_for(s.computed)) {
        s.phase = kReserved;
        ++reserved_;
        next_used_up_ = std::min(next_used_up_, used_up_at(s));
    } else {
        s.phase = phases_.join(s.computed);
    }
    ++numbers_.decoding;
    context_ += s.computed;
}

/// Decoding sequences that have used up what they held in advance take blocks from now on.
void LlmInstance::end_reserves() {
    next_used_up_ = kNever;
    for (const Running& r : running_) {
        Sequence& s = sequence(r.slot);
        if (s.stage != Stage::decoding || s.phase != kReserved) continue;
        const std::int64_t used_up = used_up_at(s);
        if (used_up > iteration_) {
            next_used_up_ = std::min(next_used_up_, used_up);
            continue;
        }
        s.phase = phases_.join(computed_at(s, iteration_));
        --reserved_;
    }
}

void LlmInstance::remove_decoding(Sequence& s) {
    --numbers_.decoding;
    const std::int64_t computed = computed_at(s, iteration_);
    context_ -= computed;
    if (s.phase == kReserved) {
        --reserved_;
        numbers_.free_blocks += s.blocks;
    } else {
        phases_.leave(s.phase);
        numbers_.free_blocks += block_size_.blocks_for(computed);
    }
    s.known = computed + 1;
    if (!s.fresh) s.last_token = last_decode_;
    s.fresh = false;
}

void LlmInstance::preempt(Sequence& s, std::uint32_t slot) {
    leave_cache(s);
    s.computed = 0;
    s.blocks = 0;
    s.stage = Stage::waiting;
    ++s.preemptions;
    ++recorder_.stats->preemptions;
    if (sorts_queue_) {
        waiting_.push_back(slot);
        sort_in();
    } else {
        waiting_.push_front(slot);
    }
}

/// The last of the waiting queue goes to its place in the policy's order.
void LlmInstance::sort_in() {
    for (std::size_t i = waiting_.size() - 1; i > 0; --i) {
        const SequenceView later = view_of(sequence(waiting_[i]));
        if (!policy_->precedes(later, view_of(sequence(waiting_[i - 1])))) return;
        std::swap(waiting_[i], waiting_[i - 1]);
    }
}

void LlmInstance::remove_aborted() {
    if (leaving_ == 0) return;
    leaving_ = 0;
    const auto left = std::erase_if(running_, [this](const Running& r) {
        Sequence& s = sequence(r.slot);
        if (!s.aborted) return false;
        leave_cache(s);
        workspace_.give_back(r.slot);
        return true;
    });
    if (left == 0) return;
    refresh_next_finish();
    collect_fresh();
}

void LlmInstance::collect_fresh() {
    std::size_t kept = 0;
    for (const std::uint32_t slot : fresh_) {
        if (sequence(slot).fresh && sequence(slot).stage == Stage::decoding) {
            fresh_[kept++] = slot;
        }
    }
    fresh_.resize(kept);
}

void LlmInstance::refresh_next_finish() {
    next_finish_ = kNever;
    for (const Running& r : running_) next_finish_ = std::min(next_finish_, r.finish_at);
}

void LlmInstance::prefetch(const InstanceHost& host) const {
    core::prefetch_bytes<64>(policy_.get());
    phases_.prefetch();
    const bool ends = stepping_ && all_decode_ && iteration_ + planned_ >= next_finish_;
    for (const Running& r : running_) {
        const bool looked_at = r.finish_at == kNever || (ends && r.finish_at == next_finish_);
        if (!looked_at) continue;
        core::prefetch(&sequence(r.slot));
        if (r.finish_at != kNever) host.prefetch_attempt(r.attempt);
    }
    if (!waiting_.empty()) core::prefetch(&sequence(waiting_.front()));
}

// ---------------------------------------------------------------- recording

void LlmInstance::finish(const EventKey& position) {
    if (!stepping_) return;
    const Progress progress = progress_at(position);
    account(progress.done, progress.formed, blocks_of_step(progress.formed), position.time);
}

void LlmInstance::account(std::int64_t done, std::int64_t formed, const BlockPhases::Taken& taken,
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
    if (even_gaps_ && discarded_ == 0) {
        // Mostly every last token came right where the step began: all gaps are iterations.
        recorder_.stats->itl.record_progression(step_.duration_of(0), step_.slope * step_.growth,
                                                done, static_cast<std::uint64_t>(step_decodes_));
    } else if (done > 0 && step_decodes_ > 0) {
        account_uneven_gaps(done);
    }
}

void LlmInstance::account_kv(const BlockPhases::Taken& taken, Time until) {
    // A block taken at iteration j is held from offset(j) on, a quadratic in j: so the sums of j
    // and j^2 over all blocks taken are enough.
    const std::int64_t used = spec_.kv_blocks - numbers_.free_blocks + taken.count;
    Int128 held = static_cast<Int128>(used) * (until - step_start_).ps();
    held -= step_.offset_sum(taken.sum_j, taken.sum_j2);  // also where it is 0: no branch
    recorder_.stats->kv_block_time.add_ps(held);
}

}  // namespace headroom::serving
