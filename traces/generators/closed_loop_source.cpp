#include "traces/generators/closed_loop_source.hpp"

#include <algorithm>
#include <utility>

#include "sim/core/check.hpp"
#include "traces/generators/generated_source.hpp"

namespace headroom::traces {

ClosedLoopSource::ClosedLoopSource(ClosedLoopConfig config)
    : config_(std::move(config)),
      think_stream_(source_stream(config_.seed, config_.name, "think")),
      prompt_stream_(source_stream(config_.seed, config_.name, "prompt")),
      output_stream_(source_stream(config_.seed, config_.name, "output")),
      turns_(config_.users, 0) {
    HEADROOM_CHECK(config_.users >= 1, "a closed loop needs a user");
    HEADROOM_CHECK(config_.failure_pause > Duration::zero(), "a failure needs a pause");
    due_.reserve(config_.users);
    for (std::uint32_t user = 0; user < config_.users; ++user) {
        const Int128 start = static_cast<Int128>(config_.ramp.ps()) * user / config_.users;
        due_.push({Time::picoseconds(static_cast<std::int64_t>(start)), user, 0});
    }
}

OptionalTime ClosedLoopSource::peek() {
    if (due_.empty() || (config_.limit && taken_ >= *config_.limit)) return std::nullopt;
    const Time time = due_.top().time;
    if (config_.end && time >= *config_.end) return std::nullopt;
    return time;
}

serving::Arrival ClosedLoopSource::take() {
    HEADROOM_DCHECK(peek().has_value(), "take() without a next request");
    const DueHeap::Entry due = due_.pop();
    const std::uint64_t turn = turns_[due.who]++;
    ++taken_;
    ++in_flight_;
    return {.time = due.time,
            .prompt = config_.prompt.draw(prompt_stream_, due.who, turn),
            .output = config_.output.draw(output_stream_, due.who, turn),
            .attributes = config_.attributes,
            .user = due.who};
}

void ClosedLoopSource::completed(const serving::Completion& completion) {
    HEADROOM_CHECK(completion.user < config_.users && in_flight_ > 0,
                   "a completion of a user who waits for none");
    --in_flight_;
    // Number t of a user's think times follows request t.
    const std::uint64_t turn = turns_[completion.user] - 1;
    Duration pause = config_.think.duration_at(think_stream_.uniform(completion.user, turn));
    if (completion.outcome != serving::Outcome::completed) {
        pause = std::max(pause, config_.failure_pause);
    }
    // A user who would come back past the horizon does not.
    if (pause > Time::horizon_limit() - completion.time) return;
    due_.push({completion.time + pause, completion.user, 0});
}

}  // namespace headroom::traces
