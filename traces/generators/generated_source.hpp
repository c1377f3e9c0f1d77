/// GeneratedSource: open-loop requests out of an arrival process and two length models. Request i
/// uses draw i of the streams "source/<name>/arrival", ".../prompt" and ".../output", so changing
/// the lengths moves no arrival, and another source shifts nobody's draws.
///
///     GeneratedSource source({.name = "chat", .seed = 7, .arrivals = std::move(poisson),
///                             .prompt = prompt, .output = output, .end = ten_minutes});
///
/// Ends before `end` (exclusive) or after `limit` requests, whichever comes first. O(1) a request,
/// no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "sim/core/random.hpp"
#include "sim/serving/request_source.hpp"
#include "traces/generators/arrival_process.hpp"
#include "traces/generators/length_model.hpp"

namespace headroom::traces {

/// The stream of one part ("arrival", "prompt", "output", "think", ...) of a source.
[[nodiscard]] RandomStream source_stream(std::uint64_t seed, const std::string& source,
                                         const std::string& part);

struct GeneratedConfig {
    std::string name{};
    std::uint64_t seed = 0;
    std::unique_ptr<ArrivalProcess> arrivals{};
    LengthModel prompt{};
    LengthModel output{};
    serving::RequestAttributes attributes{};  ///< of every request
    std::optional<Time> end{};
    std::optional<std::int64_t> limit{};
};

class GeneratedSource final : public serving::RequestSource {
  public:
    explicit GeneratedSource(GeneratedConfig config);

    [[nodiscard]] OptionalTime peek() override {
        return next_ < drawn_ ? ahead_[next_].time : Time::max();
    }
    serving::Arrival take() override;
    [[nodiscard]] bool answers_completions() const override { return false; }

  private:
    /// Requests are drawn some at a time, for nobody can change those to come: their draws overlap
    /// in the processor, and nothing waits for the next one.
    static constexpr std::size_t kAhead = 32;
    struct Drawn {
        Time time;
        Tokens prompt{1};
        Tokens output{1};
    };
    void draw_ahead();

    std::unique_ptr<ArrivalProcess> arrivals_;
    LengthSequence prompts_;
    LengthSequence outputs_;
    serving::RequestAttributes attributes_;
    Time end_;           ///< Time::max(): never
    std::int64_t left_;  ///< requests still to be drawn
    std::array<Drawn, kAhead> ahead_;
    std::size_t next_ = 0;   ///< in ahead_
    std::size_t drawn_ = 0;  ///< of it
};

}  // namespace headroom::traces
