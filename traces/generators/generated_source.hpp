/// GeneratedSource: open-loop requests out of an arrival process and two length models. Request i
/// uses number i of the streams "source/<name>/arrival", ".../prompt" and ".../output", so changing
/// the lengths moves no arrival, and another source shifts nobody's draws.
///
///     GeneratedSource source({.name = "chat", .seed = 7, .arrivals = std::move(poisson),
///                             .prompt = prompt, .output = output, .end =
///                             Time::from_seconds(600)});
///
/// Ends before `end` (exclusive) or after `limit` requests, whichever comes first. O(1) a request,
/// no allocation: poisson arrivals with two lognormal lengths cost some 90 ns, peek() 1 ns.
#pragma once

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

    [[nodiscard]] OptionalTime peek() override { return next_; }
    serving::Arrival take() override;
    [[nodiscard]] bool answers_completions() const override { return false; }

  private:
    void advance();

    std::unique_ptr<ArrivalProcess> arrivals_;
    RandomStream prompt_stream_;
    RandomStream output_stream_;
    LengthModel prompt_;
    LengthModel output_;
    serving::RequestAttributes attributes_;
    Time end_;  ///< Time::max(): never
    std::uint64_t limit_;
    std::uint64_t taken_ = 0;
    Time next_;  ///< Time::max(): none
};

}  // namespace headroom::traces
