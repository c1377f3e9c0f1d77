#include "tests/kernels/emulation/lanes.hpp"

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#include <algorithm>
#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <deque>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace headroom::kernels::attention {

// What the kernels declare as `extern __shared__`.
extern thread_local unsigned char shared[];
alignas(1024) thread_local unsigned char shared[emulation::kMostShared] = {};

}  // namespace headroom::kernels::attention

namespace headroom::emulation {
namespace {

using boost::context::fiber;

constexpr std::size_t kStackBytes = std::size_t{128} << 10;
constexpr unsigned char kPoison = 0xff;

/// What AddressSanitizer noted of the frames on a stack must not outlive it: the next mapping at
/// the same place has other variables, or none.
class Stacks : public boost::context::protected_fixedsize_stack {
    using Base = boost::context::protected_fixedsize_stack;

  public:
    Stacks() : Base(kStackBytes) {}
    void deallocate(boost::context::stack_context& stack) noexcept {
        ASAN_UNPOISON_MEMORY_REGION(static_cast<char*>(stack.sp) - stack.size, stack.size);
        Base::deallocate(stack);
    }
};

/// A stack as AddressSanitizer must be told of it whenever another one becomes the current.
struct Stack {
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    void* fake = nullptr;  ///< its own, while another is the current

    /// To this one; `old` is null where the stack that is left is left for good.
    void announce([[maybe_unused]] Stack* old) const {
#ifdef __SANITIZE_ADDRESS__
        __sanitizer_start_switch_fiber(old == nullptr ? nullptr : &old->fake, bottom, bytes);
#endif
    }
    /// Now on this one; where the one that was left lies is noted in `old`.
    void arrived([[maybe_unused]] Stack* old) const {
#ifdef __SANITIZE_ADDRESS__
        __sanitizer_finish_switch_fiber(fake, old == nullptr ? nullptr : &old->bottom,
                                        old == nullptr ? nullptr : &old->bytes);
#endif
    }
};

/// Ends a lane whose block is given up.
struct GivenUp {};

struct Copy {
    void* to;
    const void* from;
    bool inside;

    void land() const {
        if (inside) {
            std::memcpy(to, from, 16);
        } else {
            std::memset(to, 0, 16);
        }
    }
};

struct Lane {
    dim3 thread;
    std::size_t number = 0;  ///< in the block
    bool returned = false;
    fiber self, scheduler;
    Stack stack;
    std::vector<Copy> open;
    std::deque<std::vector<Copy>> groups;
};

struct Warp {
    detail::Exchange exchange;
    const void* operation = nullptr;
    std::size_t arrived = 0;
    std::vector<std::size_t> ready;  ///< numbers of lanes that may go on
};

/// SplitMix64 (Steele, Lea and Flood 2014): which lane goes on is drawn millions of times.
class Draws {
  public:
    explicit Draws(std::uint64_t seed) : state_(seed) {}
    std::size_t below(std::size_t bound) {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
    }

  private:
    std::uint64_t state_;
};

Schedule the_schedule;

/// The lanes of one block, which runs again and again, as every block of the grid in turn.
class Block {
  public:
    Block(const Grid& grid, const std::function<void()>& kernel)
        : grid_(grid),
          kernel_(kernel),
          draws_(the_schedule.seed),
          lanes_(std::size_t{grid.block.x} * grid.block.y * grid.block.z),
          warps_((lanes_.size() + kWarpLanes - 1) / kWarpLanes) {
        for (std::size_t i = 0; i < lanes_.size(); ++i) prepare(lanes_[i], i);
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() {
        over_ = true;
        for (Lane& lane : lanes_) enter(lane);
    }

    void run_all() {
        blockDim = grid_.block;
        gridDim = grid_.grid;
        const std::size_t plane = std::size_t{grid_.grid.x} * grid_.grid.y;
        std::vector<std::size_t> order(plane * grid_.grid.z);
        for (std::size_t i = 0; i < order.size(); ++i) {
            order[i] = i;
            std::swap(order[i], order[draws_.below(i + 1)]);
        }
        for (const std::size_t i : order) {
            run(dim3(static_cast<unsigned>(i % grid_.grid.x),
                     static_cast<unsigned>(i % plane / grid_.grid.x),
                     static_cast<unsigned>(i / plane)));
        }
    }

    [[nodiscard]] Lane& current() { return *current_; }
    [[nodiscard]] Warp& warp() { return warps_[current_->number / kWarpLanes]; }
    [[nodiscard]] bool draw() { return draws_.below(2) == 0; }

    void wait() {
        leave();
        if (over_) throw GivenUp();
    }

    void barrier() {
        waiting_.push_back(current_->number);
        wait();
    }

    bool arrive(const void* operation) {
        Warp& mine = warp();
        if (mine.arrived == 0) mine.operation = operation;
        if (mine.operation != operation) {
            throw std::logic_error("the lanes of a warp are at different operations");
        }
        return ++mine.arrived == kWarpLanes;
    }

    void release() {
        warp().arrived = 0;
        const std::size_t first = current_->number / kWarpLanes * kWarpLanes;
        for (std::size_t i = first; i < first + kWarpLanes; ++i) {
            if (i != current_->number) make_ready(i);
        }
    }

  private:
    void prepare(Lane& lane, std::size_t number) {
        const dim3& size = grid_.block;
        const auto place = static_cast<unsigned>(number);
        lane.number = number;
        lane.thread = dim3(place % size.x, place / size.x % size.y, place / (size.x * size.y));
        Stacks stacks;
        const boost::context::stack_context stack = stacks.allocate();
        lane.stack = {static_cast<char*>(stack.sp) - stack.size, stack.size};
        lane.self =
            fiber(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack),
                  stacks, [this, &lane](fiber&& scheduler) {
                      lane.stack.arrived(&scheduler_stack_);
                      lane.scheduler = std::move(scheduler);
                      while (!over_) {  // once a block
                          call_kernel();
                          lane.returned = true;
                          if (!over_) leave();
                      }
                      scheduler_stack_.announce(nullptr);
                      return std::move(lane.scheduler);
                  });
    }

    void call_kernel() {
        try {
            kernel_();
        } catch (const GivenUp&) {
        } catch (const std::exception&) {
            error_ = std::current_exception();
        }
    }

    void run(dim3 index) {
        if (grid_.shared_bytes > 0) std::memset(dynamic_shared(), kPoison, kMostShared);
        blockIdx = index;
        for (Lane& lane : lanes_) {
            lane.returned = false;
            make_ready(lane.number);
        }
        running_ = lanes_.size();
        while (running_ > 0) {
            if (ready_ == 0) {
                throw std::logic_error("deadlock: lanes wait for others that never come: " +
                                       std::to_string(running_));
            }
            resume(lanes_[draw_ready()]);
        }
        if (grid_.shared_bytes > 0) check_overrun();
    }

    /// To the lane that runs from the scheduler, and back.
    void enter(Lane& lane) {
        current_ = &lane;
        threadIdx = lane.thread;
        lane.stack.announce(&scheduler_stack_);
        lane.self = std::move(lane.self).resume();
        scheduler_stack_.arrived(nullptr);
        current_ = nullptr;
    }
    void leave() {
        Lane& mine = *current_;
        scheduler_stack_.announce(&mine.stack);
        mine.scheduler = std::move(mine.scheduler).resume();
        mine.stack.arrived(nullptr);
    }

    void resume(Lane& lane) {
        enter(lane);
        if (error_) std::rethrow_exception(error_);
        if (lane.returned) {
            --running_;
            lane.open.clear();
            lane.groups.clear();
        }
        // A barrier opens when all that have not returned are at it.
        if (!waiting_.empty() && waiting_.size() == running_) {
            for (const std::size_t number : waiting_) make_ready(number);
            waiting_.clear();
        }
    }

    void make_ready(std::size_t number) {
        warps_[number / kWarpLanes].ready.push_back(number);
        ++ready_;
    }

    /// Any lane of the warp that has run on for a while, if it can: so that one may be far ahead of
    /// the others, where no barrier holds it.
    std::size_t draw_ready() {
        constexpr std::size_t kTurns = 256;
        if (draws_.below(kTurns) == 0) favourite_ = draws_.below(warps_.size());
        while (warps_[favourite_].ready.empty()) favourite_ = draws_.below(warps_.size());
        std::vector<std::size_t>& ready = warps_[favourite_].ready;
        std::swap(ready[draws_.below(ready.size())], ready.back());
        const std::size_t number = ready.back();
        ready.pop_back();
        --ready_;
        return number;
    }

    void check_overrun() const {
        const unsigned char* begin = dynamic_shared() + grid_.shared_bytes;
        const unsigned char* end = dynamic_shared() + kMostShared;
        if (std::any_of(begin, end, [](unsigned char byte) { return byte != kPoison; })) {
            throw std::logic_error("the kernel wrote behind its dynamic shared memory");
        }
    }

    const Grid& grid_;
    const std::function<void()>& kernel_;
    Draws draws_;
    std::vector<Lane> lanes_;
    std::vector<Warp> warps_;
    std::vector<std::size_t> waiting_;  ///< at the barrier: numbers of lanes
    std::size_t ready_ = 0;             ///< lanes that may go on
    std::size_t favourite_ = 0;         ///< the warp that goes on
    std::size_t running_ = 0;           ///< have not returned
    Lane* current_ = nullptr;
    std::exception_ptr error_;
    Stack scheduler_stack_;
    bool over_ = false;  ///< lanes shall end
};

Block* the_block = nullptr;

Lane& current_lane() {
    if (the_block == nullptr) throw std::logic_error("device code outside of a kernel");
    return the_block->current();
}

}  // namespace

void set_schedule(const Schedule& schedule) {
    the_schedule = schedule;
}

void run_grid(const Grid& grid, const std::function<void()>& kernel) {
    Block block(grid, kernel);
    the_block = &block;
    try {
        block.run_all();
    } catch (...) {
        the_block = nullptr;
        throw;
    }
    the_block = nullptr;
}

unsigned char* dynamic_shared() {
    return kernels::attention::shared;
}

void block_barrier() {
    current_lane();
    the_block->barrier();
}

void start_copy(void* to, const void* from, bool inside) {
    const auto aligned = [](const void* address) {
        return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
    };
    if (!aligned(to) || !aligned(from)) {
        throw std::logic_error("an asynchronous copy of 16 bytes is not aligned to 16");
    }
    const Copy copy{to, from, inside};
    const bool now = the_schedule.copies == Landing::at_start ||
                     (the_schedule.copies == Landing::drawn && the_block->draw());
    if (now) {
        copy.land();
    } else {
        current_lane().open.push_back(copy);
    }
}

void commit_copies() {
    Lane& lane = current_lane();
    lane.groups.push_back(std::move(lane.open));
    lane.open.clear();
}

void wait_for_copies(int pending) {
    auto& groups = current_lane().groups;
    while (groups.size() > static_cast<std::size_t>(pending)) {
        for (const Copy& copy : groups.front()) copy.land();
        groups.pop_front();
    }
}

namespace detail {

Exchange& exchange() {
    return the_block->warp().exchange;
}

std::size_t lane() {
    return current_lane().number % kWarpLanes;
}

bool arrive(const void* operation) {
    return the_block->arrive(operation);
}

void release() {
    the_block->release();
}

void wait() {
    the_block->wait();
}

}  // namespace detail

}  // namespace headroom::emulation
