#include "analysis/results/read_results.hpp"

#include <cmath>
#include <filesystem>
#include <limits>

#include "analysis/results/hdf5_file.hpp"
#include "analysis/results/results_h5.hpp"
#include "analysis/results/version.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"
#include "tests/unit/analysis/hand_made_run.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::analysis {
namespace {

using scenarios::TemporaryFolder;

/// A results.h5 of one service, with whatever a case wants to be wrong.
struct SmallFile {
    std::string version{program_version()};
    bool has_workloads = true;
    bool has_decisions = true;
    bool has_inputs = true;
    std::vector<double> times = {0, 60};
    std::vector<std::int64_t> values = {1, 2};
    std::vector<double> decided = {0, 60};
    std::vector<std::string> outcomes = {"changed", "blocked"};
    std::string about = "pod";
    std::vector<double> arrivals = {};  ///< one request each
    std::int64_t service_of_requests = 0;

    void write(const std::string& path) const {
        Hdf5File file = Hdf5File::create(path);
        Hdf5Group root = file.root();
        root.set_attribute("version", version);
        root.set_attribute("scenario", std::string("small"));
        root.set_attribute("digest", std::string("00"));
        root.set_attribute("seed", std::int64_t{1});
        root.set_attribute("simulated_s", 100.0);
        Hdf5Group service = root.create_group("services").create_group("web");
        if (has_workloads) {
            Hdf5Group series =
                service.create_group("workloads").create_group("web").create_group("series");
            for (const char* name : {"replicas", "desired_replicas"}) {
                Hdf5Group one = series.create_group(name);
                one.write("time_s", times);
                one.write("value", values);
            }
        }
        if (has_decisions) write_decisions(root);
        if (!arrivals.empty()) write_requests(root);
        file.close();
    }

  private:
    void write_decisions(Hdf5Group& root) const {
        Hdf5Group group = root.create_group("decisions");
        group.write("time_s", decided);
        group.write("outcome", outcomes);
        group.write("about", std::vector<std::string>(decided.size(), about));
        for (const char* name : {"actor", "subject", "reason", "inputs"}) {
            if (std::string(name) == "inputs" && !has_inputs) continue;
            group.write(name, std::vector<std::string>(decided.size(), "x"));
        }
        for (const char* name : {"before", "wanted", "after"}) {
            group.write(name, std::vector<std::int64_t>(decided.size(), 1));
        }
    }
    void write_requests(Hdf5Group& root) const {
        const double never = std::numeric_limits<double>::quiet_NaN();
        Hdf5Group group = root.create_group("requests");
        group.write("service_names", std::vector<std::string>{"web"});
        group.write("service", std::vector<std::int64_t>(arrivals.size(), service_of_requests));
        group.write("arrival_s", arrivals);
        group.write("first_scheduled_s", std::vector<double>(arrivals.size(), never));
        group.write("finish_s", std::vector<double>(arrivals.size(), never));
    }
};

std::string error_reading(const SmallFile& content) {
    const TemporaryFolder folder;
    content.write(folder.path("results.h5"));
    return error_of([&] { (void)read_results(folder.path("")); });
}

}  // namespace

TEST_CASE("ReadResults: gives back what a run wrote") {
    HandMadeRun run = hand_made_run();
    serving::RequestRow done;
    done.service = 1;
    done.arrival = Time::zero() + Duration::seconds(3);
    done.first_scheduled = Time::zero() + Duration::seconds(4);
    done.finish = Time::zero() + Duration::seconds(5);
    serving::RequestRow open;
    open.arrival = Time::picoseconds(3'599'999'999'999'999);
    run.result.rows = {done, open};
    const TemporaryFolder folder;
    write_results_h5(folder.path("results.h5"), run.scenario, run.result, true);
    const StoredRun stored = read_results(folder.path(""));
    CHECK(stored.scenario == "by-hand");
    CHECK(stored.seed == 7);
    CHECK(stored.digest == run.result.digest.hex());
    CHECK(stored.end == run.result.end);
    CHECK(stored.services == std::vector<std::string>{"chat", "reranker"});
    REQUIRE(stored.workloads.size() == 2);
    CHECK(stored.workloads[0].name == "chat");
    CHECK(stored.workloads[0].ready == run.result.control.workloads[0].ready_replicas);
    CHECK(stored.workloads[0].desired == run.result.control.workloads[0].desired_replicas);
    CHECK(stored.workloads[1].service == "reranker");
    REQUIRE(stored.decisions.size() == run.result.control.decisions.size());
    for (std::size_t i = 0; i < stored.decisions.size(); ++i) {
        const control::Decision& a = stored.decisions[i];
        const control::Decision& b = run.result.control.decisions[i];
        CHECK(std::tie(a.time, a.actor, a.subject, a.outcome, a.before, a.wanted, a.after, a.reason,
                       a.inputs, a.about) == std::tie(b.time, b.actor, b.subject, b.outcome,
                                                      b.before, b.wanted, b.after, b.reason,
                                                      b.inputs, b.about));
    }
    REQUIRE(stored.requests);
    REQUIRE(stored.requests->size() == 2);
    CHECK(stored.requests->at(0).service == 1);
    CHECK(stored.requests->at(0).first_scheduled == done.first_scheduled);
    CHECK(stored.requests->at(0).end == done.finish);
    CHECK(stored.requests->at(1).arrival == open.arrival);
    CHECK(stored.requests->at(1).end == Time::max());
    CHECK(stored.requests->at(1).first_scheduled == Time::max());
}

TEST_CASE("ReadResults: requests that were not kept are none") {
    const HandMadeRun run = hand_made_run();
    const TemporaryFolder folder;
    write_results_h5(folder.path("results.h5"), run.scenario, run.result, false);
    CHECK_FALSE(read_results(folder.path("")).requests);
}

TEST_CASE("ReadResults: a folder that is not there or holds no results says what was expected") {
    const TemporaryFolder folder;
    folder.write("quickstart/results.h5", "");
    const auto error = [&](const std::string& name) {
        return error_of([&] { (void)read_results(folder.path(name)); });
    };
    CHECK(contains(error("quickstrat"), "there is no such folder (did you mean \""));
    CHECK(contains(error("quickstrat/"), "quickstart\"?)"));
    CHECK(contains(error("quickstart/results.h5"), "is not a folder; expected a folder that "));
    CHECK(contains(error(""), "holds no results.h5; expected"));
    CHECK(contains(error("quickstart"), "cannot open "));  // an empty file
}

TEST_CASE("ReadResults: results of another version are refused") {
    SmallFile content;
    CHECK(error_reading(content) == "");
    content.version = "9.9.9";
    const std::string error = error_reading(content);
    CHECK(contains(error, "was written by headroom 9.9.9, and this is headroom "));
    CHECK(contains(error, "run the scenario again"));
}

TEST_CASE("ReadResults: what is missing is named, with what to do") {
    SmallFile content;
    content.has_workloads = false;
    std::string error = error_reading(content);
    CHECK(contains(error, "results.h5: /services/web/workloads: there is no such group; expected"));
    CHECK(contains(error, "run the scenario again"));
    content = {};
    content.has_inputs = false;
    CHECK(contains(error_reading(content), "/decisions/inputs: there is no such data set"));
    content = {};
    content.has_decisions = false;
    error = error_reading(content);
    CHECK(contains(error, "/decisions: there is no such group"));
    CHECK(contains(error, "--decisions all"));

    const TemporaryFolder folder;
    Hdf5File::create(folder.path("results.h5")).close();
    error = error_of([&] { (void)read_results(folder.path("")); });
    CHECK(contains(error, "cannot read attribute version"));
    CHECK(contains(error, "run the scenario again"));
}

TEST_CASE("ReadResults: numbers that cannot be are refused with their place") {
    SmallFile content;
    content.values = {1};
    CHECK(contains(error_reading(content),
                   "/series/replicas/value: expected 2 values like its neighbours, found 1"));
    content = {};
    content.times = {60, 0};
    CHECK(contains(error_reading(content), "expected times in their order, found 0 s after 60 s"));
    for (const double bad : {-1.0, std::nan(""), std::numeric_limits<double>::infinity(), 1e12}) {
        content = {};
        content.times[1] = bad;
        CHECK(contains(error_reading(content), "/time_s: expected a time from 0 to "));
        content = {};
        content.arrivals = {bad};
        CHECK(contains(error_reading(content), "/arrival_s: expected a time from 0 to "));
    }
    content = {};
    content.outcomes = {"changed", "maybe"};
    CHECK(contains(error_reading(content), "/decisions/outcome: expected changed, blocked or"));
    content = {};
    content.about = "nobody";
    CHECK(contains(error_reading(content), "/decisions/about: expected workload, pod or node"));
    content = {};
    content.outcomes = {"changed"};
    CHECK(contains(error_reading(content), "/decisions/outcome: expected 2 values"));
    content = {};
    content.arrivals = {1};
    CHECK(error_reading(content) == "");
    for (const std::int64_t bad : {-1, 1}) {
        content.service_of_requests = bad;
        CHECK(contains(error_reading(content), "/requests/service: expected a place in "));
    }
}

TEST_CASE("ReadResults: data of another kind is refused") {
    const TemporaryFolder folder;
    const auto error_with = [&](const auto& add) {
        Hdf5File file = Hdf5File::create(folder.path("results.h5"));
        Hdf5Group root = file.root();
        for (const char* name : {"version", "scenario", "digest"}) {
            root.set_attribute(name, std::string(program_version()));
        }
        root.set_attribute("seed", std::int64_t{1});
        add(root);
        file.close();
        return error_of([&] { (void)read_results(folder.path("")); });
    };
    CHECK(contains(
        error_with([](Hdf5Group& root) { root.set_attribute("simulated_s", std::string("long")); }),
        "cannot read attribute simulated_s"));
    CHECK(contains(error_with([](Hdf5Group& root) {
                       root.set_attribute("simulated_s", 1.0);
                       root.write("services", std::vector<double>{1});
                   }),
                   "results.h5: /services: cannot open group"));
    CHECK(contains(error_with([](Hdf5Group& root) {
                       root.set_attribute("simulated_s", 1.0);
                       (void)root.create_group("services");
                       Hdf5Group decisions = root.create_group("decisions");
                       decisions.write("time_s", std::vector<double>{1});
                       decisions.write("actor", std::vector<std::int64_t>{1});
                   }),
                   "/decisions/actor: cannot read actor"));
}

}  // namespace headroom::analysis
