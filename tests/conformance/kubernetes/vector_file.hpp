/// Reads a file of conformance vectors, which lie beside the checkout and need not be there.
#pragma once

#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace headroom::conformance {

using Json = nlohmann::json;

/// The cases, or nullopt after saying that the test is skipped.
inline std::optional<Json> read_vectors(const std::string& name) {
    const std::string path = std::string(HEADROOM_SOURCE_DIR "/../shared/vectors/") + name;
    std::ifstream file(path);
    if (!file) {
        std::printf("skipped: %s is not there\n", name.c_str());
        return std::nullopt;
    }
    return Json::parse(file);
}

/// Counts cases by kind and prints one "file kind: passed/all" line each.
class Tally {
  public:
    explicit Tally(std::string file) : file_(std::move(file)) {}
    ~Tally() {
        for (const auto& [kind, count] : counts_) {
            std::printf("%s %s: %d/%d\n", file_.c_str(), kind.c_str(), count.passed, count.all);
        }
        for (const auto& [kind, count] : uncovered_) {
            std::printf("%s %s: %d not covered\n", file_.c_str(), kind.c_str(), count);
        }
    }
    Tally(const Tally&) = delete;
    Tally& operator=(const Tally&) = delete;

    void add(const std::string& kind, bool passed) {
        ++counts_[kind].all;
        counts_[kind].passed += passed ? 1 : 0;
    }
    void skip(const std::string& kind_and_reason) { ++uncovered_[kind_and_reason]; }

  private:
    struct Count {
        int passed = 0;
        int all = 0;
    };
    std::string file_;
    std::map<std::string, Count> counts_;
    std::map<std::string, int> uncovered_;
};

}  // namespace headroom::conformance
