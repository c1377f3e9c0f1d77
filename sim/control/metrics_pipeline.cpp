#include "sim/control/metrics_pipeline.hpp"

#include <algorithm>

namespace headroom::control {

namespace {

constexpr std::int64_t kMilli = 1000;

/// count per second over `span`, in milli-units, rounded down.
std::int64_t rate_milli(std::int64_t count, Duration span) {
    return static_cast<std::int64_t>(static_cast<Int128>(count) * kMilli * Duration::kPerSecond /
                                     span.ps());
}

std::int64_t utilization_milli(const serving::InstanceLoad& from, const serving::InstanceLoad& to,
                               Duration span) {
    const Int128 capacity = static_cast<Int128>(span.ps()) * std::max<std::int64_t>(to.servers, 1);
    return static_cast<std::int64_t>((to.busy - from.busy).ps() * kMilli / capacity);
}

/// A gauge of an instance; nullopt where it has none, or the metric is not one.
std::optional<std::int64_t> gauge_milli(MetricId metric, const serving::InstanceLoad& load) {
    switch (metric) {
        case MetricId::requests_in_flight:
            return load.in_flight * kMilli;
        case MetricId::requests_waiting:
            return load.waiting * kMilli;
        case MetricId::requests_running:
            return load.running * kMilli;
        case MetricId::kv_used_fraction:
            if (load.kv_total_blocks == 0) return std::nullopt;
            return load.kv_used_blocks * kMilli / load.kv_total_blocks;
        default:
            return std::nullopt;
    }
}

std::int64_t memory_milli(const UsageModel& usage, const serving::InstanceLoad& load) {
    return (usage.memory_idle + usage.memory_per_in_flight * load.in_flight).count() * kMilli;
}

/// A gauge or counter of a service; nullopt where the metric is neither.
std::optional<std::int64_t> service_milli(MetricId metric, const serving::ServiceLoad& load) {
    switch (metric) {
        case MetricId::gateway_queue:
            return load.gateway_queue * kMilli;
        case MetricId::service_in_flight:
            return load.in_flight * kMilli;
        case MetricId::service_endpoints:
            return load.endpoints * kMilli;
        case MetricId::service_in_flight_seconds:
            return static_cast<std::int64_t>(load.in_flight_time.ps() /
                                             (Duration::kPerSecond / kMilli));
        case MetricId::arrivals:
            return load.arrived * kMilli;
        default:
            return std::nullopt;
    }
}

void fail(MetricReading& out, std::string error) {
    out.available = false;
    out.error = std::move(error);
}

}  // namespace

MetricsPipeline::MetricsPipeline(ControlState& state) : state_(state) {
    const MetricsPipelineSpec& spec = state.spec.metrics;
    HEADROOM_CHECK(spec.scrape_interval > Duration::zero(), "the scrape interval must be positive");
    // Between two scrapes the newest visible sample is up to delay + interval old, its window's
    // oldest one a window older: two more for the ends, two for the baselines of a young pod.
    const Int128 span = static_cast<Int128>(spec.window.ps()) + spec.delay.ps();
    capacity_ = static_cast<std::size_t>(span / spec.scrape_interval.ps()) + 4;
}

void MetricsPipeline::watch(std::uint32_t workload) {
    const auto at = std::lower_bound(workloads_.begin(), workloads_.end(), workload);
    if (at == workloads_.end() || *at != workload) workloads_.insert(at, workload);
    if (service_samples_.size() <= workload) service_samples_.resize(workload + 1);
}

void MetricsPipeline::start() {
    if (workloads_.empty()) return;
    for (const std::uint32_t w : workloads_) {
        service_samples_[w].push({state_.now, false, {}}, capacity_);
    }
    const Time first = state_.now.later_by(state_.spec.metrics.scrape_phase);
    state_.queue.push(control_key(first, EventClass::scrape, 0), {});
}

void MetricsPipeline::scrape() {
    for (const std::uint32_t w : workloads_) {
        for (const PodId id : state_.workloads[w].pods) scrape_pod(id);
        Ring<ServiceSample>& ring = service_samples_[w];
        const ServiceSample sample{state_.now, true, service_load(w)};
        // The start of the run was noted as a point of its own: do not have two of one time.
        if (ring.size() == 1 && ring.at(0).at == state_.now) ring.clear();
        ring.push(sample, capacity_);
    }
    const Time next = state_.now.later_by(state_.spec.metrics.scrape_interval);
    state_.queue.push(control_key(next, EventClass::scrape, 0), {});
}

serving::ServiceLoad MetricsPipeline::service_load(std::uint32_t workload) const {
    const WorkloadSpec& spec = *state_.workloads[workload].spec;
    return state_.data_plane.service_load(state_.now, spec.service, spec.version);
}

void MetricsPipeline::scrape_pod(PodId id) {
    const ManagedPod& pod = state_.managed(id);
    if (pod.container_started > state_.now) return;
    if (histories_.size() <= id.index) histories_.resize(id.index + 1);
    PodHistory& history = histories_[id.index];
    Ring<Sample>& ring = history.samples;
    // The start of the container, and that of the instance, from where its rates are taken.
    const auto add_baseline = [&](Time at, bool serving) {
        if (at < state_.now) ring.push({at, false, serving, {}}, capacity_);
    };
    const bool serving = pod.ordinal >= 0;
    // What was scraped before a pod went to the warm pool is of an instance that is gone.
    const bool came_back = ring.size() > 0 && ring.at(ring.size() - 1).at < pod.standby_since;
    const std::int32_t restarts = state_.cluster.pod(id).restarts;
    const bool other_instance = serving && history.ordinal >= 0 && history.ordinal != pod.ordinal;
    if (history.pod != id || came_back || other_instance || history.restarts != restarts) {
        history.pod = id;
        history.restarts = restarts;
        history.ordinal = -1;
        ring.clear();
        add_baseline(pod.container_started, serving && pod.endpoint_since == pod.container_started);
    }
    Sample sample{state_.now, true, serving, {}};
    if (serving) {
        const bool was_serving = ring.size() > 0 && ring.at(ring.size() - 1).serving;
        if (!was_serving) add_baseline(pod.endpoint_since, true);
        history.ordinal = pod.ordinal;
        sample.load = state_.data_plane.instance_load(state_.now, state_.instance_key(pod));
    }
    ring.push(sample, capacity_);
}

const MetricsPipeline::PodHistory* MetricsPipeline::history_of(PodId pod) const {
    if (pod.index >= histories_.size() || histories_[pod.index].pod != pod) return nullptr;
    return &histories_[pod.index];
}

template <class T>
std::optional<MetricsPipeline::Span> MetricsPipeline::visible_span(const Ring<T>& ring) const {
    const Time visible = state_.now - state_.spec.metrics.delay;
    std::size_t end = ring.size();
    while (end > 0 && (ring.at(end - 1).at > visible || !ring.at(end - 1).scraped)) --end;
    if (end == 0) return std::nullopt;
    const Time from = ring.at(end - 1).at - state_.spec.metrics.window;
    std::size_t low = 0;
    std::size_t high = end - 1;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (ring.at(middle).at < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return Span{end - 1, low};
}

std::optional<PodSample> MetricsPipeline::serving_value(const MetricInfo& info,
                                                        const Ring<Sample>& ring, Span span) const {
    const Sample& newest = ring.at(span.newest);
    if (!newest.serving) return std::nullopt;
    const serving::InstanceLoad& load = newest.load;
    if (info.shape == MetricShape::gauge) {
        const std::optional<std::int64_t> value = gauge_milli(info.id, load);
        if (!value) return std::nullopt;
        return PodSample{*value, newest.at, Duration::zero()};
    }
    std::size_t oldest = span.oldest;
    while (!ring.at(oldest).serving) ++oldest;
    if (info.id == MetricId::requests_in_flight_mean) {
        std::int64_t sum = 0;
        std::int64_t samples = 0;
        for (std::size_t i = oldest; i <= span.newest; ++i) {
            sum += ring.at(i).load.in_flight;
            samples += ring.at(i).scraped ? 1 : 0;
        }
        return PodSample{sum * kMilli / samples, newest.at, newest.at - ring.at(oldest).at};
    }
    const Sample& from = ring.at(oldest);
    const Duration width = newest.at - from.at;
    if (width <= Duration::zero()) return std::nullopt;
    const auto sample = [&](std::int64_t milli) -> std::optional<PodSample> {
        return PodSample{milli, newest.at, width};
    };
    switch (info.id) {
        case MetricId::requests_per_second:
            return sample(rate_milli(load.completed - from.load.completed, width));
        case MetricId::prompt_tokens_per_second:
            return sample(rate_milli(load.prompt_tokens - from.load.prompt_tokens, width));
        case MetricId::output_tokens_per_second:
            return sample(rate_milli(load.output_tokens - from.load.output_tokens, width));
        case MetricId::utilization:
            return sample(utilization_milli(from.load, load, width));
        case MetricId::ttft_mean_seconds: {
            const std::int64_t count = load.ttft_count - from.load.ttft_count;
            if (count <= 0) return std::nullopt;
            const Int128 sum = (load.ttft_sum - from.load.ttft_sum).ps();
            return sample(static_cast<std::int64_t>(
                sum * kMilli / (static_cast<Int128>(count) * Duration::kPerSecond)));
        }
        default:
            return std::nullopt;
    }
}

/// What the pod shows at this very time; gauges only.
std::optional<PodSample> MetricsPipeline::live_value(const MetricInfo& info, PodId id,
                                                     const UsageModel& usage) const {
    const ManagedPod& pod = state_.managed(id);
    if (pod.container_started > state_.now || info.shape != MetricShape::gauge) return std::nullopt;
    const bool serving = pod.ordinal >= 0;
    serving::InstanceLoad load;
    if (serving) load = state_.data_plane.instance_load(state_.now, state_.instance_key(pod));
    std::optional<std::int64_t> value;
    if (info.id == MetricId::memory) {
        value = memory_milli(usage, load);
    } else if (serving) {
        value = gauge_milli(info.id, load);
    }
    if (!value) return std::nullopt;
    return PodSample{*value, state_.now, Duration::zero()};
}

std::optional<PodSample> MetricsPipeline::pod_value(const MetricInfo& info, PodId pod,
                                                    const UsageModel& usage) const {
    const PodHistory* history = history_of(pod);
    if (history == nullptr) return std::nullopt;
    const Ring<Sample>& ring = history->samples;
    const std::optional<Span> span = visible_span(ring);
    if (!span) return std::nullopt;
    const Sample& newest = ring.at(span->newest);
    if (info.id == MetricId::memory) {
        return PodSample{memory_milli(usage, newest.load), newest.at, Duration::zero()};
    }
    if (info.id != MetricId::cpu) return serving_value(info, ring, *span);
    const Sample& from = ring.at(span->oldest);
    const Duration width = newest.at - from.at;
    if (width <= Duration::zero()) return std::nullopt;
    const std::int64_t busy = newest.serving ? utilization_milli(from.load, newest.load, width) : 0;
    return PodSample{usage.cpu_idle.count() + usage.cpu_busy.count() * busy / kMilli, newest.at,
                     width};
}

void MetricsPipeline::read(std::uint32_t workload, const MetricRequest& request,
                           const std::vector<PodId>& pods, MetricReading& out) const {
    out.available = false;
    out.error.clear();
    out.pods.clear();
    out.containers.clear();
    out.values_milli.clear();
    out.timestamp = Time::zero();
    const MetricInfo* info = find_metric(request.name);
    if (info == nullptr) {
        fail(out, "there is no metric \"" + request.name + "\"");
        return;
    }
    const bool resource = info->scope == MetricScope::resource;
    switch (request.kind) {
        case MetricKind::resource:
        case MetricKind::container_resource:
            if (!resource) return fail(out, "\"" + request.name + "\" is not a resource");
            return read_pods(*info, workload, pods, request.live, out);
        case MetricKind::pods:
            if (info->scope == MetricScope::service) {
                return fail(out, "\"" + request.name + "\" is of the service, not of its pods");
            }
            return read_pods(*info, workload, pods, request.live, out);
        case MetricKind::object:
        case MetricKind::external:
            if (info->scope != MetricScope::service) {
                return read_sum(*info, workload, pods, request.live, out);
            }
            if (request.live) return read_service_now(*info, workload, out);
            return read_service(*info, workload, out);
    }
}

void MetricsPipeline::read_pods(const MetricInfo& info, std::uint32_t workload,
                                const std::vector<PodId>& pods, bool live,
                                MetricReading& out) const {
    const UsageModel& usage = state_.workloads[workload].spec->usage;
    out.pods.reserve(pods.size());
    for (const PodId id : pods) {
        out.pods.push_back(live ? live_value(info, id, usage) : pod_value(info, id, usage));
        if (!out.pods.back()) continue;
        out.available = true;
        out.timestamp = std::max(out.timestamp, out.pods.back()->timestamp);
    }
    if (!out.available) out.error = "no pod has a visible sample";
}

void MetricsPipeline::read_sum(const MetricInfo& info, std::uint32_t workload,
                               const std::vector<PodId>& pods, bool live,
                               MetricReading& out) const {
    read_pods(info, workload, pods, live, out);
    std::int64_t sum = 0;
    for (const std::optional<PodSample>& sample : out.pods) {
        if (sample) sum += sample->value_milli;
    }
    out.pods.clear();
    if (out.available) out.values_milli.push_back(sum);
}

void MetricsPipeline::read_service(const MetricInfo& info, std::uint32_t workload,
                                   MetricReading& out) const {
    const auto missing = [&] { fail(out, "the service has no visible sample"); };
    if (workload >= service_samples_.size()) return missing();
    const Ring<ServiceSample>& ring = service_samples_[workload];
    const std::optional<Span> span = visible_span(ring);
    if (!span) return missing();
    const ServiceSample& newest = ring.at(span->newest);
    std::optional<std::int64_t> value = service_milli(info.id, newest.load);
    if (info.id == MetricId::arrivals_per_second) {
        const ServiceSample& from = ring.at(span->oldest);
        if (newest.at <= from.at) return missing();
        value = rate_milli(newest.load.arrived - from.load.arrived, newest.at - from.at);
    }
    if (!value) return missing();
    out.available = true;
    out.timestamp = newest.at;
    out.values_milli.push_back(*value);
}

void MetricsPipeline::read_service_now(const MetricInfo& info, std::uint32_t workload,
                                       MetricReading& out) const {
    const auto value = service_milli(info.id, service_load(workload));
    if (!value) {
        std::string error(info.name);
        error += " needs a window: it cannot be read live";
        return fail(out, std::move(error));
    }
    out.available = true;
    out.timestamp = state_.now;
    out.values_milli.push_back(*value);
}

}  // namespace headroom::control
