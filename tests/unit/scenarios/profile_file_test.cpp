#include "scenarios/catalogue/profile_file.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "scenarios/catalogue/launch_work.hpp"
#include "sim/serving/latency/measured_operators.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/has.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"
#include "tests/unit/serving/latency/fixtures.hpp"

namespace headroom::scenarios {
namespace {

using nlohmann::json;

ProfileFile synthetic_profile() {
    ProfileFile profile;
    profile.kind = "measured";
    profile.gpu = "h100-sxm";
    profile.source = "a known law";
    profile.error_band = 0.1;
    profile.l2_bytes = 52428800;
    profile.tables = serving::tests::synthetic_tables();
    profile.tables->lm_head_bf16 = {{128256, 4096, {1, 8}, {4e-4, 4.1e-4}}};
    profile.tables->batch_times = {{"resnet50", {{1, 8, 64}, {1e-3, 2e-3, 9e-3}}}};
    return profile;
}

ProfileFile observed_profile() {
    ProfileFile profile;
    profile.kind = "observed";
    profile.gpu = "rtx-pro-6000-server";
    profile.source = "a log";
    profile.error_band = 0.02;
    ObservedProfile& observed = profile.observed.emplace();
    observed.model = "llama-3.1-8b";
    observed.tensor_parallel = 2;
    observed.dtype = serving::DType::fp8;
    observed.linear = {Duration::microseconds(13100), Duration::nanoseconds(38100),
                       Duration::nanoseconds(15300), Duration::nanoseconds(98),
                       Duration::picoseconds(2100)};
    observed.front_end = Duration::milliseconds(12);
    observed.fit = std::make_shared<const json>(json{{"requests", 150}});
    return profile;
}

/// What reading the text as a file says, one diagnostic a line.
std::vector<std::string> problems_of(const std::string& text) {
    const TemporaryFolder folder;
    folder.write("p.json", text);
    Diagnostics problems;
    const bool taken = read_profile(folder.path("p.json"), problems).has_value();
    CHECK(taken == problems.empty());
    std::vector<std::string> out;
    for (const Diagnostic& problem : problems) {
        CHECK(problem.where.line > 0);
        out.push_back(problem.text().substr(folder.path("").size()));
    }
    return out;
}

/// The synthetic profile after a change of its JSON.
template <class Change>
std::vector<std::string> problems_after(const Change& change) {
    json file = to_json(synthetic_profile());
    change(file);
    return problems_of(file.dump(1));
}

template <class Change>
void check_one(const Change& change, const std::string& pointer, const std::string& part) {
    const std::vector<std::string> problems = problems_after(change);
    INFO(pointer << " " << part);
    REQUIRE(problems.size() == 1);
    INFO(problems[0]);
    CHECK(has(problems[0], pointer.empty() ? "p.json:1:1: " : ": " + pointer + ": "));
    CHECK(has(problems[0], part));
}

}  // namespace

TEST_CASE("ProfileFile: a measured profile comes back as it was written") {
    const TemporaryFolder folder;
    const ProfileFile written = synthetic_profile();
    folder.write("p.json", profile_text(written));
    Diagnostics problems;
    const std::optional<ProfileFile> read = read_profile(folder.path("p.json"), problems);
    for (const Diagnostic& problem : problems) UNSCOPED_INFO(problem.text());
    REQUIRE(read);
    CHECK(to_json(*read) == to_json(written));
    CHECK(read->tables->gemm_fp8.size() == 25);
    CHECK(read->tables->gemm_bf16[7].t_s == written.tables->gemm_bf16[7].t_s);
    CHECK(read->tables->batch_times.at("resnet50").t_s[2] == 9e-3);
    CHECK(read->l2_bytes == 52428800);
    // What it holds can be evaluated.
    const serving::MeasuredOperators operators(*read->tables, serving::tests::h100());
    CHECK(operators.has_fp8());
    // A column a line: a later measurement shows as the lines that changed.
    CHECK(has(profile_text(written), "\n   {\"n\":2048,\"k\":1024,\"m\":[1,2,4,"));
}

TEST_CASE("ProfileFile: an observed profile comes back as it was written") {
    const TemporaryFolder folder;
    const ProfileFile written = observed_profile();
    folder.write("p.json", profile_text(written));
    Diagnostics problems;
    const std::optional<ProfileFile> read = read_profile(folder.path("p.json"), problems);
    REQUIRE(read);
    CHECK(to_json(*read) == to_json(written));
    CHECK(read->observed->linear.per_context_token == Duration::nanoseconds(98));
    CHECK(read->observed->dtype == serving::DType::fp8);
    CHECK(read->observed->kv_cache_dtype == serving::DType::bf16);
    CHECK(read->observed->tensor_parallel == 2);
    CHECK((*read->observed->fit)["requests"] == 150);
}

TEST_CASE("ProfileFile: fp8, lm_head, batch_times and l2_bytes may be missing") {
    CHECK(problems_after([](json& file) {
              for (const char* name : {"lm_head", "batch_times", "l2_bytes"}) file.erase(name);
              file["gemm"].erase("fp8");
              file["ceilings"]["fp8_flop_per_s"] = 0;
          }).empty());
    CHECK(problems_after([](json& file) { file["gemm"]["fp8"] = json::array(); }).empty());
}

TEST_CASE("ProfileFile: each missing operator is refused") {
    for (const char* name :
         {"gemm", "decode_attention", "prefill_attention", "elementwise", "ceilings"}) {
        check_one([&](json& file) { file.erase(name); }, "",
                  "expected a field \"" + std::string(name) + "\"");
    }
    check_one([](json& file) { file["gemm"].erase("bf16"); }, "/gemm", "\"bf16\"");
    check_one([](json& file) { file["gemm"]["bf16"] = json::array(); }, "/gemm/bf16",
              "at least one column");
    check_one([](json& file) { file["decode_attention"] = json::array(); }, "/decode_attention",
              "at least one column");
    for (const char* name : {"rmsnorm_residual", "rope_kv_append", "swiglu", "argmax"}) {
        check_one([&](json& file) { file["elementwise"].erase(name); }, "/elementwise",
                  "expected a field \"" + std::string(name) + "\"");
    }
}

TEST_CASE("ProfileFile: times that are no finite numbers above 0 are refused") {
    const json bad[] = {0, -1e-6, nullptr, "fast", json::array()};
    for (const json& value : bad) {
        check_one([&](json& file) { file["gemm"]["bf16"][3]["t_s"][2] = value; },
                  "/gemm/bf16/3/t_s/2", "expected a finite number above 0, found " + value.dump());
    }
    check_one([](json& file) { file["elementwise"]["swiglu"]["bytes_per_s"] = 0; },
              "/elementwise/swiglu/bytes_per_s", "above 0");
    check_one([](json& file) { file["elementwise"]["swiglu"]["floor_s"] = -1e-9; },
              "/elementwise/swiglu/floor_s", "at least 0");
    // JSON has no word for these; a file that has them anyway stops there.
    std::string text = to_json(synthetic_profile()).dump(1);
    const std::size_t at = text.find("\"t_s\": [") + 8;
    for (const char* word : {"NaN", "Infinity", "1e999"}) {
        const std::vector<std::string> problems =
            problems_of(text.substr(0, at) + word + ", " + text.substr(at));
        REQUIRE(problems.size() == 1);
        CHECK(has(problems[0], word));
    }
}

TEST_CASE("ProfileFile: a truncated file is refused with the line where it ends") {
    const std::string text = profile_text(synthetic_profile());
    for (const std::size_t part : {1, 2, 3}) {
        const std::string cut = text.substr(0, text.size() * part / 4);
        const std::vector<std::string> problems = problems_of(cut);
        REQUIRE(problems.size() == 1);
        const auto line = 1 + std::count(cut.begin(), cut.end(), '\n');
        CHECK(problems[0].rfind("p.json:" + std::to_string(line) + ":", 0) == 0);
        CHECK(has(problems[0], "the end of the file"));
    }
    CHECK(problems_of("").size() == 1);
    CHECK(problems_of("[]").size() == 1);
}

TEST_CASE("ProfileFile: sizes ascend, times do not fall, and there are as many") {
    check_one([](json& file) { file["gemm"]["bf16"][0]["m"][1] = 1; }, "/gemm/bf16/0/m",
              "expected ascending numbers, found 1 after 1");
    check_one([](json& file) { file["gemm"]["bf16"][0]["t_s"][5] = 1e-9; }, "/gemm/bf16/0/t_s",
              "expected times that do not fall as m grows");
    check_one([](json& file) { file["decode_attention"][0]["t_s"][2] = 1e-9; },
              "/decode_attention/0/t_s", "as context grows");
    check_one([](json& file) { file["prefill_attention"][0]["t_s"][2] = 1e-9; },
              "/prefill_attention/0/t_s", "as tokens grows");
    check_one([](json& file) { file["batch_times"]["resnet50"]["t_s"][1] = 1e-9; },
              "/batch_times/resnet50/t_s", "as batch grows");
    check_one([](json& file) { file["gemm"]["fp8"][0]["t_s"].erase(0); }, "/gemm/fp8/0/t_s",
              "expected as many times as m, 20, found 19");
    check_one([](json& file) { file["gemm"]["bf16"][0]["m"] = json::array(); }, "/gemm/bf16/0/m",
              "expected a list of numbers");
}

TEST_CASE("ProfileFile: a column stands once, and KV heads divide query heads") {
    check_one([](json& file) { file["gemm"]["bf16"].push_back(file["gemm"]["bf16"][4]); },
              "/gemm/bf16/25", "each column once");
    check_one([](json& file) { file["decode_attention"].push_back(file["decode_attention"][1]); },
              "/decode_attention/80", "each column once");
    check_one([](json& file) { file["prefill_attention"][0]["kv_heads"] = 3; },
              "/prefill_attention/0/kv_heads", "divisor");
}

TEST_CASE("ProfileFile: points faster than the ceilings allow are refused, beyond the L2 cache") {
    // 8192 x 16384 x 16384, the last point of the last column.
    const serving::MeasuredCeilings ceilings{3.0e12, 7.9e14, 1.5e15};
    const double least = roofline_s(gemm_launch(16384, 16384, 8192, false), ceilings);
    const auto with_last = [&](double factor) {
        return [&ceilings, least, factor](json& file) {
            json& times = file["gemm"]["bf16"][24]["t_s"];
            for (json& t : times) t = std::min(t.get<double>(), least * factor);
            file["ceilings"]["bf16_flop_per_s"] = ceilings.bf16_flops;
        };
    };
    CHECK(problems_after(with_last(0.96)).empty());
    check_one(with_last(0.95), "/gemm/bf16/24/t_s", "expected no time below");
    // 1024 x 1024 is 2 MB: it may come out of the L2 cache.
    CHECK(problems_after([](json& file) {
              for (json& t : file["gemm"]["bf16"][0]["t_s"]) t = 1e-9;
          }).size() == 0);
    // A smaller L2 in the file makes the same impossible.
    CHECK(problems_after([](json& file) {
              file["l2_bytes"] = 1 << 19;
              for (json& t : file["gemm"]["bf16"][0]["t_s"]) t = 1e-9;
          }).size() == 20);
    // Contexts of 128 (134 MB of keys and values), 512 and 2048 of 512 sequences.
    const std::vector<std::string> attention = problems_after([](json& file) {
        for (json& t : file["decode_attention"][9]["t_s"]) t = 1e-6;
    });
    REQUIRE(attention.size() == 3);
    CHECK(has(attention[0], "/decode_attention/9/t_s: expected no time below"));
    check_one([](json& file) { file["elementwise"]["argmax"]["bytes_per_s"] = 3.2e12; },
              "/elementwise/argmax/bytes_per_s", "at most the read bandwidth");
}

TEST_CASE("ProfileFile: fp8 products need a ceiling of their own") {
    check_one([](json& file) { file["ceilings"]["fp8_flop_per_s"] = 0; }, "/gemm/fp8",
              "fp8_flop_per_s");
}

TEST_CASE("ProfileFile: another schema or kind, unknown fields and bad bands are refused") {
    check_one([](json& file) { file["schema"] = 2; }, "/schema", "expected 1, found 2");
    check_one([](json& file) { file["kind"] = "measurement"; }, "/kind",
              "expected one of measured, observed, found \"measurement\"");
    check_one([](json& file) { file["errorband"] = 0.1; }, "/errorband",
              "unknown field (did you mean \"error_band\"?)");
    check_one([](json& file) { file["gemm"]["bf16"][0]["ts"] = 1; }, "/gemm/bf16/0/ts",
              "did you mean \"t_s\"?");
    check_one([](json& file) { file["error_band"] = 10; }, "/error_band", "0.1 says 10 %");
}

TEST_CASE("ProfileFile: the time to read an expert is there where there is one") {
    const TemporaryFolder folder;
    ProfileFile written = observed_profile();
    CHECK_FALSE(has(profile_text(written), "c5_s"));
    written.observed->linear.per_touched_expert = Duration::microseconds(346);
    folder.write("p.json", profile_text(written));
    Diagnostics diagnostics;
    const auto read = read_profile(folder.path("p.json"), diagnostics);
    REQUIRE(read);
    CHECK(read->observed->linear.per_touched_expert == Duration::microseconds(346));
}

TEST_CASE("ProfileFile: all mistakes of a file are told at once") {
    const std::vector<std::string> problems = problems_after([](json& file) {
        file["schema"] = 3;
        file["gpu"] = "";
        file["ceilings"]["read_bytes_per_s"] = 0;
        file["gemm"]["bf16"][0]["t_s"][0] = -1;
        file["gemm"]["bf16"][1]["k"] = 0.5;
        file["elementwise"].erase("argmax");
        file["extra"] = 1;
    });
    CHECK(problems.size() == 7);
}

TEST_CASE("ProfileFile: an observed profile with wrong units or names is refused") {
    const auto problem = [](const char* pointer, const json& value) {
        json file = to_json(observed_profile());
        file[json::json_pointer(pointer)] = value;
        const std::vector<std::string> problems = problems_of(file.dump(1));
        return problems.size() == 1 ? problems[0] : std::to_string(problems.size());
    };
    CHECK(has(problem("/linear/c0_s", 0), "/linear/c0_s: expected seconds"));
    CHECK(has(problem("/linear/c1_s", 38.1), "expected seconds from 0 to 1"));
    CHECK(has(problem("/linear/c4_s", -1e-12), "/linear/c4_s: expected seconds"));
    CHECK(has(problem("/linear/c5_s", 1.5), "expected seconds from 0 to 1"));
    CHECK(has(problem("/linear/c6_s", 0), "unknown field"));
    CHECK(has(problem("/dtype", "fp16"), "expected one of bf16, fp8"));
    CHECK(has(problem("/tensor_parallel", 0), "/tensor_parallel: expected a whole number"));
    CHECK(has(problem("/fit", 3), "expected an object"));
    CHECK(has(problem("/front_end_s", -1), "/front_end_s"));
}

}  // namespace headroom::scenarios
