#include "analysis/calibration/observed_profile.hpp"

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

namespace headroom::analysis {

namespace {

/// To a hundredth of a per cent: more would be noise.
double rounded(double value) {
    return std::round(value * 1e4) / 1e4;
}

nlohmann::json errors_json(const MetricErrors& errors) {
    return {{"mean", rounded(errors.mean)},
            {"p50", rounded(errors.p50)},
            {"p99", rounded(errors.p99)},
            {"per_request", rounded(errors.per_request)}};
}

nlohmann::json settings_json(const ObserveOptions& options) {
    nlohmann::json engine = {{"async_scheduling", options.async_scheduling},
                             {"enable_prefix_caching", options.prefix_caching},
                             {"replicas", options.replicas}};
    if (!options.batching) {
        engine["max_num_seqs"] = options.max_num_seqs;
        engine["max_num_batched_tokens"] = options.max_num_batched_tokens;
    }
    if (options.kv_blocks) engine["kv_blocks"] = *options.kv_blocks;
    return engine;
}

}  // namespace

scenarios::ProfileFile observed_profile(const ObservedIdentity& identity,
                                        const ObserveOptions& options, const ObservedFit& fit) {
    scenarios::ProfileFile profile;
    profile.kind = "observed";
    profile.gpu = identity.gpu;
    profile.source = identity.source;
    profile.error_band = fit.error_band;
    scenarios::ObservedProfile& observed = profile.observed.emplace();
    observed.model = identity.model;
    observed.tensor_parallel = identity.tensor_parallel;
    observed.dtype = identity.dtype;
    observed.kv_cache_dtype = identity.kv_cache_dtype;
    observed.linear = fit.coefficients;
    observed.front_end = fit.front_end;
    observed.fit = std::make_shared<const nlohmann::json>(
        nlohmann::json{{"requests", fit.fitted.requests},
                       {"held_out", fit.held_out.requests},
                       {"simulations", fit.simulations},
                       {"engine", settings_json(options)},
                       {"held_out_error",
                        {{"ttft", errors_json(fit.held_out.ttft)},
                         {"tpot", errors_json(fit.held_out.tpot)},
                         {"e2e", errors_json(fit.held_out.e2e)}}}});
    return profile;
}

}  // namespace headroom::analysis
