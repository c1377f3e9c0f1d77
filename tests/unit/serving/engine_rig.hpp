/// Runs one SteppedLlmInstance, or one that leaps, by itself: commands at given times, and what
/// became of each request.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "sim/serving/leaping_llm_instance.hpp"
#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/serving/token_contents.hpp"

namespace headroom::tests {

/// Contents of a request's tokens with an id for each block of an engine() below.
inline serving::ContentsRef ids(std::vector<std::uint64_t> names) {
    return contents_of(std::move(names), 4);
}

/// One request after another is submitted, aborted and so on, each command at its time: first what
/// is due before it runs. At one time come changes of speed and kills, then arrivals, then the ends
/// of batches, then aborts, then new batches.
class EngineRig final : private serving::InstanceHost {
  public:
    struct Outcome {
        bool completed = false;
        bool aborted = false;
        bool lost = false;
        Time end = Time::max();
        serving::AttemptReport report{};
        std::uint32_t slot = 0;
    };

    enum class Kind : std::uint8_t { stepped, leaping };

    explicit EngineRig(serving::LlmEngineSpec engine, Time measure_from = Time::zero(),
                       Kind kind = Kind::stepped)
        : spec(std::move(engine)), owned_(make(kind, measure_from)), instance(*owned_) {}

    /// Its number: they count from 0.
    std::size_t submit(Time now, std::int64_t prompt, std::int64_t output,
                       const serving::ContentsRef& contents = {}, std::int32_t priority = 0,
                       std::uint16_t adapter = 0, std::int64_t remote_tokens = 0) {
        run(now);
        serving::Submission submission;
        submission.attempt = serving::AttemptId{static_cast<std::uint32_t>(outcomes.size()), 0};
        submission.prompt = prompt;
        submission.output = output;
        submission.priority = priority;
        submission.adapter = adapter;
        submission.remote_tokens = remote_tokens;
        submission.request = outcomes.size();
        submission.contents = contents.get();
        Outcome outcome;
        REQUIRE_FALSE(instance.refuses(prompt, output));
        REQUIRE_FALSE(instance.submit(first_of(now), submission, outcome.slot));
        for (const Outcome& other : outcomes) REQUIRE((!open(other) || other.slot != outcome.slot));
        outcomes.push_back(outcome);
        return outcomes.size() - 1;
    }
    /// Nothing where it is over. Answers whether it did something.
    bool abort(Time now, std::size_t request) {
        run(now);
        while (instance.next_event() == serving::Instance::NextEvent{now, serving::kStepEnd}) {
            run_next();
        }
        if (!open(outcomes[request])) return false;
        outcomes[request].aborted = true;
        const EventKey position = EventKey::make(now, serving::kTimeout, 0);
        outcomes[request].report = instance.report(position, outcomes[request].slot);
        instance.abort(position, outcomes[request].slot);
        return true;
    }
    /// What it asked for of a request's remote tokens is there.
    void kv_arrives(Time now, std::size_t request) {
        run(now);
        instance.kv_arrived(first_of(now), outcomes[request].slot);
    }
    void set_speed(Time now, serving::SpeedPpm speed) {
        run(now);
        instance.set_speed(first_of(now), speed);
    }
    /// The requests it lost, in its order. Nothing may follow.
    std::vector<std::size_t> kill(Time now) {
        run(now);
        std::vector<serving::AttemptId> lost;
        instance.kill(first_of(now), lost);
        std::vector<std::size_t> requests;
        for (const serving::AttemptId attempt : lost) {
            REQUIRE(open(outcomes[attempt.index]));
            outcomes[attempt.index].lost = true;
            requests.push_back(attempt.index);
        }
        lost_in_order = requests;
        return requests;
    }
    /// All events before `limit`.
    void run(Time limit) {
        while (instance.next_event().time < limit) run_next();
    }
    /// To the end of all that runs.
    void run_to_the_end() {
        run(Time::max());
        instance.finish(first_of(now_));
    }
    [[nodiscard]] serving::InstanceLoad load(Time now) {
        run(now);
        return instance.load(first_of(now));
    }
    [[nodiscard]] Time now() const { return now_; }
    /// That it has run so far.
    [[nodiscard]] std::int64_t events() const { return events_; }

    serving::LlmEngineSpec spec;
    serving::ServiceStats stats;

  private:
    std::unique_ptr<serving::Instance> owned_;

  public:
    serving::Instance& instance;
    std::vector<Outcome> outcomes;
    std::vector<std::size_t> lost_in_order;  ///< requests, at a kill

  private:
    std::unique_ptr<serving::Instance> make(Kind kind, Time measure_from) {
        auto policy = make_policy<serving::BatchingPolicy>(spec.batching, {RandomStream(7, "b")});
        const serving::InstanceRecorder recorder{&stats, measure_from};
        const RandomStream drafts(7, "drafts");
        if (kind == Kind::leaping) {
            return std::make_unique<serving::LeapingLlmInstance>(
                spec, std::move(policy), 0, serving::kNominalSpeed, recorder, drafts);
        }
        return std::make_unique<serving::SteppedLlmInstance>(
            spec, std::move(policy), serving::kNominalSpeed, recorder, drafts);
    }
    static EventKey first_of(Time now) { return EventKey::make(now, serving::kObservation, 0); }
    static bool open(const Outcome& o) { return !o.completed && !o.aborted && !o.lost; }

    void run_next() {
        REQUIRE(++events_ < 2'000'000);  // it gets on
        REQUIRE(instance.next_event().time >= now_);
        now_ = instance.next_event().time;
        instance.run(now_, *this);
        const serving::InstanceLoad load = instance.load(first_of(now_));
        REQUIRE(load.kv_used_blocks >= 0);
        REQUIRE(load.kv_used_blocks <= spec.kv_blocks);
        REQUIRE(load.in_flight == load.waiting + load.running);
        REQUIRE(load.in_flight == std::count_if(outcomes.begin(), outcomes.end(), open));
    }
    void kv_wanted(Time, serving::AttemptId, std::int64_t) override {}  // see kv_arrives()
    void attempt_completed(Time now, serving::AttemptId attempt,
                           const serving::AttemptReport& report) override {
        Outcome& outcome = outcomes.at(attempt.index);
        REQUIRE(open(outcome));
        REQUIRE(now == now_);
        outcome.completed = true;
        outcome.end = now;
        outcome.report = report;
    }

    Time now_;
    std::int64_t events_ = 0;
};

/// Times are in ticks of 10 us.
constexpr Duration ticks(std::int64_t n) {
    return Duration::microseconds(10) * n;
}
constexpr Time at_tick(std::int64_t n) {
    return Time::zero() + ticks(n);
}
/// An iteration in ticks: P prompt tokens, D decoding sequences over K tokens of context, and A the
/// sum over prompt chunks of n (2 before + n).
constexpr std::int64_t t(std::int64_t p, std::int64_t d, std::int64_t k, std::int64_t a = 0) {
    return 1000 + 100 * p + 200 * d + 10 * k + a;
}

struct EngineModes {
    bool async = false;
    bool caching = false;
    std::int64_t stages = 1;
};

/// An engine that takes t() for an iteration, with blocks of 4 tokens.
inline serving::LlmEngineSpec engine(
    const EngineModes& modes, std::int64_t kv_blocks = 1000,
    const std::vector<std::pair<std::string, ParameterValue>>& values = {},
    const std::string& policy = "vllm-v1") {
    serving::LlmEngineSpec spec;
    spec.latency = std::make_shared<serving::LinearLatency>(
        serving::LinearCoefficients{ticks(1000), ticks(100), ticks(200), ticks(10), ticks(2)});
    spec.batching = choose<serving::BatchingPolicy>(policy, values);
    spec.block_size = 4;
    spec.kv_blocks = kv_blocks;
    spec.async_scheduling = modes.async;
    spec.prefix_caching = modes.caching;
    spec.pipeline_stages = modes.stages;
    return spec;
}

/// When a request's first token and its end came, in ticks.
struct Came {
    std::int64_t first;
    std::int64_t end;
    bool operator==(const Came&) const = default;
};
inline std::ostream& operator<<(std::ostream& out, const Came& c) {
    return out << "{" << c.first << ", " << c.end << "}";
}

/// A picosecond beside a tick is -1.
inline std::int64_t in_ticks(Time time) {
    const std::int64_t tick = ticks(1).ps();
    return time != Time::max() && time.ps() % tick == 0 ? time.ps() / tick : -1;
}

inline Came came(const EngineRig& rig, std::size_t request) {
    const EngineRig::Outcome& o = rig.outcomes.at(request);
    return {in_ticks(o.report.first_token), in_ticks(o.end)};
}
inline std::int64_t scheduled(const EngineRig& rig, std::size_t request) {
    return in_ticks(rig.outcomes.at(request).report.first_scheduled);
}

/// All is over and every block is free.
inline void check_empty(EngineRig& rig) {
    const serving::InstanceLoad load = rig.load(rig.now());
    CHECK(load.kv_used_blocks == 0);
    CHECK(load.in_flight == 0);
    CHECK(rig.instance.next_event().time == Time::max());
}

}  // namespace headroom::tests
