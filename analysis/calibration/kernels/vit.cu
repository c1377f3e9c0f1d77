#include "analysis/calibration/kernels/vit.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "analysis/calibration/kernels/cublaslt_linear.hpp"
#include "analysis/calibration/kernels/vision_launch.hpp"
#include "analysis/calibration/kernels/vision_tensors.hpp"

namespace headroom::kernels {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;  // what cuBLASLt asks for on Hopper
constexpr float kImageDeviation = 1;                            // images are normalised

std::int64_t image_values(const Vit& vit) {
    return vit.shape.batch * vit.shape.image * vit.shape.image * 3;
}

std::int64_t all_tokens(const Vit& vit) {
    return vit.shape.batch * vit.tokens();
}

/// Values of each activation. `wide` holds the cut patches, then each layer's q, k and v, then the
/// MLP's hidden values; `normed` a LayerNorm's output, then the attention's; the embedded patches
/// lie in it, too, before the first layer.
struct ActivationSizes {
    explicit ActivationSizes(const Vit& vit)
        : x(all_tokens(vit) * vit.shape.width),
          normed(x),
          wide(std::max(vit.shape.batch * vit.patches() * Vit::kPatchValues,
                        all_tokens(vit) * vit.hidden())),
          logits(vit.shape.batch * vit.shape.classes) {}
    std::int64_t x, normed, wide, logits;
};

struct VitInputs {
    VitInputs(const Vit& vit, std::uint64_t seed, cudaStream_t stream)
        : parameters(vit.parameters, seed, stream), image(make_tensor(image_values(vit))) {
        fill_bf16(image, ~seed, kImageDeviation, stream);
    }
    DeviceParameters parameters;
    Buffer image;
};

class VitCase final : public Case {
  public:
    VitCase(const Context& context, Vit vit, int copies, std::uint64_t seed)
        : context_(&context), vit_(std::move(vit)), workspace_(kWorkspaceBytes) {
        const ActivationSizes sizes(vit_);
        x_ = make_tensor(sizes.x);
        normed_ = make_tensor(sizes.normed);
        wide_ = make_tensor(sizes.wide);
        logits_ = make_tensor(sizes.logits);
        for (int copy = 0; copy < copies; ++copy) {
            inputs_.emplace_back(vit_, seed + static_cast<std::uint64_t>(copy), context.stream);
        }
        make_plans();
        HEADROOM_CUDA(cudaStreamSynchronize(context.stream));
    }

    [[nodiscard]] int copies() const override { return static_cast<int>(inputs_.size()); }

    void launch(int copy) override {
        const VitInputs& inputs = inputs_.at(static_cast<std::size_t>(copy));
        embed(inputs);
        for (std::int64_t layer = 0; layer < vit_.shape.depth; ++layer) {
            encode(inputs.parameters, vit_.block(layer));
        }
        const DeviceParameters& p = inputs.parameters;
        const std::size_t head = vit_.head();
        // Only the class tokens, the first of each image, go on.
        normalise(p, head + Vit::norm_gain, vit_.shape.batch, vit_.tokens());
        head_->launch(operands(p, normed_, head + Vit::head_weight, nullptr, logits_), workspace_);
    }

    void poison() const {
        for (const Buffer* buffer : {&x_, &normed_, &wide_, &logits_}) {
            buffer->poison(context_->stream);
        }
    }

    [[nodiscard]] double error() const {
        const ActivationSizes sizes(vit_);
        const VitInputs& inputs = inputs_.front();
        const reference::NetworkOutput expected =
            reference::run(vit_, inputs.parameters.download(context_->stream),
                           download_values(inputs.image, image_values(vit_), context_->stream));
        return network_error({.features = download_values(x_, sizes.x, context_->stream),
                              .logits = download_values(logits_, sizes.logits, context_->stream)},
                             expected);
    }

    [[nodiscard]] static std::size_t bytes_per_copy(const Vit& vit) {
        return DeviceParameters::bytes(vit.parameters) + tensor_bytes(image_values(vit));
    }

    [[nodiscard]] static std::size_t shared_bytes(const Vit& vit) {
        const ActivationSizes sizes(vit);
        return kWorkspaceBytes + tensor_bytes(sizes.x) + tensor_bytes(sizes.normed) +
               tensor_bytes(sizes.wide) + tensor_bytes(sizes.logits);
    }

  private:
    /// The weight's index; its bias is the next parameter.
    static LinearOperands operands(const DeviceParameters& parameters, const Buffer& x,
                                   std::size_t weight, const void* residual, const Buffer& y) {
        return {.x = x.data(),
                .weight = parameters.data(weight),
                .bias = parameters.data(weight + 1),
                .residual = residual,
                .y = y.data()};
    }

    void make_plans() {
        const DeviceParameters& p = inputs_.front().parameters;
        const std::int64_t width = vit_.shape.width, hidden = vit_.hidden();
        const std::int64_t tokens = all_tokens(vit_);
        const std::size_t head = vit_.head();
        patch_.emplace(
            *context_,
            LinearSpec{
                .rows = vit_.shape.batch * vit_.patches(), .out = width, .in = Vit::kPatchValues},
            operands(p, wide_, Vit::patch_weight, nullptr, normed_), workspace_);
        head_.emplace(*context_,
                      LinearSpec{.rows = vit_.shape.batch, .out = vit_.shape.classes, .in = width},
                      operands(p, normed_, head + Vit::head_weight, nullptr, logits_), workspace_);
        if (vit_.shape.depth == 0) return;
        const std::size_t block = vit_.block(0);
        qkv_.emplace(*context_, LinearSpec{.rows = tokens, .out = 3 * width, .in = width},
                     operands(p, normed_, block + Vit::qkv_weight, nullptr, wide_), workspace_);
        project_.emplace(
            *context_, LinearSpec{.rows = tokens, .out = width, .in = width, .residual = true},
            operands(p, normed_, block + Vit::project_weight, x_.data(), x_), workspace_);
        expand_.emplace(
            *context_, LinearSpec{.rows = tokens, .out = hidden, .in = width, .gelu = true},
            operands(p, normed_, block + Vit::expand_weight, nullptr, wide_), workspace_);
        contract_.emplace(
            *context_, LinearSpec{.rows = tokens, .out = width, .in = hidden, .residual = true},
            operands(p, wide_, block + Vit::contract_weight, x_.data(), x_), workspace_);
    }

    void embed(const VitInputs& inputs) const {
        const DeviceParameters& p = inputs.parameters;
        vision::launch_cut_patches(vit_.shape.batch, vit_.patches_a_side(), inputs.image.data(),
                                   wide_.data(), context_->stream);
        patch_->launch(operands(p, wide_, Vit::patch_weight, nullptr, normed_), workspace_);
        vision::launch_embed(
            {.batch = vit_.shape.batch, .tokens = vit_.tokens(), .width = vit_.shape.width},
            normed_.data(), p.data(Vit::class_token), p.data(Vit::positions), x_.data(),
            context_->stream);
    }

    /// normed_ = LayerNorm of every `stride`-th row of x_; the gain's index, its bias is the next.
    void normalise(const DeviceParameters& p, std::size_t gain, std::int64_t rows,
                   std::int64_t stride) const {
        vision::launch_layer_norm(
            {.rows = rows, .width = vit_.shape.width, .stride = stride, .epsilon = Vit::kEpsilon},
            x_.data(), p.data(gain), p.data(gain + 1), normed_.data(), context_->stream);
    }

    void encode(const DeviceParameters& p, std::size_t block) const {
        const std::int64_t tokens = all_tokens(vit_);
        normalise(p, block + Vit::norm1_gain, tokens, 1);
        qkv_->launch(operands(p, normed_, block + Vit::qkv_weight, nullptr, wide_), workspace_);
        vision::launch_attention(
            {.batch = vit_.shape.batch, .tokens = vit_.tokens(), .heads = vit_.heads()},
            wide_.data(), normed_.data(), context_->stream);
        project_->launch(operands(p, normed_, block + Vit::project_weight, x_.data(), x_),
                         workspace_);
        normalise(p, block + Vit::norm2_gain, tokens, 1);
        expand_->launch(operands(p, normed_, block + Vit::expand_weight, nullptr, wide_),
                        workspace_);
        contract_->launch(operands(p, wide_, block + Vit::contract_weight, x_.data(), x_),
                          workspace_);
    }

    const Context* context_;
    Vit vit_;
    Buffer workspace_;
    Buffer x_, normed_, wide_, logits_;
    std::vector<VitInputs> inputs_;
    std::optional<LinearPlan> patch_, qkv_, project_, expand_, contract_, head_;
};

class VitB16Op final : public Op {
  public:
    [[nodiscard]] std::string name() const override { return "vit_b16"; }
    [[nodiscard]] std::string dtype() const override { return "bf16"; }
    [[nodiscard]] std::string kernel() const override { return "cublaslt"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override { return batch_shapes(mode); }

    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        return {small(1, 32, 64, 1),   small(3, 48, 128, 2),  small(2, 112, 192, 12),
                small(5, 240, 128, 2), small(1, 224, 768, 2), {{"batch", 1}}};
    }

    [[nodiscard]] Work work(const Shape& shape) const override {
        const Vit vit = make_network(shape);
        return network_work(vit.shape.batch * multiply_adds_per_image(vit),
                            parameter_count(vit.parameters), image_values(vit),
                            vit.shape.batch * vit.shape.classes);
    }

    [[nodiscard]] Ceiling ceiling(const Shape& shape) const override {
        return network_ceiling(work(shape));
    }

    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const Vit vit = make_network(shape);
        return static_cast<std::size_t>(copies_for(context, VitCase::bytes_per_copy(vit))) *
                   VitCase::bytes_per_copy(vit) +
               VitCase::shared_bytes(vit);
    }

    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        const Vit vit = make_network(shape);
        const int copies = copies_for(context, VitCase::bytes_per_copy(vit));
        return std::make_unique<VitCase>(context, vit, copies, seed);
    }

    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        VitCase network(context, make_network(shape), 1, seed);
        network.poison();
        network.launch(0);
        HEADROOM_CUDA(cudaStreamSynchronize(context.stream));
        return network.error();
    }

    /// The sum over the layers is kept in bf16, as serving engines do, and each of its 24 roundings
    /// stays in it: rounding alone (reference::Rounding::bf16) costs 0.004 to 0.0055 at one layer
    /// and 0.0065 to 0.0091 at twelve. A single wrong token of 197 would be an error of 0.07 of the
    /// features.
    [[nodiscard]] double tolerance() const override { return 1.5e-2; }

  private:
    static Shape small(std::int64_t batch, std::int64_t image, std::int64_t width,
                       std::int64_t depth) {
        return {{"batch", batch}, {"image", image}, {"width", width}, {"depth", depth}};
    }

    static Vit make_network(const Shape& shape) {
        const VitShape full;
        return make_vit_b16({.batch = field_or(shape, "batch", full.batch),
                             .image = field_or(shape, "image", full.image),
                             .width = field_or(shape, "width", full.width),
                             .depth = field_or(shape, "depth", full.depth),
                             .classes = full.classes});
    }
};

}  // namespace

std::unique_ptr<Op> make_vit_b16_op() {
    return std::make_unique<VitB16Op>();
}

}  // namespace headroom::kernels
