/// CronSchedule: when a cron expression of five fields comes true, by calendar arithmetic.
///
///     minute 0-59 | hour 0-23 | day of month 1-31 | month 1-12 or jan-dec | day of week 0-7 or
///     sun-sat; 0 and 7 are Sunday, and so is "sun" at the end of a range ("fri-sun")
///
/// A field is a list of `*`, `?` (the same), `5`, `1-5`, `*/15`, `10-40/10`, or `5/15`, which runs
/// to the field's end. Names are read in any case. Instead of five fields: @hourly, @daily,
/// @midnight, @weekly, @monthly, @yearly, @annually. When both day fields are restricted, a day
/// that either of them names is one (crontab(5)); `*/2` restricts, `*` and `*/1` do not. So far as
/// github.com/robfig/cron v3 (ParseStandard), which Kubernetes' CronJob and KEDA use.
///
/// Times are Unix seconds; fields are read in UTC. A caller in another zone adds its offset before
/// and takes it off after: `next_after(now + offset) - offset`. Both queries step over months, at
/// most 97 of them, each O(1). Beyond +-10^15 s there is no calendar: -1.
///
///     std::string error;
///     const auto cron = CronSchedule::parse("0 8 * * mon-fri", error);
///     if (!cron) ... error: "hour: expected a value in 0..23, found \"24\"" ...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headroom::policies {

class CronSchedule {
  public:
    /// nullopt: `error` names each field that is wrong and what was expected there.
    static std::optional<CronSchedule> parse(std::string_view five_fields, std::string& error);

    /// The first time strictly after; -1: none within 8 years.
    [[nodiscard]] std::int64_t next_after(std::int64_t unix_s) const;
    /// The last time at or before; -1: none within 8 years.
    [[nodiscard]] std::int64_t last_at_or_before(std::int64_t unix_s) const;

  private:
    CronSchedule() = default;

    /// Days of a month that match: bit d stands for day d, bits 1 to 31.
    [[nodiscard]] std::uint64_t days_of(std::int64_t year, int month) const;
    /// The first minute of a day at or after `minute`, the last one at or before it; -1: none.
    [[nodiscard]] int minute_from(int minute) const;
    [[nodiscard]] int minute_until(int minute) const;

    // Bit v stands for value v.
    std::uint64_t minutes_ = 0;
    std::uint64_t hours_ = 0;
    std::uint64_t days_of_month_ = 0;
    std::uint64_t months_ = 0;
    std::uint64_t days_of_week_ = 0;  ///< 0 to 6
    bool any_day_of_month_ = false;
    bool any_day_of_week_ = false;
};

}  // namespace headroom::policies
