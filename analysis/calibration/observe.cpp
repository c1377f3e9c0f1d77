#include "analysis/calibration/observe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "analysis/calibration/observe_replay.hpp"
#include "analysis/calibration/observe_search.hpp"
#include "analysis/calibration/observe_start.hpp"
#include "sim/core/math.hpp"

namespace headroom::analysis {

namespace {

using serving::LinearCoefficients;

/// Share of the logged mean below which a request's error counts relative to that.
constexpr double kFloor = 0.1;
/// Of TTFTs, by arrival and by prompt length each.
constexpr std::size_t kGroups = 12;
constexpr double kTailWeight = 0.5;
constexpr double kRequestWeight = 2.0;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The quantile of sorted values, linear between the two nearest.
double quantile(const std::vector<double>& sorted, double q) {
    const double at = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    if (below + 1 >= sorted.size()) return sorted.back();
    return sorted[below] + (at - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

double relative(double simulated, double logged) {
    return logged > 0 ? (simulated - logged) / logged : 0.0;
}

double mean_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

/// One figure of some requests, simulated and logged, in the same order.
struct Samples {
    std::vector<double> simulated;
    std::vector<double> logged;

    void add(double s, double l) {
        simulated.push_back(s);
        logged.push_back(l);
    }
    /// Each request's error relative to what was logged, or to the floor.
    [[nodiscard]] std::vector<double> residuals() const {
        const double floor = kFloor * mean_of(logged);
        std::vector<double> out;
        for (std::size_t i = 0; i < logged.size(); ++i) {
            const double base = std::max(logged[i], floor);
            out.push_back(base > 0 ? (simulated[i] - logged[i]) / base : 0.0);
        }
        return out;
    }
};

struct Comparison {
    Samples ttft;
    Samples tpot;
    Samples e2e;
    std::vector<std::int64_t> prompts;  ///< of the requests in ttft
};

/// The requests that are `part` in `fitted`.
Comparison compare(const std::vector<serving::RequestRow>& rows, const EngineLog& log,
                   const std::vector<bool>& fitted, bool part) {
    Comparison out;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (fitted[i] != part) continue;
        const LoggedRequest& logged = log.requests[i];
        const serving::RequestRow& row = rows[i];
        out.ttft.add((row.first_token - row.arrival).to_seconds(), logged.ttft().to_seconds());
        out.prompts.push_back(logged.prompt_tokens);
        out.e2e.add((row.finish - row.arrival).to_seconds(), logged.e2e().to_seconds());
        if (logged.output_tokens < 2) continue;
        const auto gaps = static_cast<double>(logged.output_tokens - 1);
        out.tpot.add((row.finish - row.first_token).to_seconds() / gaps,
                     (logged.finish - logged.first_token).to_seconds() / gaps);
    }
    return out;
}

MetricErrors errors_of(Samples samples) {
    MetricErrors errors;
    errors.mean = relative(mean_of(samples.simulated), mean_of(samples.logged));
    std::vector<double> each = samples.residuals();
    for (double& residual : each) residual = std::fabs(residual);
    errors.per_request = mean_of(each);
    std::sort(samples.simulated.begin(), samples.simulated.end());
    std::sort(samples.logged.begin(), samples.logged.end());
    const auto at = [&](double q) {
        return relative(quantile(samples.simulated, q), quantile(samples.logged, q));
    };
    errors.p50 = at(0.5);
    errors.p99 = at(0.99);
    return errors;
}

PartErrors errors_of(const Comparison& comparison) {
    return {comparison.ttft.logged.size(), errors_of(comparison.ttft), errors_of(comparison.tpot),
            errors_of(comparison.e2e)};
}

/// The TTFT of groups of requests, in the order given: each group's mean stands for all its
/// members.
void add_groups(const Samples& ttft, const std::vector<std::size_t>& order, Samples& out) {
    const std::size_t groups = std::min<std::size_t>(kGroups, order.size());
    for (std::size_t g = 0; g < groups; ++g) {
        const std::size_t from = g * order.size() / groups;
        const std::size_t to = (g + 1) * order.size() / groups;
        double simulated = 0;
        double logged = 0;
        for (std::size_t i = from; i < to; ++i) {
            simulated += ttft.simulated[order[i]];
            logged += ttft.logged[order[i]];
        }
        const auto count = static_cast<double>(to - from);
        out.add(simulated / count, logged / count);
    }
}

/// Groups of neighbours by arrival and groups of neighbours by prompt length.
Samples grouped_ttft(const Comparison& comparison) {
    std::vector<std::size_t> order(comparison.prompts.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    Samples groups;
    add_groups(comparison.ttft, order, groups);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return comparison.prompts[a] < comparison.prompts[b];
    });
    add_groups(comparison.ttft, order, groups);
    return groups;
}

/// Mean of the largest twentieth.
double tail_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t count = values.size() / 20 + 1;
    values.erase(values.begin(), values.end() - static_cast<std::ptrdiff_t>(count));
    return mean_of(values);
}

Scored score_of(const Comparison& comparison) {
    const Samples groups = grouped_ttft(comparison);
    Scored scored;
    const auto add = [&](const Samples& all, const Samples& parts) {
        scored.objective +=
            std::fabs(relative(mean_of(all.simulated), mean_of(all.logged))) +
            kTailWeight * std::fabs(relative(tail_of(all.simulated), tail_of(all.logged)));
        const std::vector<double> residuals = parts.residuals();
        double sum = 0;
        for (const double residual : residuals) sum += std::fabs(residual);
        scored.objective += kRequestWeight * sum / static_cast<double>(residuals.size());
        // As many residuals of each figure, so that groups weigh what their members would.
        const std::size_t times = std::max<std::size_t>(all.logged.size() / residuals.size(), 1);
        for (std::size_t i = 0; i < times; ++i) {
            scored.residuals.insert(scored.residuals.end(), residuals.begin(), residuals.end());
        }
    };
    add(comparison.ttft, groups);
    add(comparison.tpot, comparison.tpot);
    add(comparison.e2e, comparison.e2e);
    return scored;
}

double band_of(const PartErrors& errors) {
    double largest = 0;
    for (const MetricErrors* metric : {&errors.ttft, &errors.tpot, &errors.e2e}) {
        largest = std::max({largest, std::fabs(metric->mean), std::fabs(metric->p99)});
    }
    return std::max(std::ceil(largest * 100), 1.0) / 100;
}

std::vector<bool> fitted_requests(const EngineLog& log, const ObserveOptions& options) {
    std::vector<bool> fitted(log.requests.size());
    const auto first =
        static_cast<std::size_t>(options.fit_part * static_cast<double>(fitted.size()));
    for (std::size_t i = 0; i < fitted.size(); ++i) {
        fitted[i] = options.split == FitSplit::first ? i < first : i % 4 < 2;
    }
    return fitted;
}

/// Why the log cannot be fitted with these settings, as far as that is seen without a run.
std::string refusal(const EngineLog& log, const ObserveOptions& options,
                    const std::vector<bool>& fitted) {
    std::size_t count[2] = {0, 0};
    std::size_t too_long = 0;
    const LoggedRequest* longest = &log.requests.front();
    const auto tokens = [](const LoggedRequest& r) { return r.prompt_tokens + r.output_tokens; };
    for (std::size_t i = 0; i < fitted.size(); ++i) {
        const LoggedRequest& request = log.requests[i];
        const bool decodes = request.output_tokens >= 2 && request.finish > request.first_token;
        if (decodes) ++count[fitted[i] ? 0 : 1];
        if (tokens(request) > options.max_model_len) ++too_long;
        if (tokens(request) > tokens(*longest)) longest = &request;
    }
    if (too_long > 0) {
        return fmt::format(
            "{}:{}: {} tokens of prompt and output (of {} requests too long the "
            "longest); expected at most max_model_len, {}",
            log.file, longest->line, tokens(*longest), too_long, options.max_model_len);
    }
    if (std::min(count[0], count[1]) < kLeastRequests) {
        return fmt::format(
            "{}: {} requests to fit and {} held out have an output of at least two "
            "tokens; expected at least {} of each",
            log.file, count[0], count[1], kLeastRequests);
    }
    return "";
}

/// How many requests the simulated engine did not complete, and why the first; empty when none.
std::string unserved(const std::vector<serving::RequestRow>& rows, const EngineLog& log) {
    const auto failed = [](const serving::RequestRow& row) {
        return row.outcome != serving::Outcome::completed;
    };
    const auto first = std::find_if(rows.begin(), rows.end(), failed);
    if (first == rows.end()) return "";
    return fmt::format(
        "{}:{}: the simulated engine does not complete this request ({}, {}) and {} "
        "more; expected the settings of the logged engine",
        log.file, log.requests[static_cast<std::size_t>(first - rows.begin())].line,
        serving::to_string(first->outcome), serving::to_string(first->cause),
        std::count_if(first + 1, rows.end(), failed));
}

/// From the start, in logarithms: a factor of a thousand.
constexpr double kFarthest = 7;
/// How far off what is expected may well be, in logarithms, c0 to c5. Weights and context are bytes
/// over bandwidth; what a token, a sequence and a pair of attention cost depends on what else is in
/// the batch.
constexpr double kBands[] = {0.3, 1, 1, 0.3, 1, 0.3};
/// So many independent things a log says of the coefficients: its requests ran side by side.
constexpr double kStatements = 10;

/// The search's coordinates: the logarithms of the coefficients in seconds, then perhaps the front
/// end's constant, in such parts of a second that it is of order one, and never below 0.
class Coordinates {
  public:
    explicit Coordinates(bool experts) : count_(experts ? 6 : 5) {}

    /// Of the coefficients.
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] LinearCoefficients coefficients(const std::vector<double>& x) const {
        LinearCoefficients c;
        for (std::size_t i = 0; i < count_; ++i) {
            c.*kMembers[i] =
                std::max(Duration::from_seconds(det_exp(x[i])), Duration::picoseconds(1));
        }
        return c;
    }
    [[nodiscard]] Duration front_end(const std::vector<double>& x) const {
        if (x.size() <= count_) return Duration::zero();
        return std::max(Duration::from_seconds(kFrontEndUnit * x[count_]), Duration::zero());
    }
    [[nodiscard]] std::vector<double> of(const LinearCoefficients& c) const {
        std::vector<double> x;
        for (std::size_t i = 0; i < count_; ++i) {
            x.push_back(det_log(std::max(c.*kMembers[i], Duration::picoseconds(1)).to_seconds()));
        }
        return x;
    }

  private:
    static constexpr double kFrontEndUnit = 0.1;
    static constexpr Duration LinearCoefficients::*kMembers[] = {
        &LinearCoefficients::per_iteration,         &LinearCoefficients::per_prefill_token,
        &LinearCoefficients::per_decode_sequence,   &LinearCoefficients::per_context_token,
        &LinearCoefficients::per_prefill_attention, &LinearCoefficients::per_touched_expert};

    std::size_t count_;
};

/// The search: simulations scored on the fitted part.
class Fit {
  public:
    Fit(const EngineLog& log, const ObserveOptions& options)
        : log_(log),
          options_(options),
          fitted_(fitted_requests(log, options)),
          coordinates_(options.moe.has_value()),
          replay_(log, options) {}

    ObserveResult search() {
        error_ = refusal(log_, options_, fitted_);
        if (!error_.empty()) return {std::nullopt, error_};
        ObservedFit fit;
        fit.start = start();
        const int all = options_.simulations - 1;  // the last one is for the held-out part
        start_ = coordinates_.of(fit.start);
        if (options_.expected) {
            belief_.centre = coordinates_.of(*options_.expected);
            belief_.bands.assign(kBands, kBands + coordinates_.count());
            belief_.statements = kStatements;
        }
        start_ = best_start();
        fit.start = coordinates_.coefficients(start_);
        std::vector<double> from = start_;
        if (options_.try_front_end) from.push_back(0.0);
        SearchResult best = search_until(options_.try_front_end ? all * 3 / 4 : all, from);
        // What is refused is refused whatever the coefficients.
        if (std::isinf(best.objective)) return {std::nullopt, error_};
        if (options_.try_front_end) {
            from = best.x;
            from.resize(coordinates_.count());
            SearchResult without = search_until(all, from);
            if (best.objective >= (1 - kFrontEndGain) * without.objective) {
                best = std::move(without);
            }
        }
        return conclude(std::move(fit), best);
    }

  private:
    [[nodiscard]] LinearCoefficients start() const {
        if (options_.start) return *options_.start;
        const CoefficientArray c = start_from_log(log_, fitted_, options_.replicas);
        // Without a term for the experts, reading all of them is a part of the constant.
        const double experts_s = options_.moe ? c[0] * share_of_experts() : 0;
        const double all = options_.moe ? static_cast<double>(options_.moe->experts) : 1;
        return {Duration::from_seconds(c[0] - experts_s),
                Duration::from_seconds(c[1]),
                Duration::from_seconds(c[2]),
                Duration::from_seconds(c[3]),
                Duration::from_seconds(c[4]),
                Duration::from_seconds(experts_s / all)};
    }
    /// Of an iteration's constant, if it reads all of them.
    [[nodiscard]] double share_of_experts() const {
        if (!options_.expected) return 0.5;
        const double each = options_.expected->per_touched_expert.to_seconds();
        const double reads = each * static_cast<double>(options_.moe->experts);
        return reads / (reads + options_.expected->per_iteration.to_seconds());
    }

    /// Where the log alone leads or what is expected, whichever explains the log better.
    std::vector<double> best_start() {
        if (options_.start || belief_.centre.empty()) return start_;
        const auto objective = [this](const std::vector<double>& x) {
            return score(x).objective * belief_.factor(x);
        };
        return objective(belief_.centre) < objective(start_) ? belief_.centre : start_;
    }

    /// Searches until `simulations` have been run in all.
    SearchResult search_until(int simulations, const std::vector<double>& from) {
        return analysis::search([this](const std::vector<double>& x) { return score(x); }, from,
                                std::max(simulations - replay_.runs(), 1), belief_);
    }

    Scored score(const std::vector<double>& x) {
        if (astray(x)) return {kInfinity, {}};
        const auto rows = run(x);
        if (rows.empty()) return {kInfinity, {}};
        return score_of(compare(rows, log_, fitted_, true));
    }

    /// Nothing, with error_ set, when the run was stopped or did not serve every request.
    std::vector<serving::RequestRow> run(const std::vector<double>& x) {
        error_ = "stopped before the fit was done";
        if (stopped()) return {};
        auto rows = replay_.run(coordinates_.coefficients(x), coordinates_.front_end(x));
        if (options_.progress) options_.progress(replay_.runs());
        if (stopped() || rows.empty()) return {};
        error_ = unserved(rows, log_);
        if (!error_.empty()) return {};
        return rows;
    }
    [[nodiscard]] bool stopped() const {
        return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed);
    }
    /// Whether a coefficient has left all bounds: a step of the search, nothing an engine does.
    [[nodiscard]] bool astray(const std::vector<double>& x) const {
        for (std::size_t i = 0; i < coordinates_.count(); ++i) {
            if (!(std::fabs(x[i] - start_[i]) < kFarthest)) return true;
        }
        return false;
    }

    ObserveResult conclude(ObservedFit fit, const SearchResult& best) {
        const auto rows = run(best.x);
        if (rows.empty()) return {std::nullopt, error_};
        fit.coefficients = coordinates_.coefficients(best.x);
        fit.front_end = coordinates_.front_end(best.x);
        fit.simulations = replay_.runs();
        fit.objective = best.objective;
        fit.fitted = errors_of(compare(rows, log_, fitted_, true));
        fit.held_out = errors_of(compare(rows, log_, fitted_, false));
        fit.error_band = band_of(fit.held_out);
        return {std::move(fit), ""};
    }

    const EngineLog& log_;
    const ObserveOptions& options_;
    std::vector<bool> fitted_;
    Coordinates coordinates_;
    LogReplay replay_;
    std::vector<double> start_;
    Belief belief_;
    std::string error_;
};

}  // namespace

ObserveResult observe(const EngineLog& log, const ObserveOptions& options) {
    HEADROOM_CHECK(options.fit_part > 0 && options.fit_part < 1, "a part is held out");
    HEADROOM_CHECK(options.simulations >= kLeastSimulations, "a search takes some simulations");
    return Fit(log, options).search();
}

}  // namespace headroom::analysis
