// What a batching policy sees of a SteppedLlmInstance and asks of its KV cache, and how keys and
// values come from elsewhere.
#include <algorithm>

#include "sim/serving/stepped_llm_instance.hpp"

namespace headroom::serving {

SequenceView SteppedLlmInstance::view_of(const Sequence& s) const {
    SequenceView view;
    view.prompt = s.prompt;
    view.last_token = s.prompt + s.output;
    view.known = s.known_to_batches();
    view.computed = s.computed;
    view.blocks = static_cast<std::int64_t>(s.kv.blocks.size());
    view.arrival_rank = s.rank;
    view.submitted = s.submitted;
    view.priority = s.priority;
    view.in_decode = decodes_next(s);
    view.in_flight = s.batches > 0;
    view.drafts = view.in_decode ? drafts_of(s) : 0;
    view.adapter = s.adapter;
    return view;
}

bool SteppedLlmInstance::decodes_next(const Sequence& s) const {
    return s.computed + 1 == s.known_to_batches() && s.computed >= s.prompt &&
           (s.prompt_done || policy_->cut_recomputation_decodes());
}

/// A sequence that has given a token since it was admitted has drafts of the next ones.
std::int64_t SteppedLlmInstance::drafts_of(const Sequence& s) const {
    if (!spec_.speculation || !s.prompt_done) return 0;
    return std::min(spec_.speculation->num_speculative_tokens, s.output - s.generated - 1);
}

void SteppedLlmInstance::count_view() {
    numbers_ = {};
    numbers_.total_blocks = spec_.kv_blocks;
    numbers_.free_blocks = cache_.free_blocks();
    numbers_.running = static_cast<std::int64_t>(running_.size());
    numbers_.waiting = static_cast<std::int64_t>(waiting_.size());
    numbers_.stages = spec_.pipeline_stages;
    if (spec_.adapters) numbers_.max_adapters = spec_.adapters->max_loras;
    if (spec_.speculation) numbers_.lookahead = spec_.speculation->num_speculative_tokens;
    for (const std::uint32_t slot : running_) {
        const Sequence& s = sequences_[slot];
        if (s.computed == s.known_to_batches()) ++numbers_.nothing_to_compute;
        if (!decodes_next(s)) continue;
        ++numbers_.decoding;
        const auto blocks = static_cast<std::int64_t>(s.kv.blocks.size());
        if (s.computed == blocks * spec_.block_size) ++numbers_.blocks_due;
    }
}

SequenceView SteppedLlmInstance::running_at(std::int64_t position) const {
    return view_of(sequences_[running_[static_cast<std::size_t>(position)]]);
}

SequenceView SteppedLlmInstance::waiting_at(std::int64_t position) const {
    return view_of(sequences_[waiting_[static_cast<std::size_t>(position)]]);
}

// ---------------------------------------------------------------- the cache

BlockLedger* SteppedLlmInstance::ledger() const {
    const bool needed = spec_.prefix_caching || spec_.host_kv || spec_.role != EngineRole::both;
    // The view is constant, what it hands out is not.
    return needed ? const_cast<SteppedLlmInstance*>(this) : nullptr;
}

CacheLookup SteppedLlmInstance::look_up(std::int64_t waiting_position) {
    looked_up_ = true;
    const std::uint32_t slot = waiting_[static_cast<std::size_t>(waiting_position)];
    Sequence& s = sequences_[slot];
    if (s.fetch == Fetch::going) return {CacheLookup::State::fetching, 0};
    if (s.fetch == Fetch::there) {
        // Where all is there, the last token is computed once more.
        return {CacheLookup::State::ready, std::min(s.fetched, s.known() - 1)};
    }
    if (s.swapped > 0) return fetch(slot, 0, s.swapped);
    const std::int64_t cached = cache_.cached_tokens(s.kv, s.known());
    if (s.preemptions == 0) {
        recorder_.stats->prefix_query_tokens += s.known();
        recorder_.stats->prefix_hit_tokens += cached;
    }
    if (s.remote > cached) return fetch(slot, cached, s.remote - cached);
    if (const std::int64_t more = cache_.host_tokens(s.kv, cached, s.known()); more > 0) {
        return fetch(slot, cached, more);
    }
    return {CacheLookup::State::ready, cached};
}

bool SteppedLlmInstance::admit(std::int64_t waiting_position, std::int64_t cached,
                               std::int64_t tokens, std::int64_t whole) {
    Sequence& s = sequences_[waiting_[static_cast<std::size_t>(waiting_position)]];
    if (s.fetch == Fetch::there) {
        const auto held = static_cast<std::int64_t>(s.kv.blocks.size());
        const std::int64_t wanted = cache_.blocks_for(std::max(tokens, whole));
        if (wanted - held > cache_.free_blocks()) return false;
    } else {
        if (!cache_.fits(s.kv, cached, std::max(tokens, whole))) return false;
        cache_.share(s.kv, cached);
    }
    cache_.hold(s.kv, tokens);
    cache_.enter(s.kv, std::min(tokens, s.known()));
    return true;
}

bool SteppedLlmInstance::extend(std::int64_t running_position, std::int64_t computed,
                                std::int64_t held) {
    Sequence& s = sequences_[running_[static_cast<std::size_t>(running_position)]];
    const auto blocks = static_cast<std::int64_t>(s.kv.blocks.size());
    if (cache_.blocks_for(held) - blocks > cache_.free_blocks()) return false;
    cache_.hold(s.kv, held);
    cache_.enter(s.kv, std::min(computed, s.known()));
    return true;
}

void SteppedLlmInstance::preempt(std::int64_t running_position) {
    cache_.release(sequences_[running_[static_cast<std::size_t>(running_position)]].kv);
}

// ---------------------------------------------------------------- from elsewhere

/// Takes the cached tokens and blocks for `tokens` more, and has these fetched.
CacheLookup SteppedLlmInstance::fetch(std::uint32_t slot, std::int64_t cached,
                                      std::int64_t tokens) {
    Sequence& s = sequences_[slot];
    if (!cache_.fits(s.kv, cached, s.known())) return {CacheLookup::State::no_room, 0};
    cache_.share(s.kv, cached);
    cache_.hold(s.kv, cached + tokens);
    s.fetched = cached + tokens;
    s.fetch = Fetch::going;
    if (s.remote > 0) {
        host_->kv_wanted(now_, s.attempt, tokens);
    } else {
        fetch_from_host(slot, tokens);
    }
    return {CacheLookup::State::fetching, 0};
}

void SteppedLlmInstance::fetch_from_host(std::uint32_t slot, std::int64_t tokens) {
    Sequence& s = sequences_[slot];
    const Time begin = std::max({now_, link_in_free_, s.swapped_out});
    link_in_free_ = begin + spec_.host_kv->time_per_block * cache_.blocks_for(tokens);
    s.fetch_number = next_fetch_++;
    host_fetches_.push_back({link_in_free_, slot, s.fetch_number});
    if (s.swapped == 0) recorder_.stats->host_hit_tokens += tokens;
}

void SteppedLlmInstance::end_host_fetches(Time now) {
    while (!host_fetches_.empty() && host_fetches_.front().ready <= now) {
        const HostFetch done = host_fetches_.front();
        host_fetches_.pop_front();
        if (sequences_[done.slot].fetch_number == done.number) bring_in(done.slot);
    }
}

/// What it waited for is there: it goes before all that wait for something else.
void SteppedLlmInstance::bring_in(std::uint32_t slot) {
    Sequence& s = sequences_[slot];
    s.fetch = Fetch::there;
    s.fetch_number = 0;
    s.remote = 0;
    forget_swapped(s);
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), slot));
    queue(slot, true);
}

void SteppedLlmInstance::kv_arrived(const EventKey& position, std::uint32_t slot) {
    bring_in(slot);
    wake(position.time);
}

/// Sequences that have fetched a part hold blocks which others need to go on. Where that stops all
/// of them, the youngest starts over.
bool SteppedLlmInstance::give_up_a_fetch() {
    const bool more_to_come =
        std::any_of(waiting_.begin(), waiting_.end(),
                    [&](std::uint32_t slot) { return sequences_[slot].fetch == Fetch::going; });
    if (more_to_come || !running_.empty()) return false;
    for (auto slot = waiting_.rbegin(); slot != waiting_.rend(); ++slot) {
        Sequence& s = sequences_[*slot];
        if (s.fetch != Fetch::there) continue;
        cache_.release(s.kv);
        s.fetch = Fetch::none;
        return true;
    }
    return false;
}

/// Whether the host takes in a preempted sequence.
bool SteppedLlmInstance::swap_out(Time now, Sequence& s) {
    // What a batch in flight still computes is not there to be copied.
    if (!spec_.host_kv || !spec_.host_kv->swap || s.batches > 0 || s.computed == 0) return false;
    const std::int64_t blocks = cache_.blocks_for(s.computed);
    if (swapped_blocks_ + blocks > spec_.host_kv->blocks) return false;
    swapped_blocks_ += blocks;
    link_out_free_ = std::max(now, link_out_free_) + spec_.host_kv->time_per_block * blocks;
    s.swapped_out = link_out_free_;
    s.swapped = s.computed;
    ++recorder_.stats->swaps;
    return true;
}

void SteppedLlmInstance::forget_swapped(Sequence& s) {
    swapped_blocks_ -= cache_.blocks_for(s.swapped);
    s.swapped = 0;
    s.swapped_out = Time::zero();
}

}  // namespace headroom::serving
