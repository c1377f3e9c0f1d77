#include "tests/fuzz/scenarios/scenario_files.hpp"

#include <stdexcept>

#include "tests/fuzz/fuzz_case.hpp"

namespace headroom::scenarios {

std::vector<std::string> library_scenarios() {
    std::vector<std::string> texts;
    for (std::string& text : tests::repository_jsons("scenarios/library")) {
        texts.push_back(with_absolute_paths(std::move(text)));
    }
    return texts;
}

std::vector<std::string> library_rule_tests() {
    std::vector<std::string> texts;
    for (std::string& text : tests::repository_jsons("scenarios/library/rule-tests")) {
        texts.push_back(with_absolute_paths(std::move(text)));
    }
    return texts;
}

std::string with_absolute_paths(std::string text) {
    const auto replace = [&](const std::string& from, const std::string& to) {
        for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
            text.replace(at, from.size(), to);
            at += to.size();
        }
    };
    replace("\"../../traces/", "\"" HEADROOM_SOURCE_DIR "/traces/");
    replace("\"scenario\": \"../", "\"scenario\": \"" HEADROOM_SOURCE_DIR "/scenarios/library/");
    return text;
}

std::shared_ptr<const Catalogue> shared_catalogue() {
    static const std::shared_ptr<const Catalogue> catalogue = [] {
        Diagnostics problems;
        auto loaded = Catalogue::load(Catalogue::default_directory(), problems);
        if (!loaded) throw std::runtime_error("the catalogue has mistakes");
        return std::make_shared<const Catalogue>(std::move(*loaded));
    }();
    return catalogue;
}

}  // namespace headroom::scenarios
