#include "policies/scaling/keda/keda_triggers.hpp"

#include <fmt/format.h>

#include <iterator>
#include <memory>
#include <utility>

#include "policies/scaling/invalid_decision.hpp"
#include "sim/control/metric_names.hpp"
#include "sim/core/ascii.hpp"

namespace headroom::policies {

namespace {

using control::MetricShape;
using control::ScalingView;

ParameterSpec threshold_spec(std::string help) {
    return ParameterSpec::quantity("threshold", 10'000, "m", std::move(help)).above(0);
}

ParameterSpec activation_spec() {
    return ParameterSpec::quantity("activation_threshold", 0, "m",
                                   "the trigger is active above this value");
}

ParameterSpec metric_type_spec() {
    return ParameterSpec::choice("metric_type", {"AverageValue", "Value"}, "AverageValue",
                                 "whether the threshold is per replica or for the whole");
}

std::vector<ParameterSpec> alternatives() {
    return {
        ParameterSpec::object(
            "metric",
            {ParameterSpec::text("name", "", "metric of the service, or of pods: their sum")
                 .required(),
             threshold_spec("value of the metric that one replica is for").required(),
             activation_spec(), metric_type_spec(),
             ParameterSpec::boolean("live", false,
                                    "asked of its source at each look, past the metrics pipeline"),
             ParameterSpec::boolean("ignore_null_values", true,
                                    "no value counts as 0; false: it is an error")},
            "a metric of the simulation"),
        ParameterSpec::object(
            "cron",
            {ParameterSpec::text("timezone", "UTC", "offset from UTC: \"UTC\", \"+02:00\""),
             ParameterSpec::text("start", "", "cron expression of five fields").required(),
             ParameterSpec::text("end", "", "cron expression of five fields").required(),
             control::replica_count("desired_replicas", 1, "replicas between start and end")
                 .required()},
            "replicas by the time of day"),
        ParameterSpec::object(
            "queue",
            {ParameterSpec::choice("count", {"unfinished", "waiting"}, "unfinished",
                                   "requests of the service that have not ended, or that wait at "
                                   "the gateway or in an instance"),
             threshold_spec("requests that one replica is for"), activation_spec(),
             metric_type_spec()},
            "the requests that the service has to do"),
    };
}

/// One or two digits from the front of `text`.
std::optional<std::int64_t> take_digits(std::string_view& text) {
    std::size_t count = 0;
    std::int64_t value = 0;
    while (count < 2 && count < text.size() && is_digit(text[count])) {
        value = value * 10 + (text[count] - '0');
        ++count;
    }
    if (count == 0) return std::nullopt;
    text.remove_prefix(count);
    return value;
}

}  // namespace

std::optional<std::int64_t> parse_utc_offset(std::string_view text) {
    if (text == "Z") return 0;
    if (text.substr(0, 3) == "UTC" || text.substr(0, 3) == "GMT") {
        text.remove_prefix(3);
        if (text.empty()) return 0;
    }
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const std::int64_t sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    const auto hours = take_digits(text);
    if (!hours || *hours > 14) return std::nullopt;
    std::int64_t minutes = 0;
    if (!text.empty()) {
        if (text[0] == ':') text.remove_prefix(1);
        const std::size_t digits = text.size();
        const auto given = take_digits(text);
        if (digits != 2 || !given || !text.empty() || *given > 59) return std::nullopt;
        minutes = *given;
    }
    return sign * (*hours * 3600 + minutes * 60);
}

ParameterSpec KedaTriggers::spec() {
    ParameterSpec list = ParameterSpec::list(
        "triggers", ParameterSpec::tagged("trigger", "type", alternatives(), "", "one trigger"),
        "what is scaled by; the largest proposal decides, one active trigger is enough");
    const std::vector<ParameterSpec> kinds = alternatives();
    Parameters queue = Parameters::defaults(kinds.back().fields);
    queue.set("type", {kinds.back().name});
    list.default_value = {std::make_shared<const ParameterValue::List>(
        ParameterValue::List{{std::make_shared<const Parameters>(std::move(queue))}})};
    return list;
}

KedaTriggers::KedaTriggers(const ParameterValue::List& list) {
    if (list.empty()) faults_.push_back({"/triggers", "expected at least one trigger, found none"});
    for (const ParameterValue& value : list) {
        const Parameters& parameters = *std::get<std::shared_ptr<const Parameters>>(value.data);
        const std::string pointer = fmt::format("/triggers/{}", triggers_.size());
        const std::string& type = parameters.text("type");
        triggers_.emplace_back();
        triggers_.back().name = type;
        triggers_.back().first_metric = metrics_.size();
        if (type == "metric") add_metric(parameters, pointer);
        if (type == "queue") add_queue(parameters, pointer);
        if (type == "cron") add_cron(parameters, pointer);
        Trigger& trigger = triggers_.back();
        trigger.metric_count = metrics_.size() - trigger.first_metric;
        if (type == "cron") continue;
        trigger.threshold_milli = parameters.integer("threshold");
        trigger.activation_milli = parameters.integer("activation_threshold");
        if (parameters.text("metric_type") == "Value") trigger.target_type = KedaTargetType::value;
    }
    readings_.resize(triggers_.size());
}

void KedaTriggers::request(std::string name, bool live, std::string pointer) {
    metrics_.push_back({.kind = control::MetricKind::external,
                        .name = std::move(name),
                        .container = {},
                        .live = live,
                        .pointer = std::move(pointer)});
}

void KedaTriggers::add_metric(const Parameters& parameters, const std::string& pointer) {
    Trigger& trigger = triggers_.back();
    trigger.name = parameters.text("name");
    trigger.null_is_zero = parameters.boolean("ignore_null_values");
    const bool live = parameters.boolean("live");
    request(trigger.name, live, pointer + "/name");
    const control::MetricInfo* info = control::find_metric(trigger.name);
    if (live && info != nullptr && info->shape != MetricShape::gauge &&
        info->shape != MetricShape::counter) {
        faults_.push_back({pointer + "/live",
                           fmt::format("expected false: {} needs a window of the metrics pipeline",
                                       trigger.name)});
    }
}

void KedaTriggers::add_queue(const Parameters& parameters, const std::string& pointer) {
    if (parameters.text("count") == "unfinished") {
        request("service_in_flight", true, pointer);
        return;
    }
    request("gateway_queue", true, pointer);
    request("requests_waiting", true, pointer);
}

std::optional<CronSchedule> KedaTriggers::parse_schedule(const Parameters& parameters,
                                                         const char* field,
                                                         const std::string& pointer) {
    const std::string& text = parameters.text(field);
    std::string error;
    auto schedule = CronSchedule::parse(text, error);
    const std::string place = fmt::format("{}/{}", pointer, field);
    if (!schedule) {
        faults_.push_back({place, fmt::format("{} (in \"{}\")", error, text)});
    } else if (schedule->next_after(0) < 0) {
        faults_.push_back({place, fmt::format("expected a time that comes, found \"{}\"", text)});
        schedule.reset();
    }
    return schedule;
}

void KedaTriggers::add_cron(const Parameters& parameters, const std::string& pointer) {
    Cron cron;
    const std::string& zone = parameters.text("timezone");
    const auto offset = parse_utc_offset(zone);
    if (!offset) {
        faults_.push_back(
            {pointer + "/timezone",
             fmt::format("expected \"UTC\" or an offset from it (\"+02:00\"), found \"{}\"",
                         zone)});
    }
    cron.offset_s = offset.value_or(0);
    cron.start = parse_schedule(parameters, "start", pointer);
    cron.end = parse_schedule(parameters, "end", pointer);
    if (cron.start && parameters.text("start") == parameters.text("end")) {
        faults_.push_back({pointer + "/end", "expected another time than start"});
    }
    cron.desired_milli = parameters.integer("desired_replicas") * 1000;
    triggers_.back().cron = cron;
    crons_.push_back(pointer);
}

void KedaTriggers::read_cron(const Cron& cron, const ScalingView& view, KedaReading& out) {
    if (!view.start_unix_s) {
        out.error = kNoCalendar;
        return;
    }
    if (!cron.start || !cron.end) {
        out.error = "cron without a schedule";
        return;
    }
    const std::int64_t local =
        *view.start_unix_s + view.now.since_start() / Duration::seconds(1) + cron.offset_s;
    // Both lie ahead: between the two the end comes first.
    out.active = cron.end->next_after(local) <= cron.start->next_after(local);
    out.value_milli = out.active ? cron.desired_milli : 1000;
}

const std::vector<KedaReading>& KedaTriggers::read(const ScalingView& view) {
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        const Trigger& trigger = triggers_[i];
        KedaReading& reading = readings_[i];
        reading.active = false;
        reading.value_milli = 0;
        reading.error.clear();
        if (trigger.cron) {
            read_cron(*trigger.cron, view, reading);
            continue;
        }
        const std::size_t end = trigger.first_metric + trigger.metric_count;
        for (std::size_t m = trigger.first_metric; m < end; ++m) {
            const bool there = m < view.metrics.size() && view.metrics[m].available &&
                               !view.metrics[m].values_milli.empty();
            if (there) {
                for (const std::int64_t part : view.metrics[m].values_milli) {
                    reading.value_milli += part;
                }
            } else if (!trigger.null_is_zero) {
                const bool told = m < view.metrics.size() && !view.metrics[m].error.empty();
                reading.error =
                    fmt::format("{}: {}", trigger.name, told ? view.metrics[m].error : "no value");
            }
        }
        reading.active = reading.error.empty() && reading.value_milli > trigger.activation_milli;
    }
    return readings_;
}

std::string KedaTriggers::describe() const {
    fmt::memory_buffer text;
    const auto out = std::back_inserter(text);
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        const Trigger& trigger = triggers_[i];
        const KedaReading& reading = readings_[i];
        if (i > 0) fmt::format_to(out, ", ");
        if (!reading.error.empty()) {
            fmt::format_to(out, "{} failed ({})", trigger.name, reading.error);
            continue;
        }
        const double value = static_cast<double>(reading.value_milli) / 1000.0;
        if (trigger.cron) {
            fmt::format_to(out, "cron {:g} ({})", value, reading.active ? "active" : "inactive");
        } else {
            fmt::format_to(out, "{} {:g} (active above {:g})", trigger.name, value,
                           static_cast<double>(trigger.activation_milli) / 1000.0);
        }
    }
    return fmt::to_string(text);
}

}  // namespace headroom::policies
