/// LengthModel: how many tokens a prompt or an output has: a distribution cut to [minimum, maximum]
/// (values outside move to the bound), rounded to the nearest whole token, at least 1.
///
///     LengthModel prompt(Distribution::lognormal(6.63, 0.99), 1, 4096);
///     Tokens n = prompt.draw(stream, request);             // number `request` of the stream
///     LengthModel real = length_preset("azure-2023-conversation")->prompt;
///
/// Presets: "azure-2023-conversation", "azure-2023-code" and "mooncake-conversation" are quantiles
/// taken from the traces, straight lines between them; the other names are lognormal fits, a
/// fallback (their Kolmogorov-Smirnov distance from the traces is 0.1 to 0.2). Prompt and output
/// are independent: in the Azure traces their rank correlation is near 0. Sources in
/// length_presets.cpp. O(1), 10 to 40 ns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/core/distribution.hpp"
#include "sim/core/parameter.hpp"
#include "sim/core/random.hpp"
#include "sim/core/units.hpp"

namespace headroom::traces {

class LengthModel {
  public:
    static constexpr std::int64_t kMostTokens = 1'000'000'000;

    LengthModel() : LengthModel(Distribution::fixed(1)) {}
    /// 1 <= minimum <= maximum.
    explicit LengthModel(Distribution distribution, std::int64_t minimum = 1,
                         std::int64_t maximum = kMostTokens);

    [[nodiscard]] Tokens draw(const RandomStream& stream, std::uint64_t index,
                              std::uint64_t nth = 0) const {
        return at(stream.uniform(index, nth));
    }
    [[nodiscard]] bool fixed() const { return fixed_ > 0; }
    /// The length where the distribution function reaches u, in (0, 1). Never falls with u.
    [[nodiscard]] Tokens at(double u) const {
        if (fixed_ > 0) return Tokens{fixed_};
        const std::int64_t n = distribution_.whole_at(u);
        return Tokens{n < minimum_ ? minimum_ : n > maximum_ ? maximum_ : n};
    }
    [[nodiscard]] const Distribution& distribution() const { return distribution_; }
    [[nodiscard]] std::int64_t minimum() const { return minimum_; }
    [[nodiscard]] std::int64_t maximum() const { return maximum_; }

    enum class Role : std::uint8_t { prompt, output };
    /// Parameters: distribution, and what it needs. See from().
    [[nodiscard]] static ParameterSpecs specs();
    /// Throws std::invalid_argument on parameters that contradict each other (while loading).
    [[nodiscard]] static LengthModel from(const Parameters& parameters, Role role);
    /// Those parameters of which from() makes nothing: the distribution needs others.
    [[nodiscard]] static std::vector<const char*> unused(const Parameters& parameters);

  private:
    Distribution distribution_;
    std::int64_t minimum_ = 1;
    std::int64_t maximum_ = kMostTokens;
    std::int64_t fixed_ = 0;  ///< the answer where the distribution is one value; else 0
};

/// LengthSequence: the lengths model.at(u) for the draws 0, 1, 2, ... of a stream, faster: (0, 1)
/// is cut into cells, and where both ends of a cell have one length, so has all of it, for at()
/// never falls. A cell is looked at when a draw first meets it. next() is O(1), as dear as at()
/// only where the ends differ; 32 KiB.
class LengthSequence {
  public:
    LengthSequence(LengthModel model, RandomStream stream);

    [[nodiscard]] Tokens next() {
        if (cells_.empty()) return model_.at(0.5);
        const double u = draws_.next();
        const std::int32_t known = cells_[static_cast<std::size_t>(u * kCells)];
        return known > 0 ? Tokens{known} : look_closer(u);
    }

  private:
    static constexpr int kCells = 1 << 13;
    static constexpr std::int32_t kNew = 0;
    static constexpr std::int32_t kMixed = -1;
    [[nodiscard]] Tokens look_closer(double u);

    LengthModel model_;
    UniformSequence draws_;
    std::vector<std::int32_t> cells_;  ///< a length, kNew or kMixed; empty when it is fixed
};

struct LengthPreset {
    std::string_view name;
    std::string_view help;
    LengthModel prompt;
    LengthModel output;
};

/// All of them, the quantile presets first.
[[nodiscard]] const std::vector<LengthPreset>& length_presets();
/// Null when there is none of that name.
[[nodiscard]] const LengthPreset* length_preset(std::string_view name);

/// A distribution of durations: fixed, exponential, lognormal, gamma or weibull with `mean` and,
/// for the last three, `cv`.
[[nodiscard]] ParameterSpecs duration_specs(Duration mean);
[[nodiscard]] Distribution duration_distribution(const Parameters& parameters);
/// Those of which it makes nothing.
[[nodiscard]] std::vector<const char*> unused_of_duration(const Parameters& parameters);

/// The lognormal distribution of that mean and coefficient of variation: sigma^2 = log(1 + cv^2),
/// mu = log(mean) - sigma^2 / 2.
[[nodiscard]] Distribution lognormal_of(double mean, double cv);

}  // namespace headroom::traces
