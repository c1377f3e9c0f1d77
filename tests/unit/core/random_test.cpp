#include "sim/core/random.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/catch.hpp"

namespace headroom {
namespace {

TEST_CASE("RandomStream: Philox4x32-10 gives the known answers that Random123 publishes") {
    struct Vector {
        std::array<std::uint32_t, 4> counter;
        std::array<std::uint32_t, 2> key;
        std::array<std::uint32_t, 4> answer;
    };
    // Random123 1.14, tests/kat_vectors, the lines "philox4x32 10".
    const std::vector<Vector> vectors = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const Vector& v : vectors) {
        const r123::Philox4x32::ctr_type counter = {
            {v.counter[0], v.counter[1], v.counter[2], v.counter[3]}};
        const r123::Philox4x32::key_type key = {{v.key[0], v.key[1]}};
        const auto block = r123::Philox4x32{}(counter, key);
        for (unsigned i = 0; i < 4; ++i) CHECK(block[i] == v.answer[i]);
    }
}

TEST_CASE("RandomStream: draws are fixed for all time") {
    const RandomStream stream{42, "source/users/prompt"};
    CHECK(stream.bits(0) == 0x24481aaf94a6a051ULL);
    CHECK(stream.bits(1) == 0x445ece8c2582365eULL);
    CHECK(stream.bits(1, 1) == 0x7304cf06be62af19ULL);
    CHECK(stream.bits(0x123456789abcdef0ULL, 77) == 0x49cf72e68b452e6dULL);
    CHECK(RandomStream{}.bits(0) == 0xa8459aa0e769cb0bULL);
    CHECK(stream.uniform(7) == 0x1.f17f0962df2p-10);
}

TEST_CASE("RandomStream: a pair holds what two single draws return") {
    const RandomStream stream{7, "pairs"};
    for (std::uint64_t index = 0; index < 100; ++index) {
        const auto [even, odd] = stream.bits2(index, 3);
        CHECK(even == stream.bits(index, 6));
        CHECK(odd == stream.bits(index, 7));
    }
}

TEST_CASE("RandomStream: many draws at once are those drawn pair by pair") {
    const RandomStream stream{7, "many"};
    for (const std::uint64_t index : {0ULL, 5ULL, 0x123456789abcdef0ULL}) {
        // Over the end of the counter's lower word too.
        for (const std::uint64_t first : {0ULL, 7ULL, 0xfffffffcULL, 1ULL << 50}) {
            std::array<std::uint64_t, 2 * RandomStream::kBlocks> draws{};
            stream.fill(index, first, draws);
            for (std::size_t i = 0; i < RandomStream::kBlocks; ++i) {
                const auto [even, odd] = stream.bits2(index, first + i);
                CHECK(draws[2 * i] == even);
                CHECK(draws[2 * i + 1] == odd);
            }
        }
    }
}

TEST_CASE("UniformSequence: gives the draws of one index in their order") {
    const RandomStream stream{7, "sequence"};
    UniformSequence draws(stream, 5);
    for (std::uint64_t draw = 0; draw < 101; ++draw) CHECK(draws.next() == stream.uniform(5, draw));
}

TEST_CASE("RandomStream: another seed, name, index or draw gives other numbers") {
    const RandomStream stream{1, "a"};
    CHECK(stream.bits(0) != RandomStream(2, "a").bits(0));
    CHECK(stream.bits(0) != RandomStream(1, "b").bits(0));
    CHECK(stream.bits(0) != stream.bits(1));
    CHECK(stream.bits(0) != stream.bits(0, 1));
    CHECK(stream.bits(0, 2) != stream.bits(2, 0));
    CHECK(stream.bits(1ULL << 32) != stream.bits(0));
}

TEST_CASE("RandomStream: uniform excludes both ends") {
    CHECK(RandomStream::to_uniform(0) == 0x1p-53);
    CHECK(RandomStream::to_uniform(~0ULL) == 1.0 - 0x1p-53);
    CHECK(RandomStream::to_uniform(1ULL << 63) > 0.5);
}

TEST_CASE("RandomStream: uniform has the moments and spread of a uniform number") {
    const RandomStream stream{3, "moments"};
    constexpr int kDraws = 200000;
    double sum = 0, squares = 0, product = 0, last = 0.5;
    std::array<int, 16> cells{};
    for (std::uint64_t i = 0; i < kDraws; ++i) {
        const double u = stream.uniform(i);
        sum += u;
        squares += u * u;
        product += (u - 0.5) * (last - 0.5);
        last = u;
        ++cells[static_cast<std::size_t>(u * 16)];
    }
    CHECK(sum / kDraws == Approx(0.5).margin(5 * 0.2887 / std::sqrt(kDraws)));
    CHECK(squares / kDraws == Approx(1.0 / 3).margin(5 * 0.2981 / std::sqrt(kDraws)));
    CHECK(std::fabs(product / kDraws) < 5.0 / 12 / std::sqrt(kDraws));
    double chi_squared = 0;
    for (const int n : cells)
        chi_squared += (n - kDraws / 16.0) * (n - kDraws / 16.0) / (kDraws / 16.0);
    CHECK(chi_squared < 44.3);  // 15 degrees of freedom: passed by all but one in 10^4
}

TEST_CASE("RandomStream: below reaches every number under its limit and no other") {
    const RandomStream stream{5, "below"};
    std::array<int, 7> seen{};
    for (std::uint64_t i = 0; i < 7000; ++i) ++seen.at(stream.below(7, i));
    for (const int n : seen) CHECK(std::abs(n - 1000) < 150);
    for (std::uint64_t i = 0; i < 10; ++i) CHECK(stream.below(1, i) == 0);
}

}  // namespace
}  // namespace headroom
