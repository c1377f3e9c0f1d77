/// `schedule`: replicas by the time of day, from a list of cron expressions. The entry whose last
/// occurrence is the latest holds, of equal ones the later in the list. Occurrences before the run
/// count: at midnight last evening's entry holds. `replicas` is what the run begins with, before
/// the first tick, and what holds where no entry came in 8 years.
///
///     {"max_replicas": 8, "timezone_offset": "+01:00",
///      "schedule": [{"at": "0 8 * * mon-fri", "replicas": 8},
///                   {"at": "0 20 * * *", "replicas": 2}]}
///
/// The calendar is the run's `start`, which is needed. An occurrence takes effect at the first tick
/// at or after it. The offset is fixed: no daylight saving. max_replicas bounds the entries, so
/// that a pool made for the service has room for all. O(entries) a tick.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "policies/scaling/cron/cron_schedule.hpp"
#include "policies/scaling/invalid_decision.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/civil_time.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/registry.hpp"

namespace headroom::policies {

using control::ScalingPolicy;

namespace {

/// Seconds east of UTC of "Z", "+01:00", "-0530" or "+9"; nullopt: it is none of these.
std::optional<std::int64_t> parse_offset(std::string_view text) {
    if (text.empty() || text == "Z" || text == "z") return 0;
    if (text[0] != '+' && text[0] != '-') return std::nullopt;
    std::array<std::int64_t, 2> parts = {0, 0};  // hours, minutes
    const std::string_view rest = text.substr(1);
    const std::size_t colon = rest.find(':');
    const bool apart = colon != std::string_view::npos;
    const bool joined = !apart && rest.size() == 4;
    const std::string_view hours = apart ? rest.substr(0, colon) : rest.substr(0, 2);
    const std::string_view minutes = apart    ? rest.substr(colon + 1)
                                     : joined ? rest.substr(2)
                                              : std::string_view("00");
    if (hours.empty() || hours.size() > 2 || minutes.size() != 2) return std::nullopt;
    if (!apart && !joined && rest.size() > 2) return std::nullopt;
    for (std::size_t i = 0; i < 2; ++i) {
        for (const char c : i == 0 ? hours : minutes) {
            if (c < '0' || c > '9') return std::nullopt;
            parts[i] = parts[i] * 10 + (c - '0');
        }
    }
    if (parts[0] > 14 || parts[1] > 59) return std::nullopt;
    return (text[0] == '-' ? -1 : 1) * (parts[0] * 3600 + parts[1] * 60);
}

}  // namespace

class ReplicaSchedule final : public control::ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs();
    ReplicaSchedule(const Parameters& parameters, const PolicyContext&);

    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override { return {}; }
    [[nodiscard]] std::vector<control::ScalingFault> faults() const override { return faults_; }
    [[nodiscard]] std::vector<std::string> needs_calendar() const override { return {"/schedule"}; }
    [[nodiscard]] Duration period() const override { return sync_period_; }
    control::ScalingDecision decide(const control::ScalingView& view) override;

  private:
    struct Entry {
        std::string at;
        CronSchedule cron;
        std::int64_t replicas;
    };

    std::vector<Entry> entries_;
    std::int64_t initial_;
    std::int64_t max_;
    std::int64_t offset_s_ = 0;
    Duration sync_period_;
    std::vector<control::ScalingFault> faults_;
};

ParameterSpecs ReplicaSchedule::parameter_specs() {
    ParameterSpec entry = ParameterSpec::object(
        "entry",
        {ParameterSpec::text("at", "",
                             "minute, hour, day of month, month, day of week (\"0 8 * * "
                             "mon-fri\"), or @hourly, @daily, @weekly, @monthly, @yearly")
             .required(),
         control::replica_count("replicas", 1, "replicas from then on").required()},
        "an hour and its replicas");
    return {
        ParameterSpec::list("schedule", std::move(entry),
                            "the entry that came last holds, also if before the run; of two at one "
                            "time the later in the list. Needs the scenario's `start`"),
        control::replica_count(
            "replicas", 1,
            "replicas that the run begins with; they hold where no entry has come yet"),
        control::replica_count("max_replicas", 1, "the most that an entry may ask for")
            .required()
            .at_least(1),
        ParameterSpec::text("timezone_offset", "+00:00",
                            "of the zone that the entries are written in, east of UTC: \"-05:00\""),
        ParameterSpec::duration("sync_period", Duration::seconds(15), "time between two decisions")
            .above(0)};
}

ReplicaSchedule::ReplicaSchedule(const Parameters& parameters, const PolicyContext&)
    : initial_(parameters.integer("replicas")),
      max_(parameters.integer("max_replicas")),
      sync_period_(parameters.duration("sync_period")) {
    const auto complain = [this](std::string pointer, std::string expectation) {
        faults_.push_back({std::move(pointer), std::move(expectation)});
    };
    const auto check_bound = [&](std::string pointer, std::int64_t replicas) {
        if (replicas <= max_) return;
        complain(std::move(pointer),
                 fmt::format("expected at most max_replicas ({}), found {}", max_, replicas));
    };
    const auto& list = parameters.list("schedule");
    if (list.empty()) complain("/schedule", "expected at least one entry, found an empty list");
    for (std::size_t i = 0; i < list.size(); ++i) {
        const Parameters& entry = *std::get<std::shared_ptr<const Parameters>>(list[i].data);
        const std::string pointer = fmt::format("/schedule/{}", i);
        std::string error;
        const auto cron = CronSchedule::parse(entry.text("at"), error);
        if (!cron) {
            complain(pointer + "/at", std::move(error));
        } else if (cron->next_after(0) < 0) {
            complain(pointer + "/at",
                     fmt::format("expected a day that comes, found \"{}\"", entry.text("at")));
        }
        check_bound(pointer + "/replicas", entry.integer("replicas"));
        if (cron) entries_.push_back({entry.text("at"), *cron, entry.integer("replicas")});
    }
    check_bound("/replicas", initial_);
    const auto offset = parse_offset(parameters.text("timezone_offset"));
    if (!offset) {
        complain("/timezone_offset",
                 fmt::format("expected an offset such as \"+01:00\" or \"-05:30\", found \"{}\"",
                             parameters.text("timezone_offset")));
    }
    offset_s_ = offset.value_or(0);
}

control::ScalingDecision ReplicaSchedule::decide(const control::ScalingView& view) {
    if (!view.start_unix_s) return no_calendar_decision(view);
    const std::int64_t local =
        *view.start_unix_s + offset_s_ + floor_divide(view.now.ps(), Duration::kPerSecond);
    const Entry* holds = nullptr;
    std::int64_t since = -1;
    for (const Entry& entry : entries_) {
        const std::int64_t last = entry.cron.last_at_or_before(local);
        if (last == -1 || (holds != nullptr && last < since)) continue;
        holds = &entry;
        since = last;
    }
    const std::int64_t wanted = holds != nullptr ? holds->replicas : initial_;
    control::ScalingDecision decision;
    decision.wanted = wanted;
    decision.desired = std::min(wanted, max_);
    decision.outcome = decision.desired != wanted ? control::ScalingOutcome::limited
                       : decision.desired != view.spec_replicas
                           ? control::ScalingOutcome::scaled
                           : control::ScalingOutcome::unchanged;
    decision.reason = holds == nullptr ? fmt::format("{} replicas: no entry has come yet", wanted)
                                       : fmt::format("{} replicas since {} (\"{}\")", wanted,
                                                     civil_text(since), holds->at);
    decision.inputs = fmt::format("it is {}", civil_text(local));
    return decision;
}

REGISTER_POLICY(ScalingPolicy, ReplicaSchedule, "schedule",
                "replicas by the time of day, from cron expressions");

}  // namespace headroom::policies
