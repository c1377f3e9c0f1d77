#include "sim/serving/latency/transformer_latency.hpp"

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::serving::tests {
namespace {

TEST_CASE(
    "TransformerLatency: one decode step of llama-3.1-8b on an H100 is the sum done by hand") {
    const TransformerLatency model = estimate(kLlama8b, h100(), options(1));
    const OperatorBreakdown parts = model.breakdown(decode(1, 1000));
    const double bw = 0.80 * 3.35e12;
    // Per layer: 6144x4096, 4096x4096, 28672x4096, 4096x14336 weights and a row in and out of each.
    const double weights = 2.0 * 4096 * (6144 + 4096 + 28672 + 14336);
    const double rows = 2.0 * ((4096 + 6144) + (4096 + 4096) + (4096 + 28672) + (14336 + 4096));
    CHECK(microseconds(parts.gemm) == Approx(32 * (12 + (weights + rows) / bw * 1e6)));
    // KV of 1000 + 1 tokens, 4096 B a layer, and 5 us a layer.
    CHECK(microseconds(parts.decode_attention) ==
          Approx(32 * (5 + 1001 * 4096.0 / bw * 1e6)).epsilon(1e-4));
    CHECK(microseconds(parts.lm_head) ==
          Approx(3 + 2.0 * (128256.0 * 4096 + 4096 + 128256) / bw * 1e6));
    CHECK(microseconds(parts.sampling) == Approx(3 + 128256 * 10.0 / bw * 1e6));
    CHECK(parts.host == Duration::microseconds(1005));
    CHECK(parts.communication == Duration::zero());
    CHECK(parts.prefill_attention == Duration::zero());
    // Norms (65), rotary + append (32), activation (32), embedding (1): 3 us each and a few kB.
    CHECK(microseconds(parts.elementwise) > 130 * 3.0);
    CHECK(microseconds(parts.elementwise) < 130 * 3.1);
    // Public vLLM figures for one stream lie between 120 and 145 tokens/s.
    CHECK(parts.total().to_seconds() == Approx(1.0 / 132).epsilon(0.02));
}

TEST_CASE("TransformerLatency: prefill attention is causal flop at half the bf16 rate") {
    const TransformerLatency model = estimate(kLlama8b, h100(), options(1));
    // 32 layers, 4 * 32 * 128 flop a pair, 1000 (3000 + 500) pairs.
    const double seconds = 32 * 4.0 * 32 * 128 * 1000 * 3500 / (0.5 * 989e12);
    const OperatorBreakdown parts = model.breakdown(prefill(1000, 3000));
    CHECK(microseconds(parts.prefill_attention) == Approx(32 * 5 + seconds * 1e6).epsilon(1e-5));
    CHECK(parts.decode_attention == Duration::zero());
}

TEST_CASE("TransformerLatency: an all-reduce scales with the link") {
    const TransformerLatency nvlink = estimate(kLlama8b, h100(), options(2));
    GpuSpec slow = h100();
    slow.link = LinkKind::pcie;
    slow.link_bytes_per_s = 45e9;
    const TransformerLatency pcie = estimate(kLlama8b, slow, options(2));
    const IterationShape shape = prefill(2048, 0);
    const double bytes = 2048.0 * 4096 * 2;
    const double gather = 128256.0 * 2;  // logits of one token
    CHECK(microseconds(nvlink.breakdown(shape).communication) ==
          Approx(65 * (4 + bytes / 330e3) + 4 + 0.5 * gather / 330e3));
    CHECK(microseconds(pcie.breakdown(shape).communication) ==
          Approx(65 * (4 + bytes / 33e3) + 4 + 0.5 * gather / 33e3));
}

TEST_CASE(
    "TransformerLatency: the parts add up to the iteration's time, inside and past the tables") {
    const RandomStream random{7, "test/estimated-latency"};
    for (const TransformerShape& shape : {kLlama8b, kLlama70b, qwen3_30b_a3b(), deepseek_v3()}) {
        const TransformerLatency model = estimate(shape, h100(), options(4));
        for (std::uint64_t i = 0; i < 300; ++i) {
            IterationShape s;
            s.decode_sequences = static_cast<std::int64_t>(random.below(700, i, 0));
            s.prefill_tokens = static_cast<std::int64_t>(random.below(6000, i, 1));
            s.prefill_chunks = s.prefill_tokens > 0 ? 1 : 0;
            s.prefill_attention_doubled = s.prefill_tokens * s.prefill_tokens;
            s.context_tokens =
                s.decode_sequences * static_cast<std::int64_t>(random.below(9000, i, 2));
            s.sampled_tokens = s.decode_sequences + s.prefill_chunks;
            REQUIRE(model.breakdown(s).total() == time_of(model, s));
        }
    }
}

TEST_CASE("TransformerLatency: time never falls as tokens, batch or context grow") {
    const RandomStream random{11, "test/estimated-latency"};
    for (const TransformerShape& shape : {kLlama8b, kLlama70b, qwen3_30b_a3b(), deepseek_v3()}) {
        for (const DType dtype : {DType::bf16, DType::fp8}) {
            const TransformerLatency model = estimate(shape, h100(), options(2, dtype));
            for (std::uint64_t i = 0; i < 500; ++i) {
                IterationShape s;
                s.decode_sequences = static_cast<std::int64_t>(random.below(400, i, 0));
                s.prefill_tokens = static_cast<std::int64_t>(random.below(3000, i, 1));
                s.prefill_chunks = static_cast<std::int64_t>(random.below(4, i, 2));
                s.prefill_attention_doubled =
                    static_cast<std::int64_t>(random.below(1u << 30, i, 3));
                s.context_tokens = static_cast<std::int64_t>(random.below(1u << 22, i, 4));
                s.sampled_tokens = static_cast<std::int64_t>(random.below(500, i, 5));
                const Duration before = time_of(model, s);
                const auto no_faster = [&](std::int64_t IterationShape::*field) {
                    IterationShape more = s;
                    more.*field += 1 + static_cast<std::int64_t>(random.below(3, i, 6));
                    return time_of(model, more) >= before;
                };
                REQUIRE(no_faster(&IterationShape::decode_sequences));
                REQUIRE(no_faster(&IterationShape::prefill_tokens));
                REQUIRE(no_faster(&IterationShape::prefill_chunks));
                REQUIRE(no_faster(&IterationShape::prefill_attention_doubled));
                REQUIRE(no_faster(&IterationShape::context_tokens));
                REQUIRE(no_faster(&IterationShape::sampled_tokens));
            }
        }
    }
}

TEST_CASE(
    "TransformerLatency: tensor parallelism conserves the flop and the weights of the products") {
    TransformerShape moe = qwen3_30b_a3b();
    for (const TransformerShape& shape : {kLlama8b, kLlama70b, moe}) {
        const auto sum = [&shape](std::int64_t tp) {
            GemmWork total;
            for (const Gemm& gemm : token_gemms(shape, tp)) {
                if (!gemm.quantised) continue;  // the router runs on every rank
                const GemmWork one = gemm_work(gemm, 64, DType::bf16);
                const double ranks = static_cast<double>(tp * gemm.count);
                total.flop += ranks * one.flop;
                total.weight_bytes += ranks * one.weight_bytes;
            }
            return total;
        };
        const GemmWork one = sum(1);
        for (const std::int64_t tp : {2, 4, 8}) {
            if (tp > shape.kv_heads) continue;  // KV heads are replicated from there on
            CHECK(sum(tp).flop == Approx(one.flop).epsilon(1e-12));
            CHECK(sum(tp).weight_bytes == Approx(one.weight_bytes).epsilon(1e-12));
        }
    }
}

TEST_CASE("TransformerLatency: the context slope is whole picoseconds, rounded down") {
    const TransformerLatency model = estimate(kLlama8b, h100(), options(1));
    const IterationCost cost = model.iteration_cost(decode(8, 500));
    // 131072 B over 2.68 TB/s = 48,907.46 ps
    CHECK(cost.per_context_token == Duration::picoseconds(48'907));
    CHECK(cost.fixed > Duration::milliseconds(7));
    CHECK(model.iteration_cost({}).fixed == Duration::milliseconds(1));  // the host alone
}

TEST_CASE("TransformerLatency: fp8 and more GPUs are faster, and not by more than they can be") {
    const TransformerLatency bf16 = estimate(kLlama70b, h100(), options(4));
    const TransformerLatency fp8 = estimate(kLlama70b, h100(), options(4, DType::fp8));
    const TransformerLatency wide = estimate(kLlama70b, h100(), options(8));
    for (const std::int64_t batch : {1, 16, 128}) {
        const double base = time_of(bf16, decode(batch, 1000)).to_seconds();
        const double quantised = time_of(fp8, decode(batch, 1000)).to_seconds();
        const double doubled = time_of(wide, decode(batch, 1000)).to_seconds();
        CHECK(quantised < base);
        CHECK(quantised > base / 2);
        CHECK(doubled < base);
        CHECK(doubled > base / 2);
    }
}

TEST_CASE("TransformerLatency: the picoseconds are the same with every compiler") {
    // Golden values: any change of them changes digests of scenarios that use an estimate.
    const TransformerLatency dense = estimate(kLlama8b, h100(), options(1));
    const TransformerLatency sparse = estimate(deepseek_v3(), h100(), options(8, DType::fp8));
    CHECK(time_of(dense, decode(32, 1000)).ps() == 9'407'432'583);
    CHECK(time_of(dense, prefill(2000, 100)).ps() == 56'008'096'297);
    CHECK(time_of(sparse, decode(32, 1000)).ps() == 26'856'332'413);
    CHECK(time_of(sparse, decode(700, 1000)).ps() == 75'088'029'339);
}

}  // namespace
}  // namespace headroom::serving::tests
