#include "analysis/calibration/kernels/gemm_shapes.hpp"

namespace headroom::kernels {

namespace {

using Sizes = std::vector<std::int64_t>;

Shape product(std::int64_t m, std::int64_t n, std::int64_t k) {
    return {{"m", m}, {"n", n}, {"k", k}};
}

}  // namespace

std::vector<Shape> gemm_shapes(Mode mode) {
    const bool full = mode == Mode::full;
    const Sizes tokens = full ? Sizes{1,   2,   4,   8,   16,  32,   48,   64,   80,   96,
                                      128, 160, 192, 256, 512, 1024, 2048, 3072, 4096, 8192}
                              : Sizes{1, 16, 64, 128, 256, 1024, 8192};
    const Sizes widths = full ? Sizes{1024, 2048, 4096, 8192, 16384} : Sizes{1024, 4096, 16384};
    std::vector<Shape> shapes;
    for (const std::int64_t n : widths) {
        for (const std::int64_t k : widths) {
            for (const std::int64_t m : tokens) shapes.push_back(product(m, n, k));
        }
    }
    return shapes;
}

std::vector<Shape> gemm_check_shapes() {
    return {product(1, 1024, 1024), product(5, 2048, 256),   product(17, 1536, 768),
            product(33, 1024, 512), product(128, 512, 2048), product(200, 1024, 512)};
}

const std::vector<LmHead>& lm_heads() {
    static const std::vector<LmHead> heads = {
        {32000, 4096},   {32000, 8192},  {128256, 4096}, {128256, 8192},
        {128256, 16384}, {129280, 7168}, {151936, 2048}, {151936, 4096},
        {151936, 5120},  {152064, 3584}, {152064, 5120}, {152064, 8192},
    };
    return heads;
}

std::vector<Shape> lm_head_shapes(Mode mode) {
    const bool full = mode == Mode::full;
    const Sizes tokens = full ? Sizes{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} : Sizes{1, 64, 512};
    const Sizes parts = full ? Sizes{1, 8} : Sizes{1};
    std::vector<Shape> shapes;
    for (const auto& [vocabulary, hidden] : lm_heads()) {
        for (const std::int64_t part : parts) {
            for (const std::int64_t m : tokens) {
                shapes.push_back(product(m, vocabulary / part, hidden));
            }
        }
    }
    return shapes;
}

std::vector<Shape> lm_head_check_shapes() {
    return {product(1, 4000, 512), product(3, 16032, 256), product(5, 18992, 128),
            product(33, 4000, 256), product(64, 2048, 512)};
}

}  // namespace headroom::kernels
