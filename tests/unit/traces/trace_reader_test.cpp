#include "traces/readers/trace_reader.hpp"

#include <cmath>
#include <map>
#include <string>

#include "tests/catch.hpp"
#include "tests/unit/core/time_at.hpp"
#include "tests/unit/traces/read_trace.hpp"
#include "tests/unit/traces/temporary_file.hpp"
#include "traces/readers/trace_summary.hpp"

namespace headroom::traces {
namespace {

using tests::at;

const std::string kHeader = "arrival_s,prompt_tokens,output_tokens\n";

/// The error of a second row that is bad, after a good first one.
std::string error_of_row(const std::string& row) {
    const TraceRead result = read_trace(kHeader + "1.5,10,20\n" + row + "\n3,1,1\n");
    CHECK(result.opened);
    CHECK(result.arrivals.size() == 1);
    return result.error;
}

TEST_CASE("TraceReader: columns come in any order, others are ignored, quotes are taken off") {
    const TraceRead result = read_trace(
        "\xef\xbb\xbfid,output_tokens,note,prompt_tokens,arrival_s,priority,tenant,session,"
        "adapter\r\n"
        "a,20,\"x, y\",10,0.25,-3,7,4294967295,2\r\n"
        "b,21,,\"11\",0.25,,,,\r\n"
        "\r\n");
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == 2);
    CHECK(result.arrivals[0].time == at(0.25));
    CHECK(result.arrivals[0].prompt == Tokens{10});
    CHECK(result.arrivals[0].output == Tokens{20});
    CHECK(result.arrivals[0].attributes == serving::RequestAttributes{-3, 7, 4294967295U, 2});
    CHECK(result.arrivals[1].prompt == Tokens{11});
    CHECK(result.arrivals[1].attributes == serving::RequestAttributes{});
}

TEST_CASE("TraceReader: knows the names of processed traces, too") {
    const TraceRead result =
        read_trace("arrived_at,num_prefill_tokens,num_decode_tokens\n0.1,3,4\n");
    REQUIRE(result.arrivals.size() == 1);
    CHECK(result.arrivals[0].prompt == Tokens{3});
}

TEST_CASE("TraceReader: Azure times count from the first request, over midnight and leap days") {
    const TraceRead result = read_trace(
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
        "2024-02-28 23:59:59.9799600,4808,10\r\n"
        "2024-02-29 00:00:00,1,2\r\n"
        "2024-03-01 00:00:00.000000001+00:00,1,2\r\n");
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == 3);
    CHECK(result.arrivals[0].time == Time::zero());
    CHECK(result.arrivals[0].prompt == Tokens{4808});
    CHECK(result.arrivals[1].time == Time::picoseconds(20'040'000'000));
    CHECK(result.arrivals[2].time == Time::picoseconds(20'040'001'000) + Duration::hours(24));
}

TEST_CASE("TraceReader: a timestamp that is none is refused") {
    for (const char* time : {"2023-02-29 00:00:00", "2023-13-01 00:00:00", "2023-01-01",
                             "2023-01-01 24:00:00", "2023-01-01 00:00:00.", "yesterday",
                             "2023-01-01 00:00:00.0000000000001", "2023/01/01 00:00:00"}) {
        const TraceRead result =
            read_trace("TIMESTAMP,ContextTokens,GeneratedTokens\n" + std::string(time) + ",1,1\n");
        CHECK(result.error == ":2: TIMESTAMP is '" + std::string(time) +
                                  "'; expected YYYY-MM-DD HH:MM:SS.fffffff in UTC");
    }
}

TEST_CASE("TraceReader: Mooncake lines are read in any order of their keys") {
    const TraceRead result =
        read_trace(R"({"timestamp": 0, "input_length": 6758, "output_length": 500})"
                   "\n"
                   R"({"hash_ids": [7], "y": [[{"timestamp": 5}]], "output_length": 1, )"
                   R"("x": {"input_length": 9, "hash_ids": [1, 2]}, )"
                   R"("input_length": 2.0, "timestamp": 3000})"
                   "\n");
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == 2);
    CHECK(result.arrivals[0].prompt == Tokens{6758});
    CHECK(result.arrivals[0].output == Tokens{500});
    CHECK(result.arrivals[1].time == at(3));
    CHECK(result.arrivals[1].prompt == Tokens{2});
}

TEST_CASE("TraceReader: a bad JSON line says what is wrong with it") {
    const std::string good = R"({"timestamp": 1, "input_length": 1, "output_length": 1})"
                             "\n";
    const auto error = [&](const std::string& line) {
        return read_trace(good + line + "\n").error;
    };
    const auto has = [](const std::string& text, const std::string& part) {
        CAPTURE(text, part);
        CHECK(text.rfind(":2: ", 0) == 0);
        CHECK(text.find(part) != std::string::npos);
    };
    has(error(R"({"timestamp": 2, "input_length": 1})"), "output_length is missing; expected");
    has(error(R"({"timestamp": 2, "input_length": "1", "output_length": 1})"),
        "input_length is a string; expected");
    has(error(R"({"timestamp": -2, "input_length": 1, "output_length": 1})"),
        "timestamp is -2, which is negative");
    has(error(R"({"timestamp": 99999999999, "input_length": 1, "output_length": 1})"),
        "timestamp is 99999999999, which is too large");
    has(error(R"({"timestamp": 18446744073709551615, "input_length": 1, "output_length": 1})"),
        "timestamp is too large");
    has(error(R"({"timestamp": 2.5, "input_length": 1, "output_length": 1})"),
        "timestamp is not a whole number");
    has(error(R"({"timestamp": NaN, "input_length": 1, "output_length": 1})"),
        "found no JSON object (a mistake at character");
    has(error(R"({"timestamp": 2,)"), "found no JSON object (a mistake at character");
    has(error("[1]"), "found no JSON object but an array");
    has(error("7"), "found no JSON object but a number");
    has(error("0.5,20,6"), "found no JSON object but a number");
}

TEST_CASE("TraceReader: a bad row ends the stream with file, line, what was found and expected") {
    CHECK(error_of_row("nan,1,1") ==
          ":3: arrival_s is 'nan', which is not such a number; expected seconds from 0 to 8640000 "
          "(100 days)");
    CHECK(
        error_of_row("-1,1,1") ==
        ":3: arrival_s is '-1', which is negative; expected seconds from 0 to 8640000 (100 days)");
    CHECK(error_of_row("9e9,1,1").find("which is too large") != std::string::npos);
    CHECK(error_of_row("2,,1") ==
          ":3: prompt_tokens is empty; expected a whole number of tokens, at most 1000000000");
    CHECK(error_of_row("2,1.5,1").find("prompt_tokens is '1.5'") != std::string::npos);
    CHECK(error_of_row("2,1,-4").find("output_tokens is '-4', which is negative") !=
          std::string::npos);
    CHECK(error_of_row("2,1,99999999999999999999").find("too large") != std::string::npos);
    CHECK(error_of_row("2,0,1") == ":3: a prompt of 0 tokens; expected at least 1");
    CHECK(error_of_row("2,1") == ":3: found 2 fields in '2,1'; expected 3");
    CHECK(error_of_row("2,1,024,1") == ":3: found 4 fields in '2,1,024,1'; expected 3");
    CHECK(error_of_row("1.4,1,1") ==
          ":3: an arrival earlier than 1.5 s, the one of line 2; expected times in order");
}

TEST_CASE("TraceReader: an output of no tokens counts as the one that prefill yields") {
    const TraceRead result = read_trace(kHeader + "0,5,0\n");
    REQUIRE(result.arrivals.size() == 1);
    CHECK(result.arrivals[0].output == Tokens{1});
}

TEST_CASE("TraceReader: wants to hear of no completion") {
    const TemporaryFile file(kHeader + "1,1,1\n");
    std::string error;
    CHECK_FALSE(open_trace(file.path(), {}, error)->answers_completions());
}

TEST_CASE("TraceReader: a file that cannot be a trace is refused while opening") {
    CHECK(read_trace("").error == ": no requests (the file is empty)");
    CHECK(read_trace(kHeader).error == ": no requests");
    CHECK_FALSE(read_trace(kHeader + "x,1,1\n").opened);
    CHECK(read_trace(kHeader + "5,1,1\n", {.start = Duration::seconds(6)}).error ==
          ": no requests within start and window");
    std::string error;
    CHECK(open_trace("no-such.csv", {}, error) == nullptr);
    CHECK(error == "no-such.csv: cannot open: No such file or directory");
    CHECK(read_trace(kHeader + "5,1,1\n", {.rate_scale = 0}).error.find("rate_scale") !=
          std::string::npos);
    CHECK(read_trace(gzipped(many_rows(5000)).substr(0, 3000)).error ==
          ": truncated or corrupt gzip file: it ends inside the compressed data");
}

TEST_CASE("TraceReader: an unknown header names what was found, what is needed and what is near") {
    const std::string error = read_trace("arrival_ms,prompt_token,output_tokens\n1,2,3\n").error;
    CHECK(error.find(":1: found the columns 'arrival_ms,prompt_token,output_tokens'; expected "
                     "arrival_s or arrived_at, prompt_tokens or num_prefill_tokens and "
                     "output_tokens or num_decode_tokens") == 0);
    CHECK(error.find("the nearest to 'arrival_ms' is arrival_s") != std::string::npos);
    CHECK(error.find("the nearest to 'prompt_token' is prompt_tokens") != std::string::npos);
    CHECK(error.find("azure-llm") != std::string::npos);
    CHECK(read_trace("arrival_s,arrived_at,prompt_tokens,output_tokens\n").error ==
          ":1: two columns mean arrival_s or arrived_at; expected one");
}

TEST_CASE("TraceReader: a format may be given by name") {
    CHECK(read_trace(kHeader + "1,1,1\n", {.format = "csv"}).arrivals.size() == 1);
    CHECK(read_trace(kHeader + "1,1,1\n", {.format = "azure-llm"}).error ==
          ":1: the header is 'arrival_s,prompt_tokens,output_tokens'; expected "
          "'TIMESTAMP,ContextTokens,GeneratedTokens'");
    CHECK(read_trace(kHeader + "1,1,1\n", {.format = "moncake"}).error ==
          ": the format 'moncake' is not known; expected one of: azure-llm csv mooncake; the "
          "nearest is 'mooncake'");
}

TEST_CASE("TraceReader: options cut, scale and delay in that order") {
    const std::string rows = kHeader + "1,1,1\n2,2,2\n3,3,3\n5,5,5\n8,8,8\n";
    const TraceRead result = read_trace(rows, {.rate_scale = 2,
                                               .start = Duration::seconds(2),
                                               .window = Duration::seconds(6),
                                               .delay = Duration::seconds(10)});
    REQUIRE(result.arrivals.size() == 3);
    CHECK(result.arrivals[0].time == at(10));
    CHECK(result.arrivals[1].time == at(10.5));
    CHECK(result.arrivals[2].time == at(11.5));
    CHECK(read_trace(rows, {.limit = 2}).arrivals.size() == 2);
    CHECK(read_trace(rows, {.time_scale = 3}).arrivals[1].time == at(6));
    CHECK(read_trace(kHeader + "0,1,1\n9,1,1\n", {.time_scale = 1e6}).error ==
          ":3: an arrival more than 100 days after the start once scaled and delayed; expected at "
          "most 100 days");
}

TEST_CASE("TimeScale: scales exactly where a double would not") {
    const TimeScale third = TimeScale::make(1, 3).value();
    CHECK(third(Duration::hours(2000)) == Duration::picoseconds(2'400'000'000'000'000'000));
    CHECK(third(Duration::picoseconds(2)) == Duration::picoseconds(1));
    CHECK(TimeScale::make(1e6, 1e-6).value()(Duration::hours(2400)) == Duration::max());
    CHECK_FALSE(TimeScale::make(0, 1).has_value());
    CHECK_FALSE(TimeScale::make(1, -1).has_value());
}

TEST_CASE("TraceSummary: counts, rates, gaps and exact quantiles") {
    const TemporaryFile file(kHeader + "0,10,1\n1,20,2\n2,30,3\n61,200000,0\n");
    const TraceSummary s = summarize(file.path());
    CHECK(s.ok());
    CHECK(s.format == "csv");
    CHECK(s.requests == 4);
    CHECK(s.duration() == Duration::seconds(61));
    CHECK(s.mean_rate == Approx(4.0 / 61));
    CHECK(s.peak_per_minute == 3);
    // Gaps 1, 1, 59: mean 61/3, population variance 2 * 58^2 / 9.
    CHECK(s.gap_cv == Approx(58 * std::sqrt(2.0) / 61));
    CHECK(s.prompt.quantile(0) == 10);
    CHECK(s.prompt.quantile(0.5) == 20);
    CHECK(s.prompt.quantile(0.51) == 30);
    CHECK(s.prompt.quantile(1) == 200000);
    CHECK(s.prompt.total() == 200060);
    CHECK(s.output.mean() == Approx(7.0 / 4));
    CHECK(s.empty_outputs == 1);
}

TEST_CASE("TraceSummary: goes on after bad rows and keeps the first twenty messages") {
    std::string content = kHeader + "0,1,1\n";
    for (int i = 0; i < 30; ++i) content += "x,1,1\n";
    content += "5,1,1\n";
    const TemporaryFile file(content);
    const TraceSummary s = summarize(file.path());
    CHECK(s.requests == 2);
    CHECK(s.bad_rows == 30);
    REQUIRE(s.errors.size() == 20);
    CHECK(s.errors.back().find(file.path() + ":22: arrival_s is 'x'") == 0);
    CHECK_FALSE(s.ok());
    CHECK(summarize("no-such.csv").errors.size() == 1);
    CHECK(summarize(TemporaryFile(kHeader).path()).errors.size() == 1);
    const std::string cut = zstandard(many_rows(100'000));
    CHECK(summarize(TemporaryFile(cut.substr(0, cut.size() - 1)).path()).errors.size() == 1);
}

TEST_CASE("TraceFormat: each format recognises its own first line only") {
    const std::map<std::string, std::string> lines = {
        {"azure-llm", "TIMESTAMP,ContextTokens,GeneratedTokens"},
        {"csv", "prompt_tokens,output_tokens,arrival_s"},
        {"mooncake", R"({"timestamp": 0, "input_length": 1, "output_length": 1})"},
    };
    const auto& entries = Registry<TraceFormat>::instance().entries();
    for (const auto& [name, entry] : entries) {
        CAPTURE(name);
        CHECK((name.starts_with("test-") || lines.contains(name)));
    }
    for (const auto& [name, line] : lines) {
        for (const auto& [other, entry] : entries) {
            CAPTURE(name, other);
            CHECK(entry.make({}, {})->recognises(line) == (other == name));
        }
    }
}

}  // namespace
}  // namespace headroom::traces
