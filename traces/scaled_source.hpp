/// ScaledSource runs another source faster or slower: its time is the inner source's time, scaled.
/// A trace at scale 1/2 has twice the request rate, with each burst half as long. Completions are
/// handed back in the inner source's time, so the think times of a closed loop scale as well.
///
///     ScaledSource twice(open_trace("t.csv", {}, error), *TimeScale::make(1, 2));
///
/// O(1) over the inner source; keeps its error().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sim/serving/request_source.hpp"
#include "traces/time_scale.hpp"

namespace headroom::traces {

class ScaledSource final : public serving::RequestSource {
  public:
    ScaledSource(std::unique_ptr<serving::RequestSource> inner, TimeScale scale)
        : inner_(std::move(inner)), scale_(scale), inverse_(scale.inverse()) {}

    [[nodiscard]] OptionalTime peek() override {
        const OptionalTime time = inner_->peek();
        if (!time) return std::nullopt;
        return outer(*time);
    }
    serving::Arrival take() override {
        serving::Arrival arrival = inner_->take();
        arrival.time = outer(arrival.time);
        now_ = arrival.time;
        return arrival;
    }
    void completed(const serving::Completion& completion) override {
        serving::Completion inner = completion;
        inner.time = inverse_(completion.time);
        now_ = completion.time > now_ ? completion.time : now_;
        inner_->completed(inner);
    }
    [[nodiscard]] const std::string& error() const override { return inner_->error(); }

  private:
    /// There and back again rounds twice: never before what has already been.
    [[nodiscard]] Time outer(Time inner) const {
        const Time time = scale_(inner);
        return time > now_ ? time : now_;
    }

    std::unique_ptr<serving::RequestSource> inner_;
    TimeScale scale_;
    TimeScale inverse_;
    Time now_;
};

}  // namespace headroom::traces
