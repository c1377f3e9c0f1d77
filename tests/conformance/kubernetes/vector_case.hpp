/// A conformance case of Kubernetes or one of its autoscalers is a JSON object {name, kind, inputs
/// ..., expected ..., source}; a file is an array of them. Each kind has one runner, which builds
/// what it needs from the case's fields alone and says how our answer differs. Runners register
/// themselves from the file of their subject (hpa_cases.cpp, keda_cases.cpp, ...):
///
///     const CaseKind kSlowStart{"slow_start_batch", run_slow_start_batch};
///
/// No runner knows a case's name. A difference names the field, what was expected and what came. A
/// runner throws NotCovered for a case of its kind that asks for what the simulator does not have.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace headroom::conformance {

using Json = nlohmann::json;

/// Returns how our answer differs from the expected one; empty: it does not.
using CaseRunner = std::string (*)(const Json& item);

struct NotCovered {
    std::string reason;
};

/// By kind; sorted, so that nothing depends on the order of linking.
inline std::map<std::string, CaseRunner>& case_runners() {
    static std::map<std::string, CaseRunner> runners;
    return runners;
}

/// Registers a runner while the program starts.
struct CaseKind {
    CaseKind(const char* kind, CaseRunner runner) { case_runners().emplace(kind, runner); }
};

}  // namespace headroom::conformance
