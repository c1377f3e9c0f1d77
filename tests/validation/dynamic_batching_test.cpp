// The dynamic batcher against what follows from its rules by pen and paper: with batches of one it
// is a queue with c servers; in saturation it serves B / t(B); without a delay it is the queue with
// batch service whose embedded chain is solved here; with a delay and little load its batches are a
// renewal process. Then the library's scenario, whose figures are derived the same way.
#include <vector>

#include "sim/serving/latency/batch_latency.hpp"
#include "tests/unit/serving/batcher_rig.hpp"
#include "tests/validation/confidence.hpp"
#include "tests/validation/library_run.hpp"

namespace headroom::tests {
namespace {

serving::DynamicEngineSpec engine(std::int64_t max_batch_size, Duration fixed, Duration each,
                                  Duration delay = Duration::zero()) {
    serving::DynamicEngineSpec spec;
    spec.latency = linear_batches(fixed, each);
    spec.max_batch_size = max_batch_size;
    spec.preferred_batch_sizes = {max_batch_size};
    spec.max_queue_delay = delay;
    return spec;
}

SimulationSpec batch_queue(serving::DynamicEngineSpec spec, double rate, std::int64_t requests,
                           Duration warm_up) {
    SimulationSpec out = open_queue(1, rate, Distribution::fixed(1.0), requests, warm_up);
    out.services[0].versions[0].engine = {};
    out.services[0].versions[0].engine.dynamic = std::move(spec);
    return out;
}

double mean_batch(const serving::ServiceStats& stats) {
    return static_cast<double>(stats.executed_requests) / static_cast<double>(stats.executions);
}

/// The mean wait of Poisson arrivals at one server that takes all who wait, `most` at a time, and
/// serves b of them in time(b): the chain of who waits when a service ends (n -> n - min(n, most) +
/// arrivals during the service; after n = 0 the next arrival is served alone), its stationary law
/// by iteration, the mean number waiting by renewal and reward, the wait by Little's law.
template <class TimeOf>
double mean_wait_in_batches(double rate, std::size_t most, TimeOf time) {
    constexpr std::size_t kStates = 400;
    std::vector<std::vector<double>> arrivals(most + 1, std::vector<double>(kStates));
    for (std::size_t b = 1; b <= most; ++b) {
        const double mean = rate * time(b);
        double probability = std::exp(-mean);
        for (std::size_t k = 0; k < kStates; ++k) {
            arrivals[b][k] = probability;
            probability *= mean / static_cast<double>(k + 1);
        }
    }
    const auto batch_from = [&](std::size_t n) {
        return std::max<std::size_t>(1, std::min(n, most));
    };
    std::vector<double> law(kStates, 1.0 / kStates);
    for (int iteration = 0; iteration < 2000; ++iteration) {
        std::vector<double> next(kStates);
        for (std::size_t n = 0; n < kStates; ++n) {
            const std::size_t left = n - std::min(n, most);
            for (std::size_t k = 0; left + k < kStates; ++k) {
                next[left + k] += law[n] * arrivals[batch_from(n)][k];
            }
        }
        double sum = 0;
        for (const double p : next) sum += p;
        for (std::size_t n = 0; n < kStates; ++n) law[n] = next[n] / sum;
    }
    double waiting = 0;
    double length = 0;
    for (std::size_t n = 0; n < kStates; ++n) {
        const double t = time(batch_from(n));
        const double left = static_cast<double>(n - std::min(n, most));
        waiting += law[n] * (left * t + rate * t * t / 2);
        length += law[n] * (t + (n == 0 ? 1 / rate : 0.0));
    }
    return waiting / length / rate;
}

}  // namespace

TEST_CASE("Validation: batches of one without a delay are the queue with c servers, bit for bit") {
    constexpr double kService = 0.01;
    for (const std::int64_t instances : {1, 3}) {
        const double rate = 0.8 * static_cast<double>(instances) / kService;
        const SimulationSpec plain = open_queue(instances, rate, Distribution::fixed(kService),
                                                scaled(50'000, 2'000), Duration::zero());
        serving::DynamicEngineSpec one =
            engine(1, Duration::zero(), Duration::from_seconds(kService));
        one.instances = instances;
        SimulationSpec batched = plain;
        batched.services[0].versions[0].engine = {};
        batched.services[0].versions[0].engine.dynamic = one;
        const SimulationResult a = Simulation(plain).run({});
        const SimulationResult b = Simulation(batched).run({});
        CHECK(a.digest == b.digest);
        CHECK(a.total.busy == b.total.busy);
        CHECK(a.end == b.end);
        CHECK(b.total.executions == b.total.calls.arrived);
    }
}

TEST_CASE("Validation: a batcher in saturation serves B requests in t(B)") {
    constexpr std::int64_t kRequests = 960;
    const Duration fixed = Duration::milliseconds(10);
    const Duration each = Duration::milliseconds(1);
    for (const std::int64_t most : {1, 4, 32}) {
        SimulationSpec spec =
            batch_queue(engine(most, fixed, each), 1.0, kRequests, Duration::zero());
        spec.sources = {
            list_source(0, std::vector<serving::Arrival>(kRequests, arrival_at(Duration::zero())))};
        const SimulationResult result = Simulation(spec).run({});
        CHECK(result.total.busy.to_seconds() ==
              Approx((fixed + each * most).to_seconds() * kRequests / static_cast<double>(most)));
        CHECK(result.total.e2e.max() == ((fixed + each * most) * (kRequests / most)).ps());
        CHECK(result.total.executions == kRequests / most);
    }
}

TEST_CASE("Validation: without a delay the wait is that of the queue with batch service") {
    constexpr std::size_t kMost = 8;
    const auto time = [](std::size_t b) { return 1.0 + 0.25 * static_cast<double>(b); };
    for (const double load : {0.3, 0.8}) {
        const double rate = load * static_cast<double>(kMost) / time(kMost);
        const Replications runs = replicate(kReplications, 200'000, [&](std::int64_t requests) {
            return batch_queue(engine(static_cast<std::int64_t>(kMost), Duration::seconds(1),
                                      Duration::milliseconds(250)),
                               rate, requests, Duration::seconds(1000));
        });
        check_covers("wait at load " + std::to_string(load), runs.estimate(mean_wait),
                     mean_wait_in_batches(rate, kMost, time), runs.widest);
    }
}

// A batch opens with the first request after the one before it closed, a mean 1 / rate later, and
// closes the delay D later, D > t(b): an instance is idle then. 1 + Poisson(rate D) are in it; the
// first waits D, each other D / 2 on average.
TEST_CASE("Validation: with a delay and little load batches are a renewal process") {
    constexpr double kRate = 200;
    constexpr double kDelay = 0.010;
    const Replications runs = replicate(kReplications, 100'000, [&](std::int64_t requests) {
        return batch_queue(engine(64, Duration::microseconds(400), Duration::microseconds(100),
                                  Duration::from_seconds(kDelay)),
                           kRate, requests, Duration::seconds(2));
    });
    const double more = kRate * kDelay;
    check_covers("wait", runs.estimate(mean_wait), kDelay * (1 + more / 2) / (1 + more),
                 runs.widest);
    check_covers("batch", runs.estimate(mean_batch), 1 + more, runs.widest);
}

TEST_CASE("Library: dynamic-batching shows what a batch and a delay are worth, as derived") {
    const LibraryRun run("dynamic-batching");
    const SimulationResult& result = run.result();
    const auto saturated = [&](const char* name) {
        return result.services[run.index_of(name)].saturated;
    };
    const serving::DynamicEngineSpec& images =
        *run.spec().services[run.index_of("batched")].versions[0].engine.dynamic;
    const auto time = [&](std::size_t b) {
        return images.latency->at(static_cast<std::int64_t>(b)).to_seconds();
    };
    const double window = (result.end - result.measure_from).to_seconds();
    const auto throughput = [&](const char* name) {
        return static_cast<double>(run.of(name).measured_completed) / window;
    };
    const auto busy = [&](const char* name) {
        return run.of(name).busy.to_seconds() / run.of(name).instance_time.to_seconds();
    };

    // 3000/s are more than one by one can be served, and fewer than in batches.
    constexpr double kHigh = 3000;
    REQUIRE(1 / time(1) < kHigh);
    REQUIRE(kHigh < static_cast<double>(images.max_batch_size) / time(32));
    CHECK(saturated("single"));
    CHECK_FALSE(saturated("batched"));
    CHECK(busy("single") == Approx(1.0));
    const double served_before = static_cast<double>(run.of("single").executions) -
                                 static_cast<double>(run.of("single").measured_completed);
    CHECK(served_before > 0);
    CHECK(static_cast<double>(run.of("single").executions) / result.end.to_seconds() ==
          Approx(1 / time(1)).epsilon(1e-3));
    CHECK(throughput("batched") == Approx(kHigh).epsilon(0.02));
    CHECK(mean_wait(run.of("batched")) ==
          Approx(mean_wait_in_batches(kHigh, 32, time)).epsilon(0.02));

    // 200/s: the delay of 10 ms makes batches of 3 where there were nearly none, for 2/3 of it in
    // waiting; the fixed part of t(b) is then paid once for three.
    constexpr double kLow = 200;
    constexpr double kDelay = 0.010;
    const double more = kLow * kDelay;
    REQUIRE(time(16) < kDelay);
    CHECK(mean_batch(run.of("patient")) == Approx(1 + more).epsilon(0.03));
    CHECK(mean_wait(run.of("patient")) ==
          Approx(kDelay * (1 + more / 2) / (1 + more)).epsilon(0.03));
    const double each = (time(16) - time(1)) / 15;
    CHECK(busy("patient") == Approx((time(1) + more * each) / (kDelay + 1 / kLow)).epsilon(0.03));
    CHECK(mean_wait(run.of("eager")) == Approx(mean_wait_in_batches(kLow, 32, time)).epsilon(0.06));
    CHECK(busy("patient") < 0.6 * busy("eager"));
}

}  // namespace headroom::tests
