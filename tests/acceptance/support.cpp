#include "tests/acceptance/support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace headroom::acceptance {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// A file descriptor with an owner.
class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool open() const { return fd_ >= 0; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

  private:
    int fd_;
};

struct Channel {
    Descriptor ours;
    Descriptor theirs;
};

Channel make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Channel make_terminal() {
    int ours = -1;
    int theirs = -1;
    winsize size{};
    size.ws_row = 24;
    size.ws_col = 80;
    if (::openpty(&ours, &theirs, nullptr, nullptr, &size) != 0) fail("openpty");
    ::fcntl(ours, F_SETFD, FD_CLOEXEC);
    ::fcntl(theirs, F_SETFD, FD_CLOEXEC);
    return {Descriptor(ours), Descriptor(theirs)};
}

/// Standard input from a file, so that no program blocks the test by not reading it.
Descriptor make_input(const std::string& text) {
    if (text.empty()) return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::FILE* file = std::tmpfile();
    if (file == nullptr) fail("tmpfile");
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (!written || std::fflush(file) != 0) fail("tmpfile");
    Descriptor input(::fcntl(::fileno(file), F_DUPFD_CLOEXEC, 0));
    std::fclose(file);
    ::lseek(input.get(), 0, SEEK_SET);
    return input;
}

std::vector<std::string> make_environment(const RunOptions& options) {
    std::vector<std::string> result;
    const auto is_changed = [&](std::string_view entry) {
        const std::string_view name = entry.substr(0, entry.find('='));
        return std::any_of(options.environment.begin(), options.environment.end(),
                           [&](const auto& change) { return change.first == name; });
    };
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (!is_changed(*entry)) result.emplace_back(*entry);
    }
    for (const auto& [name, value] : options.environment) {
        if (value) result.push_back(name + "=" + *value);
    }
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

/// Looks a program up along the PATH that it will get, as a shell would.
std::string find_program(const std::string& program, const std::vector<std::string>& environment) {
    if (contains(program, "/")) return program;
    std::string_view path = "/usr/bin:/bin";
    for (const std::string& entry : environment) {
        if (entry.rfind("PATH=", 0) == 0) path = std::string_view(entry).substr(5);
    }
    std::istringstream folders{std::string(path)};
    for (std::string folder; std::getline(folders, folder, ':');) {
        const std::string candidate = folder + "/" + program;
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    errno = ENOENT;
    fail(program);
}

/// What the child needs, all made before the fork: after it only async-signal-safe calls are
/// allowed.
struct ChildPlan {
    const char* program = nullptr;
    char** arguments = nullptr;
    char** environment = nullptr;
    const char* working_directory = nullptr;
    int in = -1;
    int out = -1;
    int err = -1;
    int failure = -1;  ///< where errno goes when the program cannot be started
};

[[noreturn]] void become(const ChildPlan& plan) {
    ::setpgid(0, 0);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) {
        ::signal(number, SIG_DFL);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const bool ready = ::dup2(plan.in, STDIN_FILENO) >= 0 && ::dup2(plan.out, STDOUT_FILENO) >= 0 &&
                       ::dup2(plan.err, STDERR_FILENO) >= 0 &&
                       (plan.working_directory == nullptr || ::chdir(plan.working_directory) == 0);
    if (ready) ::execve(plan.program, plan.arguments, plan.environment);
    const int error = errno;
    (void)!::write(plan.failure, &error, sizeof error);
    ::_exit(127);
}

/// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string& text) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
    // A terminal whose other side is closed answers EIO, not 0.
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/// Follows one child until it has ended and its output has been read.
class Watch {
  public:
    Watch(pid_t child, Descriptor out, Descriptor err, const RunOptions& options)
        : child_(child), out_(std::move(out)), err_(std::move(err)), options_(options) {}

    RunResult finish() {
        while (!ended_ || out_.open() || err_.open()) {
            act_on_time();
            read_some();
            reap();
        }
        // Whatever the program left running goes with it.
        ::kill(-child_, SIGKILL);
        result_.wall = since_start();
        return std::move(result_);
    }

  private:
    [[nodiscard]] milliseconds since_start() const {
        return std::chrono::duration_cast<milliseconds>(Clock::now() - start_);
    }
    void act_on_time() {
        const milliseconds now = since_start();
        if (options_.signal_after && !signalled_ && !ended_ && now >= *options_.signal_after) {
            signalled_ = true;
            ::kill(child_, options_.signal);
        }
        // A process that the program left behind may keep the pipes open; it is not waited for.
        constexpr milliseconds kGrace{1000};
        if (ended_ && now >= ended_at_ + kGrace) {
            out_.close();
            err_.close();
        }
        if (ended_ || now < options_.time_limit) return;
        result_.timed_out = true;
        ::kill(-child_, SIGKILL);
    }
    void read_some() {
        std::array<pollfd, 2> waiting{{{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}}};
        constexpr int kTickMs = 2;
        if (::poll(waiting.data(), waiting.size(), kTickMs) <= 0) return;
        if (waiting[0].revents != 0 && !drain(out_.get(), result_.out)) out_.close();
        if (waiting[1].revents != 0 && !drain(err_.get(), result_.err)) err_.close();
    }
    void reap() {
        int status = 0;
        if (ended_ || ::waitpid(child_, &status, WNOHANG) != child_) return;
        ended_ = true;
        ended_at_ = since_start();
        result_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        result_.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

    pid_t child_;
    Descriptor out_;
    Descriptor err_;
    const RunOptions& options_;
    Clock::time_point start_ = Clock::now();
    bool ended_ = false;
    milliseconds ended_at_{0};
    bool signalled_ = false;
    RunResult result_;
};

}  // namespace

RunResult run(const std::vector<std::string>& arguments, const RunOptions& options) {
    return run_program(HEADROOM_BINARY, arguments, options);
}

RunResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                      const RunOptions& options) {
    std::vector<std::string> environment = make_environment(options);
    std::vector<std::string> words = arguments;
    words.insert(words.begin(), program);
    const std::string file = find_program(program, environment);
    const std::vector<char*> argv = pointers(words);
    const std::vector<char*> envp = pointers(environment);

    Channel out = make_pipe();
    Channel err = options.terminal ? make_terminal() : make_pipe();
    Channel failure = make_pipe();
    const Descriptor in = make_input(options.input);
    ChildPlan plan;
    plan.program = file.c_str();
    plan.arguments = const_cast<char**>(argv.data());
    plan.environment = const_cast<char**>(envp.data());
    if (!options.working_directory.empty()) {
        plan.working_directory = options.working_directory.c_str();
    }
    plan.in = in.get();
    plan.out = out.theirs.get();
    plan.err = err.theirs.get();
    plan.failure = failure.theirs.get();

    const pid_t child = ::fork();
    if (child < 0) fail("fork");
    if (child == 0) become(plan);
    ::setpgid(child, child);  // in both, so that it is done whoever runs first
    out.theirs.close();
    err.theirs.close();
    failure.theirs.close();
    int error = 0;
    if (::read(failure.ours.get(), &error, sizeof error) == sizeof error) {
        ::waitpid(child, nullptr, 0);
        errno = error;
        fail("cannot start " + file);
    }
    return Watch(child, std::move(out.ours), std::move(err.ours), options).finish();
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "headroom-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail(name);
    path_ = std::filesystem::canonical(name);
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::unwritable(std::string_view name) const {
    const std::filesystem::path file = path_ / "a-regular-file";
    write_text(file, "");
    return file / name;
}

std::string read_text(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(path.string());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_text(const std::filesystem::path& path, std::string_view text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) fail(path.string());
}

void write_script(const std::filesystem::path& path, std::string_view text) {
    write_text(path, text);
    std::filesystem::permissions(path, std::filesystem::perms(0755));
}

std::size_t count_lines(std::string_view text) {
    const auto feeds = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    return feeds + (text.empty() || text.back() == '\n' ? 0 : 1);
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace headroom::acceptance
