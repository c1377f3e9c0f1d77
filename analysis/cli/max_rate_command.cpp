// headroom max-rate: how many times today's traffic a scenario holds.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/cli/commands.hpp"
#include "analysis/cli/console.hpp"
#include "analysis/cli/exit_code.hpp"
#include "analysis/cli/scenario_options.hpp"
#include "analysis/cli/status_line.hpp"
#include "analysis/cli/stop_signal.hpp"
#include "analysis/experiments/max_rate.hpp"
#include "analysis/experiments/offered_load.hpp"
#include "analysis/report/max_rate_table.hpp"
#include "analysis/report/units.hpp"
#include "scenarios/catalogue/catalogue.hpp"
#include "scenarios/scenario.hpp"

namespace headroom::analysis {

namespace {

constexpr std::uint64_t kMostReplications = 1000;

CommandSpec max_rate_spec() {
    return {
        .name = "max-rate",
        .usage = "SCENARIO.json [OPTION]...",
        .summary = "Finds how many times today's traffic a scenario holds, and what breaks first.",
        .details =
            "Runs the scenario at scales of its traffic, several replications each, and halves in\n"
            "on the highest at which all of `expect` and --expect holds with the stated\n"
            "confidence: that of the mean over the replications; conditions with == and on series\n"
            "must hold in each. The rate of arrivals and of traces is scaled, and the users of\n"
            "closed loops; see `headroom run --rate-scale`. Today's traffic is what sources send\n"
            "at one time, each at its mean rate, where that is the most. Then the same at the\n"
            "pessimistic end of the profile's error band.\n\n"
            "    headroom max-rate quickstart.json --expect 'latency.ttft_s.p99=< 2s'\n\n"
            "Exit 1 when there is no such scale: the scenario never holds, more traffic does not\n"
            "break it, it breaks below where it holds, or beyond some scale a condition has no\n"
            "data.\n",
        .options = {{.name = "expect",
                     .value = "METRIC=COND",
                     .help = "one more condition, as under `expect`: 'latency.e2e_s.p99=< 2s'",
                     .repeatable = true},
                    {.name = "confidence", .value = "P", .help = "default 95%"},
                    {.name = "replications", .value = "N", .help = "at each scale; default 5"},
                    {.name = "precision",
                     .value = "P",
                     .help = "between the scale that holds and the one that does not; default 1%"},
                    {.name = "most", .value = "X", .help = "no higher scale is run; default 100"},
                    set_option(),
                    trace_option(),
                    seed_option("of the first replication"),
                    threads_option("replications at once; default all processors"),
                    output_option(),
                    quiet_option()},
        .least_positional = 1,
        .most_positional = 1,
        .positional_name = "a scenario file"};
}

/// What is asked, besides the scenario.
struct Question {
    SearchGoal goal;
    RateStudyOptions study;
};

Question question_of(const Arguments& given) {
    Question question;
    question.study.threads = threads_of(given);
    if (const auto text = given.value("confidence")) {
        question.study.confidence = real_number("--confidence", *text, 0.51, 0.9999, true);
    }
    if (const auto text = given.value("precision")) {
        question.goal.precision = real_number("--precision", *text, 0.0001, 1, true);
    }
    if (const auto text = given.value("most")) {
        question.goal.most = real_number("--most", *text, 0.001, 1e6);
    }
    if (const auto text = given.value("replications")) {
        question.study.replications =
            static_cast<int>(whole_number("--replications", *text, 2, kMostReplications));
    }
    return question;
}

/// "METRIC=COND" in two. A condition may follow the metric at once: "requests.failed == 0".
std::pair<std::string, std::string> split(const std::string& text) {
    std::size_t at = text.find_first_of("<>=!");
    if (at == std::string::npos) return {text, ""};
    std::size_t condition = at;
    // "=< 2", "=== 2": the first of them separates; "= 2" is a condition that says what is wrong.
    const auto is = [&](std::size_t i, const char* any) {
        return i < text.size() && std::string_view(any).find(text[i]) != std::string_view::npos;
    };
    if (text[at] == '=') {
        const std::size_t next = text.find_first_not_of(' ', at + 1);
        const bool doubled = is(at + 1, "=") && !is(at + 2, "=");
        if (next != std::string::npos && is(next, "<>=!") && !doubled) condition = next;
    }
    while (at > 0 && text[at - 1] == ' ') --at;
    return {text.substr(0, at), text.substr(condition)};
}

std::vector<scenarios::Expectation> expectations_of(const Arguments& given,
                                                    const scenarios::Scenario& scenario,
                                                    scenarios::Diagnostics& diagnostics) {
    std::vector<std::string> services;
    for (const auto& service : scenario.spec.services) services.push_back(service.name);
    std::vector<scenarios::Expectation> out;
    for (const std::string& text : given.values("expect")) {
        const auto [subject, condition] = split(text);
        std::string error;
        bool in_condition = false;
        auto expectation =
            scenarios::parse_expectation(subject, condition, services, error, in_condition);
        if (expectation && expectation->from > scenario.spec.end) {
            diagnostics.push_back(
                {{"--expect " + text, 0, 0}, "", "expected a time before the end of the run"});
        } else if (expectation) {
            out.push_back(std::move(*expectation));
        } else {
            diagnostics.push_back({{"--expect " + text, 0, 0}, "", error});
        }
    }
    return out;
}

int stopped(const MaxRate& answer, const std::string& error) {
    if (answer.status == RunStatus::bad_input) {
        print_note(error);
        return kExitBadInput;
    }
    std::string known;
    if (answer.scale > 0) known = fmt::format("; it holds at {:.6g} times", answer.scale);
    if (answer.broken_at > 0) {
        known += fmt::format("{} {} at {:.6g} times", known.empty() ? "; it" : " and",
                             answer.at(answer.broken_at)->unjudged() ? "has no data" : "breaks",
                             answer.broken_at);
    }
    print_note("interrupted" + known);
    return kExitUnfinished;
}

int exit_code(SearchEnd end) {
    return end == SearchEnd::found || end == SearchEnd::still_holds ? kExitGood
                                                                    : kExitExpectationFailed;
}

/// One search, with its progress.
struct Searched {
    MaxRate answer;
    std::string error;
};

Searched search(const RateStudy::Load& load, const Question& question, bool show) {
    StatusLine status(show);
    RateStudyOptions options = question.study;
    options.progress = [&](double scale, int finished) {
        status.show(fmt::format("{} times today's traffic{}: {} of {}", significant(scale),
                                options.pessimistic ? " at the pessimistic end" : "", finished,
                                plural(options.replications, "run")));
    };
    const RateStudy study(load, options);
    Searched out;
    out.answer = search_max_rate([&](double scale) { return study.measure(scale); }, question.goal);
    out.error = study.error();
    return out;
}

/// With the catalogue.
scenarios::LoadOptions whole_load_options(const Arguments& given,
                                          scenarios::Diagnostics& diagnostics) {
    scenarios::LoadOptions options = load_options(given);
    // Read once: the scenario is loaded anew at every scale.
    options.catalogue = scenarios::Catalogue::load_default(diagnostics);
    return options;
}

/// The scenario as it is today, with the conditions of the command line; nothing, told, if bad.
struct Today {
    std::optional<scenarios::Scenario> scenario;
    std::vector<scenarios::Expectation> extra;
    OfferedLoads loads;
};

Today load_today(const Arguments& given, const scenarios::LoadOptions& options,
                 scenarios::Diagnostics& diagnostics) {
    const std::string& path = given.positional.front();
    scenarios::LoadResult loaded = scenarios::load_scenario(path, options);
    if (!loaded.scenario) {
        print_diagnostics(loaded.diagnostics);
        return {};
    }
    Today today;
    today.extra = expectations_of(given, *loaded.scenario, diagnostics);
    if (!diagnostics.empty()) {
        print_diagnostics(diagnostics);
        return {};
    }
    auto& expectations = loaded.scenario->expectations;
    expectations.insert(expectations.end(), today.extra.begin(), today.extra.end());
    if (expectations.empty()) {
        print_note(path +
                   ": expected something that traffic can break: add \"expect\" to the scenario, "
                   "or --expect 'latency.e2e_s.p99=< 2s'");
        return {};
    }
    today.loads = offered_loads(*loaded.scenario);
    if (!today.loads.error.empty()) {
        print_note(today.loads.error);
        return {};
    }
    today.scenario = std::move(loaded.scenario);
    return today;
}

/// Around the answer, slowed by the error band; nothing where no profile states one.
std::optional<Searched> search_pessimistic(const RateStudy::Load& load, Question question,
                                           const MaxRateReport& report, bool show) {
    const SearchEnd end = report.answer.end;
    if (!(report.error_band > 0) || end == SearchEnd::never_holds ||
        end == SearchEnd::cannot_break) {
        return std::nullopt;
    }
    question.study.pessimistic = true;
    question.goal.probe = false;
    question.goal.step = 1 + report.error_band / 2;
    question.goal.start = report.answer.scale / (1 + report.error_band);
    return search(load, question, show);
}

bool trace_shrinks(const scenarios::Scenario& scenario) {
    return std::any_of(scenario.loads.begin(), scenario.loads.end(), [](const auto& load) {
        return load.kind == scenarios::SourceLoad::Kind::trace;
    });
}

/// Whether the run ends with a trace, and sooner the higher the scale, unlike measure_from.
bool cut_is_fixed(const scenarios::Scenario& scenario) {
    return scenario.spec.drain && scenario.spec.measure_from > Time::zero() &&
           trace_shrinks(scenario);
}

/// What to know before the runs.
void warn(const scenarios::Scenario& scenario) {
    for (const std::string& text : scenario.warnings) print_note("warning: " + text);
    for (const scenarios::Expectation& expectation : scenario.expectations) {
        if (!eased_by_traffic(expectation)) continue;
        print_note("warning: '" + expectation.text +
                   "' holds the better the more traffic there is: it limits no rate");
    }
    if (!cut_is_fixed(scenario)) return;
    print_note(
        fmt::format("warning: take care: measure_from ({}) does not shrink with the trace: "
                    "the higher the scale, the less of the trace is measured",
                    clock_text(scenario.spec.measure_from.to_seconds())));
}

int max_rate(const Arguments& given) {
    const StopSignal stop;
    Question question = question_of(given);
    question.study.stop = &stop.flag();
    const bool show = !given.has("quiet");
    scenarios::Diagnostics diagnostics;
    const scenarios::LoadOptions options = whole_load_options(given, diagnostics);
    const Today today = load_today(given, options, diagnostics);
    if (!today.scenario) return kExitBadInput;
    if (show) warn(*today.scenario);
    const RateStudy::Load load = [&](double scale) {
        scenarios::LoadOptions scaled = options;
        if (scale != 1) scaled.rate_scale = scale;
        scenarios::LoadResult loaded = scenarios::load_scenario(given.positional.front(), scaled);
        if (loaded.scenario) {
            auto& expectations = loaded.scenario->expectations;
            expectations.insert(expectations.end(), today.extra.begin(), today.extra.end());
        }
        return loaded;
    };
    Searched nominal = search(load, question, show);
    if (nominal.answer.end == SearchEnd::stopped) return stopped(nominal.answer, nominal.error);
    MaxRateReport report{*today.scenario,           today.loads.open_rate,
                         today.loads.users,         question.study.replications,
                         question.study.confidence, question.goal.precision,
                         std::move(nominal.answer)};
    report.most = question.goal.most;
    report.trace_shrinks = trace_shrinks(*today.scenario);
    report.cut_is_fixed = cut_is_fixed(*today.scenario);
    scenarios::Scenario slowed = *today.scenario;
    report.error_band = take_pessimistic_end(slowed);
    if (auto slow = search_pessimistic(load, question, report, show)) {
        if (slow->answer.end == SearchEnd::stopped) return stopped(slow->answer, slow->error);
        report.pessimistic = std::move(slow->answer);
    }
    print_out(given.value("output") == "json" ? max_rate_json(report).dump(2) + "\n"
                                              : render_max_rate(report, out_style()));
    return exit_code(report.answer.end);
}

}  // namespace

Command max_rate_command() {
    return {max_rate_spec(), max_rate};
}

}  // namespace headroom::analysis
