// Intervals against what they promise: of many studies of one system whose exact figures are known,
// 95 % cover them. The share of covering studies is binomial itself, and is held to within 2.9 of
// its standard deviations: 93 to 97 % of 1,000 studies.
#include <cmath>
#include <vector>

#include "analysis/statistics/batch_means.hpp"
#include "analysis/statistics/interval.hpp"
#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/mser5.hpp"
#include "analysis/statistics/stopping.hpp"
#include "sim/core/math.hpp"
#include "sim/core/random.hpp"
#include "tests/validation/confidence.hpp"

namespace headroom::tests {
namespace {

using namespace analysis;

constexpr std::size_t kPerStudy = 5;  ///< replications
constexpr double kLowLoad = 0.3;
constexpr double kHighLoad = 0.4;

std::size_t studies() {
    return static_cast<std::size_t>(scaled(1000, 100));
}

/// Counts studies whose interval covers, and how wide they were.
struct Coverage {
    double studies = 0;
    double covering = 0;
    double half_widths = 0;

    void add(const Interval& interval, double exact) {
        studies += 1;
        covering += interval.covers(exact) ? 1 : 0;
        half_widths += interval.half_width;
    }
    [[nodiscard]] double share() const { return covering / studies; }
    [[nodiscard]] double mean_half_width() const { return half_widths / studies; }
    /// 2.9 standard deviations of a share that is `p` in truth; of 95 % in 1,000 studies 2 %.
    [[nodiscard]] double slack(double p) const { return 2.9 * std::sqrt(p * (1 - p) / studies); }
};

void check_share(const char* what, const Coverage& coverage, double low = 0.95,
                 double high = 0.95) {
    INFO(what << ": " << 100 * coverage.share() << " % of " << coverage.studies
              << " intervals cover, mean half-width " << coverage.mean_half_width());
    CHECK(coverage.share() >= low - coverage.slack(low));
    CHECK(coverage.share() <= high + coverage.slack(high));
}

/// Mean waits of M/M/1 with service times of mean `load` at one request a second, without the first
/// 100 s (some tens of relaxation times); replication i under seed 1 + i.
std::vector<double> simulated_waits(double load) {
    std::vector<double> waits(studies() * kPerStudy);
    for (std::size_t i = 0; i < waits.size(); ++i) {
        SimulationSpec spec =
            open_queue(1, 1.0, Distribution::exponential(load), 2000, Duration::seconds(100));
        spec.seed = 1 + i;
        waits[i] = mean_wait(Simulation(spec).run({}).services[0].stats);
    }
    return waits;
}

/// W of M/M/1, s.
double exact_wait(double load) {
    return load * load / (1 - load);
}

struct Waits {
    std::vector<double> low = simulated_waits(kLowLoad);
    std::vector<double> high = simulated_waits(kHighLoad);
};

const Waits& waits() {
    static const Waits both;
    return both;
}

/// The replications of study i, the first of them again after the last.
std::span<const double> study(const std::vector<double>& all, std::size_t i) {
    return std::span(all).subspan(i % studies() * kPerStudy, kPerStudy);
}

/// Waits of consecutive customers of M/M/1 (mean service 1) by Lindley's recursion, W' = max(0, W +
/// S - A), after one who waits `first`.
std::vector<double> lindley_waits(double load, double first, std::size_t customers,
                                  const RandomStream& stream) {
    const Distribution service = Distribution::exponential(1.0);
    const Distribution gap = Distribution::exponential(1 / load);
    std::vector<double> waits;
    double wait = first;
    for (std::size_t i = 0; i < customers; ++i) {
        waits.push_back(wait);
        wait += service.quantile(stream.uniform(i, 0)) - gap.quantile(stream.uniform(i, 1));
        wait = std::max(0.0, wait);
    }
    return waits;
}

/// A wait of the steady state: none with probability 1 - load, else exponential.
double steady_wait(double load, double u) {
    return u < 1 - load ? 0.0
                        : Distribution::exponential(1 / (1 - load)).quantile((u - 1 + load) / load);
}

/// What the variance of the mean of n consecutive waits comes to, times n, for large n (M/M/1 with
/// mean service 1: Whitt, Management Science 35, 1989, "Planning queueing simulations"). Over the
/// variance of one wait it is the number of customers over which waits are correlated: 10 at load
/// 0.5, 82 at 0.8.
double asymptotic_variance(double load) {
    return load * (2 + load * (5 + load * (-4 + load))) / std::pow(1 - load, 4);
}

}  // namespace

TEST_CASE("Coverage: 95 % intervals over five replications of M/M/1 cover its mean wait") {
    for (const double load : {kLowLoad, kHighLoad}) {
        Coverage coverage;
        for (std::size_t i = 0; i < studies(); ++i) {
            coverage.add(mean_interval(study(load == kLowLoad ? waits().low : waits().high, i)),
                         exact_wait(load));
        }
        INFO("load " << load);
        check_share("mean wait", coverage);
    }
}

// Paired: both loads under the same seed. Independent: the high load against the low load's next
// study.
TEST_CASE("Coverage: intervals of a difference cover it, paired ones being narrower") {
    Coverage paired;
    Coverage independent;
    const double exact = exact_wait(kHighLoad) - exact_wait(kLowLoad);
    for (std::size_t i = 0; i < studies(); ++i) {
        paired.add(paired_difference(study(waits().high, i), study(waits().low, i)), exact);
        independent.add(welch_difference(study(waits().high, i), study(waits().low, i + 1)), exact);
    }
    check_share("paired", paired);
    check_share("Welch", independent);
    CHECK(paired.mean_half_width() < 0.6 * independent.mean_half_width());
}

// The wait of the steady state has no density at 0 and is skewed: order statistics do not mind.
TEST_CASE("Coverage: intervals of quantiles cover what order statistics of their ranks do") {
    constexpr double kLoad = 0.8;
    const RandomStream stream(7, "coverage/quantiles");
    struct Case {
        double q;
        std::size_t count;
        double share;  ///< what the chosen ranks cover: sums of binomial probabilities
    };
    for (const auto& [q, count, share] :
         {Case{0.5, 20, 0.9586}, {0.9, 100, 0.9557}, {0.99, 500, 0.9802}}) {
        Coverage coverage;
        const double exact = steady_wait(kLoad, q);
        for (std::size_t i = 0; i < studies(); ++i) {
            std::vector<double> values(count);
            for (std::size_t k = 0; k < count; ++k) {
                values[k] = steady_wait(kLoad, stream.uniform(i, k));
            }
            const auto interval = quantile_interval(values, q);
            if (!interval) FAIL("too few values");
            const double half = (interval->high - interval->low) / 2;
            coverage.add({interval->low + half, half, count}, exact);
        }
        INFO("quantile " << q << " of " << count);
        check_share("quantile", coverage, share, share);
    }
}

TEST_CASE("Coverage: batch means of one long run cover, or say that it is too short") {
    constexpr std::size_t kCustomers = 20'000;
    const RandomStream starts(8, "coverage/starts");
    const auto measure = [&](double load, std::size_t runs) {
        Coverage coverage;
        for (std::size_t i = 0; i < runs; ++i) {
            const std::vector<double> run =
                lindley_waits(load, steady_wait(load, starts.uniform(i)), kCustomers,
                              RandomStream(i, "coverage/batches"));
            const auto means = batch_means(run);
            if (means) coverage.add(means->interval, load / (1 - load));
        }
        return coverage;
    };
    const Coverage enough = measure(0.5, studies());
    CHECK(enough.studies >= 0.9 * static_cast<double>(studies()));
    check_share("batch means", enough, 0.94);
    const double expected = student_t_quantile(0.975, 19) *
                            std::sqrt(asymptotic_variance(0.5) / static_cast<double>(kCustomers));
    CHECK(enough.mean_half_width() == Approx(expected).epsilon(0.05));
    const Coverage too_short = measure(0.8, studies() / 10);
    INFO(too_short.studies << " runs at load 0.8 were long enough");
    CHECK(too_short.studies <= 0.1 * static_cast<double>(studies()) / 10);
}

TEST_CASE("Coverage: MSER-5 removes a start that is known to be wrong") {
    constexpr double kLoad = 0.5;
    constexpr double kExact = kLoad / (1 - kLoad);
    constexpr double kFirst = 200;  // takes some 400 customers to serve
    constexpr std::size_t kCustomers = 10'000;
    std::vector<double> with;
    std::vector<double> without;
    for (std::size_t i = 0; i < studies() / 4; ++i) {
        const std::vector<double> run =
            lindley_waits(kLoad, kFirst, kCustomers, RandomStream(i, "coverage/warm-up"));
        const auto warm_up = mser5_truncation(run);
        if (!warm_up) continue;
        const auto rest = std::span(run).subspan(*warm_up);
        with.push_back(moments_of(run).mean);
        without.push_back(moments_of(rest).mean);
    }
    const Interval biased = mean_interval(with);
    const Interval left = mean_interval(without);
    INFO("mean wait with the start " << biased.mean << " +- " << biased.half_width << ", without "
                                     << left.mean << " +- " << left.half_width);
    CHECK(static_cast<double>(with.size()) >= 0.95 * static_cast<double>(studies() / 4));
    CHECK(biased.low() > 2.5 * kExact);
    CHECK(std::abs(left.mean - kExact) <= 0.02 * kExact + left.half_width);
}

TEST_CASE("Coverage: replications until precise are as precise as wanted") {
    struct Study {
        Coverage coverage;  ///< of the last interval
        Coverage precise;   ///< means within what was wanted
        double taken = 0;   ///< replications, on average
    };
    const auto measure = [](std::size_t minimum) {
        const PrecisionGoal goal{.relative = 0.05, .minimum = minimum};
        const RandomStream stream(9, "coverage/stopping");
        Study study;
        for (std::size_t i = 0; i < studies(); ++i) {
            std::vector<std::vector<double>> values(1);
            PrecisionVerdict verdict = judge_precision(values, goal);
            while (!verdict.stop()) {
                while (values[0].size() < verdict.next) {
                    const double u = stream.uniform(i, values[0].size());
                    values[0].push_back(1 + 0.1 * normal_quantile(u));
                }
                verdict = judge_precision(values, goal);
            }
            REQUIRE(verdict.reached);
            const Interval interval = mean_interval(values[0]);
            study.coverage.add(interval, 1);
            study.precise.add({interval.mean, goal.relative, interval.count}, 1);
            study.taken += static_cast<double>(verdict.count) / static_cast<double>(studies());
        }
        return study;
    };
    const Study study = measure(PrecisionGoal{}.minimum);
    check_share("the last interval", study.coverage, 0.94);
    check_share("the mean within 5 %", study.precise, 0.95, 0.97);
    CHECK(study.taken > 18);
    CHECK(study.taken < 22);  // 20 for the true variance
    // Why not start with three: a small variance by luck ends the study.
    const Study hasty = measure(3);
    check_share("the last interval, starting with three", hasty.coverage, 0.91, 0.91);
}

}  // namespace headroom::tests
