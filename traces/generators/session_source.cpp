#include "traces/generators/session_source.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "sim/core/check.hpp"
#include "sim/core/hash.hpp"
#include "sim/core/math.hpp"
#include "traces/generators/generated_source.hpp"

namespace headroom::traces {

SessionSource::SessionSource(SessionConfig config)
    : config_(std::move(config)),
      turns_stream_(source_stream(config_.seed, config_.name, "turns")),
      think_stream_(source_stream(config_.seed, config_.name, "think")),
      prompt_stream_(source_stream(config_.seed, config_.name, "prompt")),
      output_stream_(source_stream(config_.seed, config_.name, "output")),
      system_stream_(source_stream(config_.seed, config_.name, "system")),
      contents_stream_(source_stream(config_.seed, config_.name, "contents")) {
    HEADROOM_CHECK(config_.arrivals != nullptr, "sessions need an arrival process");
    HEADROOM_CHECK(config_.mean_turns >= 1 && config_.max_context >= 2,
                   "a session has a turn and room for it");
    HEADROOM_CHECK(config_.system_prompts >= 1, "there is a system prompt, if only an empty one");
    next_arrival();
}

void SessionSource::next_arrival() {
    const bool more = begun_ < std::numeric_limits<std::uint32_t>::max() &&
                      (!config_.limit || begun_ < *config_.limit);
    next_session_ = more ? config_.arrivals->next() : Time::max();
}

OptionalTime SessionSource::peek() {
    const Time due = due_.empty() ? Time::max() : due_.top().time;
    const Time time = std::min(due, next_session_);
    if (time == Time::max() || (config_.end && time >= *config_.end)) return std::nullopt;
    return time;
}

/// The inverse of the geometric distribution on 1, 2, ...
std::uint64_t SessionSource::draw_turns(std::uint64_t session) const {
    if (!config_.geometric_turns) return static_cast<std::uint64_t>(config_.mean_turns);
    if (config_.mean_turns <= 1) return 1;
    const double u = turns_stream_.uniform(session);
    const double turns = 1 + std::floor(det_log(u) / det_log1p(-1 / config_.mean_turns));
    constexpr double kMost = 1e9;
    return static_cast<std::uint64_t>(std::min(turns, kMost));
}

bool SessionSource::draw_turn(Session& session, std::int64_t context) const {
    const std::uint64_t number = session.number;
    session.output = config_.output.draw(output_stream_, number, session.turn).count();
    session.prompt =
        context + config_.new_tokens.draw(prompt_stream_, number, session.turn).count();
    return session.prompt + session.output <= config_.max_context;
}

std::uint32_t SessionSource::begin_session() {
    std::uint32_t slot = static_cast<std::uint32_t>(sessions_.size());
    if (free_.empty()) {
        sessions_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    Session& session = sessions_[slot];
    session = {.number = begun_, .turns = draw_turns(begun_)};
    if (!draw_turn(session, config_.system_prompt)) {
        session.prompt = std::min(session.prompt, config_.max_context - 1);
        session.output = std::min(session.output, config_.max_context - session.prompt);
    }
    ++begun_;
    ++active_;
    return slot;
}

serving::ContentsRef SessionSource::contents_of(const Session& session) const {
    constexpr std::int64_t kTokensPerId = 16;
    const boost::intrusive_ptr<serving::TokenContents> contents(new serving::TokenContents);
    contents->tokens_per_id = kTokensPerId;
    contents->covered = session.prompt + session.output;
    const std::int64_t pieces = (contents->covered + kTokensPerId - 1) / kTokensPerId;
    const std::int64_t shared = std::min(config_.system_prompt, session.prompt) / kTokensPerId;
    contents->ids.resize(static_cast<std::size_t>(pieces));
    // SplitMix64 from a key of the text's own: within a text no id comes twice.
    constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;
    const auto name_pieces = [&ids = contents->ids](std::int64_t from, std::int64_t to,
                                                    std::uint64_t key) {
        for (auto k = static_cast<std::uint64_t>(from); k < static_cast<std::uint64_t>(to); ++k) {
            ids[k] = mix64(key + (k + 1) * kStep);
        }
    };
    if (shared > 0) {
        const std::uint64_t which = system_stream_.below(
            static_cast<std::uint64_t>(config_.system_prompts), session.number);
        name_pieces(0, shared, contents_stream_.bits(which, 2));
    }
    name_pieces(shared, pieces, contents_stream_.bits(session.number, 0));
    return contents;
}

serving::Arrival SessionSource::take() {
    HEADROOM_DCHECK(peek().has_value(), "take() without a next request");
    // A turn of a session that has begun is older than the next session: it wins a tie.
    const bool further_turn = !due_.empty() && due_.top().time <= next_session_;
    Time time = next_session_;
    std::uint32_t slot = 0;
    if (further_turn) {
        const DueHeap::Entry due = due_.pop();
        time = due.time;
        slot = due.slot;
    } else {
        slot = begin_session();
        next_arrival();
    }
    const Session& session = sessions_[slot];
    serving::Arrival arrival{.time = time,
                             .prompt = Tokens{session.prompt},
                             .output = Tokens{session.output},
                             .attributes = config_.attributes,
                             .user = slot};
    arrival.attributes.session = session.number + 1;
    if (config_.prefix_contents) arrival.contents = contents_of(session);
    return arrival;
}

void SessionSource::completed(const serving::Completion& completion) {
    const std::uint32_t slot = completion.user;
    HEADROOM_CHECK(slot < sessions_.size() && active_ > 0, "a completion of an unknown session");
    Session& session = sessions_[slot];
    const std::uint64_t turn = session.turn++;
    const bool goes_on = completion.outcome == serving::Outcome::completed &&
                         session.turn < session.turns &&
                         draw_turn(session, session.prompt + session.output);
    const Duration pause =
        goes_on ? config_.think.duration_at(think_stream_.uniform(session.number, turn))
                : Duration::zero();
    if (!goes_on || pause > Time::horizon_limit() - completion.time) {
        release(slot);
        return;
    }
    due_.push({completion.time + pause, session.number, slot});
}

void SessionSource::release(std::uint32_t slot) {
    free_.push_back(slot);
    --active_;
}

}  // namespace headroom::traces
