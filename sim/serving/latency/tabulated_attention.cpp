#include "sim/serving/latency/tabulated_attention.hpp"

#include <algorithm>
#include <cmath>

#include "sim/core/check.hpp"
#include "sim/core/math.hpp"

namespace headroom::serving {

namespace {

constexpr std::int64_t kFirstContext = 16;
constexpr std::int64_t kLastContext = 1 << 18;
constexpr double kContextKnotsPerOctave = 4;
constexpr std::int64_t kFirstPrompt = 16;
constexpr std::int64_t kLastPrompt = 1 << 20;
constexpr double kPromptKnotsPerOctave = 16;

/// 0, then whole numbers from `first` to `last`, so many an octave, and `more`; ascending.
[[nodiscard]] std::vector<std::int64_t> knots_of(std::int64_t first, std::int64_t last,
                                                 double per_octave,
                                                 const std::vector<std::int64_t>& more) {
    std::vector<std::int64_t> knots{0};
    const double ratio = det_exp(det_log(2.0) / per_octave);
    for (double x = static_cast<double>(first); x < static_cast<double>(last) + 0.5; x *= ratio) {
        knots.push_back(std::llround(x));
    }
    knots.insert(knots.end(), more.begin(), more.end());
    std::sort(knots.begin(), knots.end());
    knots.erase(std::unique(knots.begin(), knots.end()), knots.end());
    return knots;
}

/// The knots of tokens already computed at which so many are attended to.
[[nodiscard]] std::vector<std::int64_t> computed_before(std::vector<std::int64_t> attended) {
    for (std::int64_t& context : attended) --context;
    return attended;
}

[[nodiscard]] Duration to_duration(double seconds) {
    return Duration::picoseconds(std::llround(seconds * 1e12));
}

[[nodiscard]] std::int64_t round_up(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
}

}  // namespace

TabulatedAttention::TabulatedAttention(const AttentionSeconds& seconds, std::int64_t max_num_seqs,
                                       const std::vector<std::int64_t>& contexts,
                                       const std::vector<std::int64_t>& prompts)
    : rows_(max_num_seqs),
      contexts_(knots_of(kFirstContext, kLastContext, kContextKnotsPerOctave,
                         computed_before(contexts))) {
    HEADROOM_CHECK(max_num_seqs >= 1, "an engine runs a sequence");
    tabulate_decode(seconds);
    tabulate_prefill(seconds, knots_of(kFirstPrompt, kLastPrompt, kPromptKnotsPerOctave, prompts));
}

void TabulatedAttention::tabulate_decode(const AttentionSeconds& seconds) {
    lines_.reserve(static_cast<std::size_t>(rows_) * contexts_.size());
    std::vector<Duration> values(contexts_.size(), Duration::zero());
    for (std::int64_t sequences = 1; sequences <= rows_; ++sequences) {
        Duration least = Duration::zero();
        for (std::size_t j = 0; j < contexts_.size(); ++j) {
            // The newest token attends to itself too. Never below less context or fewer sequences.
            const double context = static_cast<double>(contexts_[j] + 1);
            least = std::max(least, to_duration(seconds.decode_s(sequences, context)));
            values[j] = least = std::max(least, values[j]);
        }
        tabulate_row(sequences, values);
    }
}

void TabulatedAttention::tabulate_row(std::int64_t sequences, const std::vector<Duration>& values) {
    const std::size_t knots = contexts_.size();
    const std::size_t row = lines_.size();
    Duration reached = Duration::zero();
    for (std::size_t j = 0; j < knots; ++j) {
        Line line{std::max(values[j], reached), Duration::zero()};
        if (sequences > 1) line.at_knot = std::max(line.at_knot, lines_[row - knots + j].at_knot);
        std::int64_t slope = 0;
        if (j + 1 < knots) {
            const std::int64_t length = sequences * (contexts_[j + 1] - contexts_[j]);
            slope = std::max<std::int64_t>(0, (values[j + 1] - line.at_knot).ps() / length);
            // A line may not cut the axis of time below zero: its fixed part would be negative.
            const std::int64_t from_zero = sequences * contexts_[j];
            if (from_zero > 0) slope = std::min(slope, line.at_knot.ps() / from_zero);
        } else {
            slope = lines_.back().slope.ps();
        }
        if (sequences > 1) {
            // At the same context a sequence, not below the row of one sequence less.
            const std::int64_t other = lines_[row - knots + j].slope.ps() * (sequences - 1);
            slope = std::max(slope, round_up(other, sequences));
        }
        line.slope = Duration::picoseconds(slope);
        lines_.push_back(line);
        if (j + 1 < knots) {
            reached = line.at_knot + line.slope * (sequences * (contexts_[j + 1] - contexts_[j]));
        }
    }
}

IterationCost TabulatedAttention::decode(std::int64_t sequences,
                                         std::int64_t context_tokens) const {
    const std::int64_t row = std::min(sequences, rows_);
    const std::int64_t each = context_tokens / row;
    const auto above = std::upper_bound(contexts_.begin() + 1, contexts_.end(), each);
    const auto knot = static_cast<std::size_t>(above - contexts_.begin()) - 1;
    const Line& line = lines_[static_cast<std::size_t>(row - 1) * contexts_.size() + knot];
    IterationCost cost;
    cost.fixed = line.at_knot - line.slope * (row * contexts_[knot]);
    cost.per_context_token = line.slope;
    if (above != contexts_.end()) cost.valid_until = row * *above;
    return cost;
}

void TabulatedAttention::tabulate_prefill(const AttentionSeconds& seconds,
                                          const std::vector<std::int64_t>& knots) {
    // Slopes that never fall, so that a chunk later in the prompt never costs less: neighbours that
    // do fall are pooled (isotonic regression by pool-adjacent-violators, weighted by length).
    struct Piece {
        double length;
        double rise;
        std::size_t knots;
    };
    launch_ps_ = seconds.prefill_s(1.0) * 1e12;
    std::vector<Piece> pieces;
    double before = 0;
    for (std::size_t i = 1; i < knots.size(); ++i) {
        const double tokens = static_cast<double>(knots[i]);
        const double above_launch = std::max(before, seconds.prefill_s(tokens) * 1e12 - launch_ps_);
        pieces.push_back({tokens - static_cast<double>(knots[i - 1]), above_launch - before, 1});
        before = above_launch;
        while (pieces.size() > 1) {
            const Piece& last = pieces.back();
            Piece& previous = pieces[pieces.size() - 2];
            if (previous.rise * last.length <= last.rise * previous.length) break;
            previous = {previous.length + last.length, previous.rise + last.rise,
                        previous.knots + last.knots};
            pieces.pop_back();
        }
    }
    prompts_.push_back(0);
    prompts_ps_.push_back(0);
    std::size_t knot = 0;
    for (const Piece& piece : pieces) {
        const double from = prompts_ps_.back();
        const double start = prompts_.back();
        for (std::size_t i = 0; i < piece.knots; ++i) {
            const double tokens = static_cast<double>(knots[++knot]);
            prompts_.push_back(tokens);
            prompts_ps_.push_back(from + piece.rise / piece.length * (tokens - start));
        }
    }
}

double TabulatedAttention::prompt_ps(double tokens) const {
    const auto above = std::upper_bound(prompts_.begin() + 1, prompts_.end() - 1, tokens);
    const auto knot = static_cast<std::size_t>(above - prompts_.begin()) - 1;
    const double slope =
        (prompts_ps_[knot + 1] - prompts_ps_[knot]) / (prompts_[knot + 1] - prompts_[knot]);
    return prompts_ps_[knot] + slope * (tokens - prompts_[knot]);
}

Duration TabulatedAttention::prefill(const IterationShape& shape) const {
    if (shape.prefill_tokens <= 0) return Duration::zero();
    const double tokens = static_cast<double>(shape.prefill_tokens);
    const double chunks = static_cast<double>(std::max<std::int64_t>(shape.prefill_chunks, 1));
    // A = sum n (before + n/2): the mean of 2 before + n over the tokens.
    const double twice_middle = static_cast<double>(shape.prefill_attention_doubled) / tokens;
    const double length = tokens / chunks;
    const double before = std::max(0.0, (twice_middle - length) / 2);
    const double ps = chunks * (prompt_ps(before + length) - prompt_ps(before));
    return Duration::picoseconds(std::llround(launch_ps_ + ps));
}

}  // namespace headroom::serving
