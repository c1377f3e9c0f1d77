/// MetricsPipeline: what an autoscaler can know of the pods and the service of its workload, as
/// late as it would in a cluster.
///
/// A scrape reads every watched instance at once, each `scrape_interval` from `scrape_phase` on; a
/// sample is visible `delay` later. Only workloads that an autoscaler watches are scraped, and only
/// from the start of their container on: before the instance is added, its pod shows its idle CPU
/// and memory and no request metric, as a container whose server is not up yet.
///
/// A live metric is not scraped: it is read of the data plane when asked for.
///
/// How a value comes from samples stands in metric_names.hpp: gauges are the newest visible sample
/// (what a Prometheus adapter answers for a gauge), rates are counter differences over the window
/// (metrics-server's CPU rate, Prometheus' rate()), the one mean is avg_over_time(). A rate needs
/// two points; the start of the container counts as one, with all counters 0. All arithmetic is
/// integer, rounded down to milli-units.
///
/// A pod keeps the samples of `window + delay` and four more, in a ring that is reused; a scrape is
/// O(watched instances), a read O(pods * log samples), for a mean O(pods * samples of the window).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/control/control_state.hpp"
#include "sim/control/metric_names.hpp"
#include "sim/control/scaling_policy.hpp"

namespace headroom::control {

class MetricsPipeline {
  public:
    explicit MetricsPipeline(ControlState& state);

    /// From now on the workload's pods and its version of the service are scraped.
    void watch(std::uint32_t workload);
    /// Puts the first scrape into the queue, when anything is watched.
    void start();
    /// Takes the samples of now and puts the next scrape into the queue.
    void scrape();

    /// Fills `out` with what is visible now of one metric, one entry of `pods` each. Unknown names
    /// and metrics asked for in a kind they do not exist in are reported in `error`.
    void read(std::uint32_t workload, const MetricRequest& request, const std::vector<PodId>& pods,
              MetricReading& out) const;

  private:
    /// A point that was not scraped is a baseline: all counters were 0 then. A rate may begin
    /// there, but nobody ever reads it as the newest value.
    struct Sample {
        Time at;
        bool scraped = false;
        bool serving = false;  ///< the instance was there; otherwise all counters are 0
        serving::InstanceLoad load;
    };
    struct ServiceSample {
        Time at;
        bool scraped = false;
        serving::ServiceLoad load;
    };
    /// The newest samples, oldest first; grows to its capacity once and is then written in turn.
    template <class T>
    struct Ring {
        std::vector<T> slots;
        std::size_t first = 0;

        [[nodiscard]] std::size_t size() const { return slots.size(); }
        [[nodiscard]] const T& at(std::size_t i) const {
            const std::size_t k = first + i;
            return slots[k < slots.size() ? k : k - slots.size()];
        }
        void push(const T& value, std::size_t capacity) {
            if (slots.size() < capacity) {
                slots.push_back(value);
                return;
            }
            slots[first] = value;
            if (++first == slots.size()) first = 0;
        }
        void clear() {
            slots.clear();
            first = 0;
        }
    };
    struct PodHistory {
        PodId pod;
        std::int32_t restarts = 0;  ///< of its container: with each its counters begin anew
        std::int64_t ordinal = -1;  ///< of the instance that was scraped last; likewise
        Ring<Sample> samples;
    };
    /// The newest visible sample, and the oldest of its window that a rate may start from.
    struct Span {
        std::size_t newest = 0;
        std::size_t oldest = 0;
    };

    template <class T>
    [[nodiscard]] std::optional<Span> visible_span(const Ring<T>& ring) const;
    [[nodiscard]] serving::ServiceLoad service_load(std::uint32_t workload) const;
    [[nodiscard]] const PodHistory* history_of(PodId pod) const;
    void scrape_pod(PodId id);
    [[nodiscard]] std::optional<PodSample> pod_value(const MetricInfo& info, PodId pod,
                                                     const UsageModel& usage) const;
    [[nodiscard]] std::optional<PodSample> live_value(const MetricInfo& info, PodId pod,
                                                      const UsageModel& usage) const;
    [[nodiscard]] std::optional<PodSample> serving_value(const MetricInfo& info,
                                                         const Ring<Sample>& ring, Span span) const;
    void read_pods(const MetricInfo& info, std::uint32_t workload, const std::vector<PodId>& pods,
                   bool live, MetricReading& out) const;
    void read_sum(const MetricInfo& info, std::uint32_t workload, const std::vector<PodId>& pods,
                  bool live, MetricReading& out) const;
    void read_service(const MetricInfo& info, std::uint32_t workload, MetricReading& out) const;
    void read_service_now(const MetricInfo& info, std::uint32_t workload, MetricReading& out) const;

    ControlState& state_;
    std::size_t capacity_;                              ///< samples kept a pod
    std::vector<std::uint32_t> workloads_;              ///< watched, ascending
    std::vector<PodHistory> histories_;                 ///< by index of the pod's id
    std::vector<Ring<ServiceSample>> service_samples_;  ///< by workload
};

}  // namespace headroom::control
