#include "analysis/experiments/check_files.hpp"

#include <filesystem>

#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

using scenarios::TemporaryFolder;

constexpr const char* kEmptyScenario = R"({"services": {}, "expect": {}})";

/// "a.json b/c.json!", with ! behind rule tests and ? behind what cannot be read.
std::string found_in(const CheckFiles& files, const TemporaryFolder& folder) {
    std::string out;
    for (const CheckFile& file : files.files) {
        const auto path =
            std::filesystem::path(file.path).lexically_normal().lexically_relative(folder.path(""));
        out += (out.empty() ? "" : " ") + path.string();
        if (file.kind == CheckFile::Kind::rule_test) out += '!';
        if (file.kind == CheckFile::Kind::unreadable) out += '?';
    }
    return out;
}

std::string reason_for(const CheckFiles& files, const std::string& path) {
    for (const LeftOut& file : files.left_out) {
        if (file.path == path) return file.reason;
    }
    return "it is not left out";
}

}  // namespace

TEST_CASE("CheckFiles: of a folder all scenarios and rule tests below it, in order of paths") {
    const TemporaryFolder folder;
    folder.write("b.json", kEmptyScenario);
    folder.write("a/z.json", R"({"extends": "../b.json"})");
    folder.write("a/rule.json", R"({"tests": {}, "scenario": "z.json"})");
    folder.write("c.json", R"({"sources": {}})");
    folder.write("note.txt", "no check");
    const CheckFiles files = find_check_files({folder.path("")});
    CHECK(found_in(files, folder) == "a/rule.json! a/z.json b.json c.json");
    CHECK(files.left_out.empty());
}

TEST_CASE("CheckFiles: patches, baselines, results and other files are left out, with the reason") {
    const TemporaryFolder folder;
    folder.write("a.json", kEmptyScenario);
    folder.write("what-if/patch.json", kEmptyScenario);
    folder.write("baselines/a.json", kEmptyScenario);
    folder.write("stored/a.json", kEmptyScenario);
    folder.write("out/run.json", "{}");
    folder.write("out/summary.json", kEmptyScenario);
    folder.write(".hidden/a.json", kEmptyScenario);
    folder.write("prices.json", R"({"p5": 3})");
    const CheckFiles files = find_check_files({folder.path("")}, folder.path("stored"));
    CHECK(found_in(files, folder) == "a.json");
    CHECK(files.left_out.size() == 5);
    CHECK(reason_for(files, folder.path("what-if")) == "a folder of patches");
    CHECK(reason_for(files, folder.path("stored")) == "a folder of baselines");
    CHECK(reason_for(files, folder.path("out")) == "the results of a run");
    CHECK(reason_for(files, folder.path("prices.json")).find("neither") == 0);
    // Who names one means it.
    CHECK(found_in(find_check_files({folder.path("what-if")}), folder) == "what-if/patch.json");
    CHECK(found_in(find_check_files({folder.path("prices.json")}), folder) == "prices.json");
}

TEST_CASE("CheckFiles: a base that expects nothing is no check of its own") {
    const TemporaryFolder folder;
    folder.write("base.json", R"({"services": {}})");
    folder.write("strict-base.json", kEmptyScenario);
    folder.write("one.json", R"({"extends": "base.json", "expect": {}})");
    folder.write("two.json", R"({"extends": "strict-base.json"})");
    folder.write("three.json", R"({"extends": "two.json"})");
    const CheckFiles files = find_check_files({folder.path("")});
    CHECK(found_in(files, folder) == "one.json strict-base.json three.json two.json");
    CHECK(reason_for(files, folder.path("base.json")) ==
          "expects nothing, and " + folder.path("one.json") + " extends it");
    CHECK(found_in(find_check_files({folder.path("base.json"), folder.path("one.json")}), folder) ==
          "base.json one.json");
}

TEST_CASE("CheckFiles: what cannot be read is a check with an error, and a file counts once") {
    const TemporaryFolder folder;
    folder.write("a.json", kEmptyScenario);
    folder.write("broken.json", "{\"services\": \n");
    std::filesystem::create_symlink("loop.json", folder.path("loop.json"));
    std::filesystem::create_symlink(".", folder.path("again"));
    const CheckFiles files =
        find_check_files({folder.path("a.json"), folder.path("."), folder.path("none")});
    CHECK(found_in(files, folder) == "a.json broken.json? loop.json? none?");
    CHECK(reason_for(files, folder.path("./again")) == "a link to a folder");
    CHECK(files.files.at(1).diagnostics.at(0).where.line == 2);
    CHECK(files.files.at(3).diagnostics.at(0).text() ==
          folder.path("none") + ": expected a file or a folder, found none of that name");
}

TEST_CASE("CheckFiles: a folder that is named twice is no error") {
    const TemporaryFolder folder;
    folder.write("a.json", kEmptyScenario);
    CHECK(found_in(find_check_files({folder.path(""), folder.path("")}), folder) == "a.json");
}

TEST_CASE("CheckFiles: a folder without checks is an error") {
    const TemporaryFolder folder;
    folder.write("note.txt", "");
    const CheckFiles files = find_check_files({folder.path("")});
    REQUIRE(files.files.size() == 1);
    CHECK(files.files[0].kind == CheckFile::Kind::unreadable);
    CHECK(files.files[0].diagnostics.at(0).message.find("found none") != std::string::npos);
}

}  // namespace headroom::analysis
