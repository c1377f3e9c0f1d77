// headroom compare, and headroom run --replications, as a user runs them.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>

#include "tests/acceptance/scenario_files.hpp"
#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The small scenario, and patches that change much, a little and nothing that matters.
class Files {
  public:
    Files() {
        write_text(base(), small_scenario());
        write_text(scratch_ / "slower.json",
                   R"({"services": {"web": {"simple": {"service_time": {"mean": "102ms"}}}}})");
        write_text(scratch_ / "nothing.json", R"({"description": "Other words."})");
        write_text(scratch_ / "flood.json",
                   R"({"sources": {"users": {"arrivals": {"rate": 90}}}})");
    }
    [[nodiscard]] std::string base() const { return scratch_ / "small.json"; }
    [[nodiscard]] std::string operator/(std::string_view name) const { return scratch_ / name; }
    [[nodiscard]] RunResult compare(std::vector<std::string> words) const {
        words.insert(words.begin(), {"compare", base()});
        return run(words);
    }

  private:
    TemporaryDirectory scratch_;
};

json metrics_of(const RunResult& r) {
    return json::parse(r.out).at("alternatives").at(0).at("metrics");
}

}  // namespace

TEST_CASE("compare: a scenario with itself, and with what changes nothing, differs by exactly 0") {
    const Files files;
    for (const auto& words : {std::vector<std::string>{files.base()},
                              std::vector<std::string>{"--what-if", files / "nothing.json"}}) {
        std::vector<std::string> all = {"--all-metrics",  "-o", "json",
                                        "--replications", "5",  "--fail-on-regression"};
        all.insert(all.begin(), words.begin(), words.end());
        const RunResult r = files.compare(all);
        INFO(r.err);
        REQUIRE(r.exit_code == 0);
        const json metrics = metrics_of(r);
        CHECK(metrics.size() > 40);
        for (const auto& [name, metric] : metrics.items()) {
            INFO(name);
            CHECK(metric.at("difference") == 0.0);
            CHECK(metric.at("low") == 0.0);
            CHECK(metric.at("high") == 0.0);
            CHECK(metric.at("significant") == false);
        }
    }
}

TEST_CASE("compare: a change of two per cent is found, and fails the build that asks") {
    const Files files;
    const std::vector<std::string> what_if = {"--what-if", files / "slower.json"};
    const RunResult r = files.compare({what_if[0], what_if[1], "-o", "json"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    const json metric = metrics_of(r).at("latency.e2e_s.mean");
    CHECK(metric.at("significant") == true);
    CHECK(metric.at("change") == "worse");
    CHECK(metric.at("low").get<double>() > 0);
    CHECK(metric.at("unpaired_factor").get<double>() > 4);

    const RunResult failed = files.compare({what_if[0], what_if[1], "--fail-on-regression"});
    CHECK(failed.exit_code == 1);
    CHECK(failed.out.rfind("slower: p99 latency ", 0) == 0);
    CHECK(contains(failed.err, "regression: slower: mean latency got worse: "));
    const RunResult guarded =
        files.compare({what_if[0], what_if[1], "--fail-on-regression=cost.*,requests.failed"});
    CHECK(guarded.exit_code == 0);
}

TEST_CASE("compare: says saturated instead of a number, in each form, into a file where asked") {
    const Files files;
    const std::vector<std::string> words = {
        "--what-if", files / "flood.json", "--replications", "3", "--set", "/duration=3m"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), words.begin(), words.end());
        return files.compare(more);
    };
    const RunResult table = with({});
    INFO(table.err);
    REQUIRE(table.exit_code == 0);
    CHECK(contains(table.out, "-> saturated"));
    const RunResult markdown = with({"-o", "markdown", "--out", files / "new/folder/told.md"});
    CHECK(markdown.out == "");
    CHECK(contains(read_text(files / "new/folder/told.md"), "| saturated | - |"));
    CHECK(metrics_of(with({"-o", "json"})).at("latency.e2e_s.p99").at("b") == "saturated");
    CHECK(with({"--fail-on-regression=latency.e2e_s.p99"}).exit_code == 1);
}

TEST_CASE("compare: the same bytes for one, two and four threads") {
    const Files files;
    std::string first;
    for (const char* threads : {"1", "2", "4"}) {
        const RunResult r =
            files.compare({"--what-if", files / "slower.json", "--threads", threads, "--precision",
                           "1%", "--metric", "latency.e2e_s.mean", "-o", "json"});
        INFO(r.err);
        REQUIRE(r.exit_code == 0);
        if (first.empty()) first = r.out;
        CHECK(r.out == first);
    }
    CHECK(json::parse(first).at("precision").at("reached") == true);
}

TEST_CASE("compare: bad input is exit 2, each mistake where it stands") {
    const Files files;
    const auto refused = [&](const std::vector<std::string>& words, const std::string& part) {
        const RunResult r = files.compare(words);
        INFO(r.err);
        CHECK(r.exit_code == 2);
        CHECK(r.out == "");
        CHECK(contains(r.err, part));
    };
    refused({}, "expected a second scenario file, or --what-if PATCH.json");
    refused({files / "nowhere.json"}, "nowhere.json");
    write_text(files / "typo.json", "{\n  \"services\": {\"web\": {\"simpel\": {}}}\n}\n");
    refused({"--what-if", files / "typo.json"},
            "typo.json:2: /services/web/simpel: expected a key of the format");
    refused({files.base(), "--metric", "latency.e2e_s.p9"}, "did you mean \"latency.e2e_s.p90\"?");
    refused({files.base(), "--metric", "seed"}, "found \"seed\": a seed is no result");
    write_text(files / "euros.json", "{\"currency\": \"EUR\"}");
    refused({"--what-if", files / "euros.json", "--metric", "cost.total"},
            "found \"cost.total\": the scenarios have different currencies");
    write_text(files / "below/small.json", small_scenario());
    refused({files / "below/small.json"}, "are both called small");
    refused({files.base(), "--out", files.base() + "/x.md"}, "can be made");
    refused({"--what-if", files / "euros.json", "--out", files / "made/"}, "can be made");
    CHECK_FALSE(std::filesystem::exists(files / "made"));
    refused({files.base(), "--replications", "3", "--precision", "2%"}, "--replications auto");
}

TEST_CASE("compare: says of a metric that only one side has, that only one side has it") {
    const Files files;
    std::string renamed = small_scenario("\"description\": \"web is called site\"");
    for (std::size_t at = renamed.find("web\""); at != std::string::npos;
         at = renamed.find("web\"", at)) {
        renamed.replace(at, 3, "site");
    }
    write_text(files / "renamed.json", renamed);
    for (const auto& [option, metric, owner] :
         {std::tuple{"--metric", "services.web.latency", "small"},
          std::tuple{"--fail-on-regression", "services.site.latency.e2e_s.p99", "renamed"}}) {
        const RunResult r =
            files.compare({files / "renamed.json", std::string(option) + "=" + metric});
        INFO(r.err);
        CHECK(r.exit_code == 2);
        CHECK(contains(r.err, std::string(option) +
                                  ": expected a metric that small and another "
                                  "one have, found \"" +
                                  metric + "\": only " + owner + " has it"));
    }
    const RunResult all = files.compare(
        {files / "renamed.json", "--all-metrics", "--replications", "2", "--metric", "requests"});
    CHECK(all.exit_code == 0);
    CHECK(contains(all.err, "metrics of the service web are not compared: only small has it"));
    CHECK(contains(all.err, "metrics of the service site are not compared: only renamed has it"));
}

TEST_CASE("compare: Ctrl-C ends it with exit 3 and no output") {
    const Files files;
    RunOptions options;
    options.signal_after = std::chrono::milliseconds(500);
    const RunResult r = run({"compare", files.base(), files.base(), "--set", "/duration=90d",
                             "--out", files / "told.md", "--threads", "2"},
                            options);
    INFO(r.err);
    CHECK(r.exit_code == 3);
    CHECK(contains(r.err, "interrupted"));
    CHECK(!fs::exists(files / "told.md"));
}

TEST_CASE("run --replications: replication 0 is the run without it, and intervals come on top") {
    const Files files;
    const auto run_into = [&](const std::string& folder, std::vector<std::string> more) {
        more.insert(more.begin(), {"run", files.base(), "--out", files / folder});
        RunResult r = run(more);
        INFO(r.err);
        CHECK(r.exit_code == 0);
        return r;
    };
    run_into("alone", {});
    const RunResult many = run_into("many", {"--replications", "4", "--threads", "2"});
    CHECK(read_text(files / "many/summary.json") == read_text(files / "alone/summary.json"));
    CHECK(contains(many.out, "Replications 4, seeds 1 to 4; 95 % intervals of the mean"));
    const std::string text = read_text(files / "many/replications.json");
    const json study = json::parse(text);
    const json summary = json::parse(read_text(files / "alone/summary.json"));
    CHECK(study.at("digests").at(0) == summary.at("digest"));
    CHECK(study.at("metrics").at("latency.e2e_s.mean").at("values").at(0) ==
          summary.at("latency").at("e2e_s").at("mean"));
    run_into("many", {"--replications", "4", "--threads", "4"});
    CHECK(read_text(files / "many/replications.json") == text);
    run_into("many", {});
    CHECK(!fs::exists(files / "many/replications.json"));
    CHECK(!fs::exists(files / "alone/replications.json"));
}

TEST_CASE("run --replications: an expectation that fails in one replication fails") {
    const Files files;
    const auto replicated = [&](const std::string& scenario) {
        return run({"run", scenario, "--out", files / "out", "--replications", "3"});
    };
    REQUIRE(replicated(files.base()).exit_code == 0);
    const json study = json::parse(read_text(files / "out/replications.json"));
    const json arrived = study.at("metrics").at("requests.arrived").at("values");
    REQUIRE(arrived.at(1) != arrived.at(0));
    REQUIRE(arrived.at(1) != arrived.at(2));
    write_text(files / "strict.json", small_scenario(R"("expect": {"requests.arrived": "!= )" +
                                                     arrived.at(1).dump() + R"("})"));
    const RunResult r = replicated(files / "strict.json");
    INFO(r.out << r.err);
    CHECK(r.exit_code == 1);
    CHECK(contains(r.out, ": held in 2 of 3"));
    CHECK(contains(r.err, "expectation failed in 1 of 3 replications (first under seed 2): "));
}

TEST_CASE("run --batch-means, --warm-up auto: what one run can say of itself") {
    const Files files;
    const RunResult r = run({"run", files.base(), "--out", files / "out", "--set", "/duration=2h",
                             "--batch-means", "--warm-up", "auto"});
    INFO(r.err);
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "Batch means\n  mean latency "));
    CHECK(contains(r.out, "20 batches of"));
    CHECK(contains(r.err, "--warm-up auto: as --set /measure_from="));
}

}  // namespace headroom::acceptance
