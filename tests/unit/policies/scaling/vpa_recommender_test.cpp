#include "policies/scaling/vpa/vpa_recommender.hpp"

#include "policies/scaling/vpa/vpa_usage.hpp"
#include "tests/catch.hpp"
#include "tests/unit/policies/scaling/vpa_units.hpp"

namespace headroom::policies {
namespace {

Time at_minute(std::int64_t minute) {
    return Time::zero() + Duration::minutes(minute);
}

VpaUsageHistory new_history() {
    return VpaUsageHistory(VpaUsageOptions{}, 0, Time::zero());
}

/// The weight of all peaks, undecayed: how many there are.
double peaks(const VpaUsageHistory& history) {
    return history.memory_peaks().weights().total_weight();
}

TEST_CASE("VpaAmounts: fractions are cut off, amounts stay in range") {
    CHECK(vpa_amount(3.999) == 3);
    CHECK(vpa_amount(-7.0) == 0);
    CHECK(vpa_amount(kInfinity) == kMostVpaAmount);
    CHECK(vpa_amount(kInfinity * 0) == 0);
    CHECK(vpa_scale(1000, 0.1234) == 123);
}

TEST_CASE("VpaContainerUsage: a CPU sample counts once, and never after a newer one") {
    VpaUsageHistory history = new_history();
    VpaContainerUsage container;
    CHECK(container.add_cpu_sample(history, at_minute(1), 500));
    CHECK_FALSE(container.add_cpu_sample(history, at_minute(1), 500));
    CHECK_FALSE(container.add_cpu_sample(history, at_minute(0), 900));
    CHECK_FALSE(container.add_cpu_sample(history, at_minute(2), -1));
    CHECK(container.add_cpu_sample(history, at_minute(4), 600));
    CHECK(history.cpu_samples() == 2);
    CHECK(history.lifespan() == Duration::minutes(3));
    // Another pod's older sample belongs to the same history.
    VpaContainerUsage other;
    CHECK(other.add_cpu_sample(history, at_minute(0), 600));
    CHECK(history.cpu_samples() == 3);
    CHECK(history.lifespan() == Duration::minutes(4));
}

TEST_CASE("VpaContainerUsage: of memory one peak counts a day, and only the largest") {
    const VpaUsageOptions options;
    VpaUsageHistory history = new_history();
    VpaContainerUsage container;
    CHECK(container.add_memory_sample(history, options, at_hour(1), 300 * kMebi));
    // Day one ends at hour 25; the peak counts as if it were then: 2^(25/24 - 1), for the reference
    // is the nearest midnight, hour 24.
    const double first_day = peaks(history);
    CHECK(first_day == Approx(1.0293).epsilon(1e-4));
    container.add_memory_sample(history, options, at_hour(2), 200 * kMebi);
    container.add_memory_sample(history, options, at_hour(3), 900 * kMebi);
    container.add_memory_sample(history, options, at_hour(4), 400 * kMebi);
    CHECK(peaks(history) == Approx(first_day));
    // 900 Mi are 943.7 MB, in [903.2, 958.4) MB.
    CHECK(history.memory_peaks().percentile(0.0) == Approx(958.36e6).epsilon(1e-4));
    // The next day begins at hour 25 with what is used then: twice the weight.
    container.add_memory_sample(history, options, at_hour(25), 100 * kMebi);
    CHECK(peaks(history) == Approx(3 * first_day));
    CHECK(history.memory_peaks().percentile(0.5) < 120e6);
    CHECK(history.memory_peaks().percentile(0.9) == Approx(958.36e6).epsilon(1e-4));
    // Days without a sample have no peak: hour 80 is in the day that ends at hour 97.
    container.add_memory_sample(history, options, at_hour(80), 100 * kMebi);
    CHECK(peaks(history) == Approx((1 + 2 + 8) * first_day));
    CHECK_FALSE(container.add_memory_sample(history, options, at_hour(79), 100 * kMebi));
    CHECK_FALSE(container.add_memory_sample(history, options, at_hour(81), -1));
}

TEST_CASE("VpaContainerUsage: a kill for memory counts as a fifth more, or 100 Mi") {
    const VpaUsageOptions options;
    VpaUsageHistory history = new_history();
    VpaContainerUsage container;
    // Requested 400 Mi, used 300 Mi: 400 + 100 is more than 480.
    container.add_memory_sample(history, options, at_hour(1), 300 * kMebi);
    CHECK(container.record_oom(history, options, at_hour(2), 400 * kMebi));
    VpaUsageHistory expected = new_history();
    expected.add_memory_peak(at_hour(25), 500 * kMebi);
    CHECK(history.memory_peaks().percentile(1.0) == expected.memory_peaks().percentile(1.0));
    CHECK(peaks(history) == Approx(peaks(expected)));
    // Used 2000 Mi: 2400 is more than 2100.
    container.add_memory_sample(history, options, at_hour(3), 2000 * kMebi);
    CHECK(container.record_oom(history, options, at_hour(4), 400 * kMebi));
    expected.add_memory_peak(at_hour(25), 2400 * kMebi);
    CHECK(history.memory_peaks().percentile(1.0) == expected.memory_peaks().percentile(1.0));
    // Not from kill to kill: 2400 again, not 2880.
    CHECK(container.record_oom(history, options, at_hour(5), 400 * kMebi));
    CHECK(history.memory_peaks().percentile(1.0) == expected.memory_peaks().percentile(1.0));
    CHECK(peaks(history) == Approx(peaks(new_history()) + 1.0293).epsilon(1e-4));
    // The day that ends at hour 49 does not know of kills before hour 25.
    container.add_memory_sample(history, options, at_hour(30), 100 * kMebi);
    CHECK_FALSE(container.record_oom(history, options, at_hour(24), 400 * kMebi));
}

TEST_CASE("VpaUsageHistory: is over when eight days brought no sample") {
    VpaUsageHistory history = new_history();
    CHECK_FALSE(history.expired(at_hour(8 * 24 - 1)));
    CHECK(history.expired(at_hour(8 * 24)));
    history.add_cpu_sample(at_hour(10), 100);
    CHECK_FALSE(history.expired(at_hour(10 + 8 * 24 - 1)));
    CHECK(history.expired(at_hour(10 + 8 * 24)));
}

TEST_CASE("VpaConfidence: is the age in days, but never more than the samples allow") {
    const Duration day = Duration::hours(24);
    CHECK(vpa_confidence(Duration::zero(), 0, day) == 0.0);
    CHECK(vpa_confidence(Duration::hours(12), 100'000, day) == 0.5);
    CHECK(vpa_confidence(Duration::hours(48), 1440, day) == 1.0);
    CHECK(vpa_confidence(Duration::hours(48), 90, Duration::hours(1)) == 1.5);
    CHECK(vpa_confidence(Duration::minutes(1), 3, Duration::seconds(90)) == 60.0 / 90.0);
}

TEST_CASE("VpaRecommender: margins and confidence multiply whole amounts") {
    CHECK(vpa_with_margin(1016, 0.15) == 1168);  // 152.4 is cut off
    CHECK(vpa_with_confidence(1168, 1.0, 1.0, 0.5) == 3504);
    CHECK(vpa_with_confidence(1168, 0.001, -2.0, 0.01) == 965);  // / 1.21
    CHECK(vpa_with_confidence(1168, 0.1, 1.5, 0.1) == 3303);     // * 2^1.5
    // Nothing is known: any request is within bounds.
    CHECK(vpa_with_confidence(1168, 1.0, 1.0, 0.0) == kMostVpaAmount);
    CHECK(vpa_with_confidence(1168, 0.001, -2.0, 0.0) == 0);
}

TEST_CASE("VpaRecommender: a policy caps from below, then from above, then by a limit that stays") {
    VpaContainerPolicy policy;
    CHECK(vpa_cap(700, VpaResource::cpu, policy) == 700);
    policy.min_allowed.cpu = 1000;
    CHECK(vpa_cap(700, VpaResource::cpu, policy) == 1000);
    CHECK(vpa_cap(700, VpaResource::memory, policy) == 700);
    policy.max_allowed.cpu = 2000;
    CHECK(vpa_cap(7000, VpaResource::cpu, policy) == 2000);
    policy.limits.cpu = 1500;
    CHECK(vpa_cap(7000, VpaResource::cpu, policy) == 2000);
    policy.requests_only = true;
    CHECK(vpa_cap(7000, VpaResource::cpu, policy) == 1500);
    // A zero is as if it were not there.
    policy.min_allowed.cpu = 0;
    policy.max_allowed.cpu = 0;
    policy.limits.cpu = std::nullopt;
    CHECK(vpa_cap(7000, VpaResource::cpu, policy) == 7000);
}

TEST_CASE("VpaRecommender: percentile, margin, confidence and minimum, by hand") {
    // Two days of a sample a minute, each fifteenth 1800 m and the others 200 m.
    VpaUsageHistory history = new_history();
    for (std::int64_t minute = 0; minute <= 2 * 1440; ++minute) {
        history.add_cpu_sample(at_minute(minute), minute % 15 == 14 ? 1800 : 200);
    }
    history.add_memory_peak(at_hour(24), 30 * kMebi);
    const VpaEstimators estimators;
    const VpaRecommendation r = vpa_recommend(history, estimators, VpaContainerPolicy{}, 1);
    // 93 % are 200 m, in [0.19599, 0.21579) cores: 215 m, and 15 % of it, 32.25, make 247 m. The
    // 95th percentile is 1800 m, in [1.78119, 1.88025): 1880 + 282 = 2162 m. Confidence: two days,
    // for 2881 samples / 1440 are more. Lower: 247 / 1.0005^2 = 246.75. Upper: 2162 * 1.5.
    REQUIRE(r.cpu.has_value());
    CHECK(r.cpu->lower == 246);
    CHECK(r.cpu->target == 247);
    CHECK(r.cpu->upper == 3243);
    // 30 Mi lie in [20.5, 31.5) MB: with margin and * 1.5 still below the least of a pod.
    REQUIRE(r.memory.has_value());
    CHECK(*r.memory == VpaBounds{250 * kMebi, 250 * kMebi, 250 * kMebi});
    // Two containers share the pod's minimum.
    const VpaRecommendation of_two = vpa_recommend(history, estimators, VpaContainerPolicy{}, 2);
    CHECK(of_two.memory->target == 125 * kMebi);
}

TEST_CASE("VpaRecommender: resources that the policy does not control are left out") {
    VpaUsageHistory history = new_history();
    history.add_cpu_sample(at_minute(0), 100);
    VpaContainerPolicy policy;
    policy.controlled = {.cpu = false, .memory = true};
    policy.max_allowed.memory = 100 * kMebi;
    const VpaRecommendation r = vpa_recommend(history, VpaEstimators{}, policy, 1);
    CHECK_FALSE(r.cpu.has_value());
    // One sample says nothing of the bounds; the cap holds for them too.
    REQUIRE(r.memory.has_value());
    CHECK(*r.memory == VpaBounds{100 * kMebi, 100 * kMebi, 100 * kMebi});
}

}  // namespace
}  // namespace headroom::policies
