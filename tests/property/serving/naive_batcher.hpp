/// The dynamic batcher once more, for tests: slow and plain. One queue that is sorted anew at every
/// step of every walk, payloads that are copied, and a batcher that really sleeps its 500 ms
/// however often there is nothing to do. Shares no code with DynamicBatchInstance.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <tuple>
#include <vector>

#include "tests/unit/serving/batcher_rig.hpp"

namespace headroom::tests {

class NaiveBatcher {
  public:
    explicit NaiveBatcher(serving::DynamicEngineSpec spec)
        : spec_(std::move(spec)),
          preferred_(spec_.preferred_batch_sizes.begin(), spec_.preferred_batch_sizes.end()) {}

    /// `commands` in order of time.
    std::vector<BatcherOutcome> run(const std::vector<BatcherCommand>& commands) {
        using Kind = BatcherCommand::Kind;
        std::size_t next = 0;
        while (next < commands.size() || !queue_.empty() || !ahead_.empty() || !running_.empty()) {
            Time now = deadline_;
            if (next < commands.size()) now = std::min(now, commands[next].time);
            for (const Running& r : running_) now = std::min(now, r.end);
            const std::size_t first = next;
            while (next < commands.size() && commands[next].time == now) ++next;
            const auto each = [&](Kind kind, auto&& what) {
                for (std::size_t i = first; i < next; ++i) {
                    if (commands[i].kind == kind) what(commands[i]);
                }
            };
            each(Kind::speed, [&](const BatcherCommand& c) { speed_ = c.speed; });
            each(Kind::submit, [&](const BatcherCommand& c) { enqueue(now, c); });
            end_executions(now);
            each(Kind::abort, [&](const BatcherCommand& c) { abort(c.attempt); });
            do {
                take_all(now);
            } while (turn(now));
        }
        return outcomes_;
    }
    [[nodiscard]] std::int64_t executions() const { return executions_; }

  private:
    struct Request {
        std::uint32_t id = 0;
        std::int64_t level = 0;
        bool delayed = false;
        std::int64_t rank = 0;  ///< in its part of its level
        Time enqueued;
    };
    struct Payload {
        std::int64_t number = 0;
        std::vector<Request> requests;
        [[nodiscard]] std::int64_t size() const {
            return static_cast<std::int64_t>(requests.size());
        }
        [[nodiscard]] Time oldest() const {
            Time oldest = Time::max();
            for (const Request& r : requests) oldest = std::min(oldest, r.enqueued);
            return oldest;
        }
    };
    struct Running {
        Payload payload;
        Time start;
        Time end;
    };
    enum class Where { sleeps, awaits_slot, runs };

    [[nodiscard]] bool plain() const {
        return spec_.max_queue_size == 0 && !spec_.default_timeout && spec_.priority_levels == 0;
    }
    [[nodiscard]] bool instance_idle() const {
        return static_cast<std::int64_t>(running_.size()) < spec_.instances;
    }
    [[nodiscard]] bool slot() const {
        return plain() ? static_cast<std::int64_t>(ahead_.size()) < 2 * spec_.instances
                       : instance_idle();
    }
    [[nodiscard]] bool expired(const Request& r, Time now) const {
        return spec_.default_timeout && !r.delayed && now - r.enqueued >= *spec_.default_timeout;
    }
    [[nodiscard]] bool rejects() const {
        return spec_.timeout_action == serving::QueueTimeoutAction::reject;
    }
    [[nodiscard]] bool prefers(std::int64_t size) const { return preferred_.count(size) != 0; }

    void enqueue(Time now, const BatcherCommand& command) {
        Request request;
        request.id = command.attempt;
        if (spec_.priority_levels > 0) {
            const bool known = command.priority >= 1 && command.priority <= spec_.priority_levels;
            request.level = known ? command.priority : spec_.default_priority_level;
        }
        request.rank = ++ranks_;
        request.enqueued = now;
        std::int64_t of_level = 0;
        for (const Request& r : queue_) of_level += r.level == request.level ? 1 : 0;
        if (spec_.max_queue_size > 0 && of_level >= spec_.max_queue_size) {
            outcomes_.push_back({request.id, BatcherOutcome::Kind::refused, now});
            return;
        }
        queue_.push_back(request);
        live_.insert(request.id);
        if (slot() &&
            (closed_ || stale_ || static_cast<std::int64_t>(queue_.size()) >= next_preferred_)) {
            notified_ = true;
        }
    }

    void abort(std::uint32_t id) { live_.erase(id); }

    void end_executions(Time now) {
        for (std::size_t i = 0; i < running_.size();) {  // in the order in which they started
            if (running_[i].end != now) {
                ++i;
                continue;
            }
            const Running over = running_[i];
            running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
            ++executions_;
            for (const Request& r : over.payload.requests) {
                if (live_.erase(r.id) == 0) continue;
                outcomes_.push_back({r.id, BatcherOutcome::Kind::completed, now, over.start});
            }
            notified_ = true;
        }
    }

    void reject(Time now, const Request& r) {
        if (live_.erase(r.id) == 0) return;
        outcomes_.push_back({r.id, BatcherOutcome::Kind::timed_out, now});
    }

    /// One turn of the batcher's thread; false when it blocks.
    bool turn(Time now) {
        if (where_ == Where::sleeps) {
            if (!notified_ && now < deadline_) return false;
            notified_ = false;
            if (closed_ || stale_) {
                hand_ = 0;
                closed_ = stale_ = false;
                next_preferred_ = 0;
            }
            if (queue_.empty()) {
                deadline_ = now + Duration::milliseconds(500);
                return false;
            }
            where_ = Where::awaits_slot;
            deadline_ = now + Duration::milliseconds(500);
        }
        if (where_ == Where::awaits_slot) {
            if (!slot()) {
                if (now < deadline_) return false;
                deadline_ = now + Duration::milliseconds(500);
                reject_expired(now);
                return false;
            }
            notified_ = false;
            where_ = Where::runs;
        }
        where_ = Where::sleeps;
        deadline_ = now;  // unless it says otherwise, it comes round at once
        if (!stale_) batch(now);
        return deadline_ == now;
    }

    void reject_expired(Time now) {
        if (!rejects()) return;
        sort_queue();
        std::vector<Request> kept;
        for (const Request& r : queue_) {
            if (expired(r, now)) {
                reject(now, r);
            } else {
                kept.push_back(r);
            }
        }
        queue_ = kept;
    }

    void sort_queue() {
        std::sort(queue_.begin(), queue_.end(), [](const Request& a, const Request& b) {
            return std::tuple(a.level, a.delayed, a.rank) < std::tuple(b.level, b.delayed, b.rank);
        });
    }

    /// Whether there is a request at this place of the queue, once those that may not stay went.
    bool settle(Time now, std::size_t place) {
        for (;;) {
            sort_queue();
            if (place >= queue_.size()) return false;
            Request& r = queue_[place];
            if (live_.count(r.id) != 0 && !expired(r, now)) return true;
            if (live_.count(r.id) != 0 && !rejects()) {
                r.delayed = true;
                r.rank = ++ranks_;
                continue;
            }
            reject(now, r);  // nobody hears of it when it was aborted
            queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(place));
        }
    }

    void batch(Time now) {
        const std::int64_t in_hand = size_in_hand();
        const std::int64_t largest = *preferred_.rbegin();
        std::int64_t pending = 0;
        std::int64_t mark = 0;
        bool full = false;
        while (settle(now, static_cast<std::size_t>(pending))) {
            if (in_hand + pending > 0) {
                if (in_hand + pending + 1 > largest && mark == 0) {
                    mark = pending;
                    closed_ = true;
                }
                if (in_hand + pending + 1 > spec_.max_batch_size) {
                    full = true;
                    break;
                }
            }
            ++pending;
            if (prefers(in_hand + pending)) mark = pending;
        }
        if (pending == 0) return;
        Time oldest = Time::max();
        Time first_expiry = Time::max();
        for (std::int64_t i = 0; i < pending; ++i) {
            const Request& r = queue_[static_cast<std::size_t>(i)];
            oldest = std::min(oldest, r.enqueued);
            if (spec_.default_timeout && !r.delayed) {
                first_expiry = std::min(first_expiry, r.enqueued + *spec_.default_timeout);
            }
        }
        const Duration delay = spec_.max_queue_delay;
        const bool no_delay = delay == Duration::zero();
        const bool late = !no_delay && oldest + delay <= now;
        if (mark != 0 && !late) {
            closed_ = closed_ || no_delay;
            return move(mark);
        }
        if (full || in_hand + pending >= largest) {
            closed_ = true;
            return move(pending);
        }
        if (late || no_delay) return move(pending);
        next_preferred_ = *preferred_.upper_bound(in_hand + pending) - in_hand;
        if (in_hand > 0 && !prefers(in_hand)) return move(pending);
        deadline_ = std::min(oldest + delay, first_expiry);
    }

    [[nodiscard]] std::int64_t size_in_hand() const {
        for (const Payload& payload : ahead_) {
            if (payload.number == hand_) return payload.size();
        }
        return 0;
    }

    void move(std::int64_t count) {
        if (hand_ == 0) {
            hand_ = ++payloads_;
            ahead_.push_back({hand_, {}});
        }
        for (Payload& payload : ahead_) {
            if (payload.number != hand_) continue;
            payload.requests.insert(payload.requests.end(), queue_.begin(),
                                    queue_.begin() + static_cast<std::ptrdiff_t>(count));
        }
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    }

    void take_all(Time now) {
        while (instance_idle() && !ahead_.empty()) {
            Payload batch = ahead_.front();
            ahead_.pop_front();
            stale_ = stale_ || batch.number == hand_;
            while (!ahead_.empty() && spec_.max_queue_delay > Duration::zero() &&
                   ahead_.front().oldest() + spec_.max_queue_delay < now) {
                const Payload follower = ahead_.front();
                stale_ = stale_ || follower.number == hand_;
                if (batch.size() + follower.size() > spec_.max_batch_size) break;
                batch.requests.insert(batch.requests.end(), follower.requests.begin(),
                                      follower.requests.end());
                ahead_.pop_front();
            }
            const Duration time = serving::scaled(spec_.latency->at(batch.size()), speed_);
            running_.push_back({batch, now, now + time});
            notified_ = true;
        }
    }

    serving::DynamicEngineSpec spec_;
    std::set<std::int64_t> preferred_;
    serving::SpeedPpm speed_ = serving::kNominalSpeed;
    std::vector<Request> queue_;
    std::set<std::uint32_t> live_;
    std::deque<Payload> ahead_;
    std::vector<Running> running_;  ///< in the order in which they started
    std::vector<BatcherOutcome> outcomes_;
    Where where_ = Where::sleeps;
    Time deadline_ = Time::zero() + Duration::milliseconds(500);
    bool notified_ = false;
    std::int64_t hand_ = 0;  ///< number of the payload at hand; 0: an empty one
    bool closed_ = false;
    bool stale_ = false;
    std::int64_t next_preferred_ = 0;
    std::int64_t ranks_ = 0;
    std::int64_t payloads_ = 0;
    std::int64_t executions_ = 0;
};

}  // namespace headroom::tests
