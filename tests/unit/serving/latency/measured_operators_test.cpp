#include "sim/serving/latency/measured_operators.hpp"

#include <cmath>

#include "sim/core/random.hpp"
#include "tests/catch.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::serving::tests {
namespace {

TransformerLatency measured(const TransformerShape& shape, const OperatorTables& tables,
                            const TransformerOptions& options) {
    return {shape, std::make_shared<MeasuredOperators>(tables, h100()), options};
}

/// Points that wander by up to a tenth around the law, as real ones do, sorted again so that they
/// do not fall.
OperatorTables noisy_tables() {
    OperatorTables tables = synthetic_tables();
    const RandomStream random{5, "test/noisy-tables"};
    std::uint64_t draw = 0;
    const auto shake = [&](std::vector<double>& times) {
        for (double& t : times) t *= 0.9 + 0.2 * random.uniform(draw++, 0);
        for (std::size_t i = 1; i < times.size(); ++i) times[i] = std::max(times[i], times[i - 1]);
    };
    for (auto& column : tables.gemm_bf16) shake(column.t_s);
    for (auto& column : tables.gemm_fp8) shake(column.t_s);
    for (auto& column : tables.decode_attention) shake(column.t_s);
    for (auto& column : tables.prefill_attention) shake(column.t_s);
    return tables;
}

/// What the operators say themselves about a decode step's attention, without tables.
double direct_decode_s(const MeasuredOperators& operators, const TransformerShape& shape,
                       std::int64_t batch, std::int64_t context_each) {
    const double kv_bytes = 2.0 * 2.0 * static_cast<double>(shape.kv_heads * shape.head_size);
    return static_cast<double>(shape.layers) *
           operators.decode_attention(shape.query_heads, shape.kv_heads, kv_bytes, batch,
                                      static_cast<double>(context_each + 1));
}

TEST_CASE("MeasuredOperators: the interpolation reproduces every measured point") {
    const OperatorTables tables = noisy_tables();
    const MeasuredOperators operators(tables, h100());
    for (const bool fp8 : {false, true}) {
        for (const GemmColumn& column : fp8 ? tables.gemm_fp8 : tables.gemm_bf16) {
            for (std::size_t i = 0; i < column.m.size(); ++i) {
                const double t = operators.gemm({column.n, column.k, 1}, column.m[i],
                                                fp8 ? DType::fp8 : DType::bf16);
                REQUIRE(t == Approx(column.t_s[i]).epsilon(1e-12));
            }
        }
    }
    for (const DecodeAttentionColumn& column : tables.decode_attention) {
        for (std::size_t i = 0; i < column.context.size(); ++i) {
            const double t = operators.decode_attention(
                column.query_heads, column.kv_heads, 512.0 * static_cast<double>(column.kv_heads),
                column.batch, static_cast<double>(column.context[i]));
            REQUIRE(t == Approx(column.t_s[i]).epsilon(1e-12));
        }
    }
    for (const PrefillAttentionColumn& column : tables.prefill_attention) {
        for (std::size_t i = 0; i < column.tokens.size(); ++i) {
            const double t = operators.prefill_attention(column.query_heads, column.kv_heads,
                                                         static_cast<double>(column.tokens[i]));
            REQUIRE(t == Approx(column.t_s[i]).epsilon(1e-12));
        }
    }
}

TEST_CASE("MeasuredOperators: between the points of a known law the error stays small") {
    const SyntheticLaw law;
    const OperatorTables tables = synthetic_tables(law);
    const MeasuredOperators operators(tables, h100());
    const RandomStream random{9, "test/measured-law"};
    double worst = 0;
    double sum = 0;
    constexpr std::uint64_t kTries = 2000;
    for (std::uint64_t i = 0; i < kTries; ++i) {
        const Gemm gemm{1024 + static_cast<std::int64_t>(random.below(15000, i, 0)),
                        1024 + static_cast<std::int64_t>(random.below(15000, i, 1)), 1};
        const auto m = static_cast<std::int64_t>(std::exp(9 * random.uniform(i, 2)));
        const double exact = gemm_law(law, tables.ceilings, gemm_work(gemm, m, DType::bf16), false);
        const double error = std::fabs(operators.gemm(gemm, m, DType::bf16) / exact - 1);
        worst = std::max(worst, error);
        sum += error;
    }
    // The knee between memory and arithmetic falls between two points: there it is worst.
    CHECK(sum / kTries < 0.01);
    CHECK(worst < 0.12);
}

TEST_CASE("MeasuredOperators: a smaller KV type is never slower, nor its launch shorter") {
    const MeasuredOperators operators(synthetic_tables(), h100());
    const double bf16 = operators.decode_attention(32, 8, 4096, 64, 4096);
    const double fp8 = operators.decode_attention(32, 8, 2048, 64, 4096);
    CHECK(fp8 == Approx(bf16 / 2).epsilon(0.03));
    CHECK(operators.decode_attention(32, 8, 2048, 1, 128) ==
          Approx(operators.decode_attention(32, 8, 4096, 1, 128)));
}

TEST_CASE("MeasuredOperators: latent attention and other head sizes are the estimate's") {
    const MeasuredOperators operators(synthetic_tables(), h100());
    const EstimatedOperators estimate(h100());
    const EngineShape engine{8, DType::bf16, DType::bf16, 2048, 64};
    const AttentionWork work = attention_work(deepseek_v3(), engine);
    CHECK(operators.attention(work, engine)->decode(16, 16'000).at(16'000) ==
          estimate.attention(work, engine)->decode(16, 16'000).at(16'000));
}

TEST_CASE("MeasuredOperators: a mixture of experts is one product over the touched experts") {
    const OperatorTables tables = synthetic_tables();
    const MeasuredOperators operators(tables, h100());
    const Gemm experts{1536, 2048, 1, 8, 128};
    // One token touches 8 experts, one row each: as wide as 12288.
    const double one = operators.gemm(experts, 1, DType::bf16);
    CHECK(one == Approx(operators.gemm({8 * 1536, 2048, 1}, 1, DType::bf16)).epsilon(0.01));
    CHECK(operators.gemm(experts, 64, DType::bf16) > one);
}

TEST_CASE("TransformerLatency: over measured tables the parts add up to the iteration") {
    const RandomStream random{13, "test/measured-latency"};
    for (const TransformerShape& shape : {kLlama8b, kLlama70b, qwen3_30b_a3b()}) {
        const TransformerLatency model = measured(shape, noisy_tables(), options(2));
        for (std::uint64_t i = 0; i < 500; ++i) {
            IterationShape s = prefill(1 + static_cast<std::int64_t>(random.below(3000, i, 0)),
                                       static_cast<std::int64_t>(random.below(3000, i, 1)));
            s.decode_sequences = static_cast<std::int64_t>(random.below(400, i, 2));
            s.context_tokens = s.decode_sequences * static_cast<std::int64_t>(i * 7);
            s.sampled_tokens += s.decode_sequences;
            REQUIRE(model.breakdown(s).total() == time_of(model, s));
        }
    }
}

TEST_CASE("TransformerLatency: over measured tables the tabulation's own error is below 0.5 %") {
    // Of the attention's time for decodes; for prompts of the iteration's, since a prompt's
    // attention is made convex, which moves it by 1 % where it hardly matters.
    const OperatorTables tables = synthetic_tables();
    const MeasuredOperators operators(tables, h100());
    const RandomStream random{17, "test/tabulation"};
    const TransformerLatency model = measured(kLlama8b, tables, options(1));
    double worst_decode = 0;
    double worst_prompt = 0;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        const auto batch = 1 + static_cast<std::int64_t>(random.below(256, i, 0));
        const auto each = static_cast<std::int64_t>(std::exp(10.4 * random.uniform(i, 1)));
        const double table = model.breakdown(decode(batch, each)).decode_attention.to_seconds();
        const double direct = direct_decode_s(operators, kLlama8b, batch, each);
        worst_decode = std::max(worst_decode, std::fabs(table / direct - 1));
        const auto tokens = 1 + static_cast<std::int64_t>(random.below(8000, i, 2));
        const OperatorBreakdown parts = model.breakdown(prefill(tokens, 0));
        const double untabulated =
            32 * operators.prefill_attention(32, 8, static_cast<double>(tokens));
        worst_prompt =
            std::max(worst_prompt, std::fabs(parts.prefill_attention.to_seconds() - untabulated) /
                                       parts.total().to_seconds());
    }
    INFO("decode " << worst_decode << ", prompt " << worst_prompt);
    CHECK(worst_decode < 0.005);
    CHECK(worst_prompt < 0.001);
}

TEST_CASE("TransformerLatency: measured time never falls with tokens, sequences or context") {
    const RandomStream random{11, "test/measured-monotone"};
    const OperatorTables tables = noisy_tables();
    for (const TransformerShape& shape : {kLlama8b, kLlama70b, qwen3_30b_a3b()}) {
        const TransformerLatency model =
            measured(shape, tables, options(shape.moe ? 2 : 1, DType::fp8));
        for (std::uint64_t i = 0; i < 2000; ++i) {
            const auto batch = 1 + static_cast<std::int64_t>(random.below(250, i, 0));
            const auto each = static_cast<std::int64_t>(std::exp(10 * random.uniform(i, 1)));
            const auto prompt = 1 + static_cast<std::int64_t>(random.below(1500, i, 2));
            const auto before = static_cast<std::int64_t>(random.below(9000, i, 3));
            const auto mixed = [&](std::int64_t d, std::int64_t k, std::int64_t n, std::int64_t p) {
                IterationShape s = prefill(n, p);
                s.decode_sequences = d;
                s.context_tokens = k;
                s.sampled_tokens += d;
                return time_of(model, s);
            };
            const Duration t = mixed(batch, batch * each, prompt, before);
            REQUIRE(mixed(batch + 1, (batch + 1) * each, prompt, before) >= t);
            REQUIRE(mixed(batch, batch * each + 1, prompt, before) >= t);
            REQUIRE(mixed(batch, batch * (each + 1), prompt, before) >= t);
            REQUIRE(mixed(batch, batch * each, prompt + 1, before) >= t);
            REQUIRE(mixed(batch, batch * each, prompt, before + 1) >= t);
        }
    }
}

TEST_CASE("TransformerLatency: a prompt in chunks costs its attention once, each chunk a launch") {
    const OperatorTables tables = synthetic_tables();
    const TransformerLatency model = measured(kLlama8b, tables, options(1));
    const auto attention = [&](std::int64_t tokens, std::int64_t before) {
        return model.breakdown(prefill(tokens, before)).prefill_attention.to_seconds();
    };
    const double launch = attention(1, 0);
    const double whole = attention(6000, 0) - launch;
    const double parts = attention(2048, 0) + attention(2048, 2048) + attention(1904, 4096);
    CHECK(parts - 3 * launch == Approx(whole).epsilon(1e-6));
    // Two equal chunks at the same place in one iteration: twice one, one launch.
    IterationShape two = prefill(700, 300);
    two.prefill_chunks = 2;
    two.prefill_tokens *= 2;
    two.prefill_attention_doubled *= 2;
    CHECK(model.breakdown(two).prefill_attention.to_seconds() - launch ==
          Approx(2 * (attention(700, 300) - launch)).epsilon(1e-9));
}

TEST_CASE("TransformerLatency: a decode line ends at its knot and the next begins no lower") {
    const TransformerLatency model = measured(kLlama8b, noisy_tables(), options(1));
    for (const std::int64_t batch : {1, 7, 64, 256}) {
        IterationShape s = decode(batch, 0);
        int segments = 0;
        while (true) {
            const IterationCost line = model.iteration_cost(s);
            if (line.valid_until == std::numeric_limits<std::int64_t>::max()) break;
            REQUIRE(line.valid_until > s.context_tokens);
            const Duration before = line.at(line.valid_until - 1);
            s.context_tokens = line.valid_until;
            REQUIRE(model.iteration_cost(s).at(s.context_tokens) >= before);
            ++segments;
        }
        CHECK(segments > 40);
    }
}

}  // namespace
}  // namespace headroom::serving::tests
