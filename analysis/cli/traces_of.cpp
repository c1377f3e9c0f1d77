#include "analysis/cli/traces_of.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "analysis/results/run_info.hpp"
#include "sim/core/ascii.hpp"
#include "traces/readers/trace_summary.hpp"

namespace headroom::analysis {

namespace {

/// Rows between two looks at the clock.
constexpr std::int64_t kRowsAtOnce = 1 << 14;

/// The file that a message "file:line: ..." is about; empty when it has no such form.
std::string file_of(const std::string& message) {
    for (std::size_t colon = message.find(':'); colon != std::string::npos;
         colon = message.find(':', colon + 1)) {
        std::size_t end = colon + 1;
        while (end < message.size() && is_digit(message[end])) ++end;
        const bool numbered = end > colon + 1 && message.compare(end, 1, ":") == 0;
        std::error_code error;
        std::string file = message.substr(0, colon);
        if (numbered && std::filesystem::is_regular_file(file, error)) return file;
    }
    return {};
}

/// All mistakes of the file if the first one is among them, else the one that is known.
void add_errors(const std::string& first, TraceCheck& check) {
    const std::string file = file_of(first);
    if (!file.empty()) {
        const std::vector<std::string> all = traces::summarize(file).errors;
        if (std::find(all.begin(), all.end(), first) != all.end()) {
            check.errors.insert(check.errors.end(), all.begin(), all.end());
            return;
        }
    }
    check.errors.push_back(first);
}

}  // namespace

std::vector<std::size_t> trace_sources(const scenarios::Scenario& scenario) {
    const nlohmann::json document = nlohmann::json::parse(scenario.canonical, nullptr, false);
    std::vector<std::size_t> found;
    if (!document.is_object() || !document.contains("sources")) return found;
    const nlohmann::json& sources = document["sources"];
    for (std::size_t i = 0; i < scenario.spec.sources.size(); ++i) {
        const std::string& name = scenario.spec.sources[i].name;
        if (sources.contains(name) && sources[name].contains("trace")) found.push_back(i);
    }
    return found;
}

std::optional<std::int64_t> count_trace_requests(const scenarios::Scenario& scenario,
                                                 double patience_s) {
    if (trace_sources(scenario).size() != scenario.spec.sources.size()) return std::nullopt;
    const double deadline_s = Stopwatch::now().wall_s + patience_s;
    std::int64_t requests = 0;
    for (const serving::SourceSpec& source : scenario.spec.sources) {
        const auto trace = source.make(scenario.spec.seed);
        while (trace->peek()) {
            (void)trace->take();
            if (++requests % kRowsAtOnce == 0 && Stopwatch::now().wall_s > deadline_s) {
                return std::nullopt;
            }
        }
    }
    return requests;
}

TraceCheck check_traces(const scenarios::Scenario& scenario) {
    TraceCheck check;
    for (const std::size_t index : trace_sources(scenario)) {
        const auto trace = scenario.spec.sources[index].make(scenario.spec.seed);
        while (trace->peek()) {
            (void)trace->take();
            ++check.requests;
        }
        if (!trace->error().empty()) add_errors(trace->error(), check);
    }
    return check;
}

}  // namespace headroom::analysis
