// The kernel benchmark's program: parses, checks, measures the ceilings, sweeps, holds for power.

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/calibration/kernels/all_ops.hpp"
#include "analysis/calibration/kernels/arguments.hpp"
#include "analysis/calibration/kernels/ceilings.hpp"
#include "analysis/calibration/kernels/gpu_state.hpp"
#include "analysis/calibration/kernels/measurement_file.hpp"
#include "analysis/calibration/kernels/opened_device.hpp"
#include "analysis/calibration/kernels/progress.hpp"
#include "analysis/calibration/kernels/quantile.hpp"
#include "analysis/calibration/kernels/stop.hpp"
#include "analysis/calibration/kernels/sweep.hpp"

namespace headroom::kernels {

namespace {

constexpr int kGood = 0;
constexpr int kCheckFailed = 1;
constexpr int kBadUsage = 2;
constexpr int kDeviceFailed = 3;
constexpr int kNoDevice = 77;

using Ops = std::vector<std::unique_ptr<Op>>;

/// Leaves the ops meant by --only; UsageError for a word that means none.
void keep_only(const std::vector<std::string>& words, Ops& ops) {
    if (words.empty()) return;
    const auto means = [](const std::string& word, const Op& op) {
        return selects(word, op.name(), op.dtype(), op.kernel());
    };
    std::string known;
    for (const auto& op : ops) {
        known += (known.empty() ? "" : ", ") + op->name() + ":" + op->dtype() + ":" + op->kernel();
    }
    for (const std::string& word : words) {
        if (std::none_of(ops.begin(), ops.end(),
                         [&](const auto& op) { return means(word, *op); })) {
            throw UsageError("--only: there is no op \"" + word +
                             "\"; expected the name, name:dtype or name:kernel of " + known);
        }
    }
    std::erase_if(ops, [&](const auto& op) {
        return std::none_of(words.begin(), words.end(),
                            [&](const std::string& word) { return means(word, *op); });
    });
}

int list_with(const Context& context, const Arguments& given) {
    Ops ops = all_ops(context);
    keep_only(given.only, ops);
    for (const auto& op : ops) {
        for (const Shape& shape : op->shapes(given.quick ? Mode::quick : Mode::full)) {
            std::printf("%s %s %s %s\n", op->name().c_str(), op->dtype().c_str(),
                        op->kernel().c_str(), to_text(shape).c_str());
        }
    }
    return kGood;
}

/// cuDNN says only with a device which of its ops there are; all others are known without one.
int list(const Arguments& given) {
    std::optional<OpenedDevice> device;
    try {
        device.emplace(given.device);
    } catch (const NoDevice& error) {
        std::fprintf(stderr, "%s: the ops of cuDNN are not listed\n", error.what());
    }
    return list_with(device ? device->context() : Context{}, given);
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    std::array<char, 32> text{};
    if (gmtime_r(&now, &parts) == nullptr) return "";
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

MeasurementHead head_of(const OpenedDevice& device, const GpuState& state, bool quick) {
    MeasurementHead head;
    head.device = device.facts();
    head.device.power_limit_w = state.power_limit_w().value_or(0);
    head.stack = device.stack();
    head.stack.driver = state.driver();
    head.environment.mode = quick ? "quick" : "full";
    head.environment.started = utc_now();
    return head;
}

/// 128 + the signal, as a shell has it; 0: none came.
int interrupted() {
    return stop_signal() == 0 ? 0 : 128 + stop_signal();
}

int report_checks(const CheckResults& checks) {
    for (const std::string& failure : checks.failures) {
        std::fprintf(stderr, "check failed: %s\n", failure.c_str());
    }
    if (!checks.failures.empty()) {
        std::fprintf(stderr, "%zu checks failed, %zu passed: nothing is measured.\n",
                     checks.failures.size(), checks.passed());
        std::string only;
        for (const std::string& op : checks.good_ops) only += (only.empty() ? "" : ",") + op;
        if (!only.empty()) {
            std::fprintf(stderr, "What passed is measured with --only=%s\n", only.c_str());
        }
        return kCheckFailed;
    }
    double worst = 0;
    for (const CheckRecord& record : checks.records) {
        worst = std::max(worst, record.relative_l2 / record.tolerance);
    }
    std::fprintf(stderr, "checks: %zu passed, the worst at %.0f %% of its tolerance\n",
                 checks.records.size(), 100 * worst);
    return kGood;
}

/// A line an op: how many points, and how near they come to their ceilings.
void print_summary(const Ops& ops, const std::vector<PointRecord>& points) {
    std::printf("%-18s %-5s %-9s %7s %9s %9s\n", "op", "dtype", "kernel", "points", "median %",
                "best %");
    for (const auto& op : ops) {
        std::vector<double> percents;
        for (const PointRecord& point : points) {
            if (point.op == op->name() && point.dtype == op->dtype() &&
                point.kernel == op->kernel()) {
                percents.push_back(point.pct_ceiling);
            }
        }
        if (percents.empty()) continue;
        std::printf("%-18s %-5s %-9s %7zu %9.1f %9.1f\n", op->name().c_str(), op->dtype().c_str(),
                    op->kernel().c_str(), percents.size(), quantile(percents, 0.5),
                    quantile(percents, 1.0));
    }
}

int measure(const Arguments& given, OpenedDevice& device, const Run& run) {
    if (!given.check_only) require_writable(given.out);  // the checks take half a minute
    const CheckResults checks = run_checks(run);
    if (const int status = report_checks(checks); status != kGood) return status;
    if (interrupted() != 0) return interrupted();
    if (given.check_only) return kGood;

    const bool quick = run.mode == Mode::quick;
    MeasurementFile file(given.out, head_of(device, run.state, quick));
    for (const CheckRecord& record : checks.records) file.add(record);
    const CeilingFacts ceilings = measure_ceilings(run.context);
    file.set_ceilings(ceilings);
    file.save();
    std::fprintf(stderr, "ceilings: read %.0f GB/s, bf16 %.0f TFLOP/s, fp8 %.0f TFLOP/s\n",
                 ceilings.read_bytes_per_s * 1e-9, ceilings.bf16_flop_per_s * 1e-12,
                 ceilings.fp8_flop_per_s * 1e-12);

    try {
        for (const std::string& line : sweep(run, ceilings, file)) {
            std::fprintf(stderr, "left out: %s\n", line.c_str());
        }
        if (interrupted() == 0) hold_power(run, file);
    } catch (const DeviceError&) {
        file.save();  // what there is stays
        throw;
    }
    if (interrupted() != 0) return interrupted();
    file.finish();
    print_summary(run.ops, file.points());
    std::fprintf(stderr, "%s: %zu points in %.0f s\n", given.out.c_str(), file.points().size(),
                 now_s());
    return kGood;
}

int run_program(const Arguments& given) {
    if (given.help) {
        std::fputs(help_text().c_str(), stdout);
        return kGood;
    }
    if (given.list) return list(given);
    catch_stop_signals();
    OpenedDevice device(given.device);
    const GpuState state(device.pci_bus_id());
    std::fprintf(stderr, "%s, driver %s\n", device.facts().name.c_str(),
                 state.driver().empty() ? "unknown" : state.driver().c_str());
    Ops ops = all_ops(device.context());
    keep_only(given.only, ops);
    return measure(given, device,
                   Run{device.context(), state, ops, given.quick ? Mode::quick : Mode::full});
}

}  // namespace

}  // namespace headroom::kernels

int main(int count, char** words) {
    using namespace headroom::kernels;
    static_cast<void>(now_s());  // from here on it counts
    try {
        return run_program(parse_arguments({words + 1, words + count}));
    } catch (const UsageError& error) {
        std::fprintf(stderr, "%s\n--help says more\n", error.what());
        return kBadUsage;
    } catch (const NoDevice& error) {
        std::fprintf(stderr,
                     "skipped: %s\nIt measures on a machine with an NVIDIA GPU and its driver: run "
                     "it there; --list shows what it would measure.\n",
                     error.what());
        return kNoDevice;
    } catch (const DeviceError& error) {
        std::fprintf(stderr, "the device failed: %s\n", error.what());
        return kDeviceFailed;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return kBadUsage;
    }
}
