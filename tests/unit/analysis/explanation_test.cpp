#include "analysis/report/explanation.hpp"

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/unit/analysis/error_of.hpp"
#include "tests/unit/analysis/stored_run.hpp"

namespace headroom::analysis {
namespace {

using Outcome = control::Decision::Outcome;

Explanation told_at(const StoredRun& run, double seconds) {
    return explain(run, {.at = at_s(seconds)});
}

/// The first workload of the first service.
WorkloadState chat_at(const StoredRun& run, double seconds) {
    return told_at(run, seconds).services.at(0).workloads.at(0);
}

std::vector<std::string> subjects(const std::vector<control::Decision>& decisions) {
    std::vector<std::string> out;
    for (const control::Decision& decision : decisions) out.push_back(decision.subject);
    return out;
}

control::Decision wish(double seconds, std::int64_t wanted, Outcome outcome) {
    return web_wish(seconds, wanted, std::to_string(wanted) + " wanted", outcome);
}

}  // namespace

TEST_CASE("Explain: the state at an instant is after all that happened at it") {
    const WorkloadState chat = chat_at(stored_run(), 960);
    CHECK(chat.desired == 8);
    CHECK(chat.desired_since == at_s(960));
    CHECK(chat.ready == 2);
    CHECK(chat.ready_since == Time::zero());
    CHECK(chat.starting() == 6);
    REQUIRE(chat.cause);
    CHECK(chat.cause->reason == "13 wanted, 8 allowed: limit");
    CHECK(chat.cause->inputs == "requests_in_flight 247.5 (target 40 a pod)");
    CHECK(chat.ready_at == at_s(1100));

    const WorkloadState before = chat_at(stored_run(), 959.9);
    CHECK(before.desired == 4);
    CHECK(before.starting() == 2);
    CHECK(before.ready_at == at_s(1020));
    CHECK(before.cause->time == at_s(900));
}

TEST_CASE("Explain: the pods that start are those without a node and those that started last") {
    CHECK(subjects(chat_at(stored_run(), 960).starts) ==
          std::vector<std::string>{"chat-2", "chat-3", "chat-4", "chat-5", "chat-6"});
    CHECK(subjects(chat_at(stored_run(), 960).unplaced) == std::vector<std::string>{"chat-7"});
    // 4 are ready, and chat-7 got a node.
    const WorkloadState later = chat_at(stored_run(), 1020);
    CHECK(later.unplaced.empty());
    CHECK(subjects(later.starts) ==
          std::vector<std::string>{"chat-4", "chat-5", "chat-6", "chat-7"});
    CHECK(chat_at(stored_run(), 1100).starts.empty());
}

TEST_CASE("Explain: pods that are deleted, killed or evicted start no more, slowed ones do") {
    StoredRun run = stored_run();
    const auto last = run.decisions.begin() + 13;
    run.decisions.insert(
        last,
        {about_pod({at_s(1021), "fault", "chat-7", Outcome::changed, -1, 0, 0, "killed"}),
         about_pod({at_s(1021), "vpa chat", "chat-6", Outcome::changed, 8, 8, 7, "evicted: small"}),
         about_pod({at_s(1021), "fault", "chat-5", Outcome::changed, -1, 4, 4, "speed 0.5"}),
         bound(1022, "chat-8", 4)});
    CHECK(subjects(chat_at(run, 1022).starts) ==
          std::vector<std::string>{"chat-3", "chat-4", "chat-5", "chat-8"});
}

TEST_CASE("Explain: a container that starts again is starting, also long after its pod was bound") {
    StoredRun run = stored_run();
    run.decisions.insert(run.decisions.begin() + 13,
                         about_pod({at_s(1300), "kubelet", "chat-0", Outcome::changed, 0, 1, 1,
                                    "its container crashes: restart 1 at once"}));
    run.workloads[0].ready = steps({{0, 2}, {1100, 8}, {1300, 7}, {1310, 8}});
    CHECK(subjects(chat_at(run, 1300).starts) == std::vector<std::string>{"chat-0"});
    const std::string text = render_explanation(told_at(run, 1300), {});
    CHECK(contains(text, "Starting    chat-0 (its container crashes: restart 1 at once) since "));
    CHECK(contains(text, "now  chat-0 starts again: its container crashes: restart 1 at once"));
}

TEST_CASE("Explain: a rollout changes no desired number, and is held back when it is blocked") {
    StoredRun run = stored_run();
    run.decisions.insert(run.decisions.begin() + 13,
                         {{at_s(1300), "workload chat", "chat", Outcome::changed, 0, 8, 2,
                           "revision 2, 2 of 8 updated: begins"},
                          {at_s(1400), "workload chat", "chat", Outcome::blocked, 2, 8, 2,
                           "revision 2, 2 of 8 updated: no progress for 100 s"}});
    CHECK(chat_at(run, 1300).blocked.size() == 1);  // of the autoscaler
    const WorkloadState chat = chat_at(run, 1400);
    CHECK(chat.cause->time == at_s(960));
    REQUIRE(chat.blocked.size() == 2);
    CHECK(chat.blocked[0].decision.actor == "hpa chat");
    CHECK(chat.blocked[1].decision.actor == "workload chat");
    CHECK(chat.before.back().kind == TimelineEntry::Kind::rollout);
    CHECK(contains(render_explanation(told_at(run, 1400), {}),
                   "now  rollout: revision 2, 2 of 8 updated: no progress for 100 s"));
}

TEST_CASE("Explain: what an autoscaler wished for last is held back until it decides otherwise") {
    const StoredRun run = stored_run();
    CHECK(chat_at(run, 974).blocked.empty());
    for (const double seconds : {975.0, 1799.0}) {
        const WorkloadState chat = chat_at(run, seconds);
        REQUIRE(chat.blocked.size() == 1);
        CHECK(chat.blocked[0].decision.wanted == 17);
        CHECK(chat.blocked[0].since == at_s(975));
        CHECK_FALSE(chat.blocked[0].ticks_kept);
        CHECK(chat.cause->time == at_s(960));
    }
    CHECK(chat_at(run, 1800).blocked.empty());
}

TEST_CASE("Explain: with every tick kept, a wish is held back as long as the ticks say so") {
    StoredRun run = stored_run();
    run.decisions = {wish(10, 5, Outcome::blocked), wish(20, 6, Outcome::blocked),
                     wish(30, 7, Outcome::blocked), wish(40, 3, Outcome::unchanged),
                     wish(50, 5, Outcome::blocked)};
    const auto web_at = [&](double seconds) {
        return told_at(run, seconds).services.at(1).workloads.at(0);
    };
    REQUIRE(web_at(35).blocked.size() == 1);
    CHECK(web_at(35).blocked[0].decision.wanted == 7);
    CHECK(web_at(35).blocked[0].since == at_s(10));
    CHECK(web_at(35).blocked[0].ticks_kept);
    CHECK(web_at(45).blocked.empty());
    CHECK(web_at(50).blocked[0].since == at_s(50));
    CHECK(contains(render_explanation(told_at(run, 35), {}), "so at every tick since 10"));
}

TEST_CASE("Explain: without the ticks in between a wish was held back at its own time, no longer") {
    StoredRun run = stored_run();
    // Exact repeats are not kept: between these two the autoscaler was content.
    run.decisions = {wish(10, 5, Outcome::blocked), wish(30, 5, Outcome::blocked)};
    const WorkloadState web = told_at(run, 35).services.at(1).workloads.at(0);
    REQUIRE(web.blocked.size() == 1);
    CHECK(web.blocked[0].since == at_s(30));
    CHECK_FALSE(web.blocked[0].ticks_kept);
    CHECK_FALSE(contains(render_explanation(told_at(run, 35), {}), "every tick since"));
}

TEST_CASE("Explain: tells events of the span asked for, and at least the next one") {
    const StoredRun run = stored_run();
    const auto times = [](const std::vector<TimelineEntry>& entries) {
        std::vector<double> out;
        for (const TimelineEntry& entry : entries) out.push_back(entry.time.to_seconds());
        return out;
    };
    const Explanation narrow =
        explain(run, {.at = at_s(975), .around = Duration::seconds(15), .service = "chat"});
    REQUIRE(narrow.services.size() == 1);
    const WorkloadState& chat = narrow.services[0].workloads[0];
    CHECK(times(chat.before) == std::vector<double>{960, 960, 960, 975});
    CHECK(times(chat.next) == std::vector<double>{1000});
    CHECK(narrow.cluster_before.empty());
    CHECK(times(narrow.cluster_next) == std::vector<double>{985});
    // Nothing within ten minutes: what comes first, all of it.
    const Explanation quiet = told_at(run, 1150);
    CHECK(times(quiet.services[0].workloads[0].next) == std::vector<double>{1800, 1800, 1800});
    CHECK(times(quiet.cluster_before) == std::vector<double>{985});
    CHECK(chat_at(run, 3600).next.empty());
}

TEST_CASE("Explain: counts requests in flight, those that wait, and arrivals of a minute") {
    StoredRun run = stored_run();
    CHECK_FALSE(told_at(run, 0).services[0].requests);
    const Time never = Time::max();
    run.requests = {{{0, at_s(10), at_s(11), at_s(100)},   // runs from 11 to 100
                     {0, at_s(50), at_s(90), at_s(120)},   // waits from 50 to 90
                     {0, at_s(80), never, at_s(85)},       // rejected
                     {0, at_s(75), never, never},          // waits for ever
                     {1, at_s(20), at_s(20), at_s(21)}}};  // of web
    const RequestState chat = *told_at(run, 80).services[0].requests;
    CHECK(chat.in_flight == 4);
    CHECK(chat.waiting == 3);
    CHECK(chat.longest_wait == Duration::seconds(30));
    CHECK(chat.arrived_per_s == 3.0 / 60);  // not the one from 70 s ago
    CHECK(told_at(run, 80).services[1].requests->in_flight == 0);
    CHECK(told_at(run, 100).services[0].requests->in_flight == 2);
    CHECK(told_at(run, 10).services[0].requests->arrived_per_s == 0.1);  // over ten seconds
    CHECK(told_at(run, 0).services[0].requests->arrived_per_s == 0.0);
}

TEST_CASE("Explain: reads well at night") {
    StoredRun run = stored_run();
    run.requests = {{{0, at_s(950), Time::max(), at_s(1200)}}};
    CHECK("\n" + render_explanation(told_at(run, 975), {}) == R"(
surge at 16m15s of 1h
seed 3, digest 00abc

Workload  wanted  since  ready  since  starting
chat           8    16m      2     0s         6
web            3     0s      3     0s         0

chat wants 8 replicas: 2 ready, 6 starting, 1 of them without a node; all 8 are ready in 2m5s, at
18m20s.
  Why 8       hpa chat raised it from 4 at 16m (15 s ago): 13 wanted, 8 allowed: limit; it saw
              requests_in_flight 247.5 (target 40 a pod)
  Held back   hpa chat wanted 17 at 16m15s (now), and kept 8: 17 wanted, 8 allowed: limit; it saw
              requests_in_flight 320 (target 40 a pod)
  No node     1 pod waits for a node: chat-7; at 16m (15 s ago): 0/8 nodes are available
  Starting    chat-2 on gpu-2, chat-3 on gpu-3 since 15m (1m15s ago); chat-4 on gpu-4, chat-5 on
              gpu-5, chat-6 on gpu-6 since 16m (15 s ago)
  Requests    1 in flight, 0.500 a ready replica; 1 of them not yet taken up, the first since 25 s;
              0.0167 requests/s in the last minute
  Before      the last 10m
       15m  1m15s ago  hpa chat raises 2 to 4: 6 wanted, 4 allowed: limit; it saw requests_in_flight
                       108 (target 40 a pod)
       15m  1m15s ago  2 pods get a node: chat-2 on gpu-2, chat-3 on gpu-3
       16m   15 s ago  hpa chat raises 4 to 8 (above)
       16m   15 s ago  1 pod finds no node: chat-7: 0/8 nodes are available
       16m   15 s ago  3 pods get a node: chat-4 on gpu-4, chat-5 on gpu-5, chat-6 on gpu-6
    16m15s        now  hpa chat wants 17 and keeps 8 (above)
  Next        the next 10m
    16m40s  in 25 s  1 pod gets a node: chat-7 on gpu-8
       17m  in 45 s  ready 2 -> 4
    17m20s  in 1m5s  ready 4 -> 7
    18m20s  in 2m5s  ready 7 -> 8

web wants 3 replicas and has them.
  Why 3       as the run began: no decision has changed it
  Requests    0 in flight; 0 requests/s in the last minute
  Events      none in the last 10m, and none later

Cluster: nodes, and faults that are not of a pod
  Before      nothing in the last 10m
  Next        the next 10m
    16m25s  in 10 s  fault on gpu-7: lost with 0 pods
)");
}

TEST_CASE("Explain: says in a sentence whether there is enough, and if not until when") {
    StoredRun run = stored_run();
    const auto sentence = [&](double seconds) {
        const std::string text = render_explanation(
            explain(run, {.at = at_s(seconds), .service = "chat"}), {.width = 1000});
        const std::size_t begin = text.find("\n\nchat ") + 2;
        return text.substr(begin, text.find('\n', begin) - begin);
    };
    CHECK(sentence(0) == "chat wants 2 replicas and has them.");
    CHECK(sentence(1020) ==
          "chat wants 8 replicas: 4 ready, 4 starting; all 8 are ready in 1m20s, "
          "at 18m20s.");
    run.workloads[0].ready = steps({{0, 2}, {2000, 8}});
    CHECK(sentence(1020) ==
          "chat wants 8 replicas: 2 ready, 6 starting; it wants fewer in 13m, at 30m, before all "
          "are ready.");
    run.workloads[0].desired = steps({{0, 0}, {960, 8}, {3000, 1}});
    run.workloads[0].ready = steps({{0, 0}, {960, 2}});
    CHECK(sentence(0) == "chat wants no replica and has none.");
    CHECK(sentence(3000) == "chat wants 1 replica: 2 are ready, more than it wants.");
    run.workloads[0].desired = steps({{0, 0}, {960, 8}});
    CHECK(sentence(3600) ==
          "chat wants 8 replicas: 2 ready, 6 starting; not all are ready before the run ends.");
}

TEST_CASE("Explain: no line is longer than asked for, whatever a reason says") {
    StoredRun run = stored_run();
    for (control::Decision& decision : run.decisions) decision.inputs = std::string(200, '-');
    for (control::Decision& decision : run.decisions) {
        for (std::size_t i = 20; i < 200; i += 20) decision.inputs[i] = ' ';
    }
    for (const double seconds : {0.0, 960.0, 975.0, 1800.0, 3600.0}) {
        const std::string text = render_explanation(told_at(run, seconds), {});
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = text.find('\n', begin);
            const std::string line = text.substr(begin, end - begin);
            CAPTURE(line);
            CHECK(columns_of(line) <= 100);
            begin = end + 1;
        }
    }
}

TEST_CASE("Explain: says what a run did not keep, and which option keeps it") {
    const StoredRun run = stored_run();
    CHECK(contains(render_explanation(told_at(run, 960), {}), "run --requests keeps them"));
    CHECK_FALSE(contains(render_explanation(told_at(run, 975), {}), "--decisions all"));
    CHECK(contains(render_explanation(told_at(run, 980), {}), "--decisions all keeps them"));
}

TEST_CASE("Explain: as JSON has stable names") {
    StoredRun run = stored_run();
    run.requests = {{{0, at_s(950), Time::max(), at_s(1200)}}};
    const nlohmann::ordered_json json = explanation_json(told_at(run, 980));
    CHECK(json["at_s"] == 980.0);
    CHECK(json["simulated_s"] == 3600.0);
    CHECK(json["around_s"] == 600.0);
    CHECK(
        json["services"]["chat"]["requests"].dump() ==
        R"({"in_flight":1,"waiting":1,"longest_wait_s":30.0,"arrived_per_s":0.016666666666666666})");
    const nlohmann::ordered_json& chat = json["services"]["chat"]["workloads"]["chat"];
    CHECK(chat["desired"] == 8);
    CHECK(chat["desired_since_s"] == 960.0);
    CHECK(chat["ready"] == 2);
    CHECK(chat["starting"] == 6);
    CHECK(chat["ready_at_s"] == 1100.0);
    CHECK(chat["cause"]["wanted"] == 13);
    CHECK(chat["cause"]["inputs"] == "requests_in_flight 247.5 (target 40 a pod)");
    CHECK(chat["blocked"][0]["wanted"] == 17);
    CHECK(chat["blocked"][0]["since_s"] == 975.0);
    CHECK(chat["blocked"][0]["ticks_kept"] == false);
    CHECK(chat["unplaced"][0]["subject"] == "chat-7");
    CHECK(chat["starts"].size() == 5);
    CHECK(chat["before"][1].dump() ==
          R"({"time_s":900.0,"in_s":-80.0,"kind":"pods_bound","actor":"scheduler",)"
          R"("pods":["chat-2","chat-3"],)"
          R"("places":["bound to gpu-2, devices 0","bound to gpu-3, devices 0"]})");
    CHECK(chat["next"][1].dump() ==
          R"({"time_s":1020.0,"in_s":40.0,"kind":"ready","before":2,"wanted":4,"after":4})");
    CHECK(json["cluster"]["next"][0]["subject"] == "gpu-7");
    const nlohmann::ordered_json& web = json["services"]["web"]["workloads"]["web"];
    CHECK(web["cause"].is_null());
    CHECK(web["ready_at_s"].is_null());
    CHECK(explanation_json(told_at(stored_run(), 0))["services"]["web"]["requests"].is_null());
}

}  // namespace headroom::analysis
