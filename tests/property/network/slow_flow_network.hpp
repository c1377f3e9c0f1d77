/// The slow, obvious twin of network::FlowNetwork: max-min fairness straight from the definition of
/// progressive filling (Bertsekas and Gallager, sec. 6.5.2), everything recomputed at every
/// question, every byte integrated at every step. O(flows * links * log(capacity)) per question.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::network {

struct SlowFlow {
    std::vector<std::size_t> route;
    Int128 remaining = 0;    ///< 2^-16 byte * 10^-12
    std::int64_t limit = 0;  ///< 2^-16 byte/s; -1: none
    std::int64_t rate = 0;
    bool rising = false;
};

class SlowFlowNetwork {
  public:
    std::vector<std::int64_t> capacities;  ///< 2^-16 byte/s
    std::map<int, SlowFlow> flows;

    void allocate() {
        for (auto& [key, f] : flows) {
            f.rising = true;
            f.rate = 0;
        }
        std::int64_t level = 0;
        while (any_rising()) {
            level = highest_level_that_fits(level);
            // At this level one step more does not fit: for a limit, or else for a link.
            bool stopped = stop_at_limits(level);
            if (!stopped) stop_at_links(level);
        }
    }

    std::optional<Time> next_finish(Time now) const {
        std::optional<Time> first;
        for (const auto& [key, f] : flows) {
            if (f.remaining > 0 && f.rate == 0) continue;
            const Int128 wait = f.remaining == 0 ? 0 : (f.remaining + f.rate - 1) / f.rate;
            if (wait >= (Time::max() - now).ps()) continue;
            const Time at = now + Duration::picoseconds(static_cast<std::int64_t>(wait));
            if (!first || at < *first) first = at;
        }
        return first;
    }

    void advance(Duration d) {
        for (auto& [key, f] : flows) {
            f.remaining -= static_cast<Int128>(f.rate) * d.ps();
            if (f.remaining < 0) f.remaining = 0;
        }
    }

  private:
    bool any_rising() const {
        return std::any_of(flows.begin(), flows.end(),
                           [](const auto& e) { return e.second.rising; });
    }
    /// Whether every link has room when the rising flows are at `level` and, of these, those on
    /// `raised_link` (or all, with no link) count.
    Int128 load(std::size_t l, std::int64_t level) const {
        Int128 sum = 0;
        for (const auto& [key, f] : flows) {
            if (std::find(f.route.begin(), f.route.end(), l) == f.route.end()) continue;
            sum += f.rising ? level : f.rate;
        }
        return sum;
    }
    bool fits(std::int64_t level) const {
        for (std::size_t l = 0; l < capacities.size(); ++l) {
            if (load(l, level) > capacities[l]) return false;
        }
        for (const auto& [key, f] : flows) {
            if (f.rising && f.limit >= 0 && level > f.limit) return false;
        }
        return true;
    }
    std::int64_t highest_level_that_fits(std::int64_t low) const {
        std::int64_t high = std::int64_t{1} << 62;
        while (low < high) {
            const std::int64_t middle = low + (high - low + 1) / 2;
            if (fits(middle)) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }
    bool stop_at_limits(std::int64_t level) {
        bool any = false;
        for (auto& [key, f] : flows) {
            if (!f.rising || f.limit != level) continue;
            f.rising = false;
            f.rate = level;
            any = true;
        }
        return any;
    }
    void stop_at_links(std::int64_t level) {
        std::vector<bool> full;
        for (std::size_t l = 0; l < capacities.size(); ++l) {
            full.push_back(load(l, level + 1) > capacities[l]);
        }
        for (auto& [key, f] : flows) {
            if (!f.rising) continue;
            for (const std::size_t l : f.route) {
                if (!full[l]) continue;
                f.rising = false;
                f.rate = level;
                break;
            }
        }
    }
};

}  // namespace headroom::network
