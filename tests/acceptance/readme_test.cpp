// The README's chapter "In ten minutes", as a newcomer follows it: its files are saved, its
// commands are run, and what it quotes of their output is there.
#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;

std::string chapter() {
    const std::string readme = read_text(fs::path(HEADROOM_SOURCE_DIR) / "README.md");
    const std::size_t first = readme.find("## In ten minutes\n");
    REQUIRE(first != std::string::npos);
    return readme.substr(first, readme.find("\n## ", first) - first);
}

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

/// Without what wraps lines: one blank between words.
std::string flat(const std::string& text) {
    std::string out;
    for (const std::string& word : words_of(text)) out += (out.empty() ? "" : " ") + word;
    return out;
}

}  // namespace

TEST_CASE("README: its ten minutes go from a trace to a check, as it says") {
    const TemporaryDirectory folder;
    for (const char* name : {"scenarios", "traces"}) {
        fs::create_directory_symlink(fs::path(HEADROOM_SOURCE_DIR) / name, folder / name);
    }
    RunOptions options;
    options.working_directory = folder.path();

    std::istringstream lines(chapter());
    std::string named;  // the last file that the text spoke of
    std::string printed;
    std::string block;
    bool in_block = false;
    int commands = 0;
    int files = 0;
    int quotes = 0;
    for (std::string line; std::getline(lines, line);) {
        std::smatch found;
        if (line.rfind("```", 0) == 0) {
            in_block = !in_block;
            if (in_block) {
                block = line.substr(3) + "\n";
            } else if (block.rfind("json\n", 0) == 0) {
                REQUIRE(!named.empty());
                write_text(folder / named, block.substr(5));
                ++files;
            } else {
                INFO(printed);
                CHECK(contains(flat(printed), flat(block)));
                ++quotes;
            }
        } else if (in_block) {
            block += line + "\n";
        } else if (line.rfind("    ./headroom ", 0) == 0) {
            std::vector<std::string> arguments = words_of(line);
            arguments.erase(arguments.begin());
            const RunResult result = run(arguments, options);
            INFO(line << "\n" << result.out << result.err);
            REQUIRE(result.exit_code == 0);
            printed = result.out;
            ++commands;
        } else if (std::regex_search(line, found, std::regex("`(my/[^`]*\\.json)`"))) {
            named = found[1];
        }
    }
    CHECK(commands == 8);
    CHECK(files == 3);
    CHECK(quotes == 2);
    CHECK(fs::exists(folder / "out/checks.xml"));
}

}  // namespace headroom::acceptance
