#include "analysis/experiments/parallel_for.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace headroom::analysis {

namespace {

/// Hands out indices in order and keeps the exception of the lowest one.
class Pieces {
  public:
    Pieces(std::size_t count, const std::function<void(std::size_t)>& work,
           const std::atomic<bool>* stop)
        : count_(count), work_(work), stop_(stop) {}

    void run_until_empty() {
        while (const std::optional<std::size_t> index = take()) {
            try {
                work_(*index);
            } catch (...) {
                keep(*index, std::current_exception());
            }
        }
    }

    /// After all threads have ended.
    bool finish() {
        if (error_) std::rethrow_exception(error_);
        return next_ == count_;
    }

  private:
    std::optional<std::size_t> take() {
        const std::lock_guard<std::mutex> lock(mutex_);
        const bool stopped = stop_ != nullptr && stop_->load(std::memory_order_relaxed);
        if (next_ == count_ || error_ || stopped) return std::nullopt;
        return next_++;
    }
    void keep(std::size_t index, std::exception_ptr error) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (error_ && failed_ < index) return;
        failed_ = index;
        error_ = std::move(error);
    }

    const std::size_t count_;
    const std::function<void(std::size_t)>& work_;
    const std::atomic<bool>* stop_;
    std::mutex mutex_;
    std::size_t next_ = 0;
    std::size_t failed_ = 0;
    std::exception_ptr error_;
};

}  // namespace

bool parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& work,
                  const std::atomic<bool>* stop) {
    Pieces pieces(count, work, stop);
    // The caller's thread is one of them.
    const std::size_t wanted = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    std::vector<std::thread> others;
    others.reserve(wanted);
    try {
        while (others.size() + 1 < wanted) {
            others.emplace_back([&pieces] { pieces.run_until_empty(); });
        }
    } catch (const std::system_error&) {
        // The system gives no more threads: those that it gave do the work.
    }
    pieces.run_until_empty();
    for (std::thread& thread : others) thread.join();
    return pieces.finish();
}

}  // namespace headroom::analysis
