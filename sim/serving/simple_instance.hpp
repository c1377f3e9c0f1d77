/// SimpleInstance: `servers` in parallel in front of one first-come-first-served queue, optionally
/// bounded (G/G/c/K). A service time is drawn by (request, attempt) from the service's stream, so
/// two policies see the same ones. Classic queueing models, CNN or ranking replicas, anything that
/// serves one request at a time.
///
/// An event is O(log servers); memory is O(requests in it). A waiting or served request that is
/// aborted leaves at once and its server is free. A changed speed holds for services that start
/// later.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/random.hpp"
#include "sim/core/ring_buffer.hpp"
#include "sim/serving/instance.hpp"
#include "sim/serving/service_spec.hpp"

namespace headroom::serving {

class SimpleInstance final : public Instance {
  public:
    /// `spec` must outlive the instance; `service_times` is the service's stream.
    SimpleInstance(const SimpleEngineSpec& spec, RandomStream service_times, SpeedPpm speed,
                   InstanceRecorder recorder);

    [[nodiscard]] std::optional<Cause> refuses(std::int64_t, std::int64_t) const override {
        return std::nullopt;
    }
    std::optional<Cause> submit(const EventKey& position, const Submission& submission,
                                std::uint32_t& slot) override;
    void abort(const EventKey& position, std::uint32_t slot) override;
    [[nodiscard]] AttemptReport report(const EventKey& position, std::uint32_t slot) const override;
    void run(Time now, InstanceHost& host) override;
    void kill(const EventKey& position, std::vector<AttemptId>& lost) override;
    void set_speed(const EventKey&, SpeedPpm speed) override { speed_ = speed; }
    [[nodiscard]] InstanceLoad load(const EventKey& position) const override;
    void finish(const EventKey& position) override;

  private:
    struct Job {
        AttemptId attempt;
        Duration service;
        Time start = Time::max();  ///< Time::max(): waiting
    };
    /// A busy server: ties at one time end in the order in which the services started.
    struct Busy {
        Time end;
        std::uint64_t started;
        std::uint32_t slot;
        bool operator<(const Busy& o) const {
            return end != o.end ? end < o.end : started < o.started;
        }
    };

    /// A job's service begins; the caller puts the server it keeps busy into the heap.
    [[nodiscard]] Busy begin_service(Time now, std::uint32_t slot);
    void start(Time now, std::uint32_t slot);
    void book(const Job& job, Time until);
    void sift_down(std::size_t at);
    void await_soonest();

    const SimpleEngineSpec& spec_;
    RandomStream service_times_;
    SpeedPpm speed_;
    InstanceRecorder recorder_;
    std::vector<Job> jobs_;
    std::vector<std::uint32_t> free_slots_;
    RingBuffer<std::uint32_t> waiting_;
    std::vector<Busy> heap_;  ///< busy servers, soonest end first
    std::uint64_t started_ = 0;
    std::int64_t completed_ = 0;
    TimeIntegral busy_;
};

}  // namespace headroom::serving
