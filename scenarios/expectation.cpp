#include "scenarios/expectation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "scenarios/diagnostic.hpp"
#include "scenarios/metric_paths.hpp"
#include "scenarios/quantities.hpp"
#include "sim/core/nearest_name.hpp"

namespace headroom::scenarios {

namespace {

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    std::size_t at = 0;
    while ((at = text.find_first_not_of(" \t", at)) != std::string_view::npos) {
        const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

std::string quote(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

bool parse_moment(std::string_view text, Time& out, std::string& error) {
    const Parsed<Duration> parsed = parse_duration(text);
    if (!parsed) {
        error = parsed.expected + ", found " + quote(text);
        return false;
    }
    out = Time::zero() + *parsed.value;
    return true;
}

bool check_metric(const Expectation& out, const std::vector<std::string>& services,
                  std::string& error) {
    const bool series = out.when != Expectation::When::whole_run;
    const std::vector<std::string> known =
        series ? series_metric_paths(services) : summary_metric_paths(services);
    if (std::binary_search(known.begin(), known.end(), out.metric)) return true;
    error = series ? "expected a series such as \"replicas\"" : "expected a metric of the summary";
    error += ", found " + quote(out.metric);
    const std::vector<std::string> other =
        series ? summary_metric_paths(services) : series_metric_paths(services);
    if (std::binary_search(other.begin(), other.end(), out.metric)) {
        error += series ? " (a number of the whole run: leave out the time)"
                        : " (a series: add \"at 10m\" or \"during 5m..20m\", or take " +
                              quote(out.metric + ".max") + ")";
    } else {
        error += did_you_mean(nearest_name(out.metric, known));
    }
    return false;
}

bool parse_subject(std::string_view subject, Expectation& out, std::string& error) {
    const std::vector<std::string_view> words = words_of(subject);
    const bool timed = words.size() == 3 && (words[1] == "at" || words[1] == "during");
    if (words.size() != 1 && !timed) {
        error = "expected \"metric\", \"metric at 10m\" or \"metric during 5m..20m\", found " +
                quote(subject);
        return false;
    }
    out.metric = std::string(words[0]);
    if (!timed) return true;
    if (words[1] == "at") {
        out.when = Expectation::When::at;
        if (!parse_moment(words[2], out.from, error)) return false;
        out.to = out.from;
        return true;
    }
    out.when = Expectation::When::during;
    const std::size_t dots = words[2].find("..");
    if (dots == std::string_view::npos) {
        error = "expected a span such as \"5m..20m\", found " + quote(words[2]);
        return false;
    }
    if (!parse_moment(words[2].substr(0, dots), out.from, error) ||
        !parse_moment(words[2].substr(dots + 2), out.to, error)) {
        return false;
    }
    if (out.from <= out.to) return true;
    error = "expected a span that ends after it begins, found " + quote(words[2]);
    return false;
}

struct Operator {
    std::string_view text;
    Comparison comparison;
};
// Longer ones first: "<=" begins with "<".
constexpr std::array<Operator, 6> kOperators = {{{"<=", Comparison::less_equal},
                                                 {">=", Comparison::greater_equal},
                                                 {"==", Comparison::equal},
                                                 {"!=", Comparison::not_equal},
                                                 {"<", Comparison::less},
                                                 {">", Comparison::greater}}};

bool parse_number(std::string_view text, double& out) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, out);
    return parsed.ec == std::errc{} && parsed.ptr == end && std::isfinite(out);
}

/// Who writes "< 90" of a fraction or "< 90ms" of a number of requests means something else, and
/// the condition would hold, or fail, whatever happens.
bool fits_unit(MetricUnit unit, bool percentage, bool duration, double bound) {
    if (unit == MetricUnit::seconds) return !percentage;
    if (unit == MetricUnit::fraction) return !duration && bound >= 0 && bound <= 1;
    return !percentage && !duration;
}

std::string value_of_unit(MetricUnit unit) {
    if (unit == MetricUnit::seconds) return "a number of seconds or a duration such as \"250ms\"";
    if (unit == MetricUnit::fraction) return "a share from 0 to 1, or such as \"95%\"";
    return "a number without a unit";
}

bool parse_condition(std::string_view condition, Expectation& out, std::string& error) {
    const std::string example = "expected a condition such as \"< 2\", \">= 95%\" or \"<= 1m30s\"";
    const std::size_t first = condition.find_first_not_of(" \t");
    std::string_view rest = first == std::string_view::npos ? "" : condition.substr(first);
    const auto op = std::find_if(kOperators.begin(), kOperators.end(), [rest](const Operator& o) {
        return rest.substr(0, o.text.size()) == o.text;
    });
    if (op == kOperators.end()) {
        error = example + ", found " + quote(condition);
        if (rest.substr(0, 2) == "=<" || rest.substr(0, 2) == "=>") {
            error +=
                did_you_mean(std::string(rest.substr(1, 1)) + "=" + std::string(rest.substr(2)));
        } else if (rest.substr(0, 1) == "=") {
            error += did_you_mean("=" + std::string(rest));
        }
        return false;
    }
    out.comparison = op->comparison;
    const std::vector<std::string_view> words = words_of(rest.substr(op->text.size()));
    const std::string_view value = words.size() == 1 ? words[0] : std::string_view{};
    const bool percentage = !value.empty() && value.back() == '%';
    bool is_duration = false;
    if (!parse_number(value.substr(0, value.size() - (percentage ? 1 : 0)), out.bound)) {
        const Parsed<Duration> duration = parse_duration(value);
        if (!duration) {
            error = example + ", found " + quote(condition);
            return false;
        }
        is_duration = true;
        out.bound = duration.value->to_seconds();
    }
    if (percentage) out.bound /= 100;
    const MetricUnit unit = unit_of(out.metric);
    if (fits_unit(unit, percentage, is_duration, out.bound)) return true;
    error = "expected " + value_of_unit(unit) + ", found " + quote(condition);
    return false;
}

bool holds(Comparison comparison, double value, double bound) {
    switch (comparison) {
        case Comparison::less:
            return value < bound;
        case Comparison::less_equal:
            return value <= bound;
        case Comparison::greater:
            return value > bound;
        case Comparison::greater_equal:
            return value >= bound;
        case Comparison::equal:
            return value == bound;
        case Comparison::not_equal:
            return value != bound;
    }
    return false;
}

}  // namespace

std::optional<Expectation> parse_expectation(std::string_view subject, std::string_view condition,
                                             const std::vector<std::string>& services,
                                             std::string& error, bool& error_in_condition) {
    Expectation out;
    out.text = std::string(subject) + " " + std::string(condition);
    error_in_condition = false;
    if (!parse_subject(subject, out, error) || !check_metric(out, services, error)) {
        return std::nullopt;
    }
    error_in_condition = true;
    if (!parse_condition(condition, out, error)) return std::nullopt;
    if (out.when == Expectation::When::during && out.comparison == Comparison::not_equal) {
        error = "expected a comparison that can hold over a span, found \"!=\"";
        return std::nullopt;
    }
    return out;
}

ExpectationResult evaluate(const Expectation& expectation, const MetricSource& source) {
    ExpectationResult result;
    const auto finish = [&](std::optional<double> value) {
        result.found = value;
        if (!value || std::isnan(*value)) {
            result.found.reset();
            result.message = expectation.text + ": there is no data";
        } else {
            result.held = holds(expectation.comparison, *value, expectation.bound);
            result.message = fmt::format("{}: found {:.6g}", expectation.text, *value);
        }
        return result;
    };
    switch (expectation.when) {
        case Expectation::When::whole_run:
            return finish(source.value(expectation.metric));
        case Expectation::When::at:
            return finish(source.value_at(expectation.metric, expectation.from));
        case Expectation::When::during:
            break;
    }
    const auto range = source.range(expectation.metric, expectation.from, expectation.to);
    if (!range) return finish(std::nullopt);
    // The end of the range that breaks the condition, if one does; an equality has two such ends.
    const bool low_matters =
        expectation.comparison == Comparison::greater ||
        expectation.comparison == Comparison::greater_equal ||
        (expectation.comparison == Comparison::equal && range->min != expectation.bound);
    return finish(low_matters ? range->min : range->max);
}

}  // namespace headroom::scenarios
