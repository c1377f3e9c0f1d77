#include "policies/scaling/slo_aware/llm_signals.hpp"

namespace headroom::policies {

using control::MetricKind;
using control::MetricReading;
using control::PodPhase;
using control::ScalingPod;
using control::ScalingView;

namespace {

enum Index : std::size_t {
    kWaiting,
    kRunning,
    kKv,
    kTtft,
    kPromptTokens,
    kOutputTokens,
    kGatewayQueue,
    kArrivals,
};

std::optional<double> from_milli(std::optional<std::int64_t> milli) {
    if (!milli) return std::nullopt;
    return static_cast<double>(*milli) / 1000.0;
}

std::optional<double> of_pod(const ScalingView& view, Index metric, std::size_t pod) {
    if (metric >= view.metrics.size()) return std::nullopt;
    const MetricReading& reading = view.metrics[metric];
    if (!reading.available || pod >= reading.pods.size() || !reading.pods[pod]) return std::nullopt;
    return from_milli(reading.pods[pod]->value_milli);
}

std::optional<double> of_service(const ScalingView& view, Index metric) {
    if (metric >= view.metrics.size()) return std::nullopt;
    const MetricReading& reading = view.metrics[metric];
    if (!reading.available || reading.values_milli.empty()) return std::nullopt;
    return from_milli(reading.values_milli.front());
}

bool has_failed(const ScalingPod& pod) {
    return pod.phase == PodPhase::failed || pod.phase == PodPhase::succeeded;
}

}  // namespace

std::vector<control::MetricRequest> signal_requests() {
    std::vector<control::MetricRequest> requests;
    for (const char* name :
         {"requests_waiting", "requests_running", "kv_used_fraction", "ttft_mean_seconds",
          "prompt_tokens_per_second", "output_tokens_per_second"}) {
        requests.push_back({MetricKind::pods, name, {}, false, {}});
    }
    for (const char* name : {"gateway_queue", "arrivals_per_second"}) {
        requests.push_back({MetricKind::external, name, {}, false, {}});
    }
    return requests;
}

LlmSignals read_signals(const ScalingView& view, double max_queue) {
    LlmSignals signals;
    double ttft_sum = 0.0;
    std::int64_t ttft_pods = 0;
    for (std::size_t i = 0; i < view.pods.size(); ++i) {
        const ScalingPod& pod = view.pods[i];
        if (pod.deleted || has_failed(pod)) continue;
        if (!pod.ready || pod.phase != PodPhase::running) {
            ++signals.starting;
            continue;
        }
        const auto running = of_pod(view, kRunning, i);
        if (!running) continue;
        ++signals.ready;
        signals.running += *running;
        const double waiting = of_pod(view, kWaiting, i).value_or(0.0);
        signals.waiting += waiting;
        signals.kv += of_pod(view, kKv, i).value_or(0.0);
        const double tokens = of_pod(view, kPromptTokens, i).value_or(0.0) +
                              of_pod(view, kOutputTokens, i).value_or(0.0);
        signals.tokens += tokens;
        if (waiting >= max_queue) {
            ++signals.saturated;
            signals.saturated_tokens += tokens;
        }
        if (const auto ttft = of_pod(view, kTtft, i)) {
            ttft_sum += *ttft;
            ++ttft_pods;
        }
    }
    const double at_gateway = of_service(view, kGatewayQueue).value_or(0.0);
    signals.waiting += at_gateway;
    // Requests that no instance may take wait at the gateway instead of in the instances.
    if (signals.ready > 0 && at_gateway >= max_queue * static_cast<double>(signals.ready)) {
        signals.saturated = signals.ready;
        signals.saturated_tokens = signals.tokens;
    }
    signals.arrivals = of_service(view, kArrivals);
    if (ttft_pods > 0) signals.ttft_s = ttft_sum / static_cast<double>(ttft_pods);
    return signals;
}

}  // namespace headroom::policies
