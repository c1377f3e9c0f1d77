// What the command line is made of: options, the list of policies, the progress bar.
#include "analysis/cli/arguments.hpp"
#include "analysis/cli/policy_catalogue.hpp"
#include "analysis/cli/progress_bar.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"

namespace headroom::analysis {
namespace {

CommandSpec go_spec() {
    return {.name = "go",
            .usage = "FILE",
            .summary = "Goes.",
            .details = {},
            .options = {{.name = "set", .value = "X", .help = "a value", .repeatable = true},
                        {.name = "seed", .letter = 's', .value = "N", .help = "a number"},
                        {.name = "log",
                         .value = "some|all",
                         .help = "what is logged",
                         .choices = {"some", "all"},
                         .implied = "some"},
                        {.name = "fail", .value = "X,...", .help = "on what", .implied = "any"},
                        {.name = "quiet", .help = "says nothing"}},
            .least_positional = 1,
            .most_positional = 1,
            .positional_name = "a file"};
}

std::string usage_error_of_go(const std::vector<std::string>& words) {
    return error_of([&] { (void)parse_arguments(go_spec(), words); });
}

}  // namespace

TEST_CASE("Arguments: options may stand anywhere, and repeat where they may") {
    const Arguments given =
        parse_arguments(go_spec(), {"--set", "/a=1", "file", "--quiet", "--set=/b=-2", "-s", "3"});
    CHECK(given.positional == std::vector<std::string>{"file"});
    CHECK(given.values("set") == std::vector<std::string>{"/a=1", "/b=-2"});
    CHECK(given.value("seed") == "3");
    CHECK(given.has("quiet"));
    CHECK_FALSE(given.has("log"));
}

TEST_CASE("Arguments: a value that may be left out does not swallow the file") {
    CHECK(parse_arguments(go_spec(), {"--log", "file"}).value("log") == "some");
    CHECK(parse_arguments(go_spec(), {"--log", "all", "file"}).value("log") == "all");
    CHECK(parse_arguments(go_spec(), {"--log=all", "file"}).value("log") == "all");
    CHECK(parse_arguments(go_spec(), {"file", "--log"}).value("log") == "some");
    CHECK(parse_arguments(go_spec(), {"--fail", "file"}).value("fail") == "any");
    CHECK(parse_arguments(go_spec(), {"--fail=a,b", "file"}).value("fail") == "a,b");
}

TEST_CASE("Arguments: mistakes say what was expected, with the nearest name") {
    CHECK(usage_error_of_go({"file", "--sed", "1"}) ==
          "there is no option --sed (did you mean \"--set\"?)");
    CHECK(usage_error_of_go({"file", "--log=al"}) ==
          "--log: expected some or all, found \"al\" (did you mean \"all\"?)");
    CHECK(usage_error_of_go({}) == "expected a file");
    CHECK(usage_error_of_go({"a", "b"}) == "expected no further argument, found \"b\"");
    CHECK(usage_error_of_go({"a", "-s", "1", "-s", "2"}) == "--seed is given twice");
    CHECK(contains(usage_error_of_go({"a", "--seed"}), "--seed"));
    CHECK(contains(usage_error_of_go({"a", "--quiet=1"}), "--quiet"));
    CHECK(contains(usage_error_of_go({"a", "--se", "1"}), "--se"));  // no abbreviations
    CHECK(usage_error_of_go({"--help"}) == "");
}

TEST_CASE("Arguments: whole numbers are held to their range") {
    CHECK(whole_number("--n", "7", 1, 9) == 7);
    for (const char* text : {"", "x", "7x", "-1", "0", "10", "1e1", "99999999999999999999"}) {
        CAPTURE(text);
        CHECK(contains(error_of([&] { (void)whole_number("--n", text, 1, 9); }),
                       "--n: expected a whole number from 1 to 9"));
    }
}

TEST_CASE("Arguments: the help names every option") {
    const std::string help = help_text(go_spec());
    CHECK(help.rfind("usage: headroom go FILE\n\nGoes.\n", 0) == 0);
    for (const char* part : {"--set X", "-s, --seed N", "--log[=some|all]", "-h, --help"}) {
        CHECK(contains(help, part));
    }
}

TEST_CASE("PolicyCatalogue: no family is empty and every policy says what it is") {
    for (const PolicyFamily& family : policy_catalogue()) {
        CAPTURE(family.name);
        CHECK_FALSE(family.policies.empty());
        for (const PolicyEntry& policy : family.policies) {
            CAPTURE(policy.name);
            CHECK_FALSE(policy.help.empty());
        }
    }
}

TEST_CASE("ProgressBar: shows what is done and what is left, within the terminal") {
    const Time horizon = Time::zero() + Duration::hours(1);
    const Time now = Time::zero() + Duration::minutes(20);
    CHECK(progress_line(1.0 / 3, now, horizon, 1'200'000, 2, 100) ==
          "[##########--------------------]  33 %  20m of 1h, 1.20 M requests, 4 s left");
    CHECK(progress_line(std::nullopt, now, std::nullopt, 0, 2, 100) == "20m simulated");
    CHECK(progress_line(2.0, now, horizon, 0, 2, 20).size() == 19);
}

}  // namespace headroom::analysis
