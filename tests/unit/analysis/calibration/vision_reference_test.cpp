#include "analysis/calibration/kernels/vision_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "analysis/calibration/kernels/reference.hpp"
#include "tests/catch.hpp"

namespace headroom::kernels {
namespace {

using reference::Rounding;
using reference::Values;

constexpr double kNear = 1e-12;

void require_near(const Values& out, const Values& expected) {
    REQUIRE(out.size() == expected.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        INFO("value " << i);
        CHECK(out[i] == Approx(expected[i]).margin(kNear));
    }
}

Values counting(std::size_t count) {
    Values values(count);
    std::iota(values.begin(), values.end(), 1.0);
    return values;
}

/// The definition, one output value at a time.
double convolve_at(const reference::Convolution& shape, const Values& image, const Values& weight,
                   std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t out) {
    double sum = 0;
    for (std::int64_t r = 0; r < shape.kernel; ++r) {
        for (std::int64_t s = 0; s < shape.kernel; ++s) {
            const std::int64_t in_y = y * shape.stride - shape.padding + r;
            const std::int64_t in_x = x * shape.stride - shape.padding + s;
            if (in_y < 0 || in_y >= shape.size || in_x < 0 || in_x >= shape.size) continue;
            for (std::int64_t c = 0; c < shape.in_channels; ++c) {
                const std::int64_t pixel = (n * shape.size + in_y) * shape.size + in_x;
                const std::int64_t tap = (out * shape.kernel + r) * shape.kernel + s;
                sum += image[static_cast<std::size_t>(pixel * shape.in_channels + c)] *
                       weight[static_cast<std::size_t>(tap * shape.in_channels + c)];
            }
        }
    }
    return sum;
}

std::size_t convolution_count(const ResNet& network) {
    return static_cast<std::size_t>(
        std::count_if(network.layers.begin(), network.layers.end(),
                      [](const Layer& layer) { return layer.kind == LayerKind::convolution; }));
}

}  // namespace

TEST_CASE("Vision reference: a 1x1 convolution is a matrix product at each pixel") {
    // 2 x 2 pixels of two channels, three channels out.
    const reference::Convolution shape{.size = 2, .in_channels = 2, .out_channels = 3};
    const Values image = {1, 2, 3, 4, 5, 6, 7, 8};
    const Values weight = {1, 0, 0, 1, 1, -1};
    const Values bias = {10, 20, 30};
    const Values expected = {11, 22, 29, 13, 24, 29, 15, 26, 29, 17, 28, 29};
    require_near(reference::convolution(shape, image, weight, bias, {}), expected);
    require_near(reference::linear(image, weight, bias), expected);
}

TEST_CASE("Vision reference: a 3x3 convolution sees zeros outside, and does not flip the kernel") {
    const Values image = counting(9);   // 1 2 3 / 4 5 6 / 7 8 9
    const Values weight = counting(9);  // likewise
    reference::Convolution shape{
        .size = 3, .in_channels = 1, .out_channels = 1, .kernel = 3, .stride = 1, .padding = 1};
    // The corner: 5*1 + 6*2 + 8*4 + 9*5 and so on; the centre is the sum of squares.
    require_near(reference::convolution(shape, image, weight, {0}, {}),
                 {94, 154, 106, 186, 285, 186, 106, 154, 94});
    shape.stride = 2;
    require_near(reference::convolution(shape, image, weight, {0}, {}), {94, 106, 106, 94});
    shape.padding = 0;
    require_near(reference::convolution(shape, image, weight, {0}, {}), {285});
}

TEST_CASE("Vision reference: the residual is added before the ReLU") {
    const reference::Convolution shape{
        .size = 1, .in_channels = 1, .out_channels = 3, .relu = true};
    require_near(reference::convolution(shape, {2}, {1, -1, -3}, {0.5, 0.5, 0.5}, {-1, 4, 5}),
                 {1.5, 2.5, 0});
}

TEST_CASE("Vision reference: convolutions of odd sizes equal the definition") {
    for (const auto& shape : {reference::Convolution{2, 5, 3, 7, 3, 2, 1, false},
                              reference::Convolution{1, 9, 3, 5, 7, 2, 3, false},
                              reference::Convolution{3, 4, 6, 2, 1, 2, 0, false}}) {
        const Values image = reference::random_values(
            shape.batch * shape.size * shape.size * shape.in_channels, 1, 0, 1);
        const Values weight = reference::random_values(
            shape.out_channels * shape.kernel * shape.kernel * shape.in_channels, 1, 0, 2);
        const Values bias = reference::random_values(shape.out_channels, 1, 0, 3);
        const std::int64_t out = (shape.size + 2 * shape.padding - shape.kernel) / shape.stride + 1;
        Values expected;
        for (std::int64_t n = 0; n < shape.batch; ++n) {
            for (std::int64_t position = 0; position < out * out; ++position) {
                for (std::int64_t k = 0; k < shape.out_channels; ++k) {
                    expected.push_back(
                        convolve_at(shape, image, weight, n, position / out, position % out, k) +
                        bias[static_cast<std::size_t>(k)]);
                }
            }
        }
        require_near(reference::convolution(shape, image, weight, bias, {}), expected);
    }
}

TEST_CASE("Vision reference: max pooling ignores what lies outside, also below zero") {
    Values map = counting(16);
    const reference::Pool shape{.size = 4, .channels = 1, .kernel = 3, .stride = 2, .padding = 1};
    require_near(reference::max_pool(shape, map), {6, 8, 14, 16});
    for (double& value : map) value = -value;
    require_near(reference::max_pool(shape, map), {-1, -2, -5, -6});
}

TEST_CASE("Vision reference: average pooling keeps images and channels apart") {
    const reference::Pool shape{.batch = 2, .size = 2, .channels = 2};
    require_near(reference::average_pool(shape, counting(16)), {4, 5, 12, 13});
}

TEST_CASE("Vision reference: layer norm of a ramp") {
    // Mean 2.5, variance 1.25.
    const double step = 1 / std::sqrt(1.25);
    require_near(reference::layer_norm(counting(4), {1, 1, 1, 2}, {0, 0, 7, 0}, 0.0),
                 {-1.5 * step, -0.5 * step, 7 + 0.5 * step, 3 * step});
    require_near(reference::layer_norm({3, 3}, {1, 1}, {1, 2}, 1e-6), {1, 2});
}

TEST_CASE("Vision reference: GELU in its tanh form") {
    CHECK(reference::gelu(0) == 0);
    CHECK(reference::gelu(1) == Approx(0.84119199).epsilon(1e-7));
    CHECK(reference::gelu(-1) == Approx(-0.15880801).epsilon(1e-7));
    CHECK(reference::gelu(10) == Approx(10));
}

TEST_CASE("Vision reference: attention is the mean of the values where all scores are equal") {
    const reference::Attention shape{.batch = 1, .tokens = 3, .heads = 2, .head_size = 1};
    // A row: two q, two k, two v. Equal keys of head 0, queries of 0 in head 1.
    const Values qkv = {5, 0, 1, 9, 1, 10, 6, 0, 1, 8, 2, 20, 7, 0, 1, 7, 6, 60};
    require_near(reference::attention(shape, qkv), {3, 30, 3, 30, 3, 30});
}

TEST_CASE("Vision reference: attention weighs values by the scaled scores' exponentials") {
    const reference::Attention shape{.batch = 1, .tokens = 2, .heads = 1, .head_size = 4};
    // q.k / sqrt(4) is 0 and ln 3 for the first token, so its weights are 1/4 and 3/4.
    const double k = 2 * std::log(3.0);
    const Values qkv = {1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 8, 1,  //
                        0, 0, 0, 0, k, 0, 0, 0, 8, 4, 0, 1};
    require_near(reference::attention(shape, qkv), {7, 3, 2, 1, 6, 2, 4, 1});
}

TEST_CASE("Vision reference: rounding to bf16 goes to the nearest, ties to even") {
    CHECK(reference::round_to_bf16(1.0) == 1.0);
    CHECK(reference::round_to_bf16(1 + 0x1p-8) == 1.0);
    CHECK(reference::round_to_bf16(1 + 3 * 0x1p-8) == 1 + 0x1p-6);
    CHECK(reference::round_to_bf16(1 + 0x1.1p-8) == 1 + 0x1p-7);
    CHECK(reference::round_to_bf16(-1 - 0x1.1p-8) == -1 - 0x1p-7);
    CHECK(std::isnan(reference::round_to_bf16(NAN)));
}

TEST_CASE("Vision networks: ResNet-50 has the published layers, parameters and work") {
    const ResNet network = make_resnet50({});
    CHECK(convolution_count(network) == 54);  // 53, and the classes
    CHECK(network.layers.size() == 56);       // and the pools
    // Published with batch norm: 25,557,032. Folding leaves one number a channel instead of two.
    std::int64_t channels = 0;
    for (const Layer& layer : network.layers) {
        if (layer.kind == LayerKind::convolution) channels += layer.out_channels;
    }
    channels -= network.shape.classes;
    CHECK(channels == 26560);
    CHECK(parameter_count(network.parameters) == 25557032 - channels);
    CHECK(static_cast<double>(multiply_adds_per_image(network)) == Approx(4.1e9).epsilon(0.02));
    const Layer& last = network.layers.back();
    CHECK(last.in_channels == 2048);
    CHECK(network.layers[network.layers.size() - 2].in_size == 7);
}

TEST_CASE("Vision networks: in ResNet-50 v1.5 the stride sits in the 3x3 convolution") {
    int strided = 0;
    for (const Layer& layer : make_resnet50({}).layers) {
        if (layer.kind != LayerKind::convolution || layer.stride == 1) continue;
        const bool shortcut = layer.name.find("shortcut") != std::string::npos;
        CHECK((shortcut || layer.kernel > 1));
        ++strided;
    }
    CHECK(strided == 7);  // the first, and two in each of three stages
}

TEST_CASE("Vision networks: no layer of ResNet-50 overwrites what it or its block still reads") {
    for (const Layer& layer : make_resnet50({}).layers) {
        CHECK(layer.output != layer.input);
        CHECK(layer.output != layer.residual);
        CHECK(layer.output != ResNet::kImage);
    }
}

TEST_CASE("Vision networks: ViT-B/16 has the published parameters and work") {
    const Vit network = make_vit_b16({});
    CHECK(network.tokens() == 197);
    CHECK(network.heads() == 12);
    CHECK(network.parameters.size() == network.head() + 4);
    CHECK(parameter_count(network.parameters) == 86567656);
    CHECK(static_cast<double>(multiply_adds_per_image(network)) == Approx(17.6e9).epsilon(0.02));
}

TEST_CASE("Vision reference: without layers ViT classifies its class token") {
    const Vit network = make_vit_b16({.batch = 1, .image = 16, .width = 64, .depth = 0});
    const std::vector<Values> p = reference::random_parameters(network.parameters, 1);
    const Values image = reference::random_values(16 * 16 * 3, 1, 0, 2);
    const reference::NetworkOutput out = reference::run(network, p, image);

    const Values& positions = p[Vit::positions];
    Values token = p[Vit::class_token];
    for (std::size_t i = 0; i < token.size(); ++i) token[i] += positions[i];
    // One patch is the whole image, already in the order of a patch.
    Values patch = reference::linear(image, p[Vit::patch_weight], p[Vit::patch_bias]);
    for (std::size_t i = 0; i < patch.size(); ++i) patch[i] += positions[64 + i];
    Values features = token;
    features.insert(features.end(), patch.begin(), patch.end());
    require_near(out.features, features);
    const std::size_t head = network.head();
    const Values normed = reference::layer_norm(token, p[head + Vit::norm_gain],
                                                p[head + Vit::norm_bias], Vit::kEpsilon);
    require_near(out.logits,
                 reference::linear(normed, p[head + Vit::head_weight], p[head + Vit::head_bias]));
}

TEST_CASE("Vision reference: an image of a batch does not see the others") {
    const ResNet one = make_resnet50({.batch = 1, .image = 32, .width = 8, .blocks = 1});
    const ResNet two = make_resnet50({.batch = 2, .image = 32, .width = 8, .blocks = 1});
    const std::vector<Values> p = reference::random_parameters(one.parameters, 1);
    const Values images = reference::random_values(2 * 32 * 32 * 3, 1, 0, 2);
    const std::ptrdiff_t half = 32 * 32 * 3;
    const Values both = reference::run(two, p, images).logits;
    const Values first =
        reference::run(one, p, Values(images.begin(), images.begin() + half)).logits;
    const Values second =
        reference::run(one, p, Values(images.begin() + half, images.end())).logits;
    require_near(Values(both.begin(), both.begin() + 1000), first);
    require_near(Values(both.begin() + 1000, both.end()), second);
}

TEST_CASE("Vision reference: rounding to bf16 alone stays below the checks' tolerances") {
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
        const ResNet resnet = make_resnet50({.batch = 1, .image = 32, .width = 16, .blocks = 2});
        const Vit vit = make_vit_b16({.batch = 1, .image = 64, .width = 64, .depth = 12});
        const Values image = reference::random_values(64 * 64 * 3, 1, 0, seed);
        const Values small(image.begin(), image.begin() + 32 * 32 * 3);
        const auto error = [&](const auto& network, const Values& input) {
            const std::vector<Values> p = reference::random_parameters(network.parameters, seed);
            const reference::NetworkOutput exact = reference::run(network, p, input);
            const reference::NetworkOutput rounded =
                reference::run(network, p, input, Rounding::bf16);
            return std::max(reference::relative_l2(rounded.features, exact.features),
                            reference::relative_l2(rounded.logits, exact.logits));
        };
        const double resnet_error = error(resnet, small), vit_error = error(vit, image);
        INFO("seed " << seed << ": " << resnet_error << ", " << vit_error);
        CHECK(resnet_error > 0.002);  // it does round
        CHECK(resnet_error < 0.009);
        CHECK(vit_error > 0.004);
        CHECK(vit_error < 0.0135);
    }
}

TEST_CASE("Vision reference: activations neither vanish nor explode") {
    const auto size = [](const Values& values) {
        return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0) /
                         static_cast<double>(values.size()));
    };
    const ResNet resnet = make_resnet50({.batch = 1, .image = 64, .width = 16});
    const Vit vit = make_vit_b16({.batch = 1, .image = 64, .width = 64, .depth = 12});
    const Values image = reference::random_values(64 * 64 * 3, 1, 0, 1);
    const double features = size(
        reference::run(resnet, reference::random_parameters(resnet.parameters, 1), image).features);
    CHECK(features > 0.3);
    CHECK(features < 30);
    const double tokens =
        size(reference::run(vit, reference::random_parameters(vit.parameters, 1), image).features);
    CHECK(tokens > 0.3);
    CHECK(tokens < 30);
}

}  // namespace headroom::kernels
