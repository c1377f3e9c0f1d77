#include "analysis/calibration/engine_log.hpp"

#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/scale.hpp"
#include "tests/unit/traces/temporary_file.hpp"

namespace headroom::analysis {

namespace {

using tests::Draws;
using tests::InputFile;

tests::Corpus engine_log_corpus() {
    return {
        "id,service,arrival_s,first_scheduled_s,first_token_s,finish_s,prompt_tokens,"
        "output_tokens,preemptions,instance,outcome\n0,chat,0.5,0.5,0.75,2.5,100,8,0,0,completed\n"
        "1,chat,1,,,,200,9,0,,rejected\n2,chat,1.25,1.5,2,2,300,1,0,0,completed\n",
        "prompt_hash_ids,num_decode_tokens,num_prefill_tokens,arrived_at,queued_at,scheduled_at,"
        "last_token_at,first_token_at\n0-3 7,8,100,0,0,0,2.5,0.25\n\"[8, 9-10]\",1,48,1,1,1,3,2\n",
        "finished_time,last_token_time,arrival_time,first_token_time,num_prompt_tokens,"
        "num_generation_tokens\r\n1700000003.25,1700000003.0,1700000000.5,1700000000.75,7,3\r\n",
        "arrival_time,queued_ts,scheduled_ts,first_token_ts,last_token_ts,first_token_latency,"
        "num_prompt_tokens,num_generation_tokens\n1700000000.5,90.25,90.5,91,93.5,0.75,7,3\n",
        "{\"arrival_time\": 10.5, \"first_token_time\": 11, \"last_token_time\": 12.5, \"x\": [1, "
        "{}], \"num_prompt_tokens\": 70, \"num_generation_tokens\": 3, \"id\": \"r-1\", "
        "\"prompt_hash_ids\": [7, 8]}\n\n{\"num_generation_tokens\": 4, \"num_prompt_tokens\": 8, "
        "\"arrival_time\": 11, \"first_token_time\": 11.25, \"last_token_time\": 1.2e1, "
        "\"outcome\": \"completed\", \"prompt_hash_ids\": null}\n"};
}

/// Each message names the file, those about the whole file in their own words.
std::string fault_of_log(const scenarios::Diagnostics& diagnostics, const std::string& path) {
    if (diagnostics.empty()) return "refused without a message";
    for (const scenarios::Diagnostic& diagnostic : diagnostics) {
        const std::string text = diagnostic.text();
        if (text.rfind(path + ":", 0) != 0) return "a message of no file: " + text;
        const std::string fault = tests::fault_of_message(text);
        if (!fault.empty()) return fault;
    }
    return {};
}

bool check_engine_log(const std::string& path) {
    scenarios::Diagnostics diagnostics;
    const std::optional<EngineLog> log = read_engine_log(path, diagnostics);
    if (!log) {
        REQUIRE(fault_of_log(diagnostics, path) == "");
        REQUIRE(diagnostics.size() <= EngineLog::kMostMistakes + 1);
        return false;
    }
    REQUIRE(diagnostics.empty());
    REQUIRE_FALSE(log->requests.empty());
    REQUIRE(log->requests.front().arrival == Time::zero());
    bool good = true;
    Time last = Time::zero();
    for (const LoggedRequest& request : log->requests) {
        good = good && request.arrival >= last && request.first_token >= request.arrival &&
               request.finish >= request.first_token && request.finish <= Time::horizon_limit() &&
               request.prompt_tokens >= 1 && request.output_tokens >= 1 && request.line >= 1;
        last = request.arrival;
        if (request.contents == nullptr) continue;
        good = good && !request.contents->ids.empty() &&
               request.contents->tokens_per_id == kTokensPerHashId &&
               request.contents->covered <= request.prompt_tokens;
    }
    REQUIRE(good);
    return true;
}

}  // namespace

TEST_CASE("EngineLog fuzz: a log is refused with its lines, or gives requests in order") {
    const tests::Corpus corpus = engine_log_corpus();
    const InputFile file("log.csv");
    for (const std::string& text : corpus) {
        scenarios::Diagnostics diagnostics;
        CHECK(read_engine_log(file.write(text), diagnostics).has_value());
    }
    CHECK(tests::fuzz(
              "engine-log", tests::scaled(4000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              [&](const std::string& text) { return check_engine_log(file.write(text)); })
              .both());
    CHECK(tests::fuzz(
              "engine-log/compressed", tests::scaled(300),
              [&](Draws& draws) {
                  const bool before = draws.one_in(2);
                  const std::string text = before ? tests::mutate_bytes(corpus, draws)
                                                  : tests::pick_input(corpus, draws);
                  const std::string squeezed =
                      draws.one_in(2) ? traces::gzipped(text) : traces::zstandard(text);
                  return before ? squeezed : tests::mutate_bytes({squeezed}, draws);
              },
              [&](const std::string& text) { return check_engine_log(file.write(text)); })
              .both());
}

// What fuzzing found, reduced.

TEST_CASE("EngineLog fuzz: a deeply nested field is a mistake of its line, not the stack's end") {
    const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
    const InputFile file("log.jsonl");
    scenarios::Diagnostics diagnostics;
    CHECK_FALSE(read_engine_log(file.write("{\"arrival_s\": " + deep +
                                           ", \"first_token_s\": 1, \"finish_s\": 2, "
                                           "\"prompt_tokens\": 3, \"output_tokens\": 4}\n"),
                                diagnostics));
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].message == "arrival_s is 'a nested value'; expected seconds >= 0");
}

TEST_CASE("EngineLog fuzz: ranges of hash ids do not ask for endless memory") {
    const InputFile file("log.csv");
    scenarios::Diagnostics diagnostics;
    CHECK_FALSE(read_engine_log(
        file.write("prompt_hash_ids,arrival_s,prompt_tokens,output_tokens,first_token_s,finish_s\n"
                   "0-9999,0,1000000000,1,1,1\n0-39999999,0,1000000000,1,1,1\n"),
        diagnostics));
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].where.line == 3);
    CHECK(diagnostics[0].message.find("at most 33,554,432 in the log") != std::string::npos);
}

}  // namespace headroom::analysis
