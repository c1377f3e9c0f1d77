// The launcher, in a small tree of its own where the build tools and the package manager are
// scripts: what it decides is tested, without building or installing anything.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::string_view kDpkgQuery = R"(#!/bin/sh
for word in "$@"; do
    case $word in
        -*) ;;
        *) case " $STUB_MISSING " in *" $word "*) ;; *) echo "$word installed" ;; esac ;;
    esac
done
)";
constexpr std::string_view kId = "#!/bin/sh\necho \"${STUB_UID:-1000}\"\n";
constexpr std::string_view kSudo = R"(#!/bin/sh
[ -n "$STUB_SUDO" ] || exit 1
echo "sudo $*" >> "$STUB_LOG"
shift
exec "$@"
)";
constexpr std::string_view kAptGet = R"(#!/bin/sh
echo "apt-get $*" >> "$STUB_LOG"
echo "apt-get output"
case $1 in install) exit "${STUB_APT_EXIT:-0}" ;; esac
)";
constexpr std::string_view kCmake = R"(#!/bin/sh
echo "cmake $*" >> "$STUB_LOG"
case $1 in --list-presets) printf '  "release" - x\n  "asan" - y\n'; exit 0 ;; esac
mkdir -p "$4/build/$2"
echo "CMAKE_HOME_DIRECTORY:INTERNAL=$4" > "$4/build/$2/CMakeCache.txt"
touch "$4/build/$2/build.ninja"
echo "cmake output"
)";
// Builds a program that prints its arguments and where it runs, and answers 7 to "seven".
constexpr std::string_view kNinja = R"sh(#!/bin/sh
echo "ninja $*" >> "$STUB_LOG"
[ -z "$STUB_HANG" ] || exec sleep 60
sleep "${STUB_BUILD_SECONDS:-0}"
echo "ninja: Entering directory '$2'"
if [ -n "$STUB_ERROR" ]; then echo "[1/2] FAILED: a.o"; echo "$STUB_ERROR"; exit 1; fi
cat > "$2/headroom" <<'END'
#!/bin/sh
[ "$1" != wait ] || exec sleep 60
pwd
printf '<%s>' "$@"
[ "$1" != seven ] || exit 7
END
chmod +x "$2/headroom"
if [ -n "$STUB_IDLE" ]; then echo 'ninja: no work to do.'; else echo '[1/1] Linking headroom'; fi
)sh";
constexpr std::string_view kCtest = "#!/bin/sh\necho \"ctest $*\" >> \"$STUB_LOG\"\nexit 8\n";

/// A copy of the launcher with the least tree around it. Every call of a tool leaves a line in
/// log().
class Sandbox {
  public:
    Sandbox() {
        for (const char* name : {"headroom", ".dependencies"}) {
            fs::copy_file(fs::path(HEADROOM_SOURCE_DIR) / name, root() / name);
        }
        for (const char* folder : {"sim", "policies", "traces", "scenarios", "analysis"}) {
            write_text(root() / folder / "a.cpp", "");
        }
        write_text(root() / "CMakeLists.txt", "");
        write_text(root() / "CMakePresets.json", "{}");
        write_script(scratch_ / "bin/dpkg-query", kDpkgQuery);
        write_script(scratch_ / "bin/id", kId);
        write_script(scratch_ / "bin/sudo", kSudo);
        write_script(scratch_ / "bin/apt-get", kAptGet);
        write_script(scratch_ / "bin/cmake", kCmake);
        write_script(scratch_ / "bin/ninja", kNinja);
        write_script(scratch_ / "bin/ctest", kCtest);
        options.environment = {{"PATH", scratch_ / "bin:/usr/bin:/bin"},
                               {"STUB_LOG", log_path()},
                               {"HEADROOM_BUILD_JOBS", "3"},
                               {"HEADROOM_DEPENDENCIES", std::nullopt}};
    }
    [[nodiscard]] fs::path root() const { return scratch_.path() / "a tree"; }
    [[nodiscard]] std::string log_path() const { return scratch_ / "log"; }
    [[nodiscard]] std::string log() const {
        return fs::exists(log_path()) ? read_text(log_path()) : "";
    }
    void forget() { fs::remove(log_path()); }
    void set(const std::string& name, const std::string& value) {
        options.environment.emplace_back(name, value);
    }
    RunResult launch(const std::vector<std::string>& arguments) const {
        return run_program(root() / "headroom", arguments, options);
    }
    /// A launcher that has built; later calls shall find nothing to do.
    void build() {
        REQUIRE(launch({}).exit_code == 0);
        forget();
    }

    RunOptions options;

  private:
    struct Root {
        explicit Root(const TemporaryDirectory& scratch) {
            fs::create_directories(scratch.path() / "a tree");
        }
    };
    TemporaryDirectory scratch_;
    Root made_{scratch_};
};

/// File systems count change times in ticks of a few milliseconds.
void let_a_tick_pass() {
    std::this_thread::sleep_for(milliseconds(20));
}

}  // namespace

TEST_CASE("Launcher: builds on the first call, with all it says on stderr") {
    Sandbox box;
    const RunResult r = box.launch({"--version"});
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "<--version>"));
    CHECK_FALSE(contains(r.out, "output"));
    CHECK_FALSE(contains(r.out, "Linking"));
    CHECK(contains(r.err, "cmake output"));
    CHECK(contains(r.err, "[1/1] Linking headroom"));
    const std::string root = box.root();
    CHECK(box.log() == "cmake --preset release -S " + root + "\nninja -C " + root +
                           "/build/release -j 3 headroom\n");
}

TEST_CASE("Launcher: is quiet and calls no tool when nothing changed") {
    Sandbox box;
    box.build();
    const RunResult r = box.launch({"--version"});
    CHECK(r.err.empty());
    CHECK(box.log().empty());
    CHECK(contains(r.out, "<--version>"));
}

TEST_CASE("Launcher: becomes the program: arguments, working directory, exit code, signals") {
    Sandbox box;
    box.build();
    const TemporaryDirectory elsewhere;
    box.options.working_directory = elsewhere.path();
    const RunResult r = box.launch({"seven", "a b", "", "*"});
    CHECK(r.exit_code == 7);
    CHECK(r.out == elsewhere.path().string() + "\n<seven><a b><><*>");

    box.options.signal_after = milliseconds(200);
    CHECK(box.launch({"wait"}).signal == SIGINT);
}

TEST_CASE("Launcher: works through a symbolic link") {
    Sandbox box;
    box.build();
    const TemporaryDirectory elsewhere;
    fs::create_symlink(box.root() / "headroom", elsewhere / "hr");
    CHECK(contains(run_program(elsewhere / "hr", {"x"}, box.options).out, "<x>"));
}

TEST_CASE("Launcher: builds again when a source is changed, added or removed") {
    Sandbox box;
    box.build();
    let_a_tick_pass();
    SECTION("changed") {
        write_text(box.root() / "sim/a.cpp", "// changed");
    }
    SECTION("changed into a file with an old modification time") {
        write_text(box.root() / "sim/a.cpp", "// changed");
        fs::last_write_time(box.root() / "sim/a.cpp",
                            fs::file_time_type::clock::now() - std::chrono::hours(9999));
    }
    SECTION("added") {
        write_text(box.root() / "policies/b.cpp", "");
    }
    SECTION("removed") {
        fs::remove(box.root() / "traces/a.cpp");
    }
    SECTION("the build description") {
        write_text(box.root() / "CMakeLists.txt", "# changed");
    }
    SECTION("the program is gone") {
        fs::remove(box.root() / "build/release/headroom");
    }
    box.launch({});
    CHECK(contains(box.log(), "ninja "));
    box.forget();
    box.launch({});
    CHECK(box.log().empty());
}

TEST_CASE("Launcher: configures again when the presets changed or the tree was moved") {
    Sandbox box;
    box.build();
    let_a_tick_pass();
    SECTION("presets") {
        write_text(box.root() / "CMakePresets.json", "{ }");
        box.launch({});
        CHECK(contains(box.log(), "cmake --preset release"));
        CHECK_FALSE(contains(box.log(), "--fresh"));
    }
    SECTION("moved") {
        const TemporaryDirectory elsewhere;
        fs::copy(box.root(), elsewhere.path() / "t", fs::copy_options::recursive);
        CHECK(run_program(elsewhere / "t/headroom", {}, box.options).exit_code == 0);
        CHECK(contains(box.log(), "cmake --preset release -S " + (elsewhere / "t") + " --fresh"));
    }
}

TEST_CASE("Launcher: says nothing when a changed file turns out to need no build") {
    Sandbox box;
    box.build();
    let_a_tick_pass();
    write_text(box.root() / "scenarios/note.md", "");
    box.set("STUB_IDLE", "yes");
    const RunResult r = box.launch({});
    CHECK(contains(box.log(), "ninja "));
    CHECK(r.err.empty());
}

TEST_CASE("Launcher: a failed build ends with 3 and the compiler's words, every time") {
    Sandbox box;
    box.build();
    let_a_tick_pass();
    write_text(box.root() / "sim/a.cpp", "broken");
    box.set("STUB_ERROR", "a.cpp:1: error: broken");
    for (int attempt = 0; attempt < 2; ++attempt) {
        const RunResult r = box.launch({"x"});
        CHECK(r.exit_code == 3);
        CHECK(r.out.empty());
        CHECK(contains(r.err, "a.cpp:1: error: broken"));
    }
}

TEST_CASE("Launcher: a signal ends a build at once") {
    Sandbox box;
    box.set("STUB_HANG", "yes");
    box.options.signal_after = milliseconds(500);
    box.options.signal = SIGTERM;
    const RunResult r = box.launch({});
    CHECK(r.exit_code == 128 + SIGTERM);
    CHECK(r.wall < milliseconds(30'000));
}

TEST_CASE("Launcher: calls at the same time build once") {
    Sandbox box;
    box.set("STUB_BUILD_SECONDS", "0.3");
    std::vector<RunResult> results(4);
    std::vector<std::thread> threads;
    for (RunResult& result : results) {
        threads.emplace_back([&box, &result] { result = box.launch({"x"}); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const RunResult& result : results) {
        CHECK(result.exit_code == 0);
        CHECK(contains(result.out, "<x>"));
    }
    CHECK(count_lines(box.log()) == 2);  // one cmake, one ninja
}

TEST_CASE("Launcher: a missing package without rights prints the one command and ends with 2") {
    Sandbox box;
    box.set("STUB_MISSING", "libfmt-dev catch2 ccache");
    const RunResult r = box.launch({"--version"});
    CHECK(r.exit_code == 2);
    CHECK(r.out.empty());
    CHECK(contains(r.err, "apt-get install -y --no-install-recommends libfmt-dev catch2 ccache\n"));
    CHECK(contains(r.err, "    sudo apt-get "));
    CHECK(count_lines(r.err) == 2);
    CHECK(box.log().empty());
}

TEST_CASE("Launcher: installs what is missing where it may, then builds") {
    Sandbox box;
    box.set("STUB_MISSING", "libfmt-dev catch2 ccache");
    const std::string command =
        "apt-get install -y --no-install-recommends libfmt-dev catch2 ccache\n";
    SECTION("as root") {
        box.set("STUB_UID", "0");
        const RunResult r = box.launch({"x"});
        CHECK(r.exit_code == 0);
        CHECK(contains(r.out, "<x>"));
        CHECK_FALSE(contains(r.out, "apt-get output"));
        CHECK(contains(r.err, "apt-get output"));
        CHECK(contains("\n" + box.log(), "\n" + command));
        CHECK_FALSE(contains(box.log(), "sudo"));
        CHECK(contains(box.log(), "ninja "));
    }
    SECTION("with sudo that asks for no password") {
        box.set("STUB_SUDO", "yes");
        CHECK(box.launch({"x"}).exit_code == 0);
        CHECK(contains(box.log(), "sudo -n env DEBIAN_FRONTEND=noninteractive " + command));
    }
    SECTION("and ends with 3 when that fails, after it tried with new package lists") {
        box.set("STUB_UID", "0");
        box.set("STUB_APT_EXIT", "100");
        CHECK(box.launch({"x"}).exit_code == 3);
        CHECK(contains(box.log(), command + "apt-get update\n" + command));
        CHECK_FALSE(contains(box.log(), "ninja "));
    }
}

TEST_CASE("Launcher: a missing optional package alone stops nothing") {
    Sandbox box;
    box.set("STUB_MISSING", "ccache");
    CHECK(box.launch({}).exit_code == 0);
    CHECK_FALSE(contains(box.log(), "apt-get"));
}

TEST_CASE("Launcher: asks for the packages of the CI only where the second compiler is used") {
    Sandbox box;
    box.set("STUB_MISSING", "clang");
    CHECK(box.launch({}).exit_code == 0);
    const RunResult r = box.launch({"build", "ci"});
    CHECK(r.exit_code == 2);
    CHECK(contains(r.err, "--no-install-recommends clang\n"));
}

TEST_CASE("Launcher: test builds everything, runs ctest and answers with its exit code") {
    Sandbox box;
    const std::string root = box.root();
    const RunResult r = box.launch({"test", "-R", "unit"});
    CHECK(r.exit_code == 8);
    CHECK(contains(box.log(), "ninja -C " + root + "/build/release -j 3 all\nctest --test-dir " +
                                  root + "/build/release --output-on-failure -j 3 -R unit\n"));
    box.forget();
    box.launch({"test", "--preset", "asan", "--target", "unit_tests"});
    CHECK(box.log() == "cmake --list-presets\ncmake --preset asan -S " + root + "\nninja -C " +
                           root + "/build/asan -j 3 unit_tests\nctest --test-dir " + root +
                           "/build/asan --output-on-failure -j 3\n");
}

TEST_CASE("Launcher: refuses what it does not understand with 2") {
    Sandbox box;
    const RunResult unknown = box.launch({"build", "fast"});
    CHECK(unknown.exit_code == 2);
    CHECK(contains(unknown.err, "release asan"));
    CHECK(box.launch({"build", "../elsewhere"}).exit_code == 2);
    CHECK(box.launch({"build", "release", "asan"}).exit_code == 2);
    CHECK(box.launch({"test", "--preset"}).exit_code == 2);
    box.options.environment[2].second = "many";
    const RunResult jobs = box.launch({"build"});
    CHECK(jobs.exit_code == 2);
    CHECK(contains(jobs.err, "HEADROOM_BUILD_JOBS"));
}

TEST_CASE("Launcher: this tree's own prints its version in one line and nothing else") {
    const fs::path root(HEADROOM_SOURCE_DIR);
    const bool of_launcher = fs::path(HEADROOM_BINARY) == root / "build/release/headroom" &&
                             fs::exists(root / "build/release/.headroom-built");
    if (!of_launcher) {
        WARN("skipped: the launcher did not build the program under test");
        return;
    }
    // A first call may have to look for something to build; the second has nothing to do.
    RunOptions options;
    options.time_limit = std::chrono::minutes(10);
    REQUIRE(run_program(root / "headroom", {"--version"}, options).exit_code == 0);
    const RunResult r = run_program(root / "headroom", {"--version"}, options);
    CHECK(r.exit_code == 0);
    CHECK(r.err.empty());
    CHECK(count_lines(r.out) == 1);
}

}  // namespace headroom::acceptance
