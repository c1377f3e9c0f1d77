/// The parts of the vertical pod autoscaler against what upstream's own code answers: histograms,
/// their bucketing, the margin and the confidence multiplier. Values of histograms have to agree to
/// 1e-15, upstream's own tolerance, buckets and amounts exactly.
///
/// Upstream's clock counts from the year 1, a case's from `t0_unix`: its times become those of a
/// run that begins then.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "policies/scaling/vpa/vpa_histogram.hpp"
#include "policies/scaling/vpa/vpa_recommender.hpp"
#include "tests/conformance/kubernetes/vector_case.hpp"

namespace headroom::conformance {
namespace {

using policies::VpaDecayingHistogram;
using policies::VpaHistogram;
using policies::VpaHistogramOptions;

constexpr double kTolerance = 1e-15;

bool near(double a, double b) {
    return a == b || std::fabs(a - b) <= kTolerance * std::max(std::fabs(a), std::fabs(b));
}

bool given(const Json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && !it->is_null();
}

double number(const Json& object, const char* key, double otherwise) {
    return given(object, key) ? object.at(key).get<double>() : otherwise;
}

std::optional<VpaHistogramOptions> parse_options(const Json& item) {
    const Json& options = item.at("options");
    const double most = number(options, "max", 0);
    const double epsilon = number(options, "epsilon", 0);
    const bool linear =
        given(options, "type") ? options.at("type") == "linear" : given(options, "bucket");
    return linear ? VpaHistogramOptions::linear(most, number(options, "bucket", 0), epsilon)
                  : VpaHistogramOptions::exponential(most, number(options, "first", 0),
                                                     number(options, "ratio", 0), epsilon);
}

bool must_be_refused(const Json& item) {
    const auto set = [&](const char* key) {
        return given(item, key) && item.at(key) != false && item.at(key) != "";
    };
    return set("expected_error") || set("expected_config_error");
}

/// For cases whose options may be refused.
std::string check_refusal(const Json& item, bool refused) {
    if (refused == must_be_refused(item)) return {};
    return refused ? "options: refused, expected to be taken"
                   : "options: taken, expected a refusal";
}

std::string check_bucket_count(const Json& object, const VpaHistogramOptions& options) {
    if (!given(object, "num_buckets")) return {};
    const auto expected = object.at("num_buckets").get<std::size_t>();
    if (expected == options.bucket_count()) return {};
    return fmt::format("num_buckets: expected {}, found {}", expected, options.bucket_count());
}

std::string check_bucket_start(const VpaHistogramOptions& options, std::size_t bucket,
                               double expected) {
    if (bucket >= options.bucket_count()) return fmt::format("bucket {} does not exist", bucket);
    const double start = options.bucket_start(bucket);
    if (near(start, expected)) return {};
    return fmt::format("start of bucket {}: expected {}, found {}", bucket, expected, start);
}

std::string check_find_bucket(const VpaHistogramOptions& options, double value,
                              std::size_t expected) {
    const std::size_t bucket = options.find_bucket(value);
    if (bucket == expected) return {};
    return fmt::format("bucket of {}: expected {}, found {}", value, expected, bucket);
}

std::string run_options(const Json& item) {
    const auto options = parse_options(item);
    if (!options || must_be_refused(item)) return check_refusal(item, !options);
    std::string difference = check_bucket_count(item, *options);
    if (difference.empty()) difference = check_bucket_count(item.at("options"), *options);
    if (given(item, "bucket_starts")) {
        for (const auto& [bucket, start] : item.at("bucket_starts").items()) {
            if (!difference.empty()) break;
            difference = check_bucket_start(*options, std::stoul(bucket), start.get<double>());
        }
    }
    if (given(item, "find_bucket")) {
        for (const Json& pair : item.at("find_bucket")) {
            if (!difference.empty()) break;
            difference = check_find_bucket(*options, pair.at(0).get<double>(),
                                           pair.at(1).get<std::size_t>());
        }
    }
    return difference;
}

std::string run_bucket(const Json& item) {
    const auto options = parse_options(item);
    if (!options || must_be_refused(item)) return check_refusal(item, !options);
    std::string difference = check_bucket_count(item.at("options"), *options);
    const auto bucket = item.at("bucket").get<std::size_t>();
    if (difference.empty()) {
        difference = check_find_bucket(*options, number(item, "value", 0), bucket);
    }
    if (difference.empty() && given(item, "bucket_start")) {
        difference = check_bucket_start(*options, bucket, item.at("bucket_start").get<double>());
    }
    return difference;
}

/// A plain histogram with the interface of a decaying one.
struct Timeless {
    VpaHistogram histogram;
    void add(double value, double weight, Time) { histogram.add(value, weight); }
    void subtract(double value, double weight, Time) { histogram.subtract(value, weight); }
    [[nodiscard]] double percentile(double fraction) const {
        return histogram.percentile(fraction);
    }
    [[nodiscard]] bool empty() const { return histogram.empty(); }
};

/// A case's times in the simulator. Decay knows only quotients of times, so a case that does not
/// fit into 106 days is run with times and half-life in thousandths.
struct Clock {
    std::int64_t divisor = 1;
    double offset_s = 0;  ///< of the case's t0

    [[nodiscard]] Duration duration(double seconds) const {
        return Duration::nanoseconds(std::llround(seconds * 1e9) / divisor);
    }
    [[nodiscard]] Time time(double t_s) const { return Time::zero() + duration(offset_s + t_s); }
};

template <class Histogram>
std::string run_histogram(const Json& item, Histogram histogram, const Clock& clock) {
    bool refused = false;
    for (const Json& op : item.at("ops")) {
        const std::string what = op.at("op");
        const double value = number(op, "value", 0);
        const double weight = number(op, "weight", 0);
        const Time at = clock.time(number(op, "t_s", 0));
        // Upstream panics; here it is the caller's business.
        refused = refused || weight < 0;
        if (refused) continue;
        if (what == "add") {
            histogram.add(value, weight, at);
        } else if (what == "subtract") {
            histogram.subtract(value, weight, at);
        } else {
            return fmt::format("op {} is not known", what);
        }
    }
    if (refused || must_be_refused(item)) return check_refusal(item, refused);
    if (given(item, "empty") && item.at("empty").get<bool>() != histogram.empty()) {
        return fmt::format("empty: expected {}, found {}", item.at("empty").get<bool>(),
                           histogram.empty());
    }
    if (!given(item, "percentiles")) return {};
    for (const Json& percentile : item.at("percentiles")) {
        const auto fraction = percentile.at("p").get<double>();
        const auto expected = percentile.at("expect").get<double>();
        const double found = histogram.percentile(fraction);
        if (near(found, expected)) continue;
        return fmt::format("percentile {}: expected {}, found {}", fraction, expected, found);
    }
    return {};
}

std::string run_plain(const Json& item) {
    const auto options = parse_options(item);
    if (!options) return check_refusal(item, true);
    // Time means nothing to it, so any will do that fits.
    Clock clock;
    clock.divisor = 1'000'000;
    return run_histogram(item, Timeless{VpaHistogram(*options)}, clock);
}

std::string run_decaying(const Json& item) {
    const auto options = parse_options(item);
    if (!options) return check_refusal(item, true);
    const double half_life_s = number(item, "half_life_s", 24 * 3600);
    double longest = half_life_s;
    for (const Json& op : item.at("ops")) {
        longest = std::max(longest, std::fabs(number(op, "t_s", 0)));
    }
    constexpr double kFits = 9.2e6;
    constexpr std::int64_t kYearOne = -62'135'596'800;
    auto start = static_cast<std::int64_t>(number(item, "t0_unix", 0));
    Clock clock;
    if (longest > kFits) {
        // References lie on a grid that counts from the year 1: only the place in it matters.
        clock.offset_s = std::fmod(static_cast<double>(start - kYearOne), half_life_s);
        start = kYearOne;
        while (2 * longest > kFits * static_cast<double>(clock.divisor)) clock.divisor *= 1000;
    }
    const VpaDecayingHistogram histogram(*options, clock.duration(half_life_s), start);
    return run_histogram(item, histogram, clock);
}

/// The whole units in a figure that may be the double beside a whole one.
std::int64_t whole_units(double figure) {
    return static_cast<std::int64_t>(std::floor(figure * (1 + 1e-12) + 1e-9));
}

struct ResourceFields {
    const char* figure;
    const char* saturated;
    double units;
};
constexpr ResourceFields kResources[] = {{"cpu_cores", "cpu_amount_saturates_at", 1000.0},
                                         {"memory_bytes", "memory_amount_saturates_at", 1.0}};

/// Checks what `estimate` makes of each resource of `base`.
template <class Estimate>
std::string check_amounts(const Json& item, Estimate estimate) {
    for (const ResourceFields& resource : kResources) {
        const Json& expected = item.at("expected");
        if (!given(item.at("base"), resource.figure)) continue;
        const double base = number(item.at("base"), resource.figure, 0) * resource.units;
        const std::int64_t amount = estimate(policies::vpa_amount(base));
        const double figure = number(expected, resource.figure, 0) * resource.units;
        if (given(expected, resource.figure) && whole_units(figure) != amount) {
            return fmt::format("{}: expected {}, found {}", resource.figure, figure, amount);
        }
        const double most = number(expected, resource.saturated, 0);
        if (given(expected, resource.saturated) && most != static_cast<double>(amount)) {
            return fmt::format("{}: expected {}, found {}", resource.saturated, most, amount);
        }
    }
    return {};
}

std::string run_confidence_multiplier(const Json& item) {
    const Duration lifespan = Duration::from_seconds(60 * number(item, "lifespan_min", 0));
    const Duration interval =
        Duration::from_seconds(60 * number(item, "confidence_interval_min", 24 * 60));
    const auto samples = static_cast<std::int64_t>(number(item, "samples", 0));
    const double confidence = policies::vpa_confidence(lifespan, samples, interval);
    const Json& expected = item.at("expected");
    if (given(expected, "confidence") &&
        !near(confidence, expected.at("confidence").get<double>())) {
        return fmt::format("confidence: expected {}, found {}",
                           expected.at("confidence").get<double>(), confidence);
    }
    const double multiplier = number(item, "multiplier", 0);
    const double exponent = number(item, "exponent", 1);
    return check_amounts(item, [&](std::int64_t amount) {
        return policies::vpa_with_confidence(amount, multiplier, exponent, confidence);
    });
}

std::string run_margin(const Json& item) {
    const double fraction = number(item, "margin_fraction", 0);
    return check_amounts(
        item, [&](std::int64_t amount) { return policies::vpa_with_margin(amount, fraction); });
}

const CaseKind kPlain{"plain", run_plain};
const CaseKind kDecaying{"decaying", run_decaying};
const CaseKind kOptions{"options", run_options};
const CaseKind kBucket{"bucket", run_bucket};
const CaseKind kConfidence{"confidence_multiplier", run_confidence_multiplier};
const CaseKind kMargin{"margin", run_margin};

}  // namespace
}  // namespace headroom::conformance
