#include "analysis/calibration/kernels/vision_network.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace headroom::kernels {
namespace {

constexpr std::int64_t kExpansion = 4;  // a bottleneck's output over its width
constexpr std::array<std::int64_t, 4> kStages = {3, 4, 6, 3};
// Large enough that a forgotten bias fails the check.
constexpr double kBiasDeviation = 0.1;

// Gains (see ParameterTensor). A block adds a branch of half the size of its input, so that sixteen
// of them neither drown the branches nor let the sum grow out of bf16's even relative precision.
constexpr double kGainBeforeRelu = 2;
constexpr double kGainLinear = 1;
constexpr double kGainBranch = 0.5;

class ResNetBuilder {
  public:
    explicit ResNetBuilder(const ResNetShape& shape) {
        network_.shape = shape;
        network_.slots = {shape.image * shape.image * ResNet::kImageChannels};
        size_ = shape.image;
        channels_ = ResNet::kImageChannels;
    }

    ResNet build() {
        const std::int64_t width = network_.shape.width;
        convolve("stem", {.out_channels = width,
                          .kernel = 7,
                          .stride = 2,
                          .gain = kGainBeforeRelu,
                          .relu = true,
                          .input = ResNet::kImage,
                          .output = kSpare});
        pool(LayerKind::max_pool, "max_pool", kSpare, current_);
        for (std::size_t stage = 0; stage < kStages.size(); ++stage) {
            const std::int64_t blocks = std::min(kStages[stage], network_.shape.blocks);
            for (std::int64_t block = 0; block < blocks; ++block) {
                bottleneck(
                    "stage" + std::to_string(stage + 1) + ".block" + std::to_string(block + 1),
                    width << stage, stage > 0 && block == 0 ? 2 : 1, block == 0);
            }
        }
        network_.features = current_;
        pool(LayerKind::average_pool, "average_pool", current_, kSpare);
        size_ = 1;
        convolve("classes", {.out_channels = network_.shape.classes,
                             .kernel = 1,
                             .stride = 1,
                             .gain = kGainLinear,
                             .relu = false,
                             .input = kSpare,
                             .output = kShortcut});
        network_.logits = kShortcut;
        return std::move(network_);
    }

  private:
    // Two slots take turns as a block's input and output, one holds the branch's second map, one
    // the projected shortcut.
    static constexpr int kSpare = 3, kShortcut = 4;

    struct Convolution {
        std::int64_t out_channels, kernel, stride;
        double gain;
        bool relu;
        int input, output;
        int residual = -1;
    };

    /// From the current size and channels; returns to the caller what comes out.
    void convolve(const std::string& name, const Convolution& what) {
        const std::int64_t fan_in = what.kernel * what.kernel * channels_;
        Layer layer{.kind = LayerKind::convolution,
                    .name = name,
                    .in_size = size_,
                    .out_size = 0,
                    .in_channels = channels_,
                    .out_channels = what.out_channels,
                    .kernel = what.kernel,
                    .stride = what.stride,
                    .padding = what.kernel / 2,
                    .relu = what.relu,
                    .parameter = static_cast<int>(network_.parameters.size()),
                    .input = what.input,
                    .output = what.output,
                    .residual = what.residual};
        network_.parameters.push_back({.name = name + ".weight",
                                       .count = what.out_channels * fan_in,
                                       .deviation = std::sqrt(what.gain / double(fan_in)),
                                       .mean = 0});
        network_.parameters.push_back({.name = name + ".bias",
                                       .count = what.out_channels,
                                       .deviation = kBiasDeviation,
                                       .mean = 0});
        append(layer);
    }

    void pool(LayerKind kind, const std::string& name, int input, int output) {
        const bool whole = kind == LayerKind::average_pool;
        append({.kind = kind,
                .name = name,
                .in_size = size_,
                .out_size = 0,
                .in_channels = channels_,
                .out_channels = channels_,
                .kernel = whole ? size_ : 3,
                .stride = whole ? 1 : 2,
                .padding = whole ? 0 : 1,
                .relu = false,
                .parameter = -1,
                .input = input,
                .output = output,
                .residual = -1});
    }

    void append(Layer layer) {
        layer.out_size = (layer.in_size + 2 * layer.padding - layer.kernel) / layer.stride + 1;
        size_ = layer.out_size;
        channels_ = layer.out_channels;
        const std::size_t slot = static_cast<std::size_t>(layer.output);
        if (network_.slots.size() <= slot) network_.slots.resize(slot + 1);
        network_.slots[slot] = std::max(network_.slots[slot], size_ * size_ * channels_);
        network_.layers.push_back(std::move(layer));
    }

    void bottleneck(const std::string& name, std::int64_t width, std::int64_t stride,
                    bool project) {
        const std::int64_t in_size = size_, in_channels = channels_;
        int residual = current_;
        if (project) {
            convolve(name + ".shortcut", {.out_channels = kExpansion * width,
                                          .kernel = 1,
                                          .stride = stride,
                                          .gain = kGainLinear,
                                          .relu = false,
                                          .input = current_,
                                          .output = kShortcut});
            residual = kShortcut;
            size_ = in_size;
            channels_ = in_channels;
        }
        convolve(name + ".reduce", {.out_channels = width,
                                    .kernel = 1,
                                    .stride = 1,
                                    .gain = kGainBeforeRelu,
                                    .relu = true,
                                    .input = current_,
                                    .output = other_});
        convolve(name + ".middle", {.out_channels = width,
                                    .kernel = 3,
                                    .stride = stride,
                                    .gain = kGainBeforeRelu,
                                    .relu = true,
                                    .input = other_,
                                    .output = kSpare});
        convolve(name + ".expand", {.out_channels = kExpansion * width,
                                    .kernel = 1,
                                    .stride = 1,
                                    .gain = kGainBranch,
                                    .relu = true,
                                    .input = kSpare,
                                    .output = other_,
                                    .residual = residual});
        std::swap(current_, other_);
    }

    ResNet network_;
    std::int64_t size_ = 0, channels_ = 0;
    int current_ = 1, other_ = 2;
};

}  // namespace

std::int64_t parameter_count(const std::vector<ParameterTensor>& parameters) {
    std::int64_t count = 0;
    for (const ParameterTensor& tensor : parameters) count += tensor.count;
    return count;
}

ResNet make_resnet50(const ResNetShape& shape) {
    return ResNetBuilder(shape).build();
}

std::int64_t multiply_adds_per_image(const ResNet& network) {
    std::int64_t count = 0;
    for (const Layer& layer : network.layers) {
        if (layer.kind != LayerKind::convolution) continue;
        count += layer.out_size * layer.out_size * layer.out_channels * layer.kernel *
                 layer.kernel * layer.in_channels;
    }
    return count;
}

Vit make_vit_b16(const VitShape& shape) {
    Vit vit{.shape = shape, .parameters = {}};
    const std::int64_t width = shape.width, hidden = vit.hidden();
    const auto add = [&](const std::string& name, std::int64_t count, double deviation,
                         double mean = 0) {
        vit.parameters.push_back(
            {.name = name, .count = count, .deviation = deviation, .mean = mean});
    };
    const auto linear = [&](const std::string& name, std::int64_t in, std::int64_t out,
                            double gain) {
        add(name + ".weight", in * out, std::sqrt(gain / double(in)));
        add(name + ".bias", out, kBiasDeviation);
    };
    const auto norm = [&](const std::string& name) {
        add(name + ".gain", width, kBiasDeviation, 1.0);
        add(name + ".bias", width, kBiasDeviation);
    };
    linear("patch", Vit::kPatchValues, width, kGainLinear);
    add("class_token", width, 1.0);
    add("positions", vit.tokens() * width, 0.5);
    for (std::int64_t layer = 0; layer < shape.depth; ++layer) {
        const std::string name = "layer" + std::to_string(layer + 1);
        norm(name + ".norm1");
        linear(name + ".qkv", width, 3 * width, kGainLinear);
        linear(name + ".project", width, width, kGainLinear);
        norm(name + ".norm2");
        linear(name + ".expand", width, hidden, kGainLinear);
        linear(name + ".contract", hidden, width, kGainBeforeRelu);  // GELU halves, too
    }
    norm("norm");
    linear("classes", width, shape.classes, kGainLinear);
    return vit;
}

std::int64_t multiply_adds_per_image(const Vit& vit) {
    const std::int64_t width = vit.shape.width, tokens = vit.tokens();
    const std::int64_t linear = width * 3 * width + width * width + 2 * width * vit.hidden();
    const std::int64_t attention = 2 * tokens * width;  // a token against all keys, then all values
    return vit.patches() * Vit::kPatchValues * width +
           vit.shape.depth * tokens * (linear + attention) + width * vit.shape.classes;
}

}  // namespace headroom::kernels
