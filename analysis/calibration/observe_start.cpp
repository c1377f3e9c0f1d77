#include "analysis/calibration/observe_start.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

constexpr std::size_t kCoefficients = 5;
/// What the log's engine was busy with: integrals from the start up to a moment.
struct Load {
    double sequence_time = 0;  ///< of the number of decoding sequences
    double context_time = 0;   ///< of their context tokens
    double prompts = 0;        ///< tokens of the prompts computed so far
    double attention = 0;      ///< sum of P^2 / 2 over them
};

/// The load over time, from changes in its levels: a request decodes from its first to its last
/// token, and its context grows evenly.
class LoadHistory {
  public:
    /// Of the replica that every `replicas`-th request went to, from the `replica`-th on.
    LoadHistory(const EngineLog& log, std::size_t replica, std::size_t replicas) {
        for (std::size_t i = replica; i < log.requests.size(); i += replicas) {
            const LoggedRequest& request = log.requests[i];
            const double from = request.first_token.to_seconds();
            const double to = request.finish.to_seconds();
            const auto prompt = static_cast<double>(request.prompt_tokens);
            const auto grown = static_cast<double>(request.output_tokens - 1);
            changes_.push_back(
                {.time = from, .so_far = {.prompts = prompt, .attention = prompt * prompt / 2}});
            if (to <= from) continue;
            changes_.back().sequences = 1;
            changes_.back().context = prompt;
            changes_.back().growth = grown / (to - from);
            changes_.push_back({.time = to,
                                .sequences = -1,
                                .context = -(prompt + grown),
                                .growth = -grown / (to - from)});
        }
        std::stable_sort(changes_.begin(), changes_.end(), before);
        for (std::size_t i = 1; i < changes_.size(); ++i) {
            Change& now = changes_[i];
            const Change& last = changes_[i - 1];
            const double duration = now.time - last.time;
            now.so_far.prompts += last.so_far.prompts;
            now.so_far.attention += last.so_far.attention;
            integrate(last, duration, now.so_far);
            now.sequences += last.sequences;
            now.context += last.context + last.growth * duration;
            now.growth += last.growth;
        }
    }

    /// Up to and including the changes at `time`.
    [[nodiscard]] Load until(double time) const {
        const auto after =
            std::upper_bound(changes_.begin(), changes_.end(), Change{.time = time}, before);
        if (after == changes_.begin()) return {};
        const Change& last = *(after - 1);
        Load load;
        load.prompts = last.so_far.prompts;
        load.attention = last.so_far.attention;
        integrate(last, time - last.time, load);
        return load;
    }

  private:
    struct Change {
        double time = 0;
        double sequences = 0;  ///< first the change, then the level from here on
        double context = 0;
        double growth = 0;  ///< of the context, tokens a second
        Load so_far{};
    };
    static bool before(const Change& a, const Change& b) { return a.time < b.time; }

    static void integrate(const Change& from, double duration, Load& load) {
        load.sequence_time = from.so_far.sequence_time + from.sequences * duration;
        load.context_time =
            from.so_far.context_time + (from.context + from.growth * duration / 2) * duration;
    }

    std::vector<Change> changes_;
};

/// Normal equations of least squares, gathered row by row.
struct NormalEquations {
    double products[kCoefficients][kCoefficients] = {};
    double right[kCoefficients] = {};
    double right_square = 0;
    double sums[kCoefficients] = {};  ///< of the columns, before weighting
    double time = 0;

    void add(const CoefficientArray& row, double value) {
        for (std::size_t i = 0; i < kCoefficients; ++i) {
            for (std::size_t j = 0; j < kCoefficients; ++j) {
                products[i][j] += row[i] * row[j] / (value * value);
            }
            right[i] += row[i] / value;
            sums[i] += row[i];
        }
        right_square += 1;
        time += value;
    }

    /// The solution with only the coefficients of the bit set, by Cholesky on columns of norm 1.
    /// Nothing when they cannot be told apart or one is not above 0.
    [[nodiscard]] std::optional<CoefficientArray> solve(unsigned set, double& residual) const {
        std::vector<std::size_t> in;
        for (std::size_t i = 0; i < kCoefficients; ++i) {
            if (((set >> i) & 1U) == 0) continue;
            if (products[i][i] <= 0) return std::nullopt;
            in.push_back(i);
        }
        const std::size_t n = in.size();
        const auto norm = [&](std::size_t i) { return std::sqrt(products[in[i]][in[i]]); };
        double lower[kCoefficients][kCoefficients] = {};
        double y[kCoefficients] = {};
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j <= i; ++j) {
                double sum = products[in[i]][in[j]] / (norm(i) * norm(j));
                for (std::size_t k = 0; k < j; ++k) sum -= lower[i][k] * lower[j][k];
                if (i == j && sum < 1e-10) return std::nullopt;
                lower[i][j] = i == j ? std::sqrt(sum) : sum / lower[j][j];
            }
            y[i] = right[in[i]] / norm(i);
            for (std::size_t k = 0; k < i; ++k) y[i] -= lower[i][k] * y[k];
            y[i] /= lower[i][i];
        }
        residual = right_square;
        CoefficientArray solution{};
        double x[kCoefficients] = {};
        for (std::size_t i = n; i-- > 0;) {
            residual -= y[i] * y[i];
            x[i] = y[i];
            for (std::size_t k = i + 1; k < n; ++k) x[i] -= lower[k][i] * x[k];
            x[i] /= lower[i][i];
            solution[in[i]] = x[i] / norm(i);
            if (!(solution[in[i]] > 0)) return std::nullopt;
        }
        return solution;
    }
};

}  // namespace

namespace {

/// last - first token of a request.
void add_decode(const LoggedRequest& request, const LoadHistory& history,
                NormalEquations& equations) {
    const double time = (request.finish - request.first_token).to_seconds();
    if (request.output_tokens < 2 || time <= 0) return;
    const Load from = history.until(request.first_token.to_seconds());
    const Load to = history.until(request.finish.to_seconds());
    const auto iterations = static_cast<double>(request.output_tokens - 1);
    const double rate = iterations / time;
    equations.add(
        {iterations, to.prompts - from.prompts, rate * (to.sequence_time - from.sequence_time),
         rate * (to.context_time - from.context_time), to.attention - from.attention},
        time);
}

}  // namespace

CoefficientArray start_from_log(const EngineLog& log, const std::vector<bool>& chosen,
                                std::int64_t replicas) {
    HEADROOM_CHECK(chosen.size() == log.requests.size(), "an entry a request");
    HEADROOM_CHECK(replicas >= 1, "an engine wrote the log");
    const auto engines = static_cast<std::size_t>(replicas);
    std::vector<LoadHistory> histories;
    for (std::size_t r = 0; r < std::min(engines, chosen.size()); ++r) {
        histories.emplace_back(log, r, engines);
    }
    NormalEquations equations;
    double least_ttft = std::numeric_limits<double>::infinity();  // a prompt token
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (!chosen[i]) continue;
        const LoggedRequest& request = log.requests[i];
        add_decode(request, histories[i % engines], equations);
        least_ttft = std::min(
            least_ttft, request.ttft().to_seconds() / static_cast<double>(request.prompt_tokens));
    }
    HEADROOM_CHECK(equations.time > 0, "a request decoded for some time");

    CoefficientArray best{};
    double least = std::numeric_limits<double>::infinity();
    for (unsigned set = 1; set < (1U << kCoefficients); ++set) {
        double residual = 0;
        const auto solution = equations.solve(set, residual);
        if (!solution || residual >= least) continue;
        least = residual;
        best = *solution;
    }
    for (std::size_t i = 0; i < kCoefficients; ++i) {
        if (equations.sums[i] <= 0) continue;
        best[i] = std::max(best[i], kLeastShare * equations.time / equations.sums[i]);
    }
    if (best[1] <= 0) best[1] = std::max(least_ttft / 2, 1e-9);
    if (best[4] <= 0) best[4] = best[1] * 1e-4;
    return best;
}

}  // namespace headroom::analysis
