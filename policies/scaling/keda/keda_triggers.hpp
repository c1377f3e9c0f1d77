/// The triggers of a KEDA ScaledObject or ScaledJob: what is read, what it is worth and whether it
/// is active (its value is above `activation_threshold`).
///
///   metric  any metric of the simulation (control/metric_names.hpp), from the pipeline or live;
///           no value counts as 0 unless ignore_null_values is false, as of KEDA's Prometheus
///           scaler
///   queue   requests of the service that have not ended, or those that wait, live
///   cron    desired_replicas between `start` and `end` at 1 a replica, else 1; active in between
///
///     KedaTriggers triggers(parameters.list("triggers"));
///     for (const KedaReading& reading : triggers.read(view)) ... reading.value_milli ...
///
/// Amounts are milli-units. Times of day are those of a fixed offset from UTC. read is O(triggers *
/// series) and allocates only for errors. A trigger that cannot work is a fault with its pointer,
/// and an error whenever it is read.
/// Source: kedacore/keda pkg/scalers/{cron,prometheus,kafka}_scaler.go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/scaling/cron/cron_schedule.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/parameter.hpp"

namespace headroom::policies {

struct KedaReading {
    bool active = false;
    std::int64_t value_milli = 0;
    std::string error;  ///< empty: none
};

enum class KedaTargetType : std::uint8_t { average_value, value };

class KedaTriggers {
  public:
    /// The parameter "triggers"; by default the queue at 10 a replica, as of KEDA's Kafka scaler.
    [[nodiscard]] static ParameterSpec spec();
    explicit KedaTriggers(const ParameterValue::List& list);

    /// What a policy asks for; its view's first metrics are these.
    [[nodiscard]] const std::vector<control::MetricRequest>& metrics() const { return metrics_; }
    [[nodiscard]] const std::vector<control::ScalingFault>& faults() const { return faults_; }

    [[nodiscard]] std::size_t size() const { return triggers_.size(); }
    [[nodiscard]] const std::string& name(std::size_t i) const { return triggers_[i].name; }
    [[nodiscard]] KedaTargetType target_type(std::size_t i) const {
        return triggers_[i].target_type;
    }
    /// Value that one replica is for.
    [[nodiscard]] std::int64_t threshold_milli(std::size_t i) const {
        return triggers_[i].threshold_milli;
    }

    /// Its cron triggers, as ScalingPolicy::needs_calendar() says.
    [[nodiscard]] const std::vector<std::string>& needs_calendar() const { return crons_; }
    /// There is a cron trigger and nothing to tell it the time.
    [[nodiscard]] bool lacks_calendar(const control::ScalingView& view) const {
        return !crons_.empty() && !view.start_unix_s;
    }

    /// One reading per trigger, valid until the next call.
    const std::vector<KedaReading>& read(const control::ScalingView& view);
    /// What the last read() saw: "queue 12 (active above 0), cron 1 (inactive)".
    [[nodiscard]] std::string describe() const;

  private:
    struct Cron {
        std::optional<CronSchedule> start;
        std::optional<CronSchedule> end;
        std::int64_t offset_s = 0;
        std::int64_t desired_milli = 0;
    };
    struct Trigger {
        std::string name;
        KedaTargetType target_type = KedaTargetType::average_value;
        std::int64_t threshold_milli = 1000;
        std::int64_t activation_milli = 0;
        std::size_t first_metric = 0;
        std::size_t metric_count = 0;
        bool null_is_zero = true;
        std::optional<Cron> cron;
    };

    void add_metric(const Parameters& parameters, const std::string& pointer);
    void add_queue(const Parameters& parameters, const std::string& pointer);
    void add_cron(const Parameters& parameters, const std::string& pointer);
    [[nodiscard]] std::optional<CronSchedule> parse_schedule(const Parameters& parameters,
                                                             const char* field,
                                                             const std::string& pointer);
    void request(std::string name, bool live, std::string pointer);
    static void read_cron(const Cron& cron, const control::ScalingView& view, KedaReading& out);

    std::vector<Trigger> triggers_;
    std::vector<control::MetricRequest> metrics_;
    std::vector<control::ScalingFault> faults_;
    std::vector<KedaReading> readings_;
    std::vector<std::string> crons_;  ///< pointers
};

/// Seconds east of UTC of "UTC", "Z", "+02:00", "-0530" or "UTC+2"; nullopt for anything else.
[[nodiscard]] std::optional<std::int64_t> parse_utc_offset(std::string_view text);

}  // namespace headroom::policies
