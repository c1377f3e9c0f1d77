#include "analysis/cli/progress_bar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "analysis/cli/console.hpp"
#include "analysis/cli/traces_of.hpp"
#include "analysis/report/units.hpp"
#include "analysis/results/run_info.hpp"

namespace headroom::analysis {

namespace {

/// Seconds that counting a trace's requests may hold up a run that shows a progress bar.
constexpr double kCountingPatienceS = 1.0;

ProgressGoal progress_goal(const scenarios::Scenario& scenario) {
    ProgressGoal goal;
    if (!scenario.spec.drain) {
        goal.horizon = scenario.spec.end;
    } else {
        goal.count_requests = [&scenario] {
            return count_trace_requests(scenario, kCountingPatienceS);
        };
    }
    return goal;
}

}  // namespace

std::string progress_line(std::optional<double> fraction, Time now, std::optional<Time> horizon,
                          std::int64_t arrived, double elapsed_s, std::size_t width) {
    std::string line;
    if (fraction) line = bar_text(*fraction);
    line += clock_text(now.to_seconds());
    line += horizon ? " of " + clock_text(horizon->to_seconds()) : " simulated";
    if (arrived > 0) line += ", " + rate_text(static_cast<double>(arrived)) + " requests";
    if (fraction && *fraction > 0.01) {
        const double left_s = elapsed_s / *fraction * (1 - std::min(*fraction, 1.0));
        line += fmt::format(", {:.0f} s left", left_s);
    }
    return fit_line(std::move(line), width);
}

ProgressBar::ProgressBar(ProgressGoal goal)
    : goal_(std::move(goal)), start_s_(Stopwatch::now().wall_s) {}

void ProgressBar::update(Time now, std::int64_t arrived) {
    if (!line_.due()) return;
    const double elapsed_s = Stopwatch::now().wall_s - start_s_;
    if (!counted_ && goal_.count_requests) requests_ = goal_.count_requests();
    counted_ = true;
    std::optional<double> fraction;
    if (goal_.horizon && *goal_.horizon > Time::zero()) {
        fraction = now.to_seconds() / goal_.horizon->to_seconds();
    } else if (requests_ && *requests_ > 0 && arrived > 0) {  // 0: the runner does not say
        fraction = static_cast<double>(arrived) / static_cast<double>(*requests_);
    }
    line_.show(progress_line(fraction, now, goal_.horizon, arrived, elapsed_s, error_columns()));
}

SimulationResult simulate_with_bar(const scenarios::Scenario& scenario, RunOptions options,
                                   bool shown) {
    std::optional<ProgressBar> bar;
    if (shown && error_is_terminal()) {
        bar.emplace(progress_goal(scenario));
        options.progress = [&bar, also = std::move(options.progress)](Time now,
                                                                      std::int64_t arrived) {
            bar->update(now, arrived);
            if (also) also(now, arrived);
        };
    }
    return Simulation(scenario.spec).run(options);
}

}  // namespace headroom::analysis
