#include <array>
#include <cmath>
#include <numeric>

#include "analysis/calibration/kernels/elementwise_base.cuh"
#include "analysis/calibration/kernels/elementwise_ops.hpp"

namespace headroom::kernels {

namespace {

constexpr int kThreads = 128;
constexpr int kHeadsAThread = 2;
constexpr int kPageTokens = 16;
constexpr double kTheta = 500000;
// Tokens come from sequences of 256 in a row, each from another position on: pages that begin
// midway, and cosines of many positions.
constexpr std::int64_t kSequenceTokens = 256;
constexpr std::int64_t kMostPositions = 768;
constexpr std::int64_t kTablePages = kMostPositions / kPageTokens;

struct Heads {
    std::int64_t query = 0;
    std::int64_t kv = 0;
    std::int64_t size = 0;

    explicit Heads(const Shape& shape)
        : query(field(shape, "query_heads")),
          kv(field(shape, "kv_heads")),
          size(field(shape, "head_size")) {}
    [[nodiscard]] std::int64_t all() const { return query + 2 * kv; }
};

/// By value into the kernel: pointers of one set, and the sizes.
struct RopeArguments {
    const uint4* qkv;  ///< [token][query, key and value heads][head_size]
    uint4* q_out;      ///< [token][query heads][head_size]
    uint4* k_pages;    ///< [page][16][kv heads][head_size]
    uint4* v_pages;
    const float4* cosines;  ///< [position][head_size / 2]
    const float4* sines;
    const int* positions;  ///< of each token in its sequence
    const int* sequences;  ///< of each token
    const int* table;      ///< [sequence][kTablePages]: the page of each 16 positions
    int query_heads;
    int kv_heads;
    int packs_a_head;  ///< head_size / 8
};

__device__ void read_eight(const float4* table, float (&values)[kPack]) {
    const float4 low = table[0];
    const float4 high = table[1];
    values[0] = low.x;
    values[1] = low.y;
    values[2] = low.z;
    values[3] = low.w;
    values[4] = high.x;
    values[5] = high.y;
    values[6] = high.z;
    values[7] = high.w;
}

/// A token and up to 32 of its heads a block. A thread has 8 elements of the lower half of a head
/// and the 8 of the upper half that rotate with them, of two heads.
__global__ void __launch_bounds__(kThreads) rope_kv_append_kernel(const RopeArguments a) {
    const int half = a.packs_a_head / 2;
    const int slots = kThreads / half;
    const int slot = static_cast<int>(threadIdx.x) / half;
    const int lane = static_cast<int>(threadIdx.x) % half;
    const int heads = a.query_heads + 2 * a.kv_heads;
    const int first = static_cast<int>(blockIdx.y) * slots * kHeadsAThread + slot;
    const long long token = blockIdx.x;
    if (slot >= slots || first >= heads) return;

    const uint4* source = a.qkv + token * heads * a.packs_a_head + lane;
    uint4 low[kHeadsAThread];
    uint4 high[kHeadsAThread];
#pragma unroll
    for (int i = 0; i < kHeadsAThread; ++i) {
        const int head = first + i * slots;
        if (head < heads) {
            low[i] = source[head * a.packs_a_head];
            high[i] = source[head * a.packs_a_head + half];
        }
    }
    const int position = a.positions[token];
    const int page =
        a.table[a.sequences[token] * static_cast<int>(kTablePages) + position / kPageTokens];
    const long long slot_in_pages =
        static_cast<long long>(page) * kPageTokens + position % kPageTokens;
    float cosine[kPack];
    float sine[kPack];
    const int at_angle = (position * half + lane) * 2;
    read_eight(a.cosines + at_angle, cosine);
    read_eight(a.sines + at_angle, sine);

#pragma unroll
    for (int i = 0; i < kHeadsAThread; ++i) {
        const int head = first + i * slots;
        if (head >= heads) continue;
        const int kv_head = (head - a.query_heads) % a.kv_heads;
        const bool is_value = head >= a.query_heads + a.kv_heads;
        uint4* target = head < a.query_heads
                            ? a.q_out + (token * a.query_heads + head) * a.packs_a_head
                            : (is_value ? a.v_pages : a.k_pages) +
                                  (slot_in_pages * a.kv_heads + kv_head) * a.packs_a_head;
        if (!is_value) {
            float x[kPack];
            float y[kPack];
            unpack(low[i], x);
            unpack(high[i], y);
#pragma unroll
            for (int j = 0; j < kPack; ++j) {
                const float rotated = x[j] * cosine[j] - y[j] * sine[j];
                y[j] = y[j] * cosine[j] + x[j] * sine[j];
                x[j] = rotated;
            }
            low[i] = packed(x);
            high[i] = packed(y);
        }
        target[lane] = low[i];
        target[lane + half] = high[i];
    }
}

/// Where the tokens stand: positions, sequences, and a block table whose pages are in no order.
struct Placement {
    std::vector<std::int32_t> positions;
    std::vector<std::int32_t> sequences;
    std::vector<std::int32_t> table;
    std::int64_t pages = 0;

    explicit Placement(std::int64_t tokens) {
        const std::int64_t count = (tokens + kSequenceTokens - 1) / kSequenceTokens;
        for (std::int64_t t = 0; t < tokens; ++t) {
            const std::int64_t sequence = t / kSequenceTokens;
            const std::int64_t begin = (37 * sequence + 5) % (kMostPositions - kSequenceTokens);
            positions.push_back(static_cast<std::int32_t>(begin + t % kSequenceTokens));
            sequences.push_back(static_cast<std::int32_t>(sequence));
        }
        // Only the pages that are written exist; an odd stride that shares no factor with their
        // number visits each of them once, far from the one before.
        table.assign(static_cast<std::size_t>(count * kTablePages), 0);
        std::vector<std::size_t> used;
        for (std::size_t t = 0; t < positions.size(); ++t) {
            const std::size_t entry =
                static_cast<std::size_t>(sequences[t] * kTablePages + positions[t] / kPageTokens);
            if (used.empty() || used.back() != entry) used.push_back(entry);
        }
        pages = static_cast<std::int64_t>(used.size());
        std::int64_t stride = pages / 2 + 1;
        while (std::gcd(stride, pages) != 1) ++stride;
        for (std::size_t i = 0; i < used.size(); ++i) {
            const std::int64_t page = static_cast<std::int64_t>(i) * stride % pages;
            table[used[i]] = static_cast<std::int32_t>(page);
        }
    }
    /// Of a token: its row among the page slots.
    [[nodiscard]] std::size_t slot(std::size_t token) const {
        const std::int64_t entry = sequences[token] * kTablePages + positions[token] / kPageTokens;
        return static_cast<std::size_t>(table[static_cast<std::size_t>(entry)] * kPageTokens +
                                        positions[token] % kPageTokens);
    }
};

Buffer uploaded(const void* data, std::size_t bytes, cudaStream_t stream) {
    Buffer buffer(bytes);
    buffer.upload(data, bytes, stream);
    return buffer;
}

template <class Number>
Buffer uploaded(const std::vector<Number>& numbers, cudaStream_t stream) {
    return uploaded(numbers.data(), numbers.size() * sizeof(Number), stream);
}

/// cos or sin of position * theta^(-2 i / head_size), [position][i], in double, rounded once.
std::vector<float> angle_table(std::int64_t head_size, bool cosine) {
    std::vector<float> table;
    for (std::int64_t position = 0; position < kMostPositions; ++position) {
        for (std::int64_t i = 0; i < head_size / 2; ++i) {
            const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(head_size);
            const double angle = static_cast<double>(position) * std::pow(kTheta, exponent);
            table.push_back(static_cast<float>(cosine ? std::cos(angle) : std::sin(angle)));
        }
    }
    return table;
}

class RopeCase final : public Case {
  public:
    RopeCase(const Context& context, std::int64_t tokens, const Heads& heads, int copies,
             std::uint64_t seed)
        : stream_(context.stream),
          tokens_(tokens),
          heads_(heads),
          copies_(copies),
          placement(tokens),
          qkv(tokens * heads.all() * heads.size, copies),
          q_out(tokens * heads.query * heads.size, copies),
          k_pages(placement.pages * kPageTokens * heads.kv * heads.size, copies),
          v_pages(placement.pages * kPageTokens * heads.kv * heads.size, copies),
          cosines_(uploaded(angle_table(heads.size, true), stream_)),
          sines_(uploaded(angle_table(heads.size, false), stream_)),
          positions_(uploaded(placement.positions, stream_)),
          sequences_(uploaded(placement.sequences, stream_)),
          table_(uploaded(placement.table, stream_)) {
        if (heads.size % (2 * kPack) != 0 || heads.size > 2 * kPack * kThreads) {
            throw DeviceError("rope_kv_append: head size " + std::to_string(heads.size) +
                              " is no multiple of 16");
        }
        fill_bf16(qkv.buffer(), seed, 1.0f, stream_);
    }

    [[nodiscard]] int copies() const override { return copies_; }
    void launch(int copy) override {
        const int packs_a_head = static_cast<int>(heads_.size) / kPack;
        const int heads_a_block = kThreads / (packs_a_head / 2) * kHeadsAThread;
        const auto blocks =
            static_cast<unsigned>((heads_.all() + heads_a_block - 1) / heads_a_block);
        const RopeArguments arguments = {qkv.at(copy),
                                         q_out.at(copy),
                                         k_pages.at(copy),
                                         v_pages.at(copy),
                                         cosines_.as<float4>(),
                                         sines_.as<float4>(),
                                         positions_.as<int>(),
                                         sequences_.as<int>(),
                                         table_.as<int>(),
                                         static_cast<int>(heads_.query),
                                         static_cast<int>(heads_.kv),
                                         packs_a_head};
        kernels::launch({.grid = dim3(static_cast<unsigned>(tokens_), blocks),
                         .block = kThreads,
                         .stream = stream_},
                        rope_kv_append_kernel, arguments);
    }

  private:
    cudaStream_t stream_;
    std::int64_t tokens_;
    Heads heads_;
    int copies_;

  public:
    Placement placement;
    TensorSets qkv;
    TensorSets q_out;
    TensorSets k_pages;
    TensorSets v_pages;

  private:
    Buffer cosines_;
    Buffer sines_;
    Buffer positions_;
    Buffer sequences_;
    Buffer table_;
};

/// [token][heads begin .. end of all][size] out of [token][all][size].
std::vector<double> heads_of(const std::vector<double>& values, std::int64_t all,
                             std::int64_t begin, std::int64_t end, std::int64_t size) {
    std::vector<double> result;
    for (std::size_t token = 0; token < values.size();
         token += static_cast<std::size_t>(all * size)) {
        const auto from = values.begin() + static_cast<std::ptrdiff_t>(token);
        result.insert(result.end(), from + begin * size, from + end * size);
    }
    return result;
}

/// The rows of the tokens out of the pages, in the order of the tokens.
std::vector<double> gathered(const std::vector<double>& pages, const Placement& placement,
                             std::int64_t row) {
    std::vector<double> result;
    for (std::size_t token = 0; token < placement.positions.size(); ++token) {
        const auto from = pages.begin() + static_cast<std::ptrdiff_t>(placement.slot(token)) * row;
        result.insert(result.end(), from, from + row);
    }
    return result;
}

std::vector<Shape> with_heads(const std::vector<std::int64_t>& tokens,
                              const std::vector<std::array<std::int64_t, 3>>& heads) {
    std::vector<Shape> shapes;
    for (const auto& [query, kv, size] : heads) {
        for (const std::int64_t t : tokens) {
            shapes.push_back(
                {{"tokens", t}, {"query_heads", query}, {"kv_heads", kv}, {"head_size", size}});
        }
    }
    return shapes;
}

class RopeOp final : public MemoryBoundOp {
  public:
    [[nodiscard]] std::string name() const override { return "rope_kv_append"; }
    [[nodiscard]] std::vector<Shape> shapes(Mode mode) const override {
        if (mode == Mode::quick) return with_heads({1, 128, 2048}, {{32, 8, 128}});
        return with_heads({1, 16, 128, 1024, 8192}, {{8, 1, 128}, {32, 8, 128}, {64, 8, 128}});
    }
    [[nodiscard]] std::vector<Shape> check_shapes() const override {
        std::vector<Shape> shapes = with_heads({1, 37}, {{32, 8, 128}, {7, 7, 64}});
        for (const Shape& shape : with_heads({300}, {{28, 4, 128}, {8, 1, 128}, {5, 2, 96}})) {
            shapes.push_back(shape);
        }
        return shapes;
    }
    [[nodiscard]] Work work(const Shape& shape) const override {
        const Heads heads(shape);
        const auto tokens = static_cast<double>(field(shape, "tokens"));
        return {.flop = 0,
                .bytes = tokens * (4 * static_cast<double>(heads.all() * heads.size) + 8)};
    }
    [[nodiscard]] std::size_t bytes_on_device(const Context& context,
                                              const Shape& shape) const override {
        const Heads heads(shape);
        const std::int64_t tokens = field(shape, "tokens");
        const Placement placement(tokens);
        const std::size_t set =
            TensorSets::bytes_of(tokens * heads.all() * heads.size) +
            TensorSets::bytes_of(tokens * heads.query * heads.size) +
            2 * TensorSets::bytes_of(placement.pages * kPageTokens * heads.kv * heads.size);
        const std::size_t tables = 4 * (static_cast<std::size_t>(kMostPositions * heads.size) +
                                        2 * placement.positions.size() + placement.table.size());
        return set * static_cast<std::size_t>(copies(context, shape)) + tables;
    }
    [[nodiscard]] std::unique_ptr<Case> prepare(Context& context, const Shape& shape,
                                                std::uint64_t seed) const override {
        return std::make_unique<RopeCase>(context, field(shape, "tokens"), Heads(shape),
                                          copies(context, shape), seed);
    }
    [[nodiscard]] double check(Context& context, const Shape& shape,
                               std::uint64_t seed) const override {
        const cudaStream_t stream = context.stream;
        const Heads heads(shape);
        RopeCase prepared(context, field(shape, "tokens"), heads, 2, seed);
        for (const TensorSets* written : {&prepared.q_out, &prepared.k_pages, &prepared.v_pages}) {
            written->buffer().poison(stream);
        }
        prepared.launch(1);
        const std::int64_t row = heads.kv * heads.size;
        const Placement& placement = prepared.placement;
        const std::vector<double> in = prepared.qkv.values(1, stream);
        const auto of = [&](std::int64_t begin, std::int64_t end) {
            return heads_of(in, heads.all(), begin, end, heads.size);
        };
        const auto rotated = [&](std::int64_t begin, std::int64_t end) {
            return reference::rope(of(begin, end), placement.positions, end - begin, heads.size,
                                   kTheta);
        };
        const std::int64_t keys_end = heads.query + heads.kv;
        const double q =
            reference::relative_l2(prepared.q_out.values(1, stream), rotated(0, heads.query));
        const double k =
            reference::relative_l2(gathered(prepared.k_pages.values(1, stream), placement, row),
                                   rotated(heads.query, keys_end));
        const double v =
            reference::relative_l2(gathered(prepared.v_pages.values(1, stream), placement, row),
                                   of(keys_end, heads.all()));
        return reference::worse(q, reference::worse(k, v));
    }

  private:
    [[nodiscard]] static int copies(const Context& context, const Shape& shape) {
        const Heads heads(shape);
        return copies_for(context,
                          TensorSets::bytes_of(field(shape, "tokens") * heads.all() * heads.size));
    }
};

}  // namespace

std::unique_ptr<Op> make_rope_kv_append() {
    return std::make_unique<RopeOp>();
}

}  // namespace headroom::kernels
