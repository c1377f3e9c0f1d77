#include "policies/scaling/keda/keda.hpp"

#include <functional>
#include <utility>

#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/core/time_at.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"

namespace headroom::policies {
namespace {

using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;
using tests::at;
using tests::whole;

using Fields = std::vector<std::pair<const char*, ParameterValue>>;

/// A trigger of `type` with its defaults, but for `fields`.
ParameterValue trigger(const std::string& type, const Fields& fields) {
    const ParameterSpec list = KedaTriggers::spec();
    const ParameterSpec* kind = list.fields.front().alternative(type);
    Parameters p = Parameters::defaults(kind->fields);
    p.set("type", {type});
    for (const auto& [name, value] : fields) p.set(name, value);
    return {std::make_shared<const Parameters>(std::move(p))};
}

Parameters keda_parameters(const Fields& fields, ParameterValue::List triggers) {
    Parameters p = Parameters::defaults(Keda::parameter_specs());
    for (const auto& [name, value] : fields) p.set(name, value);
    p.set("triggers", {std::make_shared<const ParameterValue::List>(std::move(triggers))});
    return p;
}

/// One request for each 5 that are not done, from 0 to 20 replicas.
Parameters queue_of_five(Fields fields = {}) {
    fields.emplace_back("max_replicas", ParameterValue{whole(20)});
    return keda_parameters(fields, {trigger("queue", {{"threshold", {whole(5000)}}})});
}

std::unique_ptr<ScalingPolicy> make_keda(Parameters p) {
    return make_scaler("keda", std::move(p));
}

/// A view of ready pods, with one value a metric; nullopt: the metric has none.
ScalingView view_at(Time now, std::int64_t replicas,
                    const std::vector<std::optional<std::int64_t>>& values) {
    ScalingView v;
    v.now = now;
    v.spec_replicas = v.status_replicas = replicas;
    v.pods.resize(static_cast<std::size_t>(replicas));
    for (auto& pod : v.pods) pod.ready = true;
    for (const auto& value : values) {
        control::MetricReading reading;
        reading.available = value.has_value();
        if (value) reading.values_milli = {*value * 1000};
        v.metrics.push_back(reading);
    }
    return v;
}

/// The policy from tick to tick, in a world that does what it says at once.
class KedaLoop {
  public:
    KedaLoop(Parameters parameters, std::int64_t replicas)
        : policy_(make_keda(std::move(parameters))), replicas_(replicas) {}

    void run(std::int64_t until,
             const std::function<std::optional<std::int64_t>(std::int64_t)>& value) {
        for (; now_ <= until; now_ += policy_->period() / Duration::seconds(1)) {
            last_ = policy_->decide(view_at(at(now_), replicas_, {value(now_)}));
            replicas_ = last_.desired;
        }
    }
    [[nodiscard]] std::int64_t replicas() const { return replicas_; }
    [[nodiscard]] const ScalingDecision& last() const { return last_; }

  private:
    std::unique_ptr<ScalingPolicy> policy_;
    std::int64_t replicas_;
    std::int64_t now_ = 0;
    ScalingDecision last_;
};

TEST_CASE("Keda: ticks as often as the poll and the HPA's sync ask for together") {
    CHECK(make_keda(queue_of_five())->period() == Duration::seconds(15));
    CHECK(make_keda(queue_of_five({{"polling_interval", {Duration::seconds(10)}}}))->period() ==
          Duration::seconds(5));
    CHECK(make_keda(queue_of_five({{"sync_period", {Duration::milliseconds(7001)}}}))->period() ==
          Duration::seconds(1));
    CHECK(
        make_keda(queue_of_five({{"polling_interval", {Duration::milliseconds(100)}}}))->period() ==
        Duration::milliseconds(100));
}

TEST_CASE("Keda: from zero to one at the next poll, further by the HPA, back after the cooldown") {
    KedaLoop loop(queue_of_five(), 0);
    // 12 requests from 40 s until 100 s.
    const auto queue = [](std::int64_t t) { return t >= 40 && t < 100 ? 12 : 0; };
    loop.run(45, queue);
    CHECK(loop.replicas() == 0);
    CHECK(loop.last().outcome == ScalingOutcome::unchanged);
    loop.run(60, queue);
    CHECK(loop.replicas() == 1);
    CHECK(loop.last().reason == "poll: 1 wanted: a trigger is active");
    CHECK(loop.last().inputs == "queue 12 (active above 0)");
    // The HPA: 12 / (5 * 1) is out of tolerance, ceil(12 / 5) = 3.
    loop.run(75, queue);
    CHECK(loop.replicas() == 3);
    CHECK(loop.last().reason == "HPA: 3 wanted");

    // The last poll that found it active is at 90 s. The HPA's window of 300 s lets go of the 3 of
    // 90 s at 405 s, and keeps one; KEDA's cooldown is over strictly after 390 s.
    loop.run(390, queue);
    CHECK(loop.replicas() == 3);
    loop.run(405, queue);
    CHECK(loop.replicas() == 1);
    loop.run(420, queue);
    CHECK(loop.replicas() == 0);
    CHECK(loop.last().reason == "poll: 0 wanted: no trigger is active");
    loop.run(900, queue);
    CHECK(loop.replicas() == 0);
}

TEST_CASE("Keda: a cooldown that is not over is told") {
    KedaLoop loop(queue_of_five(), 0);
    const auto queue = [](std::int64_t t) { return t >= 20 && t < 40 ? 1 : 0; };
    loop.run(90, queue);
    CHECK(loop.replicas() == 1);
    loop.run(120, queue);
    CHECK(loop.last().reason == "HPA: 0 wanted, 1 held: scale-down stabilization 300 s");
    CHECK(loop.last().outcome == ScalingOutcome::limited);
    const auto quiet = make_keda(queue_of_five({{"sync_period", {Duration::seconds(120)}}}));
    CHECK(quiet->decide(view_at(at(0), 1, {3})).desired == 1);
    const ScalingDecision cooling = quiet->decide(view_at(at(30), 1, {0}));
    CHECK(cooling.reason == "poll: no trigger was active for 30 s, cooldown_period 300 s");
    CHECK(cooling.wanted == 0);
    CHECK(cooling.outcome == ScalingOutcome::limited);
}

TEST_CASE("Keda: activation_threshold decides about zero, threshold about the number") {
    Parameters p =
        keda_parameters({}, {trigger("metric", {{"name", {std::string("arrivals_per_second")}},
                                                {"threshold", {whole(2000)}},
                                                {"activation_threshold", {whole(10'000)}}})});
    KedaLoop loop(std::move(p), 0);
    loop.run(60, [](std::int64_t) { return 10; });
    CHECK(loop.replicas() == 0);
    loop.run(90, [](std::int64_t) { return 11; });
    CHECK(loop.replicas() == 1);
    loop.run(105, [](std::int64_t) { return 11; });
    CHECK(loop.replicas() == 4);  // 6 wanted, the HPA's first step ends at 4
    loop.run(120, [](std::int64_t) { return 11; });
    CHECK(loop.replicas() == 6);
}

TEST_CASE("Keda: idle_replica_count is where it rests, min_replicas where it works") {
    KedaLoop loop(queue_of_five({{"min_replicas", {whole(2)}}, {"idle_replica_count", {whole(0)}}}),
                  0);
    const auto queue = [](std::int64_t t) { return t >= 20 && t < 40 ? 1 : 0; };
    loop.run(15, queue);
    CHECK(loop.replicas() == 0);
    loop.run(30, queue);
    CHECK(loop.replicas() == 2);
    loop.run(330, queue);
    CHECK(loop.replicas() == 2);
    loop.run(360, queue);  // 30 + 300 is strictly before
    CHECK(loop.replicas() == 0);
}

TEST_CASE("Keda: a workload that was never active needs no cooldown, but the initial one") {
    const auto nothing = [](std::int64_t) { return 0; };
    KedaLoop loop(queue_of_five(), 3);
    loop.run(15, nothing);
    CHECK(loop.replicas() == 3);
    loop.run(30, nothing);
    CHECK(loop.replicas() == 0);
    KedaLoop initial(queue_of_five({{"initial_cooldown_period", {Duration::seconds(90)}}}), 3);
    initial.run(90, nothing);
    CHECK(initial.replicas() == 3);
    initial.run(120, nothing);
    CHECK(initial.replicas() == 0);
}

Parameters failing_metric(std::int64_t min, const Fields& fallback) {
    Fields fields = {{"min_replicas", {min}}};
    if (!fallback.empty()) {
        Parameters p;
        p.set("failure_threshold", {whole(2)});
        p.set("behavior", {std::string("static")});
        for (const auto& [name, value] : fallback) p.set(name, value);
        fields.emplace_back("fallback",
                            ParameterValue{std::make_shared<const Parameters>(std::move(p))});
    }
    return keda_parameters(fields, {trigger("metric", {{"name", {std::string("kv_used_fraction")}},
                                                       {"threshold", {whole(500)}},
                                                       {"ignore_null_values", {false}}})});
}

TEST_CASE("Keda: a failing trigger changes nothing, until the fallback takes its place") {
    const auto nothing = [](std::int64_t) -> std::optional<std::int64_t> { return std::nullopt; };
    KedaLoop without(failing_metric(0, {}), 4);
    without.run(600, nothing);
    CHECK(without.replicas() == 4);
    CHECK(without.last().outcome == ScalingOutcome::no_metrics);

    // Syncs at 0, 15 and 30 s fail; the third failure in a row is above 2: 6 * 0.5 / 0.5.
    KedaLoop with(failing_metric(0, {{"replicas", {whole(6)}}}), 4);
    with.run(15, nothing);
    CHECK(with.replicas() == 4);
    with.run(30, nothing);
    CHECK(with.replicas() == 6);
    // A reading in between starts the count anew: 2 / 0.5 = 4 wanted, 6 held for a while; then
    // two failures are not enough.
    with.run(45, [](std::int64_t) { return 2; });
    with.run(75, nothing);
    CHECK(with.last().outcome == ScalingOutcome::no_metrics);
    with.run(90, nothing);
    CHECK(with.last().reason == "HPA: 6 wanted");
    const auto lower = make_keda(failing_metric(
        1, {{"replicas", {whole(2)}}, {"behavior", {std::string("currentReplicasIfHigher")}}}));
    for (std::int64_t s = 0; s < 600; s += 15) {
        CHECK(lower->decide(view_at(at(s), 5, {std::nullopt})).desired == 5);
    }
}

TEST_CASE("Keda: a fallback of a whole value is by the ready pods") {
    Parameters p = failing_metric(1, {{"failure_threshold", {whole(0)}}, {"replicas", {whole(6)}}});
    p.set("triggers", {std::make_shared<const ParameterValue::List>(ParameterValue::List{
                          trigger("metric", {{"name", {std::string("kv_used_fraction")}},
                                             {"threshold", {whole(500)}},
                                             {"metric_type", {std::string("Value")}},
                                             {"ignore_null_values", {false}}})})});
    // 0.5 * 6 / 4 = 0.75 is 1.5 times the threshold: ceil(1.5 * 4).
    CHECK(make_keda(p)->decide(view_at(at(0), 4, {std::nullopt})).desired == 6);
    ScalingView none_ready = view_at(at(0), 4, {std::nullopt});
    for (auto& pod : none_ready.pods) pod.ready = false;
    CHECK(make_keda(p)->decide(none_ready).desired == 4);
}

TEST_CASE("Keda: a metric without a value counts as zero unless told otherwise") {
    KedaLoop loop(
        keda_parameters({}, {trigger("metric", {{"name", {std::string("kv_used_fraction")}},
                                                {"threshold", {whole(500)}}})}),
        2);
    loop.run(30, [](std::int64_t) -> std::optional<std::int64_t> { return std::nullopt; });
    CHECK(loop.replicas() == 0);
}

TEST_CASE("Keda: cron asks for its replicas between start and end, in its own zone") {
    const auto parameters = [] {
        return keda_parameters({}, {trigger("cron", {{"timezone", {std::string("+02:00")}},
                                                     {"start", {std::string("0 8 * * mon-fri")}},
                                                     {"end", {std::string("0 18 * * mon-fri")}},
                                                     {"desired_replicas", {whole(5)}}})});
    };
    constexpr std::int64_t kMonday = 1'704'067'200;  // 2024-01-01 00:00:00 UTC
    const auto decided = [&](std::int64_t hour, std::int64_t minute, std::int64_t replicas) {
        const auto keda = make_keda(parameters());
        ScalingView v = view_at(at(hour * 3600 + minute * 60), replicas, {});
        v.start_unix_s = kMonday;
        return keda->decide(v);
    };
    CHECK(decided(5, 59, 0).desired == 0);
    CHECK(decided(6, 0, 0).desired == 1);  // 08:00 there
    CHECK(decided(6, 0, 1).desired == 4);  // the HPA's first step
    CHECK(decided(6, 0, 3).desired == 5);
    CHECK(decided(15, 59, 3).desired == 5);
    CHECK(decided(16, 0, 3).inputs == "cron 0.334 (target 1 a pod)");  // 1 of 3
    CHECK(decided(5 * 24 + 10, 0, 0).desired == 0);                    // Saturday

    const auto keda = make_keda(parameters());
    const ScalingDecision decision = keda->decide(view_at(at(0), 3, {}));
    CHECK(decision.outcome == ScalingOutcome::invalid);
    CHECK(decision.desired == 3);
    CHECK(decision.reason == "a cron schedule needs the scenario's \"start\"");
}

TEST_CASE(
    "Keda: the queue counts what is not done, or what waits at the gateway and in instances") {
    const auto all = make_keda(queue_of_five());
    REQUIRE(all->metrics().size() == 1);
    CHECK(all->metrics()[0].name == "service_in_flight");
    CHECK(all->metrics()[0].live);
    const auto waiting =
        make_keda(keda_parameters({}, {trigger("queue", {{"count", {std::string("waiting")}}})}));
    REQUIRE(waiting->metrics().size() == 2);
    CHECK(waiting->metrics()[0].name == "gateway_queue");
    CHECK(waiting->metrics()[1].name == "requests_waiting");
    // With no pod only the gateway has a queue.
    const ScalingDecision decision = waiting->decide(view_at(at(0), 0, {7, std::nullopt}));
    CHECK(decision.desired == 1);
    CHECK(decision.inputs == "queue 7 (active above 0)");
}

TEST_CASE("Keda: a target of the whole value scales the ready pods by their ratio") {
    const auto keda = make_keda(keda_parameters(
        {}, {trigger("queue",
                     {{"threshold", {whole(10'000)}}, {"metric_type", {std::string("Value")}}})}));
    CHECK(keda->decide(view_at(at(0), 2, {15})).desired == 3);  // ceil(1.5 * 2)
}

TEST_CASE("Keda: paused directions and numbers hold, also against the HPA") {
    const auto busy = [](std::int64_t) { return 50; };
    const auto idle = [](std::int64_t) { return 0; };
    KedaLoop out(queue_of_five({{"paused_scale_out", {true}}}), 2);
    out.run(600, busy);
    CHECK(out.replicas() == 2);
    KedaLoop in(queue_of_five({{"paused_scale_in", {true}}}), 8);
    in.run(2000, idle);
    CHECK(in.replicas() == 8);
    KedaLoop fixed(queue_of_five({{"paused_replicas", {whole(3)}}}), 8);
    fixed.run(0, busy);
    CHECK(fixed.replicas() == 3);
    fixed.run(600, busy);
    CHECK(fixed.replicas() == 3);
    KedaLoop forced(queue_of_five({{"force_activation", {true}}}), 0);
    forced.run(600, idle);
    CHECK(forced.replicas() == 1);
}

TEST_CASE("Keda: behavior is the HPA's") {
    Parameters p = queue_of_five();
    for (const ParameterSpec& spec : Keda::parameter_specs()) {
        if (spec.name != "behavior") continue;
        Parameters behavior = Parameters::defaults(spec.fields);
        Parameters down = behavior.object("scale_down");
        down.set("stabilization_window", {Duration::seconds(30)});
        behavior.set("scale_down", {std::make_shared<const Parameters>(std::move(down))});
        p.set("behavior", {std::make_shared<const Parameters>(std::move(behavior))});
    }
    KedaLoop loop(std::move(p), 6);
    // 30 requests until 60 s, 10 after: 6, then 2 once the 6 of 45 s is 30 s old.
    const auto queue = [](std::int64_t t) { return t < 60 ? 30 : 10; };
    loop.run(60, queue);
    CHECK(loop.replicas() == 6);
    loop.run(75, queue);
    CHECK(loop.replicas() == 2);
}

TEST_CASE("Keda: every mistake is a fault with its place") {
    Parameters p =
        keda_parameters({{"min_replicas", {whole(9)}},
                         {"max_replicas", {whole(4)}},
                         {"idle_replica_count", {whole(9)}}},
                        {trigger("cron", {{"timezone", {std::string("Europe/Berlin")}},
                                          {"start", {std::string("61 * * * *")}},
                                          {"end", {std::string("0 0 30 2 *")}},
                                          {"desired_replicas", {whole(5)}}}),
                         trigger("metric", {{"name", {std::string("arrivals_per_second")}},
                                            {"threshold", {whole(500)}},
                                            {"live", {true}}})});
    const auto keda = make_keda(std::move(p));
    std::vector<std::string> pointers;
    for (const auto& fault : keda->faults()) pointers.push_back(fault.pointer);
    CHECK(pointers == std::vector<std::string>{"/triggers/0/timezone", "/triggers/0/start",
                                               "/triggers/0/end", "/triggers/1/live",
                                               "/min_replicas", "/idle_replica_count"});
    CHECK(keda->decide(view_at(at(0), 2, {})).outcome == ScalingOutcome::invalid);
    const auto empty = make_keda(keda_parameters({}, {}));
    REQUIRE(empty->faults().size() == 1);
    CHECK(empty->faults()[0].expectation == "expected at least one trigger, found none");
    CHECK(make_keda(Parameters::defaults(Keda::parameter_specs()))->faults().empty());
}

TEST_CASE("Keda: UTC offsets as people write them") {
    CHECK(parse_utc_offset("UTC") == 0);
    CHECK(parse_utc_offset("Z") == 0);
    CHECK(parse_utc_offset("+02:00") == 7200);
    CHECK(parse_utc_offset("-0530") == -19'800);
    CHECK(parse_utc_offset("UTC+2") == 7200);
    CHECK(parse_utc_offset("GMT-11") == -39'600);
    for (const char* wrong :
         {"", "+", "2", "+15:00", "+02:60", "+02:0", "+02:000", "CET", "UTC2"}) {
        INFO(wrong);
        CHECK_FALSE(parse_utc_offset(wrong).has_value());
    }
}

TEST_CASE("Keda: goes on from a memory as if it were its own") {
    KedaLoop loop(queue_of_five(), 0);
    const auto first = make_keda(queue_of_five());
    CHECK(first->decide(view_at(at(0), 1, {4})).desired == 1);
    auto* keda = dynamic_cast<Keda*>(first.get());
    REQUIRE(keda != nullptr);
    CHECK(keda->memory().last_active == at(0));
    CHECK(keda->memory().next_poll == at(30));
    const auto second = make_keda(queue_of_five());
    dynamic_cast<Keda*>(second.get())->restore(keda->memory());
    for (std::int64_t s = 15; s <= 330; s += 15) {
        const auto a = first->decide(view_at(at(s), 1, {0}));
        const auto b = second->decide(view_at(at(s), 1, {0}));
        REQUIRE(a.desired == b.desired);
        REQUIRE(a.reason == b.reason);
    }
}

}  // namespace
}  // namespace headroom::policies
