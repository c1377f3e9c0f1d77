#include <fstream>
#include <iterator>

#include "tests/unit/traces/sources_for_tests.hpp"
#include "tests/unit/traces/temporary_file.hpp"
#include "traces/readers/trace_reader.hpp"
#include "traces/readers/trace_summary.hpp"
#include "traces/trace_writer.hpp"

namespace headroom::traces {
namespace {

const std::string kSample = std::string(HEADROOM_SOURCE_DIR) + "/traces/samples/azure-like.csv";

/// As traces/samples/README.md describes it.
std::unique_ptr<serving::RequestSource> azure_like() {
    GeneratedConfig config = open_loop_config("azure-like", 1, "poisson", rate(2));
    config.end = Time::from_seconds(300);
    return std::make_unique<GeneratedSource>(std::move(config));
}

TEST_CASE("Samples: azure-like.csv is what its generator makes, byte for byte") {
    const auto source = azure_like();
    std::string made = TraceWriter::header(false);
    while (source->peek()) TraceWriter::append(made, source->take(), false);
    std::ifstream file(kSample, std::ios::binary);
    const std::string kept((std::istreambuf_iterator<char>(file)), {});
    CHECK(kept == made);
}

TEST_CASE("Samples: azure-like.csv reads back as the requests that made it") {
    const auto source = azure_like();
    std::string error;
    const auto trace = open_trace(kSample, {}, error);
    REQUIRE(trace != nullptr);
    int count = 0;
    for (; source->peek(); ++count) {
        REQUIRE(trace->peek().has_value());
        const serving::Arrival made = source->take(), read = trace->take();
        CHECK(made.time == read.time);
        CHECK(made.prompt == read.prompt);
        CHECK(made.output == read.output);
    }
    CHECK_FALSE(trace->peek().has_value());
    CHECK(trace->error().empty());
    CHECK(count == 579);
}

TEST_CASE("TraceWriter: attributes survive the way through a file") {
    serving::Arrival arrival{.time = Time::picoseconds(1),
                             .prompt = Tokens{2},
                             .output = Tokens{3},
                             .attributes = {-1, 2, 3, 4}};
    std::string text = TraceWriter::header(true);
    TraceWriter::append(text, arrival, true);
    const TemporaryFile file(text);
    std::string error;
    const auto trace = open_trace(file.path(), {}, error);
    REQUIRE(trace != nullptr);
    const serving::Arrival read = trace->take();
    CHECK(read.time == arrival.time);
    CHECK(read.attributes == arrival.attributes);
}

}  // namespace
}  // namespace headroom::traces
