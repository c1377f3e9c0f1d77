#include <cstdio>
#include <filesystem>

#include "tests/catch.hpp"
#include "traces/generators/length_model.hpp"
#include "traces/readers/trace_reader.hpp"
#include "traces/readers/trace_summary.hpp"

namespace headroom::traces {
namespace {

const std::string kTraces = std::string(HEADROOM_SOURCE_DIR) + "/../shared/traces/";

struct Known {
    const char* path;
    const char* format;
    std::int64_t requests;
    double gap_cv;
    std::int64_t median_prompt, median_output;
    const char* preset;
};

void check_trace(const Known& known) {
    const std::string path = kTraces + known.path;
    if (!std::filesystem::exists(path)) {
        std::printf("skipped: %s is not there\n", known.path);
        return;
    }
    const TraceSummary s = summarize(path);
    CHECK(s.ok());
    CHECK(s.format == known.format);
    CHECK(s.requests == known.requests);
    CHECK(s.empty_outputs == 0);
    CHECK(s.gap_cv == Approx(known.gap_cv).margin(0.01));
    CHECK(s.prompt.quantile(0.5) == known.median_prompt);
    CHECK(s.output.quantile(0.5) == known.median_output);

    const LengthPreset* preset = length_preset(known.preset);
    REQUIRE(preset != nullptr);
    CHECK(preset->prompt.distribution().mean() == Approx(s.prompt.mean()).epsilon(0.01));
    CHECK(preset->output.distribution().mean() == Approx(s.output.mean()).epsilon(0.015));
    for (const double p : {0.1, 0.5, 0.9, 0.99}) {
        CHECK(preset->prompt.distribution().quantile(p) ==
              Approx(static_cast<double>(s.prompt.quantile(p))).epsilon(0.005).margin(1));
    }

    std::string error;
    const auto trace = open_trace(path, {.rate_scale = 2}, error);
    REQUIRE(trace != nullptr);
    std::int64_t count = 0;
    Time last;
    while (trace->peek()) {
        last = trace->take().time;
        ++count;
    }
    CHECK(trace->error().empty());
    CHECK(count == known.requests);
    CHECK((s.last.since_start() - (last - Time::zero()) * 2).to_seconds() ==
          Approx(0).margin(1e-11));
}

TEST_CASE("Real traces: Azure 2023 conversation is read whole") {
    check_trace({"azure-llm-2023/AzureLLMInferenceTrace_conv.csv.gz", "azure-llm", 19'366, 1.09,
                 1020, 129, "azure-2023-conversation"});
}

TEST_CASE("Real traces: Azure 2023 code is read whole") {
    check_trace({"azure-llm-2023/AzureLLMInferenceTrace_code.csv.gz", "azure-llm", 8'819, 13.15,
                 1469, 13, "azure-2023-code"});
}

TEST_CASE("Real traces: Mooncake conversation is read whole") {
    check_trace({"mooncake/conversation_trace.jsonl.gz", "mooncake", 12'031, 3.03, 6909, 350,
                 "mooncake-conversation"});
}

}  // namespace
}  // namespace headroom::traces
