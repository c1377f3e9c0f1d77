#include "sim/serving/latency/transformer.hpp"

#include "tests/catch.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::serving::tests {
namespace {

TransformerShape mixtral() {
    TransformerShape shape{32, 4096, 0, 32, 8, 128, 32000};
    shape.moe = MixtureOfExperts{8, 2, 14336, 0, 0};
    return shape;
}

GpuSpec gpu_with(std::int64_t memory_bytes) {
    GpuSpec gpu;
    gpu.memory = Bytes{memory_bytes};
    return gpu;
}

EngineShape engine(std::int64_t tp, std::int64_t tokens, std::int64_t seqs) {
    EngineShape e;
    e.tp = tp;
    e.max_num_batched_tokens = tokens;
    e.max_num_seqs = seqs;
    return e;
}

TEST_CASE("Transformer: counts the parameters of llama-3.1-8b exactly") {
    // 32 (qkv 6144 h + o h h + 3 h f + 2 h) + 2 V h + h
    CHECK(parameter_count(kLlama8b) == 8'030'261'248);
    CHECK(weight_bytes(kLlama8b, DType::bf16).count() == 16'060'522'496);
    // fp8 halves the layers' matrices only: 6,979,321,856 parameters of one byte.
    CHECK(weight_bytes(kLlama8b, DType::fp8).count() == 9'081'200'640);
}

TEST_CASE("Transformer: a tied LM head is stored once") {
    TransformerShape tied = kLlama8b;
    tied.tied_embeddings = true;
    CHECK(parameter_count(kLlama8b) - parameter_count(tied) == 128256 * 4096);
}

TEST_CASE("Transformer: a token of a mixture of experts computes with its active experts") {
    CHECK(static_cast<double>(parameter_count(mixtral())) == Approx(46.7e9).epsilon(0.001));
    CHECK(static_cast<double>(active_parameter_count(mixtral())) == Approx(12.88e9).epsilon(0.001));
    CHECK(static_cast<double>(parameter_count(deepseek_v3())) == Approx(671e9).epsilon(0.002));
    CHECK(static_cast<double>(active_parameter_count(deepseek_v3())) == Approx(37e9).epsilon(0.03));
    CHECK(active_parameter_count(kLlama8b) == parameter_count(kLlama8b));
}

TEST_CASE("Transformer: KV bytes are split over ranks but no KV head is") {
    CHECK(kv_bytes_per_token(kLlama8b, DType::bf16, 1).count() == 131'072);
    CHECK(kv_bytes_per_token(kLlama8b, DType::fp8, 1).count() == 65'536);
    CHECK(kv_bytes_per_token(kLlama8b, DType::bf16, 8).count() == 16'384);
    CHECK(kv_bytes_per_token(kLlama8b, DType::bf16, 16).count() == 16'384);
    // Latent attention: 61 (512 + 64) values on every rank.
    CHECK(kv_bytes_per_token(deepseek_v3(), DType::bf16, 1).count() == 70'272);
    CHECK(kv_bytes_per_token(deepseek_v3(), DType::bf16, 8).count() == 70'272);
}

TEST_CASE("Transformer: splits over ranks that divide the heads") {
    TransformerShape qwen{28, 3584, 18944, 28, 4, 128, 152064};
    CHECK(splits_over(qwen, 1));
    CHECK(splits_over(qwen, 4));
    CHECK_FALSE(splits_over(qwen, 8));
    CHECK_FALSE(splits_over(qwen, 3));
    CHECK_FALSE(splits_over(qwen, 0));
    CHECK(splits_over(kLlama8b, 16));  // each KV head on two ranks
    CHECK_FALSE(splits_over(kLlama8b, 64));
    CHECK(splits_over(deepseek_v3(), 16));
}

TEST_CASE("Transformer: the ranks' weights add up to the model plus what each of them keeps") {
    const std::int64_t norms = 2 * (2 * kLlama70b.layers + 1) * kLlama70b.hidden;
    const std::int64_t whole = weight_bytes(kLlama70b, DType::bf16).count();
    for (const std::int64_t tp : {1, 2, 4, 8}) {
        const std::int64_t rank = weight_bytes_per_rank(kLlama70b, DType::bf16, tp).count();
        CHECK(rank * tp == whole + (tp - 1) * norms);
    }
}

TEST_CASE("Transformer: KV blocks of llama-3.1-8b on an RTX 4090 are vLLM's within 2 %") {
    // vLLM 0.19 recorded 2588 blocks with 25,250,627,584 B, 2048 tokens and 256 sequences.
    const KvRoom room = kv_blocks(kLlama8b, gpu_with(25'250'627'584), engine(1, 2048, 256));
    CHECK(static_cast<double>(room.blocks) == Approx(2588).epsilon(0.02));
    CHECK(static_cast<double>(room.reserve.count()) == Approx(1.24e9).epsilon(0.02));
}

TEST_CASE("Transformer: KV blocks are the room over the block size, less the null block") {
    const EngineShape e = engine(1, 8192, 1024);
    const GpuSpec h100 = gpu_with(80'998 * (std::int64_t{1} << 20));
    const KvRoom room = kv_blocks(kLlama8b, h100, e);
    const std::int64_t requested = (h100.memory.count() * 9 + 9) / 10;
    const std::int64_t free = requested - 16'060'522'496 - activation_reserve(kLlama8b, e).count();
    CHECK(room.blocks == free / (16 * 131'072) - 1);
    CHECK(room.blocks > 26'000);  // about 430,000 tokens
    CHECK(room.blocks < 28'500);
    CHECK(room.gpus_needed == 1);
}

TEST_CASE("Transformer: a model that does not fit says how many GPUs it takes") {
    const GpuSpec l40s = gpu_with(47'674'000'000);
    const KvRoom none = kv_blocks(kLlama70b, l40s, engine(1, 2048, 256));
    CHECK(none.blocks == 0);
    CHECK(none.gpus_needed == 4);  // 141 GB of weights; 2 x 42.9 GB are too few, 3 do not divide
    CHECK(kv_blocks(kLlama70b, l40s, engine(4, 2048, 256)).blocks > 0);
    CHECK(kv_blocks(kLlama70b, gpu_with(1'000'000'000), engine(1, 2048, 256)).gpus_needed == 0);
}

TEST_CASE("Transformer: more memory never means fewer blocks") {
    std::int64_t last = 0;
    for (std::int64_t gb = 10; gb < 200; gb += 3) {
        const KvRoom room = kv_blocks(kLlama8b, gpu_with(gb * 1'000'000'000), engine(1, 2048, 256));
        CHECK(room.blocks >= last);
        last = room.blocks;
    }
}

}  // namespace
}  // namespace headroom::serving::tests
