#include "policies/scaling/vpa/vpa_histogram.hpp"

#include <cmath>

#include "policies/scaling/vpa/go_math.hpp"
#include "tests/catch.hpp"
#include "tests/unit/core/bits.hpp"
#include "tests/unit/policies/scaling/vpa_units.hpp"

namespace headroom::policies {
namespace {

using tests::bits;

VpaHistogramOptions ten_of_one() {
    return *VpaHistogramOptions::linear(10.0, 1.0, 1e-15);
}

VpaHistogramOptions cpu_options() {
    return *VpaHistogramOptions::exponential(1000.0, 0.01, 1.05, 1e-4);
}

TEST_CASE("GoMath: logarithm, power of two and power have the bits of Go's") {
    // Printed by Go 1.19 on amd64. Other good functions differ: 1.05^175 by many ulp.
    CHECK(bits(go_log(1.05)) == 0x3fa8fb063ef2c7f0ULL);
    CHECK(bits(go_log(1.1025)) == 0x3fb8fb063ef2c7ecULL);
    CHECK(bits(go_log(2.25)) == 0x3fe9f323ecbf984cULL);
    CHECK(bits(go_log(0.7071067811865476)) == 0xbfd62e42fefa39eeULL);
    CHECK(bits(go_log(1e5)) == 0x4027069e2aa2aa5bULL);
    CHECK(bits(go_log(0.001)) == 0xc01ba18a998fffa0ULL);
    CHECK(go_log(0.0) == -kInfinity);
    CHECK(go_log(kInfinity) == kInfinity);
    CHECK(std::isnan(go_log(-1.0)));

    CHECK(bits(go_exp2(-0.475)) == 0x3fe705df37b433e7ULL);
    CHECK(bits(go_exp2(0.5)) == 0x3ff6a09e667f3bccULL);
    CHECK(bits(go_exp2(1.0 / 1440)) == 0x3ff001f8db1a5615ULL);
    CHECK(bits(go_exp2(99.99)) == 0x462fc769e9b9c33eULL);
    CHECK(bits(go_exp2(-1073.5)) == 1ULL);
    CHECK(go_exp2(3.0) == 8.0);
    CHECK(go_exp2(1024.0) == kInfinity);
    CHECK(go_exp2(-1075.0) == 0.0);
    CHECK(std::isnan(go_exp2(std::nan(""))));

    CHECK(bits(go_pow(1.05, 37)) == 0x4018535c57737740ULL);
    CHECK(bits(go_pow(1.05, 175)) == 0x40b3f28c0b1c2558ULL);
    CHECK(bits(go_pow(1.0001, -2)) == 0x3feffe5ca1ebecaeULL);
    CHECK(bits(go_pow(3.7, -5)) == 0x3f57a08cd5331889ULL);
    CHECK(go_pow(1e-200, 3) == 0.0);
    CHECK(go_pow(kInfinity, -2) == 0.0);
    CHECK(go_pow(kInfinity, 1) == kInfinity);
    CHECK(go_pow(4.0, 0.5) == 2.0);
    CHECK(go_pow(2.0, 5000) == kInfinity);
}

TEST_CASE("VpaHistogramOptions: linear buckets begin at multiples and end past the largest value") {
    const auto options = VpaHistogramOptions::linear(5.0, 0.3, 0.001);
    REQUIRE(options.has_value());
    CHECK(options->bucket_count() == 18);  // ceil(5 / 0.3) = 17, and the one without an end
    CHECK(options->bucket_start(0) == 0.0);
    CHECK(options->bucket_start(17) == 17 * 0.3);
    CHECK(options->find_bucket(1.3) == 4);
    CHECK(options->find_bucket(-1.0) == 0);
    CHECK(options->find_bucket(1e300) == 17);
    CHECK(options->find_bucket(kInfinity) == 17);
}

TEST_CASE("VpaHistogramOptions: exponential buckets grow by the ratio") {
    // Starts: 0, 1, 1 + 2, 1 + 2 + 4.
    const auto options = VpaHistogramOptions::exponential(7.0, 1.0, 2.0, 0.001);
    REQUIRE(options.has_value());
    CHECK(options->bucket_count() == 4);
    CHECK(options->bucket_start(1) == 1.0);
    CHECK(options->bucket_start(2) == 3.0);
    CHECK(options->bucket_start(3) == 7.0);
    CHECK(options->find_bucket(-5.0) == 0);
    CHECK(options->find_bucket(0.999) == 0);
    CHECK(options->find_bucket(1.0) == 1);
    CHECK(options->find_bucket(2.999) == 1);
    CHECK(options->find_bucket(3.0) == 2);
    CHECK(options->find_bucket(900.0) == 3);
}

TEST_CASE("VpaHistogramOptions: a value on an edge falls where upstream's rounding puts it") {
    const VpaHistogramOptions options = cpu_options();
    CHECK(options.bucket_count() == 176);
    // Bucket 2 begins at 0.01 + 0.0105, which as a double is a little less than 0.0205; yet the
    // quotient of the logarithms is a little less than 2.
    CHECK(options.bucket_start(2) == 0.020499999999999987);
    CHECK(options.find_bucket(0.0205) == 1);
    CHECK(options.find_bucket(0.01) == 1);
    CHECK(options.find_bucket(0.0099) == 0);
}

TEST_CASE("VpaHistogramOptions: what cannot be a scheme is refused") {
    CHECK_FALSE(VpaHistogramOptions::linear(0.0, 1.0, 0.1).has_value());
    CHECK_FALSE(VpaHistogramOptions::linear(1.0, -1.0, 0.1).has_value());
    CHECK_FALSE(VpaHistogramOptions::linear(1.0, 1.0, 0.0).has_value());
    CHECK_FALSE(VpaHistogramOptions::linear(std::nan(""), 1.0, 0.1).has_value());
    CHECK_FALSE(VpaHistogramOptions::linear(1e300, 1e-3, 0.1).has_value());
    CHECK_FALSE(VpaHistogramOptions::exponential(1.0, 0.1, 1.0, 0.1).has_value());
    CHECK_FALSE(VpaHistogramOptions::exponential(1.0, 0.0, 2.0, 0.1).has_value());
    CHECK_FALSE(VpaHistogramOptions::exponential(-1.0, 0.1, 2.0, 0.1).has_value());
}

TEST_CASE("VpaHistogram: a percentile is the end of the bucket in which the weights reach it") {
    VpaHistogram histogram(ten_of_one());
    CHECK(histogram.empty());
    CHECK(histogram.percentile(0.5) == 0.0);
    // Weights 2, 3 and 5 of 10 in the buckets that begin at 1, 2 and 7.
    histogram.add(1.5, 2.0);
    histogram.add(2.0, 3.0);
    histogram.add(7.9, 5.0);
    CHECK(histogram.percentile(0.0) == 2.0);
    CHECK(histogram.percentile(0.2) == 2.0);
    CHECK(histogram.percentile(0.21) == 3.0);
    CHECK(histogram.percentile(0.5) == 3.0);
    CHECK(histogram.percentile(0.51) == 8.0);
    CHECK(histogram.percentile(-1.0) == 2.0);
    CHECK(histogram.percentile(3.0) == 8.0);
}

TEST_CASE("VpaHistogram: the last bucket has no end, so its percentile is its start") {
    VpaHistogram histogram(ten_of_one());
    histogram.add(123.0, 1.0);
    CHECK(histogram.percentile(0.5) == 10.0);
}

TEST_CASE("VpaHistogram: a bucket lighter than epsilon is empty") {
    VpaHistogram histogram(*VpaHistogramOptions::linear(10.0, 1.0, 0.5));
    histogram.add(3.0, 0.4);
    CHECK(histogram.empty());
    histogram.add(3.0, 0.4);
    CHECK_FALSE(histogram.empty());
    CHECK(histogram.percentile(1.0) == 4.0);
    // 0.8 - 0.4 would be less than epsilon: the whole bucket goes.
    histogram.subtract(3.0, 0.4);
    CHECK(histogram.empty());
    CHECK(histogram.total_weight() == 0.0);
    histogram.subtract(3.0, 7.0);
    CHECK(histogram.total_weight() == 0.0);
}

TEST_CASE("VpaHistogram: subtracting the largest value makes the next one the largest") {
    VpaHistogram histogram(ten_of_one());
    histogram.add(2.0, 1.0);
    histogram.add(8.0, 1.0);
    histogram.subtract(8.0, 1.0);
    CHECK(histogram.percentile(1.0) == 3.0);
    histogram.add(5.0, 1.0);
    histogram.subtract(2.0, 1.0);
    CHECK(histogram.percentile(0.0) == 6.0);
}

TEST_CASE("VpaHistogram: merging adds weights bucket by bucket") {
    VpaHistogram one(ten_of_one());
    VpaHistogram two(ten_of_one());
    one.add(4.0, 1.0);
    two.add(1.0, 1.0);
    two.add(4.0, 2.0);
    two.add(9.0, 1.0);
    one.merge(two);
    CHECK(one.total_weight() == 5.0);
    CHECK(one.bucket_weight(4) == 3.0);
    CHECK(one.percentile(0.0) == 2.0);
    CHECK(one.percentile(1.0) == 10.0);
    one.merge(VpaHistogram(ten_of_one()));
    CHECK(one.total_weight() == 5.0);
}

TEST_CASE("VpaDecayingHistogram: a sample counts half a half-life later") {
    VpaDecayingHistogram histogram(ten_of_one(), Duration::hours(1), 0);
    CHECK(histogram.empty());
    histogram.add(2.0, 1.0, at_hour(0));
    histogram.add(3.0, 1.0, at_hour(1));
    histogram.add(4.0, 1.0, at_hour(3));
    CHECK(histogram.weights().bucket_weight(2) == 1.0);
    CHECK(histogram.weights().bucket_weight(3) == 2.0);
    CHECK(histogram.weights().bucket_weight(4) == 8.0);
    // Of 11 parts 1 is the oldest: 9.1 %; with the second 27.3 %.
    CHECK(histogram.percentile(0.09) == 3.0);
    CHECK(histogram.percentile(0.10) == 4.0);
    CHECK(histogram.percentile(0.27) == 4.0);
    CHECK(histogram.percentile(0.28) == 5.0);
    histogram.subtract(4.0, 1.0, at_hour(3));
    CHECK(histogram.percentile(1.0) == 4.0);
}

TEST_CASE("VpaDecayingHistogram: samples out of order weigh what their time says") {
    VpaDecayingHistogram histogram(ten_of_one(), Duration::hours(1), 0);
    histogram.add(4.0, 1.0, at_hour(8));
    histogram.add(2.0, 1.0, at_hour(6));
    CHECK(histogram.weights().bucket_weight(4) == 1.0);
    CHECK(histogram.weights().bucket_weight(2) == 0.25);
}

TEST_CASE("VpaDecayingHistogram: past 100 half-lives the weights are rescaled and go on") {
    VpaDecayingHistogram histogram(ten_of_one(), Duration::hours(1), 0);
    histogram.add(2.0, 1.0, at_hour(0));
    histogram.add(3.0, 1.0, at_hour(100));
    CHECK(histogram.weights().bucket_weight(3) == std::ldexp(1.0, 100));
    // The reference moves to hour 101: what was 2^100 is a half, what was 1 is nothing.
    histogram.add(4.0, 1.0, at_hour(101));
    CHECK(histogram.weights().bucket_weight(4) == 1.0);
    CHECK(histogram.weights().bucket_weight(3) == 0.5);
    CHECK(histogram.weights().bucket_weight(2) == std::ldexp(1.0, -101));
    CHECK(histogram.percentile(0.0) == 4.0);
    // After a leap beyond any exponent only the newest sample is left.
    VpaDecayingHistogram leap(ten_of_one(), Duration::seconds(1), 0);
    leap.add(2.0, 1.0, at_hour(0));
    leap.add(5.0, 1.0, at_hour(2400));
    CHECK(leap.percentile(0.0) == 6.0);
    CHECK(leap.weights().total_weight() == 1.0);
}

TEST_CASE("VpaDecayingHistogram: references lie on multiples of the half-life of the calendar") {
    // The run starts at 00:25, so the nearest whole hour to the first sample is 25 min back: it
    // weighs 2^(25/60). Five minutes later it would be 30 min to come: 2^(-30/60).
    VpaDecayingHistogram early(ten_of_one(), Duration::hours(1), 25 * 60);
    early.add(2.0, 1.0, Time::zero());
    CHECK(early.weights().total_weight() == go_exp2(1500.0 / 3600.0));
    VpaDecayingHistogram late(ten_of_one(), Duration::hours(1), 25 * 60);
    late.add(2.0, 1.0, Time::zero() + Duration::minutes(5));
    CHECK(late.weights().total_weight() == go_exp2(-0.5));
    // Before 1970 the hours are as long.
    VpaDecayingHistogram old(ten_of_one(), Duration::hours(1), 25 * 60 - 7'200'000);
    old.add(2.0, 1.0, Time::zero());
    CHECK(old.weights().total_weight() == go_exp2(1500.0 / 3600.0));
}

TEST_CASE("VpaDecayingHistogram: merging moves the older reference to the newer one") {
    VpaDecayingHistogram one(ten_of_one(), Duration::hours(1), 0);
    VpaDecayingHistogram two(ten_of_one(), Duration::hours(1), 0);
    one.add(1.0, 1.0, at_hour(0));
    one.add(2.0, 1.0, at_hour(1));
    two.add(3.0, 1.0, at_hour(2));
    VpaDecayingHistogram both = one;
    both.merge(two);
    CHECK(both.weights().bucket_weight(1) == 0.25);
    CHECK(both.weights().bucket_weight(2) == 0.5);
    CHECK(both.weights().bucket_weight(3) == 1.0);
    VpaDecayingHistogram other_way = two;
    other_way.merge(one);
    for (std::size_t i = 0; i < 11; ++i) {
        CHECK(other_way.weights().bucket_weight(i) == both.weights().bucket_weight(i));
    }
    VpaDecayingHistogram none(ten_of_one(), Duration::hours(1), 0);
    none.merge(two);
    CHECK(none.weights().bucket_weight(3) == 1.0);
    two.merge(VpaDecayingHistogram(ten_of_one(), Duration::hours(1), 0));
    CHECK(two.weights().total_weight() == 1.0);
}

TEST_CASE("VpaDecayingHistogram: works over the whole time of the simulator") {
    VpaDecayingHistogram histogram(cpu_options(), Duration::hours(24), 4'102'444'800);
    for (std::int64_t day = 0; day <= 100; ++day) {
        histogram.add(0.5, 0.1, at_hour(24 * day));
        histogram.add(2.0, 0.1, at_hour(24 * day));
    }
    // 0.5 lies in [0.47727, 0.51113), 2 in [1.98427, 2.09348).
    CHECK(histogram.percentile(0.49) == Approx(0.51113).epsilon(1e-4));
    CHECK(histogram.percentile(0.9) == Approx(2.09348).epsilon(1e-4));
    VpaDecayingHistogram slow(cpu_options(), Duration::hours(2500), 1);
    slow.add(0.5, 0.1, at_hour(0));
    slow.add(2.0, 0.1, Time::max());
    CHECK_FALSE(slow.empty());
}

}  // namespace
}  // namespace headroom::policies
