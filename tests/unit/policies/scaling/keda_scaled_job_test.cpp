#include "policies/scaling/keda/keda_scaled_job.hpp"

#include <utility>

#include "tests/catch.hpp"
#include "tests/rig.hpp"
#include "tests/unit/policies/scaling/scaling_fixture.hpp"

namespace headroom::policies {
namespace {

using control::PodPhase;
using control::ScalingDecision;
using control::ScalingOutcome;
using control::ScalingPolicy;
using control::ScalingView;
using tests::whole;

/// A job for each request of `count`.
Parameters one_request_a_job(const std::string& count) {
    const ParameterSpec list = KedaTriggers::spec();
    Parameters trigger = Parameters::defaults(list.fields.front().alternative("queue")->fields);
    trigger.set("type", {std::string("queue")});
    trigger.set("count", {count});
    trigger.set("threshold", {whole(1000)});
    Parameters p = Parameters::defaults(KedaScaledJob::parameter_specs());
    p.set("max_replicas", {whole(12)});
    p.set("triggers", {std::make_shared<const ParameterValue::List>(
                          ParameterValue::List{{std::make_shared<const Parameters>(trigger)}})});
    return p;
}

/// Pods: 'p' pending, 's' started but not ready, 'b' busy, 'i' idle, 'x' being deleted. `queue` is
/// the value of each of the trigger's metrics.
ScalingView view_of_jobs(const std::string& pods, const std::vector<std::int64_t>& queue,
                         Time now = Time::zero()) {
    ScalingView v;
    v.now = now;
    v.spec_replicas = v.status_replicas = static_cast<std::int64_t>(pods.size());
    for (const std::int64_t value : queue) {
        control::MetricReading reading;
        reading.available = true;
        reading.values_milli = {value * 1000};
        v.metrics.push_back(reading);
    }
    control::MetricReading in_flight;
    in_flight.available = true;
    for (const char kind : pods) {
        control::ScalingPod pod;
        pod.phase = kind == 'p' ? PodPhase::pending : PodPhase::running;
        pod.ready = kind == 'b' || kind == 'i';
        pod.deleted = kind == 'x';
        v.pods.push_back(pod);
        in_flight.pods.emplace_back();
        if (pod.ready) {
            in_flight.pods.back() = control::PodSample{kind == 'b' ? 3000 : 0, now, {}};
        }
    }
    v.metrics.push_back(in_flight);
    return v;
}

std::unique_ptr<ScalingPolicy> make_scaled_job(Parameters p) {
    return make_scaler("keda-scaled-job", std::move(p));
}

TEST_CASE("KedaScaledJob: creates what the queue asks for beyond the jobs there are") {
    const auto policy = make_scaled_job(one_request_a_job("unfinished"));
    // 4 have not ended, one of them is done: 7 - 4 = 3 new ones.
    const ScalingDecision decision = policy->decide(view_of_jobs("pbsib", {7}));
    CHECK(decision.desired == 7);
    CHECK(evicted_by(decision) == std::vector<std::size_t>{3});
    CHECK(decision.evict[0].reason == "its job ended");
    CHECK(decision.outcome == ScalingOutcome::scaled);
    CHECK(decision.reason == "3 jobs created, 1 ended");
    CHECK(decision.inputs == "queue 7 (active above 0); 4 jobs running, 2 of them pending");
}

TEST_CASE("KedaScaledJob: never ends a job that works, and lets those that are done go") {
    const auto policy = make_scaled_job(one_request_a_job("unfinished"));
    const ScalingDecision decision = policy->decide(view_of_jobs("bbibx", {2}));
    CHECK(decision.desired == 3);
    CHECK(evicted_by(decision) == std::vector<std::size_t>{2});
    const auto quiet = make_scaled_job(one_request_a_job("unfinished"));
    const ScalingDecision none = quiet->decide(view_of_jobs("ii", {0}));
    CHECK(none.desired == 0);
    CHECK(evicted_by(none) == std::vector<std::size_t>{0, 1});
    CHECK(none.reason == "0 jobs created, 2 ended: no trigger is active");
}

TEST_CASE("KedaScaledJob: pods that a rollout adds for a while are no jobs to keep up") {
    const auto policy = make_scaled_job(one_request_a_job("unfinished"));
    ScalingView surge = view_of_jobs("bbbpp", {0});
    surge.spec_replicas = 3;
    CHECK(policy->decide(surge).desired == 3);
}

TEST_CASE("KedaScaledJob: looks at the queue at its polls only") {
    const auto policy = make_scaled_job(one_request_a_job("unfinished"));
    CHECK(policy->period() == Duration::seconds(30));
    CHECK(policy->decide(view_of_jobs("", {2})).desired == 2);
    const Time soon = Time::zero() + Duration::seconds(10);
    CHECK(policy->decide(view_of_jobs("bb", {9}, soon)).desired == 2);
    const Time later = Time::zero() + Duration::seconds(30);
    CHECK(policy->decide(view_of_jobs("bb", {9}, later)).desired == 9);
}

TEST_CASE("KedaScaledJob: accurate counts the waiting ones and takes off the pending jobs") {
    Parameters p = one_request_a_job("waiting");
    p.set("strategy", {std::string("accurate")});
    // 5 at the gateway and 1 in an instance wait, 2 jobs are on their way: 4 more.
    CHECK(make_scaled_job(p)->decide(view_of_jobs("bbpp", {5, 1})).desired == 8);
    // 7 + 8 - 5 <= 12: 7 - 5.
    CHECK(make_scaled_job(p)->decide(view_of_jobs("bbbppppp", {7, 0})).desired == 10);
    // 9 + 6 - 0 > 12: 12 - 6.
    CHECK(make_scaled_job(p)->decide(view_of_jobs("bbbbbb", {9, 0})).desired == 12);
}

TEST_CASE("KedaScaledJob: eager fills up to the bound") {
    Parameters p = one_request_a_job("unfinished");
    p.set("strategy", {std::string("eager")});
    // min(12 - 3 - 1, 6) = 6
    CHECK(make_scaled_job(p)->decide(view_of_jobs("bbp", {6})).desired == 9);
}

TEST_CASE("KedaScaledJob: custom deducts, but not past the bound") {
    Parameters p = one_request_a_job("unfinished");
    p.set("strategy", {std::string("custom")});
    p.set("custom_scaling_queue_length_deduction", {whole(2)});
    p.set("custom_scaling_running_job_percentage", {0.5});
    // 10 - 2 - trunc(3 * 0.5) = 7
    CHECK(make_scaled_job(p)->decide(view_of_jobs("bbb", {10})).desired == 10);
    p.set("custom_scaling_queue_length_deduction", {whole(0)});
    p.set("custom_scaling_running_job_percentage", {0.0});
    const ScalingDecision bounded = make_scaled_job(p)->decide(view_of_jobs("bbbbb", {10}));
    CHECK(bounded.wanted == 15);
    CHECK(bounded.desired == 12);
    CHECK(bounded.outcome == ScalingOutcome::limited);
    CHECK(bounded.reason == "7 jobs created, 0 ended, 10 wanted: max_replicas 12");
    p.set("custom_scaling_running_job_percentage", {});
    CHECK(make_scaled_job(p)->decide(view_of_jobs("bbbbb", {10})).desired == 10);  // as default
}

TEST_CASE("KedaScaledJob: min_replicas are there without work") {
    Parameters p = one_request_a_job("unfinished");
    p.set("min_replicas", {whole(3)});
    CHECK(make_scaled_job(p)->decide(view_of_jobs("b", {0})).desired == 3);
    // Of 5 that work, 2 count against the 4 that the queue asks for.
    CHECK(make_scaled_job(p)->decide(view_of_jobs("bbbbb", {4})).desired == 7);
}

TEST_CASE("KedaScaledJob: several scalers count by the largest, smallest, mean or sum") {
    const std::vector<ScalerLoad> scalers = {
        {.queue_length = 8, .max_value = 4, .active = true},
        {.queue_length = 2, .max_value = 2, .active = true},
        {.queue_length = 50, .max_value = 50, .active = false}};
    const auto max_scale = [&](ScalersCalculation calculation) {
        return combine_scalers(scalers, calculation, 0, 100).max_scale;
    };
    CHECK(max_scale(ScalersCalculation::max) == 4);
    CHECK(max_scale(ScalersCalculation::min) == 2);
    CHECK(max_scale(ScalersCalculation::avg) == 3);
    CHECK(max_scale(ScalersCalculation::sum) == 6);
    CHECK(combine_scalers(scalers, ScalersCalculation::sum, 0, 5).max_scale == 5);
    CHECK(combine_scalers(scalers, ScalersCalculation::avg, 0, 100).scale_to == 5);
    CHECK_FALSE(combine_scalers({scalers[2]}, ScalersCalculation::sum, 0, 5).active);
    CHECK(combine_scalers({}, ScalersCalculation::max, 1, 5).active);
}

TEST_CASE("KedaScaledJob: the target of a scaler is the mean of its metrics' averages") {
    CHECK(target_average_value({}) == 0.0);
    CHECK(target_average_value({4.0, std::nullopt}) == 2.0);
    CHECK(jobs_for_queue(7, 2, 100) == 3.5);
    CHECK(jobs_for_queue(7, 2, 3) == 3.0);
    CHECK(jobs_for_queue(7, 0, 3) == 0.0);
}

TEST_CASE("KedaScaledJob: faults and a missing calendar are invalid decisions") {
    Parameters p = one_request_a_job("unfinished");
    p.set("min_replicas", {whole(20)});
    const auto policy = make_scaled_job(p);
    REQUIRE(policy->faults().size() == 1);
    CHECK(policy->faults()[0].pointer == "/min_replicas");
    CHECK(policy->decide(view_of_jobs("b", {1})).outcome == ScalingOutcome::invalid);
    CHECK(
        make_scaled_job(Parameters::defaults(KedaScaledJob::parameter_specs()))->faults().empty());
}

}  // namespace
}  // namespace headroom::policies
