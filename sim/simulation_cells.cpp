#include "sim/simulation_cells.hpp"

#include <algorithm>
#include <functional>

namespace headroom {

namespace {
/// Events between two looks at the stop flag.
constexpr std::int64_t kEventsAtOnce = 1 << 16;
}  // namespace

CellRunner::CellRunner(std::vector<std::unique_ptr<serving::Cell>>& cells,
                       const RunOptions& options)
    : cells_(cells), options_(options) {
    for (const auto& cell : cells_) {
        if (cell->error().empty()) continue;  // of a source that is bad from the start
        met_bad_input(cell->now());
        stopped_ = true;
    }
    const std::size_t wanted = static_cast<std::size_t>(std::max(options.threads, 1));
    for (std::size_t i = 1; i < std::min(wanted, cells.size()); ++i) {
        threads_.emplace_back([this] { worker(); });
    }
}

CellRunner::~CellRunner() {
    {
        const std::lock_guard lock(mutex_);
        quit_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

Time CellRunner::run_window(Time limit) {
    notified_ = false;
    notifying_.clear();
    free_.clear();
    for (auto& cell : cells_) (cell->may_notify() ? notifying_ : free_).push_back(cell.get());
    const Time cut = run_notifying(limit);
    if (threads_.empty() || free_.size() < 2) {
        for (serving::Cell* cell : free_) run_cell(*cell, cut, true);
    } else {
        run_in_parallel(cut);
    }
    look_around(cut);
    if (bad_input_at_.load(std::memory_order_relaxed) < Time::max().ps()) {
        stopped_.store(true, std::memory_order_relaxed);
    }
    return cut;
}

void CellRunner::await_turn(std::size_t cell, Time limit) {
    EventKey key = notifying_[cell]->next_key();
    if (key.time >= limit) return;
    key.order &= ~((1ULL << 60) - 1);
    turns_.push_back({key, cell});
    std::push_heap(turns_.begin(), turns_.end(), std::greater<>());
}

Time CellRunner::run_notifying(Time limit) {
    turns_.clear();
    for (std::size_t i = 0; i < notifying_.size(); ++i) await_turn(i, limit);
    for (std::int64_t turn = 1; !turns_.empty() && !stopped(); ++turn) {
        std::pop_heap(turns_.begin(), turns_.end(), std::greater<>());
        const Turn first = turns_.back();
        turns_.pop_back();
        serving::Cell& cell = *notifying_[first.cell];
        const Time others = turns_.empty() ? limit : turns_.front().key.time;
        bool paused = turn % kEventsAtOnce == 0;
        if (first.key.time < others) {
            paused = !cell.run_until(others, kEventsAtOnce);
        } else {
            cell.run_next();
        }
        if (!cell.error().empty()) {
            met_bad_input(cell.now());
            return cell.now();
        }
        if (cell.has_notifications()) {
            notified_ = true;
            return cell.now();
        }
        if (paused) look_around(cell.now());
        await_turn(first.cell, limit);
    }
    return limit;
}

void CellRunner::run_cell(serving::Cell& cell, Time limit, bool report) {
    while (!stopped() && !cell.run_until(limit, kEventsAtOnce)) {
        if (!cell.error().empty()) return met_bad_input(cell.now());
        const Time next = cell.next_key().time;
        if (report) look_around(next);
        if (next.ps() > bad_input_at_.load(std::memory_order_relaxed)) return;
    }
}

void CellRunner::met_bad_input(Time at) {
    std::int64_t earliest = bad_input_at_.load(std::memory_order_relaxed);
    while (at.ps() < earliest &&
           !bad_input_at_.compare_exchange_weak(earliest, at.ps(), std::memory_order_relaxed)) {
    }
}

void CellRunner::look_around(Time now) {
    if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) {
        stopped_.store(true, std::memory_order_relaxed);
    }
    if (!options_.progress) return;
    // With threads, the other cells' counts may be in motion: only a lone runner reports them.
    std::int64_t arrived = 0;
    if (threads_.empty()) {
        for (const auto& cell : cells_) arrived += cell->arrived();
    }
    options_.progress(now, arrived);
}

void CellRunner::run_in_parallel(Time limit) {
    {
        const std::lock_guard lock(mutex_);
        window_limit_ = limit;
        next_cell_.store(0, std::memory_order_relaxed);
        busy_ = threads_.size();
        ++window_;
    }
    wake_.notify_all();
    for (std::size_t i = next_cell_.fetch_add(1); i < free_.size(); i = next_cell_.fetch_add(1)) {
        run_cell(*free_[i], limit, true);
    }
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
}

void CellRunner::worker() {
    std::uint64_t seen = 0;
    for (;;) {
        Time limit;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this, seen] { return quit_ || window_ != seen; });
            if (quit_) return;
            seen = window_;
            limit = window_limit_;
        }
        for (std::size_t i = next_cell_.fetch_add(1); i < free_.size();
             i = next_cell_.fetch_add(1)) {
            run_cell(*free_[i], limit, false);
        }
        {
            const std::lock_guard lock(mutex_);
            --busy_;
        }
        done_.notify_one();
    }
}

}  // namespace headroom
