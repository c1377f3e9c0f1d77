#include <algorithm>

#include "sim/network/flow_network.hpp"
#include "tests/catch.hpp"
#include "tests/draws.hpp"
#include "tests/property/network/slow_flow_network.hpp"

namespace headroom::network {
namespace {

using tests::Draws;

constexpr int kShift = FlowNetwork::kRateShift;
constexpr Int128 kUnitsPerByte = static_cast<Int128>(Duration::kPerSecond) << kShift;

/// From which a case is replayed by its seed alone.
Draws draws_of(std::uint64_t seed) {
    return {RandomStream(seed, "flow network property")};
}

/// Drives the fast network and its slow twin through the same random life.
class Pair {
  public:
    explicit Pair(std::uint64_t seed) : draws_(draws_of(seed)) {
        const std::int64_t links = 1 + draws_.below(8);
        for (std::int64_t l = 0; l < links; ++l) {
            const std::int64_t c = random_capacity();
            ids_.push_back(fast_.add_link(c));
            slow_.capacities.push_back(c << kShift);
            delivered_.push_back(0);
        }
    }

    void step() {
        const std::int64_t what = draws_.below(10);
        if (what < 4) {
            start();
        } else if (what < 5) {
            cancel();
        } else if (what < 6) {
            change_capacity();
        } else if (what < 8) {
            finish_next();
        } else {
            advance(Duration::picoseconds(draws_.below(3'000'000'000'000)));
        }
        slow_.allocate();
        // A change is not always followed by a question: some instants have several changes.
        if (draws_.below(3) != 0) compare();
    }

    void compare() {
        REQUIRE(fast_.flow_count() == slow_.flows.size());
        REQUIRE(fast_.next_finish() == slow_.next_finish(now_));
        for (const auto& [key, f] : slow_.flows) {
            const FlowId id = flow_ids_.at(key);
            REQUIRE(fast_.rate_units(id) == f.rate);
            const auto left =
                static_cast<std::int64_t>((f.remaining + kUnitsPerByte - 1) / kUnitsPerByte);
            REQUIRE(fast_.remaining(id, now_).count() == left);
        }
        check_max_min();
        check_conservation();
    }

  private:
    std::int64_t random_capacity() {
        const std::int64_t magnitude = draws_.below(4);
        if (magnitude == 0) return draws_.below(4);  // few units a flow, and stalled links
        if (magnitude == 1) return 100 * (1 + draws_.below(10));
        if (magnitude == 2) return 1 + draws_.below(1'000'000'000);
        return 12'500'000'000;
    }

    void start() {
        SlowFlow f;
        std::vector<LinkId> route;
        const std::int64_t hops = draws_.below(5);
        for (std::int64_t h = 0; h < hops; ++h) {
            const auto l =
                static_cast<std::size_t>(draws_.below(static_cast<std::int64_t>(ids_.size())));
            if (std::find(f.route.begin(), f.route.end(), l) != f.route.end()) continue;
            f.route.push_back(l);
            route.push_back(ids_[l]);
        }
        const bool limited = route.empty() || draws_.below(3) == 0;
        const std::int64_t limit = limited ? random_capacity() : FlowNetwork::kNoLimit;
        const Bytes total{draws_.below(10) == 0 ? 0 : draws_.below(5'000'000'000)};
        f.limit = limited ? limit << kShift : -1;
        f.remaining = total.count() * kUnitsPerByte;
        const FlowId id = fast_.start(now_, route, total, limit);
        flow_ids_[next_key_] = id;
        totals_[next_key_] = f.remaining;
        slow_.flows[next_key_++] = std::move(f);
    }

    void cancel() {
        if (slow_.flows.empty()) return;
        auto it = slow_.flows.begin();
        std::advance(it, draws_.below(static_cast<std::int64_t>(slow_.flows.size())));
        const auto left =
            static_cast<std::int64_t>((it->second.remaining + kUnitsPerByte - 1) / kUnitsPerByte);
        REQUIRE(fast_.cancel(now_, flow_ids_.at(it->first)) == Bytes{left});
        leave(it->first);
    }

    void change_capacity() {
        const auto l =
            static_cast<std::size_t>(draws_.below(static_cast<std::int64_t>(ids_.size())));
        const std::int64_t c = random_capacity();
        fast_.set_capacity(now_, ids_[l], c);
        slow_.capacities[l] = c << kShift;
    }

    void advance(Duration d) {
        const auto next = slow_.next_finish(now_);
        if (next && *next < now_ + d) d = *next - now_;
        slow_.advance(d);
        now_ += d;
    }

    void finish_next() {
        const auto next = slow_.next_finish(now_);
        if (!next || *next > Time::horizon_limit()) return;
        advance(*next - now_);
        std::vector<FlowId> expected;
        std::vector<int> gone;
        for (const auto& [key, f] : slow_.flows) {
            if (f.remaining != 0) continue;
            gone.push_back(key);
            expected.push_back(flow_ids_.at(key));
        }
        std::sort(expected.begin(), expected.end());
        std::vector<FlowId> finished;
        fast_.finish_due(now_, finished);
        REQUIRE(finished == expected);
        for (const int key : gone) leave(key);
    }

    void leave(int key) {
        const SlowFlow& f = slow_.flows.at(key);
        for (const std::size_t l : f.route) delivered_[l] += totals_.at(key) - f.remaining;
        flow_ids_.erase(key);
        slow_.flows.erase(key);
    }

    /// Each flow is at its limit, or has a link that is full (no unit more for each of its flows)
    /// and on which no flow is faster. And no link gives more than it has.
    void check_max_min() {
        for (std::size_t l = 0; l < ids_.size(); ++l) {
            REQUIRE(fast_.used_units(ids_[l]) <= slow_.capacities[l]);
        }
        for (const auto& [key, f] : slow_.flows) {
            const std::int64_t rate = fast_.rate_units(flow_ids_.at(key));
            bool bottleneck = f.limit == rate;
            for (const std::size_t l : f.route) {
                const LinkId id = ids_[l];
                const std::int64_t left = slow_.capacities[l] - fast_.used_units(id);
                bool fastest = true;
                for (const auto& [other_key, other] : slow_.flows) {
                    if (std::find(other.route.begin(), other.route.end(), l) == other.route.end())
                        continue;
                    fastest = fastest && fast_.rate_units(flow_ids_.at(other_key)) <= rate;
                }
                if (left < static_cast<std::int64_t>(fast_.flow_count(id)) && fastest)
                    bottleneck = true;
            }
            REQUIRE(bottleneck);
        }
    }

    /// What a link carried is what its flows moved, to the unit.
    void check_conservation() {
        std::vector<Int128> sum = delivered_;
        for (const auto& [key, f] : slow_.flows) {
            for (const std::size_t l : f.route) sum[l] += totals_.at(key) - f.remaining;
        }
        const auto next = slow_.next_finish(now_);
        if (next && *next == now_)
            return;  // the last picosecond of a due flow is not taken back yet
        for (std::size_t l = 0; l < ids_.size(); ++l) {
            REQUIRE(fast_.carried(ids_[l], now_).count() ==
                    static_cast<std::int64_t>(sum[l] / kUnitsPerByte));
        }
    }

    Draws draws_;
    FlowNetwork fast_;
    SlowFlowNetwork slow_;
    Time now_;
    std::vector<LinkId> ids_;
    std::map<int, FlowId> flow_ids_;
    std::map<int, Int128> totals_;
    std::vector<Int128> delivered_;
    int next_key_ = 0;
};

}  // namespace

TEST_CASE("FlowNetwork: equals the slow twin, bit for bit, over random lives") {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        INFO("seed " << seed);
        Pair pair(seed);
        for (int i = 0; i < 80; ++i) pair.step();
        pair.compare();
    }
}

TEST_CASE("FlowNetwork: rates do not depend on the order in which flows were started") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        INFO("seed " << seed);
        Draws draws = draws_of(seed);
        FlowNetwork forwards;
        FlowNetwork backwards;
        std::vector<LinkId> links;
        for (int l = 0; l < 6; ++l) {
            const std::int64_t capacity = 1 + draws.below(1'000);
            links.push_back(forwards.add_link(capacity));
            backwards.add_link(capacity);
        }
        std::vector<std::vector<LinkId>> routes(12);
        for (auto& route : routes) {
            for (const LinkId l : links) {
                if (draws.below(3) == 0) route.push_back(l);
            }
            if (route.empty()) route.push_back(links[0]);
        }
        std::vector<FlowId> first(routes.size());
        std::vector<FlowId> second(routes.size());
        for (std::size_t i = 0; i < routes.size(); ++i) {
            first[i] = forwards.start(Time::zero(), routes[i], Bytes{1'000});
            if (draws.below(2) == 0) (void)forwards.next_finish();
            const std::size_t j = routes.size() - 1 - i;
            second[j] = backwards.start(Time::zero(), routes[j], Bytes{1'000});
        }
        for (std::size_t i = 0; i < routes.size(); ++i) {
            REQUIRE(forwards.rate_units(first[i]) == backwards.rate_units(second[i]));
            REQUIRE(forwards.finish_time(first[i]) == backwards.finish_time(second[i]));
        }
    }
}

}  // namespace headroom::network
