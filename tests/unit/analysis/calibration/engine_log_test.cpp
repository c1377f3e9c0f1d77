#include "analysis/calibration/engine_log.hpp"

#include <algorithm>

#include "tests/catch.hpp"
#include "tests/unit/traces/temporary_file.hpp"

namespace headroom::analysis {
namespace {

using traces::TemporaryFile;

struct ReadLog {
    std::optional<EngineLog> log;
    std::vector<std::string> problems;  ///< without the folder
};

ReadLog read_log(const std::string& content, const std::string& name = "log.csv") {
    const TemporaryFile file(content, name);
    scenarios::Diagnostics diagnostics;
    ReadLog result{read_engine_log(file.path(), diagnostics), {}};
    const std::string folder = file.path().substr(0, file.path().size() - name.size());
    for (const scenarios::Diagnostic& diagnostic : diagnostics) {
        std::string text = diagnostic.text();
        for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder)) {
            text.erase(at, folder.size());
        }
        result.problems.push_back(text);
    }
    CHECK(result.log.has_value() == diagnostics.empty());
    return result;
}

const std::string kLogHeader = "id,arrival_s,prompt_tokens,output_tokens,first_token_s,finish_s\n";

/// The only problem of a row behind two good ones, in line 4.
std::string problem_of(const std::string& row) {
    const ReadLog result = read_log(kLogHeader + "a,0,10,5,1,2\nb,1,10,5,2,3\n" + row + "\n");
    REQUIRE(result.problems.size() == 1);
    CHECK(result.problems[0].rfind("log.csv:4: ", 0) == 0);
    return result.problems[0].substr(11);
}

Duration ms(std::int64_t n) {
    return Duration::milliseconds(n);
}

}  // namespace

TEST_CASE("EngineLog: reads this project's requests.csv and leaves out what did not complete") {
    const ReadLog result = read_log(
        "id,service,arrival_s,first_scheduled_s,first_token_s,finish_s,prompt_tokens,"
        "output_tokens,preemptions,pod,outcome\n"
        "0,chat,0.5,0.5,0.75,2.5,100,8,0,chat-0,completed\n"
        "1,chat,1,,,,200,9,0,,rejected\n"
        "2,chat,1.25,1.5,2,2,300,1,0,chat-0,completed\n");
    REQUIRE(result.log);
    CHECK(result.log->left_out == 1);
    CHECK_FALSE(result.log->sorted);
    REQUIRE(result.log->requests.size() == 2);
    const LoggedRequest& first = result.log->requests[0];
    CHECK(first.arrival == Time::zero());
    CHECK(first.ttft() == ms(250));
    CHECK(first.e2e() == ms(2000));
    CHECK(first.prompt_tokens == 100);
    CHECK(first.output_tokens == 8);
    CHECK(first.id == "0");
    CHECK(first.line == 2);
    const LoggedRequest& last = result.log->requests[1];
    CHECK(last.arrival == Time::zero() + ms(750));
    CHECK(last.first_token == last.finish);
    CHECK(last.line == 4);
}

TEST_CASE("EngineLog: reads the names of other simulators and of vLLM, in any order") {
    const ReadLog vidur = read_log(
        "prompt_hash_ids,num_decode_tokens,num_prefill_tokens,arrived_at,queued_at,scheduled_at,"
        "last_token_at,first_token_at\n"
        "0-3 7,8,100,0,0,0,2.5,0.25\n");
    REQUIRE(vidur.log);
    CHECK(vidur.log->requests[0].ttft() == ms(250));
    CHECK(vidur.log->requests[0].e2e() == ms(2500));
    CHECK(vidur.log->requests[0].prompt_tokens == 100);

    // vLLM up to 0.9: wall clock all through; the last token goes before the end of processing.
    for (const char* const row :
         {"arrival_time,first_token_time,last_token_time,finished_time,num_prompt_tokens,"
          "num_generation_tokens\n1700000000.5,1700000000.75,1700000003.0,1700000003.25,7,3\n",
          "finished_time,last_token_time,arrival_time,first_token_time,num_prompt_tokens,"
          "num_generation_tokens\n1700000003.25,1700000003.0,1700000000.5,1700000000.75,7,3\n"}) {
        const ReadLog old = read_log(row);
        REQUIRE(old.log);
        CHECK(old.log->requests[0].arrival == Time::zero());
        CHECK(old.log->requests[0].ttft() == ms(250));
        CHECK(old.log->requests[0].e2e() == ms(2500));
    }

    // Since then: the arrival on the wall clock, the engine's moments on its own.
    const ReadLog now = read_log(
        "arrival_time,queued_ts,scheduled_ts,first_token_ts,last_token_ts,first_token_latency,"
        "num_prompt_tokens,num_generation_tokens\n"
        "1700000000.5,90.25,90.5,91,93.5,0.75,7,3\n");
    REQUIRE(now.log);
    CHECK(now.log->requests[0].ttft() == ms(750));
    CHECK(now.log->requests[0].e2e() == ms(3250));
    const ReadLog clocks = read_log(
        "arrival_time,first_token_ts,last_token_ts,num_prompt_tokens,num_generation_tokens\n"
        "1700000000.5,91,93.5,7,3\n");
    REQUIRE(clocks.problems.size() == 1);
    CHECK(clocks.problems[0] ==
          "log.csv:1: first_token_ts counts on another clock than arrival_time; expected "
          "first_token_latency, first_token_ts and last_token_ts together, or times of one clock");
}

TEST_CASE("EngineLog: reads JSON lines by field names") {
    const ReadLog result = read_log(
        R"({"arrival_time": 10.5, "first_token_time": 11, "last_token_time": 12.5, "x": [1, {}],)"
        R"( "num_prompt_tokens": 7, "num_generation_tokens": 3, "id": "r-1"})"
        "\n\n"
        R"({"num_generation_tokens": 4, "num_prompt_tokens": 8, "arrival_time": 11,)"
        R"( "first_token_time": 11.25, "last_token_time": 1.2e1})"
        "\n",
        "log.jsonl");
    REQUIRE(result.log);
    REQUIRE(result.log->requests.size() == 2);
    CHECK(result.log->requests[0].id == "r-1");
    CHECK(result.log->requests[0].ttft() == ms(500));
    CHECK(result.log->requests[1].arrival == Time::zero() + ms(500));
    CHECK(result.log->requests[1].e2e() == ms(1000));
    CHECK(result.log->requests[1].line == 3);

    const ReadLog bad =
        read_log(R"({"arrival_tim": 1, "first_token_time": 2, "last_token_time": 3,)"
                 R"( "num_prompt_tokens": 4.5, "num_generation_tokens": 3})"
                 "\n[1]\n{\n"
                 R"({"arrival_time": "1", "first_token_time": null, "last_token_time": 3,)"
                 R"( "num_prompt_tokens": 4, "num_generation_tokens": 3})",
                 "log.jsonl");
    REQUIRE(bad.problems.size() == 5);
    CHECK(bad.problems[0] ==
          "log.jsonl:1: no field for the arrival; expected one of arrival_s, arrived_at, "
          "arrival_time; found \"arrival_tim\" (did you mean \"arrival_time\"?)");
    CHECK(bad.problems[1] == "log.jsonl:2: expected one JSON object a line, found '[1]'");
    CHECK(bad.problems[2] == "log.jsonl:3: expected one JSON object a line, found '{'");
    CHECK(bad.problems[3] == "log.jsonl:4: arrival_time is '1'; expected seconds >= 0");
    CHECK(bad.problems[4] == "log.jsonl:4: first_token_time is 'null'; expected seconds >= 0");
}

TEST_CASE("EngineLog: prompt_hash_ids names what the prompt's blocks of 16 tokens hold") {
    const std::string header =
        "prompt_hash_ids,arrival_s,prompt_tokens,output_tokens,first_token_s,finish_s\n";
    const ReadLog csv = read_log(header +
                                 "0-3 7 2-2,0,100,5,1,2\n"
                                 ",1,100,5,2,3\n"
                                 "5,2,7,5,3,4\n"
                                 "\"[8, 9-10]\",3,48,5,4,5\n");
    REQUIRE(csv.log);
    const auto& requests = csv.log->requests;
    REQUIRE(requests[0].contents);
    CHECK(requests[0].contents->ids == std::vector<std::uint64_t>{0, 1, 2, 3, 7, 2});
    CHECK(requests[0].contents->tokens_per_id == 16);
    CHECK(requests[0].contents->covered == 96);
    CHECK_FALSE(requests[1].contents);
    CHECK(requests[2].contents->covered == 7);  // never more than the prompt
    CHECK(requests[3].contents->ids == std::vector<std::uint64_t>{8, 9, 10});

    const ReadLog json = read_log(
        R"({"arrival_time": 0, "first_token_time": 1, "last_token_time": 2, "num_prompt_tokens": 40,)"
        R"( "num_generation_tokens": 3, "prompt_hash_ids": [7, 8]})"
        "\n"
        R"({"arrival_time": 0, "first_token_time": 1, "last_token_time": 2, "num_prompt_tokens": 40,)"
        R"( "num_generation_tokens": 3, "prompt_hash_ids": null})",
        "log.jsonl");
    REQUIRE(json.log);
    CHECK(json.log->requests[0].contents->ids == std::vector<std::uint64_t>{7, 8});
    CHECK_FALSE(json.log->requests[1].contents);

    const ReadLog bad =
        read_log(header +
                 "a,0,100,5,1,2\n1-,0,100,5,1,2\n3-2,0,100,5,1,2\n0-7,0,100,5,1,2\n"
                 "0-18446744073709551615,0,100,5,1,2\n1 2,0,16,5,1,2\n1.5,0,99,5,1,2\n");
    REQUIRE(bad.problems.size() == 7);
    CHECK(bad.problems[0] ==
          "log.csv:2: prompt_hash_ids is 'a'; expected whole numbers and ranges a-b, at most 7 ids "
          "for a prompt of 100 tokens");
    CHECK(bad.problems[5] ==
          "log.csv:7: prompt_hash_ids is '1 2'; expected whole numbers and ranges a-b, at most 1 "
          "ids for a prompt of 16 tokens");
}

TEST_CASE("EngineLog: reads compressed files whatever their name") {
    const std::string text = kLogHeader + "a,0,10,5,1,2\n";
    CHECK(read_log(traces::gzipped(text), "log.csv.gz").log->requests.size() == 1);
    CHECK(read_log(traces::zstandard(text), "log.zst").log->requests.size() == 1);
    CHECK(read_log(traces::zstandard(text), "log").log->requests.size() == 1);
}

TEST_CASE("EngineLog: sorts by arrival, keeps the order of equal ones, and says so") {
    const ReadLog result = read_log(kLogHeader +
                                    "a,5,10,5,6,7\n"
                                    "b,3,10,5,4,5\n"
                                    "c,5,11,5,6,7\n"
                                    "d,3.5,10,5,4,5\n");
    REQUIRE(result.log);
    CHECK(result.log->sorted);
    std::string order;
    for (const LoggedRequest& request : result.log->requests) order += request.id;
    CHECK(order == "bdac");
    CHECK(result.log->requests[0].arrival == Time::zero());
    CHECK(result.log->requests[3].arrival == Time::zero() + ms(2000));
}

TEST_CASE("EngineLog: each mistake says what was expected") {
    CHECK(problem_of("c,x,10,5,1,2") == "arrival_s is 'x'; expected seconds >= 0");
    CHECK(problem_of("c,nan,10,5,1,2") == "arrival_s is 'nan'; expected seconds >= 0");
    CHECK(problem_of("c,1,10,5,inf,2") == "first_token_s is 'inf'; expected seconds >= 0");
    CHECK(problem_of("c,-1,10,5,1,2") == "arrival_s is '-1'; expected seconds >= 0");
    CHECK(problem_of("c,1,10,5,,2") == "first_token_s is empty; expected seconds >= 0");
    const std::string tokens = "; expected a whole number of tokens, 1 to 1000000000";
    CHECK(problem_of("c,1,0,5,1,2") == "prompt_tokens is '0'" + tokens);
    CHECK(problem_of("c,1,10,0,1,2") == "output_tokens is '0'" + tokens);
    CHECK(problem_of("c,1,2.5,5,1,2") == "prompt_tokens is '2.5'" + tokens);
    CHECK(problem_of("c,1,2000000000,5,1,2") == "prompt_tokens is '2000000000'" + tokens);
    CHECK(problem_of("c,3,10,5,2.5,4") ==
          "first_token_s is 2.5, before arrival_s 3; expected the first token after the arrival");
    CHECK(problem_of("c,3,10,5,5,4") ==
          "finish_s is 4, before first_token_s 5; expected the last token not before the first");
    CHECK(problem_of("c,3,10,5,5") == "expected 6 fields as in the header, found 5");
    CHECK(problem_of("c,3,10,5,5,1e8") ==
          "a last token 100000000 s after the first arrival; expected at most 8640000 (100 days)");
    CHECK(read_log(kLogHeader + "a,0,10.0,5,1,2\n").log->requests[0].prompt_tokens == 10);
}

TEST_CASE("EngineLog: all mistakes of a file come at once, up to a hundred") {
    const ReadLog result = read_log(kLogHeader + "a,-1,0,5,1,x\nb,0,1,1,1,1\nc,0,1,1,1\n");
    REQUIRE(result.problems.size() == 4);
    CHECK(result.problems[0] == "log.csv:2: arrival_s is '-1'; expected seconds >= 0");
    CHECK(result.problems[2] == "log.csv:2: finish_s is 'x'; expected seconds >= 0");
    CHECK(result.problems[3] == "log.csv:4: expected 6 fields as in the header, found 5");

    std::string many = kLogHeader;
    for (int i = 0; i < 150; ++i) many += "a,-1,1,1,1,1\n";
    const ReadLog most = read_log(many);
    REQUIRE(most.problems.size() == EngineLog::kMostMistakes + 1);
    CHECK(most.problems.back() == "log.csv:151: ... and 50 more mistakes");
}

TEST_CASE("EngineLog: a header that lacks columns names the nearest, one that doubles them both") {
    const ReadLog missing = read_log("arival_s,prompt_tokens,outputs,first_token_at\n1,2,3,4\n");
    REQUIRE(missing.problems.size() == 3);
    CHECK(missing.problems[0] ==
          "log.csv:1: no column for the arrival; expected one of arrival_s, arrived_at, "
          "arrival_time; found \"arival_s\" (did you mean \"arrival_s\"?)");
    CHECK(missing.problems[1] ==
          "log.csv:1: no column for the output's tokens; expected one of output_tokens, "
          "num_decode_tokens, num_generation_tokens");
    CHECK(missing.problems[2].find("no column for the last token's time; expected one of finish_s, "
                                   "last_token_at, last_token_time, finished_time") !=
          std::string::npos);
    const ReadLog doubled = read_log(
        "arrival_s,arrived_at,prompt_tokens,output_tokens,first_token_s,finish_s\n2,0,1,1,1,1\n");
    REQUIRE(doubled.problems.size() == 1);
    CHECK(doubled.problems[0] ==
          "log.csv:1: arrival_s and arrived_at say the same; expected one of them");
}

TEST_CASE("EngineLog: an outcome nobody knows, and files without requests") {
    const std::string header = "arrival_s,prompt_tokens,output_tokens,first_token_s,finish_s";
    const ReadLog outcome = read_log(header + ",outcome\n0,1,1,1,1,complete\n");
    REQUIRE(outcome.problems.size() == 1);
    CHECK(outcome.problems[0] ==
          "log.csv:2: outcome is 'complete'; expected completed, failed, rejected, timed_out or "
          "in_flight (did you mean \"completed\"?)");
    CHECK(read_log("").problems.at(0) == "log.csv: no requests (the file is empty)");
    CHECK(read_log(header + "\n").problems.at(0) ==
          "log.csv:1: no requests behind the header; expected at least one");
    CHECK(read_log(header + ",outcome\n0,1,1,,,failed\n").problems.at(0) ==
          "log.csv:2: no request completed; expected at least one");

    scenarios::Diagnostics diagnostics;
    CHECK_FALSE(read_engine_log("no-such-file.csv", diagnostics));
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].text().rfind("no-such-file.csv: cannot open: ", 0) == 0);
}

}  // namespace headroom::analysis
