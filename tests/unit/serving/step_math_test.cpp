#include "sim/serving/step_math.hpp"

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/scale.hpp"

namespace headroom::serving {
namespace {

/// Iteration by iteration, in 128 bits.
struct Loop {
    explicit Loop(const MacroStep& step) : step_(step) {}
    [[nodiscard]] Int128 boundary() const { return time_; }
    void next() {
        time_ += static_cast<Int128>(step_.fixed) +
                 static_cast<Int128>(step_.slope) * (step_.context + step_.growth * done_++);
    }

  private:
    const MacroStep& step_;
    Int128 time_ = 0;
    std::int64_t done_ = 0;
};

MacroStep random_step(std::uint64_t index) {
    const RandomStream random{11, "step"};
    const auto up_to = [&](std::int64_t n, std::uint64_t draw) {
        return static_cast<std::int64_t>(
            random.below(static_cast<std::uint64_t>(n) + 1, index, draw));
    };
    MacroStep step;
    // From 1 ps, where rounding of the double guess is worst, to long iterations.
    const std::int64_t fixed[] = {0, 1'000, 6'500'000'000, 900'000'000'000};
    step.fixed = 1 + up_to(fixed[up_to(3, 0)], 1);
    step.slope = up_to(2, 2) == 0 ? 0 : up_to(100'000, 3);
    step.growth = 1 + up_to(up_to(1, 4) == 0 ? 3 : 500, 5);
    step.context = step.growth * up_to(8'000, 6);
    return step;
}

TEST_CASE("MacroStep: the closed forms of a known step are what one counts by hand") {
    // Two sequences, 10 tokens of context: 100 + 3 * 10, then + 3 * 12, then + 3 * 14.
    const MacroStep step{100, 3, 10, 2};
    CHECK(step.duration_of(0) == 130);
    CHECK(step.duration_of(2) == 142);
    CHECK(step.offset(0) == 0);
    CHECK(step.offset(1) == 130);
    CHECK(step.offset(2) == 266);
    CHECK(step.offset(3) == 408);
    CHECK(step.iterations_within(-5, 9) == 0);
    CHECK(step.iterations_within(129, 9) == 0);
    CHECK(step.iterations_within(130, 9) == 1);
    CHECK(step.iterations_within(407, 9) == 2);
    CHECK(step.iterations_within(408, 9) == 3);
    CHECK(step.iterations_within(1'000'000, 2) == 2);
    CHECK(step.offset_sum(1 + 3, 1 + 9) == 130 + 408);
    CHECK(step.offset_sum(2 + 2 + 3, 4 + 4 + 9) == 266 + 266 + 408);
    CHECK(step.offset_sum(0, 0) == 0);
}

TEST_CASE("MacroStep: offset and duration equal adding up, over random steps") {
    const auto cases = static_cast<std::uint64_t>(headroom::tests::scaled(300, 30));
    for (std::uint64_t i = 0; i < cases; ++i) {
        const MacroStep step = random_step(i);
        INFO("case " << i);
        Loop loop(step);
        bool equal = true;
        for (std::int64_t j = 0; j < 3000 && step.fits(j + 1); ++j) {
            equal = equal && step.offset(j) == static_cast<std::int64_t>(loop.boundary());
            const Int128 before = loop.boundary();
            loop.next();
            equal =
                equal && step.duration_of(j) == static_cast<std::int64_t>(loop.boundary() - before);
        }
        CHECK(equal);
    }
}

TEST_CASE("MacroStep: iterations_within finds every boundary exactly, over random steps") {
    const auto cases = static_cast<std::uint64_t>(headroom::tests::scaled(300, 30));
    for (std::uint64_t i = 0; i < cases; ++i) {
        const MacroStep step = random_step(i);
        INFO("case " << i);
        std::int64_t limit = MacroStep::kMaxIterations;
        while (!step.fits(limit)) limit /= 2;
        bool exact = true;
        for (std::int64_t j = 1; j <= limit; j = j < 200 ? j + 1 : j + j / 7) {
            const std::int64_t boundary = step.offset(j);
            exact = exact && step.iterations_within(boundary, limit) == j;
            exact = exact && step.iterations_within(boundary - 1, limit) == j - 1;
            exact = exact && step.iterations_within(boundary, j - 1) == j - 1;
        }
        exact = exact && step.iterations_within(0, limit) == 0;
        CHECK(exact);
    }
}

TEST_CASE("MacroStep: offset_sum equals adding up offsets, over random sets of iterations") {
    const RandomStream random{12, "iterations"};
    const auto cases = static_cast<std::uint64_t>(headroom::tests::scaled(2000, 200));
    bool equal = true;
    for (std::uint64_t i = 0; i < cases; ++i) {
        const MacroStep step = random_step(i);
        const std::uint64_t count = random.below(50, i, 0);
        Int128 sum = 0;
        std::int64_t sum_j = 0;
        std::int64_t sum_j2 = 0;
        for (std::uint64_t m = 0; m < count; ++m) {
            // A few far out, where a sum of offsets leaves 64 bits.
            const auto j =
                static_cast<std::int64_t>(random.below(m % 9 == 0 ? 60'000 : 300, i, 1 + m));
            if (!step.fits(j)) continue;
            sum += step.offset(j);
            sum_j += j;
            sum_j2 += j * j;
        }
        equal = equal && step.offset_sum(sum_j, sum_j2) == sum;
    }
    CHECK(equal);
}

TEST_CASE("MacroStep: fits tells where offsets would leave 2^62 ps") {
    CHECK(MacroStep{1, 0, 0, 1}.fits(MacroStep::kMaxIterations));
    const std::int64_t half = std::int64_t{1} << 61;
    CHECK(MacroStep{half, 0, 0, 1}.fits(1));
    CHECK_FALSE(MacroStep{half, 0, 0, 1}.fits(2));
    // Beyond 64 bits the answer must still be right.
    CHECK_FALSE(MacroStep{half, half, 1'000'000, 500}.fits(MacroStep::kMaxIterations));
}

}  // namespace
}  // namespace headroom::serving
