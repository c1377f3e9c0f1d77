#include "sim/serving/dynamic_batch_instance.hpp"

#include <algorithm>

#include "sim/core/check.hpp"

namespace headroom::serving {

namespace {

/// How long the batcher sleeps, or awaits a slot, when nothing wakes it.
constexpr Duration kLongestSleep = Duration::milliseconds(500);

/// The first of from + 500 ms, from + 1 s, ... that is not before `t`.
Time tick_not_before(Time from, Time t) {
    const std::int64_t ticks =
        (t - from + kLongestSleep - Duration::picoseconds(1)) / kLongestSleep;
    return from.later_by(kLongestSleep * std::max<std::int64_t>(1, ticks));
}

/// In a short time for an entry near the front.
void erase_near_front(RingBuffer<std::uint32_t>& ring, std::size_t at) {
    for (; at > 0; --at) ring[at] = ring[at - 1];
    (void)ring.pop_front();
}

}  // namespace

DynamicBatchInstance::DynamicBatchInstance(const DynamicEngineSpec& spec, SpeedPpm speed,
                                           InstanceRecorder recorder)
    : spec_(spec),
      speed_(speed),
      recorder_(recorder),
      plain_(spec.max_queue_size == 0 && !spec.default_timeout && spec.priority_levels == 0),
      levels_(static_cast<std::size_t>(std::max<std::int64_t>(1, spec.priority_levels))) {
    HEADROOM_CHECK(spec.latency != nullptr && spec.instances >= 1 && spec.max_batch_size >= 1,
                   "a dynamic batcher needs a model that runs batches");
    const std::vector<std::int64_t>& sizes = spec.preferred_batch_sizes;
    HEADROOM_CHECK(!sizes.empty() && sizes.front() >= 1 && sizes.back() <= spec.max_batch_size &&
                       std::is_sorted(sizes.begin(), sizes.end()),
                   "preferred batch sizes ascend from 1 to max_batch_size");
    HEADROOM_CHECK(
        spec.priority_levels == 0 || (spec.default_priority_level >= 1 &&
                                      spec.default_priority_level <= spec.priority_levels),
        "the default priority is one of the levels");
}

// ---------------------------------------------------------------- requests come and go

DynamicBatchInstance::Level& DynamicBatchInstance::level_of(std::int32_t priority) {
    if (spec_.priority_levels == 0) return levels_[0];
    const bool is_level = priority >= 1 && priority <= spec_.priority_levels;
    return levels_[static_cast<std::size_t>(is_level ? priority : spec_.default_priority_level) -
                   1];
}

std::optional<Cause> DynamicBatchInstance::submit(const EventKey& position,
                                                  const Submission& submission,
                                                  std::uint32_t& slot) {
    const Time now = position.time;
    Level& level = level_of(submission.priority);
    if (spec_.max_queue_size > 0 &&
        static_cast<std::int64_t>(level.size()) >= spec_.max_queue_size) {
        return Cause::instance_queue_full;
    }
    if (free_jobs_.empty()) {
        slot = static_cast<std::uint32_t>(jobs_.size());
        jobs_.emplace_back();
    } else {
        slot = free_jobs_.back();
        free_jobs_.pop_back();
    }
    const Time expires = spec_.default_timeout ? now.later_by(*spec_.default_timeout) : Time::max();
    jobs_[slot] = {submission.attempt, now, expires, Time::max()};
    level.unexpired.push_back(slot);
    ++queued_;
    ++waiting_;
    if (slot_free() && (closed_ || taken_ || queued_ >= wanted_)) {
        wake_ = now;
    } else if (wake_ == Time::max()) {
        wake_ = state_ == Batcher::asleep ? tick_not_before(since_, now) : next_poll();
    }
    await_next();
    return std::nullopt;
}

void DynamicBatchInstance::abort(const EventKey&, std::uint32_t slot) {
    Job& job = jobs_[slot];
    job.attempt = AttemptId::none();
    --(job.start == Time::max() ? waiting_ : running_);
}

void DynamicBatchInstance::leave_queue(std::uint32_t slot) {
    free_jobs_.push_back(slot);
    --queued_;
}

/// A request that has just left the queue, if it is not aborted.
void DynamicBatchInstance::reject(std::uint32_t slot) {
    leave_queue(slot);
    if (!jobs_[slot].attempt.valid()) return;
    --waiting_;
    rejected_.push_back(jobs_[slot].attempt);
}

void DynamicBatchInstance::run(Time now, InstanceHost& host) {
    if (next_event().event_class == kStepEnd) {
        end_execution(now, host);
    } else {
        form_batches(now, host);
    }
}

void DynamicBatchInstance::await_next() {
    const Time end = executions_.empty() ? Time::max() : executions_.front().end;
    if (end <= wake_) {
        if (end == Time::max()) return await_nothing();
        await(end, kStepEnd);
    } else {
        await(wake_, kBatchForms);
    }
}

// ---------------------------------------------------------------- the batcher

void DynamicBatchInstance::form_batches(Time now, InstanceHost& host) {
    do {
        while (static_cast<std::int64_t>(executions_.size()) < spec_.instances && !ahead_.empty()) {
            take(now);
        }
    } while (look(now));
    await_next();
    // Last, for whoever is told may bring the next request to this very instance.
    for (std::size_t i = 0; i < rejected_.size(); ++i) {
        host.attempt_rejected(now, rejected_[i], Cause::queue_timeout);
    }
    rejected_.clear();
}

/// One turn of the batcher. False once it has gone to sleep or awaits a slot.
bool DynamicBatchInstance::look(Time now) {
    wake_ = Time::max();
    if (state_ == Batcher::asleep) {
        if (closed_ || taken_) renew_payload();
        if (queued_ == 0) {
            since_ = now;
            return false;
        }
    }
    if (!await_slot(now)) return false;
    state_ = Batcher::asleep;
    if (taken_) return true;
    const Pending pending = walk(now);
    Duration wait;
    hand_over(judge(now, pending, wait));
    if (wait == Duration::zero()) return true;
    since_ = now;
    wake_ = now.later_by(wait);
    return false;
}

void DynamicBatchInstance::renew_payload() {
    current_ = kNone;
    closed_ = false;
    taken_ = false;
    wanted_ = 0;
}

bool DynamicBatchInstance::slot_free() const {
    if (plain_) return static_cast<std::int64_t>(ahead_.size()) < 2 * spec_.instances;
    return static_cast<std::int64_t>(executions_.size()) < spec_.instances;
}

/// While it awaits a slot it rejects every 500 ms what has expired.
bool DynamicBatchInstance::await_slot(Time now) {
    if (slot_free()) return true;
    if (state_ == Batcher::asleep) {
        state_ = Batcher::awaits_slot;
        since_ = now;
    } else {
        reject_expired(now);
    }
    wake_ = next_poll();
    return false;
}

/// When the batcher, awaiting a slot, next has something to reject. All requests of a level may
/// wait for the same time, so the first of it expires first.
Time DynamicBatchInstance::next_poll() const {
    Time soonest = Time::max();
    if (!spec_.default_timeout || spec_.timeout_action != QueueTimeoutAction::reject) {
        return soonest;
    }
    for (const Level& level : levels_) {
        if (level.unexpired.empty()) continue;
        soonest = std::min(soonest, jobs_[level.unexpired.front()].expires);
    }
    return soonest == Time::max() ? soonest : tick_not_before(since_, soonest);
}

void DynamicBatchInstance::reject_expired(Time now) {
    if (!spec_.default_timeout || spec_.timeout_action != QueueTimeoutAction::reject) return;
    for (Level& level : levels_) {
        while (!level.unexpired.empty() && jobs_[level.unexpired.front()].expires <= now) {
            reject(level.unexpired.pop_front());
        }
    }
}

/// Moves the cursor on to a request that may join the batch; what it meets on the way that expired
/// or was aborted leaves its place. False at the end of the queue.
bool DynamicBatchInstance::settle_cursor(Time now, Cursor& cursor) {
    while (cursor.level < levels_.size()) {
        Level& level = levels_[cursor.level];
        const std::size_t unexpired = level.unexpired.size();
        if (cursor.index < unexpired) {
            const std::uint32_t slot = level.unexpired[cursor.index];
            Job& job = jobs_[slot];
            const bool aborted = !job.attempt.valid();
            if (!aborted && job.expires > now) return true;
            erase_near_front(level.unexpired, cursor.index);
            if (aborted) {
                leave_queue(slot);
            } else if (spec_.timeout_action == QueueTimeoutAction::reject) {
                reject(slot);
            } else {
                job.expires = Time::max();
                level.delayed.push_back(slot);
            }
        } else if (cursor.index - unexpired < level.delayed.size()) {
            const std::uint32_t slot = level.delayed[cursor.index - unexpired];
            if (jobs_[slot].attempt.valid()) return true;
            erase_near_front(level.delayed, cursor.index - unexpired);
            leave_queue(slot);
        } else {
            ++cursor.level;
            cursor.index = 0;
        }
    }
    return false;
}

bool DynamicBatchInstance::prefers(std::int64_t size) const {
    const auto& sizes = spec_.preferred_batch_sizes;
    return std::binary_search(sizes.begin(), sizes.end(), size);
}

std::int64_t DynamicBatchInstance::size_at_hand() const {
    return current_ == kNone ? 0 : static_cast<std::int64_t>(payloads_[current_].jobs.size());
}

/// Gathers from the head of the queue what the payload at hand has room for.
DynamicBatchInstance::Pending DynamicBatchInstance::walk(Time now) {
    Pending pending;
    const std::int64_t at_hand = size_at_hand();
    const std::int64_t largest = spec_.preferred_batch_sizes.back();
    for (Cursor cursor; settle_cursor(now, cursor); ++cursor.index) {
        const std::int64_t with_it = at_hand + pending.count + 1;
        if (with_it > 1 && with_it > largest && pending.best == 0) {
            pending.best = pending.count;
            closed_ = true;
        }
        if (with_it > spec_.max_batch_size) {
            pending.send_now = true;
            break;
        }
        const Level& level = levels_[cursor.level];
        const Job& job = jobs_[cursor.index < level.unexpired.size()
                                   ? level.unexpired[cursor.index]
                                   : level.delayed[cursor.index - level.unexpired.size()]];
        ++pending.count;
        pending.oldest = std::min(pending.oldest, job.enqueued);
        pending.soonest_expiry = std::min(pending.soonest_expiry, job.expires);
        if (prefers(with_it)) pending.best = pending.count;
    }
    return pending;
}

/// How many of the pending requests are handed over. Where none is, for how long to wait; no time:
/// look again.
std::int64_t DynamicBatchInstance::judge(Time now, const Pending& pending, Duration& wait) {
    if (pending.count == 0) return 0;
    const bool delays = spec_.max_queue_delay > Duration::zero();
    const Duration age = now - pending.oldest;
    const bool exceeded = delays && age >= spec_.max_queue_delay;
    if (pending.best != 0 && !exceeded) {
        if (!delays) closed_ = true;
        return pending.best;
    }
    const std::int64_t at_hand = size_at_hand();
    const std::int64_t total = at_hand + pending.count;
    const std::vector<std::int64_t>& sizes = spec_.preferred_batch_sizes;
    if (pending.send_now || total >= sizes.back()) {
        closed_ = true;
        return pending.count;
    }
    if (exceeded || !delays) return pending.count;
    wanted_ = *std::upper_bound(sizes.begin(), sizes.end(), total) - at_hand;
    // A payload that lies ahead grows at once, unless it has a size that is preferred.
    if (at_hand != 0 && !prefers(at_hand)) return pending.count;
    wait = std::min(spec_.max_queue_delay - age, pending.soonest_expiry - now);
    return 0;
}

std::uint32_t DynamicBatchInstance::pop_front_job() {
    for (Level& level : levels_) {
        if (!level.unexpired.empty()) return level.unexpired.pop_front();
        if (!level.delayed.empty()) return level.delayed.pop_front();
    }
    HEADROOM_CHECK(false, "more is handed over than is in the queue");
    return kNone;
}

std::uint32_t DynamicBatchInstance::new_payload() {
    if (free_payloads_.empty()) {
        payloads_.emplace_back();
        return static_cast<std::uint32_t>(payloads_.size() - 1);
    }
    const std::uint32_t payload = free_payloads_.back();
    free_payloads_.pop_back();
    return payload;
}

void DynamicBatchInstance::hand_over(std::int64_t count) {
    if (count == 0) return;
    if (current_ == kNone) {
        current_ = new_payload();
        ahead_.push_back(current_);
    }
    Payload& payload = payloads_[current_];
    for (; count > 0; --count) {
        const std::uint32_t slot = pop_front_job();
        --queued_;
        payload.jobs.push_back(slot);
        payload.oldest = std::min(payload.oldest, jobs_[slot].enqueued);
    }
}

// ---------------------------------------------------------------- execution instances

/// An idle instance takes the first payload ahead, and with a delay also those right behind it that
/// are older than the delay, while they fit. One that does not fit grows no more.
void DynamicBatchInstance::take(Time now) {
    const std::uint32_t taken = ahead_.pop_front();
    taken_ = taken_ || taken == current_;
    std::vector<std::uint32_t>& batch = payloads_[taken].jobs;
    const Duration delay = spec_.max_queue_delay;
    while (delay > Duration::zero() && spec_.max_batch_size > 1 && !ahead_.empty()) {
        const std::uint32_t next = ahead_.front();
        Payload& follower = payloads_[next];
        if (now - follower.oldest <= delay) break;
        taken_ = taken_ || next == current_;
        if (static_cast<std::int64_t>(batch.size() + follower.jobs.size()) > spec_.max_batch_size) {
            break;
        }
        batch.insert(batch.end(), follower.jobs.begin(), follower.jobs.end());
        follower.jobs.clear();
        follower.oldest = Time::max();
        free_payloads_.push_back(next);
        (void)ahead_.pop_front();
    }
    for (const std::uint32_t slot : batch) {
        jobs_[slot].start = now;
        if (!jobs_[slot].attempt.valid()) continue;
        --waiting_;
        ++running_;
    }
    const Duration time =
        scaled(spec_.latency->at(static_cast<std::int64_t>(batch.size())), speed_);
    executions_.push_back({now.later_by(time), started_++, taken, now});
    std::push_heap(executions_.begin(), executions_.end());
}

void DynamicBatchInstance::end_execution(Time now, InstanceHost& host) {
    std::pop_heap(executions_.begin(), executions_.end());
    const Execution execution = executions_.back();
    executions_.pop_back();
    book(execution, now);
    Payload& payload = payloads_[execution.payload];
    ++recorder_.stats->executions;
    recorder_.stats->executed_requests += static_cast<std::int64_t>(payload.jobs.size());
    for (const std::uint32_t slot : payload.jobs) {
        if (jobs_[slot].attempt.valid()) over_.push_back(jobs_[slot].attempt);
        free_jobs_.push_back(slot);
    }
    running_ -= static_cast<std::int64_t>(over_.size());
    completed_ += static_cast<std::int64_t>(over_.size());
    payload.jobs.clear();
    payload.oldest = Time::max();
    free_payloads_.push_back(execution.payload);
    wake_ = now;
    await_next();
    // Last, for a completion may bring the next request to this very instance.
    for (std::size_t i = 0; i < over_.size(); ++i) {
        host.attempt_completed(now, over_[i], {execution.start, Time::max(), 0, 0});
    }
    over_.clear();
}

void DynamicBatchInstance::book(const Execution& execution, Time until) {
    busy_ += until - execution.start;
    if (until <= recorder_.measure_from) return;
    recorder_.stats->busy += until - std::max(execution.start, recorder_.measure_from);
}

// ---------------------------------------------------------------- what the cell asks

AttemptReport DynamicBatchInstance::report(const EventKey&, std::uint32_t slot) const {
    return {jobs_[slot].start, Time::max(), 0, 0};
}

void DynamicBatchInstance::kill(const EventKey& position, std::vector<AttemptId>& lost) {
    finish(position);
    const auto lose = [&](std::uint32_t slot) {
        if (jobs_[slot].attempt.valid()) lost.push_back(jobs_[slot].attempt);
    };
    std::vector<Execution> executions = executions_;
    std::sort(executions.begin(), executions.end(),
              [](const Execution& a, const Execution& b) { return a.started < b.started; });
    for (const Execution& execution : executions) {
        for (const std::uint32_t slot : payloads_[execution.payload].jobs) lose(slot);
    }
    for (std::size_t i = 0; i < ahead_.size(); ++i) {
        for (const std::uint32_t slot : payloads_[ahead_[i]].jobs) lose(slot);
    }
    for (const Level& level : levels_) {
        for (std::size_t i = 0; i < level.unexpired.size(); ++i) lose(level.unexpired[i]);
        for (std::size_t i = 0; i < level.delayed.size(); ++i) lose(level.delayed[i]);
    }
}

InstanceLoad DynamicBatchInstance::load(const EventKey& position) const {
    InstanceLoad load;
    load.running = running_;
    load.waiting = waiting_;
    load.in_flight = running_ + waiting_;
    load.completed = completed_;
    load.servers = spec_.instances;
    load.busy = busy_;
    for (const Execution& execution : executions_) load.busy += position.time - execution.start;
    return load;
}

void DynamicBatchInstance::finish(const EventKey& position) {
    for (const Execution& execution : executions_) book(execution, position.time);
}

}  // namespace headroom::serving
