#include "analysis/calibration/kernels/vision_reference.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <thread>

#include "sim/core/check.hpp"

namespace headroom::kernels::reference {
namespace {

using Index = std::int64_t;

std::size_t at(Index index) {
    return static_cast<std::size_t>(index);
}

/// body(i) for all i below count, spread over the cores in contiguous parts. Each i writes its own
/// values, so the result is the same for any number of cores.
template <class Body>
void for_each_index(Index count, Index work_each, const Body& body) {
    constexpr Index kWorthAThread = 1 << 20;
    const Index cores = std::max<Index>(1, std::thread::hardware_concurrency());
    const Index parts = std::clamp<Index>(count * work_each / kWorthAThread, 1,
                                          std::min(cores, std::max<Index>(count, 1)));
    const auto run_part = [&](Index part) {
        for (Index i = count * part / parts; i < count * (part + 1) / parts; ++i) body(i);
    };
    std::vector<std::thread> threads;
    for (Index part = 1; part < parts; ++part) threads.emplace_back(run_part, part);
    run_part(0);
    for (std::thread& thread : threads) thread.join();
}

constexpr Index kTile = 4;

/// sums[i][j] = x_i . weight_j for kTile rows of x; `packed` holds kTile weights side by side, so
/// that the inner loop runs over neighbours.
void multiply_tile(const double* const (&rows)[kTile], const double* packed, Index depth,
                   double (&sums)[kTile][kTile]) {
    for (auto& row : sums) std::fill(row, row + kTile, 0.0);
    for (Index k = 0; k < depth; ++k) {
        for (Index i = 0; i < kTile; ++i) {
            for (Index j = 0; j < kTile; ++j) sums[i][j] += rows[i][k] * packed[k * kTile + j];
        }
    }
}

/// y (rows x columns) = x (rows x depth) times the transpose of weight (columns x depth).
void multiply(const double* x, const double* weight, Index rows, Index columns, Index depth,
              double* y) {
    for_each_index((columns + kTile - 1) / kTile, rows * kTile * depth, [&](Index tile) {
        const Index first = tile * kTile, width = std::min(kTile, columns - first);
        std::vector<double> packed(at(depth * kTile), 0.0);
        for (Index j = 0; j < width; ++j) {
            for (Index k = 0; k < depth; ++k) {
                packed[at(k * kTile + j)] = weight[(first + j) * depth + k];
            }
        }
        for (Index row = 0; row < rows; row += kTile) {
            const double* tile_rows[kTile];
            for (Index i = 0; i < kTile; ++i) {
                tile_rows[i] = x + std::min(row + i, rows - 1) * depth;
            }
            double sums[kTile][kTile];
            multiply_tile(tile_rows, packed.data(), depth, sums);
            for (Index i = 0; i < std::min(kTile, rows - row); ++i) {
                for (Index j = 0; j < width; ++j) {
                    y[(row + i) * columns + first + j] = sums[i][j];
                }
            }
        }
    });
}

Index out_size(Index size, Index kernel, Index stride, Index padding) {
    return (size + 2 * padding - kernel) / stride + 1;
}

/// Per position of the output the inputs under the kernel, [row][column][in], zeros outside.
Values unfold(const Convolution& shape, const double* image, Index out) {
    const Index channels = shape.in_channels;
    Values columns(at(out * out * shape.kernel * shape.kernel * channels), 0.0);
    double* to = columns.data();
    for (Index y = 0; y < out; ++y) {
        for (Index x = 0; x < out; ++x) {
            for (Index r = 0; r < shape.kernel; ++r) {
                for (Index s = 0; s < shape.kernel; ++s, to += channels) {
                    const Index in_y = y * shape.stride - shape.padding + r;
                    const Index in_x = x * shape.stride - shape.padding + s;
                    if (in_y < 0 || in_y >= shape.size || in_x < 0 || in_x >= shape.size) continue;
                    std::copy_n(image + (in_y * shape.size + in_x) * channels, channels, to);
                }
            }
        }
    }
    return columns;
}

void round_all(Values& values, Rounding rounding) {
    if (rounding == Rounding::none) return;
    for (double& value : values) value = round_to_bf16(value);
}

void add_to(Values& values, const Values& addend) {
    HEADROOM_CHECK(values.size() == addend.size(), "residual of another size");
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += addend[i];
}

}  // namespace

double round_to_bf16(double value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    if (std::isnan(value)) return value;
    const std::uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    return static_cast<double>(std::bit_cast<float>(rounded & 0xffff0000u));
}

Values convolution(const Convolution& shape, const Values& image, const Values& weight,
                   const Values& bias, const Values& residual) {
    const Index out = out_size(shape.size, shape.kernel, shape.stride, shape.padding);
    const Index depth = shape.kernel * shape.kernel * shape.in_channels;
    const Index image_values = shape.size * shape.size * shape.in_channels;
    const Index map_values = out * out * shape.out_channels;
    HEADROOM_CHECK(image.size() == at(shape.batch * image_values), "image of another size");
    HEADROOM_CHECK(weight.size() == at(shape.out_channels * depth), "weight of another size");
    HEADROOM_CHECK(bias.size() == at(shape.out_channels), "bias of another size");
    Values map(at(shape.batch * map_values));
    for (Index i = 0; i < shape.batch; ++i) {
        const Values columns = unfold(shape, image.data() + i * image_values, out);
        multiply(columns.data(), weight.data(), out * out, shape.out_channels, depth,
                 map.data() + i * map_values);
    }
    for (std::size_t i = 0; i < map.size(); ++i) map[i] += bias[i % bias.size()];
    if (!residual.empty()) add_to(map, residual);
    if (shape.relu) {
        for (double& value : map) value = value < 0 ? 0 : value;
    }
    return map;
}

Values max_pool(const Pool& shape, const Values& map) {
    const Index out = out_size(shape.size, shape.kernel, shape.stride, shape.padding);
    Values pooled(at(shape.batch * out * out * shape.channels),
                  -std::numeric_limits<double>::infinity());
    for (Index position = 0; position < shape.batch * out * out; ++position) {
        const Index image = position / (out * out);
        const Index first_y = position / out % out * shape.stride - shape.padding;
        const Index first_x = position % out * shape.stride - shape.padding;
        double* to = pooled.data() + position * shape.channels;
        for (Index y = first_y; y < first_y + shape.kernel; ++y) {
            for (Index x = first_x; x < first_x + shape.kernel; ++x) {
                if (y < 0 || y >= shape.size || x < 0 || x >= shape.size) continue;
                const double* from =
                    map.data() + ((image * shape.size + y) * shape.size + x) * shape.channels;
                for (Index c = 0; c < shape.channels; ++c) to[c] = std::max(to[c], from[c]);
            }
        }
    }
    return pooled;
}

Values average_pool(const Pool& shape, const Values& map) {
    const Index area = shape.size * shape.size;
    Values pooled(at(shape.batch * shape.channels), 0.0);
    for (Index position = 0; position < shape.batch * area; ++position) {
        double* to = pooled.data() + position / area * shape.channels;
        const double* from = map.data() + position * shape.channels;
        for (Index c = 0; c < shape.channels; ++c) to[c] += from[c];
    }
    for (double& value : pooled) value /= static_cast<double>(area);
    return pooled;
}

Values linear(const Values& x, const Values& weight, const Values& bias) {
    const Index out = static_cast<Index>(bias.size());
    const Index in = static_cast<Index>(weight.size()) / out;
    HEADROOM_CHECK(weight.size() == at(in * out) && x.size() % at(in) == 0, "sizes do not fit");
    const Index rows = static_cast<Index>(x.size()) / in;
    Values y(at(rows * out));
    multiply(x.data(), weight.data(), rows, out, in, y.data());
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[i % bias.size()];
    return y;
}

Values layer_norm(const Values& x, const Values& gain, const Values& bias, double epsilon) {
    const std::size_t width = gain.size();
    HEADROOM_CHECK(bias.size() == width && x.size() % width == 0, "sizes do not fit");
    Values y(x.size());
    for (std::size_t row = 0; row < x.size(); row += width) {
        double mean = 0, variance = 0;
        for (std::size_t i = 0; i < width; ++i) mean += x[row + i];
        mean /= static_cast<double>(width);
        for (std::size_t i = 0; i < width; ++i) {
            variance += (x[row + i] - mean) * (x[row + i] - mean);
        }
        variance /= static_cast<double>(width);
        const double scale = 1 / std::sqrt(variance + epsilon);
        for (std::size_t i = 0; i < width; ++i) {
            y[row + i] = (x[row + i] - mean) * scale * gain[i] + bias[i];
        }
    }
    return y;
}

double gelu(double x) {
    const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    return 0.5 * x * (1 + std::tanh(inner));
}

Values attention(const Attention& shape, const Values& qkv, Rounding rounding) {
    const Index width = shape.heads * shape.head_size, tokens = shape.tokens;
    HEADROOM_CHECK(qkv.size() == at(shape.batch * tokens * 3 * width), "qkv of another size");
    const double scale = 1 / std::sqrt(static_cast<double>(shape.head_size));
    Values out(at(shape.batch * tokens * width), 0.0);
    const Index work = 2 * tokens * shape.head_size;
    for_each_index(shape.batch * shape.heads * tokens, work, [&](Index index) {
        const Index query = index % tokens, head = index / tokens % shape.heads;
        const Index image = index / (tokens * shape.heads);
        const double* rows = qkv.data() + image * tokens * 3 * width + head * shape.head_size;
        const double* q = rows + query * 3 * width;
        Values score(at(tokens));
        for (Index key = 0; key < tokens; ++key) {
            const double* k = rows + key * 3 * width + width;
            double sum = 0;
            for (Index d = 0; d < shape.head_size; ++d) sum += q[d] * k[d];
            score[at(key)] = sum * scale;
        }
        const double greatest = *std::max_element(score.begin(), score.end());
        double total = 0;
        double* to = out.data() + (image * tokens + query) * width + head * shape.head_size;
        for (Index key = 0; key < tokens; ++key) {
            double weight = std::exp(score[at(key)] - greatest);
            total += weight;
            if (rounding == Rounding::bf16) weight = round_to_bf16(weight);
            const double* v = rows + key * 3 * width + 2 * width;
            for (Index d = 0; d < shape.head_size; ++d) to[d] += weight * v[d];
        }
        for (Index d = 0; d < shape.head_size; ++d) to[d] /= total;
    });
    return out;
}

NetworkOutput run(const ResNet& network, const std::vector<Values>& parameters, const Values& image,
                  Rounding rounding) {
    HEADROOM_CHECK(parameters.size() == network.parameters.size(), "parameters of another network");
    const Index batch = network.shape.batch;
    std::vector<Values> slots(network.slots.size());
    slots[at(ResNet::kImage)] = image;
    for (const Layer& layer : network.layers) {
        const Values& from = slots[at(layer.input)];
        const Pool pool{.batch = batch,
                        .size = layer.in_size,
                        .channels = layer.in_channels,
                        .kernel = layer.kernel,
                        .stride = layer.stride,
                        .padding = layer.padding};
        Values to;
        if (layer.kind == LayerKind::convolution) {
            to = convolution({.batch = batch,
                              .size = layer.in_size,
                              .in_channels = layer.in_channels,
                              .out_channels = layer.out_channels,
                              .kernel = layer.kernel,
                              .stride = layer.stride,
                              .padding = layer.padding,
                              .relu = layer.relu},
                             from, parameters[at(layer.parameter)],
                             parameters[at(layer.parameter + 1)],
                             layer.residual < 0 ? Values{} : slots[at(layer.residual)]);
        } else if (layer.kind == LayerKind::max_pool) {
            to = max_pool(pool, from);
        } else {
            to = average_pool(pool, from);
        }
        round_all(to, rounding);
        slots[at(layer.output)] = std::move(to);
    }
    return {.features = slots[at(network.features)], .logits = slots[at(network.logits)]};
}

namespace {

/// [batch][size][size][3] -> a row a patch, [row][column][channel] within it.
Values cut_patches(const Vit& vit, const Values& image) {
    const Index side = vit.patches_a_side(), size = vit.shape.image;
    Values patches;
    patches.reserve(image.size());
    for (Index patch = 0; patch < vit.shape.batch * side * side; ++patch) {
        const Index first_y = patch / side % side * Vit::kPatch;
        const Index first_x = patch % side * Vit::kPatch;
        for (Index y = first_y; y < first_y + Vit::kPatch; ++y) {
            const double* from =
                image.data() + ((patch / (side * side) * size + y) * size + first_x) * 3;
            patches.insert(patches.end(), from, from + Vit::kPatch * 3);
        }
    }
    return patches;
}

/// The class token before each image's patches, positions added.
Values embed(const Vit& vit, const std::vector<Values>& parameters, const Values& image,
             Rounding rounding) {
    const Index width = vit.shape.width, tokens = vit.tokens();
    Values patches =
        linear(cut_patches(vit, image), parameters[Vit::patch_weight], parameters[Vit::patch_bias]);
    round_all(patches, rounding);
    Values x(at(vit.shape.batch * tokens * width));
    for (Index row = 0; row < vit.shape.batch * tokens; ++row) {
        const Index image_index = row / tokens, token = row % tokens;
        const double* from =
            token == 0 ? parameters[Vit::class_token].data()
                       : patches.data() + (image_index * vit.patches() + token - 1) * width;
        const double* position = parameters[Vit::positions].data() + token * width;
        for (Index i = 0; i < width; ++i) x[at(row * width + i)] = from[i] + position[i];
    }
    round_all(x, rounding);
    return x;
}

}  // namespace

NetworkOutput run(const Vit& vit, const std::vector<Values>& parameters, const Values& image,
                  Rounding rounding) {
    HEADROOM_CHECK(parameters.size() == vit.parameters.size(), "parameters of another network");
    const Attention heads{.batch = vit.shape.batch,
                          .tokens = vit.tokens(),
                          .heads = vit.heads(),
                          .head_size = Vit::kHeadSize};
    const auto rounded = [&](Values values) {
        round_all(values, rounding);
        return values;
    };
    Values x = embed(vit, parameters, image, rounding);
    for (Index layer = 0; layer < vit.shape.depth; ++layer) {
        const Values* p = &parameters[vit.block(layer)];
        const auto norm = [&](Vit::Block gain, Vit::Block bias) {
            return rounded(layer_norm(x, p[gain], p[bias], Vit::kEpsilon));
        };
        const Values qkv = rounded(
            linear(norm(Vit::norm1_gain, Vit::norm1_bias), p[Vit::qkv_weight], p[Vit::qkv_bias]));
        const Values mixed = rounded(attention(heads, qkv, rounding));
        add_to(x, linear(mixed, p[Vit::project_weight], p[Vit::project_bias]));
        round_all(x, rounding);
        Values hidden = linear(norm(Vit::norm2_gain, Vit::norm2_bias), p[Vit::expand_weight],
                               p[Vit::expand_bias]);
        for (double& value : hidden) value = gelu(value);
        round_all(hidden, rounding);
        add_to(x, linear(hidden, p[Vit::contract_weight], p[Vit::contract_bias]));
        round_all(x, rounding);
    }
    Values class_tokens;
    for (Index i = 0; i < vit.shape.batch; ++i) {
        const auto first = x.begin() + i * vit.tokens() * vit.shape.width;
        class_tokens.insert(class_tokens.end(), first, first + vit.shape.width);
    }
    const Values* p = &parameters[vit.head()];
    const Values normed =
        rounded(layer_norm(class_tokens, p[Vit::norm_gain], p[Vit::norm_bias], Vit::kEpsilon));
    return {.features = std::move(x),
            .logits = rounded(linear(normed, p[Vit::head_weight], p[Vit::head_bias]))};
}

Values random_values(std::int64_t count, double deviation, double mean, std::uint64_t seed) {
    std::uint64_t state = seed;
    // SplitMix64 (Steele et al. 2014), then Box-Muller; 53 bits in (0, 1].
    const auto uniform = [&state] {
        std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return (static_cast<double>((z ^ (z >> 31)) >> 11) + 1) * 0x1p-53;
    };
    Values values(at(count));
    for (double& value : values) {
        const double radius = std::sqrt(-2 * std::log(uniform()));
        value =
            round_to_bf16(mean + deviation * radius * std::cos(2 * std::numbers::pi * uniform()));
    }
    return values;
}

std::vector<Values> random_parameters(const std::vector<ParameterTensor>& parameters,
                                      std::uint64_t seed) {
    std::vector<Values> values;
    for (const ParameterTensor& tensor : parameters) {
        const std::uint64_t own = seed * 0x100000001b3u + values.size() * 0x2545f4914f6cdd1du;
        values.push_back(random_values(tensor.count, tensor.deviation, tensor.mean, own));
    }
    return values;
}

}  // namespace headroom::kernels::reference
