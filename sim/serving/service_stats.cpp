#include "sim/serving/service_stats.hpp"

#include <algorithm>

namespace headroom::serving {

void ServiceStats::merge(const ServiceStats& o) {
    requests.merge(o.requests);
    calls.merge(o.calls);
    attempts.merge(o.attempts);
    for (std::size_t i = 0; i < kCauseCount; ++i) causes[i] += o.causes[i];
    queue.merge(o.queue);
    ttft.merge(o.ttft);
    tpot.merge(o.tpot);
    itl.merge(o.itl);
    e2e.merge(o.e2e);
    prompt_tokens += o.prompt_tokens;
    output_tokens += o.output_tokens;
    measured_completed += o.measured_completed;
    preemptions += o.preemptions;
    executions += o.executions;
    executed_requests += o.executed_requests;
    prefix_query_tokens += o.prefix_query_tokens;
    prefix_hit_tokens += o.prefix_hit_tokens;
    host_hit_tokens += o.host_hit_tokens;
    swaps += o.swaps;
    drafted_tokens += o.drafted_tokens;
    accepted_tokens += o.accepted_tokens;
    kv_transferred_bytes += o.kv_transferred_bytes;
    adapter_loads += o.adapter_loads;
    slo_good += o.slo_good;
    slo_missed += o.slo_missed;
    busy += o.busy;
    kv_block_time += o.kv_block_time;
    kv_capacity_time += o.kv_capacity_time;
    instance_time += o.instance_time;
    in_system += o.in_system;
    sojourn += o.sojourn;
    last_arrival = std::max(last_arrival, o.last_arrival);
}

void ServiceStats::take_figures(const ServiceStats& o) {
    queue = o.queue;
    ttft = o.ttft;
    tpot = o.tpot;
    e2e = o.e2e;
    measured_completed = o.measured_completed;
    prompt_tokens = o.prompt_tokens;
    output_tokens = o.output_tokens;
    slo_good = o.slo_good;
    slo_missed = o.slo_missed;
}

}  // namespace headroom::serving
