#include "tests/unit/tree/source_tree.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace headroom::tree {
namespace {

namespace fs = std::filesystem;

bool starts_with_any(std::string_view text, const std::vector<std::string_view>& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view prefix) { return text.starts_with(prefix); });
}

bool ends_with_any(std::string_view text, const std::vector<std::string_view>& endings) {
    return std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return text.ends_with(ending); });
}

bool is_source(const std::string& path) {
    return ends_with_any(path, {".hpp", ".h", ".cpp", ".cu", ".cuh"});
}

bool is_text(const std::string& path) {
    return is_source(path) || path == "headroom" || path == "LICENSE" || path.starts_with(".") ||
           ends_with_any(path, {"CMakeLists.txt", ".cmake", ".json", ".jsonc", ".md", ".js", ".css",
                                ".html", ".sh", ".py"});
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::vector<std::string> split_lines(const std::string& text) {
    std::vector<std::string> lines;
    std::string::size_type begin = 0;
    while (begin < text.size()) {
        const auto end = std::min(text.find('\n', begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

/// Where the literal or comment that begins at `at` ends (one past), nullopt when none begins
/// there.
std::optional<std::size_t> end_of_blank(const std::string& text, std::size_t at) {
    const auto past = [&](std::string_view mark, std::size_t from) {
        const auto found = text.find(mark, from);
        return found == std::string::npos ? text.size() : found + mark.size();
    };
    const std::string_view rest = std::string_view(text).substr(at);
    if (rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
    if (rest.starts_with("/*")) return past("*/", at + 2);
    const bool after_word = at > 0 && is_word(text[at - 1]);
    if (rest.starts_with("\"") && at > 0 && text[at - 1] == 'R') {
        const auto open = text.find('(', at);
        if (open == std::string::npos) return text.size();
        return past(")" + text.substr(at + 1, open - at - 1) + "\"", open);
    }
    // An apostrophe inside a number (1'000) separates digits.
    if (text[at] == '"' || (text[at] == '\'' && !after_word)) {
        for (std::size_t i = at + 1; i < text.size(); ++i) {
            if (text[i] == '\\') {
                ++i;
            } else if (text[i] == text[at] || text[i] == '\n') {
                return i + 1;
            }
        }
        return text.size();
    }
    return std::nullopt;
}

/// The text with comments and contents of literals turned into blanks; lines stay where they are.
std::string blank_out(std::string text) {
    const std::string original = text;
    for (std::size_t at = 0; at < text.size();) {
        const std::optional<std::size_t> end = end_of_blank(original, at);
        for (std::size_t i = at; end && i < *end; ++i) {
            if (text[i] != '\n') text[i] = ' ';
        }
        at = end.value_or(at + 1);
    }
    return text;
}

struct Include {
    std::size_t line = 0;
    bool quoted = false;
    std::string path;
};

std::vector<Include> includes_of(const SourceFile& file) {
    std::vector<Include> result;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
        const std::string& line = file.lines[i];
        const auto hash = line.find_first_not_of(' ');
        // In the code too, or it stands in a comment or a raw string.
        if (hash == std::string::npos || line[hash] != '#' || file.code[i][hash] != '#') continue;
        const auto word = line.find_first_not_of(' ', hash + 1);
        if (word == std::string::npos || line.compare(word, 7, "include") != 0) continue;
        const auto open = line.find_first_of("\"<", word);
        if (open == std::string::npos) continue;
        const auto close = line.find_first_of("\">", open + 1);
        if (close == std::string::npos) continue;
        result.push_back({i + 1, line[open] == '"', line.substr(open + 1, close - open - 1)});
    }
    return result;
}

/// The module a path belongs to, as the order of includes names them; empty: none.
std::string module_of(std::string_view path) {
    for (const std::string_view name :
         {"core", "metrics", "network", "cluster", "serving", "control"}) {
        if (path.starts_with("sim/" + std::string(name) + "/")) return std::string(name);
    }
    if (path.starts_with("sim/simulation")) return "simulation";
    for (const std::string_view name : {"policies", "traces", "scenarios", "analysis", "tests"}) {
        if (path.starts_with(std::string(name) + "/")) return std::string(name);
    }
    return "";
}

/// What each module may include besides itself.
const std::map<std::string, std::set<std::string>>& allowed_includes() {
    using Modules = std::set<std::string>;
    static const Modules sim = {"core",    "metrics", "network",   "cluster",
                                "serving", "control", "simulation"};
    static const auto with = [](Modules modules, const Modules& more) {
        modules.insert(more.begin(), more.end());
        return modules;
    };
    static const std::map<std::string, Modules> allowed = {
        {"core", {}},
        {"metrics", {"core"}},
        {"network", {"core"}},
        {"cluster", {"core", "metrics", "network"}},
        {"serving", {"core", "metrics", "network"}},
        {"control", {"core", "metrics", "network", "cluster", "serving"}},
        {"simulation", sim},
        {"policies", sim},
        {"traces", sim},
        {"scenarios", with(sim, {"policies", "traces"})},
        {"analysis", with(sim, {"policies", "traces", "scenarios"})},
        {"tests", with(sim, {"policies", "traces", "scenarios", "analysis"})},
    };
    return allowed;
}

bool is_ours(std::string_view path) {
    return starts_with_any(path,
                           {"sim/", "policies/", "traces/", "scenarios/", "analysis/", "tests/"});
}

/// A name that must not occur in code. `prefix`: as the beginning of a longer name too.
struct Forbidden {
    std::string_view name;
    bool prefix = false;
};

/// Where a name occurs as a word of its own: the characters beside it belong to no longer name.
bool has_name(const std::string& code, const Forbidden& forbidden) {
    const std::string_view name = forbidden.name;
    for (auto at = code.find(name); at != std::string::npos; at = code.find(name, at + 1)) {
        const bool begins = at == 0 || !is_word(code[at - 1]);
        const std::size_t end = at + name.size();
        const bool ends =
            forbidden.prefix || !is_word(name.back()) || end == code.size() || !is_word(code[end]);
        if (begins && ends) return true;
    }
    return false;
}

/// The standard distribution that a line names; they differ from one library to the next.
std::optional<std::string> find_distribution(const std::string& code) {
    constexpr std::string_view kEnding = "_distribution";
    for (auto at = code.find("std::"); at != std::string::npos; at = code.find("std::", at + 1)) {
        std::size_t end = at + 5;
        while (end < code.size() && is_word(code[end])) ++end;
        const std::string name = code.substr(at, end - at);
        if (name.ends_with(kEnding)) return name;
    }
    return std::nullopt;
}

template <class Rule>
void for_each_code_line(const SourceFile& file, const Rule& rule) {
    for (std::size_t i = 0; i < file.code.size(); ++i) rule(i + 1, file.code[i]);
}

void find_names(const SourceFile& file, const std::vector<Forbidden>& names,
                std::string_view advice, Violations& found) {
    for_each_code_line(file, [&](std::size_t line, const std::string& code) {
        for (const Forbidden& forbidden : names) {
            if (!has_name(code, forbidden)) continue;
            found.push_back(
                {file.path, line, std::string(forbidden.name) + ": " + std::string(advice)});
        }
    });
}

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool has_table_of_files(const SourceFile& readme) {
    return std::any_of(readme.lines.begin(), readme.lines.end(),
                       [](const std::string& line) { return line.starts_with("| file |"); });
}

/// The words between grave accents, up to their first dot; "na*" where a star follows one.
std::vector<std::string> quoted_names(const SourceFile& readme) {
    std::vector<std::string> names;
    for (const std::string& line : readme.lines) {
        for (auto at = line.find('`'); at != std::string::npos; at = line.find('`', at + 1)) {
            const auto begin = at + 1;
            at = line.find('`', begin);
            if (at == std::string::npos) break;
            auto end = begin;
            while (is_word(line[end])) ++end;
            if (line[end] == '*') ++end;
            names.push_back(line.substr(begin, end - begin));
        }
    }
    return names;
}

/// Not part of the tree: what git ignores, and git itself.
bool is_foreign(const std::string& path) {
    static const std::set<std::string> foreign = {".git",    ".cache", ".clangd", ".idea",
                                                  ".vscode", "build",  "out"};
    const auto slash = path.find('/');
    return foreign.contains(path.substr(0, slash)) || path == "traces/samples";
}

/// All entries below the root, as paths relative to it, sorted.
std::vector<std::string> walk(const std::string& root, bool folders) {
    std::vector<std::string> result;
    for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator();
         ++it) {
        const std::string path = it->path().lexically_relative(root).generic_string();
        const bool folder = it->is_directory() && !it->is_symlink();
        if (folder && is_foreign(path)) it.disable_recursion_pending();
        if (folder == folders && !is_foreign(path)) result.push_back(path);
    }
    std::sort(result.begin(), result.end());
    return result;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Violation& v) {
    out << v.path;
    if (v.line != 0) out << ':' << v.line;
    return out << ": " << v.what;
}

SourceFile make_file(std::string path, const std::string& text) {
    return {std::move(path), split_lines(text), split_lines(blank_out(text))};
}

Files read_tree(const std::string& root) {
    Files files;
    for (const std::string& path : walk(root, false)) {
        if (is_text(path)) files.push_back(make_file(path, read_file(fs::path(root) / path)));
    }
    return files;
}

std::vector<std::string> list_folders(const std::string& root) {
    return walk(root, true);
}

std::vector<std::string> list_top_level(const std::string& root) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root)) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

Violations unknown_top_level_entries(const std::vector<std::string>& names) {
    // compile_commands.json: where an editor wants it; git ignores it.
    static const std::set<std::string> known = {"CMakeLists.txt",
                                                "CMakePresets.json",
                                                "README.md",
                                                "LICENSE",
                                                "headroom",
                                                "sim",
                                                "policies",
                                                "traces",
                                                "scenarios",
                                                "analysis",
                                                "tests",
                                                "build",
                                                "out",
                                                "compile_commands.json"};
    Violations found;
    for (const std::string& name : names) {
        if (!name.starts_with(".") && !known.contains(name)) {
            found.push_back({name, 0, "nothing of this name belongs at the top of the tree"});
        }
    }
    return found;
}

Violations unknown_folders(const std::vector<std::string>& folders) {
    static const std::set<std::string> known = {"sim/core",
                                                "sim/metrics",
                                                "sim/network",
                                                "sim/cluster",
                                                "sim/serving",
                                                "sim/serving/latency",
                                                "sim/control",
                                                "policies/scheduling",
                                                "policies/scaling",
                                                "policies/routing",
                                                "policies/batching",
                                                "policies/provisioning",
                                                "policies/rollout",
                                                "policies/admission",
                                                "traces/readers",
                                                "traces/generators",
                                                "traces/samples",
                                                "scenarios/catalogue",
                                                "scenarios/library",
                                                "analysis/cli",
                                                "analysis/experiments",
                                                "analysis/statistics",
                                                "analysis/calibration",
                                                "analysis/results",
                                                "analysis/report",
                                                "tests/unit",
                                                "tests/property",
                                                "tests/conformance",
                                                "tests/validation",
                                                "tests/acceptance",
                                                "tests/bench",
                                                "tests/fuzz",
                                                "tests/kernels"};
    Violations found;
    for (const std::string& folder : folders) {
        const auto slash = folder.find('/');
        if (slash == std::string::npos || folder.starts_with(".")) continue;
        // Below the named folders a part may have a folder of its own; in sim/ every one is named.
        const std::string named =
            folder.starts_with("sim/") ? folder : folder.substr(0, folder.find('/', slash + 1));
        if (!known.contains(named)) {
            found.push_back({folder, 0, "the design names no such folder"});
        }
    }
    return found;
}

Violations wrong_way_includes(const Files& files) {
    Violations found;
    for (const SourceFile& file : files) {
        if (!is_source(file.path)) continue;
        const std::string from = module_of(file.path);
        if (from.empty()) {
            found.push_back({file.path, 0, "this file belongs to no module"});
            continue;
        }
        for (const Include& include : includes_of(file)) {
            const std::string to = module_of(include.path);
            if (to.empty() || to == from || allowed_includes().at(from).contains(to)) continue;
            found.push_back({file.path, include.line,
                             from + " must not include " + to + " (" + include.path + ")"});
        }
    }
    return found;
}

Violations includes_not_from_the_root(const Files& files) {
    Violations found;
    for (const SourceFile& file : files) {
        if (!is_source(file.path)) continue;
        for (const Include& include : includes_of(file)) {
            const bool climbs = include.path.find("./") != std::string::npos;
            if (include.quoted && (!is_ours(include.path) || climbs)) {
                found.push_back({file.path, include.line,
                                 "write the path from the root, not \"" + include.path + "\""});
            } else if (!include.quoted && is_ours(include.path)) {
                found.push_back({file.path, include.line,
                                 "a header of ours is included with quotes: " + include.path});
            }
        }
    }
    return found;
}

Violations libraries_out_of_place(const Files& files) {
    // The simulator knows no file format and no command line.
    static const std::vector<std::string_view> formats = {"nlohmann/",
                                                          "valijson/",
                                                          "rapidjson/",
                                                          "yaml-cpp/",
                                                          "hdf5",
                                                          "H5",
                                                          "boost/program_options",
                                                          "boost/iostreams",
                                                          "boost/json"};
    Violations found;
    for (const SourceFile& file : files) {
        if (!is_source(file.path) || !file.path.starts_with("sim/")) continue;
        const bool may_use_graphs = starts_with_any(file.path, {"sim/cluster/", "sim/simulation"});
        for (const Include& include : includes_of(file)) {
            if (starts_with_any(include.path, formats)) {
                found.push_back({file.path, include.line,
                                 "sim/ knows no file format and no command line: " + include.path});
            } else if (include.path.starts_with("boost/graph/") && !may_use_graphs) {
                found.push_back(
                    {file.path, include.line,
                     "Boost.Graph stays in sim/cluster and sim/simulation: " + include.path});
            }
        }
    }
    return found;
}

Violations sources_of_chance(const Files& files) {
    static const std::vector<Forbidden> names = {{"std::unordered_", true},
                                                 {"boost::unordered", true},
                                                 {"std::hash"},
                                                 {"std::chrono"},
                                                 {"<chrono>"},
                                                 {"<ctime>"},
                                                 {"<random>"},
                                                 {"steady_clock"},
                                                 {"system_clock"},
                                                 {"high_resolution_clock"},
                                                 {"std::clock"},
                                                 {"std::time"},
                                                 {"clock_gettime"},
                                                 {"gettimeofday"},
                                                 {"std::random_device"},
                                                 {"std::mt19937", true},
                                                 {"std::default_random_engine"},
                                                 {"std::shuffle"},
                                                 {"rand("},
                                                 {"srand("},
                                                 {"drand48"},
                                                 {"std::this_thread"}};
    constexpr std::string_view kAdvice = "no result may depend on it";
    Violations found;
    for (const SourceFile& file : files) {
        if (!is_source(file.path) ||
            !starts_with_any(file.path, {"sim/", "policies/", "traces/"})) {
            continue;
        }
        find_names(file, names, kAdvice, found);
        for_each_code_line(file, [&](std::size_t line, const std::string& code) {
            if (const auto name = find_distribution(code)) {
                found.push_back({file.path, line, *name + ": " + std::string(kAdvice)});
            }
        });
    }
    return found;
}

Violations dependence_on_locale(const Files& files) {
    static const std::vector<Forbidden> names = {
        {"<cctype>"}, {"<ctype.h>"},  {"<clocale>"},  {"<locale>"}, {"setlocale"}, {"isalnum"},
        {"isalpha"},  {"isblank"},    {"iscntrl"},    {"isdigit"},  {"isgraph"},   {"islower"},
        {"isprint"},  {"ispunct"},    {"isspace"},    {"isupper"},  {"isxdigit"},  {"tolower"},
        {"toupper"},  {"strcasecmp"}, {"strncasecmp"}};
    Violations found;
    for (const SourceFile& file : files) {
        if (!is_source(file.path) || file.path.starts_with("tests/")) continue;
        find_names(file, names, "it follows the locale; see sim/core/ascii.hpp", found);
    }
    return found;
}

Violations printing_simulator(const Files& files) {
    static const std::vector<Forbidden> names = {
        {"printf("},    {"fprintf("},     {"vprintf("},   {"vfprintf("},
        {"puts("},      {"fputs("},       {"putchar("},   {"fputc("},
        {"std::cout"},  {"std::cerr"},    {"std::clog"},  {"<iostream>"},
        {"fmt::print"}, {"fmt::println"}, {"std::print"}, {"std::perror"}};
    Violations found;
    for (const SourceFile& file : files) {
        // A failed check is the one thing that has to be said before the program aborts.
        if (file.path == "sim/core/check.cpp") continue;
        if (!is_source(file.path) || !starts_with_any(file.path, {"sim/", "policies/"})) continue;
        find_names(file, names, "the simulator prints nothing", found);
    }
    return found;
}

Violations long_files(const Files& files) {
    constexpr std::size_t kLimit = 800;
    Violations found;
    for (const SourceFile& file : files) {
        if (!is_source(file.path) || file.lines.size() <= kLimit) continue;
        found.push_back({file.path, 0,
                         std::to_string(file.lines.size()) + " lines, " + std::to_string(kLimit) +
                             " at most: look for the second subject"});
    }
    return found;
}

Violations tabs_and_trailing_space(const Files& files) {
    Violations found;
    for (const SourceFile& file : files) {
        // Two blanks at the end break a line in Markdown.
        const bool may_trail = file.path.ends_with(".md");
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            const std::string& line = file.lines[i];
            if (line.find('\t') != std::string::npos) {
                found.push_back({file.path, i + 1, "a tab"});
            }
            if (!may_trail && !line.empty() && (line.back() == ' ' || line.back() == '\r')) {
                found.push_back({file.path, i + 1, "white space at the end of the line"});
            }
        }
    }
    return found;
}

Violations leftover_marks(const Files& files) {
    // In two parts, so that this file does not contain them.
    static const std::array<std::string, 3> marks = {
        std::string("TO") + "DO", std::string("FIX") + "ME", std::string("X") + "XX"};
    Violations found;
    for (const SourceFile& file : files) {
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            for (const std::string& mark : marks) {
                if (!has_name(file.lines[i], {mark})) continue;
                found.push_back({file.path, i + 1, "do it now or leave it out: " + mark});
            }
        }
    }
    return found;
}

Violations headers_without_introduction(const Files& files) {
    Violations found;
    for (const SourceFile& file : files) {
        if (!ends_with_any(file.path, {".hpp", ".h", ".cuh"})) continue;
        if (!file.lines.empty() && file.lines.front().starts_with("///")) continue;
        found.push_back({file.path, 1, "a header opens with what it is, in lines of ///"});
    }
    return found;
}

std::map<std::string, std::vector<std::string>> names_in_tables_of_files(const Files& files) {
    std::map<std::string, std::vector<std::string>> names_by_folder;
    for (const SourceFile& file : files) {
        const fs::path path(file.path);
        // The tables of tests are about their cases.
        if (path.filename() != "README.md" || file.path.starts_with("tests/")) continue;
        if (!has_table_of_files(file)) continue;
        names_by_folder[path.parent_path().generic_string()] = quoted_names(file);
    }
    return names_by_folder;
}

Violations headers_missing_in_readme(const Files& files) {
    const auto names_by_folder = names_in_tables_of_files(files);
    Violations found;
    for (const SourceFile& file : files) {
        const fs::path path(file.path);
        const auto names = names_by_folder.find(path.parent_path().generic_string());
        if (path.extension() != ".hpp" || names == names_by_folder.end()) continue;
        const std::string stem = path.stem().string();
        const auto is_it = [&](const std::string& name) {
            if (name.ends_with('*')) return stem.starts_with(name.substr(0, name.size() - 1));
            return stem == name;
        };
        if (std::any_of(names->second.begin(), names->second.end(), is_it)) continue;
        found.push_back({file.path, 0, "the README of its folder does not name it"});
    }
    return found;
}

}  // namespace headroom::tree
