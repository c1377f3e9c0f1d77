#include "tests/acceptance/support.hpp"

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

using std::chrono::milliseconds;

RunResult shell(const std::string& script, const RunOptions& options = {}) {
    return run_program("/bin/sh", {"-c", script}, options);
}

}  // namespace

TEST_CASE("Acceptance harness: hands back exit code, stdout and stderr apart") {
    const RunResult r = shell("echo to out; echo to err >&2; exit 7");
    CHECK(r.exit_code == 7);
    CHECK(r.signal == 0);
    CHECK_FALSE(r.timed_out);
    CHECK(r.out == "to out\n");
    CHECK(r.err == "to err\n");
}

TEST_CASE("Acceptance harness: passes each argument as one word") {
    const RunResult r =
        run_program("/bin/sh", {"-c", R"(printf '<%s>' "$@")", "sh", "a b", "", "*"});
    CHECK(r.out == "<a b><><*>");
}

TEST_CASE("Acceptance harness: reads much output of both streams without blocking the program") {
    const RunResult r = shell(
        "i=0; while [ $i -lt 3000 ]; do "
        "echo 0123456789012345678901234567890123456789012345678901234567890123456789; "
        "echo 0123456789012345678901234567890123456789012345678901234567890123456789 >&2; "
        "i=$((i + 1)); done");
    CHECK(r.exit_code == 0);
    CHECK(count_lines(r.out) == 3000);
    CHECK(r.err == r.out);
}

TEST_CASE("Acceptance harness: gives standard input, environment and working directory") {
    const TemporaryDirectory scratch;
    RunOptions options;
    options.input = "one\ntwo\n";
    options.environment = {{"HEADROOM_HARNESS", "set"}, {"HOME", std::nullopt}};
    options.working_directory = scratch.path();
    const RunResult r = shell("cat; echo \"$HEADROOM_HARNESS ${HOME-none}\"; pwd", options);
    CHECK(r.out == "one\ntwo\nset none\n" + scratch.path().string() + "\n");

    SECTION("and nothing on standard input when none was given") {
        CHECK(shell("cat").out.empty());
    }
}

TEST_CASE("Acceptance harness: kills a program and its children at the time limit") {
    RunOptions options;
    options.time_limit = milliseconds(200);
    const RunResult r = shell("echo before; sleep 60 & sleep 60", options);
    CHECK(r.timed_out);
    CHECK(r.signal == SIGKILL);
    CHECK(r.out == "before\n");
    CHECK(r.wall < milliseconds(30'000));
}

TEST_CASE("Acceptance harness: does not wait for what a program leaves behind") {
    const RunResult r = shell("sleep 60 & echo done");
    CHECK(r.exit_code == 0);
    CHECK(r.out == "done\n");
    CHECK_FALSE(r.timed_out);
    CHECK(r.wall < milliseconds(30'000));
}

TEST_CASE("Acceptance harness: sends a signal after the time asked for") {
    RunOptions options;
    options.signal_after = milliseconds(200);
    SECTION("a program that handles it ends its own way") {
        const RunResult r = shell(
            "trap 'echo interrupted; exit 3' INT; i=0; while [ $i -lt 600 ]; do sleep 0.1; "
            "i=$((i + 1)); done",
            options);
        CHECK(r.exit_code == 3);
        CHECK(r.signal == 0);
        CHECK(r.out == "interrupted\n");
    }
    SECTION("one that does not is ended by it") {
        options.signal = SIGTERM;
        const RunResult r = shell("exec sleep 60", options);
        CHECK(r.signal == SIGTERM);
        CHECK(r.exit_code == 128 + SIGTERM);
        CHECK_FALSE(r.timed_out);
    }
}

TEST_CASE("Acceptance harness: standard error is a terminal only when asked") {
    RunOptions options;
    CHECK(shell("test -t 2 && echo terminal >&2", options).err.empty());
    options.terminal = true;
    CHECK(shell("test -t 2 && echo terminal >&2", options).err == "terminal\r\n");
}

TEST_CASE("Acceptance harness: says so when the program cannot be started") {
    CHECK_THROWS_AS(run_program("/nowhere/at-all", {}), std::runtime_error);
    CHECK_THROWS_AS(run_program("no-such-program-anywhere", {}), std::runtime_error);
    RunOptions options;
    options.working_directory = "/nowhere/at-all";
    CHECK_THROWS_AS(shell("true", options), std::runtime_error);
}

TEST_CASE("TemporaryDirectory: goes away with its contents, and offers a path nobody can make") {
    std::filesystem::path path;
    {
        const TemporaryDirectory scratch;
        path = scratch.path();
        write_text(scratch / "a/b.txt", "text");
        CHECK(read_text(scratch / "a/b.txt") == "text");
        CHECK_THROWS_AS(read_text(scratch / "missing"), std::runtime_error);
        CHECK(::mkdir(scratch.unwritable("out").c_str(), 0777) != 0);
    }
    CHECK_FALSE(std::filesystem::exists(path));
}

}  // namespace headroom::acceptance
