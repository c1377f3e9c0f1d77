/// The rules that the source tree keeps, each as a function from files to what is wrong in them.
/// tree_test.cpp holds the real tree against every rule, and every rule against small bad inputs.
///
///     for (const Violation& v : wrong_way_includes(read_tree(root))) std::cout << v;
///
/// A rule looks at the files it is about and ignores the others, so all rules take all files. Paths
/// are relative to the root and use '/'. Rules about code read it without comments and without what
/// is inside string literals. Violations come in the order of the files, then of the lines.
/// O(length of the text) each.
#pragma once

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace headroom::tree {

struct SourceFile {
    std::string path;
    std::vector<std::string> lines;  ///< as they stand in the file
    std::vector<std::string> code;   ///< the same lines, comments and contents of literals blanked
};

struct Violation {
    std::string path;
    std::size_t line = 0;  ///< 1-based; 0: about the whole file or folder
    std::string what;
};
std::ostream& operator<<(std::ostream& out, const Violation& violation);
using Violations = std::vector<Violation>;
using Files = std::vector<SourceFile>;

[[nodiscard]] SourceFile make_file(std::string path, const std::string& text);
/// Every text file of ours below the root, in the order of their paths; without dot folders (.ci
/// excepted), build/ and out/. Samples of traces are data, not text of ours, and left out.
[[nodiscard]] Files read_tree(const std::string& root);
/// Names at the top of the tree, and all folders below it, sorted.
[[nodiscard]] std::vector<std::string> list_top_level(const std::string& root);
[[nodiscard]] std::vector<std::string> list_folders(const std::string& root);

// Structure.
[[nodiscard]] Violations unknown_top_level_entries(const std::vector<std::string>& names);
[[nodiscard]] Violations unknown_folders(const std::vector<std::string>& folders);
[[nodiscard]] Violations wrong_way_includes(const Files& files);
[[nodiscard]] Violations includes_not_from_the_root(const Files& files);
[[nodiscard]] Violations libraries_out_of_place(const Files& files);

// Determinism and silence of the simulator.
[[nodiscard]] Violations sources_of_chance(const Files& files);
[[nodiscard]] Violations dependence_on_locale(const Files& files);
[[nodiscard]] Violations printing_simulator(const Files& files);

// Form.
[[nodiscard]] Violations long_files(const Files& files);
[[nodiscard]] Violations tabs_and_trailing_space(const Files& files);
[[nodiscard]] Violations leftover_marks(const Files& files);
[[nodiscard]] Violations headers_without_introduction(const Files& files);
/// By folder, the names in the README that has a table "| file | ...".
[[nodiscard]] std::map<std::string, std::vector<std::string>> names_in_tables_of_files(
    const Files& files);
/// Such a README names each header beside it, as `name` or as `na*`.
[[nodiscard]] Violations headers_missing_in_readme(const Files& files);

}  // namespace headroom::tree
