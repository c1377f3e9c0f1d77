#include "analysis/results/text_file.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

namespace fs = std::filesystem;
using scenarios::TemporaryFolder;

std::string contents_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::ptrdiff_t files_in(const TemporaryFolder& folder) {
    return std::distance(fs::directory_iterator(folder.path("")), fs::directory_iterator());
}

}  // namespace

TEST_CASE("FileReplacements: nothing changes before commit, and nothing is left without it") {
    const TemporaryFolder folder;
    write_text_file(folder.path("a"), "old a");
    {
        FileReplacements files;
        files.add(folder.path("a"), "new a");
        files.add(folder.path("b"), "new b");
        CHECK(contents_of(folder.path("a")) == "old a");
        CHECK_FALSE(fs::exists(folder.path("b")));
    }
    CHECK(files_in(folder) == 1);
    CHECK(contents_of(folder.path("a")) == "old a");

    FileReplacements files;
    files.add(folder.path("a"), "new a");
    files.add(folder.path("b"), "new b");
    files.commit();
    CHECK(contents_of(folder.path("a")) == "new a");
    CHECK(contents_of(folder.path("b")) == "new b");
    CHECK(files_in(folder) == 2);
}

TEST_CASE("FileReplacements: where one cannot be written, none is") {
    const TemporaryFolder folder;
    write_text_file(folder.path("a"), "old a");
    {
        FileReplacements files;
        files.add(folder.path("a"), "new a");
        CHECK_THROWS_AS(files.add(folder.path("no/such/folder/b"), "new b"), WriteError);
    }
    CHECK(contents_of(folder.path("a")) == "old a");
    CHECK(files_in(folder) == 1);
}

TEST_CASE("FileReplacements: a link is written through, at commit") {
    const TemporaryFolder folder;
    write_text_file(folder.path("a"), "old a");
    fs::create_symlink(folder.path("a"), folder.path("link"));
    FileReplacements files;
    files.add(folder.path("link"), "new a");
    CHECK(contents_of(folder.path("a")) == "old a");
    files.commit();
    CHECK(contents_of(folder.path("a")) == "new a");
    CHECK(fs::is_symlink(folder.path("link")));
}

}  // namespace headroom::analysis
