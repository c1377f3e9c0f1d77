/// `predictive`: replicas for the load that will be there when a replica started now is ready. The
/// load is sampled each sample_period, averaged over buckets (load_buckets.hpp) and forecast by
/// Holt-Winters with a season of a day (holt_winters.hpp, load_forecast.hpp).
///
///     reach     = the mean cold start of the workload's pods, `horizon` until one is known
///     predicted = max of the forecast over the buckets from now to now + reach, and one more
///                 + the headroom_quantile of the past residuals
///     wanted    = max(ceil(predicted / capacity_per_replica),
///                     ceil(load now * safety_factor / capacity_per_replica))      where `reactive`
///
/// Before one full season is known the second line alone decides; `history` gives it one to begin
/// with: yesterday's load, a number a bucket, the last one ending where the run begins. Without a
/// reading of the present the forecast alone decides. More replicas come at once, fewer after
/// scale_down_delay (replica_demand.hpp). A forecast is rounded to milli-units before replicas are
/// counted in integers. O(reach / bucket) a tick, O(season) a bucket, a fit at each season's end.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "policies/scaling/decision_text.hpp"
#include "policies/scaling/predictive/load_buckets.hpp"
#include "policies/scaling/predictive/load_forecast.hpp"
#include "policies/scaling/replica_demand.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

using control::ScalingPolicy;
using control::ScalingView;

namespace {

constexpr std::int64_t kMostBuckets = 10'080;  // a week of minutes

Duration bucket_of(const Parameters& parameters) {
    return std::max(parameters.duration("bucket"), Duration::seconds(1));
}

std::size_t season_of(const Parameters& parameters) {
    const std::int64_t buckets = parameters.duration("season") / bucket_of(parameters);
    return static_cast<std::size_t>(std::clamp<std::int64_t>(buckets, 2, kMostBuckets));
}

std::optional<Smoothing> smoothing_of(const Parameters& parameters) {
    if (parameters.text("smoothing") == "auto") return std::nullopt;
    return Smoothing{parameters.number("alpha"), parameters.number("beta"),
                     parameters.number("gamma")};
}

double history_value(const ParameterValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value.data)) {
        return static_cast<double>(*whole);
    }
    const auto* number = std::get_if<double>(&value.data);
    return number != nullptr ? *number : 0.0;
}

std::int64_t to_milli(double milli) {
    constexpr double kMost = 9e15;
    return std::llround(std::clamp(milli, 0.0, kMost));
}

ParameterSpec smoothing_number(std::string name, double value, std::string help) {
    return ParameterSpec::number(std::move(name), value, std::move(help)).at_least(0).at_most(1);
}

}  // namespace

class Predictive final : public control::ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs();
    Predictive(const Parameters& parameters, const PolicyContext&);

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override {
        return {{.kind = control::MetricKind::external, .name = metric_, .pointer = "/metric"}};
    }
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override { return faults_; }
    [[nodiscard]] Duration period() const override { return demand_.period(); }
    [[nodiscard]] Duration observes_every() const override { return sample_period_; }
    void observe(const ScalingView& view) override;
    control::ScalingDecision decide(const ScalingView& view) override;

  private:
    void find_faults(const Parameters& parameters);
    void read_history(const Parameters& parameters);
    void close_buckets(Time now);
    [[nodiscard]] std::optional<std::int64_t> predict(const ScalingView& view,
                                                      Duration reach) const;
    [[nodiscard]] std::string describe_forecast(std::int64_t predicted, Duration reach,
                                                const ScalingView& view) const;

    std::string metric_;
    std::int64_t capacity_milli_;
    std::int64_t factor_milli_;
    bool reactive_;
    Duration horizon_;
    Duration sample_period_;
    LoadBuckets buckets_;
    LoadForecast forecast_;
    ReplicaDemand demand_;
    std::vector<control::ScalingFault> faults_;
};

ParameterSpecs Predictive::parameter_specs() {
    ParameterSpecs specs;
    append_load_specs(specs);
    specs.push_back(ParameterSpec::duration("season", Duration::hours(24),
                                            "after which the load repeats; whole buckets")
                        .above(0));
    specs.push_back(ParameterSpec::duration("bucket", Duration::minutes(5),
                                            "span that one value of the series averages over")
                        .at_least(1));
    specs.push_back(ParameterSpec::duration("sample_period", Duration::seconds(15),
                                            "time between two samples of the metric")
                        .above(0));
    specs.push_back(ParameterSpec::list(
        "history", ParameterSpec::number("load", 0, "mean of the metric over a bucket").at_least(0),
        "the load before the run, a number a bucket, oldest first; a season of it and the run "
        "begins with a forecast"));
    specs.push_back(ParameterSpec::choice("smoothing", {"auto", "given"}, "auto",
                                          "auto: fitted at the end of each season; given: alpha, "
                                          "beta and gamma"));
    const Smoothing given;
    specs.push_back(
        smoothing_number("alpha", given.alpha, "share of an error that the level takes"));
    specs.push_back(smoothing_number("beta", given.beta, "share of that which the trend takes"));
    specs.push_back(
        smoothing_number("gamma", given.gamma, "share of the rest that the season takes"));
    specs.push_back(ParameterSpec::integer("fit_seasons", 7, "seasons that auto fits to at most")
                        .at_least(2)
                        .at_most(60));
    specs.push_back(ParameterSpec::duration("horizon", Duration::minutes(5),
                                            "how far to look until a cold start was measured"));
    specs.push_back(ParameterSpec::number("headroom_quantile", 0.9,
                                          "quantile of past errors that is added to the forecast; "
                                          "0.5 adds about nothing")
                        .at_least(0)
                        .at_most(1));
    specs.push_back(
        ParameterSpec::boolean("reactive", true, "never fewer than the present load needs"));
    specs.push_back(
        ParameterSpec::quantity("safety_factor", 1000, "m", "on the present load, where it decides")
            .above(0));
    ReplicaDemand::append_specs(specs, Duration::minutes(5));
    return specs;
}

Predictive::Predictive(const Parameters& parameters, const PolicyContext&)
    : metric_(parameters.text("metric")),
      capacity_milli_(capacity_of(parameters)),
      factor_milli_(parameters.integer("safety_factor")),
      reactive_(parameters.boolean("reactive")),
      horizon_(parameters.duration("horizon")),
      sample_period_(parameters.duration("sample_period")),
      buckets_(bucket_of(parameters)),
      forecast_(
          season_of(parameters),
          static_cast<std::size_t>(std::max<std::int64_t>(2, parameters.integer("fit_seasons"))),
          smoothing_of(parameters),
          std::llround(std::clamp(parameters.number("headroom_quantile"), 0.0, 1.0) * 1000)),
      demand_(parameters) {
    demand_.append_faults(faults_);
    find_faults(parameters);
    read_history(parameters);
}

void Predictive::find_faults(const Parameters& parameters) {
    const Duration season = parameters.duration("season");
    const Duration bucket = bucket_of(parameters);
    const std::int64_t count = season / bucket;
    if (season % bucket != Duration::zero()) {
        faults_.push_back({"/season", fmt::format("expected a multiple of bucket ({}), found {}",
                                                  span_text(bucket), span_text(season))});
    } else if (count < 2 || count > kMostBuckets) {
        faults_.push_back({"/season", fmt::format("expected 2 to {} buckets ({}), found {}",
                                                  kMostBuckets, span_text(bucket), count)});
    }
    if (sample_period_ > bucket) {
        faults_.push_back(
            {"/sample_period", fmt::format("expected at most bucket ({}), found {}",
                                           span_text(bucket), span_text(sample_period_))});
    }
}

void Predictive::read_history(const Parameters& parameters) {
    const auto& history = parameters.list("history");
    constexpr double kMost = 9e12;  // in milli-units still exact
    for (std::size_t i = 0; i < history.size(); ++i) {
        const double value = history_value(history[i]);
        if (value >= 0.0 && value <= kMost) {
            forecast_.append(static_cast<double>(std::llround(value * 1000)));
        } else {
            faults_.push_back({fmt::format("/history/{}", i),
                               fmt::format("expected a load in 0..9e12, found {}", value)});
        }
    }
}

void Predictive::close_buckets(Time now) {
    while (const auto closed = buckets_.close_next(now)) forecast_.append(closed->mean);
}

void Predictive::observe(const ScalingView& view) {
    close_buckets(view.now);
    const auto load = view.metrics.empty() ? std::nullopt : load_of(view.metrics.front());
    if (load) buckets_.add(view.now, *load);
}

std::optional<std::int64_t> Predictive::predict(const ScalingView& view, Duration reach) const {
    if (!forecast_.ready()) return std::nullopt;
    const std::int64_t first = buckets_.steps_to(view.now);
    const std::int64_t last = buckets_.steps_to(view.now.later_by(reach)) + 1;
    return to_milli(forecast_.peak(first, last) + forecast_.margin());
}

std::string Predictive::describe_forecast(std::int64_t predicted, Duration reach,
                                          const ScalingView& view) const {
    const Smoothing smoothing = forecast_.smoothing();
    return fmt::format("forecast {} (margin {}) within {}{} s, alpha {} beta {} gamma {}",
                       amount_text(predicted), amount_text(to_milli(forecast_.margin())),
                       view.mean_time_to_ready ? "the cold start of " : "",
                       amount_text(reach / Duration::milliseconds(1)),
                       hundredths_text(smoothing.alpha), hundredths_text(smoothing.beta),
                       hundredths_text(smoothing.gamma));
}

control::ScalingDecision Predictive::decide(const ScalingView& view) {
    close_buckets(view.now);
    const Duration reach = view.mean_time_to_ready.value_or(horizon_);
    const auto load = view.metrics.empty() ? std::nullopt : load_of(view.metrics.front());
    const auto predicted = predict(view, reach);
    if (!load && !predicted) {
        const bool silent = view.metrics.empty() || view.metrics[0].error.empty();
        return demand_.keep(view, metric_ + ": " + (silent ? "no value" : view.metrics[0].error));
    }
    const std::int64_t now_needs =
        load ? replicas_to_carry(Int128{*load} * factor_milli_, Int128{capacity_milli_} * 1000) : 0;
    const std::int64_t then_needs = predicted ? replicas_to_carry(*predicted, capacity_milli_) : 0;
    const bool by_load = load && (!predicted || (reactive_ && now_needs > then_needs));
    ReplicaDemand::Wish wish;
    wish.wanted = by_load ? now_needs : then_needs;
    const std::string now = load ? amount_text(*load) + " now" : std::string("no reading now");
    if (!predicted) {
        wish.why = fmt::format("{}; reactive: {} of the {} values of a season known", now,
                               forecast_.known(), forecast_.season_length());
    } else if (by_load) {
        wish.why = fmt::format("{}, above the {} forecast", now, amount_text(*predicted));
    } else {
        wish.why = fmt::format("{} forecast within {} s", amount_text(*predicted),
                               amount_text(reach / Duration::milliseconds(1)));
    }
    wish.inputs = fmt::format("{} {}; {} a replica", metric_, now, amount_text(capacity_milli_));
    if (predicted) wish.inputs += "; " + describe_forecast(*predicted, reach, view);
    return demand_.settle(view, std::move(wish));
}

REGISTER_POLICY(ScalingPolicy, Predictive, "predictive",
                "replicas for the load that Holt-Winters forecasts over a cold start");

}  // namespace headroom::policies
