/// Runs one DynamicBatchInstance by itself on a list of commands, and says how each request ended.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "sim/serving/dynamic_batch_instance.hpp"
#include "tests/catch.hpp"

namespace headroom::tests {

/// What happens to a batcher from outside. At one time speeds change first, then requests arrive,
/// then (once executions have ended) requests are aborted, then batches form.
struct BatcherCommand {
    enum class Kind : std::uint8_t { speed, submit, abort };
    Time time;
    Kind kind = Kind::submit;
    std::uint32_t attempt = 0;
    std::int32_t priority = 0;
    serving::SpeedPpm speed = serving::kNominalSpeed;
};

struct BatcherOutcome {
    enum class Kind : std::uint8_t { completed, refused, timed_out };
    std::uint32_t attempt = 0;
    Kind kind = Kind::completed;
    Time time;
    Time start = Time::max();
    bool operator==(const BatcherOutcome&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const BatcherOutcome& o) {
    static constexpr const char* kKinds[] = {"completed", "refused", "timed out"};
    out << "{" << o.attempt << " " << kKinds[static_cast<int>(o.kind)] << " at "
        << o.time.to_seconds();
    if (o.start != Time::max()) out << " started " << o.start.to_seconds();
    return out << "}";
}

/// t(b) = fixed + b each.
inline std::shared_ptr<const serving::BatchLatency> linear_batches(Duration fixed, Duration each) {
    return std::make_shared<const serving::BatchLatency>(serving::BatchTimes{
        {1, 2}, {(fixed + each).to_seconds(), (fixed + each * 2).to_seconds()}});
}

class BatcherRig final : private serving::InstanceHost {
  public:
    explicit BatcherRig(serving::DynamicEngineSpec engine, Time measure_from = Time::zero())
        : spec(std::move(engine)), instance(spec, serving::kNominalSpeed, {&stats, measure_from}) {}

    std::optional<serving::Cause> submit(Time now, std::uint32_t attempt,
                                         std::int32_t priority = 0) {
        run(now);
        serving::Submission submission;
        submission.attempt = serving::AttemptId{attempt, 0};
        submission.priority = priority;
        if (slots.size() <= attempt) slots.resize(attempt + 1);
        const auto cause = instance.submit({now, 0}, submission, slots[attempt]);
        if (cause) {
            CHECK(*cause == serving::Cause::instance_queue_full);
            outcomes.push_back({attempt, BatcherOutcome::Kind::refused, now});
        } else {
            live.push_back(attempt);
        }
        return cause;
    }
    /// Nothing where it is over.
    void abort(Time now, std::uint32_t attempt) {
        run(now);
        while (instance.next_event().time == now &&
               instance.next_event().event_class == serving::kStepEnd) {
            instance.run(now, *this);
        }
        if (std::find(live.begin(), live.end(), attempt) == live.end()) return;
        forget(attempt);
        instance.abort(EventKey::make(now, serving::kTimeout, 0), slots[attempt]);
    }
    /// Events before `limit`.
    void run(Time limit) {
        while (instance.next_event().time < limit) {
            instance.run(instance.next_event().time, *this);
        }
    }
    void run(const std::vector<BatcherCommand>& commands) {
        for (const BatcherCommand& command : commands) {
            switch (command.kind) {
                case BatcherCommand::Kind::speed:
                    run(command.time);
                    instance.set_speed({command.time, 0}, command.speed);
                    break;
                case BatcherCommand::Kind::submit:
                    (void)submit(command.time, command.attempt, command.priority);
                    break;
                case BatcherCommand::Kind::abort:
                    abort(command.time, command.attempt);
                    break;
            }
        }
        run(Time::max());
    }

    serving::DynamicEngineSpec spec;
    serving::ServiceStats stats;
    serving::DynamicBatchInstance instance;
    std::vector<std::uint32_t> slots;
    std::vector<std::uint32_t> live;  ///< submitted and not over
    std::vector<BatcherOutcome> outcomes;

  private:
    void forget(std::uint32_t attempt) {
        const auto at = std::find(live.begin(), live.end(), attempt);
        REQUIRE(at != live.end());
        live.erase(at);
    }
    void attempt_completed(Time now, serving::AttemptId attempt,
                           const serving::AttemptReport& report) override {
        CHECK(report.first_token == Time::max());
        CHECK(report.output_tokens == 0);
        forget(attempt.index);
        outcomes.push_back(
            {attempt.index, BatcherOutcome::Kind::completed, now, report.first_scheduled});
    }
    void attempt_rejected(Time now, serving::AttemptId attempt, serving::Cause cause) override {
        CHECK(cause == serving::Cause::queue_timeout);
        forget(attempt.index);
        outcomes.push_back({attempt.index, BatcherOutcome::Kind::timed_out, now});
    }
};

}  // namespace headroom::tests
