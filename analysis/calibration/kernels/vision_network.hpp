/// The vision networks of the benchmark as data: ResNet-50 (v1.5, batch norm folded into a bias per
/// channel) as a list of layers, and ViT-B/16 as its sizes, both with the list of their parameters.
/// The GPU and the float64 reference run the same description, so a small variant (fewer blocks,
/// narrower, a smaller image) checks the code that the full network is timed with.
///
///     ResNet network = make_resnet50({.batch = 8});      // 224 x 224, as published
///     ResNet small = make_resnet50({.batch = 1, .image = 32, .width = 16, .blocks = 1});
///
/// Images are NHWC, weights of a convolution [out][row][column][in], of a linear layer [out][in].
/// Sources: He et al., "Deep residual learning", arXiv:1512.03385, table 1 (v1.5: the stride sits
/// in the 3x3 convolution); Dosovitskiy et al., "An image is worth 16x16 words", arXiv:2010.11929.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace headroom::kernels {

/// `count` bf16 numbers, normally distributed around `mean`. The deviation keeps the size of the
/// activations: sqrt(gain / fan in), gain 2 before a ReLU (He et al., arXiv:1502.01852).
struct ParameterTensor {
    std::string name;
    std::int64_t count = 0;
    double deviation = 0;
    double mean = 0;
};
[[nodiscard]] std::int64_t parameter_count(const std::vector<ParameterTensor>& parameters);

enum class LayerKind { convolution, max_pool, average_pool };

/// One layer on square maps. `input`, `output`, `residual` are slots: numbered activations of which
/// each is written anew whenever a layer names it as its output.
struct Layer {
    LayerKind kind = LayerKind::convolution;
    std::string name;
    std::int64_t in_size = 0, out_size = 0;
    std::int64_t in_channels = 0, out_channels = 0;
    std::int64_t kernel = 1, stride = 1, padding = 0;
    bool relu = false;   ///< after bias and residual
    int parameter = -1;  ///< index of the weight; the bias is the next one
    int input = 0, output = 0, residual = -1;
};

struct ResNetShape {
    std::int64_t batch = 1;
    std::int64_t image = 224;
    std::int64_t width = 64;  ///< channels of the first convolution, a multiple of 8
    std::int64_t blocks = 6;  ///< no stage has more
    std::int64_t classes = 1000;
};

struct ResNet {
    static constexpr int kImage = 0;  ///< the slot of the input
    static constexpr std::int64_t kImageChannels = 3;
    ResNetShape shape;
    std::vector<Layer> layers;
    std::vector<ParameterTensor> parameters;
    std::vector<std::int64_t> slots;  ///< values an image that each slot must hold
    int features = 0;                 ///< the map before the average pool
    int logits = 0;
};
[[nodiscard]] ResNet make_resnet50(const ResNetShape& shape);
[[nodiscard]] std::int64_t multiply_adds_per_image(const ResNet& network);

struct VitShape {
    std::int64_t batch = 1;
    std::int64_t image = 224;  ///< a multiple of 16
    std::int64_t width = 768;  ///< a multiple of 64
    std::int64_t depth = 12;
    std::int64_t classes = 1000;
};

/// Pre-norm encoder with a class token; heads of 64, an MLP four times as wide, GELU in tanh form.
struct Vit {
    static constexpr std::int64_t kPatch = 16;
    static constexpr std::int64_t kHeadSize = 64;
    static constexpr std::int64_t kPatchValues = kPatch * kPatch * 3;
    static constexpr double kEpsilon = 1e-6;  ///< of every layer norm

    /// Indices of the parameters before the layers, and relative to a layer's first.
    enum Stem : std::size_t { patch_weight, patch_bias, class_token, positions, stem_size };
    enum Block : std::size_t {
        norm1_gain,
        norm1_bias,
        qkv_weight,
        qkv_bias,
        project_weight,
        project_bias,
        norm2_gain,
        norm2_bias,
        expand_weight,
        expand_bias,
        contract_weight,
        contract_bias,
        block_size
    };
    enum Head : std::size_t { norm_gain, norm_bias, head_weight, head_bias };

    VitShape shape;
    std::vector<ParameterTensor> parameters;

    [[nodiscard]] std::int64_t patches_a_side() const { return shape.image / kPatch; }
    [[nodiscard]] std::int64_t patches() const { return patches_a_side() * patches_a_side(); }
    [[nodiscard]] std::int64_t tokens() const { return patches() + 1; }
    [[nodiscard]] std::int64_t heads() const { return shape.width / kHeadSize; }
    [[nodiscard]] std::int64_t hidden() const { return 4 * shape.width; }
    [[nodiscard]] std::size_t block(std::int64_t layer) const {
        return stem_size + static_cast<std::size_t>(layer) * block_size;
    }
    [[nodiscard]] std::size_t head() const { return block(shape.depth); }
};
[[nodiscard]] Vit make_vit_b16(const VitShape& shape);
[[nodiscard]] std::int64_t multiply_adds_per_image(const Vit& network);

}  // namespace headroom::kernels
