#include "analysis/experiments/baseline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "analysis/experiments/metric_traits.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/file_name.hpp"
#include "analysis/results/version.hpp"
#include "scenarios/located_json.hpp"
#include "scenarios/metric_paths.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::analysis {

namespace {

using nlohmann::json;
using Json = nlohmann::ordered_json;
using scenarios::Diagnostics;
using scenarios::LocatedJson;

constexpr double kRelative = 0.01;  // of numbers that are not whole, where nobody says otherwise
constexpr double kLargestCount = 9007199254740992.0;  // 2^53: all below are exact

bool begins(std::string_view metric, std::string_view name) {
    if (metric.substr(0, name.size()) != name) return false;
    return name.empty() || metric.size() == name.size() || metric[name.size()] == '.';
}

/// Whether metrics have this name or begin so; which ones a service has is the same for all.
bool is_known(const std::string& name) {
    if (name.empty() || name == "services") return true;
    constexpr std::string_view kServices = "services.";
    std::string_view path = name;
    if (path.substr(0, kServices.size()) == kServices) {
        const std::size_t dot = path.find('.', kServices.size());
        if (dot == std::string_view::npos) return true;
        path = path.substr(dot + 1);
    }
    const auto known = [path](const std::vector<std::string>& metrics) {
        return std::any_of(metrics.begin(), metrics.end(),
                           [path](const std::string& metric) { return begins(metric, path); });
    };
    return known(scenarios::service_metric_paths()) || known(scenarios::run_metric_paths());
}

std::optional<double> parse_amount(std::string_view text) {
    if (text == "any") return std::numeric_limits<double>::infinity();
    if (text.empty() || text.back() != '%') return std::nullopt;
    text.remove_suffix(1);
    double percent = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, percent);
    const bool good = parsed.ec == std::errc{} && parsed.ptr == end;
    if (!good || !(percent >= 0) || !std::isfinite(percent)) return std::nullopt;
    return percent / 100;
}

std::string number_text(const MetricValue& value, int digits) {
    if (!value.number) return "no data";
    if (value.whole) return fmt::format("{}", static_cast<std::int64_t>(*value.number));
    return fmt::format("{:.{}g}", *value.number, digits);
}

/// "0.41 -> 0.62": three digits, or all before the point, or as many as tell the two apart.
std::string both_texts(const MetricValue& before, const MetricValue& now) {
    constexpr int kFewest = 3;
    constexpr int kAll = std::numeric_limits<double>::max_digits10;
    int digits = kFewest;
    for (const MetricValue* value : {&before, &now}) {
        const double size = std::fabs(value->number.value_or(0));
        if (size >= 1) digits = std::max(digits, static_cast<int>(std::log10(size)) + 1);
    }
    digits = std::min(digits, kAll);
    while (digits < kAll && number_text(before, digits) == number_text(now, digits)) ++digits;
    return number_text(before, digits) + " -> " + number_text(now, digits);
}

/// "+51 %, worse; allowed 1 %".
std::string describe_change(const std::string& metric, const MetricValue& before,
                            const MetricValue& now, double allowed) {
    std::string text;
    if (before.number && now.number) {
        const double change = *now.number - *before.number;
        if (*before.number != 0) {
            const double relative = change / std::fabs(*before.number);
            text = (relative > 0 ? "+" : "-") + percent_text(std::fabs(relative));
        }
        const Better better = better_when(metric);
        if (better != Better::neither) {
            const bool good = (change < 0) == (better == Better::lower);
            text += std::string(text.empty() ? "" : ", ") + (good ? "better" : "worse");
        }
    }
    if (!text.empty()) text += "; ";
    return text + (allowed == 0 ? "allowed none" : "allowed " + percent_text(allowed));
}

bool within(const MetricValue& before, const MetricValue& now, double allowed) {
    if (std::isinf(allowed) || before.number == now.number) return true;
    if (!before.number || !now.number) return false;
    return std::fabs(*now.number - *before.number) <= allowed * std::fabs(*before.number);
}

/// The number at a dotted path of an object of the summary.
MetricValue value_at(const Json& part, std::string path) {
    std::replace(path.begin(), path.end(), '.', '/');
    const Json::json_pointer pointer("/" + path);
    if (!part.contains(pointer)) return {};
    const Json& value = part.at(pointer);
    if (value.is_boolean()) return {value.get<bool>() ? 1.0 : 0.0, true};
    if (!value.is_number()) return {};
    return {value.get<double>(), value.is_number_integer()};
}

Json written(const MetricValue& value) {
    if (!value.number) return nullptr;
    if (value.whole) return static_cast<std::int64_t>(*value.number);
    return *value.number;
}

/// Reads the fields of a baseline file and says what is wrong with them.
class BaselineReader {
  public:
    BaselineReader(const LocatedJson& document, Diagnostics& diagnostics)
        : document_(document), diagnostics_(diagnostics) {}

    std::optional<Baseline> read() {
        const std::size_t before = diagnostics_.size();
        if (!document_.value().is_object() || !document_.value().contains("metrics")) {
            complain("", "expected a baseline, as --update-baseline writes it");
            return std::nullopt;
        }
        Baseline out;
        out.version = text("version");
        out.scenario = text("scenario");
        out.scenario_hash = text("scenario_hash");
        out.digest = text("digest");
        const auto seed = document_.value().find("seed");
        if (seed != document_.value().end() && seed->is_number_integer() &&
            seed->get<std::int64_t>() >= 0) {
            out.seed = seed->get<std::uint64_t>();
        } else {
            complain("/seed", "expected a whole number >= 0");
        }
        read_tolerances(out);
        read_metrics(out);
        if (diagnostics_.size() > before) return std::nullopt;
        return out;
    }

  private:
    void complain(const std::string& pointer, std::string message) {
        diagnostics_.push_back({document_.where(pointer), pointer, std::move(message)});
    }
    std::string text(const std::string& key) {
        const auto found = document_.value().find(key);
        if (found != document_.value().end() && found->is_string()) {
            return found->get<std::string>();
        }
        complain("/" + key, "expected the key \"" + key + "\": a string");
        return "";
    }
    void read_tolerances(Baseline& out) {
        const auto found = document_.value().find("tolerances");
        if (found == document_.value().end()) return;
        if (!found->is_object()) return complain("/tolerances", "expected an object");
        for (const auto& [name, value] : found->items()) {
            const std::string pointer = scenarios::join_pointer("/tolerances", name);
            const std::string amount = value.is_string() ? value.get<std::string>() : value.dump();
            if (const auto problem = out.tolerances.add(name, amount)) complain(pointer, *problem);
        }
    }
    void read_metrics(Baseline& out) {
        const json& metrics = document_.value().at("metrics");
        if (!metrics.is_object()) return complain("/metrics", "expected an object");
        for (const auto& [name, value] : metrics.items()) {
            const std::string pointer = scenarios::join_pointer("/metrics", name);
            if (!value.is_number() && !value.is_null()) {
                complain(pointer, "expected a number or null");
                continue;
            }
            MetricValue& metric = out.metrics[name];
            // A larger one is written without a point, but is no count.
            const bool whole =
                value.is_number_integer() && std::fabs(value.get<double>()) <= kLargestCount;
            if (value.is_number()) metric = {value.get<double>(), whole};
            out.lines[name] = document_.where(pointer).line;
        }
    }

    const LocatedJson& document_;
    Diagnostics& diagnostics_;
};

/// Whether the number at the top of the only service, or of all, says the same already.
bool said_at_the_top(const std::string& metric, const Baseline& stored, const Baseline& now) {
    const std::string_view path = path_within_service(metric);
    if (path.size() == metric.size()) return false;
    const auto before = stored.metrics.find(path);
    const auto after = now.metrics.find(path);
    return before != stored.metrics.end() && after != now.metrics.end() &&
           before->second == stored.metrics.at(metric) && after->second == now.metrics.at(metric);
}

}  // namespace

std::optional<std::string> Tolerances::add(const std::string& metric, std::string_view amount) {
    if (!is_known(metric)) {
        std::vector<std::string> names = scenarios::service_metric_paths();
        for (const std::string& name : scenarios::service_metric_paths()) {
            for (std::size_t dot = name.find('.'); dot != std::string::npos;
                 dot = name.find('.', dot + 1)) {
                names.push_back(name.substr(0, dot));
            }
        }
        return fmt::format(
            "expected a metric or the beginning of some, such as \"latency\", "
            "found \"{}\"{}",
            metric, scenarios::did_you_mean(nearest_name(metric, names)));
    }
    const std::optional<double> relative = parse_amount(amount);
    if (!relative) {
        return fmt::format("expected a tolerance such as \"5%\", or \"any\", found \"{}\"", amount);
    }
    by_name_[metric] = {*relative, std::string(amount)};
    return std::nullopt;
}

std::optional<std::string> Tolerances::add(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return add(std::string(), text);
    return add(std::string(text.substr(0, equals)), text.substr(equals + 1));
}

std::optional<double> Tolerances::of(std::string_view metric) const {
    const std::string_view path = path_within_service(metric);
    const Amount* best = nullptr;
    std::size_t longest = 0;
    for (const auto& [name, amount] : by_name_) {
        if (!begins(metric, name) && !begins(path, name)) continue;
        if (best != nullptr && name.size() < longest) continue;
        best = &amount;
        longest = name.size();
    }
    if (best == nullptr) return std::nullopt;
    return best->relative;
}

std::vector<std::pair<std::string, std::string>> Tolerances::written() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [name, amount] : by_name_) out.emplace_back(name, amount.text);
    return out;
}

Baseline baseline_of(const scenarios::Scenario& scenario, const Json& summary) {
    Baseline out;
    out.version = summary.at("version").get<std::string>();
    out.scenario = scenario.name;
    out.scenario_hash = scenario.hash;
    out.seed = scenario.spec.seed;
    out.digest = summary.at("digest").get<std::string>();
    out.metrics["simulated_s"] = value_at(summary, "simulated_s");
    for (const std::string& path : scenarios::service_metric_paths()) {
        out.metrics[path] = value_at(summary, path);
        for (const auto& [name, service] : summary.at("services").items()) {
            out.metrics["services." + name + "." + path] = value_at(service, path);
        }
    }
    return out;
}

std::string baseline_file_name(const std::string& scenario) {
    return file_name_of(scenario) + ".json";
}

std::string baseline_text(const Baseline& baseline) {
    Json out;
    out["version"] = baseline.version;
    out["scenario"] = baseline.scenario;
    out["scenario_hash"] = baseline.scenario_hash;
    out["seed"] = baseline.seed;
    out["digest"] = baseline.digest;
    if (!baseline.tolerances.empty()) out["tolerances"] = Json::object();
    for (const auto& [name, amount] : baseline.tolerances.written()) {
        out["tolerances"][name] = amount;
    }
    out["metrics"] = Json::object();
    for (const auto& [name, value] : baseline.metrics) out["metrics"][name] = written(value);
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<Baseline> read_baseline(const std::string& path, Diagnostics& diagnostics) {
    const std::optional<LocatedJson> document = scenarios::read_json_file(path, diagnostics);
    if (!document) return std::nullopt;
    return BaselineReader(*document, diagnostics).read();
}

BaselineComparison compare_with_baseline(const Baseline& stored, const Baseline& now,
                                         const Tolerances& tolerances) {
    BaselineComparison out;
    const auto refuse = [&](const char* what, const auto& found, const auto& expected) {
        out.refusal = fmt::format(
            "expected a baseline of {} {}, found one of {}: record it again "
            "with --update-baseline",
            what, expected, found);
        return out;
    };
    if (stored.version != now.version) return refuse("version", stored.version, now.version);
    if (stored.scenario != now.scenario) return refuse("scenario", stored.scenario, now.scenario);
    if (stored.seed != now.seed) return refuse("seed", stored.seed, now.seed);
    const bool same_names = std::equal(
        stored.metrics.begin(), stored.metrics.end(), now.metrics.begin(), now.metrics.end(),
        [](const auto& a, const auto& b) { return a.first == b.first; });
    if (!same_names) {
        out.refusal =
            "expected a baseline of the same services and metrics: record it again with "
            "--update-baseline";
        return out;
    }
    for (const auto& [metric, before] : stored.metrics) {
        const MetricValue& after = now.metrics.at(metric);
        double allowed = after.whole ? 0 : kRelative;
        if (const auto amount = stored.tolerances.of(metric)) allowed = *amount;
        if (const auto amount = tolerances.of(metric)) allowed = *amount;
        if (within(before, after, allowed) || said_at_the_top(metric, stored, now)) continue;
        const auto line = stored.lines.find(metric);
        out.differences.emplace_back(line == stored.lines.end() ? 0 : line->second,
                                     fmt::format("{} {} ({})", metric, both_texts(before, after),
                                                 describe_change(metric, before, after, allowed)));
    }
    return out;
}

}  // namespace headroom::analysis
