// The gateway: deadlines, bounded queue, retries, limits per instance, versions, delays and calls
// to further services, on instances with fixed service times.
#include <cmath>
#include <limits>

#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/core/time_at.hpp"
#include "tests/unit/serving/service_rig.hpp"

namespace headroom::tests {
namespace {

using serving::Cause;
using serving::Outcome;
using serving::RequestRow;

Duration s(double seconds) {
    return Duration::from_seconds(seconds);
}
serving::ServiceSpec fixed_service(double seconds, std::int64_t servers = 1) {
    return simple_service("service", servers, Distribution::fixed(seconds));
}

/// Version 0 prefills, version 1 decodes; a token's KV is one byte.
serving::ServiceSpec pools_over(std::int64_t bytes_per_s) {
    auto service = llm_service("service", choose<serving::BatchingPolicy>("vllm-v1"), 1000);
    service.versions.resize(2, service.versions[0]);
    service.versions[0].engine.llm->role = serving::EngineRole::prefill;
    service.versions[1].engine.llm->role = serving::EngineRole::decode;
    service.kv_transfer = serving::KvTransferSpec{1, bytes_per_s, bytes_per_s, Duration::zero()};
    return service;
}

/// Ends the run and checks that each service's books balance.
void finish(CellRig& rig, double end = 1000) {
    rig.cell->finish(at(end));
    for (std::uint32_t i = 0; i < rig.specs.size(); ++i) {
        INFO("service " << i);
        CHECK(imbalance(rig.cell->stats(i)) == "");
    }
}

std::int64_t caused(const CellRig& rig, Cause cause, std::uint32_t service = 0) {
    return rig.cell->stats(service).causes[static_cast<std::size_t>(cause)];
}

}  // namespace

TEST_CASE("Gateway: a request times out while it is served, and its server goes to the next") {
    auto service = fixed_service(10);
    service.gateway.timeout = s(5);
    CellRig rig = rig_of(service, {0, 1});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run_to_the_end();
    finish(rig);
    const auto rows = rig.rows();
    CHECK(rows[0].finish == at(5));
    CHECK(rows[0].first_scheduled == at(0));
    CHECK(rows[1].first_scheduled == at(5));
    CHECK(rows[1].finish == at(6));
    CHECK(caused(rig, Cause::timeout) == 2);
    CHECK(rig.cell->stats(0).attempts.of(Outcome::timed_out) == 2);
    CHECK(rig.cell->stats(0).busy.to_seconds() == 6.0);
}

TEST_CASE("Gateway: a request that ends exactly at its deadline has completed") {
    auto service = fixed_service(5);
    service.gateway.timeout = s(5);
    CellRig rig = rig_of(service, {0});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run_to_the_end();
    finish(rig);
    CHECK(rig.rows()[0].outcome == Outcome::completed);
}

TEST_CASE("Gateway: a request times out while it waits at its instance") {
    auto service = fixed_service(4);
    service.gateway.timeout = s(4.5);
    service.gateway.max_attempts = 2;
    // The first request loses its instance and comes behind a younger one at the other.
    CellRig rig = rig_of(service, {0, 1, 4.8});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run(at(0.5));
    rig.add(at(0.5), 0, 1);
    rig.run(at(1.5));
    rig.cell->kill_instance(at(1.5), {0, 0});
    rig.run_to_the_end();
    finish(rig);
    const auto rows = rig.rows();
    CHECK(rows[1].finish == at(5));
    CHECK(rows[0].outcome == Outcome::timed_out);
    CHECK(rows[0].finish == at(4.5));
    CHECK(rows[0].first_scheduled == Time::max());
    CHECK(rows[0].attempts == 2);
    CHECK(rows[2].first_scheduled == at(5));  // the place in the queue is free
}

TEST_CASE("Gateway: a request times out while it waits at the gateway") {
    auto service = fixed_service(1);
    service.gateway.timeout = s(3);
    CellRig rig = rig_of(service, {0, 2});
    rig.start();
    rig.run(at(4));
    CHECK(rig.cell->service_load(at(4), 0).gateway_queue == 1);
    rig.add(at(4), 0, 7);
    rig.run_to_the_end();
    finish(rig);
    const auto rows = rig.rows();
    CHECK(rows[0].outcome == Outcome::timed_out);
    CHECK(rows[0].finish == at(3));
    CHECK(rows[0].attempts == 0);
    CHECK(rows[0].instance == RequestRow::kNoInstance);
    CHECK(rows[0].first_scheduled == Time::max());
    CHECK(rows[1].finish == at(5));
    CHECK(rows[1].instance == 7);
    CHECK(rig.cell->stats(0).queue.sum() == s(2).ps());
}

TEST_CASE("Gateway: a request times out on its way to the instance, which never sees it") {
    auto service = fixed_service(1);
    service.front_end_delay = s(2);
    service.gateway.timeout = s(1.5);
    CellRig rig = rig_of(service, {0});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run_to_the_end();
    CHECK(rig.cell->instance_load(at(9), {0, 0}).in_flight == 0);
    finish(rig);
    CHECK(rig.rows()[0].outcome == Outcome::timed_out);
    CHECK(rig.rows()[0].finish == at(1.5));
    CHECK(rig.rows()[0].first_scheduled == Time::max());
    CHECK(rig.cell->stats(0).attempts.of(Outcome::timed_out) == 1);
    CHECK(rig.cell->stats(0).busy.ps() == 0);
}

TEST_CASE("Gateway: holds as many requests as its bounded queue has room for") {
    auto service = fixed_service(1);
    service.gateway.queue_limit = 2;
    CellRig rig = rig_of(service, {0, 1, 2, 3});
    rig.start();
    rig.run(at(3.5));
    rig.add(at(3.5), 0, 0);
    rig.run_to_the_end();
    finish(rig);
    const auto rows = rig.rows();
    CHECK(rows[0].finish == at(4.5));
    CHECK(rows[1].finish == at(5.5));
    for (const std::size_t i : {2U, 3U}) {
        CHECK(rows[i].outcome == Outcome::rejected);
        CHECK(rows[i].cause == Cause::gateway_queue_full);
        CHECK(rows[i].finish == rows[i].arrival);
    }
    CHECK(caused(rig, Cause::gateway_queue_full) == 2);
}

TEST_CASE("Gateway: a timed out request leaves its place in the bounded queue") {
    auto service = fixed_service(1);
    service.gateway.queue_limit = 1;
    service.gateway.timeout = s(2);
    CellRig rig = rig_of(service, {0, 1, 2.5});
    rig.start();
    rig.run(at(3));
    rig.add(at(3), 0, 0);
    rig.run_to_the_end();
    finish(rig);
    const auto rows = rig.rows();
    CHECK(rows[0].outcome == Outcome::timed_out);
    CHECK(rows[1].outcome == Outcome::rejected);
    CHECK(rows[2].finish == at(4));
}

TEST_CASE("Gateway: tries a call again that lost its instance, as often as max_attempts allows") {
    const std::int64_t max_attempts = GENERATE(1, 2, 3);
    auto service = fixed_service(10);
    service.gateway.max_attempts = max_attempts;
    CellRig rig = rig_of(service, {0});
    rig.start();
    for (std::uint32_t ordinal = 0; ordinal < 3; ++ordinal) rig.add(at(0), 0, ordinal);
    // Twice the instance goes that has the request, whichever it is.
    for (const double now : {1.0, 2.0}) {
        rig.run(at(now));
        for (std::uint32_t ordinal = 0; ordinal < 3; ++ordinal) {
            if (now == 2.0 && rig.cell->service_load(at(now), 0).endpoints < 3 && ordinal == 0)
                continue;
            if (rig.cell->instance_load(at(now), {0, ordinal}).in_flight == 0) continue;
            rig.cell->kill_instance(at(now), {0, ordinal});
            break;
        }
    }
    rig.run_to_the_end();
    finish(rig);
    const RequestRow row = rig.rows().at(0);
    CHECK(row.attempts == static_cast<std::uint32_t>(max_attempts));
    const auto& stats = rig.cell->stats(0);
    CHECK(stats.attempts.arrived == max_attempts);
    if (max_attempts == 3) {
        CHECK(row.finish == at(12));
        CHECK(row.first_scheduled == at(2));
        CHECK(stats.attempts.of(Outcome::failed) == 2);
        CHECK(stats.attempts.of(Outcome::completed) == 1);
    } else {
        CHECK(row.outcome == Outcome::failed);
        CHECK(row.cause == Cause::instance_lost);
        CHECK(row.finish == at(static_cast<double>(max_attempts)));
        CHECK(caused(rig, Cause::instance_lost) == 1);
        CHECK(stats.requests.of(Outcome::failed) == 1);
    }
}

TEST_CASE("Gateway: with pools a try is a prefill and a decode, or the prefill that was lost") {
    const std::int64_t max_attempts = GENERATE(1, 2, 3);
    const bool prefilled = GENERATE(false, true);
    auto service = pools_over(1'000'000'000);
    service.gateway.max_attempts = max_attempts;
    CellRig rig;
    rig.specs.push_back(service);
    // A prefill of about half a second, and then more tokens than the test waits for.
    rig.sources.push_back(list_source(0, {arrival_at(Duration::zero(), 8000, 4000)}));
    rig.start();
    const std::uint32_t pool = prefilled ? 1 : 0;  // that loses its instance again and again
    rig.add(at(0), 0, 0, 1 - pool);
    double now = 0;
    std::uint32_t ordinal = 1;
    for (; rig.rows().empty() && ordinal <= 5; ++ordinal) {
        rig.add(at(now), 0, ordinal, pool);
        now += prefilled ? 2 : 0.1;
        rig.run(at(now));
        rig.cell->kill_instance(at(now), {0, ordinal});
    }
    REQUIRE(rig.rows().size() == 1);
    CHECK(rig.rows()[0].cause == Cause::instance_lost);
    CHECK(ordinal - 1 == max_attempts);
    CHECK(rig.rows()[0].attempts == max_attempts * (prefilled ? 2 : 1));
    finish(rig);
}

TEST_CASE("Gateway: what a lost prefill instance kept is lost at once, sent or waiting") {
    auto service = pools_over(100);
    service.gateway.max_in_flight_per_instance = 1;
    CellRig rig;
    rig.specs.push_back(service);
    rig.sources.push_back(list_source(0, {arrival_at(s(0), 1000, 10), arrival_at(s(1), 1000, 10)}));
    rig.start();
    rig.add(at(0), 0, 0, 0);
    rig.add(at(0), 0, 1, 1);
    // One is being sent to the decode instance, the other waits for its place there.
    rig.run(at(5));
    rig.cell->kill_instance(at(5), {0, 0});
    REQUIRE(rig.rows().size() == 2);
    CHECK(caused(rig, Cause::instance_lost) == 2);
    CHECK(rig.rows()[0].attempts + rig.rows()[1].attempts == 2 + 1);
    finish(rig);
}

TEST_CASE("Gateway: links between pools may be given as faster than any can be") {
    const auto first_token = [](std::int64_t bytes_per_s) {
        CellRig rig;
        rig.specs.push_back(pools_over(bytes_per_s));
        rig.sources.push_back(list_source(0, {arrival_at(Duration::zero(), 1000, 1)}));
        rig.start();
        rig.add(at(0), 0, 0, 0);
        rig.add(at(0), 0, 1, 1);
        rig.run_to_the_end();
        finish(rig);
        return rig.rows().at(0).first_token;
    };
    // 1000 bytes take 1 us, or 8 ps at the network's 2^47 bytes/s.
    const Time fastest = first_token(std::numeric_limits<std::int64_t>::max());
    CHECK(first_token(1'000'000'000) - fastest == Duration::picoseconds(1'000'000 - 8));
}

TEST_CASE("Gateway: of a transfer that is cancelled or not over only what was sent counts") {
    auto service = pools_over(100);
    service.gateway.timeout = s(2);
    CellRig rig;
    rig.specs.push_back(service);
    rig.sources.push_back(list_source(0, {arrival_at(s(0), 1000, 1), arrival_at(s(10), 1000, 1)}));
    rig.start();
    rig.add(at(0), 0, 0, 0);
    rig.add(at(0), 0, 1, 1);
    rig.run(at(11));
    finish(rig, 11);
    // Prefills of 49.5 ms; then 100 bytes/s until the timeout of the one and the end of the run.
    CHECK(rig.cell->stats(0).kv_transferred_bytes == 195 + 95);
}

TEST_CASE("Gateway: a request whose instance is killed before it gets there is tried elsewhere") {
    auto service = fixed_service(1);
    service.front_end_delay = s(2);
    service.gateway.max_attempts = 2;
    CellRig rig = rig_of(service, {0});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run(at(1));
    rig.cell->kill_instance(at(1), {0, 0});
    rig.add(at(1), 0, 1);
    rig.run_to_the_end();
    finish(rig);
    // It is found out when it arrives, at 2; the second way takes 2 s again.
    CHECK(rig.rows()[0].first_scheduled == at(4));
    CHECK(rig.rows()[0].instance == 1);
    CHECK(rig.rows()[0].attempts == 2);
}

TEST_CASE("Gateway: sends an instance no more than max_in_flight_per_instance at a time") {
    auto service = fixed_service(4, 10);
    service.gateway.max_in_flight_per_instance = 1;
    CellRig rig = rig_of(service, {0, 1, 2, 3});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.add(at(0), 0, 1);
    rig.run(at(3.5));
    const serving::ServiceLoad load = rig.cell->service_load(at(3.5), 0);
    CHECK(load.gateway_queue == 2);
    CHECK(load.in_flight == 4);
    CHECK(load.endpoints == 2);
    CHECK(rig.cell->instance_load(at(3.5), {0, 0}).in_flight == 1);
    rig.run_to_the_end();
    CHECK_FALSE(rig.cell->has_notifications());  // full is not the same as absent
    finish(rig);
    const auto rows = rig.rows();
    CHECK(rows[0].instance == 0);
    CHECK(rows[1].instance == 1);
    CHECK(rows[2].first_scheduled == at(4));
    CHECK(rows[2].instance == 0);
    CHECK(rows[3].first_scheduled == at(5));
    CHECK(rows[3].instance == 1);
}

TEST_CASE("Gateway: an instance turns away any number of those that wait, one after the other") {
    auto service = fixed_service(1, 1);
    service.versions[0].engine.simple->queue_limit = 0;
    service.gateway.max_in_flight_per_instance = 2;
    constexpr std::int64_t kWaiting = 200'000;
    CellRig rig = rig_of(service, std::vector<double>(kWaiting, 0.0));
    rig.start();
    rig.run(at(1));
    CHECK(rig.cell->service_load(at(1), 0).gateway_queue == kWaiting);
    rig.add(at(1), 0, 0);
    rig.run_to_the_end();
    finish(rig);
    CHECK(rig.rows()[0].finish == at(2));  // the one that had waited longest
    CHECK(rig.cell->stats(0).calls.of(Outcome::completed) == 1);
    CHECK(caused(rig, Cause::instance_queue_full) == kWaiting - 1);
}

TEST_CASE("Gateway: keeps requests back from full instances only while it is told to") {
    auto service = fixed_service(10);
    service.gateway.max_in_flight_per_instance = 1;
    CellRig rig = rig_of(service, {0, 0, 0, 3, 5});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.add(at(0), 0, 1);
    const auto held = [&rig](double time) {
        return rig.cell->service_load(at(time), 0).gateway_queue;
    };
    rig.run(at(1));
    CHECK(held(1) == 1);
    rig.cell->set_gateway_buffering(at(1), 0, false);
    CHECK(held(1) == 0);  // it waits at an instance now
    rig.run(at(4));
    CHECK(held(4) == 0);  // so does the one of 3 s
    rig.cell->set_gateway_buffering(at(4), 0, true);
    rig.run(at(6));
    CHECK(held(6) == 1);
    // The integral of what is in flight: 3 from 0 s on, 4 from 3 s on, 5 from 5 s on.
    CHECK(rig.cell->service_load(at(6), 0).in_flight_time.to_seconds() == 9 + 8 + 5);
    rig.run_to_the_end();
    finish(rig);
    // Both instances serve two in a row; the last one goes where room is first.
    CHECK(rig.rows()[4].first_scheduled == at(20));
    CHECK(rig.rows()[4].finish == at(30));
}

TEST_CASE("Gateway: draining takes no new requests, killing hands over those that wait") {
    auto service = fixed_service(4);
    service.gateway.max_attempts = 2;
    CellRig rig = rig_of(service, {0, 0, 1});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run(at(0.5));
    rig.add(at(0.5), 0, 1);
    rig.cell->drain_instance(at(0.5), {0, 0});
    rig.run(at(2));
    CHECK(rig.cell->instance_load(at(2), {0, 0}).in_flight == 2);
    CHECK(rig.cell->instance_load(at(2), {0, 1}).in_flight == 1);
    rig.cell->kill_instance(at(2), {0, 0});
    rig.run_to_the_end();
    finish(rig);
    const auto rows = rig.rows();
    CHECK(rows[2].finish == at(5));
    CHECK(rows[0].finish == at(9));  // served ones come first, then those that waited
    CHECK(rows[1].finish == at(13));
}

TEST_CASE("Gateway: calls to further services follow one another and their times add up") {
    CellRig rig;
    for (const double seconds : {1.0, 2.0, 3.0}) {
        rig.specs.push_back(simple_service("s" + std::to_string(rig.specs.size()), 1,
                                           Distribution::fixed(seconds)));
    }
    rig.specs[0].calls = {1, 2};
    rig.specs[1].front_end_delay = s(0.5);
    rig.sources.push_back(list_source(0, arrivals_at({10})));
    rig.start();
    for (std::uint32_t i = 0; i < 3; ++i) rig.add(at(0), i, 0);
    rig.run_to_the_end();
    finish(rig);
    const auto rows = rig.rows();
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].finish == at(16.5));
    CHECK(rows[1].arrival == at(11));
    CHECK(rows[1].finish == at(13.5));
    CHECK(rows[2].arrival == at(13.5));
    CHECK(rows[2].finish == at(16.5));
    Duration others = s(1);  // the caller's own service
    for (std::uint32_t i = 0; i < 3; ++i) {
        const auto& stats = rig.cell->stats(i);
        CHECK(stats.calls.of(Outcome::completed) == 1);
        CHECK(stats.attempts.of(Outcome::completed) == 1);
        CHECK(stats.requests.arrived == (i == 0 ? 1 : 0));
        if (i > 0) others += Duration::picoseconds(static_cast<std::int64_t>(stats.e2e.sum()));
    }
    CHECK(rig.cell->stats(0).e2e.sum() == others.ps());
}

TEST_CASE("Gateway: a call that fails ends its caller and the request, each with the cause") {
    CellRig rig;
    rig.specs.push_back(simple_service("front", 10, Distribution::fixed(1.0)));
    rig.specs.push_back(simple_service("back", 1, Distribution::fixed(5.0), 0));
    rig.specs[0].calls = {1};
    rig.sources.push_back(list_source(0, arrivals_at({0, 2})));
    rig.start();
    rig.add(at(0), 0, 0);
    rig.add(at(0), 1, 0);
    rig.run_to_the_end();
    finish(rig);
    CHECK(rig.cell->stats(0).requests.of(Outcome::completed) == 1);
    CHECK(rig.cell->stats(0).requests.of(Outcome::rejected) == 1);
    CHECK(rig.cell->stats(0).calls.of(Outcome::rejected) == 1);
    CHECK(rig.cell->stats(0).attempts.of(Outcome::completed) == 2);
    CHECK(rig.cell->stats(1).calls.of(Outcome::rejected) == 1);
    CHECK(rig.cell->stats(1).attempts.of(Outcome::rejected) == 1);
    CHECK(caused(rig, Cause::instance_queue_full, 0) == 1);
    CHECK(caused(rig, Cause::instance_queue_full, 1) == 1);
}

TEST_CASE("Gateway: a caller's deadline takes its callee along") {
    CellRig rig;
    rig.specs.push_back(simple_service("front", 1, Distribution::fixed(1.0)));
    rig.specs.push_back(simple_service("back", 1, Distribution::fixed(5.0)));
    rig.specs[0].calls = {1};
    rig.specs[0].gateway.timeout = s(3);
    rig.sources.push_back(list_source(0, arrivals_at({0})));
    rig.start();
    rig.add(at(0), 0, 0);
    rig.add(at(0), 1, 0);
    rig.run_to_the_end();
    finish(rig);
    for (const RequestRow& row : rig.rows()) {
        CHECK(row.outcome == Outcome::timed_out);
        CHECK(row.cause == Cause::timeout);
        CHECK(row.finish == at(3));
    }
    CHECK(rig.cell->stats(1).busy.to_seconds() == 2.0);
    CHECK(rig.cell->stats(1).attempts.of(Outcome::timed_out) == 1);
}

TEST_CASE("Gateway: versions take traffic in proportion to their weights") {
    constexpr std::int64_t kRequests = 40'000;
    CellRig rig;
    rig.specs.push_back(simple_service("service", 1'000'000, Distribution::fixed(0.0)));
    rig.specs[0].versions.resize(3, rig.specs[0].versions[0]);
    const std::int64_t weights[] = {10, 30, 0};
    for (std::size_t i = 0; i < 3; ++i) {
        rig.specs[0].versions[i].name = "v" + std::to_string(i);
        rig.specs[0].versions[i].weight = weights[i];
    }
    rig.sources.push_back(poisson_source(0, 100, kRequests));
    rig.start();
    for (std::uint32_t i = 0; i < 3; ++i) rig.add(at(0), 0, i, i);
    rig.run_to_the_end();
    const auto served = [&](std::uint32_t ordinal) {
        return static_cast<double>(rig.cell->instance_load(at(1e6), {0, ordinal}).completed);
    };
    const double n = kRequests;
    CHECK(served(0) == Approx(0.25 * n).margin(4.5 * std::sqrt(n * 0.25 * 0.75)));
    CHECK(served(0) + served(1) == n);
    finish(rig, 1e6);
}

TEST_CASE("Gateway: a version without an instance leaves its share to the others") {
    CellRig rig = rig_of(fixed_service(1, 100), {0, 1, 2, 3, 4, 5, 6, 7});
    rig.specs[0].versions.resize(2, rig.specs[0].versions[0]);
    rig.start();
    rig.add(at(0), 0, 0, 1);
    rig.run_to_the_end();
    finish(rig);
    CHECK(rig.cell->stats(0).requests.of(Outcome::completed) == 8);
}

TEST_CASE("Gateway: each version shows the calls sent to it and those that wait for it") {
    CellRig rig = rig_of(fixed_service(10), {0, 1, 2, 3, 4, 5, 6, 7});
    rig.specs[0].versions.resize(3, rig.specs[0].versions[0]);
    for (const std::size_t idle : {0U, 2U}) rig.specs[0].versions[idle].weight = 0;
    rig.start();
    const auto shows = [&](double time, std::uint32_t version) {
        const serving::ServiceLoad load = rig.cell->service_load(at(time), 0, version);
        return std::vector<double>{
            static_cast<double>(load.arrived), static_cast<double>(load.in_flight),
            static_cast<double>(load.gateway_queue), static_cast<double>(load.endpoints),
            load.in_flight_time.to_seconds()};
    };
    using Figures = std::vector<double>;
    // Without an endpoint they wait for the only one with a weight.
    rig.run(at(1.5));
    CHECK(shows(1.5, 0) == Figures{0, 0, 0, 0, 0});
    CHECK(shows(1.5, 1) == Figures{2, 2, 2, 0, 2});
    // Sent, they are in flight; full or not, an endpoint is one.
    rig.add(at(1.5), 0, 0, 1);
    CHECK(shows(1.5, 1) == Figures{2, 2, 0, 1, 2});
    rig.run(at(3.5));
    CHECK(shows(3.5, 1) == Figures{4, 4, 0, 1, 2 + 4 + 1.5 + 0.5});
    rig.run_to_the_end();
    CHECK(shows(100, 1)[1] == 0);
    CHECK(rig.cell->service_load(at(100), 0).gateway_queue == 0);
}

TEST_CASE("Gateway: calls that waited for one version go over to another that takes them") {
    CellRig rig = rig_of(fixed_service(10), {0, 0, 0, 0, 0, 0, 0, 0});
    rig.specs[0].versions.resize(2, rig.specs[0].versions[0]);
    rig.start();
    const auto of_version = [&](std::uint32_t version) {
        return rig.cell->service_load(at(2), 0, version);
    };
    rig.run(at(2));
    const std::int64_t waited = of_version(1).gateway_queue;
    CHECK(waited > 0);
    CHECK(of_version(0).gateway_queue == 8 - waited);
    rig.add(at(2), 0, 0, 0);
    CHECK(of_version(0).in_flight == 8);
    CHECK(of_version(0).arrived == 8 - waited);
    CHECK(of_version(1).in_flight == 0);
    CHECK(of_version(1).gateway_queue == 0);
    CHECK(of_version(1).arrived == waited);
}

TEST_CASE("Gateway: without a weight nothing is sent") {
    auto service = fixed_service(1, 100);
    service.versions[0].weight = 0;
    CellRig rig = rig_of(service, {0, 1});
    rig.start();
    rig.add(at(0), 0, 0);
    rig.run(at(50));
    CHECK(rig.cell->service_load(at(50), 0).gateway_queue == 2);
    CHECK(rig.cell->instance_load(at(50), {0, 0}).in_flight == 0);
}

TEST_CASE("Gateway: front-end delay and jitter lie between arrival and the instance's queue") {
    auto service = fixed_service(1, 100);
    service.front_end_delay = s(0.1);
    SECTION("the delay alone") {
        CellRig rig = rig_of(service, {0, 5});
        rig.start();
        rig.add(at(0), 0, 0);
        rig.run(at(5.05));
        CHECK(rig.cell->instance_load(at(5.05), {0, 0}).in_flight == 1);
        CHECK(rig.cell->instance_load(at(5.05), {0, 0}).running == 0);
        rig.run_to_the_end();
        finish(rig);
        CHECK(rig.rows()[0].first_scheduled == at(0.1));
        CHECK(rig.rows()[1].finish == at(6.1));
        CHECK(rig.cell->stats(0).queue.sum() == s(0.2).ps());
    }
    SECTION("with jitter of one value") {
        service.jitter = Distribution::fixed(0.05);
        CellRig rig = rig_of(service, {0});
        rig.start();
        rig.add(at(0), 0, 0);
        rig.run_to_the_end();
        CHECK(rig.rows()[0].first_scheduled == at(0.15));
    }
    SECTION("with jitter drawn for each attempt") {
        constexpr std::int64_t kRequests = 20'000;
        service.jitter = Distribution::exponential(0.05);
        service.versions[0].engine.simple->servers = 1'000'000;
        CellRig rig;
        rig.specs.push_back(service);
        rig.sources.push_back(poisson_source(0, 100, kRequests));
        rig.start();
        rig.add(at(0), 0, 0);
        rig.run_to_the_end();
        finish(rig);
        const auto& queue = rig.cell->stats(0).queue;
        CHECK(queue.min() >= s(0.1).ps());
        CHECK(queue.mean() * 1e-12 ==
              Approx(0.15).margin(4.5 * 0.05 / std::sqrt(static_cast<double>(kRequests))));
        // Later requests overtake earlier ones.
        CHECK(queue.max() > s(0.4).ps());
    }
}

}  // namespace headroom::tests
