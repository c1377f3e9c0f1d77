#include "analysis/calibration/observed_profile.hpp"

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"

namespace headroom::analysis {

TEST_CASE("ObservedProfile: the file has the fields of the format") {
    ObservedFit fit;
    fit.coefficients = {Duration::microseconds(9000), Duration::microseconds(45),
                        Duration::microseconds(60), Duration::nanoseconds(110),
                        Duration::nanoseconds(12)};
    fit.front_end = Duration::milliseconds(15);
    fit.simulations = 240;
    fit.fitted.requests = 150;
    fit.held_out.requests = 151;
    fit.held_out.ttft = {0.00123, -0.0049996, -0.004, 0.006};
    fit.error_band = 0.02;
    const ObserveOptions options{.max_num_seqs = 64,
                                 .max_num_batched_tokens = 1024,
                                 .kv_blocks = 4000,
                                 .async_scheduling = false,
                                 .prefix_caching = false};
    const ObservedIdentity identity{"llama-3.1-8b",       "h100-sxm",          2,
                                    serving::DType::bf16, serving::DType::fp8, "a log of ours"};
    const auto profile =
        nlohmann::json::parse(profile_text(observed_profile(identity, options, fit)));
    const auto expected = nlohmann::json::parse(R"({
        "schema": 1, "kind": "observed", "model": "llama-3.1-8b", "gpu": "h100-sxm",
        "tensor_parallel": 2, "dtype": "bf16", "kv_cache_dtype": "fp8", "error_band": 0.02,
        "source": "a log of ours",
        "linear": {"c0_s": 0.009, "c1_s": 4.5e-5, "c2_s": 6e-5, "c3_s": 1.1e-7, "c4_s": 1.2e-8},
        "front_end_s": 0.015,
        "fit": {"requests": 150, "held_out": 151, "simulations": 240,
          "engine": {"max_num_seqs": 64, "max_num_batched_tokens": 1024, "kv_blocks": 4000,
                     "async_scheduling": false, "enable_prefix_caching": false, "replicas": 1},
          "held_out_error": {
            "ttft": {"mean": 0.0012, "p50": -0.005, "p99": -0.004, "per_request": 0.006},
            "tpot": {"mean": 0.0, "p50": 0.0, "p99": 0.0, "per_request": 0.0},
            "e2e": {"mean": 0.0, "p50": 0.0, "p99": 0.0, "per_request": 0.0}}}})");
    CHECK(profile == expected);
    CHECK(profile["linear"].dump() ==
          R"({"c0_s":0.009,"c1_s":4.5e-05,"c2_s":6e-05,"c3_s":1.1e-07,"c4_s":1.2e-08})");
}

}  // namespace headroom::analysis
