#include "tests/conformance/kubernetes/vector_runner.hpp"

#include <algorithm>
#include <fstream>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/conformance/kubernetes/vector_case.hpp"

namespace headroom::conformance {
namespace {

namespace fs = std::filesystem;

struct FileTally {
    int passed = 0;
    int covered = 0;
    int not_covered = 0;
    std::set<std::string> kinds;  ///< that are not covered, some with the reason
    std::vector<std::string> failures;
};

/// Empty: it has none.
std::string kind_of(const Json& item) {
    if (!item.is_object()) return "";
    for (const char* key : {"kind", "plugin"}) {
        const auto found = item.find(key);
        if (found != item.end() && found->is_string()) return found->get<std::string>();
    }
    return "";
}

std::string name_of(const Json& item, std::size_t index) {
    const auto found = item.find("name");
    const bool named = found != item.end() && found->is_string();
    return named ? found->get<std::string>() : "case " + std::to_string(index);
}

void run_case(const Json& item, std::size_t index, FileTally& tally) {
    const std::string kind = kind_of(item);
    const auto runner = case_runners().find(kind);
    if (kind.empty() || runner == case_runners().end()) {
        ++tally.not_covered;
        tally.kinds.insert(kind.empty() ? "none given" : kind);
        return;
    }
    std::string difference;
    try {
        difference = runner->second(item);
    } catch (const NotCovered& missing) {
        ++tally.not_covered;
        tally.kinds.insert(kind + " (" + missing.reason + ")");
        return;
    } catch (const std::exception& problem) {
        difference = std::string("the case cannot be read: ") + problem.what();
    }
    ++tally.covered;
    if (difference.empty()) {
        ++tally.passed;
    } else {
        tally.failures.push_back(name_of(item, index) + ": " + difference);
    }
}

void print(const std::string& name, const FileTally& tally, std::ostream& out) {
    if (tally.covered == 0) {
        out << name << ": not covered" << std::endl;
        return;
    }
    out << name << ": " << tally.passed << '/' << tally.covered;
    if (tally.not_covered > 0) {
        out << ", " << tally.not_covered << " not covered (kinds: ";
        const char* separator = "";
        for (const std::string& kind : tally.kinds) {
            out << separator << kind;
            separator = ", ";
        }
        out << ')';
    }
    out << '\n';
    for (const std::string& failure : tally.failures) out << "  " << failure << '\n';
    out << std::flush;
}

/// Whether the file could be read; `passed` says whether every covered case did.
bool run_file(const fs::path& path, std::ostream& out, std::ostream& problems, bool& passed) {
    Json items;
    try {
        std::ifstream file(path);
        items = Json::parse(file);
    } catch (const Json::exception& problem) {
        problems << path.string() << ": expected a JSON array of cases: " << problem.what() << '\n';
        return false;
    }
    if (!items.is_array()) {
        problems << path.string() << ": expected a JSON array of cases, found " << items.type_name()
                 << '\n';
        return false;
    }
    FileTally tally;
    for (std::size_t i = 0; i < items.size(); ++i) run_case(items[i], i, tally);
    print(path.stem().string(), tally, out);
    passed = passed && tally.failures.empty();
    return true;
}

}  // namespace

int run_vectors(const fs::path& folder, std::ostream& out, std::ostream& problems) {
    if (!fs::is_directory(folder)) {
        problems << folder.string() << ": expected a folder of conformance cases\n";
        return 2;
    }
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".json" && entry.is_regular_file()) {
            files.push_back(entry.path());
        }
    }
    if (files.empty()) {
        problems << folder.string() << ": expected files *.json directly in it, found none\n";
        return 2;
    }
    std::sort(files.begin(), files.end());
    bool passed = true;
    bool readable = true;
    for (const fs::path& path : files) {
        readable = run_file(path, out, problems, passed) && readable;
    }
    if (!readable) return 2;
    return passed ? 0 : 1;
}

}  // namespace headroom::conformance
