#include "analysis/results/requests_csv.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <vector>

#include "analysis/results/text_file.hpp"

namespace headroom::analysis {

namespace {

/// Bytes collected before they go to the file.
constexpr std::size_t kFlushAt = 1 << 16;

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

void append_moment(std::string& line, Time time) {
    if (time != Time::max()) append_padded_seconds(line, time.ps());
    line += ',';
}

void append_row(std::string& text, const serving::RequestRow& row, const std::string& id_prefix,
                const std::string& service, const std::vector<std::string>& pods) {
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "{}{},{},", id_prefix, row.id, service);
    append_moment(text, row.arrival);
    append_moment(text, row.first_scheduled);
    append_moment(text, row.first_token);
    append_moment(text, row.finish);
    fmt::format_to(out, "{},{},{},", row.prompt_tokens, row.output_tokens, row.preemptions);
    if (row.instance != serving::RequestRow::kNoInstance) text += pods[row.instance];
    text += ',';
    text += serving::to_string(row.outcome);
    text += '\n';
}

}  // namespace

void write_requests_csv(const std::filesystem::path& path, const SimulationSpec& spec,
                        const SimulationResult& result, const std::atomic<bool>* stop) {
    std::vector<std::string> prefixes(spec.sources.size());
    if (spec.sources.size() > 1) {
        for (std::size_t i = 0; i < prefixes.size(); ++i) {
            prefixes[i] = csv_field(spec.sources[i].name) + "/";
        }
    }
    std::vector<std::string> services;
    for (const serving::ServiceSpec& service : spec.services) {
        services.push_back(csv_field(service.name));
    }
    std::vector<std::vector<std::string>> pods = result.control.instance_pods;
    pods.resize(spec.services.size());
    for (std::vector<std::string>& names : pods) {
        for (std::string& name : names) name = csv_field(name);
    }
    TextFile file(path);
    std::string text =
        "id,service,arrival_s,first_scheduled_s,first_token_s,finish_s,prompt_tokens,output_tokens,"
        "preemptions,pod,outcome\n";
    for (const serving::RequestRow& row : result.rows) {
        append_row(text, row, prefixes[row.source], services[row.service], pods[row.service]);
        if (text.size() < kFlushAt) continue;
        file.write(text);
        text.clear();
        if (stop != nullptr && stop->load(std::memory_order_relaxed)) return;
    }
    file.write(text);
    file.close();
}

}  // namespace headroom::analysis
