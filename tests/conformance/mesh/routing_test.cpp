// The routing policies against Envoy's and llm-d's own numbers: schedules, hashes, tables, bounded
// loads and scores.
#include <algorithm>
#include <cmath>

#include "policies/routing/consistent_hash/bounded_load.hpp"
#include "policies/routing/consistent_hash/hash_table.hpp"
#include "policies/routing/edf_schedule.hpp"
#include "policies/routing/endpoint_scores.hpp"
#include "policies/routing/endpoint_weights.hpp"
#include "tests/catch.hpp"
#include "tests/conformance/kubernetes/vector_file.hpp"

namespace headroom::policies {
namespace {

using conformance::Json;
using conformance::Tally;
using Ticks = EdfSchedule::Ticks;

std::optional<Json> read_cases(const std::string& name) {
    auto file = conformance::read_vectors("mesh/" + name + ".json");
    if (!file) return std::nullopt;
    return file->at("cases");
}

std::vector<HashedEndpoint> endpoints_of(const Json& json) {
    std::vector<HashedEndpoint> endpoints;
    const auto keys = json.at("host_keys").get<std::vector<std::string>>();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        endpoints.push_back({keys[i], json.at("weights").at(i).get<std::int64_t>()});
    }
    return endpoints;
}

HashRing ring_of(const Json& json) {
    return HashRing(endpoints_of(json), json.value("min_ring_size", std::int64_t{1024}),
                    json.value("max_ring_size", std::int64_t{8'388'608}));
}

std::uint64_t number(const Json& text) {
    return std::stoull(text.get<std::string>());
}

bool close(double a, double b) {
    return std::fabs(a - b) <= 1e-12;
}

/// Picks on one schedule whose items may weigh something else at each: the weight is read when an
/// item is put back.
class WeighedSchedule {
  public:
    explicit WeighedSchedule(std::vector<std::int64_t> weights, double bias = 0.0)
        : weights_(std::move(weights)),
          active_(weights_.size(), 0),
          bias_(bias),
          round_(EdfSchedule::round_of(weights_)) {}
    void set_active(std::vector<std::int64_t> active) { active_ = std::move(active); }
    void start(std::uint64_t picks) {
        std::vector<Ticks> periods;
        for (std::size_t i = 0; i < weights_.size(); ++i) periods.push_back(period(i));
        schedule_.start(periods, round_, picks);
    }
    std::vector<std::uint32_t> pick(std::size_t count) {
        std::vector<std::uint32_t> picks;
        while (picks.size() < count) {
            picks.push_back(schedule_.take());
            schedule_.put_back(picks.back(), period(picks.back()));
        }
        return picks;
    }

  private:
    [[nodiscard]] Ticks period(std::size_t i) const {
        return period_of(round_, weights_[i], active_[i], bias_);
    }
    std::vector<std::int64_t> weights_;
    std::vector<std::int64_t> active_;
    double bias_;
    Ticks round_;
    EdfSchedule schedule_;
};

bool expect_picks(WeighedSchedule& schedule, const Json& expected) {
    const auto picks = expected.get<std::vector<std::uint32_t>>();
    return schedule.pick(picks.size()) == picks;
}

bool check_phases(const Json& json) {
    WeighedSchedule schedule(json.at("weights").get<std::vector<std::int64_t>>(),
                             json.at("bias").get<double>());
    bool passed = true;
    bool started = false;
    for (const Json& phase : json.at("phases")) {
        schedule.set_active(phase.at("active").get<std::vector<std::int64_t>>());
        if (!started) schedule.start(json.value("seed_picks", 0U));
        started = true;
        passed = expect_picks(schedule, phase.at("expected_picks")) && passed;
    }
    return passed;
}

bool check_ring(const Json& json) {
    const HashRing ring = ring_of(json);
    const auto& points = ring.points();
    bool passed = points.size() == json.at("expected_size").get<std::size_t>();
    if (json.contains("expected_ring")) {
        const Json& expected = json.at("expected_ring");
        passed = passed && points.size() == expected.size();
        for (std::size_t i = 0; passed && i < points.size(); ++i) {
            passed = points[i].hash == number(expected[i][0]) &&
                     points[i].endpoint == expected[i][1].get<std::uint32_t>();
        }
    }
    std::vector<std::int64_t> each(json.at("host_keys").size(), 0);
    for (const HashRing::Point& point : points) ++each[point.endpoint];
    if (json.contains("hashes_per_host")) {
        passed = passed && each == json.at("hashes_per_host").get<std::vector<std::int64_t>>();
    }
    if (json.contains("expected_counts")) {
        constexpr std::uint64_t kProbes = 6000;
        std::vector<std::int64_t> counts(each.size(), 0);
        for (std::uint64_t i = 0; i < kProbes; ++i) ++counts[ring.lookup(i * (~0ULL / kProbes))];
        passed = passed && counts == json.at("expected_counts").get<std::vector<std::int64_t>>();
    }
    return passed;
}

bool check_scores(const Json& json) {
    const auto waiting = json.at("waiting").get<std::vector<std::int64_t>>();
    const auto kv_usage = json.at("kv_usage").get<std::vector<double>>();
    const auto matched = json.at("prefix_match_blocks").get<std::vector<std::int64_t>>();
    const auto total = json.at("prefix_total_blocks").get<std::int64_t>();
    const auto weight = [&json](const char* name) {
        return json.at("weights").at(name).get<double>();
    };
    QueueScorer queue;
    queue.begin(waiting[0]);
    for (const std::int64_t w : waiting) queue.include(w);
    MaxScorePicker picker;
    picker.begin();
    bool passed = true;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        const double score = weighted_score(weight("prefix"), prefix_score(matched[i], total)) +
                             weighted_score(weight("queue"), queue.score(waiting[i])) +
                             weighted_score(weight("kv"), kv_cache_score(kv_usage[i]));
        passed = passed && close(score, json.at("expected_scores").at(i).get<double>());
        picker.offer(static_cast<std::int64_t>(i), score);
    }
    return passed && picker.best() == json.at("expected_pick_set").get<std::vector<std::int64_t>>();
}

}  // namespace

TEST_CASE("Conformance: weighted schedules pick in Envoy's order") {
    const auto cases = read_cases("weighted_edf");
    if (!cases) return;
    Tally tally("weighted_edf");
    for (const Json& json : *cases) {
        WeighedSchedule schedule(json.at("weights").get<std::vector<std::int64_t>>());
        schedule.start(json.at("seed_picks").get<std::uint64_t>());
        const bool passed = expect_picks(schedule, json.at("expected_picks"));
        tally.add("picks", passed);
        INFO(json.at("id"));
        CHECK(passed);
    }
}

TEST_CASE("Conformance: least request weighs like Envoy") {
    const auto cases = read_cases("least_request_weights");
    if (!cases) return;
    Tally tally("least_request_weights");
    for (const Json& json : *cases) {
        const bool phases = json.contains("phases");
        const bool passed = phases ? check_phases(json)
                                   : close(effective_weight(json.at("weight").get<std::int64_t>(),
                                                            json.at("active").get<std::int64_t>(),
                                                            json.at("bias").get<double>()),
                                           json.at("expected_effective_weight").get<double>());
        tally.add(phases ? "picks" : "weights", passed);
        INFO(json.at("id"));
        CHECK(passed);
    }
}

TEST_CASE("Conformance: rings have Envoy's points") {
    const auto cases = read_cases("ring_hash");
    if (!cases) return;
    Tally tally("ring_hash");
    std::map<std::string, const Json*> rings;
    for (const Json& json : *cases) rings[json.at("id").get<std::string>()] = &json;
    for (const Json& json : *cases) {
        INFO(json.at("id"));
        if (json.contains("host_keys")) {
            const bool passed = check_ring(json);
            tally.add("rings", passed);
            CHECK(passed);
            continue;
        }
        const auto ring = rings.find(json.at("ring").get<std::string>());
        if (ring == rings.end()) {
            tally.skip("lookups in a ring that is not in the file");
            continue;
        }
        const bool passed = ring_of(*ring->second).lookup(number(json.at("hash"))) ==
                            json.at("expected_host").get<std::uint32_t>();
        tally.add("lookups", passed);
        CHECK(passed);
    }
}

TEST_CASE("Conformance: Maglev tables are Envoy's") {
    const auto cases = read_cases("maglev");
    if (!cases) return;
    Tally tally("maglev");
    for (const Json& json : *cases) {
        const MaglevTable table(endpoints_of(json), json.at("table_size").get<std::int64_t>());
        const bool passed =
            table.table() == json.at("expected_table").get<std::vector<std::uint32_t>>();
        tally.add("tables", passed);
        INFO(json.at("id"));
        CHECK(passed);
    }
}

TEST_CASE("Conformance: bounded loads overflow as in Envoy") {
    const auto cases = read_cases("bounded_load");
    if (!cases) return;
    Tally tally("bounded_load");
    for (const Json& json : *cases) {
        INFO(json.at("id"));
        bool passed = false;
        if (json.contains("expected_probe_order")) {
            ProbeOrder order(json.at("hash").get<std::uint64_t>(),
                             json.at("hosts").get<std::uint32_t>());
            std::vector<std::uint32_t> probes;
            for (std::size_t i = 0; i < json.at("expected_probe_order").size(); ++i) {
                probes.push_back(order.next());
            }
            passed = probes == json.at("expected_probe_order").get<std::vector<std::uint32_t>>();
            tally.add("probes", passed);
        } else if (json.contains("overload_factors")) {
            const auto loads = json.at("overload_factors").get<std::vector<double>>();
            const std::uint32_t chosen = choose_bounded(
                json.at("first_choice").get<std::uint32_t>(), json.at("hash").get<std::uint64_t>(),
                static_cast<std::uint32_t>(loads.size()),
                [&loads](std::uint32_t i) { return loads[i]; });
            passed = chosen == json.at("expected_host").get<std::uint32_t>();
            tally.add("choices", passed);
        } else {
            const std::int64_t slots = bounded_slots(json.at("cluster_active").get<std::int64_t>(),
                                                     json.at("hash_balance_factor").get<int>(),
                                                     json.at("normalized_weight").get<double>());
            const double load = json.at("host_active").get<double>() / static_cast<double>(slots);
            passed = slots == json.at("expected_slots").get<std::int64_t>() &&
                     close(load, json.at("expected_overload_factor").get<double>()) &&
                     (load > 1.0) == json.at("overloaded").get<bool>();
            tally.add("slots", passed);
        }
        CHECK(passed);
    }
}

TEST_CASE("Conformance: endpoints score as in llm-d's picker") {
    const auto cases = read_cases("epp_scorers");
    if (!cases) return;
    Tally tally("epp_scorers");
    for (const Json& json : *cases) {
        INFO(json.at("id"));
        const std::string scorer = json.value("scorer", "");
        bool passed = true;
        if (scorer == "queue") {
            const auto waiting = json.at("waiting").get<std::vector<std::int64_t>>();
            QueueScorer queue;
            queue.begin(waiting[0]);
            for (const std::int64_t w : waiting) queue.include(w);
            for (std::size_t i = 0; i < waiting.size(); ++i) {
                passed = passed &&
                         close(queue.score(waiting[i]), json.at("expected").at(i).get<double>());
            }
        } else if (scorer == "kv-cache-utilization") {
            for (std::size_t i = 0; i < json.at("kv_usage").size(); ++i) {
                passed = passed && close(kv_cache_score(json.at("kv_usage").at(i).get<double>()),
                                         json.at("expected").at(i).get<double>());
            }
        } else if (json.contains("prefix_match_blocks")) {
            passed = check_scores(json);
        } else {
            const std::string detector = json.value("detector", "");
            tally.skip(scorer.empty() ? "detector " + detector : "scorer " + scorer);
            continue;
        }
        tally.add(scorer.empty() ? "profiles" : scorer, passed);
        CHECK(passed);
    }
}

}  // namespace headroom::policies
