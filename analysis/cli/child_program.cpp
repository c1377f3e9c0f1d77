#include "analysis/cli/child_program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

namespace headroom::analysis {

namespace {

constexpr long kLookEveryNs = 20'000'000;

[[noreturn]] void fail(int error, const std::string& what) {
    throw std::system_error(error, std::generic_category(), what);
}

/// What the child gets that differs from ours: files, signals, group.
class SpawnPlan {
  public:
    SpawnPlan() {
        require(::posix_spawn_file_actions_init(&files_));
        require(::posix_spawnattr_init(&attributes_));
        require(
            ::posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
        require(::posix_spawn_file_actions_adddup2(&files_, STDERR_FILENO, STDOUT_FILENO));
        sigset_t signals;
        ::sigemptyset(&signals);
        require(::posix_spawnattr_setsigmask(&attributes_, &signals));
        for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) ::sigaddset(&signals, signal);
        require(::posix_spawnattr_setsigdefault(&attributes_, &signals));
        require(::posix_spawnattr_setpgroup(&attributes_, 0));
        require(::posix_spawnattr_setflags(
            &attributes_, static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETPGROUP)));
    }
    ~SpawnPlan() {
        ::posix_spawn_file_actions_destroy(&files_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;

    [[nodiscard]] pid_t spawn(const std::string& program, std::vector<std::string> words) const {
        words.insert(words.begin(), program);
        std::vector<char*> pointers;
        for (std::string& word : words) pointers.push_back(word.data());
        pointers.push_back(nullptr);
        pid_t child = -1;
        const int error =
            ::posix_spawn(&child, program.c_str(), &files_, &attributes_, pointers.data(), environ);
        if (error != 0) fail(error, "cannot start " + program);
        return child;
    }

  private:
    static void require(int error) {
        if (error != 0) fail(error, "cannot prepare a program's start");
    }
    posix_spawn_file_actions_t files_{};
    posix_spawnattr_t attributes_{};
};

}  // namespace

ChildResult run_child(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments, const StopSignal& stop) {
    const pid_t child = SpawnPlan().spawn(program.string(), arguments);
    bool told = false;
    int status = 0;
    for (;;) {
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child) break;
        if (ended < 0 && errno != EINTR) fail(errno, "cannot wait for " + program.string());
        if (stop.raised() && !told) {
            told = true;
            ::kill(child, SIGINT);
        }
        const timespec pause{0, kLookEveryNs};
        ::nanosleep(&pause, nullptr);
    }
    if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), true};
    return {WEXITSTATUS(status), false};
}

}  // namespace headroom::analysis
