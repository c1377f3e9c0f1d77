#include "analysis/report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "analysis/report/decisions.hpp"
#include "analysis/report/step_chart.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/replica_series.hpp"

namespace headroom::analysis {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLabelWidth = 12;
constexpr int kChartColumns = 40;

std::optional<double> number(const Json& value) {
    if (!value.is_number()) return std::nullopt;
    return value.get<double>();
}
std::int64_t whole(const Json& value) {
    return value.get<std::int64_t>();
}

/// Takes out columns that say "-" in every row below the headings.
void drop_empty_columns(std::vector<std::vector<std::string>>& rows) {
    for (std::size_t i = rows.front().size(); i-- > 0;) {
        const bool empty = std::all_of(rows.begin() + 1, rows.end(),
                                       [i](const auto& row) { return row[i] == "-"; });
        if (!empty) continue;
        for (auto& row : rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

/// "scaling 3 up, 4 down, 2 reversals (2.00/h), lag mean 48.0 s, max 95.0 s"; empty where nothing
/// scaled.
std::string scaling_text(const Json& events) {
    const std::int64_t ups = whole(events.at("up"));
    const std::int64_t downs = whole(events.at("down"));
    if (ups + downs == 0) return {};
    std::string text = fmt::format("scaling {} up, {} down", ups, downs);
    const std::int64_t reversals = whole(events.at("reversals"));
    if (reversals > 0) {
        text += ", " + plural(reversals, "reversal");
        if (const auto rate = number(events.at("reversals_per_h"))) {
            text += fmt::format(" ({}/h)", significant(*rate));
        }
    }
    const Json& lag = events.at("capacity_lag_s");
    if (const auto mean = number(lag.at("mean"))) {
        text += fmt::format(", lag mean {}, max {}", duration_text(*mean),
                            duration_text(number(lag.at("max")).value_or(*mean)));
    }
    return text;
}

/// "warm pool 2.00 loaded on average, 3 promoted, 1 returned, 4.10 USD"; empty where there is none.
std::string warm_pool_text(const Json& pool, const std::string& currency) {
    const auto loaded = number(pool.at("loaded_mean"));
    if (!loaded) return {};
    std::string text = fmt::format("warm pool {} loaded on average, {} promoted",
                                   significant(*loaded), whole(pool.at("promoted")));
    const std::int64_t returned = whole(pool.at("returned"));
    if (returned > 0) text += fmt::format(", {} returned", returned);
    const double cost = number(pool.at("cost")).value_or(0);
    if (cost > 0) text += ", " + money_text(cost, currency) + " of the cost";
    return text;
}

class Table {
  public:
    Table(const TableInput& input, const TextStyle& style) : in_(input), style_(style) {}

    std::string render() {
        header();
        requests();
        latencies();
        services();
        replicas();
        resources();
        slo();
        starts();
        block(render_decisions(in_.result.control.decisions, style_));
        expectations();
        warnings();
        return std::move(out_);
    }

  private:
    /// One paragraph under a label in the first column.
    void entry(const std::string& label, const std::string& text) {
        const std::string line = pad_right(label, kLabelWidth) + text;
        const std::string wrapped = wrap(line, style_.width, kLabelWidth);
        out_ += ink(wrapped.substr(0, label.size()), Ink::bold, style_) +
                wrapped.substr(label.size()) + "\n";
    }
    void block(const std::string& text) {
        if (!text.empty()) out_ += gap(out_.size()) + text;
    }
    /// A blank line at this place, unless there is one: lines between may have been left out.
    [[nodiscard]] std::string gap(std::size_t at) const {
        return at >= 2 && out_.compare(at - 2, 2, "\n\n") == 0 ? "" : "\n";
    }

    void header();
    void requests();
    void latencies();
    void services();
    void replicas();
    void replica_lines(const std::string& label, std::optional<std::uint32_t> service,
                       const Json& part);
    void resources();
    void slo();
    void starts();
    void expectations();
    void warnings();
    /// A trace that has drained before measure_from leaves no time to measure.
    [[nodiscard]] bool measured_nothing() const {
        return in_.scenario.spec.measure_from > Time::zero() &&
               in_.result.end <= in_.scenario.spec.measure_from;
    }
    void warn(const std::string& text) {
        out_ += ink(wrap("  " + text, style_.width, 4), Ink::yellow, style_) + "\n";
    }

    const TableInput& in_;
    const TextStyle& style_;
    std::string out_;
};

void Table::header() {
    const scenarios::Scenario& scenario = in_.scenario;
    out_ += ink(scenario.name, Ink::bold, style_);
    const std::string about = scenario.description.empty() ? "" : "  " + scenario.description;
    const std::string wrapped = wrap(scenario.name + about, style_.width, 0);
    out_ += wrapped.substr(scenario.name.size()) + "\n";
    std::string line = clock_text(in_.result.end.to_seconds()) + " simulated";
    if (measured_nothing()) {
        line += fmt::format(", which ends before measure_from ({}): nothing was measured",
                            clock_text(scenario.spec.measure_from.to_seconds()));
    } else if (in_.result.measure_from > Time::zero()) {
        line += ", measured from " + clock_text(in_.result.measure_from.to_seconds());
    }
    if (in_.result.services.size() > 1) {
        line += fmt::format(
            "; {} in {}", plural(static_cast<std::int64_t>(in_.result.services.size()), "service"),
            plural(static_cast<std::int64_t>(in_.result.cells.size()), "cell"));
    }
    const std::string identity =
        fmt::format("seed {}, digest {}", scenario.spec.seed, in_.result.digest.hex());
    out_ += ink(line, Ink::dim, style_) + "\n" + ink(identity, Ink::dim, style_) + "\n\n";
}

void Table::requests() {
    const Json& counts = in_.summary.at("requests");
    std::string text = count_text(whole(counts.at("arrived"))) +
                       " arrived: " + count_text(whole(counts.at("completed"))) + " completed";
    for (const char* name : {"failed", "rejected", "timed_out", "in_flight"}) {
        if (whole(counts.at(name)) == 0) continue;
        std::string words = name;
        std::replace(words.begin(), words.end(), '_', ' ');
        text += ", " + count_text(whole(counts.at(name))) + " " + words;
    }
    const std::int64_t preemptions = whole(in_.summary.at("preemptions"));
    if (preemptions > 0) text += "; " + plural(preemptions, "preemption");
    entry("Requests", text);
    std::string causes;
    for (const ServiceResult& service : in_.result.services) {
        for (std::size_t i = 1; i < serving::kCauseCount; ++i) {
            if (service.stats.causes[i] == 0) continue;
            std::string cause(serving::to_string(static_cast<serving::Cause>(i)));
            std::replace(cause.begin(), cause.end(), '_', ' ');
            causes += fmt::format("{}{} {} at {}", causes.empty() ? "" : ", ",
                                  count_text(service.stats.causes[i]), cause, service.name);
        }
    }
    if (!causes.empty()) entry("Causes", causes);

    const Json& rates = in_.summary.at("throughput");
    const auto per_second = number(rates.at("requests_per_s"));
    if (!per_second) return;
    std::string throughput = rate_text(*per_second) + " requests/s";
    if (whole(in_.summary.at("tokens").at("output")) > 0) {
        throughput += fmt::format(", {} prompt and {} output tokens/s",
                                  rate_text(*number(rates.at("prompt_tokens_per_s"))),
                                  rate_text(*number(rates.at("output_tokens_per_s"))));
    }
    entry("Throughput", throughput);
}

void Table::latencies() {
    struct Row {
        const char* name;
        const char* label;
    };
    std::vector<std::vector<std::string>> rows = {
        {"Latency", "p50", "p90", "p95", "p99", "max", "mean"}};
    for (const Row& row : {Row{"ttft_s", "TTFT"}, Row{"tpot_s", "TPOT"}, Row{"itl_s", "ITL"},
                           Row{"e2e_s", "end to end"}, Row{"queue_s", "queueing"}}) {
        const Json& latency = in_.summary.at("latency").at(row.name);
        if (latency.at("mean").is_null()) continue;
        std::vector<std::string> cells = {row.label};
        for (const char* name : {"p50", "p90", "p95", "p99", "max", "mean"}) {
            cells.push_back(in_.result.saturated ? "saturated"
                                                 : duration_text(*number(latency.at(name))));
        }
        rows.push_back(std::move(cells));
    }
    if (rows.size() == 1) return;
    std::string text = columns(rows, 0);
    const std::size_t line = text.find('\n');
    block(ink(text.substr(0, line), Ink::bold, style_) + text.substr(line));
}

void Table::services() {
    if (in_.result.services.size() < 2) return;
    std::vector<std::vector<std::string>> rows = {
        {"Services", "completed", "not", "TTFT p99", "end to end p99", "busy", "SLO", "cost"}};
    for (const auto& service : in_.summary.at("services").items()) {
        const Json& part = service.value();
        const Json& counts = part.at("requests");
        const bool saturated = part.at("saturated").get<bool>();
        const auto latency = [&](const char* which) -> std::string {
            const auto value = number(part.at("latency").at(which).at("p99"));
            if (!value) return "-";
            return saturated ? "saturated" : duration_text(*value);
        };
        const auto percent = [](const Json& value) {
            return number(value) ? percent_text(*number(value)) : std::string("-");
        };
        const std::int64_t not_completed = whole(counts.at("failed")) +
                                           whole(counts.at("rejected")) +
                                           whole(counts.at("timed_out"));
        const double cost = *number(part.at("cost").at("total"));
        rows.push_back({service.key(), count_text(whole(counts.at("completed"))),
                        count_text(not_completed), latency("ttft_s"), latency("e2e_s"),
                        percent(part.at("gpu").at("busy_fraction")),
                        percent(part.at("slo").at("attainment")),
                        cost > 0 ? money_text(cost, in_.scenario.currency) : "-"});
    }
    drop_empty_columns(rows);
    std::string text = columns(rows, 0);
    const std::size_t line = text.find('\n');
    block(ink(text.substr(0, line), Ink::bold, style_) + text.substr(line));
}

void Table::replica_lines(const std::string& label, std::optional<std::uint32_t> service,
                          const Json& part) {
    const ReplicaSeries series = replica_series(in_.result.control, service);
    if (!series.known) return;
    const Time from = Time::zero();
    const Time to = in_.result.end;
    const std::int64_t top =
        std::max(series.ready.max_during(from, to), series.desired.max_during(from, to));
    const Json& numbers = part.at("replicas");
    std::string text;
    const std::int64_t least = whole(numbers.at("min"));
    const std::int64_t most = whole(numbers.at("max"));
    if (least == most) {
        text = fmt::format("{} throughout", least);
    } else {
        text = fmt::format("{} to {}, mean {}, {} at the end", least, most,
                           significant(*number(numbers.at("mean"))), whole(numbers.at("final")));
    }
    const auto chart = [&](const metrics::TimeSeries& line) {
        return step_chart(line, from, to, top, kChartColumns, style_.utf8);
    };
    const std::string ready = chart(series.ready);
    const std::string wanted = chart(series.desired);
    const std::string name = pad_right(label, kLabelWidth - 1) + " ";
    // A line of equal characters says no more than the sentence.
    metrics::TimeSeries constant;
    constant.append(from, top);
    const std::string blank(kLabelWidth, ' ');
    if (ready == wanted && ready == chart(constant)) {
        out_ += wrap(name + text, style_.width, kLabelWidth) + "\n";
    } else {
        out_ += name + "ready  |" + ready + "|\n";
        if (ready != wanted) out_ += blank + "wanted |" + wanted + "|\n";
        out_ += wrap(blank + text, style_.width, kLabelWidth) + "\n";
    }
    const std::string scaling = scaling_text(part.at("scale_events"));
    if (!scaling.empty()) out_ += wrap(blank + scaling, style_.width, kLabelWidth) + "\n";
    const std::string pool = warm_pool_text(part.at("warm_pool"), in_.scenario.currency);
    if (!pool.empty()) out_ += wrap(blank + pool, style_.width, kLabelWidth) + "\n";
}

void Table::replicas() {
    if (in_.result.control.workloads.empty()) return;
    out_ += "\n" + ink("Replicas", Ink::bold, style_) + " over " +
            clock_text(in_.result.end.to_seconds()) + "\n";
    for (std::uint32_t i = 0; i < in_.result.services.size(); ++i) {
        const std::string& name = in_.result.services[i].name;
        replica_lines("  " + name, i, in_.summary.at("services").at(name));
    }
    out_ += "\n";
}

void Table::resources() {
    if (measured_nothing()) return;
    const Json& gpu = in_.summary.at("gpu");
    std::string text;
    if (const double hours = *number(gpu.at("hours")); hours > 0) {
        text = significant(hours) + " GPU hours held; ";
    }
    if (const auto busy = number(gpu.at("busy_fraction"))) {
        text += "engines busy " + percent_text(*busy) + " of the time";
        if (const auto kv = number(gpu.at("kv_fraction"))) {
            text += ", KV cache " + percent_text(*kv) + " full on average";
        }
        entry("Use", text);
    }
    const Json& cost = in_.summary.at("cost");
    const double total = *number(cost.at("total"));
    std::string money;
    if (total > 0) {
        money = money_text(total, in_.scenario.currency) + " for nodes";
        if (const auto each = number(cost.at("per_million_output_tokens"))) {
            money += ", " + money_text(*each, in_.scenario.currency) + " per million output tokens";
        }
    }
    if (const auto energy = number(in_.summary.at("energy_kwh"))) {
        money += (money.empty() ? "" : "; ") + significant(*energy) + " kWh";
    }
    if (!money.empty()) entry("Cost", money);
}

void Table::slo() {
    for (std::uint32_t i = 0; i < in_.scenario.spec.services.size(); ++i) {
        const serving::ServiceSpec& service = in_.scenario.spec.services[i];
        const auto attained =
            number(in_.summary.at("services").at(service.name).at("slo").at("attainment"));
        if (!attained) continue;
        std::string limits;
        const auto add = [&](const char* name, const std::optional<Duration>& limit) {
            if (!limit) return;
            limits += (limits.empty() ? "" : ", ") + std::string(name) + " " +
                      duration_text(limit->to_seconds());
        };
        add("TTFT", service.slo.ttft);
        add("TPOT", service.slo.tpot);
        add("end to end", service.slo.e2e);
        const std::string who = in_.scenario.spec.services.size() > 1 ? service.name + ": " : "";
        entry("SLO", who + percent_text(*attained) + " of requests within " + limits);
    }
}

void Table::starts() {
    const Json& pods = in_.summary.at("pods");
    const Json& start = pods.at("start_s");
    const std::int64_t ready = whole(pods.at("became_ready"));
    double sum = 0;
    std::string parts;
    struct Part {
        const char* name;
        const char* label;
    };
    for (const Part& part :
         {Part{"pending", "waiting for a node"}, Part{"image_pull", "image pull"},
          Part{"container_start", "container start"}, Part{"weights_load", "weights load"},
          Part{"warm_up", "warm-up"}}) {
        const double mean = number(start.at(part.name)).value_or(0);
        if (!(mean > 0)) continue;
        sum += mean;
        parts += (parts.empty() ? "" : ", ") + std::string(part.label) + " " + duration_text(mean);
    }
    if (ready == 0 || !(sum > 0)) return;
    entry("Cold starts", fmt::format("{} became ready, on average after {}: {}",
                                     plural(ready, "pod"), duration_text(sum), parts));
}

void Table::expectations() {
    if (in_.expectations.empty()) return;
    block(ink("Expectations", Ink::bold, style_) + "\n");
    for (const scenarios::ExpectationResult& result : in_.expectations) {
        const std::string mark =
            result.held ? ink("pass", Ink::green, style_) : ink("FAIL", Ink::red, style_);
        out_ += "  " + mark + "  " + wrap(result.message, style_.width - 8, 8) + "\n";
    }
}

void Table::warnings() {
    const std::size_t before = out_.size();
    for (const ServiceResult& service : in_.result.services) {
        if (!service.saturated) continue;
        warn(service.name +
             " is saturated: its backlog grows over the run, so latencies say more "
             "about the length of the run than about the service");
    }
    for (const auto& [name, part] : in_.summary.at("services").items()) {
        const std::int64_t pending = whole(part.at("pods").at("pending"));
        if (pending == 0) continue;
        warn(plural(pending, "pod") + " of " + name + (pending == 1 ? " waits" : " wait") +
             " for a node at the end");
    }
    std::vector<serving::ProfileInfo> told;
    for (const scenarios::ProfileUse& use : in_.scenario.profiles) {
        const bool known = std::any_of(told.begin(), told.end(), [&](const auto& info) {
            return info.name == use.info.name && info.kind == use.info.kind;
        });
        if (known || use.info.kind == "measured" || use.info.kind == "linear") continue;
        told.push_back(use.info);
        const std::string band = use.info.error_band > 0 ? "expect times to be off by up to " +
                                                               percent_text(use.info.error_band)
                                                         : "its error is not known";
        warn(use.info.name + " runs on an " + use.info.kind + " profile: " + band);
    }
    if (out_.size() > before) {
        out_.insert(before, gap(before) + ink("Take care", Ink::bold, style_) + "\n");
    }
}

}  // namespace

std::string render_table(const TableInput& input, const TextStyle& style) {
    return Table(input, style).render();
}

}  // namespace headroom::analysis
