#include "scenarios/rule_test.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "scenarios/build.hpp"
#include "scenarios/check.hpp"
#include "scenarios/metric_paths.hpp"
#include "scenarios/quantities.hpp"
#include "sim/control/scaling_policy.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::scenarios {

namespace {

using control::MetricInfo;
using control::MetricScope;

constexpr std::int64_t kMostSteps = 10'000'000;
constexpr std::size_t kMostValues = 10'000'000;  // of all series of a file

/// In thousandths; what would not fit is the most that does.
std::int64_t milli_of(std::int64_t bytes) {
    return std::min(bytes, std::numeric_limits<std::int64_t>::max() / 1000) * 1000;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::size_t at = 0;
    while ((at = text.find_first_not_of(" \t", at)) != std::string_view::npos) {
        const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
        words.emplace_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

/// Which rule is tested, on which workload.
class RuleBuilder {
  public:
    RuleBuilder(BuildContext& context, const Parameters& top, const std::string& path,
                const LoadOptions& options)
        : context_(context), top_(top), path_(path), options_(options) {}

    /// False where nothing can be said about the tests.
    bool build(RuleTest& test) {
        test.name =
            top_.given("name") ? top_.text("name") : std::filesystem::path(path_).stem().string();
        test.description = top_.text("description");
        test.workload = "rule";
        const bool in_file = context_.written("/autoscaling");
        const bool in_scenario = context_.written("/scenario");
        if (in_file == in_scenario) {
            context_.complain("", std::string("expected ") + (in_file ? "one of " : "") +
                                      "\"scenario\", whose rule is tested, or \"autoscaling\", "
                                      "the rule itself" +
                                      (in_file ? ", found both" : ""));
            return false;
        }
        if (in_file && context_.written("/service")) {
            context_.complain("/service", "expected no service without a scenario");
        }
        const bool good = in_file ? take_from_file(test) : take_from_scenario(test);
        set_pod(test);
        set_start(test);
        return good;
    }
    /// The scenario's, where the rule is one of a scenario.
    [[nodiscard]] std::optional<std::int64_t> replicas() const { return replicas_; }

  private:
    bool take_from_file(RuleTest& test) {
        auto autoscaler = build_autoscaler(context_, "", top_, "autoscaling");
        if (!autoscaler || !context_.clean("/autoscaling")) return false;
        test.autoscaler = std::move(*autoscaler);
        return true;
    }

    bool take_from_scenario(RuleTest& test) {
        if (!top_.given("scenario")) return false;
        const auto file = (std::filesystem::path(path_).parent_path() / top_.text("scenario"))
                              .lexically_normal()
                              .string();
        std::error_code error;
        if (!std::filesystem::is_regular_file(file, error)) {
            context_.complain("/scenario",
                              "expected the path of a scenario file, relative to this one; there "
                              "is no " +
                                  file);
            return false;
        }
        LoadResult loaded = load_scenario(file, options_);
        if (!loaded.scenario) {
            context_.complain("/scenario", "expected a scenario without mistakes; " + file +
                                               " has " + std::to_string(loaded.diagnostics.size()));
            for (Diagnostic& diagnostic : loaded.diagnostics) {
                context_.diagnostics.push_back(std::move(diagnostic));
            }
            return false;
        }
        const auto* workload = find_workload(*loaded.scenario);
        if (workload == nullptr) return false;
        test.autoscaler = *workload->autoscaler;
        test.workload = workload->name;
        test.seed = loaded.scenario->spec.seed;
        test.start_unix_s = loaded.scenario->start_unix_s;
        const auto& requests = workload->pod.requests;
        if (requests.cpu.count() > 0) test.cpu_milli = requests.cpu.count();
        if (requests.memory.count() > 0) test.memory_milli = milli_of(requests.memory.count());
        replicas_ = workload->replicas;
        return true;
    }

    const control::WorkloadSpec* find_workload(const Scenario& scenario) {
        std::vector<std::string> scaled;
        const control::WorkloadSpec* found = nullptr;
        for (const control::WorkloadSpec& workload : scenario.spec.control.workloads) {
            if (!workload.autoscaler) continue;
            const std::string& service = scenario.spec.services[workload.service].name;
            if (!scaled.empty() && scaled.back() == service) continue;  // a further version
            scaled.push_back(service);
            if (!top_.given("service") || top_.text("service") == service) found = &workload;
        }
        if (top_.given("service")) {
            if (found == nullptr) {
                context_.unknown_name("/service", "a service of the scenario with autoscaling",
                                      top_.text("service"), scaled);
            }
            return found;
        }
        if (scaled.size() == 1) return found;
        std::string list;
        for (const std::string& name : scaled) list += (list.empty() ? "" : ", ") + name;
        context_.complain(
            "/scenario", scaled.empty() ? "expected a scenario of a service with autoscaling"
                                        : "expected the key \"service\" beside it: one of " + list);
        return nullptr;
    }

    void set_pod(RuleTest& test) {
        const Parameters& pod = top_.object("pod");
        const Parameters& requests = pod.object("requests");
        if (requests.given("cpu")) test.cpu_milli = requests.integer("cpu");
        if (requests.given("memory")) test.memory_milli = milli_of(requests.integer("memory"));
        test.pending_time = pod.duration("pending_time");
        test.start_time = pod.duration("start_time");
        if (test.pending_time > test.start_time) {
            context_.complain(
                "/pod/pending_time",
                fmt::format("expected at most start_time ({}), found {}",
                            format_duration(test.start_time), format_duration(test.pending_time)));
        }
    }

    void set_start(RuleTest& test) {
        if (!top_.given("start")) return;
        const Parsed<std::int64_t> start = parse_utc(top_.text("start"));
        if (!start) {
            context_.complain("/start", start.expected + ", found \"" + top_.text("start") + "\"");
        }
        test.start_unix_s = start.value;
    }

    BuildContext& context_;
    const Parameters& top_;
    const std::string& path_;
    const LoadOptions& options_;
    std::optional<std::int64_t> replicas_;
};

/// The key of a series: "cpu", "cpu in total", "cpu of pod 2".
bool parse_series_key(const std::string& key, RuleSeries& out, std::string& error) {
    const std::vector<std::string> words = words_of(key);
    const bool total = words.size() == 3 && words[1] == "in" && words[2] == "total";
    const bool one = words.size() == 4 && words[1] == "of" && words[2] == "pod";
    if (one) {
        const std::string& number = words[3];
        const char* end = number.data() + number.size();
        const auto parsed = std::from_chars(number.data(), end, out.pod);
        if (parsed.ec != std::errc{} || parsed.ptr != end || out.pod >= 100'000) {
            error = "expected the number of a pod, counted from 0, found \"" + number + "\"";
            return false;
        }
    }
    if (words.size() != 1 && !total && !one) {
        error = "expected \"metric\", \"metric in total\" or \"metric of pod 0\", found \"" + key +
                "\"";
        return false;
    }
    out.of = total ? RuleSeries::Of::total
             : one ? RuleSeries::Of::one_pod
                   : RuleSeries::Of::each_pod;
    const MetricInfo* info = control::find_metric(words.front());
    if (info == nullptr) {
        std::vector<std::string> names;
        for (const MetricInfo& candidate : control::all_metrics()) {
            names.emplace_back(candidate.name);
        }
        error = "expected a metric, found \"" + words.front() + "\"" +
                did_you_mean(nearest_name(words.front(), names));
        return false;
    }
    out.metric = *info;
    if (info->scope == MetricScope::service && (total || one)) {
        error = "expected \"" + words.front() + "\" alone: it is of the service, not of its pods";
        return false;
    }
    return true;
}

/// The tests of a file, once its rule is known.
class CaseBuilder {
  public:
    CaseBuilder(BuildContext& context, const Parameters& top, const control::AutoscalerSpec& rule,
                std::int64_t replicas)
        : context_(context),
          top_(top),
          rule_(rule),
          policy_(make_policy<control::ScalingPolicy>(rule.policy, PolicyContext{})),
          replicas_(replicas) {}

    RuleCase build(const std::string& name, const Parameters& test) {
        const std::string pointer = join_pointer("/tests", name);
        RuleCase out;
        out.name = name;
        out.description = test.text("description");
        out.where = context_.document.where(pointer);
        out.replicas = test.given("replicas") ? test.integer("replicas") : replicas_;
        out.interval =
            test.given("interval") ? test.duration("interval") : top_.duration("interval");
        out.end = Time::zero();
        build_series(join_pointer(pointer, "series"), test.object("series"), out);
        if (test.given("expect")) {
            build_expectations(join_pointer(pointer, "expect"), test.object("expect"), out);
        }
        check_length(pointer, out);
        return out;
    }

  private:
    void build_series(const std::string& pointer, const Parameters& map, RuleCase& out) {
        for (const auto& [key, value] : map.values()) {
            const std::string at = join_pointer(pointer, key);
            RuleSeries series;
            std::string error;
            if (!parse_series_key(key, series, error)) {
                context_.complain(at, std::move(error));
                continue;
            }
            check_use(at, series, out);
            auto samples = parse_series(std::get<std::string>(value.data), error);
            if (!samples) {
                context_.complain(at, std::move(error));
                continue;
            }
            if (!has_room(at, samples->size())) continue;
            series.samples = std::move(*samples);
            const Int128 last = static_cast<Int128>(series.samples.size() - 1) * out.interval.ps();
            const Int128 most = Time::horizon_limit().ps();
            out.end = std::max(
                out.end, Time::picoseconds(static_cast<std::int64_t>(std::min(last, most + 1))));
            out.series.push_back(std::move(series));
        }
        if (!context_.clean(pointer)) return;
        for (const control::MetricRequest& request : policy_->metrics()) {
            const bool seen = std::any_of(
                out.series.begin(), out.series.end(),
                [&](const RuleSeries& series) { return series.metric.name == request.name; });
            if (seen) continue;
            context_.complain(pointer, fmt::format("expected a series \"{}\", which {} looks at",
                                                   request.name, rule_.policy.name));
        }
    }

    /// A few characters stand for a million values: there must not be many such series.
    bool has_room(const std::string& at, std::size_t values) {
        const bool told = values_ > kMostValues;
        values_ += values;
        if (values_ <= kMostValues) return true;
        if (!told) {
            context_.complain(at,
                              "expected at most 10,000,000 values in all series of the file "
                              "together, found more");
        }
        return false;
    }

    /// Whether the policy looks at it, and whether it goes with the series there already are.
    void check_use(const std::string& at, const RuleSeries& series, const RuleCase& out) {
        std::vector<std::string> looked_at = {"gateway_queue"};
        for (const auto& request : policy_->metrics()) looked_at.push_back(request.name);
        const std::string name(series.metric.name);
        if (std::find(looked_at.begin(), looked_at.end(), name) == looked_at.end()) {
            std::string list;
            for (std::size_t i = 1; i < looked_at.size(); ++i) {
                list += (i > 1 ? ", " : "") + looked_at[i];
            }
            context_.complain(at,
                              fmt::format("expected a metric that {} looks at ({}), found "
                                          "\"{}\"",
                                          rule_.policy.name, list.empty() ? "none" : list, name));
        }
        for (const RuleSeries& other : out.series) {
            const bool mixes =
                (other.of == RuleSeries::Of::total) != (series.of == RuleSeries::Of::total);
            if (other.metric.name != series.metric.name || !mixes) continue;
            context_.complain(at,
                              "expected \"" + name + "\" either in total or of pods, found both");
            return;
        }
    }

    void build_expectations(const std::string& pointer, const Parameters& map, RuleCase& out) {
        for (const auto& [subject, value] : map.values()) {
            const std::string at = join_pointer(pointer, subject);
            RuleExpectation expectation;
            expectation.where = context_.document.where(at);
            std::string error;
            if (!parse(subject, std::get<std::string>(value.data), expectation, error)) {
                context_.complain(at, std::move(error));
                continue;
            }
            out.end = std::max(
                out.end, expectation.condition ? expectation.condition->to : expectation.reason_at);
            out.expectations.push_back(std::move(expectation));
        }
        if (map.values().empty() && context_.clean(pointer)) {
            context_.complain(pointer, "expected a condition such as \"replicas at 5m\": \"== 8\"");
        }
    }

    static bool parse(const std::string& subject, const std::string& condition,
                      RuleExpectation& out, std::string& error) {
        const std::vector<std::string> words = words_of(subject);
        const std::string head = words.empty() ? "" : words.front();
        if (head == "reason") return parse_reason(words, condition, out, error);
        const bool timed = words.size() > 1;
        std::vector<std::string> names = series_metric_paths({});
        if (!timed) {
            const auto& numbers = rule_metric_paths();
            names.insert(names.end(), numbers.begin(), numbers.end());
        }
        if (std::find(names.begin(), names.end(), head) == names.end()) {
            names.emplace_back("reason");
            const std::string near = nearest_name(head, names);
            error = std::string(
                        "expected \"replicas at 5m\", \"desired_replicas at 5m\", "
                        "\"reason at 5m\"") +
                    (timed ? "" : " or a number such as \"scale_events.reversals\"") +
                    ", found \"" + subject + "\"" + did_you_mean(near);
            return false;
        }
        bool in_condition = false;
        out.condition = parse_expectation(subject, condition, {}, error, in_condition);
        if (!out.condition) return false;
        out.text = out.condition->text;
        return true;
    }

    static bool parse_reason(const std::vector<std::string>& words, const std::string& part,
                             RuleExpectation& out, std::string& error) {
        if (words.size() != 3 || words[1] != "at") {
            error = "expected \"reason at 5m\", with the words that it shall hold";
            return false;
        }
        const Parsed<Duration> time = parse_duration(words[2]);
        if (!time) {
            error = time.expected + ", found \"" + words[2] + "\"";
            return false;
        }
        if (part.find_first_not_of(" \t") == std::string::npos) {
            error = "expected words of the reason, such as \"stabilization\", found none";
            return false;
        }
        out.reason_at = Time::zero() + *time.value;
        out.reason_words = part;
        out.text = "reason at " + words[2] + ": " + part;
        return true;
    }

    void check_length(const std::string& pointer, const RuleCase& out) {
        if (out.end > Time::horizon_limit()) {
            context_.complain(pointer, "expected a test of at most 100 days");
            return;
        }
        Duration step = std::min(policy_->period(), out.interval);
        if (policy_->observes_every() > Duration::zero()) {
            step = std::min(step, policy_->observes_every());
        }
        if ((out.end - Time::zero()) / step > kMostSteps) {
            context_.complain(pointer,
                              "expected a test of at most 10,000,000 steps of the "
                              "autoscaler or its series");
        }
    }

    BuildContext& context_;
    const Parameters& top_;
    const control::AutoscalerSpec& rule_;
    std::unique_ptr<control::ScalingPolicy> policy_;
    std::int64_t replicas_;
    std::size_t values_ = 0;  ///< of the series so far
};

std::int64_t first_replicas(const Parameters& top, const control::AutoscalerSpec& rule,
                            std::optional<std::int64_t> of_scenario) {
    if (top.given("replicas")) return top.integer("replicas");
    if (of_scenario) return *of_scenario;
    for (const char* name : {"min_replicas", "replicas"}) {
        if (rule.policy.parameters.given(name)) return rule.policy.parameters.integer(name);
    }
    return 1;
}

}  // namespace

const std::vector<std::string>& rule_metric_paths() {
    static const std::vector<std::string> paths = {
        "replicas.final",    "replicas.max",           "replicas.mean",  "replicas.min",
        "scale_events.down", "scale_events.reversals", "scale_events.up"};
    return paths;
}

bool is_rule_test(const LocatedJson& document) {
    return document.value().is_object() && document.value().contains("tests");
}

RuleTestResult load_rule_test(const std::string& path, const LoadOptions& options) {
    RuleTestResult result;
    Diagnostics& diagnostics = result.diagnostics;
    const std::optional<LocatedJson> document = read_json_file(path, diagnostics);
    if (!document) return result;
    const Parameters top = check_document(*document, rule_test_format(), diagnostics);
    if (!document->value().is_object()) return result;

    RuleTest test;
    std::vector<std::string> warnings;
    const Catalogue none{};  // a rule names nothing of the catalogue
    BuildContext context{*document, none, diagnostics, warnings};
    context.has_calendar = top.given("start");
    RuleBuilder rule(context, top, path, options);
    if (rule.build(test) && top.given("tests")) {
        const std::int64_t replicas = first_replicas(top, test.autoscaler, rule.replicas());
        CaseBuilder cases(context, top, test.autoscaler, replicas);
        for (const auto& [name, value] : top.object("tests").values()) {
            test.cases.push_back(cases.build(name, object_of(value)));
        }
        if (test.cases.empty() && context.clean("/tests")) {
            context.complain("/tests", "expected a test");
        }
    }
    sort_diagnostics(diagnostics);
    if (diagnostics.empty()) result.test = std::move(test);
    return result;
}

}  // namespace headroom::scenarios
