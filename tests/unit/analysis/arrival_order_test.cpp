#include "analysis/experiments/arrival_order.hpp"

#include "analysis/cli/run_study.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/times.hpp"

namespace headroom::analysis {
namespace {

serving::RequestRow completed_row(std::uint64_t id, double arrival, double first_token,
                                  double finish) {
    serving::RequestRow out;
    out.id = id;
    out.arrival = at_s(arrival);
    out.first_token = first_token < 0 ? Time::max() : at_s(first_token);
    out.finish = at_s(finish);
    out.outcome = serving::Outcome::completed;
    return out;
}

SimulationSpec two_services() {
    SimulationSpec spec;
    spec.services.resize(2);
    spec.sources = {{"users", 0, {}}};
    return spec;
}

/// 400 requests, one a second: latencies fall from 100 s during the first 60, then alternate.
LatencyList settling() {
    LatencyList list;
    for (int i = 0; i < 400; ++i) {
        list.arrivals.push_back(at_s(i + 0.25));
        list.e2e_s.push_back(i < 60 ? 100 - i : 1 + 0.1 * (i % 3));
    }
    return list;
}

}  // namespace

TEST_CASE("ArrivalOrder: completed root requests, sorted by arrival") {
    std::vector<serving::RequestRow> rows = {
        completed_row(2, 3, 3.5, 5), completed_row(0, 1, 1.25, 9), completed_row(1, 2, 2.5, 4),
        completed_row(0, 1.5, 1.6, 2)};
    rows[3].service = 1;  // what the first one called
    serving::RequestRow failed = completed_row(3, 0, -1, 1);
    failed.outcome = serving::Outcome::failed;
    rows.push_back(failed);
    const LatencyList list = latencies_by_arrival(two_services(), rows);
    CHECK(list.arrivals == std::vector<Time>{at_s(1), at_s(2), at_s(3)});
    CHECK(list.e2e_s == std::vector<double>{8, 2, 2});
    CHECK(list.ttft_s == std::vector<double>{0.25, 0.5, 0.5});
    const LatencyList late = list.since(at_s(2));
    CHECK(late.e2e_s == std::vector<double>{2, 2});
    CHECK(late.ttft_s.size() == 2);
    CHECK(list.since(at_s(9)).arrivals.empty());

    rows[0].first_token = Time::max();
    CHECK(latencies_by_arrival(two_services(), rows).ttft_s.empty());
}

TEST_CASE("ArrivalOrder: the warm-up ends where MSER-5 says, as an assignment to the scenario") {
    const LatencyList list = settling();
    REQUIRE(warm_up_end(list));
    CHECK(*warm_up_end(list) == at_s(60.25));
    CHECK(warm_up_assignment(list) == "/measure_from=60250ms");
    const auto note = warm_up_note(list, Time::zero());
    REQUIRE(note);
    CHECK(note->find("until 1m, later than measure_from (0s)") != std::string::npos);
    CHECK(!warm_up_note(list, at_s(61)));
    CHECK(!warm_up_end({}));
    CHECK(!warm_up_assignment({}));
    CHECK(warm_up_assignment(list.since(at_s(61))) == "/measure_from=0ms");
}

}  // namespace headroom::analysis
