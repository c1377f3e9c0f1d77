/// Every registered scaling policy, by enumeration: what any of them must keep.
#include <algorithm>
#include <string>

#include "sim/control/metric_names.hpp"
#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/property/policies/test_policies.hpp"

namespace headroom::policies {
namespace {

using control::MetricKind;
using control::MetricReading;
using control::PodSample;
using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPod;
using control::ScalingPolicy;
using control::ScalingView;

constexpr std::uint64_t kScalingSeed = 20'240'608;
constexpr std::int64_t kMin = 2;
constexpr std::int64_t kMax = 12;

/// Requires a value of every type, and reads each.
class Demanding final : public ScalingPolicy {
  public:
    static ParameterSpecs parameter_specs() {
        const ParameterSpec part = ParameterSpec::number("part", 0, "any").required();
        return {
            ParameterSpec::boolean("boolean", false, "any").required(),
            ParameterSpec::integer("integer", 0, "any").required().at_least(11),
            ParameterSpec::number("number", 0, "any").required().above(0).at_most(0.5),
            ParameterSpec::text("text", "", "any").required(),
            ParameterSpec::choice("choice", {"one", "two"}, "one", "any").required(),
            ParameterSpec::count_or_percent("count", "0%", "any").required(),
            ParameterSpec::duration("duration", {}, "any").required().at_most(1),
            ParameterSpec::quantity("quantity", 0, "m", "any").required().above(0),
            ParameterSpec::object("object", {part}, "any").required(),
            ParameterSpec::list("list", part, "any").required(),
            ParameterSpec::map("map", part, "any").required(),
            ParameterSpec::tagged("tagged", "kind", {ParameterSpec::object("one", {part}, "any")},
                                  "", "any"),
        };
    }
    Demanding(const Parameters& parameters, const PolicyContext&) {
        CHECK(parameters.boolean("boolean"));
        CHECK(parameters.integer("integer") >= 11);
        CHECK(parameters.number("number") > 0);
        CHECK(parameters.number("number") <= 0.5);
        CHECK_FALSE(parameters.text("text").empty());
        CHECK(parameters.text("choice") == "one");
        CHECK(parameters.integer("count") >= 0);
        CHECK(parameters.duration("duration") <= Duration::seconds(1));
        CHECK(parameters.integer("quantity") > 0);
        CHECK(parameters.object("object").given("part"));
        CHECK(parameters.list("list").size() == 1);
        CHECK(parameters.object("map").values().size() == 1);
        CHECK(parameters.object("tagged").text("kind") == "one");
        CHECK(parameters.object("tagged").given("part"));
    }
    [[nodiscard]] std::vector<control::MetricRequest> metrics() const override { return {}; }
    [[nodiscard]] Duration period() const override { return Duration::seconds(15); }
    ScalingDecision decide(const ScalingView& view) override {
        return {.desired = view.spec_replicas, .reason = "any"};
    }
};
REGISTER_POLICY(ScalingPolicy, Demanding, "test-demanding", "for tests");

/// Defaults, bounds where the policy has them, some value where it requires one.
Parameters parameters_of(const ParameterSpecs& specs) {
    Parameters parameters;
    for (const ParameterSpec& spec : specs) {
        if (spec.name == "min_replicas") parameters.set(spec.name, {kMin});
        if (spec.name == "max_replicas") parameters.set(spec.name, {kMax});
    }
    tests::complete(parameters, specs);
    return parameters;
}

std::unique_ptr<ScalingPolicy> make_scaler(const Registry<ScalingPolicy>::Entry& entry) {
    return entry.make(parameters_of(entry.specs), {RandomStream{kScalingSeed, "policy"}});
}

/// Load of a pod at most, in milli-units; another one every eight rounds.
std::int64_t load_milli(std::uint64_t round) {
    const RandomStream random{kScalingSeed, "view"};
    return 1 + static_cast<std::int64_t>(random.below(3000, round / 8, 999));
}

/// A counter that the load of some hundred pods has driven since the start.
std::int64_t counter_milli(std::uint64_t round) {
    constexpr std::int64_t kPods = 400;
    std::int64_t total = 0;
    for (std::uint64_t i = 0; i <= round; ++i) total += kPods * 15 * load_milli(i);
    return total;
}

bool is_counter(const control::MetricRequest& request) {
    const control::MetricInfo* info = control::find_metric(request.name);
    return info != nullptr && info->shape == control::MetricShape::counter;
}

MetricReading random_reading(const ScalingView& view, std::uint64_t index,
                             std::int64_t most_milli) {
    const RandomStream random{kScalingSeed, "reading"};
    MetricReading reading;
    reading.available = true;
    reading.timestamp = view.now;
    for (std::size_t i = 0; i < view.pods.size(); ++i) {
        const bool idle = random.below(6, index, 500 + i) == 0;
        const auto milli = static_cast<std::int64_t>(
            idle ? 0 : random.below(static_cast<std::uint64_t>(most_milli), index, i));
        reading.pods.push_back(PodSample{milli, view.now, Duration::seconds(60)});
    }
    constexpr std::int64_t kPods = 8;  // behind a service
    reading.values_milli = {kPods * most_milli};
    return reading;
}

/// A workload with bounds kept, pods in all states, and load that comes and goes.
ScalingView random_scaling_view(const ScalingPolicy& policy, std::int64_t replicas,
                                std::uint64_t index) {
    const RandomStream random{kScalingSeed, "view"};
    ScalingView view;
    view.now = Time::zero() + Duration::seconds(1000 + 15 * static_cast<std::int64_t>(index));
    view.spec_replicas = view.status_replicas = replicas;
    for (std::int64_t i = 0; i < replicas; ++i) {
        const auto draw = static_cast<std::uint64_t>(i);
        ScalingPod pod;
        pod.name = "pod-" + std::to_string(i);
        pod.ready = random.below(5, index, draw) != 0;
        pod.phase = random.below(9, index, 100 + draw) == 0 ? control::PodPhase::pending
                                                            : control::PodPhase::running;
        pod.start_time =
            view.now -
            Duration::seconds(static_cast<std::int64_t>(random.below(900, index, 200 + draw)));
        pod.ready_transition = *pod.start_time + Duration::seconds(20);
        pod.containers = {{"main", 1000, 1'000'000}};
        view.pods.push_back(pod);
    }
    const std::vector<control::MetricRequest> requests = policy.metrics();
    for (std::size_t m = 0; m < requests.size(); ++m) {
        view.metrics.push_back(random_reading(view, index * 16 + m, load_milli(index)));
        if (is_counter(requests[m])) view.metrics.back().values_milli = {counter_milli(index)};
    }
    return view;
}

bool equal_decisions(const ScalingDecision& a, const ScalingDecision& b) {
    return a.desired == b.desired && a.wanted == b.wanted && a.outcome == b.outcome &&
           a.reason == b.reason;
}

TEST_CASE("Scaling policies: equal histories give equal decisions, each with a reason") {
    for (const auto& [name, entry] : Registry<ScalingPolicy>::instance().entries()) {
        INFO(name << ", seed " << kScalingSeed);
        const auto one = make_scaler(entry);
        const auto two = make_scaler(entry);
        CHECK(one->period() > Duration::zero());
        CHECK(one->metrics() == two->metrics());
        std::int64_t replicas = 4;
        for (std::uint64_t i = 0; i < 500; ++i) {
            const ScalingView view = random_scaling_view(*one, replicas, i);
            if (one->observes_every() > Duration::zero()) {
                one->observe(view);
                two->observe(view);
            }
            const auto decision = one->decide(view);
            if (!equal_decisions(decision, two->decide(view))) FAIL("round " << i);
            if (decision.reason.empty()) FAIL("round " << i << " has no reason");
            replicas = decision.desired;
        }
    }
}

TEST_CASE("Scaling policies: never leave their bounds") {
    for (const auto& [name, entry] : Registry<ScalingPolicy>::instance().entries()) {
        INFO(name << ", seed " << kScalingSeed);
        const Parameters parameters = parameters_of(entry.specs);
        const bool bounded = parameters.given("min_replicas") && parameters.given("max_replicas");
        const auto policy = make_scaler(entry);
        std::int64_t replicas = 4;
        std::int64_t changes = 0;
        for (std::uint64_t i = 0; i < 2000; ++i) {
            const ScalingView view = random_scaling_view(*policy, replicas, i);
            if (policy->observes_every() > Duration::zero()) policy->observe(view);
            const auto decision = policy->decide(view);
            if (decision.desired < 0) FAIL("round " << i);
            if (bounded && (decision.desired < kMin || decision.desired > kMax)) {
                FAIL("round " << i << ": " << decision.reason);
            }
            if (decision.outcome == ScalingOutcome::unchanged && decision.desired != replicas) {
                FAIL("round " << i << " changes without saying so: " << decision.reason);
            }
            changes += decision.desired != replicas ? 1 : 0;
            replicas = decision.desired;
        }
        if (bounded) CHECK(changes > 10);
    }
}

/// Whether a parameter is a number of replicas.
bool counts_replicas(const ParameterSpec& spec) {
    if (spec.type != ParameterType::integer) return false;
    return spec.name.ends_with("replicas") || spec.name.ends_with("replica_count") ||
           spec.name.ends_with("_scale") || spec.name == "scale_up_limit_minimum";
}

/// "/fallback/replicas" and the like: those that have no bound.
std::string unbounded_replicas(const ParameterSpecs& specs, const std::string& pointer) {
    std::string found;
    for (const ParameterSpec& spec : specs) {
        const std::string here = pointer + "/" + spec.name;
        if (counts_replicas(spec) && (!spec.maximum || *spec.maximum > control::kReplicaLimit)) {
            found += here + "\n";
        }
        found += unbounded_replicas(spec.fields, here);
        found += unbounded_replicas(spec.alternatives, here);
    }
    return found;
}

TEST_CASE("Scaling policies: no parameter asks for more replicas than a scenario may") {
    for (const auto& [name, entry] : Registry<ScalingPolicy>::instance().entries()) {
        if (!tests::for_tests(name)) CHECK(unbounded_replicas(entry.specs, name) == "");
    }
}

TEST_CASE("Scaling policies: without metrics the present number stays") {
    for (const auto& [name, entry] : Registry<ScalingPolicy>::instance().entries()) {
        if (tests::for_tests(name)) continue;  // they exist to misbehave
        INFO(name);
        const auto policy = make_scaler(entry);
        if (policy->metrics().empty()) continue;
        ScalingView view = random_scaling_view(*policy, 5, 1);
        for (MetricReading& reading : view.metrics) reading = {};
        CHECK(policy->decide(view).desired == 5);
    }
}

TEST_CASE("Scaling policies: the autoscaler rests when usage is at its target") {
    const auto* entry = Registry<ScalingPolicy>::instance().find("hpa");
    REQUIRE(entry != nullptr);
    for (std::int64_t replicas = kMin; replicas <= kMax; ++replicas) {
        const auto policy = make_scaler(*entry);
        for (std::int64_t round = 0; round < 50; ++round) {
            ScalingView view = random_scaling_view(*policy, replicas, 0);
            view.now = Time::zero() + Duration::seconds(5000 + 15 * round);
            for (ScalingPod& pod : view.pods) {
                pod.ready = true;
                pod.phase = control::PodPhase::running;
                pod.start_time = Time::zero();
                pod.ready_transition = Time::zero() + Duration::seconds(20);
            }
            for (auto& sample : view.metrics[0].pods) sample->value_milli = 800;
            CHECK(policy->decide(view).desired == replicas);
        }
    }
}

}  // namespace
}  // namespace headroom::policies
