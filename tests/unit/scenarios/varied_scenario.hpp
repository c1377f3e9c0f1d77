/// Scenarios whose text stands in a test: loaded from a file of a folder that is gone afterwards,
/// as they are or after assignments, as --set makes them. What is read only when a source is made,
/// a trace, is gone then, too: such a test keeps a TemporaryFolder of its own.
///
///     const VariedScenario kQueue{R"({"duration": "1h", ...})"};
///     CHECK(kQueue.good({"/seed=7"}).spec.seed == 7);
///     CHECK(kQueue.mistake({"/drain=x"}) == "/drain: expected true or false, found \"x\"");
///
/// good, mistakes and mistake fail the test that asks for what there is not.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "scenarios/scenario.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::scenarios {

/// Names and contents.
using FilesBeside = std::vector<std::pair<std::string, std::string>>;

/// The text as s.json, with other files in its folder. In messages the file is "s.json".
inline LoadResult load_text(const std::string& text, const LoadOptions& options = {},
                            const FilesBeside& beside = {}) {
    const TemporaryFolder folder;
    folder.write("s.json", text);
    for (const auto& [name, content] : beside) folder.write(name, content);
    LoadResult result = load_scenario(folder.path("s.json"), options);
    for (Diagnostic& d : result.diagnostics) {
        if (d.where.file == folder.path("s.json")) d.where.file = "s.json";
    }
    return result;
}

inline Scenario good_scenario(LoadResult result) {
    for (const Diagnostic& d : result.diagnostics) UNSCOPED_INFO(d.text());
    REQUIRE(result.scenario.has_value());
    return std::move(*result.scenario);
}

struct VariedScenario {
    std::string text;
    FilesBeside beside{};

    [[nodiscard]] LoadResult load(std::vector<std::string> sets = {}) const {
        return load_text(text, {.sets = std::move(sets)}, beside);
    }
    [[nodiscard]] Scenario good(std::vector<std::string> sets = {}) const {
        return good_scenario(load(std::move(sets)));
    }
    /// Each as "pointer: message".
    [[nodiscard]] std::vector<std::string> mistakes(std::vector<std::string> sets) const {
        const LoadResult result = load(std::move(sets));
        CHECK_FALSE(result.scenario.has_value());
        std::vector<std::string> out;
        for (const Diagnostic& d : result.diagnostics) out.push_back(d.pointer + ": " + d.message);
        return out;
    }
    /// The only one.
    [[nodiscard]] std::string mistake(std::vector<std::string> sets) const {
        const std::vector<std::string> all = mistakes(std::move(sets));
        for (const std::string& one : all) UNSCOPED_INFO(one);
        REQUIRE(all.size() == 1);
        return all.front();
    }
    /// Whether the only mistake is at `pointer` and its message has this part.
    [[nodiscard]] bool complains(std::vector<std::string> sets, const std::string& pointer,
                                 const std::string& part) const {
        const LoadResult result = load(std::move(sets));
        for (const Diagnostic& d : result.diagnostics) UNSCOPED_INFO(d.pointer << ": " << d.text());
        return result.diagnostics.size() == 1 && result.diagnostics[0].pointer == pointer &&
               result.diagnostics[0].text().find(part) != std::string::npos;
    }
};

}  // namespace headroom::scenarios
