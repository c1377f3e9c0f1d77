#include "analysis/calibration/kernels/reference.hpp"

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

namespace headroom::kernels::reference {

double bf16_value(std::uint16_t bits) {
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
}

double e4m3_value(std::uint8_t bits) {
    const int exponent = (bits >> 3) & 0xf;
    const int mantissa = bits & 0x7;
    if (exponent == 0xf && mantissa == 0x7) return std::numeric_limits<double>::quiet_NaN();
    // Subnormal: mantissa/8 * 2^-6; normal: (1 + mantissa/8) * 2^(exponent - 7).
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    return (bits & 0x80) != 0 ? -magnitude : magnitude;
}

std::vector<double> widen_bf16(std::span<const std::uint16_t> bits) {
    std::vector<double> values;
    values.reserve(bits.size());
    for (const std::uint16_t b : bits) values.push_back(bf16_value(b));
    return values;
}

std::vector<double> widen_e4m3(std::span<const std::uint8_t> bits) {
    std::vector<double> values;
    values.reserve(bits.size());
    for (const std::uint8_t b : bits) values.push_back(e4m3_value(b));
    return values;
}

double relative_l2(std::span<const double> out, std::span<const double> expected) {
    if (out.size() != expected.size()) return std::numeric_limits<double>::quiet_NaN();
    double difference = 0;
    double norm = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const double d = out[i] - expected[i];
        difference += d * d;
        norm += expected[i] * expected[i];
    }
    if (std::isnan(difference)) return difference;
    if (norm == 0) return difference == 0 ? 0 : std::numeric_limits<double>::infinity();
    return std::sqrt(difference / norm);
}

double worse(double a, double b) {
    return std::isnan(a) || a > b ? a : b;
}

std::vector<double> gemm(std::span<const double> x, std::span<const double> weights,
                         const GemmSize& size, double scale) {
    const auto m = static_cast<std::size_t>(size.m);
    const auto n = static_cast<std::size_t>(size.n);
    const auto k = static_cast<std::size_t>(size.k);
    std::vector<double> y(m * n);
    for (std::size_t row = 0; row < m; ++row) {
        for (std::size_t column = 0; column < n; ++column) {
            const double* a = x.data() + row * k;
            const double* b = weights.data() + column * k;
            double sum = 0;
            for (std::size_t i = 0; i < k; ++i) sum += a[i] * b[i];
            y[row * n + column] = scale * sum;
        }
    }
    return y;
}

Normalised rmsnorm_residual(std::span<const double> x, std::span<const double> residual,
                            std::span<const double> weight, double epsilon) {
    const std::size_t width = weight.size();
    Normalised result;
    result.out.resize(x.size());
    result.residual.resize(x.size());
    for (std::size_t row = 0; row < x.size(); row += width) {
        double squares = 0;
        for (std::size_t i = row; i < row + width; ++i) {
            result.residual[i] = x[i] + residual[i];
            squares += result.residual[i] * result.residual[i];
        }
        const double rms = std::sqrt(squares / static_cast<double>(width) + epsilon);
        for (std::size_t i = 0; i < width; ++i) {
            result.out[row + i] = result.residual[row + i] / rms * weight[i];
        }
    }
    return result;
}

std::vector<double> rope(std::span<const double> x, std::span<const std::int32_t> positions,
                         std::int64_t heads, std::int64_t head_size, double theta) {
    const auto size = static_cast<std::size_t>(head_size);
    const std::size_t half = size / 2;
    std::vector<double> rotated(x.size());
    for (std::size_t token = 0; token < positions.size(); ++token) {
        for (std::size_t head = 0; head < static_cast<std::size_t>(heads); ++head) {
            const std::size_t at = (token * static_cast<std::size_t>(heads) + head) * size;
            for (std::size_t i = 0; i < half; ++i) {
                const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(size);
                const double angle = positions[token] * std::pow(theta, exponent);
                const double low = x[at + i];
                const double high = x[at + i + half];
                rotated[at + i] = low * std::cos(angle) - high * std::sin(angle);
                rotated[at + i + half] = high * std::cos(angle) + low * std::sin(angle);
            }
        }
    }
    return rotated;
}

std::vector<double> swiglu(std::span<const double> gate_up, std::int64_t width) {
    const auto columns = static_cast<std::size_t>(width);
    std::vector<double> out;
    out.reserve(gate_up.size() / 2);
    for (std::size_t row = 0; row < gate_up.size(); row += 2 * columns) {
        for (std::size_t i = 0; i < columns; ++i) {
            const double gate = gate_up[row + i];
            out.push_back(gate / (1 + std::exp(-gate)) * gate_up[row + columns + i]);
        }
    }
    return out;
}

std::vector<std::int64_t> argmax(std::span<const double> rows, std::int64_t width) {
    const auto columns = static_cast<std::size_t>(width);
    std::vector<std::int64_t> result;
    for (std::size_t row = 0; row < rows.size(); row += columns) {
        std::size_t best = 0;
        for (std::size_t i = 1; i < columns; ++i) {
            if (rows[row + i] > rows[row + best]) best = i;
        }
        result.push_back(static_cast<std::int64_t>(best));
    }
    return result;
}

}  // namespace headroom::kernels::reference
