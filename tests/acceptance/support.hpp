/// Runs a program the way a user does and hands back what it did: exit code, standard output,
/// standard error. The child gets a process group of its own; at the time limit the whole group is
/// killed, so a test can hang for `time_limit` at most and leaves no process behind.
///
///     TemporaryDirectory scratch;
///     const RunResult r = run({"run", "a.json", "--out", scratch / "out"});
///     REQUIRE(r.exit_code == 0);
///     CHECK(r.err == "");                    // prints the whole text when it differs
///
/// run() starts the built binary (HEADROOM_BINARY), run_program() any other, looked up along PATH
/// when the name has no slash. Both throw std::runtime_error when the program cannot be started.
/// Times are milliseconds of the wall clock. Tests may use several threads, each with its own runs.
#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headroom::acceptance {

struct RunOptions {
    std::filesystem::path working_directory;  ///< empty: the test's own
    std::string input;                        ///< what the program reads on standard input
    /// Set on top of the test's own environment; nullopt takes a variable away.
    std::vector<std::pair<std::string, std::optional<std::string>>> environment;
    std::chrono::milliseconds time_limit{60'000};
    std::optional<std::chrono::milliseconds> signal_after;  ///< sends `signal` to the program then
    int signal = SIGINT;
    bool terminal = false;  ///< standard error is a terminal of 80 columns, as for a person
};

struct RunResult {
    int exit_code = -1;  ///< 128 + n when signal n ended it, as in a shell
    int signal = 0;      ///< the signal that ended it, or 0
    bool timed_out = false;
    std::string out;
    std::string err;
    std::chrono::milliseconds wall{0};
};

[[nodiscard]] RunResult run(const std::vector<std::string>& arguments,
                            const RunOptions& options = {});
[[nodiscard]] RunResult run_program(const std::string& program,
                                    const std::vector<std::string>& arguments,
                                    const RunOptions& options = {});

/// A folder that goes away with all that is in it when the object does.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::string operator/(std::string_view name) const { return path_ / name; }
    /// A path that nobody can create, root neither: it lies below a regular file.
    [[nodiscard]] std::string unwritable(std::string_view name) const;

  private:
    std::filesystem::path path_;
};

/// The whole file, or what it shall hold from now on (its folders are made). Both throw
/// std::runtime_error when that fails.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, std::string_view text);
/// The same, then marks the file as a program.
void write_script(const std::filesystem::path& path, std::string_view text);

/// The number of lines of a text; a last line without its line feed counts.
[[nodiscard]] std::size_t count_lines(std::string_view text);
[[nodiscard]] bool contains(std::string_view text, std::string_view part);

}  // namespace headroom::acceptance
