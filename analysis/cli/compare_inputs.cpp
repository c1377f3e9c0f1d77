#include "analysis/cli/compare_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace headroom::analysis {

namespace {

namespace fs = std::filesystem;

/// What tells a side from another one: the file that says what is different about it.
const std::string& own_file(const CompareInput& input) {
    return input.patch.empty() ? input.file : input.patch;
}

bool one_file(const CompareInput& a, const CompareInput& b) {
    std::error_code error;
    return a.patch.empty() == b.patch.empty() &&
           fs::weakly_canonical(own_file(a), error) == fs::weakly_canonical(own_file(b), error);
}

void add(CompareInputs& inputs, const std::string& file, const std::string& patch,
         const scenarios::LoadOptions& options) {
    scenarios::LoadOptions own = options;
    if (!patch.empty()) own.patches.push_back(patch);
    scenarios::LoadResult loaded = scenarios::load_scenario(file, own);
    for (scenarios::Diagnostic& diagnostic : loaded.diagnostics) {
        const bool told = std::any_of(
            inputs.diagnostics.begin(), inputs.diagnostics.end(),
            [&](const scenarios::Diagnostic& d) { return d.text() == diagnostic.text(); });
        if (!told) inputs.diagnostics.push_back(std::move(diagnostic));
    }
    if (!loaded.scenario) return;
    std::string name = loaded.scenario->name;
    const bool unnamed =
        !patch.empty() && !inputs.scenarios.empty() && inputs.scenarios[0].scenario.name == name;
    if (unnamed) name = fs::path(patch).stem().string();
    inputs.scenarios.push_back({std::move(name), file, patch, std::move(*loaded.scenario)});
}

/// Those with a name that another one has too are called by their files.
void name_by_file(std::vector<CompareInput>& inputs) {
    std::vector<std::string> names;
    for (const CompareInput& input : inputs) names.push_back(input.name);
    for (CompareInput& input : inputs) {
        if (std::count(names.begin(), names.end(), input.name) < 2) continue;
        input.name = fs::path(own_file(input)).stem().string();
    }
}

void tell_apart(CompareInputs& inputs) {
    name_by_file(inputs.scenarios);
    std::vector<CompareInput>& all = inputs.scenarios;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < all.size(); ++i) {
        names.push_back(all[i].name);
        int same = 1;
        for (std::size_t j = 0; j < i; ++j) {
            if (names[j] != names[i]) continue;
            if (!one_file(all[j], all[i])) {
                inputs.mistakes.push_back(
                    fmt::format("{} and {} are both called {}: expected different names; set "
                                "\"name\" in one of them",
                                own_file(all[j]), own_file(all[i]), names[i]));
                return;
            }
            ++same;
        }
        if (same > 1) all[i].name += fmt::format(" ({})", same);
    }
}

/// Common random numbers: the base's seed is everybody's.
void share_seed(CompareInputs& inputs) {
    const scenarios::Scenario& base = inputs.scenarios.front().scenario;
    for (CompareInput& input : inputs.scenarios) {
        if (input.scenario.spec.seed == base.spec.seed) continue;
        inputs.notes.push_back(fmt::format("{} has seed {}; compared under that of {}, {}",
                                           input.name, input.scenario.spec.seed,
                                           inputs.scenarios.front().name, base.spec.seed));
        input.scenario.spec.seed = base.spec.seed;
    }
}

void collect_warnings(CompareInputs& inputs) {
    for (const CompareInput& input : inputs.scenarios) {
        for (const std::string& warning : input.scenario.warnings) {
            std::string note = "warning: " + warning;
            if (std::find(inputs.notes.begin(), inputs.notes.end(), note) == inputs.notes.end()) {
                inputs.notes.push_back(std::move(note));
            }
        }
    }
}

}  // namespace

CompareInputs load_compare_inputs(const std::vector<std::string>& files,
                                  const std::vector<std::string>& patches,
                                  scenarios::LoadOptions options) {
    CompareInputs inputs;
    if (options.catalogue == nullptr) {
        options.catalogue = scenarios::Catalogue::load_default(inputs.diagnostics);
    }
    for (const std::string& file : files) add(inputs, file, "", options);
    const bool base_is_good = !inputs.scenarios.empty() && inputs.scenarios[0].file == files[0];
    if (base_is_good) {
        for (const std::string& patch : patches) add(inputs, files.front(), patch, options);
    }
    if (inputs.diagnostics.empty()) tell_apart(inputs);
    if (!inputs.diagnostics.empty() || !inputs.mistakes.empty()) {
        scenarios::sort_diagnostics(inputs.diagnostics);
        inputs.scenarios.clear();
        return inputs;
    }
    share_seed(inputs);
    collect_warnings(inputs);
    return inputs;
}

}  // namespace headroom::analysis
