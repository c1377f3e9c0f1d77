/// Lengths of prompts and outputs in public traces.
///
/// Quantiles: computed from the files of Azure/AzurePublicDataset (AzureLLMInferenceTrace_conv and
/// _code, November 2023, 19,366 and 8,819 requests, CC-BY 4.0) and of kvcache-ai/Mooncake (the
/// conversation trace, 12,031 requests, Apache-2.0), linearly between order statistics.
/// Lognormal fits: by maximum likelihood to the same traces; ServeGen's m-large and DeepSeek-R1
/// after Xiang et al., "ServeGen: Workload Characterization and Generation of Large Language Model
/// Serving in Production", 2025.

#include <array>

#include "traces/generators/length_model.hpp"

namespace headroom::traces {

namespace {

constexpr std::size_t kPoints = 37;
using Quantiles = std::array<std::int32_t, kPoints>;

constexpr std::array<double, kPoints> kProbabilities = {
    0,    0.001, 0.01,  0.025, 0.05,   0.1,   0.15,   0.2,   0.25,  0.3,    0.35,  0.4,  0.45,
    0.5,  0.55,  0.6,   0.65,  0.7,    0.75,  0.8,    0.85,  0.875, 0.9,    0.925, 0.95, 0.96,
    0.97, 0.98,  0.985, 0.99,  0.9925, 0.995, 0.9975, 0.998, 0.999, 0.9995, 1};
constexpr Quantiles kAzureConversationPrompt = {
    2,    8,    29,   120,  181,  207,  372,  387,  396,  403,  414,  703,  984,
    1020, 1045, 1071, 1097, 1130, 1189, 1315, 1876, 2309, 2734, 4075, 4083, 4086,
    4090, 4098, 4110, 4142, 4179, 4831, 5404, 5652, 6179, 6570, 14050};
constexpr Quantiles kAzureConversationOutput = {
    7,   12,  16,  28,  41,  54,  67,  77,  85,  91,  96,  103, 113, 129, 151, 177, 217,  384, 395,
    400, 411, 416, 424, 430, 451, 468, 509, 540, 571, 601, 617, 643, 719, 917, 954, 1000, 1000};
constexpr Quantiles kAzureCodePrompt = {3,    7,    17,   44,   75,   147,  232,  386,  578,  770,
                                        939,  1075, 1261, 1469, 1690, 1909, 2164, 2433, 2744, 3192,
                                        3920, 4434, 5188, 6097, 7303, 7430, 7435, 7436, 7436, 7436,
                                        7436, 7436, 7436, 7436, 7437, 7437, 7437};
constexpr Quantiles kAzureCodeOutput = {
    6,  6,  6,  6,  6,  7,  7,   8,   9,   9,   10,  11,  12,  13,  14,  16,  18,  20,  24,
    29, 39, 46, 55, 69, 90, 105, 128, 171, 201, 251, 287, 359, 599, 670, 825, 885, 1899};
constexpr Quantiles kMooncakeConversationPrompt = {
    891,   892,   894,   896,   901,   964,    1261,   1662,   2306,   3263,   4251,  4993,  5870,
    6909,  8187,  9570,  11238, 13196, 15367,  17869,  21464,  24393,  27367,  31519, 39550, 44613,
    52215, 66449, 73850, 85400, 94409, 100810, 117789, 118461, 121301, 122891, 126195};
constexpr Quantiles kMooncakeConversationOutput = {
    1,   1,   3,   3,    10,   24,   46,   100,  156,  213,  256, 291, 322,
    350, 375, 399, 423,  447,  472,  504,  543,  566,  597,  639, 698, 738,
    800, 892, 967, 1119, 1274, 1568, 1998, 2000, 2000, 2000, 2000};

LengthModel empirical(const Quantiles& quantiles) {
    Distribution::Points points;
    for (std::size_t i = 0; i < kPoints; ++i) {
        points.emplace_back(kProbabilities[i], static_cast<double>(quantiles[i]));
    }
    return LengthModel(Distribution::empirical(std::move(points)));
}

/// No fit goes on for ever: 2^20 tokens is beyond every context window of the day.
LengthModel lognormal(double mu, double sigma) {
    return LengthModel(Distribution::lognormal(mu, sigma), 1, std::int64_t{1} << 20);
}

}  // namespace

const std::vector<LengthPreset>& length_presets() {
    static const std::vector<LengthPreset> presets = {
        {"azure-2023-conversation", "chat, Azure 2023: median 1020 in, 129 out",
         empirical(kAzureConversationPrompt), empirical(kAzureConversationOutput)},
        {"azure-2023-code", "code completion, Azure 2023: median 1469 in, 13 out",
         empirical(kAzureCodePrompt), empirical(kAzureCodeOutput)},
        {"mooncake-conversation", "long chats, Mooncake 2024: median 6909 in, 350 out",
         empirical(kMooncakeConversationPrompt), empirical(kMooncakeConversationOutput)},
        {"azure-2023-conversation-lognormal", "lognormal fit of azure-2023-conversation",
         lognormal(6.63, 0.99), lognormal(5.02, 0.86)},
        {"azure-2023-code-lognormal", "lognormal fit of azure-2023-code", lognormal(7.00, 1.36),
         lognormal(2.79, 0.85)},
        {"mooncake-conversation-lognormal", "lognormal fit of mooncake-conversation",
         lognormal(8.74, 1.20), lognormal(5.34, 1.36)},
        {"servegen-m-large-lognormal", "a large general model in production, ServeGen 2025",
         lognormal(6.24, 1.18), lognormal(3.64, 2.05)},
        {"deepseek-r1-lognormal", "a reasoning model in production, ServeGen 2025",
         lognormal(5.23, 1.84), lognormal(6.77, 0.97)},
    };
    return presets;
}

const LengthPreset* length_preset(std::string_view name) {
    for (const LengthPreset& preset : length_presets()) {
        if (preset.name == name) return &preset;
    }
    return nullptr;
}

}  // namespace headroom::traces
