// headroom calibrate: measurements become profiles, profiles are shown and compared, and what is
// wrong with either is told. The benchmark itself is played by scripts: it needs a GPU.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/acceptance/support.hpp"
#include "tests/catch.hpp"
#include "tests/unit/analysis/calibration/synthetic_measurement.hpp"

namespace headroom::acceptance {
namespace {

namespace fs = std::filesystem;
using analysis::find_point;
using analysis::set_time;
using analysis::synthetic_measurement;
using nlohmann::json;
using std::chrono::milliseconds;

std::string write_measurement(const TemporaryDirectory& scratch, const json& file,
                              const std::string& name = "m.json") {
    write_text(scratch / name, file.dump(1));
    return scratch / name;
}

/// Fits the measurement and returns the profile's path.
std::string fitted(const TemporaryDirectory& scratch, const json& file, const std::string& name) {
    const std::string measurement = write_measurement(scratch, file, "of-" + name);
    const RunResult r = run({"calibrate", "fit", measurement, "--out", scratch / name});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    return scratch / name;
}

/// What `calibrate fit` says to a measurement that it refuses.
std::string refused(const std::string& text) {
    const TemporaryDirectory scratch;
    write_text(scratch / "bad.json", text);
    const RunResult r =
        run({"calibrate", "fit", scratch / "bad.json", "--out", scratch / "out/p.json"});
    INFO(r.err);
    CHECK(r.exit_code == 2);
    CHECK(r.out == "");
    CHECK_FALSE(fs::exists(scratch / "out"));
    return r.err;
}
template <class Change>
std::string refused_after(const Change& change) {
    json file = synthetic_measurement();
    change(file);
    return refused(file.dump(1));
}

/// A benchmark that does as the script says; $out is where its measurement goes.
std::string benchmark(const TemporaryDirectory& scratch, const std::string& script) {
    write_script(scratch / "headroom_kernels", "#!/bin/sh\nout=$2\n" + script);
    return scratch / "headroom_kernels";
}

}  // namespace

TEST_CASE("calibrate: the help lists every subcommand, and each has its own") {
    const RunResult all = run({"calibrate", "--help"});
    CHECK(all.exit_code == 0);
    CHECK(all.err == "");
    for (const char* name : {"measure", "fit", "show", "diff", "observe", "predict"}) {
        CAPTURE(name);
        CHECK(contains(all.out, "\n  " + std::string(name) + " "));
        const RunResult one = run({"calibrate", name, "--help"});
        CHECK(one.exit_code == 0);
        CHECK(contains(one.out, "usage: headroom calibrate " + std::string(name) + " "));
    }
    CHECK(contains(run({"--help"}).out, "\n  calibrate "));
}

TEST_CASE("calibrate: unknown subcommands and options exit 2 with the nearest name") {
    struct Case {
        std::vector<std::string> words;
        const char* part;
    };
    for (const Case& c :
         {Case{{"calibrate"}, "expected a subcommand: measure, fit"},
          Case{{"calibrate", "mesure"}, "did you mean \"measure\"?"},
          Case{{"calibrat", "fit"}, "did you mean \"calibrate\"?"},
          Case{{"calibrate", "fit"}, "calibrate fit: expected a measurement file"},
          Case{{"calibrate", "fit", "x", "--oot", "y"}, "did you mean \"--out\"?"},
          Case{{"calibrate", "diff", "x"}, "expected two profiles or measurements"},
          Case{{"calibrate", "show", "no-such-profile"}, "one of the catalogue's profiles"},
          Case{{"calibrate", "observe", "x", "--gpu", "h100-sxm"}, "expected --model"},
          Case{{"calibrate", "observe", "x", "--gpu", "h100-sxm", "--model", "llama-31-8b"},
               "did you mean \"llama-3.1-8b\"?"},
          Case{{"calibrate", "observe", "x", "--fit-part", "1.5"}, "--fit-part: expected"},
          Case{{"calibrate", "observe", "x", "--replicas", "0"}, "--replicas"},
          Case{{"calibrate", "observe", "x", "--async-scheduling", "--no-async-scheduling"},
               "expected --async-scheduling or --no-async-scheduling, found both"},
          Case{{"calibrate", "observe", "x", "--enable-prefix-cachin"},
               "did you mean \"--enable-prefix-caching\"?"},
          Case{{"calibrate", "measure", "--benchmark", "/nowhere"}, "--benchmark: expected"},
          Case{{"calibrate", "measure", "--only", "gemm", "--profile", "p"}, "--profile"}}) {
        const RunResult r = run(c.words);
        INFO(r.err);
        CHECK(r.exit_code == 2);
        CHECK(r.out == "");
        CHECK(contains(r.err, c.part));
    }
}

TEST_CASE("calibrate fit: a measurement becomes a profile, with a report") {
    const TemporaryDirectory scratch;
    json file = synthetic_measurement();
    set_time(find_point(file, "gemm", {{"m", 2048}, {"n", 4096}, {"k", 4096}}), 3e-4);
    const std::string measurement = write_measurement(scratch, file);
    const RunResult table =
        run({"calibrate", "fit", measurement, "--out", scratch / "new/folder/p.json"});
    INFO(table.err);
    REQUIRE(table.exit_code == 0);
    CHECK(table.err == "headroom: profile in " + (scratch / "new/folder/p.json") + "\n");
    for (const char* part :
         {"h100-sxm: measured, error band 10", "decode_attention", "rope_kv_append", "2.50 us",
          "2.55 TB/s", "Warnings", "the time falls by"}) {
        CAPTURE(part);
        CHECK(contains(table.out, part));
    }
    const json profile = json::parse(read_text(scratch / "new/folder/p.json"));
    CHECK(profile["kind"] == "measured");
    CHECK(profile["gemm"]["bf16"].size() == 25);
    CHECK(profile["elementwise"]["argmax"]["bytes_per_s"].get<double>() ==
          Approx(2.55e12).epsilon(1e-6));
    CHECK(std::distance(fs::directory_iterator(scratch / "new/folder"), {}) == 1);

    const RunResult report = run({"calibrate", "fit", measurement, "-o", "json"});
    CHECK(report.exit_code == 0);
    CHECK(report.err == "");
    const json parsed = json::parse(report.out);
    CHECK(parsed["gpu"] == "h100-sxm");
    CHECK(parsed["operators"].size() == 8);
    CHECK(parsed["warnings"].size() == 1);
}

TEST_CASE("calibrate fit: a link is written through, and a full disk leaves nothing behind") {
    const TemporaryDirectory scratch;
    const std::string measurement = write_measurement(scratch, synthetic_measurement());
    fs::create_directory(scratch / "disk");
    const auto fit_into = [&](const std::string& target) {
        fs::remove(scratch / "disk/p.json");
        fs::create_symlink(target, scratch / "disk/p.json");
        return run({"calibrate", "fit", measurement, "--out", scratch / "disk/p.json"});
    };
    const RunResult full = fit_into("/dev/full");
    CHECK(full.exit_code == 3);
    CHECK(full.err ==
          "headroom: cannot write " + (scratch / "disk/p.json") + ": No space left on device\n");
    CHECK(fit_into(scratch / "real.json").exit_code == 0);
    CHECK(fs::is_symlink(scratch / "disk/p.json"));
    CHECK(run({"calibrate", "show", scratch / "real.json"}).exit_code == 0);
    CHECK(std::distance(fs::directory_iterator(scratch / "disk"), {}) == 1);
}

TEST_CASE("calibrate: what is read or measured is never overwritten by the profile") {
    const TemporaryDirectory scratch;
    const std::string file = write_measurement(scratch, synthetic_measurement());
    const std::string before = read_text(file);
    const std::string same = scratch / "./m.json";
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"calibrate", "fit", file, "--out", same},
             {"calibrate", "observe", file, "--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--out",
              same},
             {"calibrate", "measure", "--benchmark", benchmark(scratch, "exit 0\n"), "--out", file,
              "--profile", same}}) {
        const RunResult r = run(words);
        INFO(r.err);
        CHECK(r.exit_code == 2);
        CHECK(contains(r.err, ": expected another file than " + file));
        CHECK(read_text(file) == before);
    }
}

TEST_CASE("calibrate fit: the GPU is that of the device's name, or as said") {
    const TemporaryDirectory scratch;
    json file = synthetic_measurement();
    file["device"]["name"] = "NVIDIA H20";
    const std::string measurement = write_measurement(scratch, file);
    const RunResult unknown = run({"calibrate", "fit", measurement});
    CHECK(unknown.exit_code == 2);
    CHECK(contains(unknown.err, "did you mean \"NVIDIA H200\"?"));
    const RunResult wrong = run({"calibrate", "fit", measurement, "--gpu", "h200-sxn"});
    CHECK(wrong.exit_code == 2);
    CHECK(contains(wrong.err, "did you mean \"h200-sxm\"?"));
    CHECK(run({"calibrate", "fit", measurement, "--gpu", "h200-sxm"}).exit_code == 0);
}

TEST_CASE("calibrate fit: bad measurements exit 2 with file, line and what was expected") {
    const std::string truncated = synthetic_measurement().dump(1);
    CHECK(contains(refused(truncated.substr(0, truncated.size() / 3)), "the end of the file"));
    CHECK(contains(refused(R"({"schema": 1, "complete": NaN})"), "bad.json:1:"));
    CHECK(contains(refused_after([](json& f) { f["schema"] = 2; }), "/schema: expected"));
    CHECK(contains(refused_after([](json& f) { f["points"][5]["t_s"] = nullptr; }),
                   "/points/5/t_s: expected a finite number above 0"));
    CHECK(contains(refused_after([](json& f) { f["checks"][0]["passed"] = false; }),
                   "expected a passed check"));
    CHECK(contains(refused_after([](json& f) { f["complete"] = false; }), "--allow-incomplete"));
    CHECK(contains(refused_after([](json& f) {
                       for (json& p : f["points"]) {
                           if (p["op"] != "swiglu") continue;
                           p["op"] = "resnet50";
                           p["shape"] = {{"batch", p["shape"]["tokens"]}};
                       }
                   }),
                   "expected points of swiglu in bf16, found none"));
    const std::string two = refused_after([](json& f) {
        f["points"][5]["t_s"] = -1;
        f["points"][8]["op"] = "gemmm";
    });
    CHECK(contains(two, "/points/5/t_s"));
    CHECK(contains(two, "did you mean \"gemm\"?"));
    CHECK(contains(two, "2 mistakes"));
    CHECK(contains(refused("[1]"), "expected an object"));
}

TEST_CASE("calibrate fit: an incomplete measurement is fitted when asked for") {
    const TemporaryDirectory scratch;
    json file = synthetic_measurement();
    file["complete"] = false;
    const RunResult r =
        run({"calibrate", "fit", write_measurement(scratch, file), "--allow-incomplete"});
    CHECK(r.exit_code == 0);
    CHECK(contains(r.out, "(cut short)"));
}

TEST_CASE("calibrate show: a measured profile with its roofline, by file or by name") {
    const TemporaryDirectory scratch;
    const std::string profile = fitted(scratch, synthetic_measurement(), "cat/profiles/mine.json");
    const RunResult by_file = run({"calibrate", "show", profile});
    REQUIRE(by_file.exit_code == 0);
    for (const char* part :
         {"h100-sxm: measured operators", "Ceilings: read 3.00 TB/s", "% of read bandwidth",
          "gemm bf16, % of the ceiling: m down, n x k across", "gemm fp8",
          "32 query and 8 KV heads", "prefill_attention bf16"}) {
        CAPTURE(part);
        CHECK(contains(by_file.out, part));
    }
    std::istringstream lines(by_file.out);
    for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);

    for (const char* file : {"gpus.json", "models.json", "networks.json", "instance_types.json"}) {
        const fs::path shipped = fs::path(HEADROOM_SOURCE_DIR) / "scenarios/catalogue" / file;
        if (fs::exists(shipped)) fs::copy_file(shipped, fs::path(scratch / "cat") / file);
    }
    RunOptions options;
    options.environment = {{"HEADROOM_CATALOGUE", scratch / "cat"}};
    options.working_directory = scratch.path();  // without a file of that name
    CHECK(run({"calibrate", "show", "mine"}, options).out == by_file.out);
    const RunResult near = run({"calibrate", "show", "mime"}, options);
    CHECK(near.exit_code == 2);
    CHECK(contains(near.err, "did you mean \"mine\"?"));

    const json report = json::parse(run({"calibrate", "show", profile, "-o", "json"}).out);
    CHECK(report["operators"][0]["points"] == 500);
    CHECK(report["operators"][0]["share_of_ceiling"]["max"] < 1);
    CHECK(report["points"].size() == 500 + 500 + 368 + 72);
}

TEST_CASE("calibrate show: an observed profile with its coefficients and errors") {
    const TemporaryDirectory scratch;
    write_text(scratch / "o.json", R"({"schema": 1, "kind": "observed", "model": "llama-3.1-8b",
        "gpu": "h100-sxm", "tensor_parallel": 1, "dtype": "bf16", "kv_cache_dtype": "bf16",
        "error_band": 0.02, "source": "a log of ours",
        "linear": {"c0_s": 0.0131, "c1_s": 3.81e-5, "c2_s": 1.53e-5, "c3_s": 9.8e-8,
                   "c4_s": 2.1e-9}, "front_end_s": 0.0,
        "fit": {"requests": 150, "held_out": 150, "simulations": 160,
                "held_out_error": {"ttft": {"mean": 0.001, "p50": -0.005, "p99": -0.004,
                                            "per_request": 0.006}}}})");
    const RunResult r = run({"calibrate", "show", scratch / "o.json"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    for (const char* part : {"llama-3.1-8b, tensor parallel 1", "a log of ours", "13.1 ms",
                             "98.0 ns", "held_out 150", "ttft", "-0.5"}) {
        CAPTURE(part);
        CHECK(contains(r.out, part));
    }
    CHECK_FALSE(contains(r.out, "c5"));
    CHECK(json::parse(run({"calibrate", "show", scratch / "o.json", "-o", "json"}).out) ==
          json::parse(read_text(scratch / "o.json")));

    json experts = json::parse(read_text(scratch / "o.json"));
    experts["model"] = "qwen3-30b-a3b";
    experts["linear"]["c5_s"] = 3.46e-4;
    write_text(scratch / "experts.json", experts.dump());
    CHECK(contains(run({"calibrate", "show", scratch / "experts.json"}).out,
                   "c5, an expert that is touched     346 us"));
}

TEST_CASE("calibrate show: a profile that is no profile exits 2") {
    const TemporaryDirectory scratch;
    const std::string measurement = write_measurement(scratch, synthetic_measurement());
    const RunResult r = run({"calibrate", "show", measurement});
    CHECK(r.exit_code == 2);
    CHECK(r.out == "");
    CHECK(contains(r.err, "expected one of measured, observed"));
}

TEST_CASE("calibrate: a pipe is no file, and nobody waits for what it may say") {
    const TemporaryDirectory scratch;
    REQUIRE(run_program("mkfifo", {scratch / "pipe"}).exit_code == 0);
    RunOptions options;
    options.time_limit = milliseconds(10'000);
    for (const char* command : {"fit", "show"}) {
        const RunResult r = run({"calibrate", command, scratch / "pipe"}, options);
        CHECK(r.exit_code == 2);
        CHECK(r.err == (scratch / "pipe") + ": expected a file, found something else\n");
    }
}

TEST_CASE("calibrate diff: profiles and measurements point by point") {
    const TemporaryDirectory scratch;
    const json first = synthetic_measurement();
    json second = first;
    for (json& point : second["points"]) {
        if (point["op"] == "gemm") set_time(point, 1.03 * point["t_s"].get<double>());
    }
    set_time(find_point(second, "decode_attention", {{"batch", 512}, {"context", 2048}}), 9e-3);
    json points = json::array();  // one point fewer
    for (std::size_t i = 1; i < second["points"].size(); ++i) points.push_back(second["points"][i]);
    second["points"] = points;
    const std::string a = fitted(scratch, first, "a.json");
    const std::string b = fitted(scratch, second, "b.json");

    const RunResult table = run({"calibrate", "diff", a, b});
    INFO(table.err);
    REQUIRE(table.exit_code == 0);
    CHECK(contains(table.out, "Operator"));
    CHECK(contains(table.out, "+3.0"));
    CHECK(contains(table.out, "decode_attention bf16 batch=512 context=2048"));

    const json report = json::parse(run({"calibrate", "diff", a, b, "-o", "json"}).out);
    const json& gemm = report["operators"][0];
    CHECK(gemm["op"] == "gemm");
    CHECK(gemm["common"] == 499);
    CHECK(gemm["only_a"] == 1);
    CHECK(gemm["only_b"] == 0);
    CHECK(gemm["median"].get<double>() == Approx(0.03));
    CHECK(gemm["p90"].get<double>() == Approx(0.03));
    // Fits are compared at two sizes; against a measurement at its own.
    CHECK(report["operators"].back()["op"] == "argmax");
    CHECK(report["operators"].back()["common"] == 2);
    const json mixed =
        json::parse(run({"calibrate", "diff", scratch / "of-a.json", a, "-o", "json"}).out);
    CHECK(mixed["operators"].back()["common"] == 5);
    for (const json& op : mixed["operators"]) {
        CHECK(op["only_a"] == 0);
        CHECK(op["only_b"] == 0);
        CHECK(std::abs(op["p90"].get<double>()) < 1e-6);
    }
}

TEST_CASE("calibrate measure: what the benchmark measured is fitted at once") {
    const TemporaryDirectory scratch;
    write_measurement(scratch, synthetic_measurement(), "made.json");
    const std::string program = benchmark(scratch, "echo args: \"$@\"\necho progress >&2\ncp '" +
                                                       (scratch / "made.json") + "' $out\n");
    const RunResult r = run({"calibrate", "measure", "--quick", "--benchmark", program, "--out",
                             scratch / "new/m.json", "--profile", scratch / "p.json"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    CHECK(contains(r.err, "args: --out " + (scratch / "new/m.json") + " --quick"));
    CHECK(contains(r.err, "progress"));
    CHECK(r.out.rfind("h100-sxm: measured", 0) == 0);  // what the benchmark prints is not data
    CHECK(fs::exists(scratch / "new/m.json"));
    CHECK(run({"calibrate", "show", scratch / "p.json"}).exit_code == 0);

    const RunResult only = run({"calibrate", "measure", "--only", "gemm,argmax", "--device", "1",
                                "--benchmark", program, "--out", scratch / "m2.json"});
    CHECK(only.exit_code == 0);
    CHECK(only.out == "");
    CHECK(contains(only.err, "--only=gemm,argmax --device=1"));
    CHECK(contains(only.err, "measurement in " + (scratch / "m2.json")));
}

TEST_CASE("calibrate measure: without a GPU or a benchmark it says what to do, and exits 3") {
    const TemporaryDirectory scratch;
    const auto measure = [&](const std::string& script) {
        return run({"calibrate", "measure", "--benchmark", benchmark(scratch, script), "--out",
                    scratch / "m.json", "--profile", scratch / "p.json"});
    };
    const RunResult none = measure("exit 77\n");
    CHECK(none.exit_code == 3);
    CHECK(contains(none.err, "no NVIDIA GPU here"));
    CHECK(contains(none.err, "headroom calibrate fit"));
    const RunResult failed = measure("exit 1\n");
    CHECK(failed.exit_code == 3);
    CHECK(contains(failed.err, "failed its check"));
    const RunResult unloaded = measure("echo 'libcublasLt.so.13: cannot open' >&2\nexit 127\n");
    CHECK(unloaded.exit_code == 3);
    CHECK(contains(unloaded.err, "LD_LIBRARY_PATH"));
    const RunResult killed = measure("kill -9 $$\n");
    CHECK(killed.exit_code == 3);
    CHECK(contains(killed.err, "signal 9"));
    const RunResult usage = measure("echo 'no such op' >&2\nexit 2\n");
    CHECK(usage.exit_code == 2);
    const RunResult nothing = measure("exit 0\n");
    CHECK(nothing.exit_code == 3);
    CHECK(contains(nothing.err, "expected a file"));
    CHECK_FALSE(fs::exists(scratch / "p.json"));

    if (!fs::exists(fs::path(HEADROOM_BINARY).parent_path() / "headroom_kernels")) {
        const RunResult unbuilt = run({"calibrate", "measure", "--out", scratch / "m.json"});
        CHECK(unbuilt.exit_code == 3);
        CHECK(contains(unbuilt.err, "-DHEADROOM_CUDA=ON"));
    }
}

TEST_CASE("calibrate measure: Ctrl-C reaches the benchmark, whose points stay") {
    const TemporaryDirectory scratch;
    const std::string program =
        benchmark(scratch,
                  "trap 'echo told >&2; echo {} > $out; exit 130' INT\n"
                  "i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done\n");
    RunOptions options;
    options.signal_after = milliseconds(700);
    const RunResult r = run({"calibrate", "measure", "--benchmark", program, "--out",
                             scratch / "m.json", "--profile", scratch / "p.json"},
                            options);
    INFO(r.err);
    CHECK(r.exit_code == 3);
    CHECK(r.wall < milliseconds(10'000));
    CHECK(contains(r.err, "told"));
    CHECK(contains(r.err, "--allow-incomplete takes what is in " + (scratch / "m.json")));
    CHECK_FALSE(fs::exists(scratch / "p.json"));
}

TEST_CASE("calibrate observe: a log becomes an observed profile") {
    const TemporaryDirectory scratch;
    std::string log = "arrival_s,prompt_tokens,output_tokens,first_token_s,finish_s\n";
    // Alone in the engine each: 10 ms an iteration and 50 us a prompt token.
    for (int i = 0; i < 40; ++i) {
        const int prompt = 100 + 37 * i % 400;
        const int output = 5 + 11 * i % 30;
        const double first = 5.0 * i + 0.010 + 50e-6 * prompt;
        log += fmt::format("{},{},{},{},{}\n", 5.0 * i, prompt, output, first,
                           first + 0.010 * (output - 1));
    }
    write_text(scratch / "log.csv", log);
    const RunResult r =
        run({"calibrate", "observe", scratch / "log.csv", "--model", "llama-3.1-8b", "--gpu",
             "h100-sxm", "--simulations", "60", "--out", scratch / "o.json"});
    INFO(r.err);
    REQUIRE(r.exit_code == 0);
    CHECK(contains(r.out, "llama-3.1-8b, tensor parallel 1, bf16"));
    const json profile = json::parse(read_text(scratch / "o.json"));
    CHECK(profile["kind"] == "observed");
    CHECK(profile["source"] == "fitted by headroom calibrate observe to log.csv");
    CHECK(profile["linear"]["c1_s"].get<double>() == Approx(50e-6).epsilon(0.2));
    const RunResult shown = run({"calibrate", "show", scratch / "o.json"});
    CHECK(shown.out == r.out);

    const auto again = [&](std::vector<std::string> options) {
        std::vector<std::string> words = {"calibrate", "observe",      scratch / "log.csv",
                                          "--model",   "llama-3.1-8b", "--gpu",
                                          "h100-sxm",  "--out",        scratch / "no.json"};
        words.insert(words.end(), options.begin(), options.end());
        const RunResult refused = run(words);
        CHECK(refused.exit_code == 2);
        CHECK(refused.out == "");
        CHECK_FALSE(fs::exists(scratch / "no.json"));
        return refused.err;
    };
    CHECK(contains(again({"--tp", "3"}),
                   "--tp: llama-3.1-8b with 32 query heads and 8 KV heads "
                   "does not split over 3 GPUs: expected one of 1, 2, 4"));
    CHECK(again({"--fit-part", "0.01"}).rfind("headroom: " + (scratch / "log.csv") + ": 0 ", 0) ==
          0);
    // Fifteen at once, 10 ms a token each: one after the other no engine serves them in that time.
    std::string together = "arrival_s,prompt_tokens,output_tokens,first_token_s,finish_s\n";
    for (int i = 0; i < 60; ++i) {
        const double arrival = 0.1 * i;
        together += fmt::format("{},{},150,{},{}\n", arrival, 100 + i, arrival + 0.02,
                                arrival + 0.02 + 1.49);
    }
    write_text(scratch / "log.csv", together);
    CHECK(contains(again({"--max-num-seqs", "1", "--simulations", "60"}),
                   "expected the settings of the logged engine"));

    write_text(scratch / "bad.csv", "arrival_s,prompt_tokens\n0,1\n");
    const RunResult bad = run({"calibrate", "observe", scratch / "bad.csv", "--model",
                               "llama-3.1-8b", "--gpu", "h100-sxm"});
    CHECK(bad.exit_code == 2);
    CHECK(contains(bad.err, "bad.csv:1"));
}

}  // namespace headroom::acceptance
