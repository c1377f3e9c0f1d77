#include "analysis/results/result_folder.hpp"

#include <iterator>

#include "analysis/results/text_file.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

namespace fs = std::filesystem;
using scenarios::TemporaryFolder;

std::size_t entries(const fs::path& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

void put_result(const fs::path& folder, const std::string& run) {
    ResultFolder target(folder);
    write_text_file(target.path() / kRunFile, run);
    target.commit();
}

}  // namespace

TEST_CASE("ResultFolder: appears whole, with the folders above it") {
    const TemporaryFolder scratch;
    const fs::path out = scratch.path("a/b/out");
    {
        ResultFolder target(out);
        write_text_file(target.path() / kRunFile, "1");
        CHECK_FALSE(fs::exists(out));
        CHECK(target.path().parent_path() == out.parent_path());
        target.commit();
    }
    CHECK(scenarios::text_of(out / kRunFile) == "1");
    CHECK(entries(out.parent_path()) == 1);
}

TEST_CASE("ResultFolder: leaves nothing behind without a commit") {
    const TemporaryFolder scratch;
    {
        const ResultFolder target(scratch.path("a/b/out"));
        write_text_file(target.path() / kRunFile, "1");
    }
    CHECK(entries(scratch.path("")) == 0);
}

TEST_CASE("ResultFolder: replaces an earlier result, and keeps what is not one") {
    const TemporaryFolder scratch;
    const fs::path out = scratch.path("out");
    put_result(out, "1");
    write_text_file(out / kRequestsFile, "old requests");
    write_text_file(out / "notes.txt", "mine");
    CHECK_FALSE(ResultFolder::problem(out));
    put_result(out, "2");
    CHECK(scenarios::text_of(out / kRunFile) == "2");
    CHECK(scenarios::text_of(out / "notes.txt") == "mine");
    CHECK_FALSE(fs::exists(out / kRequestsFile));
    CHECK(entries(scratch.path("")) == 1);
}

TEST_CASE("ResultFolder: an empty folder may be taken, with a slash at its end too") {
    const TemporaryFolder scratch;
    fs::create_directory(scratch.path("out"));
    put_result(scratch.path("out/"), "1");
    CHECK(scenarios::text_of(scratch.path("out/run.json")) == "1");
}

TEST_CASE("ResultFolder: a symbolic link stays one") {
    const TemporaryFolder scratch;
    fs::create_directory(scratch.path("real"));
    fs::create_directory_symlink(scratch.path("real"), scratch.path("link"));
    put_result(scratch.path("link"), "1");
    CHECK(fs::is_symlink(scratch.path("link")));
    CHECK(scenarios::text_of(scratch.path("real/run.json")) == "1");
}

TEST_CASE("ResultFolder: refuses a folder with other files, a file, and what cannot be made") {
    const TemporaryFolder scratch;
    scratch.write("project/main.cpp", "int main() {}");
    scratch.write("file", "");
    const auto problem = [&](const std::string& name) {
        return ResultFolder::problem(scratch.path(name)).value_or("");
    };
    CHECK(contains(problem("project"), "holds other files"));
    CHECK(contains(problem("file"), "is not a folder"));
    CHECK(contains(problem("file/below"), "cannot make the folder"));
    CHECK(problem("new") == "");
    CHECK(entries(scratch.path("")) == 2);

    // Somebody put files there while the run went on.
    ResultFolder target(scratch.path("later"));
    scratch.write("later/other", "");
    CHECK_THROWS_AS(target.commit(), WriteError);
}

}  // namespace headroom::analysis
