#include "sim/serving/latency/linear_latency.hpp"

#include "tests/catch.hpp"

namespace headroom::serving {

namespace {

IterationShape shape_of(std::int64_t prefill, std::int64_t decodes, std::int64_t context) {
    IterationShape shape;
    shape.prefill_tokens = prefill;
    shape.prefill_attention_doubled = prefill * prefill;
    shape.prefill_chunks = prefill > 0 ? 1 : 0;
    shape.decode_sequences = decodes;
    shape.context_tokens = context;
    return shape;
}

const LinearCoefficients kDense{Duration::picoseconds(1000), Duration::picoseconds(100),
                                Duration::picoseconds(50), Duration::picoseconds(3),
                                Duration::picoseconds(5)};

LinearCoefficients with_experts(std::int64_t ps) {
    LinearCoefficients c = kDense;
    c.per_touched_expert = Duration::picoseconds(ps);
    return c;
}

MixtureOfExperts mixture(std::int64_t experts, std::int64_t active) {
    MixtureOfExperts moe;
    moe.experts = experts;
    moe.active = active;
    return moe;
}

}  // namespace

TEST_CASE("LinearLatency: the sum of its terms") {
    const LinearLatency latency(kDense);
    // 1000 + 7 * 100 + 4 * 50 + 5 * 49 / 2, rounded down.
    const IterationCost cost = latency.iteration_cost(shape_of(7, 4, 90));
    CHECK(cost.fixed == Duration::picoseconds(1000 + 700 + 200 + 122));
    CHECK(cost.per_context_token == Duration::picoseconds(3));
}

TEST_CASE("LinearLatency: of a mixture of experts each expert touched is read once") {
    // 4 experts, 1 of them a token: 1, 1.75, 2.3125, ... of them are touched.
    const LinearLatency latency(with_experts(1600), mixture(4, 1));
    const auto more_than_dense = [&](const IterationShape& shape) {
        return latency.iteration_cost(shape).fixed -
               LinearLatency(kDense).iteration_cost(shape).fixed;
    };
    CHECK(more_than_dense(shape_of(0, 1, 10)) == Duration::picoseconds(1600));
    CHECK(more_than_dense(shape_of(0, 2, 20)) == Duration::picoseconds(2800));
    CHECK(more_than_dense(shape_of(2, 1, 10)) == Duration::picoseconds(3700));
    // Where more tokens touch no more, all of them are.
    CHECK(more_than_dense(shape_of(0, 1000, 10)) == Duration::picoseconds(6400));
    CHECK(more_than_dense(shape_of(100'000, 1000, 10)) == Duration::picoseconds(6400));
}

TEST_CASE("LinearLatency: reading experts never falls with the tokens") {
    for (const MixtureOfExperts& moe : {mixture(256, 8), mixture(128, 8), mixture(8, 2)}) {
        const LinearLatency latency(with_experts(123'456'789), moe);
        Duration before;
        for (std::int64_t tokens = 1; tokens < 3000; ++tokens) {
            const Duration now = latency.iteration_cost(shape_of(0, tokens, 0)).fixed -
                                 Duration::picoseconds(50 * tokens);
            REQUIRE(now >= before);
            before = now;
        }
    }
}

TEST_CASE("LinearLatency: without experts, or a time to read one, there is nothing to read") {
    const IterationShape shape = shape_of(3, 5, 100);
    const Duration dense = LinearLatency(kDense).iteration_cost(shape).fixed;
    CHECK(LinearLatency(with_experts(1600)).iteration_cost(shape).fixed == dense);
    CHECK(LinearLatency(kDense, mixture(128, 8)).iteration_cost(shape).fixed == dense);
}

TEST_CASE("LinearLatency: what is too long for a duration is the longest one") {
    const LinearCoefficients huge{Duration::max(), Duration::max(), {}, {}, {}, Duration::max()};
    CHECK(LinearLatency(huge, mixture(8, 2)).iteration_cost(shape_of(1, 1, 0)).fixed ==
          Duration::max());
}

}  // namespace headroom::serving
