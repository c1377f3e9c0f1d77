#include "analysis/calibration/measurement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "scenarios/catalogue/fields.hpp"
#include "scenarios/located_json.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::analysis {

namespace {

using scenarios::Diagnostics;
using scenarios::Fields;

constexpr std::int64_t kSchema = 1;
/// The anchor product may differ by this share during a run before it is told.
constexpr double kNotableDrift = 0.03;
constexpr std::size_t kShownOfText = 200;  ///< bytes of a text in a message

using PointKey = std::tuple<std::string, std::string, std::string, LaunchShape>;

/// A text that may be empty.
std::string any_text(Fields& fields, const char* name) {
    const nlohmann::json* value = fields.take(name);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    fields.complain(name, "expected a text, found " + shortened(value->dump(), kShownOfText));
    return {};
}

void read_head(Fields& top, Measurement& out) {
    top.nested("device", [&](Fields& fields) {
        out.device.name = fields.text("name");
        out.device.compute_capability = fields.integer("cc", 1);
        out.device.multiprocessors = fields.integer("sms", 1);
        out.device.memory_bytes = fields.integer("memory", 1);
        out.device.l2_bytes = fields.integer("l2", 1);
        out.device.power_limit_w = fields.amount("power_limit_w");
    });
    top.nested("stack", [&](Fields& fields) {
        out.stack.driver = any_text(fields, "driver");
        out.stack.cuda = any_text(fields, "cuda");
        out.stack.cublaslt = any_text(fields, "cublaslt");
        out.stack.cudnn = any_text(fields, "cudnn");
        out.stack.build = any_text(fields, "build");
    });
    top.nested("environment", [&](Fields& fields) {
        out.environment.mode = fields.one_of("mode", {"quick", "full"});
        out.environment.started = fields.text("started");
        out.environment.sm_clock_mhz = fields.amount("sm_clock_mhz");
        out.environment.memory_clock_mhz = fields.amount("memory_clock_mhz");
        out.environment.temperature_c = fields.amount("temperature_c");
        out.environment.throttling = any_text(fields, "throttling");
    });
    top.nested("ceilings", [&](Fields& fields) {
        out.ceilings.read_bytes_per_s = fields.rate("read_bytes_per_s");
        out.ceilings.bf16_flops = fields.rate("bf16_flop_per_s");
        out.ceilings.fp8_flops = fields.amount("fp8_flop_per_s");
    });
}

/// The kind whose name stands in "op"; null after a complaint.
const OperatorKind* read_kind(Fields& fields) {
    const std::string op = fields.one_of("op", operator_names());
    return op.empty() ? nullptr : find_operator(op);
}

LaunchShape read_shape(Fields& fields, const OperatorKind& kind) {
    LaunchShape shape;
    fields.nested("shape", [&](Fields& inner) {
        for (const std::string& name : kind.fields) {
            shape.emplace_back(name, inner.integer(name.c_str(), 1));
        }
        const std::int64_t query_heads = field(shape, "query_heads");
        if (inner.good() && query_heads > 0 && query_heads % field(shape, "kv_heads") != 0) {
            inner.complain("kv_heads", "expected a divisor of query_heads");
        }
    });
    return shape;
}

/// Checked by op and dtype, for a warning about points that were not.
using Checked = std::set<std::pair<std::string, std::string>>;

Checked read_checks(Fields& top) {
    Checked checked;
    top.each("checks", [&](Fields& fields) {
        const OperatorKind* kind = read_kind(fields);
        const std::string dtype = fields.text("dtype");
        fields.text("kernel");
        fields.take("shape");  // may be another than what is timed
        const double error = fields.amount("relative_l2");
        const double tolerance = fields.rate("tolerance");
        const bool passed = fields.boolean("passed");
        if (!fields.good()) return;
        if (!passed || error >= tolerance) {
            fields.complain("", fmt::format("expected a passed check, found a relative error of "
                                            "{:.3g} of {} {} at a tolerance of {}",
                                            error, kind->name, dtype, tolerance));
        }
        checked.emplace(kind->name, dtype);
    });
    return checked;
}

void judge_point(Fields& fields, const OperatorKind& kind, const MeasuredPoint& point,
                 const Measurement& measurement) {
    if (point.p10_s > point.t_s || point.t_s > point.p90_s) {
        fields.complain("t_s", fmt::format("expected a median from p10_s to p90_s, found {}, {}, "
                                           "{}",
                                           point.p10_s, point.t_s, point.p90_s));
    }
    const scenarios::LaunchWork work = kind.work(point.dtype, point.shape);
    if (work.fp8 && measurement.ceilings.fp8_flops <= 0) {
        fields.complain("dtype", "expected a ceiling fp8_flop_per_s beside fp8 products");
        return;
    }
    const auto l2 = static_cast<double>(measurement.device.l2_bytes);
    if (is_impossible(work, point.t_s, measurement.ceilings, l2)) {
        fields.complain("t_s", fmt::format("expected no time below {:.3g}, what the ceilings allow "
                                           "within 5 %, found {:.3g}",
                                           roofline_s(work, measurement.ceilings), point.t_s));
    }
}

void read_points(Fields& top, bool ceilings_good, Measurement& out) {
    std::set<PointKey> seen;
    std::int64_t head_size = 0;
    top.each("points", [&](Fields& fields) {
        MeasuredPoint point;
        const OperatorKind* kind = read_kind(fields);
        point.dtype = kind != nullptr ? fields.one_of("dtype", kind->dtypes) : fields.text("dtype");
        point.kernel = fields.text("kernel");
        if (kind != nullptr) {
            point.op = kind->name;
            point.shape = read_shape(fields, *kind);
        } else {
            fields.take("shape");
        }
        point.t_s = fields.rate("t_s");
        point.p10_s = fields.rate("p10_s");
        point.p90_s = fields.rate("p90_s");
        fields.integer("n", 1);
        for (const char* name : {"tflops", "gbs", "pct_ceiling"}) fields.amount(name);
        if (!fields.good()) return;
        if (!seen.insert({point.op, point.dtype, point.kernel, point.shape}).second) {
            fields.complain("", "expected each point once, found a second time of " + point.op +
                                    " " + to_text(point.shape) + " by " + point.kernel);
        }
        if (kind->name == "decode_attention" || kind->name == "prefill_attention") {
            const std::int64_t size = field(point.shape, "head_size");
            if (head_size == 0) head_size = size;
            if (size != head_size) {
                fields.complain("shape", fmt::format("expected one head size of all attention, {}, "
                                                     "found {}",
                                                     head_size, size));
            }
        }
        if (ceilings_good) judge_point(fields, *kind, point, out);
        out.points.push_back(std::move(point));
    });
}

void read_rest(Fields& top, Measurement& out) {
    top.each("power", [](Fields& fields) {
        fields.text("op");
        fields.text("dtype");
        fields.rate("watts");
    });
    double first = 0;
    top.each("drift", [&](Fields& fields) {
        fields.amount("at_s");
        const double t = fields.rate("t_s");
        if (!fields.good()) return;
        if (first == 0) first = t;
        out.largest_drift = std::max(out.largest_drift, std::fabs(t / first - 1));
    });
}

void need_operators(Fields& top, const Measurement& measurement) {
    for (const OperatorKind& kind : operator_kinds()) {
        if (!kind.needed) continue;
        const bool found = std::any_of(
            measurement.points.begin(), measurement.points.end(), [&](const MeasuredPoint& point) {
                return point.op == kind.name && point.dtype == kind.dtypes.front();
            });
        if (found) continue;
        top.complain("points", "expected points of " + kind.name + " in " + kind.dtypes.front() +
                                   ", found none");
    }
}

void add_warnings(const Checked& checked, Measurement& out) {
    Checked told = checked;
    for (const MeasuredPoint& point : out.points) {
        if (!told.emplace(point.op, point.dtype).second) continue;
        out.warnings.push_back(point.op + " " + point.dtype +
                               " was timed but not checked against its reference");
    }
    if (!out.environment.throttling.empty()) {
        out.warnings.push_back("the device throttled: " +
                               shortened(out.environment.throttling, kShownOfText));
    }
    if (out.largest_drift > kNotableDrift) {
        out.warnings.push_back(fmt::format("the anchor product drifted by {:.1f} % during the run",
                                           100 * out.largest_drift));
    }
}

}  // namespace

std::optional<Measurement> read_measurement(const std::string& path,
                                            const ReadMeasurementOptions& options,
                                            Diagnostics& diagnostics) {
    const std::size_t before = diagnostics.size();
    const std::optional<scenarios::LocatedJson> document =
        scenarios::read_json_file(path, diagnostics);
    if (!document) return std::nullopt;
    Fields top(*document, "", document->value(), diagnostics);
    if (!top.good()) return std::nullopt;
    Measurement out;
    out.path = path;
    top.integer("schema", kSchema, kSchema);
    // Of another kind of file every further field would be unknown or missing.
    if (top.one_of("kind", {"measurement"}).empty()) return std::nullopt;
    out.complete = top.boolean("complete");
    if (!out.complete && !options.allow_incomplete && top.good()) {
        top.complain("complete",
                     "expected true: the run was cut short, its sweep has gaps "
                     "(--allow-incomplete takes what is there)");
    }
    const std::size_t before_head = diagnostics.size();
    read_head(top, out);
    const bool ceilings_good = diagnostics.size() == before_head;
    const Checked checked = read_checks(top);
    if (checked.empty() && top.has("checks") && top.good()) {
        top.complain("checks", "expected the results of at least one check");
    }
    const std::size_t before_points = diagnostics.size();
    read_points(top, ceilings_good, out);
    // A point that could not be read may be the one that is missed.
    if (options.need_all_operators && diagnostics.size() == before_points) {
        need_operators(top, out);
    } else if (out.points.empty() && diagnostics.size() == before_points) {
        top.complain("points", "expected at least one point");
    }
    read_rest(top, out);
    top.close();
    if (diagnostics.size() != before) return std::nullopt;
    add_warnings(checked, out);
    return out;
}

}  // namespace headroom::analysis
