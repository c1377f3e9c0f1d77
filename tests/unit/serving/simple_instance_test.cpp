#include "sim/serving/simple_instance.hpp"

#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/core/time_at.hpp"

namespace headroom::tests {
namespace {

using serving::AttemptId;
using serving::AttemptReport;
using serving::Cause;
using serving::kNominalSpeed;

struct Completed {
    std::uint32_t attempt = 0;
    double time = 0;
    double started = 0;
    bool operator==(const Completed&) const = default;
};

/// Runs one instance by itself.
class Rig final : private serving::InstanceHost {
  public:
    explicit Rig(serving::SimpleEngineSpec engine, double measure_from = 0)
        : spec(std::move(engine)),
          instance(spec, RandomStream(1, "service_time"), kNominalSpeed,
                   {&stats, at(measure_from)}) {}

    std::optional<Cause> submit(double now, std::uint32_t attempt) {
        run(now);
        serving::Submission submission;
        submission.attempt = AttemptId{attempt, 0};
        submission.request = attempt;
        if (slots.size() <= attempt) slots.resize(attempt + 1);
        return instance.submit({at(now), 0}, submission, slots[attempt]);
    }
    void abort(double now, std::uint32_t attempt) {
        run(now);
        instance.abort({at(now), 0}, slots[attempt]);
    }
    /// Events before `limit`.
    void run(double limit) {
        while (instance.next_event().time < at(limit)) {
            instance.run(instance.next_event().time, *this);
        }
    }

    serving::SimpleEngineSpec spec;
    serving::ServiceStats stats;
    serving::SimpleInstance instance;
    std::vector<std::uint32_t> slots;
    std::vector<Completed> completed;

  private:
    void attempt_completed(Time now, AttemptId attempt, const AttemptReport& report) override {
        CHECK(report.first_token == Time::max());
        CHECK(report.output_tokens == 0);
        completed.push_back({attempt.index, now.to_seconds(), report.first_scheduled.to_seconds()});
    }
};

constexpr double kEver = 1e6;

}  // namespace

TEST_CASE("SimpleInstance: serves in order of arrival, as many at once as it has servers") {
    Rig rig({2, Distribution::fixed(2.0), -1});
    for (std::uint32_t i = 0; i < 5; ++i) CHECK_FALSE(rig.submit(0.5 * i, i));
    rig.run(kEver);
    CHECK(rig.completed ==
          std::vector<Completed>{
              {0, 2.0, 0.0}, {1, 2.5, 0.5}, {2, 4.0, 2.0}, {3, 4.5, 2.5}, {4, 6.0, 4.0}});
    CHECK(rig.stats.busy.to_seconds() == 10.0);
}

TEST_CASE("SimpleInstance: services that end at one time end in the order of their starts") {
    Rig rig({4, Distribution::fixed(1.0), -1});
    for (const std::uint32_t attempt : {3U, 1U, 2U, 0U}) CHECK_FALSE(rig.submit(0, attempt));
    rig.run(kEver);
    CHECK(rig.completed == std::vector<Completed>{{3, 1, 0}, {1, 1, 0}, {2, 1, 0}, {0, 1, 0}});
}

TEST_CASE("SimpleInstance: refuses what its bounded queue has no room for") {
    Rig rig({1, Distribution::fixed(10.0), 2});
    CHECK_FALSE(rig.submit(0, 0));  // served
    CHECK_FALSE(rig.submit(1, 1));
    CHECK_FALSE(rig.submit(2, 2));
    CHECK(rig.submit(3, 3) == Cause::instance_queue_full);
    CHECK_FALSE(rig.submit(10.5, 4));  // the first one left
    CHECK(rig.submit(10.5, 5) == Cause::instance_queue_full);
    CHECK_FALSE(rig.instance.refuses(1'000'000, 1'000'000));

    Rig loss({2, Distribution::fixed(1.0), 0});
    CHECK_FALSE(loss.submit(0, 0));
    CHECK_FALSE(loss.submit(0, 1));
    CHECK(loss.submit(0.5, 2) == Cause::instance_queue_full);
    CHECK_FALSE(loss.submit(1.5, 3));
}

TEST_CASE(
    "SimpleInstance: a waiting request that is aborted leaves the queue, the others keep their "
    "order") {
    Rig rig({1, Distribution::fixed(2.0), -1});
    for (std::uint32_t i = 0; i < 4; ++i) CHECK_FALSE(rig.submit(0, i));
    rig.abort(1.0, 2);
    CHECK(rig.instance.load({at(1.0), 0}).waiting == 2);
    CHECK(rig.instance.report({at(1.0), 0}, rig.slots[3]).first_scheduled == Time::max());
    rig.run(kEver);
    CHECK(rig.completed == std::vector<Completed>{{0, 2, 0}, {1, 4, 2}, {3, 6, 4}});
}

TEST_CASE("SimpleInstance: a served request that is aborted frees its server at once") {
    Rig rig({2, Distribution::fixed(4.0), -1});
    for (std::uint32_t i = 0; i < 4; ++i) CHECK_FALSE(rig.submit(0, i));
    rig.abort(1.0, 0);
    rig.run(kEver);
    CHECK(rig.completed == std::vector<Completed>{{1, 4, 0}, {2, 5, 1}, {3, 8, 4}});
    CHECK(rig.stats.busy.to_seconds() == 1 + 3 * 4);  // the second of work counts, though in vain
    CHECK(rig.instance.load({at(9), 0}).completed == 3);
}

TEST_CASE("SimpleInstance: keeps the order of ends when any of many servers is freed") {
    Rig rig({64, Distribution::uniform(1.0, 9.0), -1});
    for (std::uint32_t i = 0; i < 64; ++i) CHECK_FALSE(rig.submit(0, i));
    for (std::uint32_t i = 0; i < 64; i += 3) rig.abort(0.5, i);
    rig.run(kEver);
    CHECK(rig.completed.size() == 42);
    for (std::size_t i = 1; i < rig.completed.size(); ++i) {
        CHECK(rig.completed[i - 1].time <= rig.completed[i].time);
        CHECK(rig.completed[i].attempt % 3 != 0);
    }
}

TEST_CASE("SimpleInstance: a new speed holds for services that start later") {
    Rig rig({1, Distribution::fixed(2.0), -1});
    for (std::uint32_t i = 0; i < 3; ++i) CHECK_FALSE(rig.submit(0, i));
    rig.run(1.0);
    rig.instance.set_speed({at(1.0), 0}, 500'000);
    rig.run(5.0);
    rig.instance.set_speed({at(5.0), 0}, 4'000'000);
    rig.run(kEver);
    CHECK(rig.completed == std::vector<Completed>{{0, 2, 0}, {1, 6, 2}, {2, 6.5, 6}});
}

TEST_CASE("SimpleInstance: a service slowed beyond all time never ends") {
    Rig rig({1, Distribution::fixed(1e6), -1});
    rig.instance.set_speed({at(0), 0}, 1);
    CHECK_FALSE(rig.submit(0, 0));
    CHECK(rig.instance.next_event().time == Time::max());
    CHECK(rig.instance.load(EventKey{at(5), 0}).running == 1);
}

TEST_CASE("SimpleInstance: a service time depends on the request and attempt alone") {
    const auto ends = [](std::vector<std::uint32_t> order) {
        Rig rig({3, Distribution::exponential(1.0), -1});
        for (const std::uint32_t attempt : order) CHECK_FALSE(rig.submit(0, attempt));
        rig.run(kEver);
        std::sort(rig.completed.begin(), rig.completed.end(),
                  [](const Completed& a, const Completed& b) { return a.attempt < b.attempt; });
        return rig.completed;
    };
    CHECK(ends({0, 1, 2}) == ends({2, 0, 1}));
}

TEST_CASE("SimpleInstance: shows its load, and what it has when it is killed") {
    Rig rig({2, Distribution::fixed(3.0), -1});
    for (std::uint32_t i = 0; i < 5; ++i) CHECK_FALSE(rig.submit(0, i));
    rig.run(4.0);
    const serving::InstanceLoad load = rig.instance.load({at(4.0), 0});
    CHECK(load.running == 2);
    CHECK(load.waiting == 1);
    CHECK(load.in_flight == 3);
    CHECK(load.completed == 2);
    CHECK(load.servers == 2);
    CHECK(load.kv_total_blocks == 0);
    CHECK(load.busy.to_seconds() == 8.0);
    std::vector<AttemptId> lost;
    rig.instance.kill({at(4.0), 0}, lost);
    CHECK(lost == std::vector<AttemptId>{{2, 0}, {3, 0}, {4, 0}});  // served first, then waiting
    CHECK(rig.stats.busy.to_seconds() == 8.0);
}

TEST_CASE("SimpleInstance: books busy time only from where measuring starts") {
    Rig rig({1, Distribution::fixed(2.0), -1}, 3.0);
    for (std::uint32_t i = 0; i < 3; ++i) CHECK_FALSE(rig.submit(0, i));
    rig.run(5.0);
    rig.instance.finish({at(5.0), 0});
    CHECK(rig.stats.busy.to_seconds() == 2.0);  // [3, 4) of the second, [4, 5) of the third
    CHECK(rig.instance.load({at(5.0), 0}).completed == 2);
}

}  // namespace headroom::tests
