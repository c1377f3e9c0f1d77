// What the engine's features are worth in the library's scenarios, against what follows from their
// rules by pen and paper. Each scenario runs a service without the feature and one with it.
#include <string>

#include "tests/validation/library_run.hpp"

namespace headroom::tests {
namespace {

double mean_s(const metrics::Histogram& histogram) {
    return histogram.mean() * 1e-12;
}
double max_s(const metrics::Histogram& histogram) {
    return static_cast<double>(histogram.max()) * 1e-12;
}
double count_of(const metrics::Histogram& histogram) {
    return static_cast<double>(histogram.count());
}

}  // namespace

TEST_CASE("Prefix caching: all but the first prompt save the shared system prompt") {
    const LibraryRun run("prefix-caching");
    const double n = count_of(run.of("cached").ttft);
    REQUIRE(n == 300);
    CHECK(mean_s(run.of("plain").ttft) == Approx(0.010 + 2148 * 100e-6));
    CHECK(mean_s(run.of("cached").ttft) == Approx((0.2248 + (n - 1) * (0.010 + 100 * 100e-6)) / n));
    CHECK(run.of("cached").prefix_hit_tokens == 299 * 2048);
}

TEST_CASE("Asynchronous scheduling: a first token waits exactly one iteration more") {
    const LibraryRun run("async-scheduling");
    const double n = count_of(run.of("async").ttft);
    REQUIRE(n == count_of(run.of("sync").ttft));
    REQUIRE(n > 290);
    // All but the first request come while an iteration of 10 ms is in progress.
    CHECK(mean_s(run.of("async").ttft) - mean_s(run.of("sync").ttft) ==
          Approx(0.010 * (n - 1) / n));
    CHECK(mean_s(run.of("async").itl) == Approx(0.010));
}

TEST_CASE("Pipeline: two stages end a burst of 20 prompts after 21 halves of an iteration") {
    const LibraryRun run("pipeline");
    const double t = 0.010 + 2048 * 100e-6;
    CHECK(max_s(run.of("one-gpu").e2e) == Approx(20 * t));
    CHECK(max_s(run.of("two-stages").e2e) == Approx(21 * t / 2));
    CHECK(mean_s(run.of("two-stages").e2e) == Approx((20.0 + 1) / 2 * t / 2 + t / 2));
}

TEST_CASE("Speculation: an iteration gives 1 + a + a^2 + a^3 tokens") {
    const LibraryRun run("speculative");
    const double tokens = 1 + 0.7 + 0.49 + 0.343;
    CHECK(mean_s(run.of("plain").tpot) == Approx(0.010 + 30e-6));
    CHECK(mean_s(run.of("drafted").tpot) == Approx((0.010 + 4 * 30e-6) / tokens).epsilon(0.01));
    const serving::ServiceStats& stats = run.of("drafted");
    CHECK(static_cast<double>(stats.accepted_tokens) / static_cast<double>(stats.drafted_tokens) ==
          Approx((tokens - 1) / 3).epsilon(0.01));
}

TEST_CASE("LoRA: one slot for two adapters in turn loads one for each request") {
    const LibraryRun run("lora");
    const double n = count_of(run.of("one-slot").ttft);
    REQUIRE(n == 600);
    CHECK(run.of("one-slot").adapter_loads == 600);
    CHECK(run.of("two-slots").adapter_loads == 2);
    // The first of each comes from storage.
    const double first = 0.010 + 0.050 + 0.400;
    CHECK(mean_s(run.of("one-slot").ttft) == Approx((2 * first + (n - 2) * 0.060) / n));
    CHECK(mean_s(run.of("two-slots").ttft) == Approx((2 * first + (n - 2) * 0.010) / n));
}

TEST_CASE("KV offloading: what comes back over the link need not be computed") {
    const LibraryRun run("kv-offloading");
    const double n = count_of(run.of("with-host").ttft);
    REQUIRE(n == 300);
    const double whole = 0.010 + 3300 * 100e-6;
    const double block = 16.0 * 131072 / 50e9;
    CHECK(mean_s(run.of("gpu-only").ttft) == Approx(whole));
    CHECK(mean_s(run.of("with-host").ttft) ==
          Approx((2 * whole + (n - 2) * (200 * block + 0.010 + 100 * 100e-6)) / n));
    CHECK(run.of("with-host").host_hit_tokens == 298 * 3200);
}

TEST_CASE("Disaggregation: no decode waits for a prompt, and a first token for the transfer") {
    const LibraryRun run("disaggregation");
    CHECK(max_s(run.of("together").itl) == Approx(0.210));
    const serving::ServiceStats& apart = run.of("apart");
    CHECK(max_s(apart.itl) == Approx(0.0101));
    const double sent = 2000 * 131072.0;
    // Prompt, transfer, the last prompt token once more; and twice the rest of an iteration.
    const double least = 0.210 + sent / 25e9 + 50e-6 + 0.0101;
    CHECK(static_cast<double>(apart.ttft.min()) * 1e-12 == Approx(least));
    CHECK(max_s(apart.ttft) <= least + 2 * 0.0101);
    CHECK(static_cast<double>(apart.kv_transferred_bytes) == count_of(apart.ttft) * sent);
    CHECK(apart.attempts.of(serving::Outcome::completed) ==
          2 * apart.calls.of(serving::Outcome::completed));
}

TEST_CASE("Routing: a turn finds what was said where the router remembers, else one time in four") {
    const LibraryRun run("routing");
    const auto rate = [&](const char* service) {
        const serving::ServiceStats& stats = run.of(service);
        return static_cast<double>(stats.prefix_hit_tokens) /
               static_cast<double>(stats.prefix_query_tokens);
    };
    // The first turn leaves 1,600 + 64 - 1 tokens, 103 full blocks, for the second.
    const double all = 103 * 16.0 / (1600 + (1600 + 64 + 1600));
    CHECK(rate("prefix-aware") == Approx(all).epsilon(0.01));
    CHECK(rate("random") == Approx(all / 4).epsilon(0.15));
}

}  // namespace headroom::tests
