#include "analysis/experiments/arrival_order.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>

#include "analysis/statistics/mser5.hpp"

namespace headroom::analysis {

namespace {

bool is_completed_root(const SimulationSpec& spec, const serving::RequestRow& row) {
    return row.service == spec.sources[row.source].service &&
           row.outcome == serving::Outcome::completed;
}

}  // namespace

LatencyList latencies_by_arrival(const SimulationSpec& spec,
                                 const std::vector<serving::RequestRow>& rows) {
    std::vector<const serving::RequestRow*> roots;
    for (const serving::RequestRow& row : rows) {
        if (is_completed_root(spec, row)) roots.push_back(&row);
    }
    std::sort(
        roots.begin(), roots.end(), [](const serving::RequestRow* a, const serving::RequestRow* b) {
            return std::tie(a->arrival, a->source, a->id) < std::tie(b->arrival, b->source, b->id);
        });
    LatencyList list;
    bool tokens = true;
    for (const serving::RequestRow* row : roots) {
        list.arrivals.push_back(row->arrival);
        list.e2e_s.push_back((row->finish - row->arrival).to_seconds());
        tokens = tokens && row->first_token < Time::max();
        if (tokens) list.ttft_s.push_back((row->first_token - row->arrival).to_seconds());
    }
    if (!tokens) list.ttft_s.clear();
    return list;
}

LatencyList LatencyList::since(Time from) const {
    const auto first = std::lower_bound(arrivals.begin(), arrivals.end(), from);
    const std::ptrdiff_t skipped = first - arrivals.begin();
    LatencyList rest;
    rest.arrivals.assign(first, arrivals.end());
    rest.e2e_s.assign(e2e_s.begin() + skipped, e2e_s.end());
    if (!ttft_s.empty()) rest.ttft_s.assign(ttft_s.begin() + skipped, ttft_s.end());
    return rest;
}

std::optional<Time> warm_up_end(const LatencyList& list) {
    const std::optional<std::size_t> dropped = mser5_truncation(list.e2e_s);
    if (!dropped) return std::nullopt;
    return *dropped == 0 ? Time::zero() : list.arrivals[*dropped];
}

}  // namespace headroom::analysis
