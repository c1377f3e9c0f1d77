// The digests of three library scenarios, equal for any number of threads, macro or single steps,
// g++ and clang++. A commit that changes one of them changes results: it restates the digest here
// and says why.
#include <regex>

#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

struct Golden {
    const char* scenario;
    const char* digest;
};
constexpr Golden kGolden[] = {
    {"quickstart", "e6a621d3a9f13b94ea121177e1e3db4a"},
    {"three-cells", "91c9824912ac428f979fc3d1606e1c45"},
    {"kv-pressure", "442648b53d8e75afbae4faeea2dcc8da"},
};

std::string digest_of(const std::string& summary) {
    std::smatch match;
    const std::regex field("\"digest\": *\"([0-9a-f]{32})\"");
    return std::regex_search(summary, match, field) ? match[1].str() : "none";
}

}  // namespace

TEST_CASE("Digest: three library scenarios keep theirs, whatever the threads and steps") {
    for (const Golden& golden : kGolden) {
        const std::string path =
            std::string(HEADROOM_SOURCE_DIR "/scenarios/library/") + golden.scenario + ".json";
        const std::vector<std::vector<std::string>> ways = {
            {}, {"--threads", "2"}, {"--threads", "4"}, {"--exact-steps"}};
        std::string first;
        for (const auto& way : ways) {
            const TemporaryDirectory directory;
            std::vector<std::string> args = {"run", path, "--out", directory / "out"};
            args.insert(args.end(), way.begin(), way.end());
            const RunResult result = run(args);
            INFO(golden.scenario << (way.empty() ? "" : " " + way[0]) << "\n" << result.err);
            REQUIRE(result.exit_code == 0);
            const std::string summary = read_text((directory / "out") + "/summary.json");
            CHECK(digest_of(summary) == golden.digest);
            if (first.empty()) first = summary;
            CHECK(summary == first);  // byte for byte
        }
    }
}

}  // namespace headroom::acceptance
