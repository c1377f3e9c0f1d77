/// CellRunner: advances all cells up to a limit, on as many threads as asked, without changing what
/// a strictly sequential merge by time would do.
///
/// A cell that may leave a notification must not be overtaken, for the control plane's answer may
/// touch any cell: such cells go first, in the order (time, class, cell) of their events, until the
/// limit or the first notification; O(log of their number) an event, less while one of them is
/// alone ahead of the others. The others can neither notify nor be touched before that time, so
/// each runs up to it alone, for cache locality or on its own thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sim/serving/cell.hpp"
#include "sim/simulation.hpp"

namespace headroom {

class CellRunner {
  public:
    CellRunner(std::vector<std::unique_ptr<serving::Cell>>& cells, const RunOptions& options);
    ~CellRunner();
    CellRunner(const CellRunner&) = delete;
    CellRunner& operator=(const CellRunner&) = delete;

    /// Runs events before `limit`, or up to the first notification: returns the time up to which
    /// every cell has run (events at exactly that time may be left).
    Time run_window(Time limit);
    [[nodiscard]] bool notified() const { return notified_; }
    /// The run has to end: it was interrupted, or a cell met bad input. Of several such cells, the
    /// one that met it at the earliest simulated time has, whatever the number of threads.
    [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  private:
    /// The next event of one of the cells that may notify.
    struct Turn {
        EventKey key;  ///< time and class: between cells, entities mean nothing
        std::size_t cell = 0;
        [[nodiscard]] bool operator>(const Turn& other) const {
            return key == other.key ? cell > other.cell : other.key < key;
        }
    };
    void await_turn(std::size_t cell, Time limit);
    Time run_notifying(Time limit);
    void run_cell(serving::Cell& cell, Time limit, bool report);
    void look_around(Time now);
    void met_bad_input(Time at);
    void worker();
    void run_in_parallel(Time limit);

    std::vector<std::unique_ptr<serving::Cell>>& cells_;
    const RunOptions& options_;
    bool notified_ = false;
    std::atomic<bool> stopped_ = false;
    std::atomic<std::int64_t> bad_input_at_ = Time::max().ps();  ///< the earliest yet, ps
    std::vector<serving::Cell*> notifying_;
    std::vector<Turn> turns_;  ///< a heap, the first on top; of those before the limit
    std::vector<serving::Cell*> free_;

    // Threads wait for a window, then take cells from it one by one.
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    std::uint64_t window_ = 0;
    std::size_t busy_ = 0;
    bool quit_ = false;
    Time window_limit_;
    std::atomic<std::size_t> next_cell_ = 0;
};

}  // namespace headroom
