// The source tree against its own rules. Each rule is first shown to fail on small bad inputs and
// to pass good ones, then held against the real tree.
#include <sstream>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/tree/source_tree.hpp"

namespace headroom::tree {
namespace {

const Files& real_tree() {
    static const Files files = read_tree(HEADROOM_SOURCE_DIR);
    return files;
}

std::string to_text(const Violations& violations) {
    std::ostringstream out;
    for (const Violation& violation : violations) out << violation << '\n';
    return out.str();
}

using Rule = Violations (*)(const Files&);

/// Whether the rule finds something in one file of this text.
bool objects(Rule rule, const std::string& path, const std::string& text) {
    return !rule({make_file(path, text)}).empty();
}

bool objects_to_include(Rule rule, const std::string& path, const std::string& include) {
    return objects(rule, path, "#include " + include + "\n");
}

}  // namespace

TEST_CASE("Tree: the checker reads code without comments and literals") {
    const SourceFile file = make_file("sim/core/a.cpp",
                                      "int a = 1'000;  // \"note\n"
                                      "auto s = \"a // b\\\" c\"; int b;\n"
                                      "/* one\n"
                                      "two */ int c;\n"
                                      "auto r = R\"x(raw \" // )\" )x\"; int d;\n"
                                      "char q = '\"'; int e;\n");
    REQUIRE(file.code.size() == 6);
    CHECK(file.code[0] == "int a = 1'000;          ");
    CHECK(file.code[1] == "auto s =             ; int b;");
    CHECK(file.code[2] == "      ");
    CHECK(file.code[3] == "       int c;");
    CHECK(file.code[4] == "auto r = R                  ; int d;");
    CHECK(file.code[5] == "char q =    ; int e;");
    std::ostringstream out;
    out << Violation{"sim/a.cpp", 3, "wrong"} << Violation{" b", 0, "bad"};
    CHECK(out.str() == "sim/a.cpp:3: wrong b: bad");
}

TEST_CASE("Tree: the checker finds the real tree") {
    bool found = false;
    for (const SourceFile& file : real_tree()) {
        found = found || file.path == "tests/unit/tree/source_tree.cpp";
        CHECK(file.path.rfind("build/", 0) != 0);
    }
    CHECK(found);
}

TEST_CASE("Tree: includes point one way only") {
    struct Case {
        const char* file;
        const char* include;
        bool wrong;
    };
    const std::vector<Case> cases = {
        {"sim/core/a.hpp", "\"sim/metrics/b.hpp\"", true},
        {"sim/metrics/a.hpp", "\"sim/core/b.hpp\"", false},
        {"sim/metrics/a.hpp", "\"sim/network/b.hpp\"", true},
        {"sim/network/a.hpp", "\"sim/metrics/b.hpp\"", true},
        {"sim/cluster/a.hpp", "\"sim/network/b.hpp\"", false},
        {"sim/cluster/a.hpp", "\"sim/serving/b.hpp\"", true},
        {"sim/serving/a.hpp", "\"sim/cluster/b.hpp\"", true},
        {"sim/serving/latency/a.hpp", "\"sim/serving/b.hpp\"", false},
        {"sim/serving/a.hpp", "\"sim/control/b.hpp\"", true},
        {"sim/control/a.hpp", "\"sim/cluster/b.hpp\"", false},
        {"sim/control/a.hpp", "\"sim/simulation.hpp\"", true},
        {"sim/simulation.cpp", "\"sim/control/b.hpp\"", false},
        {"sim/simulation.cpp", "\"policies/routing/b.hpp\"", true},
        {"policies/routing/a.cpp", "\"sim/serving/b.hpp\"", false},
        {"policies/routing/a.cpp", "\"traces/readers/b.hpp\"", true},
        {"traces/readers/a.cpp", "\"sim/serving/b.hpp\"", false},
        {"traces/readers/a.cpp", "\"policies/routing/b.hpp\"", true},
        {"traces/readers/a.cpp", "\"scenarios/b.hpp\"", true},
        {"scenarios/a.cpp", "\"policies/routing/b.hpp\"", false},
        {"scenarios/a.cpp", "\"analysis/cli/b.hpp\"", true},
        {"analysis/cli/a.cpp", "\"scenarios/b.hpp\"", false},
        {"analysis/cli/a.cpp", "\"tests/b.hpp\"", true},
        {"tests/unit/a.cpp", "\"analysis/cli/b.hpp\"", false},
        {"sim/stray.hpp", "<vector>", true},
    };
    for (const Case& c : cases) {
        CAPTURE(c.file, c.include);
        CHECK(objects_to_include(wrong_way_includes, c.file, c.include) == c.wrong);
    }
    CHECK_FALSE(objects(wrong_way_includes, "sim/core/a.hpp", "// #include \"analysis/b.hpp\"\n"));

    CHECK(to_text(wrong_way_includes(real_tree())) == "");
}

TEST_CASE("Tree: includes are written from the root") {
    const std::string file = "sim/core/a.cpp";
    CHECK(objects_to_include(includes_not_from_the_root, file, "\"time.hpp\""));
    CHECK(objects_to_include(includes_not_from_the_root, file, "\"../core/time.hpp\""));
    CHECK(objects_to_include(includes_not_from_the_root, file, "\"sim/metrics/../core/time.hpp\""));
    CHECK(objects_to_include(includes_not_from_the_root, file, "<sim/core/time.hpp>"));
    CHECK(objects(includes_not_from_the_root, file, "  #  include \"time.hpp\"\n"));
    CHECK_FALSE(objects_to_include(includes_not_from_the_root, file, "\"sim/core/time.hpp\""));
    CHECK_FALSE(objects_to_include(includes_not_from_the_root, file, "<vector>"));

    CHECK(to_text(includes_not_from_the_root(real_tree())) == "");
}

TEST_CASE("Tree: nothing unknown lies at the top") {
    CHECK(unknown_top_level_entries({"sim", "README.md", ".ci", "build"}).empty());
    CHECK(unknown_top_level_entries({"src", "notes.txt", "sim"}).size() == 2);

    CHECK(to_text(unknown_top_level_entries(list_top_level(HEADROOM_SOURCE_DIR))) == "");
}

TEST_CASE("Tree: every folder is one that the design names") {
    CHECK(unknown_folders({"sim", "sim/core", "sim/serving/latency", "policies/scaling/hpa",
                           "scenarios/library/patches", "tests/unit/core"})
              .empty());
    CHECK(unknown_folders({"sim/util", "sim/core/detail", "policies/misc", "traces/common/x",
                           "analysis/tools", "tests/integration"})
              .size() == 6);

    CHECK(to_text(unknown_folders(list_folders(HEADROOM_SOURCE_DIR))) == "");
}

TEST_CASE("Tree: the simulator knows no file format, and few files know Boost.Graph") {
    const std::vector<const char*> formats = {"<nlohmann/json.hpp>", "<valijson/schema.hpp>",
                                              "<hdf5.h>", "<H5Cpp.h>",
                                              "<boost/program_options.hpp>"};
    for (const char* include : formats) {
        CAPTURE(include);
        CHECK(objects_to_include(libraries_out_of_place, "sim/core/a.hpp", include));
        CHECK_FALSE(objects_to_include(libraries_out_of_place, "analysis/cli/a.hpp", include));
    }
    const char* graph = "<boost/graph/adjacency_list.hpp>";
    CHECK(objects_to_include(libraries_out_of_place, "sim/serving/a.cpp", graph));
    CHECK_FALSE(objects_to_include(libraries_out_of_place, "sim/cluster/a.cpp", graph));
    CHECK_FALSE(objects_to_include(libraries_out_of_place, "sim/simulation_cells.cpp", graph));

    CHECK(to_text(libraries_out_of_place(real_tree())) == "");
}

TEST_CASE("Tree: no clock, hash order or foreign random number reaches the simulator") {
    const std::vector<const char*> bad = {
        "std::unordered_map<int, int> m;",
        "boost::unordered_flat_map<int, int> m;",
        "#include <unordered_map>\nstd::unordered_multiset<int> m;",
        "#include <chrono>",
        "auto t = std::chrono::seconds(1);",
        "auto t = steady_clock::now();",
        "auto t = std::time(nullptr);",
        "clock_gettime(CLOCK_MONOTONIC, &t);",
        "std::normal_distribution<double> d;",
        "std::mt19937_64 engine;",
        "int r = rand();",
        "srand(1);",
        "std::shuffle(a, b, c);",
    };
    for (const char* text : bad) {
        CAPTURE(text);
        CHECK(objects(sources_of_chance, "sim/core/a.hpp", text));
        CHECK(objects(sources_of_chance, "policies/routing/a.cpp", text));
        CHECK(objects(sources_of_chance, "traces/readers/a.cpp", text));
        CHECK_FALSE(objects(sources_of_chance, "analysis/cli/a.cpp", text));
    }
    const std::vector<const char*> good = {
        "// like std::unordered_map", "auto s = \"std::chrono\";", "int operand(int x);",
        "Time now() const;",          "LogNormalDistribution d;",
    };
    for (const char* text : good) {
        CAPTURE(text);
        CHECK_FALSE(objects(sources_of_chance, "sim/core/a.hpp", text));
    }

    CHECK(to_text(sources_of_chance(real_tree())) == "");
}

TEST_CASE("Tree: what a character is does not follow the locale") {
    for (const char* text : {"#include <cctype>", "if (std::isalnum(c) != 0) return;",
                             "x = static_cast<char>(tolower(c));", "#include <clocale>",
                             "if (strncasecmp(a, b, 3) == 0) return;"}) {
        CAPTURE(text);
        CHECK(objects(dependence_on_locale, "sim/core/a.hpp", text));
        CHECK(objects(dependence_on_locale, "analysis/cli/a.cpp", text));
        CHECK_FALSE(objects(dependence_on_locale, "tests/unit/core/a_test.cpp", text));
    }
    for (const char* text : {"x = to_lower(c);", "if (is_digit(c)) return;", "// std::tolower"}) {
        CAPTURE(text);
        CHECK_FALSE(objects(dependence_on_locale, "sim/core/a.hpp", text));
    }

    CHECK(to_text(dependence_on_locale(real_tree())) == "");
}

TEST_CASE("Tree: the simulator and its policies print nothing") {
    const std::vector<const char*> bad = {"printf(\"x\");",     "std::fprintf(stderr, \"x\");",
                                          "std::cout << 1;",    "std::cerr << 1;",
                                          "fmt::print(\"x\");", "std::puts(\"x\");",
                                          "#include <iostream>"};
    for (const char* text : bad) {
        CAPTURE(text);
        CHECK(objects(printing_simulator, "sim/serving/a.cpp", text));
        CHECK(objects(printing_simulator, "policies/scaling/a.cpp", text));
        CHECK_FALSE(objects(printing_simulator, "analysis/cli/a.cpp", text));
        CHECK_FALSE(objects(printing_simulator, "sim/core/check.cpp", text));
    }
    CHECK_FALSE(objects(printing_simulator, "sim/core/a.cpp", "std::snprintf(b, n, \"x\");"));
    CHECK_FALSE(objects(printing_simulator, "sim/core/a.cpp", "fmt::format(\"x\");"));

    CHECK(to_text(printing_simulator(real_tree())) == "");
}

TEST_CASE("Tree: no source file is longer than 800 lines") {
    std::string text;
    for (int i = 0; i < 800; ++i) text += "int x;\n";
    CHECK_FALSE(objects(long_files, "sim/core/a.cpp", text));
    CHECK(objects(long_files, "sim/core/a.cpp", text + "int y;\n"));
    CHECK_FALSE(objects(long_files, "scenarios/library/a.json", text + "{}\n"));

    CHECK(to_text(long_files(real_tree())) == "");
}

TEST_CASE("Tree: no tabs, and no white space at the end of a line") {
    CHECK(objects(tabs_and_trailing_space, "sim/core/a.cpp", "\tint x;\n"));
    CHECK(objects(tabs_and_trailing_space, "sim/core/a.cpp", "int x; \n"));
    CHECK(objects(tabs_and_trailing_space, "sim/core/a.cpp", "int x;\r\n"));
    CHECK(objects(tabs_and_trailing_space, "scenarios/library/a.json", "{ \n}\n"));
    CHECK(objects(tabs_and_trailing_space, "tests/README.md", "\tx\n"));
    CHECK_FALSE(objects(tabs_and_trailing_space, "tests/README.md", "a break  \n"));
    CHECK_FALSE(objects(tabs_and_trailing_space, "sim/core/a.cpp", "int x;\n\n"));

    CHECK(to_text(tabs_and_trailing_space(real_tree())) == "");
}

TEST_CASE("Tree: nothing is left for later") {
    const std::string later = std::string("TO") + "DO";
    CHECK(objects(leftover_marks, "sim/core/a.cpp", "// " + later + ": more\n"));
    CHECK(objects(leftover_marks, "tests/README.md", std::string("FIX") + "ME\n"));
    CHECK(objects(leftover_marks, "headroom", std::string("# X") + "XX\n"));
    CHECK_FALSE(objects(leftover_marks, "sim/core/a.cpp", "MASTODONT \"a-XXXXXX\"\n"));

    CHECK(to_text(leftover_marks(real_tree())) == "");
}

TEST_CASE("Tree: every header says at its top what it is") {
    CHECK(objects(headers_without_introduction, "sim/core/a.hpp", "#pragma once\n"));
    CHECK(objects(headers_without_introduction, "sim/core/a.hpp", "// A short note.\n"));
    CHECK(objects(headers_without_introduction, "sim/core/a.hpp", ""));
    CHECK_FALSE(objects(headers_without_introduction, "sim/core/a.hpp", "/// A thing.\n"));
    CHECK_FALSE(objects(headers_without_introduction, "sim/core/a.cpp", "#include <vector>\n"));

    CHECK(to_text(headers_without_introduction(real_tree())) == "");
}

TEST_CASE("Tree: a README with a table of files names every header of its folder") {
    const auto missing = [](const std::string& readme, const std::string& header) {
        return headers_missing_in_readme({make_file("sim/core/README.md", readme),
                                          make_file("sim/core/" + header, "/// A thing.\n")})
            .size();
    };
    const std::string table = "| file | subject |\n| --- | --- |\n| `slab`, `id.hpp` | ids |\n";
    CHECK(missing(table, "slab.hpp") == 0);
    CHECK(missing(table, "id.hpp") == 0);
    CHECK(missing(table, "slab_list.hpp") == 1);
    CHECK(missing(table, "ids.hpp") == 1);
    CHECK(missing(table, "ids.cpp") == 0);
    CHECK(missing(table + "ids\n", "ids.hpp") == 1);
    CHECK(missing(table + "`time*.hpp`\n", "time_scale.hpp") == 0);
    CHECK(missing(table, "folder/ids.hpp") == 0);
    CHECK(missing("No table.\n", "ids.hpp") == 0);

    const auto tables = names_in_tables_of_files(real_tree());
    for (const char* folder :
         {"sim/core", "sim/cluster", "sim/control", "sim/serving", "scenarios", "analysis/cli",
          "analysis/experiments", "analysis/report", "analysis/results", "analysis/statistics"}) {
        CAPTURE(folder);
        CHECK(tables.count(folder) == 1);
    }
    CHECK(to_text(headers_missing_in_readme(real_tree())) == "");
}

}  // namespace headroom::tree
