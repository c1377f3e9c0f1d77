#include "sim/serving/simple_instance.hpp"

#include <algorithm>

namespace headroom::serving {

SimpleInstance::SimpleInstance(const SimpleEngineSpec& spec, RandomStream service_times,
                               SpeedPpm speed, InstanceRecorder recorder)
    : spec_(spec), service_times_(service_times), speed_(speed), recorder_(recorder) {}

std::optional<Cause> SimpleInstance::submit(const EventKey& position, const Submission& submission,
                                            std::uint32_t& slot) {
    const Time now = position.time;
    const bool server_free = static_cast<std::int64_t>(heap_.size()) < spec_.servers;
    if (!server_free && spec_.queue_limit >= 0 &&
        static_cast<std::int64_t>(waiting_.size()) >= spec_.queue_limit) {
        return Cause::instance_queue_full;
    }
    if (free_slots_.empty()) {
        slot = static_cast<std::uint32_t>(jobs_.size());
        jobs_.emplace_back();
    } else {
        slot = free_slots_.back();
        free_slots_.pop_back();
    }
    jobs_[slot] = {
        submission.attempt,
        spec_.service_time.duration_at(service_times_.uniform(submission.request, submission.draw)),
        Time::max()};
    if (server_free) {
        start(now, slot);
    } else {
        waiting_.push_back(slot);
    }
    return std::nullopt;
}

SimpleInstance::Busy SimpleInstance::begin_service(Time now, std::uint32_t slot) {
    Job& job = jobs_[slot];
    job.start = now;
    return {now.later_by(scaled(job.service, speed_)), started_++, slot};
}

void SimpleInstance::start(Time now, std::uint32_t slot) {
    const Busy busy = begin_service(now, slot);
    heap_.push_back(busy);
    std::size_t at = heap_.size() - 1;
    for (; at > 0 && busy < heap_[(at - 1) / 2]; at = (at - 1) / 2) heap_[at] = heap_[(at - 1) / 2];
    heap_[at] = busy;
    await_soonest();
}

void SimpleInstance::await_soonest() {
    if (heap_.empty()) {
        await_nothing();
    } else {
        await(heap_[0].end, kStepEnd);
    }
}

void SimpleInstance::sift_down(std::size_t at) {
    const Busy moved = heap_[at];
    const std::size_t size = heap_.size();
    for (;;) {
        std::size_t child = 2 * at + 1;
        if (child >= size) break;
        if (child + 1 < size && heap_[child + 1] < heap_[child]) ++child;
        if (!(heap_[child] < moved)) break;
        heap_[at] = heap_[child];
        at = child;
    }
    heap_[at] = moved;
}

void SimpleInstance::run(Time now, InstanceHost& host) {
    const std::uint32_t slot = heap_[0].slot;
    const Job job = jobs_[slot];
    free_slots_.push_back(slot);
    book(job, now);
    ++completed_;
    if (waiting_.empty()) {
        heap_[0] = heap_.back();
        heap_.pop_back();
    } else {
        heap_[0] = begin_service(now, waiting_.pop_front());
    }
    if (!heap_.empty()) sift_down(0);
    await_soonest();
    host.attempt_completed(now, job.attempt, {job.start, Time::max(), 0, 0});
}

void SimpleInstance::abort(const EventKey& position, std::uint32_t slot) {
    const Time now = position.time;
    free_slots_.push_back(slot);
    if (jobs_[slot].start == Time::max()) {
        std::size_t at = 0;
        while (waiting_[at] != slot) ++at;
        waiting_.erase_at(at);
        return;
    }
    book(jobs_[slot], now);
    const auto at = std::find_if(heap_.begin(), heap_.end(),
                                 [slot](const Busy& busy) { return busy.slot == slot; });
    heap_.erase(at);
    for (std::size_t i = heap_.size() / 2; i-- > 0;) sift_down(i);
    await_soonest();
    if (!waiting_.empty()) start(now, waiting_.pop_front());
}

void SimpleInstance::book(const Job& job, Time until) {
    busy_ += until - job.start;
    if (until <= recorder_.measure_from) return;
    recorder_.stats->busy += until - std::max(job.start, recorder_.measure_from);
}

AttemptReport SimpleInstance::report(const EventKey&, std::uint32_t slot) const {
    return {jobs_[slot].start, Time::max(), 0, 0};
}

void SimpleInstance::kill(const EventKey& position, std::vector<AttemptId>& lost) {
    finish(position);
    std::vector<Busy> served = heap_;
    std::sort(served.begin(), served.end(),
              [](const Busy& a, const Busy& b) { return a.started < b.started; });
    for (const Busy& busy : served) lost.push_back(jobs_[busy.slot].attempt);
    for (std::size_t i = 0; i < waiting_.size(); ++i) lost.push_back(jobs_[waiting_[i]].attempt);
}

InstanceLoad SimpleInstance::load(const EventKey& position) const {
    InstanceLoad load;
    load.running = static_cast<std::int64_t>(heap_.size());
    load.waiting = static_cast<std::int64_t>(waiting_.size());
    load.in_flight = load.running + load.waiting;
    load.completed = completed_;
    load.servers = spec_.servers;
    load.busy = busy_;
    for (const Busy& busy : heap_) load.busy += position.time - jobs_[busy.slot].start;
    return load;
}

void SimpleInstance::finish(const EventKey& position) {
    for (const Busy& busy : heap_) book(jobs_[busy.slot], position.time);
}

}  // namespace headroom::serving
