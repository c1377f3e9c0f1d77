// The float64 references that CUDA kernels are checked against, on cases computed by hand.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analysis/calibration/kernels/gemm_shapes.hpp"
#include "analysis/calibration/kernels/quantile.hpp"
#include "analysis/calibration/kernels/reference.hpp"
#include "tests/catch.hpp"

namespace headroom::kernels {
namespace {

using Values = std::vector<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

}  // namespace

TEST_CASE("KernelReference: bf16 is the upper half of a float") {
    CHECK(reference::bf16_value(0x3f80) == 1.0);
    CHECK(reference::bf16_value(0xc040) == -3.0);
    CHECK(reference::bf16_value(0x3f81) == 1.0078125);
    CHECK(reference::bf16_value(0x7f80) == kInfinity);
    CHECK(std::isnan(reference::bf16_value(0xffff)));  // what a poisoned output holds
    CHECK(reference::widen_bf16(std::vector<std::uint16_t>{0x4000, 0x0000}) == Values{2, 0});
}

TEST_CASE("KernelReference: e4m3 has bias 7, subnormals, 448 at most and no infinity") {
    CHECK(reference::e4m3_value(0x38) == 1.0);
    CHECK(reference::e4m3_value(0xb9) == -1.125);
    CHECK(reference::e4m3_value(0x7e) == 448.0);
    CHECK(reference::e4m3_value(0x01) == std::ldexp(1.0, -9));
    CHECK(reference::e4m3_value(0x08) == std::ldexp(1.0, -6));
    CHECK(reference::e4m3_value(0x78) == 256.0);
    CHECK(std::isnan(reference::e4m3_value(0x7f)));
    CHECK(std::isnan(reference::e4m3_value(0xff)));
    CHECK(reference::widen_e4m3(std::vector<std::uint8_t>{0x40, 0x00}) == Values{2, 0});
}

TEST_CASE("KernelReference: the distance is relative to the expected, and NaN is never near") {
    const Values expected = {3, 4};
    CHECK(reference::relative_l2(Values{3, 4}, expected) == 0);
    CHECK(reference::relative_l2(Values{3, 4.5}, expected) == Approx(0.1));
    CHECK(std::isnan(reference::relative_l2(Values{3, kNan}, expected)));
    CHECK(std::isnan(reference::relative_l2(Values{3}, expected)));
    CHECK(reference::relative_l2(Values{0, 0}, Values{0, 0}) == 0);
    CHECK(reference::relative_l2(Values{0, 1}, Values{0, 0}) == kInfinity);
    CHECK(reference::worse(1, 2) == 2);
    CHECK(reference::worse(2, 1) == 2);
    CHECK(std::isnan(reference::worse(kNan, 1)));
    CHECK(std::isnan(reference::worse(1, kNan)));
}

TEST_CASE("KernelReference: a product takes rows of both operands") {
    // x: two tokens of three features; weights: two features out.
    const Values x = {1, 2, 3, 4, 5, 6};
    const Values weights = {1, 0, -1, 2, 1, 0};
    const Values y = reference::gemm(x, weights, {.m = 2, .n = 2, .k = 3}, 0.5);
    CHECK(y == Values{-1, 2, -1, 6.5});
}

TEST_CASE("KernelReference: RMSNorm normalises the sum with the residual, row by row") {
    const Values x = {1, 5, 0, 1};
    const Values residual = {2, -1, 0, 1};
    const reference::Normalised result =
        reference::rmsnorm_residual(x, residual, Values{1, 2}, 0.0);
    CHECK(result.residual == Values{3, 4, 0, 2});
    const double rms = std::sqrt(12.5);  // of 3 and 4
    CHECK(result.out[0] == Approx(3 / rms));
    CHECK(result.out[1] == Approx(2 * 4 / rms));
    CHECK(result.out[2] == 0);
    CHECK(result.out[3] == Approx(2 * 2 / std::sqrt(2.0)));
    const reference::Normalised zeros =
        reference::rmsnorm_residual(Values{0, 0}, Values{0, 0}, Values{1, 1}, 1e-5);
    CHECK(zeros.out == Values{0, 0});
}

TEST_CASE("KernelReference: a rotary embedding turns element i with element i + half") {
    // Head size 4: the first pair turns by the position, the second by position / sqrt(theta).
    const std::vector<std::int32_t> positions = {0, 2};
    const Values x = {1, 2, 3, 4, 1, 2, 3, 4};
    const Values y = reference::rope(x, positions, 1, 4, 100.0);
    CHECK(Values(y.begin(), y.begin() + 4) == Values{1, 2, 3, 4});
    CHECK(y[4] == Approx(1 * std::cos(2.0) - 3 * std::sin(2.0)));
    CHECK(y[6] == Approx(3 * std::cos(2.0) + 1 * std::sin(2.0)));
    CHECK(y[5] == Approx(2 * std::cos(0.2) - 4 * std::sin(0.2)));
    CHECK(y[7] == Approx(4 * std::cos(0.2) + 2 * std::sin(0.2)));
    // Two heads of one token turn alike.
    const Values heads = reference::rope(Values{1, 0, 1, 0}, std::vector<std::int32_t>{1}, 2, 2, 9);
    CHECK(heads[0] == heads[2]);
    CHECK(heads[1] == heads[3]);
    CHECK(heads[1] == Approx(std::sin(1.0)));
}

TEST_CASE("KernelReference: SwiGLU is silu of the first half of a row times the second") {
    const Values gate_up = {0, 1, 5, 3, -1, 2, 2, 10};
    const Values out = reference::swiglu(gate_up, 2);
    REQUIRE(out.size() == 4);
    CHECK(out[0] == 0);
    CHECK(out[1] == Approx(3 / (1 + std::exp(-1.0))));
    CHECK(out[2] == Approx(-2 / (1 + std::exp(1.0))));
    CHECK(out[3] == Approx(20 / (1 + std::exp(-2.0))));
}

TEST_CASE("KernelReference: argmax takes the lowest of equal columns") {
    const Values rows = {1, 3, 3, -5, -2, -2, 0, 0, 0};
    CHECK(reference::argmax(rows, 3) == std::vector<std::int64_t>{1, 1, 0});
}

TEST_CASE("KernelReference: a quantile lies between the two nearest values") {
    CHECK(quantile({7}, 0.9) == 7);
    CHECK(quantile({3, 1, 2}, 0.5) == 2);
    CHECK(quantile({4, 1, 3, 2}, 0.5) == 2.5);
    CHECK(quantile({0, 10}, 0.1) == Approx(1));
    CHECK(quantile({5, 6}, 1) == 6);
}

TEST_CASE("KernelShapes: the full sweep is a whole grid, and the quick one lies within it") {
    const std::vector<Shape> full = gemm_shapes(Mode::full);
    const std::set<Shape> points(full.begin(), full.end());
    CHECK(points.size() == 500);
    const std::vector<Shape> quick = gemm_shapes(Mode::quick);
    CHECK(quick.size() == 63);
    for (const Shape& shape : quick) CHECK(points.contains(shape));
    for (const std::int64_t m : {1, 8192}) {
        for (const std::int64_t width : {1024, 16384}) {
            const Shape corner = {{"m", m}, {"n", width}, {"k", width}};
            CHECK(std::count(quick.begin(), quick.end(), corner) == 1);
        }
    }
}

TEST_CASE("KernelShapes: every shipped model's vocabulary is measured, whole and in eighths") {
    std::ifstream in(HEADROOM_SOURCE_DIR "/scenarios/catalogue/models.json");
    const nlohmann::json models = nlohmann::json::parse(in).at("models");
    std::set<std::pair<std::int64_t, std::int64_t>> shipped;
    for (const auto& model : models) {
        shipped.emplace(model.at("vocabulary").get<std::int64_t>(),
                        model.at("hidden").get<std::int64_t>());
    }
    std::set<std::pair<std::int64_t, std::int64_t>> measured;
    for (const auto& [vocabulary, hidden] : lm_heads()) measured.emplace(vocabulary, hidden);
    CHECK(measured == shipped);

    const std::vector<Shape> shapes = lm_head_shapes(Mode::full);
    CHECK(shapes.size() == 2 * 10 * lm_heads().size());
    for (const Shape& shape : shapes) {
        CHECK(field(shape, "n") % 8 == 0);  // rows of 16 bytes
        CHECK(field(shape, "m") <= 512);
    }
}

}  // namespace headroom::kernels
