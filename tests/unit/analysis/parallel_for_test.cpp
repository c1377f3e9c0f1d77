#include "analysis/experiments/parallel_for.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.hpp"

namespace headroom::analysis {

TEST_CASE("parallel_for: every piece is worked on once, for any number of threads") {
    for (const int threads : {-1, 0, 1, 2, 4, 100}) {
        std::vector<int> times(37, 0);
        CHECK(parallel_for(times.size(), threads, [&](std::size_t i) { ++times[i]; }));
        CHECK(times == std::vector<int>(37, 1));
    }
    CHECK(parallel_for(0, 4, [](std::size_t) { FAIL("there is no piece"); }));
}

TEST_CASE("parallel_for: with one thread, all happens in the caller's and in order") {
    std::vector<std::size_t> order;
    bool elsewhere = false;
    const std::thread::id caller = std::this_thread::get_id();
    parallel_for(5, 1, [&](std::size_t i) {
        order.push_back(i);
        elsewhere = elsewhere || std::this_thread::get_id() != caller;
    });
    CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4});
    CHECK(!elsewhere);
}

TEST_CASE("parallel_for: of several exceptions the one of the lowest index is thrown") {
    // More pieces than any thread gets through before another has told of its exception.
    constexpr std::size_t kPieces = 1'000'000'000;
    for (const int threads : {1, 2, 8}) {
        std::atomic<std::size_t> started{0};
        std::string told;
        try {
            parallel_for(kPieces, threads, [&](std::size_t i) {
                ++started;
                // The lower of the two ends later where there are threads.
                if (i == 3) std::this_thread::sleep_for(std::chrono::milliseconds(20));
                if (i == 3 || i == 4) throw std::runtime_error(std::to_string(i));
            });
        } catch (const std::runtime_error& error) {
            told = error.what();
        }
        CHECK(told == "3");
        CHECK(started < kPieces);
    }
}

TEST_CASE("parallel_for: a raised stop keeps further pieces from starting") {
    for (const int threads : {1, 3}) {
        std::atomic<bool> stop{false};
        std::atomic<int> started{0};
        const bool all = parallel_for(
            1000, threads,
            [&](std::size_t i) {
                ++started;
                if (i == 10) stop = true;
                while (i > 10 && !stop) std::this_thread::yield();
            },
            &stop);
        CHECK(!all);
        CHECK(started >= 11);
        CHECK(started <= 10 + threads);
    }
    std::atomic<bool> stop{true};
    CHECK(!parallel_for(
        1, 1, [](std::size_t) { FAIL("started"); }, &stop));
}

}  // namespace headroom::analysis
