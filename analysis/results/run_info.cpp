#include "analysis/results/run_info.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "analysis/results/version.hpp"

namespace headroom::analysis {

namespace {

double read_clock(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

Stopwatch Stopwatch::now() {
    return {read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID)};
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

double requests_per_cpu_s(const RunInfo& info) {
    return info.cpu_s > 0 ? static_cast<double>(info.requests) / info.cpu_s : 0;
}

std::string run_json(const RunInfo& info) {
    utsname machine{};
    ::uname(&machine);
    const nlohmann::ordered_json out = {
        {"version", program_version()},
        {"started_at", info.started_at},
        {"command_line", info.command_line},
        {"wall_s", info.wall_s},
        {"cpu_s", info.cpu_s},
        {"requests", info.requests},
        {"requests_per_cpu_s", requests_per_cpu_s(info)},
        {"threads", info.threads},
        {"exact_steps", info.exact_steps},
        {"host", std::string(machine.nodename)},
        {"system", std::string(machine.sysname) + " " + machine.release + " " + machine.machine},
        {"compiler", __VERSION__}};
    return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace headroom::analysis
