#include "sim/simulation.hpp"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

#include "sim/cluster/components.hpp"
#include "sim/control/control_plane.hpp"
#include "sim/core/check.hpp"
#include "sim/serving/cell.hpp"
#include "sim/simulation_cells.hpp"

namespace headroom {

namespace {

/// Calls above which a growing backlog is worth the word "saturated".
constexpr double kBacklogSlack = 8.0;

/// The data plane as the control plane sees it: each service's cell answers.
class Cells final : public serving::DataPlane {
  public:
    Cells(const SimulationSpec& spec, const RunOptions& options,
          const std::vector<CellInfo>& cells) {
        of_service_.resize(spec.services.size());
        const serving::CellConfig config{spec.seed, spec.measure_from, options.exact_steps,
                                         options.keep_rows};
        for (const CellInfo& info : cells) {
            cells_.push_back(std::make_unique<serving::Cell>(config, spec.services, spec.sources,
                                                             info.services));
            for (const std::uint32_t service : info.services) {
                of_service_[service] = static_cast<std::uint32_t>(cells_.size() - 1);
            }
        }
    }

    void add_instance(Time now, serving::InstanceKey key, std::uint32_t version,
                      serving::SpeedPpm speed, std::int64_t notify_at) override {
        change(key.service).add_instance(now, key, version, speed, notify_at);
    }
    void drain_instance(Time now, serving::InstanceKey key) override {
        change(key.service).drain_instance(now, key);
    }
    void kill_instance(Time now, serving::InstanceKey key) override {
        change(key.service).kill_instance(now, key);
    }
    void set_gateway_buffering(Time now, std::uint32_t service, bool buffers) override {
        change(service).set_gateway_buffering(now, service, buffers);
    }
    void set_speed(Time now, serving::InstanceKey key, serving::SpeedPpm speed) override {
        change(key.service).set_speed(now, key, speed);
    }
    [[nodiscard]] serving::InstanceLoad instance_load(Time now,
                                                      serving::InstanceKey key) const override {
        return of(key.service).instance_load(now, key);
    }
    [[nodiscard]] serving::ServiceLoad service_load(Time now, std::uint32_t service,
                                                    std::uint32_t version) const override {
        return of(service).service_load(now, service, version);
    }

    [[nodiscard]] std::vector<std::unique_ptr<serving::Cell>>& all() { return cells_; }
    [[nodiscard]] const std::vector<std::unique_ptr<serving::Cell>>& all() const { return cells_; }
    [[nodiscard]] const serving::Cell& of(std::uint32_t service) const {
        return *cells_[of_service_[service]];
    }
    /// fn(Cell&) for those that were changed since the last call, in order.
    template <class Fn>
    void for_each_changed(Fn&& fn) {
        std::sort(changed_.begin(), changed_.end());
        changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
        for (const std::uint32_t cell : changed_) fn(*cells_[cell]);
        changed_.clear();
    }

  private:
    [[nodiscard]] serving::Cell& change(std::uint32_t service) {
        changed_.push_back(of_service_[service]);
        return *cells_[of_service_[service]];
    }

    std::vector<std::unique_ptr<serving::Cell>> cells_;
    std::vector<std::uint32_t> of_service_;  ///< index of its cell
    std::vector<std::uint32_t> changed_;     ///< in the order of the changes, some more than once
};

/// One run: the merge of the control plane's events with those of the cells.
class Run {
  public:
    Run(const SimulationSpec& spec, const RunOptions& options)
        : spec_(spec),
          cell_infos_(find_cells(spec)),
          cells_(spec, options, cell_infos_),
          control_(spec.control, cells_, spec.seed, spec.measure_from, options.all_decisions),
          runner_(cells_.all(), options),
          stop_(options.stop) {}

    SimulationResult execute() {
        control_.start(stop_);
        hand_over_changed();
        while (step()) {
        }
        return collect();
    }

  private:
    /// One window up to the next control event, and that event. False when the run is over.
    bool step() {
        run_control(now_);  // what notifications made due at once
        const Time next = control_.next_event_time();
        const Time limit = std::min(next, spec_.end);
        const Time cut = runner_.run_window(limit);
        if (runner_.stopped()) {
            end_ = std::min(cut, furthest());
            return false;
        }
        if (runner_.notified()) {
            now_ = cut;
            hand_over_all();
            return true;
        }
        if (spec_.drain && drained()) {
            end_ = last_activity();
            return false;
        }
        if (next >= spec_.end) {
            end_ = spec_.end;
            return false;
        }
        now_ = next;
        run_control(now_);
        return true;
    }

    /// Runs the control events of `now` and hands over the notifications that they cause. Looks at
    /// the stop flag before each, for ten thousand pods may want a node at one instant; the next
    /// run_window() then ends the run.
    void run_control(Time now) {
        while (control_.next_event_time() <= now) {
            if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) return;
            control_.run_next(now);
            hand_over_changed();
        }
    }

    /// What control events left: only cells that they changed can have something to say.
    void hand_over_changed() {
        cells_.for_each_changed([this](serving::Cell& cell) { hand_over(cell); });
    }
    void hand_over_all() {
        for (auto& cell : cells_.all()) hand_over(*cell);
    }
    void hand_over(serving::Cell& cell) {
        if (!cell.has_notifications()) return;
        for (const serving::Notification& notification : cell.take_notifications()) {
            control_.notify(notification);
        }
    }

    [[nodiscard]] bool drained() const {
        return std::all_of(cells_.all().begin(), cells_.all().end(), [](const auto& cell) {
            return cell->sources_ended() && cell->in_flight() == 0;
        });
    }
    /// How far the cells have come that a stop has ended in the middle of a window.
    [[nodiscard]] Time furthest() {
        Time furthest = now_;
        for (const auto& cell : cells_.all()) furthest = std::max(furthest, cell->now());
        return furthest;
    }
    [[nodiscard]] Time last_activity() {
        Time last;
        for (const auto& cell : cells_.all()) last = std::max(last, cell->last_activity());
        return std::max(last, now_);
    }

    SimulationResult collect() {
        SimulationResult result;
        result.end = end_;
        result.measure_from = std::min(spec_.measure_from, end_);
        result.cells = cell_infos_;
        Time bad_input_at = Time::max();
        for (auto& cell : cells_.all()) {
            if (!cell->error().empty() && cell->now() < bad_input_at) {
                bad_input_at = cell->now();
                result.status = RunStatus::bad_input;
                result.error = cell->error();
            }
            cell->finish(end_);
            result.digest.merge(cell->digest());
            auto& rows = cell->rows();
            result.rows.insert(result.rows.end(), rows.begin(), rows.end());
        }
        if (result.status == RunStatus::finished && runner_.stopped()) {
            result.status = RunStatus::interrupted;
        }
        std::stable_sort(result.rows.begin(), result.rows.end(),
                         [](const serving::RequestRow& a, const serving::RequestRow& b) {
                             return std::tie(a.source, a.id, a.service) <
                                    std::tie(b.source, b.id, b.service);
                         });
        collect_services(result);
        result.control = control_.finish(end_);
        result.digest.merge(control_.digest());
        return result;
    }

    void collect_services(SimulationResult& result) const {
        std::vector<bool> entered(spec_.services.size(), false);
        for (const serving::SourceSpec& source : spec_.sources) entered[source.service] = true;
        for (std::uint32_t i = 0; i < spec_.services.size(); ++i) {
            ServiceResult service{spec_.services[i].name, cells_.of(i).stats(i), false};
            const Time until = std::min(end_, service.stats.last_arrival);
            const double flow = until > Time::zero()
                                    ? static_cast<double>(service.stats.calls.arrived) /
                                          (until - Time::zero()).to_seconds()
                                    : 0.0;
            service.saturated =
                service.stats.backlog.grows(result.measure_from, until, kBacklogSlack, flow);
            result.saturated = result.saturated || service.saturated;
            serving::ServiceStats share = service.stats;
            // What other services call is part of their latencies already.
            if (!entered[i]) {
                share.take_figures({});
                share.itl.clear();
            } else if (const auto* of_roots = cells_.of(i).stats_of_roots(i)) {
                share.take_figures(*of_roots);
            }
            result.total.merge(share);
            result.services.push_back(std::move(service));
        }
    }

    const SimulationSpec& spec_;
    std::vector<CellInfo> cell_infos_;
    Cells cells_;
    control::ControlPlane control_;
    CellRunner runner_;
    const std::atomic<bool>* stop_;
    Time now_;
    Time end_;
};

}  // namespace

std::vector<CellInfo> find_cells(const SimulationSpec& spec) {
    const auto count = static_cast<std::uint32_t>(spec.services.size());
    std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
    for (std::uint32_t i = 0; i < count; ++i) {
        for (const std::uint32_t called : spec.services[i].calls) edges.emplace_back(i, called);
    }
    // Two workloads of shared devices may end up on one device.
    std::uint32_t sharer = count;
    for (const control::WorkloadSpec& workload : spec.control.workloads) {
        const auto& devices = workload.pod.devices;
        if (devices.count == 0 || devices.milli_each == MilliGpu{1000}) continue;
        if (sharer != count) edges.emplace_back(sharer, workload.service);
        sharer = workload.service;
    }
    std::vector<CellInfo> cells;
    const std::vector<std::uint32_t> component = cluster::components(count, edges);
    for (std::uint32_t i = 0; i < count; ++i) {
        if (component[i] >= cells.size()) cells.resize(component[i] + 1);
        cells[component[i]].services.push_back(i);
    }
    return cells;
}

Simulation::Simulation(SimulationSpec spec) : spec_(std::move(spec)) {}

SimulationResult Simulation::run(const RunOptions& options) {
    HEADROOM_CHECK(spec_.end <= Time::horizon_limit(), "the horizon is past 100 days");
    return Run(spec_, options).execute();
}

}  // namespace headroom
