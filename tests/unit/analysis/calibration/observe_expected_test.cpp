#include "analysis/calibration/observe_expected.hpp"

#include "tests/catch.hpp"
#include "tests/unit/scenarios/shipped_catalogue.hpp"

namespace headroom::analysis {
namespace {

/// Ten requests side by side, each of 1,000 tokens of prompt.
EngineLog ten_at_once() {
    EngineLog log;
    for (int i = 0; i < 10; ++i) {
        LoggedRequest request;
        request.first_token = Time::zero() + Duration::milliseconds(300);
        request.finish = request.first_token + Duration::seconds(5);
        request.prompt_tokens = 1000;
        request.output_tokens = 200;
        log.requests.push_back(request);
    }
    return log;
}

void check_found(const serving::LinearCoefficients& found,
                 const serving::LinearCoefficients& truth) {
    CHECK(found.per_iteration.to_seconds() == Approx(truth.per_iteration.to_seconds()));
    CHECK(found.per_prefill_token.to_seconds() == Approx(truth.per_prefill_token.to_seconds()));
    CHECK(found.per_decode_sequence.to_seconds() == Approx(truth.per_decode_sequence.to_seconds()));
    CHECK(found.per_context_token.to_seconds() == Approx(truth.per_context_token.to_seconds()));
    CHECK(found.per_prefill_attention.to_seconds() ==
          Approx(truth.per_prefill_attention.to_seconds()));
    CHECK(found.per_touched_expert.to_seconds() == Approx(truth.per_touched_expert.to_seconds()));
}

}  // namespace

TEST_CASE("ObserveExpected: the line around a linear time is that time") {
    const serving::LinearCoefficients truth{Duration::microseconds(9000),
                                            Duration::microseconds(45), Duration::microseconds(60),
                                            Duration::nanoseconds(110), Duration::nanoseconds(12)};
    const serving::LinearCoefficients found =
        linear_around(serving::LinearLatency(truth), ten_at_once(), {});
    check_found(found, truth);
}

TEST_CASE("ObserveExpected: of a mixture of experts the line and the reading of experts") {
    ObserveOptions options;
    options.moe.emplace();
    options.moe->experts = 128;
    options.moe->active = 8;
    const serving::LinearCoefficients truth{
        Duration::microseconds(4000), Duration::microseconds(12), Duration::microseconds(40),
        Duration::nanoseconds(80),    Duration::nanoseconds(4),   Duration::microseconds(300)};
    const serving::LinearCoefficients found =
        linear_around(serving::LinearLatency(truth, options.moe), ten_at_once(), options);
    check_found(found, truth);
}

TEST_CASE("ObserveExpected: where a token visits all experts, reading them is a constant") {
    ObserveOptions options;
    options.moe.emplace();
    options.moe->experts = 8;
    options.moe->active = 8;
    const serving::LinearCoefficients truth{Duration::milliseconds(9), Duration::microseconds(45),
                                            Duration::microseconds(60), Duration::nanoseconds(110),
                                            Duration::nanoseconds(12)};
    const serving::LinearCoefficients found =
        linear_around(serving::LinearLatency(truth), ten_at_once(), options);
    CHECK(found.per_touched_expert > Duration::zero());
    CHECK((found.per_iteration + found.per_touched_expert * 8).to_seconds() ==
          Approx(truth.per_iteration.to_seconds()));
    CHECK(found.per_decode_sequence.to_seconds() == Approx(truth.per_decode_sequence.to_seconds()));
}

TEST_CASE("ObserveExpected: an expert takes its weights over the bandwidth") {
    const scenarios::Catalogue& catalogue = scenarios::shipped();
    ObservedIdentity identity;
    identity.model = "qwen3-30b-a3b";
    identity.gpu = "h100-sxm";
    ObserveOptions options;
    options.moe = catalogue.find_model(identity.model)->shape.moe;
    const ExpectedCoefficients expected =
        expected_coefficients(catalogue, identity, ten_at_once(), options);
    REQUIRE(expected.coefficients);
    // 48 layers x 3 x 2048 x 768 weights of 2 bytes: 453 MB at 3.35 TB/s.
    CHECK(expected.coefficients->per_touched_expert > Duration::microseconds(135));
    CHECK(expected.coefficients->per_touched_expert < Duration::microseconds(220));
    // What is left is attention, routing, the LM head and the loop: 3.1 GB and some ms.
    CHECK(expected.coefficients->per_iteration < Duration::milliseconds(6));
}

TEST_CASE("ObserveExpected: no coefficient is 0, whatever the times") {
    const serving::LinearCoefficients flat{Duration::milliseconds(10), Duration::zero(),
                                           Duration::zero(), Duration::zero(), Duration::zero()};
    const serving::LinearCoefficients found =
        linear_around(serving::LinearLatency(flat), ten_at_once(), {});
    // A hundredth each, of the prompt's 1,000 tokens and of 9 sequences at 1,100.
    CHECK(found.per_iteration.to_seconds() == Approx(0.0098));
    CHECK(found.per_prefill_token.to_seconds() == Approx(1e-7));
    CHECK(found.per_decode_sequence.to_seconds() == Approx(1e-4 / 9));
    CHECK(found.per_context_token.to_seconds() == Approx(1e-4 / 9900).epsilon(1e-4));
    CHECK(found.per_prefill_attention.to_seconds() == Approx(2e-10).epsilon(1e-2));
}

TEST_CASE("ObserveExpected: weights over bandwidth and the like, from the catalogue") {
    const scenarios::Catalogue& catalogue = scenarios::shipped();
    ObservedIdentity identity;
    identity.model = "llama-3.1-8b";
    identity.gpu = "rtx-4090";
    const ExpectedCoefficients expected =
        expected_coefficients(catalogue, identity, ten_at_once(), {});
    REQUIRE(expected.coefficients);
    const serving::LinearCoefficients& c = *expected.coefficients;
    // 16.06 GB of weights at 1.008 TB/s, and 2 x 8.0e9 flop a token at 165 Tflop/s.
    CHECK(c.per_iteration > Duration::milliseconds(16));
    CHECK(c.per_iteration < Duration::milliseconds(26));
    CHECK(c.per_prefill_token > Duration::microseconds(90));
    CHECK(c.per_prefill_token < Duration::microseconds(200));
    // 131,072 bytes of keys and values a token.
    CHECK(c.per_context_token > Duration::nanoseconds(130));
    CHECK(c.per_context_token < Duration::nanoseconds(260));

    identity.tensor_parallel = 7;
    const ExpectedCoefficients none = expected_coefficients(catalogue, identity, ten_at_once(), {});
    CHECK_FALSE(none.coefficients);
    CHECK_FALSE(none.error.empty());
}

}  // namespace headroom::analysis
