/// The vision networks in float64 on the host: each operator, and ResNet-50 and ViT-B/16 put
/// together from them, as the GPU must compute them. No CUDA here.
///
///     const ResNet network = make_resnet50({.batch = 1, .image = 32, .width = 16, .blocks = 1});
///     reference::NetworkOutput exact = reference::run(network, weights, image);
///     reference::NetworkOutput rounded = reference::run(network, weights, image, Rounding::bf16);
///
/// Rounding::bf16 rounds what the GPU stores in bf16 (each layer's output, LayerNorm's output, the
/// queries, keys and values, the softmax weights before they are normalised) at the same places:
/// relative_l2(rounded, exact) is what the number format alone costs, and the checks' tolerances
/// follow from it. Maps are NHWC, matrices rows of features, weights of a convolution
/// [out][row][column][in] and of a linear layer [out][in].
/// GELU is the tanh form, as in cuBLASLt: Hendrycks and Gimpel, arXiv:1606.08415, section 2.
/// LayerNorm: Ba et al., arXiv:1607.06450; attention: Vaswani et al., arXiv:1706.03762, eq. 1.
/// O(multiply-adds), 1 to 2 G/s a core, on all cores; the result does not depend on their number.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/calibration/kernels/vision_network.hpp"

namespace headroom::kernels::reference {

using Values = std::vector<double>;
enum class Rounding { none, bf16 };

/// To the nearest bf16 number, ties to even, by way of float as on the GPU.
[[nodiscard]] double round_to_bf16(double value);

/// One convolution over square maps, cross-correlation, zeros outside.
struct Convolution {
    std::int64_t batch = 1, size = 0;
    std::int64_t in_channels = 0, out_channels = 0;
    std::int64_t kernel = 1, stride = 1, padding = 0;
    bool relu = false;
};
/// relu(convolution + bias + residual); an empty residual counts as zeros.
[[nodiscard]] Values convolution(const Convolution& shape, const Values& image,
                                 const Values& weight, const Values& bias, const Values& residual);

struct Pool {
    std::int64_t batch = 1, size = 0, channels = 0;
    std::int64_t kernel = 1, stride = 1, padding = 0;
};
/// Positions outside the map do not count.
[[nodiscard]] Values max_pool(const Pool& shape, const Values& map);
/// Over the whole map: one value a channel.
[[nodiscard]] Values average_pool(const Pool& shape, const Values& map);

/// rows x out = x (rows x in) times the transpose of weight (out x in), plus bias.
[[nodiscard]] Values linear(const Values& x, const Values& weight, const Values& bias);
[[nodiscard]] Values layer_norm(const Values& x, const Values& gain, const Values& bias,
                                double epsilon);
[[nodiscard]] double gelu(double x);

struct Attention {
    std::int64_t batch = 1, tokens = 0, heads = 0, head_size = 0;
};
/// softmax(q k' / sqrt(head_size)) v of every head, without a mask. A row of `qkv` holds q of all
/// heads, then k, then v.
[[nodiscard]] Values attention(const Attention& shape, const Values& qkv,
                               Rounding rounding = Rounding::none);

/// `features` is the last map before the pool, or the tokens before the last LayerNorm: an error at
/// one place is seen there, while the logits average it away.
struct NetworkOutput {
    Values features;
    Values logits;
};
/// `image` is [batch][size][size][3], `parameters` as in network.parameters.
[[nodiscard]] NetworkOutput run(const ResNet& network, const std::vector<Values>& parameters,
                                const Values& image, Rounding rounding = Rounding::none);
[[nodiscard]] NetworkOutput run(const Vit& network, const std::vector<Values>& parameters,
                                const Values& image, Rounding rounding = Rounding::none);

/// Parameters, and `count` normal numbers, rounded to bf16, the same for the same seed.
[[nodiscard]] std::vector<Values> random_parameters(const std::vector<ParameterTensor>& parameters,
                                                    std::uint64_t seed);
[[nodiscard]] Values random_values(std::int64_t count, double deviation, double mean,
                                   std::uint64_t seed);

}  // namespace headroom::kernels::reference
