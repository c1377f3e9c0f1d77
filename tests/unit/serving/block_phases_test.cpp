#include "sim/serving/block_phases.hpp"

#include <cstdint>
#include <iterator>
#include <vector>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"

namespace headroom::serving {
namespace {

/// Sequences by their computed tokens, advanced one iteration at a time.
class CountedOneByOne {
  public:
    CountedOneByOne(std::int64_t block_size, std::vector<std::int64_t> computed)
        : block_size_(block_size), computed_(std::move(computed)) {}

    /// Blocks that the next iteration takes.
    std::int64_t step() {
        std::int64_t taken = 0;
        for (std::int64_t& computed : computed_) {
            if (computed % block_size_ == 0) ++taken;
            ++computed;
        }
        return taken;
    }

  private:
    std::int64_t block_size_;
    std::vector<std::int64_t> computed_;
};

TEST_CASE("BlockPhases: closed forms equal the count one iteration at a time") {
    const RandomStream random{11, "block phases"};
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        std::uint64_t draw = 0;
        const auto below = [&](std::uint64_t n) {
            return static_cast<std::int64_t>(random.below(n, seed, draw++));
        };
        constexpr std::int64_t kSizes[] = {1, 2, 3, 8, 16, 16, 20, 24, 32, 63, 64, 72, 100, 128};
        const std::int64_t block_size = kSizes[below(std::size(kSizes))];
        const std::int64_t sequences = 1 + below(6);
        BlockPhases phases(block_size);
        phases.advance(below(1000));
        std::vector<std::int64_t> computed;
        for (std::int64_t i = 0; i < sequences; ++i) {
            computed.push_back(1 + below(500));
            std::int64_t phase = phases.join(computed.back());
            // One that is left out of an iteration is where it would be with a token less.
            if (i % 2 == 0) continue;
            phase = phases.delay(phase);
            --computed.back();
        }
        // One that joined and left again leaves no trace.
        phases.leave(phases.join(77));

        const std::int64_t iterations = 1 + below(static_cast<std::uint64_t>(5 * block_size));
        const std::int64_t room = below(20);
        CountedOneByOne slow(block_size, computed);
        BlockPhases::Taken expected;
        std::int64_t fits = 0;
        for (std::int64_t j = 0; j < iterations; ++j) {
            const std::int64_t taken = slow.step();
            CHECK(phases.due_after(j) == taken);
            expected.count += taken;
            expected.sum_j += taken * j;
            expected.sum_j2 += taken * j * j;
            if (expected.count <= room) fits = j + 1;
        }
        INFO("seed " << seed << ", block size " << block_size << ", iterations " << iterations);
        const BlockPhases::Taken taken = phases.taken(iterations);
        CHECK(taken.count == expected.count);
        CHECK(taken.sum_j == expected.sum_j);
        CHECK(taken.sum_j2 == expected.sum_j2);
        CHECK(phases.iterations_within(room, sequences, iterations) == fits);
    }
}

TEST_CASE("BlockPhases: counts stay exact however many sequences share a phase") {
    for (const std::int64_t size : {16, 64}) {
        BlockPhases one(size);
        (void)one.join(size - 3);
        const BlockPhases::Taken expected = one.taken(5 * size + 7);
        BlockPhases many(size);
        std::int64_t phase = 0;
        for (std::int64_t n = 1; n <= 40'000; ++n) {
            phase = many.join(size - 3);
            const bool telling = n < 3 || n == 8191 || n == 8192 || n == 32'768 || n == 40'000;
            if (!telling) continue;
            INFO("block size " << size << ", " << n << " sequences");
            CHECK(many.due_after(3) == n);
            CHECK(many.taken(5 * size + 7).count == n * expected.count);
            CHECK(many.taken(5 * size + 7).sum_j == n * expected.sum_j);
            CHECK(many.taken(5 * size + 7).sum_j2 == n * expected.sum_j2);
        }
        many.leave(phase);
        CHECK(many.due_after(3) == 39'999);
    }
}

TEST_CASE("BlockPhases: without room no iteration fits, with enough all do") {
    BlockPhases phases(16);
    CHECK(phases.join(13) == 3);
    CHECK(phases.iterations_within(-1, 1, 100) == 0);
    CHECK(phases.iterations_within(0, 1, 100) == 3);
    CHECK(phases.iterations_within(1, 1, 100) == 19);
    CHECK(phases.iterations_within(1000, 1, 100) == 100);
    phases.advance(3);
    CHECK(phases.due() == 1);
    CHECK(phases.iterations_within(0, 1, 100) == 0);
}

}  // namespace
}  // namespace headroom::serving
