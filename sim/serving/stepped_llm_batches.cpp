// How a SteppedLlmInstance forms batches, how long they take, and what they leave.
#include <algorithm>

#include "sim/core/check.hpp"
#include "sim/serving/stepped_llm_instance.hpp"

namespace headroom::serving {

bool SteppedLlmInstance::computes() const {
    return std::any_of(in_flight_.begin(), in_flight_.end(),
                       [](const Batch& batch) { return !batch.work.empty(); });
}

void SteppedLlmInstance::form_batches(Time now) {
    forming_ = false;
    account(now);
    end_host_fetches(now);
    while (in_flight_.size() < most_in_flight_) {
        Batch batch = next_batch(now);
        const bool empty = batch.work.empty();
        if (empty && !computes()) {
            if (give_up_a_fetch()) continue;
            break;
        }
        if (empty && !policy_->waits_for_oldest_batch()) break;
        // One without work is over at once, but keeps its place until it is the oldest.
        in_flight_.push_back(std::move(batch));
        if (in_flight_.front().work.empty()) {
            in_flight_.pop_front();
        } else if (empty) {
            break;
        }
    }
    await_next(now);
}

/// The oldest batch's end; where none is left, what the host sends.
void SteppedLlmInstance::await_next(Time now) {
    while (!in_flight_.empty() && in_flight_.front().work.empty()) in_flight_.pop_front();
    if (!in_flight_.empty()) {
        await(in_flight_.front().ends, kStepEnd);
    } else if (!host_fetches_.empty()) {
        forming_ = true;
        await(std::max(now, host_fetches_.front().ready), kBatchForms);
    } else {
        await_nothing();
    }
}

SteppedLlmInstance::Batch SteppedLlmInstance::next_batch(Time now) {
    Batch batch;
    batch.ends = now;
    batch.work.swap(spare_work_);
    batch.work.clear();
    do {
        plan_.clear();
        looked_up_ = false;
        count_view();
        policy_->plan_next_step(*this, plan_);
        for (const std::int64_t position : plan_.passed_over) {
            sequences_[waiting_[static_cast<std::size_t>(position)]].passed_over = true;
        }
        carry_out(now, batch);
        // A plan that only preempted made room: ask again.
    } while (batch.work.empty() && !plan_.preempt.empty() && !computes());
    if (!batch.work.empty()) start(now, batch);
    return batch;
}

// ---------------------------------------------------------------- a plan

void SteppedLlmInstance::carry_out(Time now, Batch& batch) {
    // Positions are those that the policy saw: turn them into slots before anything moves.
    if (!plan_.names_sequences()) {
        if (plan_.decode != StepPlan::Decode::all) return;
        for (const std::uint32_t slot : running_) {
            if (decodes_next(sequences_[slot])) add_work(batch, slot, 1, true);
        }
        return;
    }
    std::vector<std::uint32_t>& listed = listed_;
    std::vector<const StepPlan::Chunk*>& chunk_at = chunk_at_;
    listed = running_;
    chunk_at.assign(running_.size(), nullptr);
    std::vector<std::uint32_t> admitted;
    for (const StepPlan::Chunk& chunk : plan_.chunks) {
        const auto position = static_cast<std::size_t>(chunk.position);
        if (chunk.admit) {
            admitted.push_back(waiting_[position]);
        } else {
            chunk_at[position] = &chunk;
        }
    }
    for (const std::int64_t position : plan_.preempt) {
        preempt_sequence(now, listed[static_cast<std::size_t>(position)]);
    }
    // Who preempts itself, and nothing else runs, lacks what fetched ones hold.
    if (!plan_.preempt.empty() && running_.empty()) (void)give_up_a_fetch();
    auto next_decode = plan_.decode_positions.begin();
    for (std::size_t i = 0; i < listed.size(); ++i) {
        bool decodes = plan_.decode == StepPlan::Decode::all;
        if (next_decode != plan_.decode_positions.end() &&
            *next_decode == static_cast<std::int64_t>(i)) {
            ++next_decode;
            decodes = true;
        }
        Sequence& s = sequences_[listed[i]];
        if (!s.running) continue;
        const bool decoding = decodes_next(s);
        if (chunk_at[i] != nullptr) {
            cache_.hold(s.kv, chunk_at[i]->reserve_tokens);
            add_work(batch, listed[i], chunk_at[i]->tokens, decoding);
        } else if (decodes && decoding) {
            add_work(batch, listed[i], 1, true);
        }
    }
    HEADROOM_DCHECK(next_decode == plan_.decode_positions.end(),
                    "a plan lists what decodes in the order of the running list, each once");
    auto next_admitted = admitted.begin();
    for (const StepPlan::Chunk& chunk : plan_.chunks) {
        if (!chunk.admit) continue;
        const std::uint32_t slot = *next_admitted++;
        waiting_.erase(std::find(waiting_.begin(), waiting_.end(), slot));
        Sequence& s = sequences_[slot];
        running_.push_back(slot);
        s.running = true;
        s.passed_over = false;
        s.fetch = Fetch::none;
        s.computed = chunk.cached;
        if (s.first_scheduled == Time::max()) s.first_scheduled = now;
        cache_.hold(s.kv, chunk.reserve_tokens);
        // A resumed sequence of which all but the newest token is there just decodes.
        const bool decodes = chunk.cached >= s.prompt && chunk.cached + 1 == s.known();
        add_work(batch, slot, chunk.tokens, decodes);
    }
}

void SteppedLlmInstance::preempt_sequence(Time now, std::uint32_t slot) {
    Sequence& s = sequences_[slot];
    cache_.release(s.kv);
    (void)swap_out(now, s);
    s.computed = 0;
    s.prompt_done = false;
    s.running = false;
    ++s.preemptions;
    ++recorder_.stats->preemptions;
    running_.erase(std::find(running_.begin(), running_.end(), slot));
    queue(slot, true);
}

/// Of a sequence that is not in the batch yet.
void SteppedLlmInstance::add_work(Batch& batch, std::uint32_t slot, std::int64_t tokens,
                                  bool decode) {
    Sequence& s = sequences_[slot];
    IterationShape& shape = batch.shape;
    std::int64_t context = s.computed;
    std::int64_t prompt = tokens;
    if (decode) {
        ++shape.decode_sequences;
        shape.context_tokens += context;
        context = 0;  // drafts attend to it together with the decode
        --prompt;
    }
    if (prompt > 0) {
        shape.prefill_tokens += prompt;
        shape.prefill_attention_doubled += prompt * (2 * context + prompt);
        ++shape.prefill_chunks;
    }
    const std::int64_t known = s.known() + s.foreseen;
    s.computed += tokens;
    HEADROOM_CHECK(tokens >= 1 && (decode || s.computed <= known),
                   "a chunk goes past the known tokens");
    const bool yields = s.computed >= known;
    if (yields) {
        shape.sampled_tokens += decode ? tokens : 1;
        if (spec_.async_scheduling) ++s.foreseen;
    }
    cache_.hold(s.kv, s.computed);
    cache_.enter(s.kv, std::min(s.computed, s.known()));
    batch.work.push_back({slot, tokens, decode, yields});
    ++s.batches;
}

// ---------------------------------------------------------------- its time

Duration SteppedLlmInstance::time_of(const Batch& batch) {
    const IterationShape& shape = batch.shape;
    Duration time = scaled(spec_.latency->iteration_cost(shape), speed_).at(shape.context_tokens);
    if (spec_.speculation && shape.sampled_tokens > 0) {
        time += spec_.speculation->draft_time * spec_.speculation->num_speculative_tokens;
    }
    if (adapters_) {
        std::vector<std::uint16_t> needed;
        for (const Work& work : batch.work) needed.push_back(sequences_[work.slot].adapter);
        std::sort(needed.begin(), needed.end());
        needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
        if (needed.front() == 0) needed.erase(needed.begin());
        const std::int64_t before = adapters_->loads();
        time += adapters_->load(needed);
        recorder_.stats->adapter_loads += adapters_->loads() - before;
    }
    return time;
}

void SteppedLlmInstance::start(Time now, Batch& batch) {
    const Int128 time = time_of(batch).ps();
    Time at = tokens_known_at(now, batch);
    // Equal stages; what does not divide evenly falls to the later ones.
    const std::int64_t stages = spec_.pipeline_stages;
    for (std::int64_t i = 0; i < stages; ++i) {
        Time& free = stage_free_[static_cast<std::size_t>(i)];
        const Int128 part = time * (i + 1) / stages - time * i / stages;
        free = std::max(at, free).later_by(Duration::picoseconds(static_cast<std::int64_t>(part)));
        at = free;
    }
    batch.ends = at;
}

/// When the tokens that a batch computes from are known: in an asynchronous pipeline some may still
/// be in flight. (Without a pipeline its only stage is busy until then.)
Time SteppedLlmInstance::tokens_known_at(Time now, const Batch& batch) const {
    Time at = now;
    if (spec_.pipeline_stages == 1 || !spec_.async_scheduling) return at;
    for (const Work& work : batch.work) {
        const Sequence& s = sequences_[work.slot];
        if (s.computed <= s.known()) continue;
        for (const Batch& before : in_flight_) {
            for (const Work& other : before.work) {
                if (other.slot == work.slot && other.yields) at = std::max(at, before.ends);
            }
        }
    }
    return at;
}

// ---------------------------------------------------------------- its end

void SteppedLlmInstance::end_oldest(Time now) {
    account(now);
    Batch batch = std::move(in_flight_.front());
    in_flight_.pop_front();
    remove_aborted();
    finished_.clear();
    for (const Work& work : batch.work) {
        Sequence& s = sequences_[work.slot];
        --s.batches;
        if (s.over) {
            if (s.batches == 0) free_slots_.push_back(work.slot);
            continue;
        }
        if (!work.decode) prompt_tokens_ += work.tokens;
        if (!work.yields) continue;
        if (work.decode && work.tokens > 1) take_drafts(s, work);
        take_token(now, s);
        if (s.generated == s.output) {
            finished_.push_back(work.slot);
            s.over = true;
        }
    }
    record_gaps();
    spare_work_.swap(batch.work);
    completed_now_.clear();
    for (const std::uint32_t slot : finished_) {
        const Sequence& s = sequences_[slot];
        completed_now_.push_back(
            {s.attempt, {s.first_scheduled, s.first_token, s.generated, s.preemptions}});
        leave(slot);
    }
    completed_ += static_cast<std::int64_t>(finished_.size());
    forming_ = !running_.empty() || !waiting_.empty();
    if (forming_) {
        await(now, kBatchForms);
    } else {
        await_next(now);
    }
}

/// Those of its drafts that are accepted.
void SteppedLlmInstance::take_drafts(Sequence& s, const Work& work) {
    const std::int64_t drafts = work.tokens - 1;
    std::int64_t accepted = 0;
    while (accepted < drafts &&
           draws_.uniform(s.request, mix64(s.draw ^ mix64(static_cast<std::uint64_t>(s.generated +
                                                                                     accepted)))) <
               spec_.speculation->acceptance_rate) {
        ++accepted;
    }
    recorder_.stats->drafted_tokens += drafts;
    recorder_.stats->accepted_tokens += accepted;
    s.computed -= drafts - accepted;
    s.generated += accepted;
    output_tokens_ += accepted;
}

void SteppedLlmInstance::take_token(Time now, Sequence& s) {
    s.prompt_done = s.running;
    ++s.generated;
    ++output_tokens_;
    if (s.first_token == Time::max()) {
        s.first_token = now;
        ttft_sum_ += now - s.submitted;
        ++ttft_count_;
    } else if (now > recorder_.measure_from) {
        const Duration gap = now - s.last_token;
        if (gap != gap_) record_gaps();
        gap_ = gap;
        ++gaps_;
    }
    s.last_token = now;
    if (!spec_.async_scheduling) return;
    --s.foreseen;
    if (s.running) cache_.enter(s.kv, s.computed - s.foreseen);
}

/// Most tokens of a batch come after one gap, so they are recorded together.
void SteppedLlmInstance::record_gaps() {
    if (gaps_ > 0) recorder_.stats->itl.record(gap_.ps(), gaps_);
    gaps_ = 0;
}

}  // namespace headroom::serving
