#include "analysis/experiments/offered_load.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

namespace headroom::analysis {

namespace {

using scenarios::SourceLoad;

/// Points of a Fibonacci lattice in the unit square, by which independent prompts and outputs are
/// integrated (Niederreiter and Sloan, Integration of nonperiodic functions of two variables by
/// Fibonacci lattice rules, 1994).
constexpr std::int64_t kLatticePoints = 1597;
constexpr std::int64_t kLatticeStep = 987;
/// A read source keeps its lengths up to this many, then every second of them.
constexpr std::size_t kMostPoints = 4096;
constexpr double kWindowS = 60;
constexpr double kLeastWindows = 10;
constexpr double kNearly = 1e-9;   // of arrivals
constexpr double kAtAnEnd = 1e-6;  // of a source's time

/// Arrivals over time in at most kBuckets equal buckets, which double when the time outgrows them.
class ArrivalCounter {
  public:
    void count(Time t) {
        auto at = static_cast<std::size_t>(t.since_start().ps() / width_);
        while (at >= kBuckets) {
            for (std::size_t i = 0; i < kBuckets / 2; ++i) {
                counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
            }
            std::fill(counts_.begin() + kBuckets / 2, counts_.end(), 0);
            width_ *= 2;
            at /= 2;
        }
        ++counts_[at];
        last_ = t;
    }
    /// Arrivals by t, a straight line within a bucket; all from the last one on.
    [[nodiscard]] std::function<double(Time)> cumulative() const {
        std::vector<double> sums = {0};
        for (const std::int64_t n : counts_) sums.push_back(sums.back() + static_cast<double>(n));
        return [sums = std::move(sums), width = static_cast<double>(width_), last = last_](Time t) {
            if (t >= last) return sums.back();
            const double x = static_cast<double>(t.since_start().ps()) / width;
            const auto at = static_cast<std::size_t>(std::max(0.0, x));
            if (at + 1 >= sums.size()) return sums.back();
            return sums[at] + (sums[at + 1] - sums[at]) * (x - static_cast<double>(at));
        };
    }

  private:
    static constexpr std::size_t kBuckets = 1 << 16;
    std::vector<std::int64_t> counts_ = std::vector<std::int64_t>(kBuckets, 0);
    std::int64_t width_ = Duration::milliseconds(1).ps();
    Time last_;
};

/// One source, as far as it is known.
struct KnownSource {
    std::function<double(Time)> arrivals_by;  ///< null: a closed loop
    Time end;                                 ///< of its arrivals
    Time first;                               ///< when it sends, to the last time; a rate may be
    Time last;                                ///< 0 before and after
    double gap_cv = 1;
    LengthMix lengths;
};

LengthMix lattice_of(const SourceLoad& load) {
    LengthMix mix;
    for (std::int64_t i = 0; i < kLatticePoints; ++i) {
        const double u = (static_cast<double>(i) + 0.5) / kLatticePoints;
        const double v =
            (static_cast<double>(i * kLatticeStep % kLatticePoints) + 0.5) / kLatticePoints;
        mix.points.push_back({static_cast<double>(load.prompt.at(u).count()),
                              static_cast<double>(load.output.at(v).count()),
                              1.0 / kLatticePoints});
    }
    return mix;
}

/// The first time at which `reached` holds, which from then on does; within the horizon.
template <class Reached>
Time first_time(Reached reached) {
    std::int64_t low = 0;
    std::int64_t high = Time::horizon_limit().since_start().ps();
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (reached(Time::picoseconds(middle)) ? high : low) = middle;
    }
    return Time::picoseconds(high);
}

/// Sums of rates are not exact: what is all but at an end of the run is at it.
void find_first_and_last(const traces::ArrivalProcess& arrivals, double most, KnownSource& known) {
    known.last = known.end;
    if (!(most > 0)) return;
    const auto some = [&](Time t) { return arrivals.expected_by(t) > most * kNearly; };
    const auto all = [&](Time t) { return arrivals.expected_by(t) >= most * (1 - kNearly); };
    const double end_s = known.end.to_seconds();
    const Time first = first_time(some);
    const Time last = first_time(all);
    if (first.to_seconds() > end_s * kAtAnEnd) known.first = std::min(first, known.end);
    if (last.to_seconds() < end_s * (1 - kAtAnEnd)) known.last = last;
}

KnownSource describe_arrivals(const SourceLoad& load, Time run_end) {
    KnownSource known;
    known.gap_cv = load.arrivals->gap_cv();
    known.lengths = lattice_of(load);
    known.end = load.end ? std::min(*load.end, run_end) : run_end;
    const double most =
        load.limit ? static_cast<double>(*load.limit) : load.arrivals->expected_by(known.end);
    if (load.limit) {
        known.end = std::min(
            known.end, first_time([&](Time t) { return load.arrivals->expected_by(t) >= most; }));
    }
    find_first_and_last(*load.arrivals, most, known);
    known.arrivals_by = [arrivals = load.arrivals, end = known.end, most](Time t) {
        return std::min(most, arrivals->expected_by(std::min(t, end)));
    };
    return known;
}

/// Coefficient of variation of gaps, 1 where it cannot be told from that.
class GapMeter {
  public:
    void arrival(Time t) {
        if (last_) {
            const double gap = (t - *last_).to_seconds();
            sum_ += gap;
            squares_ += gap * gap;
            ++gaps_;
        }
        last_ = t;
    }
    [[nodiscard]] double cv() const {
        if (gaps_ < 2 || !(sum_ > 0)) return 1;
        const auto n = static_cast<double>(gaps_);
        const double mean = sum_ / n;
        const double cv = std::sqrt(std::max(0.0, squares_ / n / (mean * mean) - 1));
        // The standard error of an exponential sample's is 1 / sqrt(n).
        return std::fabs(cv - 1) < 3 / std::sqrt(n) ? 1 : cv;
    }

  private:
    std::optional<Time> last_;
    double sum_ = 0;
    double squares_ = 0;
    std::int64_t gaps_ = 0;
};

/// Takes every request, each answered at once.
KnownSource read_source(const serving::SourceSpec& spec, std::uint64_t seed, Time run_end,
                        std::string& error) {
    KnownSource known;
    ArrivalCounter counter;
    GapMeter gaps;
    std::vector<LengthMix::Point> points;
    std::int64_t stride = 1;
    std::int64_t taken = 0;
    const auto source = spec.make(seed);
    const bool answers = source->answers_completions();
    for (auto time = source->peek(); time && *time < run_end; time = source->peek()) {
        const serving::Arrival arrival = source->take();
        if (taken == 0) known.first = arrival.time;
        counter.count(arrival.time);
        gaps.arrival(arrival.time);
        known.end = known.last = arrival.time;
        if (taken++ % stride == 0) {
            points.push_back({static_cast<double>(arrival.prompt.count()),
                              static_cast<double>(arrival.output.count()), 0});
        }
        if (points.size() > kMostPoints) {
            for (std::size_t i = 0; 2 * i < points.size(); ++i) points[i] = points[2 * i];
            points.resize((points.size() + 1) / 2);
            stride *= 2;
        }
        if (answers) source->completed({arrival.time, arrival.user, serving::Outcome::completed});
    }
    if (error.empty()) error = source->error();
    for (LengthMix::Point& point : points) {
        point.weight = 1 / static_cast<double>(points.size());
        known.lengths.points.push_back(point);
    }
    known.gap_cv = gaps.cv();
    known.arrivals_by = counter.cumulative();
    return known;
}

/// Adds up sources at a service.
class LoadSum {
  public:
    void add(const KnownSource& source, double rate) {
        curves_.push_back(&source);
        variance_ += rate * source.gap_cv * source.gap_cv;
        rate_ += rate;
        add_lengths(source.lengths, rate);
    }
    void add_closed(const SourceLoad& load) {
        think_ += load.think_s * static_cast<double>(load.users);
        users_ += static_cast<double>(load.users);
        // How often a user comes is not known yet: as if answers took a second.
        add_lengths(lattice_of(load), static_cast<double>(load.users) / (load.think_s + 1));
    }
    void add_caller(const LoadSum& caller) {
        called_ = true;
        curves_.insert(curves_.end(), caller.curves_.begin(), caller.curves_.end());
        parts_.insert(parts_.end(), caller.parts_.begin(), caller.parts_.end());
        rate_ += caller.rate_;
        variance_ += caller.rate_;  // what comes out of a queue is taken for Poisson
        users_ += caller.users_;
        think_ += caller.think_;
    }
    [[nodiscard]] OfferedLoad load(Time end) const {
        OfferedLoad out;
        out.sources = static_cast<std::int64_t>(parts_.size());
        out.called = called_;
        out.mean_rate = rate_;
        if (rate_ > 0) out.gap_cv = std::sqrt(variance_ / rate_);
        if (std::fabs(out.gap_cv - 1) < 1e-9) out.gap_cv = 1;
        out.users = users_;
        if (users_ > 0) out.think_s = think_ / users_;
        find_peak(end, out);
        mix_lengths(out);
        return out;
    }

  private:
    struct Part {
        LengthMix lengths;
        double weight;
    };
    void add_lengths(const LengthMix& lengths, double weight) {
        parts_.push_back({lengths, weight});
    }
    void find_peak(Time end, OfferedLoad& out) const {
        const double span = end.to_seconds();
        const double wanted = span < kLeastWindows * kWindowS ? span / kLeastWindows : kWindowS;
        const auto windows = static_cast<std::int64_t>(std::max(1.0, std::floor(span / wanted)));
        out.window_s = span / static_cast<double>(windows);
        double before = 0;
        for (std::int64_t i = 0; i < windows; ++i) {
            const auto at = [&](std::int64_t k) {
                return Time::zero() + Duration::from_seconds(out.window_s * static_cast<double>(k));
            };
            double sum = 0;
            for (const KnownSource* source : curves_) sum += source->arrivals_by(at(i + 1));
            const double rate = out.window_s > 0 ? (sum - before) / out.window_s : 0;
            before = sum;
            // Equal but for the last bits: the first.
            if (rate <= out.peak_rate * (1 + 1e-9)) continue;
            out.peak_rate = rate;
            out.peak_at_s = at(i).to_seconds();
        }
    }
    void mix_lengths(OfferedLoad& out) const {
        constexpr double kDifferent = 1.2;
        double total = 0;
        for (const Part& part : parts_) total += part.weight;
        if (!(total > 0)) return;
        for (const Part& part : parts_) {
            for (LengthMix::Point point : part.lengths.points) {
                point.weight *= part.weight / total;
                out.lengths.points.push_back(point);
            }
            const auto apart = [](double a, double b) {
                return std::max(a, b) > kDifferent * std::min(a, b);
            };
            const LengthMix& first = parts_.front().lengths;
            out.lengths_differ = out.lengths_differ ||
                                 apart(part.lengths.mean_prompt(), first.mean_prompt()) ||
                                 apart(part.lengths.mean_output(), first.mean_output());
        }
    }

    std::vector<const KnownSource*> curves_;
    std::vector<Part> parts_;
    double rate_ = 0;
    double variance_ = 0;
    double users_ = 0;
    double think_ = 0;
    bool called_ = false;
};

/// Callers before those they call: an order in which loads can be handed on.
std::vector<std::uint32_t> callers_first(const std::vector<serving::ServiceSpec>& services) {
    std::vector<std::uint32_t> order;
    std::vector<bool> seen(services.size(), false);
    const std::function<void(std::uint32_t)> visit = [&](std::uint32_t at) {
        if (seen[at]) return;
        seen[at] = true;
        for (const std::uint32_t next : services[at].calls) visit(next);
        order.push_back(at);
    };
    for (std::uint32_t i = 0; i < services.size(); ++i) visit(i);
    std::reverse(order.begin(), order.end());
    return order;
}

/// The mean rate over its own time, requests/s. Of one arrival: since the start.
double own_rate(const KnownSource& source) {
    if (!source.arrivals_by) return 0;
    const Duration lasts = source.last - (source.first < source.last ? source.first : Time::zero());
    return lasts > Duration::zero() ? source.arrivals_by(source.end) / lasts.to_seconds() : 0;
}

/// The most that sources send together: who ends before another begins does not count beside it.
double most_at_once(const std::vector<KnownSource>& sources) {
    double most = 0;
    for (const KnownSource& at : sources) {
        double sum = 0;
        for (const KnownSource& source : sources) {
            const bool sends = source.first <= at.first && at.first < source.last;
            if (sends || &source == &at) sum += own_rate(source);
        }
        most = std::max(most, sum);
    }
    return most;
}

}  // namespace

double LengthMix::mean_prompt() const {
    double sum = 0;
    for (const Point& point : points) sum += point.weight * point.prompt;
    return sum;
}

double LengthMix::mean_output() const {
    double sum = 0;
    for (const Point& point : points) sum += point.weight * point.output;
    return sum;
}

OfferedLoads offered_loads(const scenarios::Scenario& scenario) {
    const SimulationSpec& spec = scenario.spec;
    OfferedLoads out;
    std::vector<KnownSource> known;
    Time end = spec.drain ? Time::zero() : spec.end;
    for (std::size_t i = 0; i < spec.sources.size(); ++i) {
        const SourceLoad& load = scenario.loads[i];
        if (load.kind == SourceLoad::Kind::closed_loop) {
            known.emplace_back();
            known.back().end = load.end.value_or(Time::zero());
        } else if (load.kind == SourceLoad::Kind::arrivals) {
            known.push_back(describe_arrivals(load, spec.end));
        } else {
            known.push_back(read_source(spec.sources[i], spec.seed, spec.end, out.error));
        }
        if (spec.drain) end = std::max(end, known.back().end);
    }
    out.span_s = end.to_seconds();
    out.open_rate = most_at_once(known);
    std::vector<LoadSum> sums(spec.services.size());
    for (std::size_t i = 0; i < spec.sources.size(); ++i) {
        LoadSum& sum = sums[spec.sources[i].service];
        if (!known[i].arrivals_by) {
            out.users += static_cast<double>(scenario.loads[i].users);
            sum.add_closed(scenario.loads[i]);
        } else {
            sum.add(known[i], out.span_s > 0 ? known[i].arrivals_by(end) / out.span_s : 0);
        }
    }
    for (const std::uint32_t at : callers_first(spec.services)) {
        for (const std::uint32_t next : spec.services[at].calls) sums[next].add_caller(sums[at]);
    }
    for (const LoadSum& sum : sums) out.services.push_back(sum.load(end));
    return out;
}

}  // namespace headroom::analysis
