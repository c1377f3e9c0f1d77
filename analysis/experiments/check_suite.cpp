#include "analysis/experiments/check_suite.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <utility>

#include "analysis/experiments/parallel_for.hpp"
#include "analysis/experiments/rule_run.hpp"
#include "analysis/results/run_info.hpp"
#include "analysis/results/summary.hpp"
#include "analysis/results/summary_metrics.hpp"
#include "analysis/results/text_file.hpp"
#include "scenarios/merge.hpp"
#include "scenarios/rule_test.hpp"
#include "sim/simulation.hpp"

namespace headroom::analysis {

namespace {

namespace fs = std::filesystem;
using scenarios::Diagnostic;
using scenarios::Diagnostics;
using scenarios::Location;
using scenarios::RuleTest;
using scenarios::Scenario;

/// One file on its way from loading to its verdict.
struct Work {
    Check check;
    std::optional<Scenario> scenario;
    std::optional<RuleTest> rule;
    std::string baseline_path;  ///< where to store a baseline; empty: none
    std::string baseline_text;
    bool interrupted = false;
};

void add_error(Check& check, const std::string& name, Diagnostics diagnostics) {
    check.cases.push_back({name, CheckStatus::error, {}, std::move(diagnostics)});
}

Diagnostic message_at(const std::string& path, int line, std::string text) {
    return {{path, line, 0}, "", std::move(text)};
}

/// Where the scenario says what is expected; its first line where an option said so.
Location place_of(const std::string& path, const std::string& expectation) {
    Diagnostics ignored;
    const auto document = scenarios::load_with_extends(path, ignored);
    if (document && document->value().is_object() && document->value().contains("expect")) {
        for (const auto& [subject, condition] : document->value().at("expect").items()) {
            if (!condition.is_string()) continue;
            if (subject + " " + condition.get<std::string>() != expectation) continue;
            Location where = document->where(scenarios::join_pointer("/expect", subject));
            where.column = 0;
            return where;
        }
    }
    return {path, 1, 0};
}

class Suite {
  public:
    Suite(CheckFiles files, const SuiteOptions& options)
        : options_(options), left_out_(std::move(files.left_out)) {
        for (CheckFile& file : files.files) {
            Work& work = work_.emplace_back();
            work.check.path = file.path;
            work.check.name = fs::path(file.path).stem().string();
            work.check.kind = file.kind;
            if (file.kind == CheckFile::Kind::unreadable) {
                add_error(work.check, "read", std::move(file.diagnostics));
            }
        }
    }

    SuiteResult run() {
        bool whole = for_each([this](Work& work) { load(work); });
        refuse_shared_names();
        whole = for_each([this](Work& work) {
                    carry_out(work);
                    report_progress();
                }) &&
                whole;
        SuiteResult result;
        result.left_out = std::move(left_out_);
        for (Work& work : work_) {
            result.interrupted = result.interrupted || work.interrupted;
            result.checks.push_back(std::move(work.check));
        }
        result.interrupted = result.interrupted || !whole;
        if (!result.interrupted) store_baselines();
        return result;
    }

  private:
    bool for_each(const std::function<void(Work&)>& step) {
        return parallel_for(
            work_.size(), options_.jobs,
            [&](std::size_t i) {
                const double before = Stopwatch::now().wall_s;
                step(work_[i]);
                work_[i].check.wall_s += Stopwatch::now().wall_s - before;
            },
            options_.stop);
    }

    void report_progress() {
        if (!options_.progress) return;
        const std::lock_guard<std::mutex> lock(mutex_);
        options_.progress(++done_, work_.size());
    }

    void load(Work& work) {
        scenarios::LoadOptions load;
        load.sets = options_.sets;
        load.catalogue = options_.catalogue;
        Check& check = work.check;
        if (check.kind == CheckFile::Kind::scenario) {
            auto loaded = scenarios::load_scenario(check.path, load);
            work.scenario = std::move(loaded.scenario);
            if (!work.scenario) return add_error(check, "load", std::move(loaded.diagnostics));
            check.name = work.scenario->name;
            check.warnings = work.scenario->warnings;
        } else if (check.kind == CheckFile::Kind::rule_test) {
            auto loaded = scenarios::load_rule_test(check.path, load);
            work.rule = std::move(loaded.test);
            if (!work.rule) return add_error(check, "load", std::move(loaded.diagnostics));
            check.name = work.rule->name;
        }
    }

    /// Baselines and reports know a scenario by its name.
    void refuse_shared_names() {
        std::map<std::string, std::string> first;
        for (Work& work : work_) {
            if (!work.scenario) continue;
            const auto [it, inserted] =
                first.emplace(baseline_file_name(work.scenario->name), work.check.path);
            if (inserted) continue;
            add_error(work.check, "name",
                      {message_at(work.check.path, 1,
                                  "expected a name of its own, found \"" + work.scenario->name +
                                      "\", as in " + it->second)});
            work.scenario.reset();
        }
    }

    void carry_out(Work& work) {
        try {
            if (work.scenario) run_scenario(work);
            if (work.rule) run_rule_test(work);
        } catch (const std::bad_alloc&) {
            add_error(work.check, "run", {message_at(work.check.path, 0, "out of memory")});
        } catch (const std::exception& problem) {
            add_error(work.check, "run", {message_at(work.check.path, 0, problem.what())});
        }
        work.scenario.reset();
        work.rule.reset();
    }

    void run_scenario(Work& work) {
        const Scenario& scenario = *work.scenario;
        Check& check = work.check;
        RunOptions run;
        run.stop = options_.stop;
        const SimulationResult result = Simulation(scenario.spec).run(run);
        if (result.status == RunStatus::interrupted) {
            work.interrupted = true;
            return;
        }
        if (result.status == RunStatus::bad_input) {
            return add_error(check, "run", {message_at(check.path, 0, result.error)});
        }
        auto summary = build_summary(scenario, result);
        const auto verdicts = check_expectations(scenario, result, summary);
        for (std::size_t i = 0; i < verdicts.size(); ++i) {
            const std::string& text = scenario.expectations[i].text;
            CheckCase one{.name = text};
            if (!verdicts[i].held) {
                one.status = CheckStatus::failed;
                one.messages.push_back({place_of(check.path, text), "", verdicts[i].message});
            }
            check.cases.push_back(std::move(one));
        }
        if (options_.baseline) {
            check_baseline(work, baseline_of(scenario, summary));
        } else if (check.cases.empty()) {
            check_nothing(check);
        }
    }

    void check_nothing(Check& check) const {
        if (options_.allow_empty) {
            check.cases.push_back({.name = kRunsToItsEnd});
            return;
        }
        check.cases.push_back(
            {"expect",
             CheckStatus::failed,
             {},
             {message_at(check.path, 1,
                         "nothing is checked: expected \"expect\" or a baseline (--allow-empty "
                         "lets it pass)")}});
    }

    void check_baseline(Work& work, Baseline now) const {
        const std::string path =
            (fs::path(*options_.baseline) / baseline_file_name(now.scenario)).string();
        std::error_code error;
        CheckCase one{.name = kBaseline};
        Diagnostics diagnostics;
        std::optional<Baseline> stored;
        const bool exists = fs::exists(path, error);
        if (exists) stored = read_baseline(path, diagnostics);
        if (exists &&
            !stored) {  // also when it shall be replaced: its tolerances are people's work
            return add_error(work.check, one.name, std::move(diagnostics));
        }
        if (options_.update_baseline) {
            if (stored) now.tolerances = stored->tolerances;
            work.baseline_path = path;
            work.baseline_text = baseline_text(now);
        } else if (!exists) {
            one.status = CheckStatus::failed;
            one.messages.push_back(
                message_at(path, 0,
                           "expected a baseline of " + now.scenario +
                               ", found none: record it with --update-baseline"));
        } else {
            compare(*stored, now, path, one);
        }
        work.check.cases.push_back(std::move(one));
    }

    void compare(const Baseline& stored, const Baseline& now, const std::string& path,
                 CheckCase& one) const {
        BaselineComparison comparison = compare_with_baseline(stored, now, options_.tolerances);
        if (!comparison.refusal.empty()) {
            one.status = CheckStatus::error;
            one.messages.push_back(message_at(path, 1, std::move(comparison.refusal)));
            return;
        }
        if (comparison.differences.empty()) return;
        one.status = CheckStatus::failed;
        if (stored.scenario_hash != now.scenario_hash) {
            one.messages.push_back(
                message_at(path, 1, "the scenario is not the one that was recorded"));
        }
        for (auto& [line, text] : comparison.differences) {
            one.messages.push_back(message_at(path, line, std::move(text)));
        }
    }

    void run_rule_test(Work& work) const {
        const RuleTest& test = *work.rule;
        for (const scenarios::RuleCase& rule_case : test.cases) {
            const RuleRun run = run_rule(test, rule_case, options_.stop);
            if (run.interrupted) {
                work.interrupted = true;
                return;
            }
            CheckCase one{.name = rule_case.name, .description = rule_case.description};
            for (RuleVerdict& verdict : judge(test, rule_case, run)) {
                if (verdict.held) continue;
                one.status = CheckStatus::failed;
                verdict.where.column = 0;
                one.messages.push_back({verdict.where, "", std::move(verdict.message)});
            }
            work.check.cases.push_back(std::move(one));
        }
    }

    void store_baselines() {
        FileReplacements files;
        for (const Work& work : work_) {
            if (work.baseline_path.empty()) continue;
            std::error_code error;
            fs::create_directories(*options_.baseline, error);
            if (error) {
                throw WriteError("cannot make the folder " + *options_.baseline + ": " +
                                 error.message());
            }
            files.add(work.baseline_path, work.baseline_text);
        }
        files.commit();
    }

    const SuiteOptions& options_;
    std::vector<LeftOut> left_out_;
    std::vector<Work> work_;
    std::mutex mutex_;
    std::size_t done_ = 0;
};

}  // namespace

CheckStatus Check::status() const {
    CheckStatus worst = CheckStatus::passed;
    for (const CheckCase& one : cases) worst = std::max(worst, one.status);
    return worst;
}

std::size_t Check::count(CheckStatus status) const {
    return static_cast<std::size_t>(
        std::count_if(cases.begin(), cases.end(),
                      [status](const CheckCase& one) { return one.status == status; }));
}

std::size_t SuiteResult::count(CheckStatus status) const {
    return static_cast<std::size_t>(
        std::count_if(checks.begin(), checks.end(),
                      [status](const Check& check) { return check.status() == status; }));
}

CheckStatus SuiteResult::worst() const {
    CheckStatus worst = CheckStatus::passed;
    for (const Check& check : checks) worst = std::max(worst, check.status());
    return worst;
}

SuiteResult run_suite(CheckFiles files, const SuiteOptions& options) {
    return Suite(std::move(files), options).run();
}

}  // namespace headroom::analysis
