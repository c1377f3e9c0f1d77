#include "analysis/results/decisions_jsonl.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "analysis/results/text_file.hpp"

namespace headroom::analysis {

std::string_view to_string(control::Decision::Outcome outcome) {
    switch (outcome) {
        case control::Decision::Outcome::changed:
            return "changed";
        case control::Decision::Outcome::blocked:
            return "blocked";
        case control::Decision::Outcome::unchanged:
            return "unchanged";
    }
    return "";
}

std::string_view to_string(control::Decision::About about) {
    switch (about) {
        case control::Decision::About::workload:
            return "workload";
        case control::Decision::About::pod:
            return "pod";
        case control::Decision::About::node:
            return "node";
    }
    return "";
}

nlohmann::ordered_json decision_json(const control::Decision& decision) {
    nlohmann::ordered_json json = {{"time_s", decision.time.to_seconds()},
                                   {"actor", decision.actor},
                                   {"subject", decision.subject},
                                   {"about", to_string(decision.about)},
                                   {"outcome", to_string(decision.outcome)},
                                   {"before", decision.before},
                                   {"wanted", decision.wanted},
                                   {"after", decision.after},
                                   {"reason", decision.reason}};
    if (!decision.inputs.empty()) json["inputs"] = decision.inputs;
    return json;
}

void write_decisions_jsonl(const std::filesystem::path& path,
                           const std::vector<control::Decision>& decisions) {
    using Json = nlohmann::ordered_json;
    TextFile file(path);
    for (const control::Decision& decision : decisions) {
        const Json line = decision_json(decision);
        file.write(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    }
    file.close();
}

}  // namespace headroom::analysis
