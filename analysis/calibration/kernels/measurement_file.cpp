#include "analysis/calibration/kernels/measurement_file.hpp"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace headroom::kernels {

namespace {

using Json = nlohmann::ordered_json;

void require_finite(const std::string& what, std::initializer_list<double> numbers) {
    for (const double number : numbers) {
        if (!std::isfinite(number)) throw std::invalid_argument(what + ": a number is not finite");
    }
}

void require_positive(const std::string& what, std::initializer_list<double> numbers) {
    require_finite(what, numbers);
    for (const double number : numbers) {
        if (number <= 0) throw std::invalid_argument(what + ": a number is not above 0");
    }
}

/// To 6 digits: more than a timer knows, and JSON does not write 17.
double rounded(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.6g", value);
    return std::strtod(text.data(), nullptr);
}

Json to_json(const Shape& shape) {
    Json json = Json::object();
    for (const auto& [name, value] : shape) json[name] = value;
    return json;
}

Json to_json(const DeviceFacts& device) {
    return {{"name", device.name},           {"cc", device.compute_capability},
            {"sms", device.multiprocessors}, {"memory", device.memory_bytes},
            {"l2", device.l2_bytes},         {"power_limit_w", device.power_limit_w}};
}

Json to_json(const StackFacts& stack) {
    return {{"driver", stack.driver},
            {"cuda", stack.cuda},
            {"cublaslt", stack.cublaslt},
            {"cudnn", stack.cudnn},
            {"build", stack.build}};
}

Json to_json(const EnvironmentFacts& environment) {
    return {{"mode", environment.mode},
            {"started", environment.started},
            {"sm_clock_mhz", environment.sm_clock_mhz},
            {"memory_clock_mhz", environment.memory_clock_mhz},
            {"temperature_c", environment.temperature_c},
            {"throttling", environment.throttling}};
}

Json to_json(const CeilingFacts& ceilings) {
    return {{"read_bytes_per_s", rounded(ceilings.read_bytes_per_s)},
            {"bf16_flop_per_s", rounded(ceilings.bf16_flop_per_s)},
            {"fp8_flop_per_s", rounded(ceilings.fp8_flop_per_s)}};
}

Json to_json(const CheckRecord& check) {
    return {{"op", check.op},
            {"dtype", check.dtype},
            {"kernel", check.kernel},
            {"shape", to_json(check.shape)},
            {"relative_l2", rounded(check.relative_l2)},
            {"tolerance", check.tolerance},
            {"passed", check.passed()}};
}

Json to_json(const PointRecord& point) {
    return {{"op", point.op},
            {"dtype", point.dtype},
            {"shape", to_json(point.shape)},
            {"kernel", point.kernel},
            {"t_s", rounded(point.median_s)},
            {"p10_s", rounded(point.p10_s)},
            {"p90_s", rounded(point.p90_s)},
            {"n", point.replays},
            {"tflops", rounded(point.tflops)},
            {"gbs", rounded(point.gbs)},
            {"pct_ceiling", rounded(point.pct_ceiling)}};
}

Json to_json(const PowerRecord& power) {
    return {{"op", power.op}, {"dtype", power.dtype}, {"watts", rounded(power.watts)}};
}

Json to_json(const DriftRecord& drift) {
    return {{"at_s", rounded(drift.at_s)}, {"t_s", rounded(drift.median_s)}};
}

/// An array with one record a line: a thousand points stay readable and a diff shows one of them.
template <class Record>
void append_array(std::string& text, const char* name, const std::vector<Record>& records) {
    text += std::string(",\n \"") + name + "\": [";
    for (std::size_t i = 0; i < records.size(); ++i) {
        text += i == 0 ? "\n  " : ",\n  ";
        text += to_json(records[i]).dump();
    }
    text += records.empty() ? "]" : "\n ]";
}

std::string partial_of(const std::string& path) {
    return path + ".partial";
}

[[noreturn]] void fail(const std::string& path) {
    throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

}  // namespace

std::string to_text(const Shape& shape) {
    std::string text;
    for (const auto& [name, value] : shape) {
        text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
    }
    return text;
}

MeasurementFile::MeasurementFile(std::string path, MeasurementHead head)
    : path_(std::move(path)), head_(std::move(head)) {}

void MeasurementFile::set_ceilings(const CeilingFacts& ceilings) {
    require_positive("ceilings", {ceilings.read_bytes_per_s, ceilings.bf16_flop_per_s});
    require_finite("ceilings", {ceilings.fp8_flop_per_s});
    ceilings_ = ceilings;
}

void MeasurementFile::add(const CheckRecord& check) {
    require_finite("check of " + check.op, {check.relative_l2, check.tolerance});
    checks_.push_back(check);
}

void MeasurementFile::add(const PointRecord& point) {
    const std::string what = point.op + " " + to_text(point.shape);
    require_positive(what, {point.median_s, point.p10_s, point.p90_s});
    require_finite(what, {point.tflops, point.gbs, point.pct_ceiling});
    points_.push_back(point);
}

void MeasurementFile::add(const PowerRecord& power) {
    require_positive("power of " + power.op, {power.watts});
    power_.push_back(power);
}

void MeasurementFile::add(const DriftRecord& drift) {
    require_positive("drift", {drift.median_s});
    require_finite("drift", {drift.at_s});
    drift_.push_back(drift);
}

std::string MeasurementFile::text() const {
    std::string text = "{\"schema\": 1, \"kind\": \"measurement\", \"complete\": ";
    text += complete_ ? "true" : "false";
    text += ",\n \"device\": " + to_json(head_.device).dump();
    text += ",\n \"stack\": " + to_json(head_.stack).dump();
    text += ",\n \"environment\": " + to_json(head_.environment).dump();
    text += ",\n \"ceilings\": " + to_json(ceilings_).dump();
    append_array(text, "checks", checks_);
    append_array(text, "points", points_);
    append_array(text, "power", power_);
    append_array(text, "drift", drift_);
    return text + "}\n";
}

void MeasurementFile::save_if_due(double now_s) {
    if (saved_ && now_s - saved_at_s_ < kSavedEveryS) return;
    save();
    saved_at_s_ = now_s;
}

void require_writable(const std::string& path) {
    const std::string partial = partial_of(path);
    if (!std::ofstream(partial, std::ios::binary | std::ios::trunc)) fail(partial);
    static_cast<void>(std::remove(partial.c_str()));
}

void MeasurementFile::save() {
    const std::string partial = partial_of(path_);
    std::ofstream out(partial, std::ios::binary | std::ios::trunc);
    if (!out) fail(partial);
    out << text();
    out.close();
    if (!out) fail(partial);
    if (std::rename(partial.c_str(), path_.c_str()) != 0) {
        const int reason = errno;
        static_cast<void>(std::remove(partial.c_str()));
        errno = reason;
        fail(path_);
    }
    saved_ = true;
}

void MeasurementFile::finish() {
    complete_ = true;
    save();
}

}  // namespace headroom::kernels
