#include "tests/catch.hpp"
#include "tests/fuzz/fuzz_case.hpp"
#include "tests/fuzz/mutation.hpp"
#include "tests/scale.hpp"
#include "tests/unit/traces/temporary_file.hpp"
#include "traces/readers/hash_ids.hpp"
#include "traces/readers/line_reader.hpp"
#include "traces/readers/numbers.hpp"
#include "traces/readers/trace_reader.hpp"
#include "traces/readers/trace_summary.hpp"

namespace headroom::traces {

namespace {

using tests::Draws;
using tests::InputFile;

tests::Corpus trace_corpus() {
    const std::string sample = tests::repository_text("traces/samples/azure-like.csv");
    return {
        sample.substr(0, sample.find('\n', 1000) + 1),
        tests::repository_text("traces/samples/prompt-bursts.csv"),
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n"
        "2023-11-16 18:15:50.9951690,396,109\r\n2023-11-17 00:00:00,1,0\r\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-02-29 00:00:00.123456+00:00,4808,10\n"
        "2024-03-01T00:00:00Z,110,27\n",
        "{\"timestamp\": 0, \"input_length\": 1025, \"output_length\": 500, "
        "\"hash_ids\": [46, 47, 2353]}\n{\"timestamp\": 3000, \"input_length\": 7322, "
        "\"output_length\": 490}\n{\"output_length\": 1, \"timestamp\": 3000.0, \"x\": [{}], "
        "\"input_length\": 3, \"hash_ids\": [18446744073709551615]}\n",
        "\xef\xbb\xbfid,output_tokens,note,prompt_tokens,arrival_s,priority,tenant,session,"
        "adapter\r\na,20,\"x, y\",10,0.25,-3,7,4294967295,2\r\nb,21,,\"11\",9.5e-01,,,,\r\n",
        "arrived_at,num_prefill_tokens,num_decode_tokens,hash_ids,tokens_per_id,covered_tokens\n"
        "0,40,8,0-2,16,\n1.5,64,8,7 100-102,16,64\n2,5,5,,,\n3,100,28,9,128,\n"};
}

/// "file: ..." or "file:line: ...", and nothing that garbles a terminal.
std::string fault_of_trace_error(const std::string& error, const std::string& path) {
    if (error.rfind(path + ":", 0) != 0) return "a message that names no file: " + error;
    return tests::fault_of_message(error);
}

/// Bounds of a case, whatever the trace claims.
constexpr std::int64_t kMostRequests = 200'000;

bool check_trace(const std::string& path, const TraceOptions& options) {
    std::string error;
    const auto trace = open_trace(path, options, error);
    if (trace == nullptr) {
        REQUIRE(fault_of_trace_error(error, path) == "");
        return false;
    }
    REQUIRE(error.empty());
    REQUIRE(trace->peek().has_value());
    Time last = Time::zero();
    std::int64_t count = 0;
    bool good = true;
    for (; trace->peek() && count < kMostRequests; ++count) {
        const Time due = *trace->peek();
        const serving::Arrival arrival = trace->take();
        good = good && due == arrival.time && due >= last && due <= Time::horizon_limit() &&
               arrival.prompt.count() >= 1 && arrival.output.count() >= 1 &&
               arrival.prompt.count() <= TraceFormat::kMaxTokens &&
               arrival.output.count() <= TraceFormat::kMaxTokens;
        last = due;
        if (arrival.contents == nullptr) {
            good = good && !options.require_contents;
            continue;
        }
        good = good && arrival.contents->tokens_per_id >= 1 && !arrival.contents->ids.empty() &&
               arrival.contents->covered <= arrival.prompt.count() + arrival.output.count() &&
               pieces_of(arrival.contents->covered, arrival.contents->tokens_per_id) ==
                   static_cast<std::int64_t>(arrival.contents->ids.size());
    }
    REQUIRE(good);
    if (!trace->error().empty()) REQUIRE(fault_of_trace_error(trace->error(), path) == "");
    if (!trace->error().empty()) return false;
    if (options.limit || options.window) return true;
    // The summary counts the same requests.
    if (options.start > Duration::zero() || options.require_contents) return true;
    const TraceSummary summary = summarize(path, options.format);
    REQUIRE(summary.requests == count);
    REQUIRE(summary.ok());
    return true;
}

void check_summary(const std::string& path) {
    const TraceSummary summary = summarize(path);
    for (const std::string& error : summary.errors) {
        REQUIRE(fault_of_trace_error(error, path) == "");
    }
    REQUIRE((summary.requests > 0 || !summary.ok()));
    REQUIRE(summary.errors.size() <= TraceSummary::kMostErrors + 1);
    if (summary.requests == 0) return;
    REQUIRE(summary.first <= summary.last);
    REQUIRE(summary.prompt.count() == summary.requests);
    REQUIRE(summary.prompt.minimum() >= 1);
    REQUIRE(summary.output.minimum() >= 1);
    REQUIRE(summary.prompt.quantile(0.5) <= summary.prompt.maximum());
}

TraceOptions drawn_options(Draws& draws) {
    TraceOptions options;
    static const std::vector<std::string> formats = {"", "azure-llm", "csv", "mooncake", "x"};
    if (draws.one_in(4)) {
        options.format = formats[static_cast<std::size_t>(draws.below(5))];
    }
    if (draws.one_in(6)) options.rate_scale = 1e-3;
    if (draws.one_in(6)) options.time_scale = 1e6;
    if (draws.one_in(6)) options.limit = draws.between(1, 3);
    if (draws.one_in(6)) options.start = Duration::seconds(draws.between(0, 3));
    if (draws.one_in(6)) options.window = Duration::seconds(draws.between(1, 10));
    if (draws.one_in(6)) options.delay = Duration::seconds(draws.between(0, 8'640'000));
    options.require_contents = draws.one_in(6);
    return options;
}

}  // namespace

TEST_CASE("Trace readers fuzz: a row is refused with file and line, or is a request in order") {
    const tests::Corpus corpus = trace_corpus();
    const InputFile file("trace.csv");
    for (const std::string& text : corpus) {
        CHECK(summarize(file.write(text)).ok());
        check_trace(file.path(), {});
    }
    TraceOptions options;
    CHECK(tests::fuzz(
              "traces/plain", tests::scaled(4000),
              [&](Draws& draws) {
                  options = drawn_options(draws);
                  return tests::mutate_bytes(corpus, draws);
              },
              [&](const std::string& text) {
                  const bool accepted = check_trace(file.write(text), options);
                  check_summary(file.path());
                  return accepted;
              })
              .both());
}

TEST_CASE("Trace readers fuzz: compressed files, mutated before and after the compression") {
    const tests::Corpus corpus = trace_corpus();
    const InputFile file("trace.csv");
    const auto squeeze = [](const std::string& text, bool gzip) {
        return gzip ? gzipped(text) : zstandard(text);
    };
    tests::Corpus squeezed;
    for (const std::string& text : corpus) {
        for (const bool gzip : {false, true}) {
            squeezed.push_back(squeeze(text, gzip));
            CHECK(summarize(file.write(squeezed.back())).ok());
            // Two members or frames of one file follow each other.
            const std::string two =
                squeeze(text.substr(0, 40), gzip) +
                squeeze(text.substr(std::min<std::size_t>(40, text.size())), gzip);
            CHECK(summarize(file.write(two)).ok());
        }
    }
    CHECK(tests::fuzz(
              "traces/compressed", tests::scaled(2500),
              [&](Draws& draws) {
                  if (draws.one_in(3)) {
                      return squeeze(tests::mutate_bytes(corpus, draws), draws.one_in(2));
                  }
                  return tests::mutate_bytes(squeezed, draws);
              },
              [&](const std::string& text) {
                  const bool accepted = check_trace(file.write(text), {});
                  check_summary(file.path());
                  return accepted;
              })
              .both());
}

TEST_CASE("LineReader fuzz: the lines of a file are its text without their ends") {
    const tests::Corpus corpus = trace_corpus();
    const InputFile file("lines.txt");
    (void)tests::fuzz(
        "traces/lines", tests::scaled(1500),
        [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
        [&](const std::string& text) {
            if (text.substr(0, 2) == "\x1f\x8b" || text.substr(0, 4) == "\x28\xb5\x2f\xfd") {
                return false;
            }
            std::string error;
            const auto lines = LineReader::open(file.write(text), error);
            REQUIRE(lines != nullptr);
            std::string rest = text.substr(0, 3) == "\xef\xbb\xbf" ? text.substr(3) : text;
            std::string_view line;
            std::int64_t count = 0;
            std::size_t at = 0;
            bool equal = true;
            while (lines->next(line)) {
                const std::size_t end = std::min(rest.find('\n', at), rest.size());
                std::string_view expected(rest);
                expected = expected.substr(at, end - at);
                if (!expected.empty() && expected.back() == '\r') expected.remove_suffix(1);
                equal = equal && line == expected && lines->line_number() == ++count;
                at = end + 1;
            }
            REQUIRE(equal);
            REQUIRE(lines->error().empty());
            REQUIRE(at >= rest.size());
            return true;
        });
}

TEST_CASE("Trace numbers fuzz: seconds and ids are read as they are written") {
    const tests::Corpus corpus = {"0.173339156537",  "9.5e-05", "1e6",      "8640000",
                                  "0.0000000000015", "-0.0",    "+1.50e+3", "12."};
    CHECK(tests::fuzz(
              "traces/numbers", tests::scaled(20'000),
              [&](Draws& draws) { return tests::mutate_bytes(corpus, draws); },
              [](const std::string& text) {
                  std::int64_t ps = -1;
                  if (parse_seconds(text, ps) == NumberProblem::none) {
                      REQUIRE(ps >= 0);
                      REQUIRE(ps <= Time::horizon_limit().ps());
                      std::int64_t again = -1;
                      REQUIRE(parse_seconds(seconds_text(ps), again) == NumberProblem::none);
                      REQUIRE(again == ps);
                  }
                  const bool accepted = ps >= 0;
                  std::int64_t whole = -1;
                  if (parse_whole(text, 1000, whole) == NumberProblem::none) {
                      REQUIRE(whole >= 0);
                      REQUIRE(whole <= 1000);
                  }
                  return accepted;
              })
              .both());
    const tests::Corpus lists = {"7 100-102", "0", "18446744073709551610-18446744073709551615",
                                 "1 2 3 \t 9-9", "5-70000"};
    CHECK(tests::fuzz(
              "traces/hash-ids", tests::scaled(1000),
              [&](Draws& draws) { return tests::mutate_bytes(lists, draws); },
              [](const std::string& text) {
                  std::vector<std::uint64_t> ids;
                  std::string message;
                  if (!parse_hash_ids(text, ids, message)) {
                      REQUIRE(tests::fault_of_message(message) == "");
                      return false;
                  }
                  REQUIRE(ids.size() <= kMostHashIds);
                  std::string written;
                  append_hash_ids(written, ids, ids.size());
                  std::vector<std::uint64_t> again;
                  REQUIRE(parse_hash_ids(written, again, message));
                  REQUIRE(again == ids);
                  return true;
              })
              .both());
}

// What fuzzing found, reduced.

TEST_CASE(
    "TraceReader fuzz: an arrival that scaling takes past all time is an error, not the end") {
    const InputFile file("trace.csv");
    const std::string path =
        file.write("arrival_s,prompt_tokens,output_tokens\n0,1,1\n1,1,1\n60,1,1\n");
    std::string error;
    const auto trace = open_trace(path, {.time_scale = 1e6}, error);
    REQUIRE(trace != nullptr);
    (void)trace->take();
    (void)trace->take();
    CHECK_FALSE(trace->peek().has_value());
    CHECK(trace->error() == path +
                                ":4: an arrival more than 100 days after the start once scaled and "
                                "delayed; expected at most 100 days");
}

TEST_CASE("Trace readers fuzz: a header of many misspelt columns is told of in a few words") {
    const InputFile file("trace.csv");
    std::string header = "arrival_s";
    for (int i = 0; i < 1000; ++i) header += ",output_tokems";
    std::string error;
    CHECK(open_trace(file.write(header + "\n"), {}, error) == nullptr);
    CHECK(error.size() < 1000);
    CHECK(error.find("; the nearest to 'output_tokems' is output_tokens") != std::string::npos);
}

TEST_CASE("Trace readers fuzz: what a message quotes is cut between characters, and is printable") {
    CHECK(traces::quoted("a\xff\x1b\xc2\x9b\xc3\xa9") == "'a????\xc3\xa9'");
    CHECK(traces::quoted(std::string(79, 'x') + "\xc3\xa9") == "'" + std::string(79, 'x') + "...'");
}

}  // namespace headroom::traces
