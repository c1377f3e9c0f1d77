// The policies and controllers against conformance cases: the project's own, and those of
// upstream's unit tests where they lie beside the project. What the program behind ./run prints,
// too.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/catch.hpp"
#include "tests/conformance/kubernetes/vector_runner.hpp"

namespace headroom::conformance {
namespace {

namespace fs = std::filesystem;

struct Answer {
    int code = 0;
    std::string out;
    std::string problems;
};

Answer run(const fs::path& folder) {
    std::ostringstream out;
    std::ostringstream problems;
    const int code = run_vectors(folder, out, problems);
    return {code, out.str(), problems.str()};
}

/// A folder of files that is gone at the end.
class Folder {
  public:
    Folder() {
        static int folders = 0;
        path_ = fs::temp_directory_path() /
                ("headroom-vectors-" + std::to_string(getpid()) + "-" + std::to_string(++folders));
        fs::remove_all(path_);
        fs::create_directories(path_);
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name) << text;
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

/// 12 calls succeed of 1, 2, 4 and 8.
std::string slow_start(const std::string& name, int expected_calls) {
    return R"({"kind": "slow_start_batch", "name": ")" + name + R"(", "count": 20,
               "initial_batch": 1, "calls_that_succeed": 12, "expected_successes": 12,
               "expected_error": true, "expected_calls": )" +
           std::to_string(expected_calls) + "}";
}

}  // namespace

TEST_CASE("Vectors: the project's own cases pass, and each is covered") {
    const Answer answer = run(HEADROOM_SOURCE_DIR "/tests/conformance/kubernetes/cases");
    INFO(answer.out << answer.problems);
    CHECK(answer.code == 0);
    CHECK(answer.out.find("not covered") == std::string::npos);
    CHECK(answer.out.find("deployment: ") != std::string::npos);
}

TEST_CASE("Vectors: those of upstream's unit tests pass") {
    const fs::path folder = fs::path(HEADROOM_SOURCE_DIR) / ".." / "shared" / "vectors";
    if (!fs::is_directory(folder)) {
        std::cout << "skipped: upstream's vectors are not beside the project\n";
        return;
    }
    const Answer answer = run(folder);
    INFO(answer.out << answer.problems);
    CHECK(answer.code == 0);
    for (const char* file : {"deployment_rolling: ", "hpa_behavior: ", "hpa_reconcile: ",
                             "hpa_replica_calc: ", "pod_deletion_rank: "}) {
        const auto line = answer.out.find(file);
        REQUIRE(line != std::string::npos);
        const std::string text = answer.out.substr(line, answer.out.find('\n', line) - line);
        CHECK(text.find("not covered") == std::string::npos);
    }
}

TEST_CASE("Vectors: a line for each file says what passed, failed and is not covered") {
    const Folder folder;
    folder.write("b_good.json", "[" + slow_start("as it is", 15) + "]");
    folder.write("a_mixed.json", "[" + slow_start("one more", 16) + "," +
                                     slow_start("as it is", 15) +
                                     R"(, {"kind": "slow_start_batch", "name": "half a case"},
                        {"kind": "unheard-of", "name": "x"}, {"plugin": "NoPlugin"}, 7])");
    folder.write("c_facts.json", R"([{"kind": "unheard-of", "name": "x", "value": 2}])");
    folder.write("d_empty.json", "[]");
    folder.write("readme.txt", "not a case");
    fs::create_directories(folder.path() / "deeper");
    const Answer answer = run(folder.path());
    CHECK(answer.code == 1);
    CHECK(answer.problems.empty());
    const auto unread = answer.out.find("  half a case: the case cannot be read: ");
    REQUIRE(unread != std::string::npos);
    const auto end = answer.out.find('\n', unread) + 1;
    CHECK(answer.out.substr(unread, end - unread).find("calls_that_succeed") != std::string::npos);
    CHECK(answer.out.substr(0, unread) ==
          "a_mixed: 1/3, 3 not covered (kinds: NoPlugin, none given, unheard-of)\n"
          "  one more: calls: expected 16, found 15\n");
    CHECK(answer.out.substr(end) ==
          "b_good: 1/1\n"
          "c_facts: not covered\n"
          "d_empty: not covered\n");
}

TEST_CASE("Vectors: a plugin's case that asks for more than there is names the reason") {
    const Folder folder;
    folder.write("scores.json", R"([{"plugin": "NodeAffinity", "name": "x", "added_affinity": {}},
                                    {"plugin": "helper/BrokenLinear", "name": "line",
                                     "points": [{"utilization": 0, "score": 0},
                                                {"utilization": 100, "score": 10}],
                                     "expected": [{"p": 50, "value": 5}]}])");
    const Answer answer = run(folder.path());
    CHECK(answer.code == 0);
    CHECK(answer.out ==
          "scores: 1/1, 1 not covered (kinds: NodeAffinity (affinity added by configuration))\n");
}

TEST_CASE("Vectors: bad files are named, and the others run") {
    const Folder folder;
    folder.write("a.json", "{\"kind\": \"pair\"}");
    folder.write("b.json", "[1, 2");
    folder.write("c.json", "[" + slow_start("one more", 16) + "]");
    const Answer answer = run(folder.path());
    CHECK(answer.code == 2);
    CHECK(answer.out == "c: 0/1\n  one more: calls: expected 16, found 15\n");
    CHECK(answer.problems.find("a.json: expected a JSON array of cases, found object\n") !=
          std::string::npos);
    CHECK(answer.problems.find("b.json: expected a JSON array of cases: ") != std::string::npos);
}

TEST_CASE("Vectors: a folder that is not there, or holds no cases, is refused") {
    const Folder folder;
    folder.write("readme.txt", "not a case");
    const Answer none = run(folder.path());
    CHECK(none.code == 2);
    CHECK(none.problems.find("expected files *.json directly in it") != std::string::npos);
    const Answer nowhere = run(folder.path() / "nowhere");
    CHECK(nowhere.code == 2);
    CHECK(nowhere.problems.find("nowhere: expected a folder") != std::string::npos);
    CHECK(run(folder.path() / "readme.txt").code == 2);
}

}  // namespace headroom::conformance
