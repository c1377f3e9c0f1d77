// What the tokens of a trace's requests are: the hash_ids of Mooncake and CSV files.

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/traces/read_trace.hpp"
#include "tests/unit/traces/temporary_file.hpp"
#include "traces/readers/trace_reader.hpp"
#include "traces/trace_writer.hpp"

namespace headroom::traces {
namespace {

using serving::ContentsRef;

const std::string kHeaderWithIds = "arrival_s,prompt_tokens,output_tokens,hash_ids\n";

/// The ids as in the file, of every row up to the first bad one.
std::vector<std::vector<std::uint64_t>> raw_ids(const std::string& content) {
    const TemporaryFile file(content);
    std::string message;
    const auto rows = TraceFile::open(file.path(), "", message);
    REQUIRE(rows != nullptr);
    std::vector<std::vector<std::uint64_t>> ids;
    TraceRow row;
    while (rows->next(row, message) == TraceFile::Status::row) ids.push_back(row.ids);
    return ids;
}

std::string mooncake(int ms, int prompt, int output, const std::string& ids) {
    return R"({"timestamp": )" + std::to_string(ms) + R"(, "input_length": )" +
           std::to_string(prompt) + R"(, "output_length": )" + std::to_string(output) +
           R"(, "hash_ids": )" + ids + "}\n";
}

TEST_CASE("Trace contents: a Mooncake id names 512 tokens of the prompt, and covers no output") {
    const std::string content = mooncake(0, 1024, 100, "[0, 1]") + mooncake(5, 1025, 9, "[0,1,2]") +
                                mooncake(6, 3, 9, "[18446744073709551615]") +
                                mooncake(7, 3, 9, "[4.0]");
    CHECK(raw_ids(content) == std::vector<std::vector<std::uint64_t>>{
                                  {0, 1}, {0, 1, 2}, {18446744073709551615ULL}, {4}});
    const TraceRead result = read_trace(content);
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == 4);
    const ContentsRef first = result.arrivals[0].contents, second = result.arrivals[1].contents;
    REQUIRE(first != nullptr);
    REQUIRE(second != nullptr);
    CHECK(first->tokens_per_id == 512);
    CHECK(first->covered_tokens() == 1024);
    CHECK(second->covered_tokens() == 1025);
    REQUIRE(second->ids.size() == 3);
    CHECK(second->ids[0] == first->ids[0]);
    CHECK(second->ids[1] == first->ids[1]);
    CHECK(first->ids[0] != first->ids[1]);
}

TEST_CASE("Trace contents: older Mooncake exports without a list are read, and tell nothing") {
    const TraceRead result =
        read_trace(R"({"timestamp": 0, "input_length": 9, "output_length": 9})"
                   "\n" +
                   mooncake(1, 9, 9, "null") + mooncake(2, 9, 9, "[5]") +
                   R"({"timestamp": 3, "input_length": 9, "output_length": 9})");
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == 4);
    CHECK(result.arrivals[0].contents == nullptr);
    CHECK(result.arrivals[1].contents == nullptr);
    CHECK(result.arrivals[2].contents != nullptr);
    CHECK(result.arrivals[3].contents == nullptr);
}

TEST_CASE("Trace contents: a Mooncake list that does not fit is an error of its line") {
    const auto error = [](int prompt, const std::string& ids) {
        return read_trace(mooncake(0, 9, 9, "[1]") + mooncake(1, prompt, 9, ids)).error;
    };
    CHECK(error(1024, "[1]") ==
          ":2: hash_ids has 1 id; expected 2, one for every 512 tokens of the prompt (1024)");
    CHECK(error(1024, "[1, 2, 3]").find(":2: hash_ids has 3 ids; expected 2") == 0);
    CHECK(error(1, "[]").find(":2: hash_ids has 0 ids; expected 1") == 0);
    const std::string expected =
        "; expected a list of whole numbers, one for every 512 tokens of the prompt";
    CHECK(error(1025, "[1, 2.5, -3]") ==
          ":2: hash_ids[1] is 2.5, which is not a whole number" + expected);
    CHECK(error(1025, "[1, 2, -3]") == ":2: hash_ids[2] is -3, which is negative" + expected);
    CHECK(error(9, "[1e30]") == ":2: hash_ids[0] is 1e30, which is too large" + expected);
    CHECK(error(9, "[-1.0]") == ":2: hash_ids[0] is -1.0, which is negative" + expected);
    CHECK(error(9, "[18446744073709551616]") ==
          ":2: hash_ids[0] is 18446744073709551616, which is too large" + expected);
    CHECK(error(9, "[-0]").empty());
    CHECK(error(9, R"(["a"])") == ":2: hash_ids[0] is a string" + expected);
    CHECK(error(9, "[null]") == ":2: hash_ids[0] is null" + expected);
    CHECK(error(9, "[[1]]") == ":2: hash_ids[0] is an array" + expected);
    CHECK(error(9, "[{\"a\": 1}]") == ":2: hash_ids[0] is an object" + expected);
    CHECK(error(9, "7") == ":2: hash_ids is a number" + expected);
    CHECK(error(9, "\"7\"") == ":2: hash_ids is a string" + expected);
    CHECK(error(9, "{\"a\": [7]}") == ":2: hash_ids is an object" + expected);
    CHECK(error(9, "true") == ":2: hash_ids is a boolean" + expected);
}

TEST_CASE("Trace contents: a CSV lists ids and ranges, 16 tokens each of prompt and output") {
    CHECK(raw_ids(kHeaderWithIds + "0,40,8,7 100-101\n1,17,16,\" 3\t 3  0-0 \"\n") ==
          std::vector<std::vector<std::uint64_t>>{{7, 100, 101}, {3, 3, 0}});
    const TraceRead result = read_trace(kHeaderWithIds + "0,40,8,7 100-101\n1,40,9,7-10\n2,1,1,\n");
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == 3);
    REQUIRE(result.arrivals[1].contents != nullptr);
    CHECK(result.arrivals[1].contents->tokens_per_id == 16);
    CHECK(result.arrivals[1].contents->covered_tokens() == 49);
    CHECK(result.arrivals[1].contents->ids[0] == result.arrivals[0].contents->ids[0]);
    CHECK(result.arrivals[2].contents == nullptr);
}

TEST_CASE("Trace contents: a CSV may say how many tokens an id names and how many it covers") {
    const TraceRead result = read_trace(
        "tokens_per_id,arrived_at,num_prefill_tokens,num_decode_tokens,covered_tokens,"
        "hash_ids\n"
        "512,0,600,100,600,1 2\n"
        "512,1,600,1000,,1-4\n"
        ",2,10,10,,1 2\n"
        "8,3,10,10,9,4-5\n"
        "8,4,10,10,9,\n");
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == 5);
    CHECK(result.arrivals[0].contents->covered_tokens() == 600);
    CHECK(result.arrivals[1].contents->covered_tokens() == 1600);
    CHECK(result.arrivals[2].contents->tokens_per_id == 16);
    CHECK(result.arrivals[3].contents->covered_tokens() == 9);
    CHECK(result.arrivals[3].contents->tokens_per_id == 8);
    CHECK(result.arrivals[4].contents == nullptr);
}

TEST_CASE("Trace contents: a bad field of a CSV is an error of its line") {
    const auto error = [](const std::string& row) {
        return read_trace(
                   "arrival_s,prompt_tokens,output_tokens,tokens_per_id,covered_tokens,hash_ids\n"
                   "0,40,8,,,1-3\n" +
                   row + "\n")
            .error;
    };
    const std::string whole =
        "; expected whole numbers up to 18446744073709551615 and ranges a-b of them, separated by "
        "blanks";
    CHECK(error("1,40,8,,,1 x") == ":3: hash_ids has 'x'" + whole);
    CHECK(error("1,40,8,,,1 5-4") == ":3: hash_ids has '5-4'" + whole);
    CHECK(error("1,40,8,,,-1 2 3") == ":3: hash_ids has '-1'" + whole);
    CHECK(error("1,40,8,,,1 2.5 3") == ":3: hash_ids has '2.5'" + whole);
    CHECK(error("1,40,8,,,1-2-3") == ":3: hash_ids has '1-2-3'" + whole);
    CHECK(error("1,40,8,,,1- 2 3") == ":3: hash_ids has '1-'" + whole);
    CHECK(error("1,40,8,,,18446744073709551616") ==
          ":3: hash_ids has '18446744073709551616'" + whole);
    CHECK(error("1,40,8,,,0-18446744073709551615") ==
          ":3: hash_ids has more than 16777216 ids with '0-18446744073709551615'; expected at most "
          "so many");
    CHECK(error("1,40,8,,,1-2") ==
          ":3: hash_ids has 2 ids; expected 3, one for every 16 tokens of prompt and output (48)");
    CHECK(error("1,40,8,,40,1-4") ==
          ":3: hash_ids has 4 ids; expected 3, one for every 16 tokens of covered_tokens (40)");
    CHECK(error("1,40,8,0,,1-3") == ":3: tokens_per_id is 0; expected at least 1");
    CHECK(error("1,40,8,x,,1-3").find(":3: tokens_per_id is 'x'") == 0);
    CHECK(error("1,40,8,,49,1-4") ==
          ":3: covered_tokens is 49; expected at most those of prompt and output, 48");
    CHECK(read_trace("arrival_s,prompt_tokens,output_tokens,tokens_per_id\n0,1,1,1\n").error ==
          ":1: found the column tokens_per_id without hash_ids; expected both or none");
}

TEST_CASE("Trace contents: sources share them exactly where they read the same trace") {
    const std::string content = mooncake(0, 600, 9, "[0, 1]") + mooncake(9, 600, 9, "[0, 2]");
    const auto first_id = [](const TraceRead& result) {
        REQUIRE(!result.arrivals.empty());
        return result.arrivals[0].contents->ids[0];
    };
    const std::uint64_t id = first_id(read_trace(content));
    CHECK(first_id(read_trace_file(TemporaryFile(gzipped(content), "copy.gz").path())) == id);
    // Options change times only; a part of the trace is the same trace.
    CHECK(first_id(read_trace(content, {.rate_scale = 3, .delay = Duration::seconds(9)})) == id);
    CHECK(first_id(read_trace(content, {.start = Duration::milliseconds(1)})) == id);
    CHECK(first_id(read_trace(content, {.limit = 1})) == id);
    CHECK(first_id(read_trace(mooncake(0, 601, 9, "[0, 1]"))) != id);
    CHECK(first_id(read_trace(kHeaderWithIds + "0,5,5,0\n")) != id);
    CHECK(first_id(read_trace(kHeaderWithIds + "0,5,5,0\n")) !=
          first_id(read_trace(kHeaderWithIds + "0,5,6,0\n")));
}

TEST_CASE("Trace contents: where they are demanded, a request without is an error") {
    const TraceOptions demanding{.require_contents = true};
    CHECK(read_trace(mooncake(0, 9, 9, "[1]") + mooncake(1, 9, 9, "[1]"), demanding)
              .arrivals.size() == 2);
    const TraceRead later =
        read_trace(mooncake(0, 9, 9, "[1]") + mooncake(1, 9, 9, "null"), demanding);
    CHECK(later.opened);
    CHECK(later.arrivals.size() == 1);
    CHECK(later.error == ":2: no hash_ids; expected every request to say what its tokens are");
    CHECK_FALSE(read_trace(mooncake(0, 9, 9, "null"), demanding).opened);
    CHECK(read_trace(kHeaderWithIds + "0,9,9,1-2\n1,9,9,\n", demanding)
              .error.find(":3: no hash_ids") == 0);
    CHECK(
        read_trace("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-01-01 00:00:00,1,2\n", demanding)
            .error ==
        ":1: rows that do not say what their tokens are (format azure-llm); expected hash_ids: "
        "those of mooncake, or that column in a csv");
    CHECK_FALSE(read_trace("arrival_s,prompt_tokens,output_tokens\n0,1,1\n", demanding).opened);
    // Rows that are not used need none.
    const TraceOptions from_second{.start = Duration::seconds(1), .require_contents = true};
    CHECK(read_trace(kHeaderWithIds + "0,9,9,\n1,9,9,1-2\n", from_second).error.empty());
}

TEST_CASE("TraceReader: says whether a file may tell contents") {
    const auto tells = [](const std::string& content) {
        const TemporaryFile file(content);
        std::string error;
        const auto trace = open_trace(file.path(), {}, error);
        REQUIRE(trace != nullptr);
        return trace->tells_contents();
    };
    CHECK(tells(mooncake(0, 9, 9, "[1]")));
    CHECK(tells(kHeaderWithIds + "0,9,9,\n"));
    CHECK_FALSE(tells("arrival_s,prompt_tokens,output_tokens\n0,1,1\n"));
    CHECK_FALSE(tells("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-01-01 00:00:00,1,2\n"));
}

serving::Arrival arrival_with(std::int64_t prompt, std::int64_t output, std::int64_t tokens_per_id,
                              std::int64_t covered, std::vector<std::uint64_t> ids) {
    const boost::intrusive_ptr<serving::TokenContents> contents(new serving::TokenContents);
    contents->tokens_per_id = tokens_per_id;
    contents->covered = covered;
    contents->ids = std::move(ids);
    return {.time = {},
            .prompt = Tokens{prompt},
            .output = Tokens{output},
            .attributes = {},
            .contents = contents};
}

TEST_CASE("TraceWriter: contents survive the way through a file") {
    constexpr std::uint64_t kGreatest = 18446744073709551615ULL;
    const std::vector<serving::Arrival> written = {
        arrival_with(600, 9, 512, 600, {4, 5}),
        arrival_with(40, 9, 16, 49, {7, 8, 9, 3}),
        arrival_with(30, 2, 16, 32, {kGreatest, 0}),
        {.time = {}, .prompt = Tokens{3}, .output = Tokens{4}, .attributes = {}},
        arrival_with(30, 2, 16, std::numeric_limits<std::int64_t>::max(), {5, 5}),
        arrival_with(30, 2, 16, 5, {6, 7, 8}),
        arrival_with(30, 2, 16, 500, {6, 7, 8}),
    };
    std::string text = TraceWriter::header(true, true);
    for (const serving::Arrival& arrival : written) {
        TraceWriter::append(text, arrival, true, true);
    }
    CHECK(text.find(",4-5,512,600\n") != std::string::npos);
    CHECK(text.find(",7-9 3,16,49\n") != std::string::npos);
    CHECK(text.find(",18446744073709551615 0,16,32\n") != std::string::npos);
    CHECK(text.find(",,,\n") != std::string::npos);
    CHECK(raw_ids(text) == std::vector<std::vector<std::uint64_t>>{
                               {4, 5}, {7, 8, 9, 3}, {kGreatest, 0}, {}, {5, 5}, {6}, {6, 7}});
    const TraceRead result = read_trace(text);
    CHECK(result.error.empty());
    REQUIRE(result.arrivals.size() == written.size());
    std::map<std::int64_t, std::uint64_t> shifts;
    for (std::size_t i = 0; i < written.size(); ++i) {
        const ContentsRef a = written[i].contents, b = result.arrivals[i].contents;
        CAPTURE(i);
        REQUIRE((a == nullptr) == (b == nullptr));
        if (a == nullptr) continue;
        CHECK(b->tokens_per_id == a->tokens_per_id);
        CHECK(b->covered_tokens() ==
              std::min<std::int64_t>(a->covered_tokens(),
                                     written[i].prompt.count() + written[i].output.count()));
        // Every id of a size is shifted by the same number.
        const std::uint64_t shift = b->ids[0] - a->ids[0];
        CHECK(shift == shifts.try_emplace(a->tokens_per_id, shift).first->second);
    }
    CHECK(shifts.size() == 2);
    CHECK(shifts[16] != shifts[512]);
    // Once more, from what was read: the same equalities again.
    std::string again = TraceWriter::header(false, true);
    for (const serving::Arrival& arrival : result.arrivals) {
        TraceWriter::append(again, arrival, false, true);
    }
    CHECK(read_trace(again).arrivals.size() == written.size());
    CHECK(raw_ids(again)[0][0] + 1 == raw_ids(again)[0][1]);
}

}  // namespace
}  // namespace headroom::traces
