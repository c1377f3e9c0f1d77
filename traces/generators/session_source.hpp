/// SessionSource: conversations of several turns. Sessions begin by an arrival process (open loop);
/// within one, the next turn follows the end of the last one after a think time (closed loop), and
/// its prompt is all that was said before plus what the user adds:
///
///     prompt(0) = system_prompt + new(0);   prompt(t) = prompt(t-1) + output(t-1) + new(t)
///
/// A session ends after its drawn number of turns, when its next turn would exceed `max_context`
/// (prompt + output; a first turn is cut to it instead), or when a turn does not complete (the user
/// gives up). attributes.session is the session's number from 1, equal for all its turns.
/// Turn t of session s uses number (s, t) of the streams "prompt", "output" and "think" and number
/// s of "turns"; arrivals as in arrival_process.hpp. At one time turns of older sessions come
/// first. O(log active) a request; memory O(active sessions), whose slots are reused.
///
/// Each turn's contents are told, unless `prefix_contents` is false: pieces of 16 tokens that lie
/// within the system prompt are those of one of `system_prompts` different ones, drawn for a
/// session by its number of the stream "system"; all others, the one that straddles its end
/// included, are the session's own, named by its number and their place, whatever the turn. A
/// turn's prompt and output are thus a prefix of the next turn's prompt, and other sources share
/// nothing. Ids are made anew for each turn: one list of (prompt + output) / 16 of them, about 2 ns
/// each, which lives as long as the request.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/distribution.hpp"
#include "sim/serving/request_source.hpp"
#include "traces/generators/arrival_process.hpp"
#include "traces/generators/due_heap.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::traces {

struct SessionConfig {
    std::string name{};
    std::uint64_t seed = 0;
    std::unique_ptr<ArrivalProcess> arrivals{};  ///< of sessions
    bool geometric_turns = true;  ///< P(n turns) = (1 - 1/mean)^(n-1) / mean; else always the mean
    double mean_turns = 3;        ///< >= 1; a whole number where it is fixed
    Distribution think{};         ///< seconds between a turn's end and the next turn
    LengthModel new_tokens{};     ///< of the user, each turn
    LengthModel output{};
    std::int64_t system_prompt = 0;           ///< tokens before each session's first words
    std::int64_t system_prompts = 1;          ///< different ones, equally likely; >= 1
    bool prefix_contents = true;              ///< requests say what their tokens are
    std::int64_t max_context = 131'072;       ///< >= 2
    serving::RequestAttributes attributes{};  ///< session is overwritten
    std::optional<Time> end{};                ///< no request at or after it
    std::optional<std::int64_t> limit{};      ///< sessions at most
};

class SessionSource final : public serving::RequestSource {
  public:
    explicit SessionSource(SessionConfig config);

    [[nodiscard]] OptionalTime peek() override;
    serving::Arrival take() override;
    void completed(const serving::Completion& completion) override;

    [[nodiscard]] std::size_t active_sessions() const { return active_; }

  private:
    /// One session; prompt and output are those of the turn that is in flight or due.
    struct Session {
        std::uint32_t number = 0;
        std::uint32_t turn = 0;
        std::uint64_t turns = 0;
        std::int64_t prompt = 0;
        std::int64_t output = 0;
    };
    void next_arrival();
    [[nodiscard]] std::uint32_t begin_session();
    [[nodiscard]] std::uint64_t draw_turns(std::uint64_t session) const;
    /// Draws the session's current turn after `context` tokens; false where it does not fit.
    [[nodiscard]] bool draw_turn(Session& session, std::int64_t context) const;
    [[nodiscard]] serving::ContentsRef contents_of(const Session& session) const;
    void release(std::uint32_t slot);

    SessionConfig config_;
    RandomStream turns_stream_;
    RandomStream think_stream_;
    RandomStream prompt_stream_;
    RandomStream output_stream_;
    RandomStream system_stream_;
    RandomStream contents_stream_;
    std::vector<Session> sessions_;
    std::vector<std::uint32_t> free_;
    DueHeap due_;        ///< further turns: (time, session number, slot)
    Time next_session_;  ///< Time::max(): none
    std::uint32_t begun_ = 0;
    std::size_t active_ = 0;
};

}  // namespace headroom::traces
