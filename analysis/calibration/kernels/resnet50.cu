#ifdef HEADROOM_CUDNN

#include "analysis/calibration/kernels/resnet50.hpp"

#include <map>
#include <utility>

#include "analysis/calibration/kernels/cudnn_convolution.hpp"
#include "analysis/calibration/kernels/vision_launch.hpp"
#include "analysis/calibration/kernels/vision_tensors.hpp"

namespace headroom::kernels {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{64} << 20;
constexpr float kImageDeviation = 1;  // images are normalised

std::int64_t padded(std::int64_t channels) {
    return (channels + vision::kPaddedChannels - 1) / vision::kPaddedChannels *
           vision::kPaddedChannels;
}

std::int64_t image_pixels(const ResNet& network) {
    return network.shape.batch * network.shape.image * network.shape.image;
}

/// Values of the first convolution's weight with its three input channels padded.
std::int64_t padded_stem_values(const ResNet& network) {
    const Layer& stem = network.layers.front();
    return stem.out_channels * stem.kernel * stem.kernel * vision::kPaddedChannels;
}

/// The inputs of a launch, and the calls that are bound to them.
struct ResNetInputs {
    ResNetInputs(const ResNet& network, std::uint64_t seed, cudaStream_t stream)
        : parameters(network.parameters, seed, stream),
          stem_weight(make_tensor(padded_stem_values(network))),
          image(make_tensor(image_pixels(network) * ResNet::kImageChannels)) {
        const Layer& stem = network.layers.front();
        vision::launch_pad_channels(parameters.data(static_cast<std::size_t>(stem.parameter)),
                                    stem_weight.data(),
                                    stem.out_channels * stem.kernel * stem.kernel, stream);
        fill_bf16(image, ~seed, kImageDeviation, stream);
    }

    DeviceParameters parameters;
    Buffer stem_weight;
    Buffer image;
    std::vector<ConvolutionCall> convolutions;  // in the order of the layers
};

class ResNetCase final : public Case {
  public:
    ResNetCase(const Context& context, ResNet network, int copies, std::uint64_t seed)
        : context_(&context),
          network_(std::move(network)),
          workspace_(kWorkspaceBytes),
          padded_image_(make_tensor(image_pixels(network_) * vision::kPaddedChannels)) {
        for (const std::int64_t values : network_.slots) {
            // The image's slot is padded_image_.
            const bool is_image = slots_.empty();
            slots_.push_back(is_image ? Buffer() : make_tensor(network_.shape.batch * values));
        }
        for (int copy = 0; copy < copies; ++copy) {
            inputs_.emplace_back(network_, seed + static_cast<std::uint64_t>(copy), context.stream);
            bind_convolutions(inputs_.back());
        }
        HEADROOM_CUDA(cudaStreamSynchronize(context.stream));
    }

    [[nodiscard]] int copies() const override { return static_cast<int>(inputs_.size()); }

    void launch(int copy) override {
        const ResNetInputs& inputs = inputs_.at(static_cast<std::size_t>(copy));
        vision::launch_pad_channels(inputs.image.data(), padded_image_.data(),
                                    image_pixels(network_), context_->stream);
        std::size_t next = 0;
        for (const Layer& layer : network_.layers) {
            if (layer.kind == LayerKind::convolution) {
                inputs.convolutions[next++].launch();
            } else {
                pool(layer);
            }
        }
    }

    void poison() const {
        for (const Buffer& slot : slots_) slot.poison(context_->stream);
        padded_image_.poison(context_->stream);
    }

    [[nodiscard]] double error() const {
        const ResNetInputs& inputs = inputs_.front();
        const std::int64_t image_values = image_pixels(network_) * ResNet::kImageChannels;
        const reference::NetworkOutput expected =
            reference::run(network_, inputs.parameters.download(context_->stream),
                           download_values(inputs.image, image_values, context_->stream));
        return network_error({.features = download(network_.features, expected.features.size()),
                              .logits = download(network_.logits, expected.logits.size())},
                             expected);
    }

    [[nodiscard]] static std::size_t bytes_per_copy(const ResNet& network) {
        return DeviceParameters::bytes(network.parameters) +
               tensor_bytes(padded_stem_values(network)) +
               tensor_bytes(image_pixels(network) * ResNet::kImageChannels);
    }

    [[nodiscard]] static std::size_t shared_bytes(const ResNet& network) {
        std::size_t bytes =
            kWorkspaceBytes + tensor_bytes(image_pixels(network) * vision::kPaddedChannels);
        for (std::size_t slot = 1; slot < network.slots.size(); ++slot) {
            bytes += tensor_bytes(network.shape.batch * network.slots[slot]);
        }
        return bytes;
    }

  private:
    [[nodiscard]] void* slot(int index) const {
        return index == ResNet::kImage ? padded_image_.data()
                                       : slots_.at(static_cast<std::size_t>(index)).data();
    }

    [[nodiscard]] reference::Values download(int index, std::size_t count) const {
        return download_values(slots_.at(static_cast<std::size_t>(index)),
                               static_cast<std::int64_t>(count), context_->stream);
    }

    /// Layers alike share a plan, and so do all copies.
    void bind_convolutions(ResNetInputs& inputs) {
        for (const Layer& layer : network_.layers) {
            if (layer.kind != LayerKind::convolution) continue;
            const ConvolutionSpec spec{.batch = network_.shape.batch,
                                       .size = layer.in_size,
                                       .in_channels = padded(layer.in_channels),
                                       .out_channels = layer.out_channels,
                                       .kernel = layer.kernel,
                                       .stride = layer.stride,
                                       .padding = layer.padding,
                                       .residual = layer.residual >= 0,
                                       .relu = layer.relu};
            const std::size_t parameter = static_cast<std::size_t>(layer.parameter);
            const ConvolutionOperands operands{
                .image = slot(layer.input),
                .weight = layer.input == ResNet::kImage ? inputs.stem_weight.data()
                                                        : inputs.parameters.data(parameter),
                .bias = inputs.parameters.data(parameter + 1),
                .residual = layer.residual < 0 ? nullptr : slot(layer.residual),
                .output = slot(layer.output)};
            auto plan = plans_.find(spec);
            if (plan == plans_.end()) {
                plan = plans_.emplace(spec, ConvolutionPlan(*context_, spec, operands, workspace_))
                           .first;
            }
            inputs.convolutions.emplace_back(plan->second, operands, workspace_);
        }
    }

    void pool(const Layer& layer) const {
        const vision::Pooling shape{.batch = network_.shape.batch,
                                    .in_size = layer.in_size,
                                    .out_size = layer.out_size,
                                    .channels = layer.in_channels,
                                    .kernel = layer.kernel,
                                    .stride = layer.stride,
                                    .padding = layer.padding};
        const auto launch_pool = layer.kind == LayerKind::max_pool ? vision::launch_max_pool
                                                                   : vision::launch_average_pool;
        launch_pool(shape, slot(layer.input), slot(layer.output), context_->stream);
    }

    const Context* context_;
    ResNet network_;
    Buffer workspace_;
    Buffer padded_image_;
    std::vector<Buffer> slots_;
    std::map<ConvolutionSpec, ConvolutionPlan> plans_;  // the calls point into it
    std::vector<ResNetInputs> inputs_;
};

class ResNet50Op final : public Op {
  public:
    [[nodiscard]] std::string name() const override { return "resnet50"; }
    [[nodiscard]] std::string dtype() const override { return "bf16"; }
    [[nodiscard]] std::string kernel() const override { return "cudnn"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override { return batch_shapes(mode); }

    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        return {small(1, 32, 16, 1), small(3, 33, 16, 2), small(2, 65, 32, 3),
                small(1, 64, 64, 6), small(5, 47, 24, 1), {{"batch", 1}}};
    }

    [[nodiscard]] Work work(const Shape& shape) const override {
        const ResNet network = make_network(shape);
        return network_work(network.shape.batch * multiply_adds_per_image(network),
                            parameter_count(network.parameters),
                            image_pixels(network) * ResNet::kImageChannels,
                            network.shape.batch * network.shape.classes);
    }

    [[nodiscard]] Ceiling ceiling(const Shape& shape) const override {
        return network_ceiling(work(shape));
    }

    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const ResNet network = make_network(shape);
        return static_cast<std::size_t>(copies(context, network)) *
                   ResNetCase::bytes_per_copy(network) +
               ResNetCase::shared_bytes(network);
    }

    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        ResNet network = make_network(shape);
        const int count = copies(context, network);
        return std::make_unique<ResNetCase>(context, std::move(network), count, seed);
    }

    /// Rounding to bf16 after each layer costs 0.004 to 0.0075 (reference::Rounding::bf16), hardly
    /// more with more blocks: a branch of half the size joins a sum that each block rounds anew. So
    /// the common tolerance of 0.01 holds.
    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        ResNetCase network(context, make_network(shape), 1, seed);
        network.poison();
        network.launch(0);
        HEADROOM_CUDA(cudaStreamSynchronize(context.stream));
        return network.error();
    }

  private:
    static Shape small(std::int64_t batch, std::int64_t image, std::int64_t width,
                       std::int64_t blocks) {
        return {{"batch", batch}, {"image", image}, {"width", width}, {"blocks", blocks}};
    }

    static ResNet make_network(const Shape& shape) {
        const ResNetShape full;
        return make_resnet50({.batch = field_or(shape, "batch", full.batch),
                              .image = field_or(shape, "image", full.image),
                              .width = field_or(shape, "width", full.width),
                              .blocks = field_or(shape, "blocks", full.blocks),
                              .classes = full.classes});
    }

    static int copies(const Context& context, const ResNet& network) {
        return copies_for(context, ResNetCase::bytes_per_copy(network));
    }
};

}  // namespace

std::unique_ptr<Op> make_resnet50_op() {
    return std::make_unique<ResNet50Op>();
}

}  // namespace headroom::kernels

#endif  // HEADROOM_CUDNN
