// Interrupting a run: it ends in order, exits 3 and leaves nothing half written.
#include <filesystem>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

/// Longer than any machine needs before the signal comes: hundreds of millions of requests.
std::vector<std::string> long_run(const TemporaryDirectory& scratch) {
    return {"run",   library("mm1"),
            "--out", scratch / "out",
            "--set", "/duration=90d",
            "--set", "/sources/clients/arrivals/rate=80",
            "--set", "/services/server/simple/servers=10"};
}

RunOptions signalled(int signal) {
    RunOptions options;
    options.signal_after = milliseconds(700);
    options.signal = signal;
    return options;
}

}  // namespace

TEST_CASE("signals: Ctrl-C, SIGTERM and SIGHUP end a run with exit 3 and no files") {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        const TemporaryDirectory scratch;
        const RunResult r = run(long_run(scratch), signalled(signal));
        INFO(r.err);
        CHECK(r.exit_code == 3);
        CHECK(r.signal == 0);
        CHECK(r.out == "");
        CHECK(contains(r.err, "interrupted at "));
        CHECK_FALSE(contains(r.err, "interrupted at 2160h"));  // its planned end
        CHECK(fs::is_empty(scratch.path()));
        CHECK(r.wall < milliseconds(10'000));
    }
}

TEST_CASE("signals: an interrupted run leaves earlier results as they were") {
    const TemporaryDirectory scratch;
    write_text(scratch / "small.json", small_scenario());
    REQUIRE(run({"run", scratch / "small.json", "--out", scratch / "out"}).exit_code == 0);
    const std::string before = read_text(scratch / "out/summary.json");
    CHECK(run(long_run(scratch), signalled(SIGINT)).exit_code == 3);
    CHECK(read_text(scratch / "out/summary.json") == before);
    CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 2);
}

TEST_CASE("signals: several threads end as well") {
    const TemporaryDirectory scratch;
    std::vector<std::string> words = {
        "run",   library("three-cells"), "--out", scratch / "out", "--threads", "3",
        "--set", "/duration=90d"};
    CHECK(run(words, signalled(SIGINT)).exit_code == 3);
    CHECK(fs::is_empty(scratch.path()));
}

}  // namespace headroom::acceptance
