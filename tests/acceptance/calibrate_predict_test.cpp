// headroom calibrate predict, as a user asks "what would that GPU do".
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"

namespace headroom::acceptance {

namespace {

namespace fs = std::filesystem;

nlohmann::json predict(std::vector<std::string> options) {
    std::vector<std::string> words = {"calibrate", "predict", "-o", "json"};
    words.insert(words.end(), options.begin(), options.end());
    const RunResult r = run(words);
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    return nlohmann::json::parse(r.out);
}

/// The message of a command line that is refused.
std::string refusal(std::vector<std::string> options) {
    std::vector<std::string> words = {"calibrate", "predict"};
    words.insert(words.end(), options.begin(), options.end());
    const RunResult r = run(words);
    CHECK(r.exit_code == 2);
    CHECK(r.out == "");
    return r.err;
}

}  // namespace

TEST_CASE("calibrate predict: a table says where it comes from, what fits and how fast it is") {
    const RunResult r = run({"calibrate", "predict", "--model", "llama-3.1-70b", "--gpu",
                             "h200-sxm", "--tp", "2", "--dtype", "fp8"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    CHECK(contains(r.out, "llama-3.1-70b on h200-sxm, tp 2, fp8: "));
    CHECK(contains(r.out, "Memory "));
    CHECK(contains(r.out, "4 instances with 2 GPUs each"));
    CHECK(contains(r.out, "tokens/s"));
    const auto node = [](const char* tp) {
        return run({"calibrate", "predict", "--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--tp",
                    tp})
            .out;
    };
    CHECK(contains(node("1"), "8 instances with 1 GPU each"));
    CHECK(contains(node("16"),
                   "too small: 8 GPUs, an instance takes 16; times are as if one node held them"));
    CHECK(contains(r.out, "Where the time of batch "));
    CHECK(r.err == "");
}

TEST_CASE(
    "calibrate predict: times grow with batch, context and prompt, and the parts are a whole") {
    const auto at = [](const char* context) {
        return predict({"--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--context", context});
    };
    const nlohmann::json near = at("500");
    const nlohmann::json far = at("4000");
    double before = 0;
    for (std::size_t i = 0; i < near["decode"].size(); ++i) {
        const double t = near["decode"][i]["iteration_s"];
        CHECK(t >= before);
        CHECK(far["decode"][i]["iteration_s"].get<double>() > t);
        before = t;
    }
    before = 0;
    for (const auto& point : near["prefill"]) {
        CHECK(point["iteration_s"].get<double>() >= before);
        before = point["iteration_s"];
    }
    double sum = 0;
    for (const auto& [name, share] : near["shares"]["of_iteration"].items()) {
        sum += share.get<double>();
    }
    CHECK(sum == Approx(1.0));
    CHECK(near["kv_tokens"] == near["kv_blocks"].get<int>() * 16);
    CHECK(near["profile"]["error_band"].get<double>() > 0);
    // What a table's first line warns of, a program hears too.
    CHECK(
        contains(predict({"--model", "llama-3.1-8b", "--gpu", "l4", "--tp", "2"})["profile"]["name"]
                     .get<std::string>(),
                 "all-reduce over PCIe: not trusted"));
}

TEST_CASE("calibrate predict: a batch fits if each of its sequences gets whole blocks") {
    // 641 tokens take 41 blocks: 64 sequences have room for their tokens, not for their blocks.
    const nlohmann::json out =
        predict({"--model", "llama-3.1-8b", "--gpu", "rtx-4090", "--context", "640"});
    CHECK(64 * 641 <= out["kv_tokens"]);
    CHECK(64 * 41 > out["kv_blocks"]);
    for (const auto& point : out["decode"]) CHECK(point["fits"] == (point["batch"] < 64));
}

TEST_CASE("calibrate predict: offline throughput states its defaults and orders GPUs as they are") {
    const auto rate = [](const char* gpu, const char* tp, const char* lengths) {
        return predict({"--model", "llama-3.1-70b", "--gpu", gpu, "--tp", tp, "--dtype", "fp8",
                        "--offline", lengths})["output_tokens_per_s"]
            .get<double>();
    };
    const nlohmann::json defaults = predict({"--model", "llama-3.1-8b", "--gpu", "h200-sxm",
                                             "--dtype", "fp8", "--offline", "128/4096"});
    CHECK(defaults["kv_cache_dtype"] == "fp8");
    CHECK(defaults["max_num_batched_tokens"] == 8192);
    CHECK(defaults["max_num_seqs"] == 2048);
    CHECK(defaults["requests"] == 1000);
    CHECK(defaults["output_tokens_per_s"].get<double>() ==
          Approx(1000 * 4096 / defaults["makespan_s"].get<double>()));
    CHECK(rate("h200-sxm", "2", "1000/1000") > rate("h100-sxm", "2", "1000/1000"));
    CHECK(rate("h200-sxm", "4", "1000/1000") > 1.5 * rate("h200-sxm", "2", "1000/1000"));
    CHECK(rate("h200-sxm", "2", "128/2048") > rate("h200-sxm", "2", "2048/2048"));
}

TEST_CASE("calibrate predict: an image network is a time by batch size") {
    const nlohmann::json out = predict({"--model", "resnet-50", "--gpu", "h100-sxm"});
    double before = 0;
    double rate = 0;
    for (const auto& point : out["batches"]) {
        CHECK(point["t_s"].get<double>() > before);
        CHECK(point["items_per_s"].get<double>() > rate);
        before = point["t_s"];
        rate = point["items_per_s"];
    }
    CHECK(contains(refusal({"--model", "resnet-50", "--gpu", "h100-sxm", "--tp", "2"}),
                   "--tp is for language models"));
}

TEST_CASE("calibrate predict: refusals say what to do instead") {
    CHECK(contains(refusal({"--model", "llama-3.1-70b"}), "expected --model and --gpu"));
    CHECK(contains(refusal({"--model", "lama-3.1-70b", "--gpu", "h200-sxm"}),
                   "did you mean \"llama-3.1-70b\"?"));
    CHECK(contains(refusal({"--model", "llama-3.1-405b", "--gpu", "h100-sxm", "--tp", "2"}),
                   "it needs 16 GPUs (tensor parallel 16)"));
    CHECK(contains(refusal({"--model", "llama-3.1-405b", "--gpu", "h100-sxm", "--tp", "2",
                            "--offline", "1000/1000"}),
                   "it needs 16 GPUs (--tp 16)"));
    CHECK(contains(refusal({"--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--offline", "1000"}),
                   "expected prompt and output tokens as 1000/1000"));
    CHECK(contains(refusal({"--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--kind", "observed"}),
                   "no observed profile"));
    CHECK(contains(refusal({"--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--requests", "10"}),
                   "--requests is for --offline"));
    CHECK(contains(refusal({"--model", "llama-3.1-8b", "--gpu", "a100-sxm-80", "--dtype", "fp8"}),
                   "has no fp8"));
    CHECK(contains(refusal({"--model", "resnet50", "--gpu", "h100-sxm"}),
                   "did you mean \"resnet-50\"?"));
    CHECK(contains(refusal({"--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--offline", "1/400000",
                            "--requests", "2000"}),
                   "2,000 requests take more than 100 days"));
    CHECK(contains(
        refusal({"--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--host-per-sequence", "100d"}),
        "--host-per-sequence: expected a time as 1ms or 5us, at most 10s"));
}

TEST_CASE("calibrate predict: an option that would change nothing is refused") {
    CHECK(contains(refusal({"--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--offline", "10/10",
                            "--context", "500"}),
                   "--context does not go with --offline"));
    CHECK(contains(refusal({"--model", "vit-b-16", "--gpu", "h100-sxm", "--requests", "5"}),
                   "--requests is for language models"));

    const TemporaryDirectory scratch;
    const fs::path shipped = fs::path(HEADROOM_SOURCE_DIR) / "scenarios/catalogue";
    fs::create_directory(scratch / "profiles");
    for (const auto& file : fs::directory_iterator(shipped)) {
        if (file.path().extension() != ".json") continue;
        fs::copy_file(file.path(), scratch.path() / file.path().filename());
    }
    write_text(scratch / "profiles/seen.json", R"({"schema": 1, "kind": "observed",
        "model": "llama-3.1-8b", "gpu": "l4", "tensor_parallel": 1, "dtype": "bf16",
        "kv_cache_dtype": "bf16", "error_band": 0.02, "source": "a log", "front_end_s": 0.0,
        "linear": {"c0_s": 0.02, "c1_s": 1e-5, "c2_s": 1e-5, "c3_s": 1e-7, "c4_s": 1e-9}})");
    RunOptions options;
    options.environment = {{"HEADROOM_CATALOGUE", scratch.path().string()}};
    const std::vector<std::string> words = {"calibrate", "predict", "--model",   "llama-3.1-8b",
                                            "--gpu",     "l4",      "--offline", "100/100",
                                            "-o",        "json"};
    const RunResult seen = run(words, options);
    INFO(seen.err);
    REQUIRE(seen.exit_code == 0);
    const nlohmann::json out = nlohmann::json::parse(seen.out);
    CHECK(out["profile"]["kind"] == "observed");
    CHECK_FALSE(out.contains("host_per_iteration_s"));
    std::vector<std::string> with_host = words;
    with_host.insert(with_host.end(), {"--host-per-iteration", "2ms"});
    const RunResult host = run(with_host, options);
    CHECK(host.exit_code == 2);
    CHECK(contains(host.err, "--host-per-iteration is not for an observed profile"));
}

}  // namespace headroom::acceptance
