// The files of a run: requests.csv, decisions.jsonl, run.json, results.h5.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/results/decisions_jsonl.hpp"
#include "analysis/results/hdf5_file.hpp"
#include "analysis/results/requests_csv.hpp"
#include "analysis/results/results_h5.hpp"
#include "analysis/results/run_info.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"
#include "tests/unit/analysis/hand_made_run.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

using scenarios::TemporaryFolder;

std::vector<serving::RequestRow> two_rows() {
    serving::RequestRow done;
    done.id = 4;
    done.instance = 2;
    done.arrival = Time::picoseconds(1);
    done.first_scheduled = Time::zero() + Duration::seconds(1);
    done.first_token = Time::picoseconds(1'500'000'000'001);
    done.finish = Time::zero() + Duration::seconds(3600);
    done.prompt_tokens = 512;
    done.output_tokens = 64;
    done.preemptions = 1;
    done.outcome = serving::Outcome::completed;
    serving::RequestRow refused;
    refused.id = 5;
    refused.service = 1;
    refused.instance = serving::RequestRow::kNoInstance;
    refused.arrival = Time::zero() + Duration::seconds(12);
    refused.outcome = serving::Outcome::rejected;
    return {done, refused};
}

}  // namespace

TEST_CASE("requests.csv: has exact times, and nothing where nothing happened") {
    HandMadeRun run = hand_made_run();
    run.result.rows = two_rows();
    const TemporaryFolder folder;
    write_requests_csv(folder.path("r.csv"), run.scenario.spec, run.result);
    CHECK(scenarios::text_of(folder.path("r.csv")) ==
          "id,service,arrival_s,first_scheduled_s,first_token_s,finish_s,prompt_tokens,"
          "output_tokens,preemptions,pod,outcome\n"
          "4,chat,0.000000000001,1.000000000000,1.500000000001,3600.000000000000,512,64,1,chat-3,"
          "completed\n"
          "5,reranker,12.000000000000,,,,0,0,0,,rejected\n");
}

TEST_CASE("requests.csv: ids name their source when there are several, and names are quoted") {
    HandMadeRun run = hand_made_run();
    run.result.rows = two_rows();
    run.scenario.spec.sources = {{"users, all", 0, {}}, {"others", 0, {}}};
    const TemporaryFolder folder;
    write_requests_csv(folder.path("r.csv"), run.scenario.spec, run.result);
    CHECK(scenarios::text_of(folder.path("r.csv")).find("\n\"users, all\"/4,chat,") !=
          std::string::npos);
}

TEST_CASE("requests.csv: a folder that is not there is an error with its name") {
    const HandMadeRun run = hand_made_run();
    const TemporaryFolder folder;
    const std::string error = error_of(
        [&] { write_requests_csv(folder.path("none/r.csv"), run.scenario.spec, run.result); });
    CHECK(contains(error, "none/r.csv: No such file"));
}

TEST_CASE("decisions.jsonl: is one object a line") {
    const HandMadeRun run = hand_made_run();
    const TemporaryFolder folder;
    write_decisions_jsonl(folder.path("d.jsonl"), run.result.control.decisions);
    const std::string text = scenarios::text_of(folder.path("d.jsonl"));
    CHECK(std::count(text.begin(), text.end(), '\n') == 5);
    const std::size_t second = text.find('\n') + 1;
    CHECK(
        text.substr(second, text.find('\n', second) - second) ==
        R"({"time_s":1200.0,"actor":"hpa chat","subject":"chat","about":"workload",)"
        R"("outcome":"changed","before":1,"wanted":4,"after":4,"reason":"in flight 160 over target 40"})");
    CHECK(contains(text, R"("after":2,"reason":"2 wanted","inputs":"in flight 60 of 80"})"));
}

TEST_CASE("run.json: tells times, machine and speed") {
    RunInfo info;
    info.started_at = "2026-01-31T12:00:00Z";
    info.cpu_s = 2;
    info.requests = 1000;
    info.command_line = {"headroom", "run", "a \"b\".json"};
    const auto json = nlohmann::json::parse(run_json(info));
    CHECK(json["requests_per_cpu_s"] == 500.0);
    CHECK(json["command_line"][2] == "a \"b\".json");
    CHECK_FALSE(json["host"].get<std::string>().empty());
    CHECK(utc_now().size() == info.started_at.size());
}

TEST_CASE("Hdf5File: gives back what was written") {
    const TemporaryFolder folder;
    std::vector<double> many(20'000);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i) / 7;
    {
        Hdf5File file = Hdf5File::create(folder.path("a.h5"));
        Hdf5Group group = file.root().create_group("group");
        group.write("integers", std::vector<std::int64_t>{-1, 1LL << 62});
        group.write("counts", std::vector<std::uint64_t>{7});
        group.write("many", many);
        group.write("texts", std::vector<std::string>{"", "Grüße"});
        group.write("none", std::vector<std::string>{});
        group.write("nothing", std::vector<double>{});
        group.set_attribute("text", std::string("a b"));
        group.set_attribute("whole", std::int64_t{-5});
        group.set_attribute("real", 0.1);
        file.close();
    }
    const Hdf5File file = Hdf5File::open(folder.path("a.h5"));
    const Hdf5Group group = file.root().open_group("group");
    CHECK(group.integers("integers") == std::vector<std::int64_t>{-1, 1LL << 62});
    CHECK(group.integers("counts") == std::vector<std::int64_t>{7});
    CHECK(group.numbers("many") == many);
    CHECK(group.texts("texts") == std::vector<std::string>{"", "Grüße"});
    CHECK(group.texts("none").empty());
    CHECK(group.numbers("nothing").empty());
    CHECK(group.text_attribute("text") == "a b");
    CHECK(group.integer_attribute("whole") == -5);
    CHECK(group.number_attribute("real") == 0.1);
    CHECK(group.names() ==
          std::vector<std::string>{"counts", "integers", "many", "none", "nothing", "texts"});
    CHECK(file.root().names() == std::vector<std::string>{"group"});
    CHECK(group.has("many"));
    CHECK_FALSE(group.has("more"));
}

TEST_CASE("Hdf5File: errors say what was tried, and nothing is printed") {
    const TemporaryFolder folder;
    CHECK(contains(error_of([&] { (void)Hdf5File::open(folder.path("none.h5")); }), "none.h5: "));
    CHECK_THROWS_AS(Hdf5File::create(folder.path("no/where.h5")).close(), WriteError);
    Hdf5File file = Hdf5File::create(folder.path("a.h5"));
    Hdf5Group root = file.root();
    root.write("twice", std::vector<double>{1});
    CHECK(contains(error_of([&] { root.write("twice", std::vector<double>{1}); }),
                   "cannot write twice: "));
    CHECK_THROWS_AS(root.numbers("none"), Hdf5Error);
    CHECK_THROWS_AS(root.text_attribute("none"), Hdf5Error);
}

TEST_CASE("results.h5: holds series, histograms, decisions and requests") {
    HandMadeRun run = hand_made_run();
    run.result.rows = two_rows();
    const TemporaryFolder folder;
    write_results_h5(folder.path("r.h5"), run.scenario, run.result, true);
    const Hdf5File file = Hdf5File::open(folder.path("r.h5"));
    const Hdf5Group root = file.root();
    CHECK(root.integer_attribute("seed") == 7);
    CHECK(root.text_attribute("digest") == run.result.digest.hex());
    CHECK(root.text_attribute("scenario_hash") == "0123456789abcdef");
    const Hdf5Group chat = root.open_group("services/chat");
    CHECK(chat.text_attribute("profile_kind") == "estimated");
    CHECK(chat.number_attribute("profile_error_band") == 0.25);
    const Hdf5Group replicas = chat.open_group("series/replicas");
    CHECK(replicas.numbers("time_s") == std::vector<double>{0, 1500, 3000});
    CHECK(replicas.integers("value") == std::vector<std::int64_t>{1, 4, 2});
    CHECK(root.open_group("total/series/replicas").integers("value") ==
          std::vector<std::int64_t>{2, 5, 3});
    const Hdf5Group workload = chat.open_group("workloads/chat/series/desired_replicas");
    CHECK(workload.integers("value") == std::vector<std::int64_t>{1, 4, 2});
    const Hdf5Group tpot = chat.open_group("histograms/tpot_s");
    CHECK(tpot.integers("count") == std::vector<std::int64_t>{100});
    CHECK(tpot.numbers("low_s")[0] <= 0.02);
    CHECK(tpot.numbers("high_s")[0] > 0.02);
    const Hdf5Group decisions = root.open_group("decisions");
    CHECK(decisions.texts("outcome")[2] == "blocked");
    CHECK(decisions.texts("about") ==
          std::vector<std::string>{"pod", "workload", "pod", "workload", "workload"});
    CHECK(decisions.texts("reason")[4] == "2 wanted");
    CHECK(decisions.texts("inputs") ==
          std::vector<std::string>{"", "", "", "", "in flight 60 of 80"});
    CHECK(decisions.integers("after") == std::vector<std::int64_t>{0, 4, -1, 4, 2});
    const Hdf5Group requests = root.open_group("requests");
    CHECK(requests.integers("id") == std::vector<std::int64_t>{4, 5});
    CHECK(requests.integers("pod") == std::vector<std::int64_t>{1, -1});
    CHECK(requests.texts("pod_names") ==
          std::vector<std::string>{"chat-0", "chat-3", "reranker-0"});
    CHECK(std::isnan(requests.numbers("finish_s")[1]));
    CHECK(requests.texts(
              "outcome_names")[static_cast<std::size_t>(requests.integers("outcome")[1])] ==
          "rejected");
}

TEST_CASE("results.h5: is the same file for the same run") {
    const HandMadeRun run = hand_made_run();
    const TemporaryFolder folder;
    write_results_h5(folder.path("a.h5"), run.scenario, run.result, false);
    write_results_h5(folder.path("b.h5"), run.scenario, run.result, false);
    CHECK(scenarios::text_of(folder.path("a.h5")) == scenarios::text_of(folder.path("b.h5")));
    CHECK_FALSE(Hdf5File::open(folder.path("a.h5")).root().has("requests"));
}

}  // namespace headroom::analysis
