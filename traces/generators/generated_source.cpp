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
      prompt_stream_(source_stream(config.seed, config.name, "prompt")),
      output_stream_(source_stream(config.seed, config.name, "output")),
      prompt_(std::move(config.prompt)),
      output_(std::move(config.output)),
      attributes_(config.attributes),
      end_(config.end.value_or(Time::max())),
      limit_(config.limit ? static_cast<std::uint64_t>(*config.limit)
                          : std::numeric_limits<std::uint64_t>::max()) {
    HEADROOM_CHECK(arrivals_ != nullptr, "a generated source needs an arrival process");
    advance();
}

void GeneratedSource::advance() {
    next_ = taken_ < limit_ ? arrivals_->next() : Time::max();
    if (next_ < end_) return;
    next_ = Time::max();
    limit_ = taken_;
}

serving::Arrival GeneratedSource::take() {
    HEADROOM_DCHECK(next_ != Time::max(), "take() without a next request");
    const serving::Arrival arrival{.time = next_,
                                   .prompt = prompt_.draw(prompt_stream_, taken_),
                                   .output = output_.draw(output_stream_, taken_),
                                   .attributes = attributes_};
    ++taken_;
    advance();
    return arrival;
}

}  // namespace headroom::traces
