#include "analysis/statistics/nelder_mead.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "sim/core/check.hpp"

namespace headroom::analysis {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Point = std::vector<double>;

struct Vertex {
    Point x;
    double value = kInfinity;
};

/// from + factor * (to - from)
Point along(const Point& from, const Point& to, double factor) {
    Point out(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) out[i] = from[i] + factor * (to[i] - from[i]);
    return out;
}

class Search {
  public:
    Search(const Objective& objective, const NelderMeadOptions& options, std::size_t variables)
        : objective_(objective), options_(options) {
        const auto n = static_cast<double>(std::max<std::size_t>(variables, 2));
        expansion_ = 1 + 2 / n;
        contraction_ = 0.75 - 1 / (2 * n);
        shrinkage_ = 1 - 1 / n;
    }

    NelderMeadResult run(const Point& start) {
        best_.x = start;
        double step = options_.step;
        bool go_on = place(step) && descend();
        int restarts = 0;
        while (go_on && restarts < options_.restarts) {
            const double before = best_.value;
            ++restarts;
            // The other way round and shorter: what a collapsed simplex has not looked at.
            step *= -0.5;
            go_on = place(step) && descend();
            const double gain = before - best_.value;
            if (!(gain > options_.f_tolerance * std::fabs(before))) break;
        }
        return {best_.x, best_.value, evaluations_, restarts, go_on};
    }

  private:
    /// Nothing once the evaluations are used up.
    std::optional<Vertex> evaluate(Point x) {
        if (evaluations_ >= options_.evaluations) return std::nullopt;
        ++evaluations_;
        Vertex vertex{std::move(x), kInfinity};
        const double value = objective_(vertex.x);
        if (!std::isnan(value)) vertex.value = value;
        if (vertex.value < best_.value) best_ = vertex;
        return vertex;
    }

    /// A new simplex around the best point, which is evaluated only the first time. False when the
    /// evaluations ran out.
    bool place(double step) {
        const Point at = best_.x;
        simplex_.clear();
        if (evaluations_ > 0) {
            simplex_.push_back(best_);
        } else if (!add(at)) {
            return false;
        }
        for (std::size_t i = 0; i < at.size(); ++i) {
            Point moved = at;
            moved[i] += step;
            if (!add(std::move(moved))) return false;
        }
        sort();
        return true;
    }
    bool add(Point x) {
        std::optional<Vertex> vertex = evaluate(std::move(x));
        if (!vertex) return false;
        simplex_.push_back(std::move(*vertex));
        return true;
    }
    void sort() {
        std::stable_sort(simplex_.begin(), simplex_.end(),
                         [](const Vertex& a, const Vertex& b) { return a.value < b.value; });
    }

    [[nodiscard]] bool small() const {
        double extent = 0;
        for (const Vertex& vertex : simplex_) {
            for (std::size_t i = 0; i < vertex.x.size(); ++i) {
                extent = std::max(extent, std::fabs(vertex.x[i] - simplex_[0].x[i]));
            }
        }
        const double best = simplex_.front().value;
        const double worst = simplex_.back().value;
        const bool level = best == worst ||  // also where both are infinite
                           worst - best <= options_.f_tolerance * (std::fabs(best) + 1e-300);
        return extent <= options_.x_tolerance || level;
    }

    /// Steps until the simplex is small (true) or the evaluations ran out (false).
    bool descend() {
        while (!small()) {
            if (!step()) return false;
        }
        return true;
    }

    /// One step of the method on the sorted simplex; leaves it sorted.
    bool step() {
        const Vertex& worst = simplex_.back();
        const Point centre = centroid();
        std::optional<Vertex> reflected = evaluate(along(centre, worst.x, -1));
        if (!reflected) return false;
        if (reflected->value < simplex_.front().value) {
            std::optional<Vertex> expanded = evaluate(along(centre, worst.x, -expansion_));
            const bool better = expanded && expanded->value < reflected->value;
            replace_worst(std::move(better ? *expanded : *reflected));
            return expanded.has_value();
        }
        if (reflected->value < simplex_[simplex_.size() - 2].value) {
            replace_worst(std::move(*reflected));
            return true;
        }
        const bool outside = reflected->value < worst.value;
        std::optional<Vertex> contracted =
            evaluate(along(centre, worst.x, outside ? -contraction_ : contraction_));
        if (!contracted) return false;
        if (outside ? contracted->value <= reflected->value : contracted->value < worst.value) {
            replace_worst(std::move(*contracted));
            return true;
        }
        return shrink();
    }

    [[nodiscard]] Point centroid() const {
        const std::size_t n = simplex_.size() - 1;
        Point centre(n, 0.0);
        for (std::size_t v = 0; v < n; ++v) {
            for (std::size_t i = 0; i < n; ++i) centre[i] += simplex_[v].x[i];
        }
        for (double& c : centre) c /= static_cast<double>(n);
        return centre;
    }

    /// The newcomer goes behind those as good as it is: they are older.
    void replace_worst(Vertex vertex) {
        simplex_.pop_back();
        const auto at =
            std::upper_bound(simplex_.begin(), simplex_.end(), vertex,
                             [](const Vertex& a, const Vertex& b) { return a.value < b.value; });
        simplex_.insert(at, std::move(vertex));
    }

    bool shrink() {
        for (std::size_t v = 1; v < simplex_.size(); ++v) {
            std::optional<Vertex> vertex =
                evaluate(along(simplex_[0].x, simplex_[v].x, shrinkage_));
            if (!vertex) return false;
            simplex_[v] = std::move(*vertex);
        }
        sort();
        return true;
    }

    const Objective& objective_;
    const NelderMeadOptions& options_;
    double expansion_;
    double contraction_;
    double shrinkage_;
    std::vector<Vertex> simplex_;  ///< by value, the best first
    Vertex best_;                  ///< of all evaluations
    int evaluations_ = 0;
};

}  // namespace

NelderMeadResult minimise(const Objective& objective, const std::vector<double>& start,
                          const NelderMeadOptions& options) {
    HEADROOM_CHECK(!start.empty(), "there is something to vary");
    HEADROOM_CHECK(options.evaluations >= 1, "at least one evaluation is allowed");
    HEADROOM_CHECK(options.step > 0, "the simplex has an extent");
    Search search(objective, options, start.size());
    return search.run(start);
}

}  // namespace headroom::analysis
