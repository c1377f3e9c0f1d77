#include "traces/generators/generated_source.hpp"

#include <limits>
#include <utility>

#include "sim/core/check.hpp"

namespace headroom::traces {

RandomStream source_stream(std::uint64_t seed, const std::string& source, const std::string& part) {
    return RandomStream{seed, "source/" + source + "/" + part};
}

GeneratedSource::GeneratedSource(GeneratedConfig config)
    : arrivals_(std::move(config.arrivals)),
      prompts_(std::move(config.prompt), source_stream(config.seed, config.name, "prompt")),
      outputs_(std::move(config.output), source_stream(config.seed, config.name, "output")),
      attributes_(config.attributes),
      end_(config.end.value_or(Time::max())),
      left_(config.limit.value_or(std::numeric_limits<std::int64_t>::max())) {
    HEADROOM_CHECK(arrivals_ != nullptr, "a generated source needs an arrival process");
    draw_ahead();
}

void GeneratedSource::draw_ahead() {
    next_ = 0;
    drawn_ = 0;
    for (; drawn_ < kAhead && left_ > 0; ++drawn_, --left_) {
        const Time time = arrivals_->next();
        if (time >= end_) {
            left_ = 0;
            break;
        }
        ahead_[drawn_].time = time;
    }
    for (std::size_t i = 0; i < drawn_; ++i) ahead_[i].prompt = prompts_.next();
    for (std::size_t i = 0; i < drawn_; ++i) ahead_[i].output = outputs_.next();
}

serving::Arrival GeneratedSource::take() {
    HEADROOM_DCHECK(next_ < drawn_, "take() without a next request");
    const Drawn request = ahead_[next_++];
    if (next_ == drawn_) draw_ahead();
    return {.time = request.time,
            .prompt = request.prompt,
            .output = request.output,
            .attributes = attributes_};
}

}  // namespace headroom::traces
