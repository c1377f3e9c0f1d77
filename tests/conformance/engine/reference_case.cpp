#include "tests/conformance/engine/reference_case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>

#include "scenarios/located_json.hpp"
#include "tests/rig.hpp"

namespace headroom::tests {
namespace {

namespace fs = std::filesystem;
using scenarios::Diagnostics;
using serving::Arrival;

[[noreturn]] void refuse(const Diagnostics& problems) {
    std::string text;
    for (const scenarios::Diagnostic& problem : problems) {
        text += (text.empty() ? "" : "\n") + problem.text();
    }
    throw BadCase(text);
}

// ---------------------------------------------------------------- config.json

/// The settings of a case, each asked for by name; what nobody asked for is not covered either.
class Settings {
  public:
    Settings(const fs::path& file, Diagnostics& problems) : problems_(problems) {
        auto document = scenarios::read_json_file(file.string(), problems);
        if (!document) refuse(problems);
        document_ = std::move(*document);
        if (!document_.value().is_object()) complain("", "expected an object");
    }

    [[nodiscard]] bool has(const std::string& key) {
        asked_.insert(key);
        return find(key) != nullptr;
    }
    std::int64_t whole_number(const std::string& key, std::int64_t least) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_number_integer() && value->get<std::int64_t>() >= least) {
            return value->get<std::int64_t>();
        }
        complain(key, fmt::format("expected a whole number >= {}", least));
        return least;
    }
    double number(const std::string& key) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_number() && value->get<double>() >= 0) {
            return value->get<double>();
        }
        complain(key, "expected a number >= 0");
        return 0;
    }
    bool boolean(const std::string& key) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_boolean()) return value->get<bool>();
        complain(key, "expected true or false");
        return false;
    }
    std::string text(const std::string& key) {
        const nlohmann::json* value = find(key);
        asked_.insert(key);
        if (value != nullptr && value->is_string()) return value->get<std::string>();
        complain(key, "expected a text");
        return "";
    }
    /// Does not bear on the outcome.
    void ignore(const std::vector<std::string>& keys) { asked_.insert(keys.begin(), keys.end()); }
    /// Keys of the top level that were neither asked for nor ignored.
    [[nodiscard]] std::vector<std::string> unknown() const {
        std::vector<std::string> keys;
        for (const auto& [key, value] : document_.value().items()) {
            if (asked_.count(key) == 0) keys.push_back(key);
        }
        return keys;
    }

  private:
    /// "coef/c0" is the key c0 of the object coef.
    [[nodiscard]] const nlohmann::json* find(const std::string& key) {
        const nlohmann::json::json_pointer pointer("/" + key);
        asked_.insert(key.substr(0, key.find('/')));
        const nlohmann::json& value = document_.value();
        return value.contains(pointer) ? &value.at(pointer) : nullptr;
    }
    void complain(const std::string& key, const std::string& message) {
        const std::string pointer = key.empty() ? "" : "/" + key;
        problems_.push_back({document_.where(pointer), pointer, message});
    }

    Diagnostics& problems_;
    scenarios::LocatedJson document_;
    std::set<std::string> asked_;
};

/// The closed form's coefficients, in seconds. Vidur counts the token being computed as context:
/// `context_of_its_own` more for each decoding sequence.
std::shared_ptr<const serving::LatencyModel> linear_profile(Settings& settings,
                                                            bool context_of_its_own) {
    serving::LinearCoefficients c;
    c.per_iteration = Duration::from_seconds(settings.number("coef/c0"));
    c.per_prefill_token = Duration::from_seconds(settings.number("coef/c1"));
    c.per_decode_sequence = Duration::from_seconds(settings.number("coef/c2"));
    c.per_context_token = Duration::from_seconds(settings.number("coef/c3"));
    c.per_prefill_attention = Duration::from_seconds(settings.number("coef/c4"));
    if (context_of_its_own) c.per_decode_sequence += c.per_context_token;
    return std::make_shared<serving::LinearLatency>(c);
}

using Values = std::vector<std::pair<std::string, ParameterValue>>;

void set_engine(ReferenceCase& reference, const std::string& policy, const Values& values,
                std::int64_t kv_blocks, std::int64_t replicas) {
    reference.spec.services.push_back(
        llm_service("llm", choose<serving::BatchingPolicy>(policy, values), kv_blocks));
    add_workload(reference.spec, 0, replicas);
}

serving::LlmEngineSpec& engine_of(ReferenceCase& reference) {
    return *reference.spec.services[0].versions[0].engine.llm;
}

void read_vidur(Settings& settings, ReferenceCase& reference) {
    settings.ignore({"model", "device", "network_device", "tp", "derived", "stats"});
    const std::string scheduler = settings.text("scheduler");
    const std::int64_t batch = settings.whole_number("batch_size_cap", 1);
    const ParameterValue watermark{settings.number("watermark_blocks_fraction")};
    // Limits that only one of the schedulers reads.
    const std::int64_t padded = settings.whole_number("max_tokens_in_batch", 1);
    const std::int64_t chunk = settings.whole_number("chunk_size", 1);
    const std::int64_t longest = settings.whole_number("max_tokens", 1);
    Values values;
    std::string policy;
    if (scheduler == "vllm") {
        policy = "vllm-v0";
        values = {{"max_num_seqs", whole(batch)},
                  {"max_num_batched_tokens", whole(padded)},
                  {"watermark", watermark}};
    } else if (scheduler == "sarathi") {
        policy = "sarathi";
        values = {
            {"max_num_seqs", whole(batch)}, {"chunk_size", whole(chunk)}, {"watermark", watermark}};
    } else if (scheduler == "orca") {
        policy = "orca";
        // Its memory planner may have found fewer slots.
        const double slots = settings.has("derived/max_batch_size")
                                 ? settings.number("derived/max_batch_size")
                                 : static_cast<double>(batch);
        const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(slots));
        values = {{"max_num_seqs", whole(std::min(batch, most))},
                  {"reserve_tokens", whole(longest)}};
    } else if (scheduler == "sglang") {
        policy = "sglang";
        values = {{"max_running_requests", whole(batch)},
                  {"chunked_prefill_size", whole(chunk)},
                  {"max_prefill_tokens", whole(padded)}};
    } else if (scheduler == "tensorrt-llm") {
        policy = "tensorrt-llm";
        values = {{"max_batch_size", whole(batch)}, {"max_num_tokens", whole(padded)}};
    } else if (scheduler == "static") {
        policy = "static";
        values = {{"batch_size", whole(batch)}};
    } else {
        reference.not_covered.push_back("the scheduler \"" + scheduler + "\"");
        policy = "vllm-v0";
    }
    const std::int64_t stages = settings.whole_number("pp", 1);
    const std::string router = settings.text("router");
    if (router != "rr" && router != "lor") {
        reference.not_covered.push_back("the router \"" + router + "\"");
    }
    const std::string predictor = settings.text("predictor");
    set_engine(reference, policy, values, settings.whole_number("num_blocks", 1),
               settings.whole_number("replicas", 1));
    engine_of(reference).block_size = settings.whole_number("block_size", 1);
    engine_of(reference).pipeline_stages = stages;
    if (router == "lor") {
        reference.spec.services[0].routing = choose<serving::RoutingPolicy>("shortest-queue");
    }
    if (predictor == "linear") {
        engine_of(reference).latency = linear_profile(settings, true);
    } else {
        reference.not_covered.push_back("the iteration times of \"" + predictor + "\"");
    }
}

void read_vllm_v1(Settings& settings, ReferenceCase& reference) {
    settings.ignore({"stats"});
    const std::string engine = settings.text("engine");
    if (engine != "vllm-v1") reference.not_covered.push_back("the engine \"" + engine + "\"");
    const std::string policy = settings.text("policy");
    if (policy != "fcfs" && policy != "priority") {
        reference.not_covered.push_back("the policy \"" + policy + "\"");
    }
    reference.ids_are_texts = policy == "priority";
    const std::int64_t seqs = settings.whole_number("max_num_seqs", 1);
    const std::int64_t budget = settings.whole_number("max_num_batched_tokens", 1);
    const std::int64_t threshold = settings.whole_number("long_prefill_token_threshold", 0);
    // Block 0 is never handed out.
    set_engine(reference, "vllm-v1",
               {{"max_num_seqs", whole(seqs)},
                {"max_num_batched_tokens", whole(budget)},
                {"long_prefill_token_threshold", whole(threshold)},
                {"enable_chunked_prefill", {settings.boolean("enable_chunked_prefill")}},
                {"scheduler_reserve_full_isl", {settings.boolean("scheduler_reserve_full_isl")}},
                {"scheduling_policy", {policy}}},
               settings.whole_number("num_gpu_blocks", 2) - 1, 1);
    serving::LlmEngineSpec& engine_spec = engine_of(reference);
    engine_spec.block_size = settings.whole_number("block_size", 1);
    engine_spec.max_model_len = settings.whole_number("max_model_len", 2);
    engine_spec.async_scheduling = settings.boolean("async_scheduling");
    engine_spec.prefix_caching = settings.boolean("enable_prefix_caching");
    engine_spec.pipeline_stages = settings.whole_number("pipeline_parallel_size", 1);
    engine_spec.latency = linear_profile(settings, false);
}

// ---------------------------------------------------------------- requests.csv, results.csv

/// A CSV file without quotes, its fields by the names of the first line.
class Table {
  public:
    Table(const fs::path& file, Diagnostics& problems) : file_(file), problems_(problems) {
        std::ifstream in(file);
        if (!in) {
            problems.push_back({{file.string(), 1, 1}, "", "cannot be read"});
            return;
        }
        for (std::string line; std::getline(in, line);) {
            if (!line.empty() && line.back() == '\r') line.pop_back();
            std::vector<std::string> fields(1);
            for (const char c : line) {
                if (c == ',') {
                    fields.emplace_back();
                } else {
                    fields.back() += c;
                }
            }
            if (!rows_.empty() && fields.size() != rows_[0].size()) {
                complain(rows_.size(), fmt::format("expected {} fields, found {}", rows_[0].size(),
                                                   fields.size()));
                fields.resize(rows_[0].size());
            }
            rows_.push_back(std::move(fields));
        }
    }

    [[nodiscard]] std::size_t size() const { return rows_.empty() ? 0 : rows_.size() - 1; }
    [[nodiscard]] bool has(const std::string& name) const {
        return !rows_.empty() && std::count(rows_[0].begin(), rows_[0].end(), name) > 0;
    }
    /// Rows count from 1; row 0 names the columns.
    [[nodiscard]] std::string text(std::size_t row, const std::string& name) const {
        const auto& names = rows_[0];
        const auto at = std::find(names.begin(), names.end(), name) - names.begin();
        return rows_[row][static_cast<std::size_t>(at)];
    }
    template <class Number>
    [[nodiscard]] Number number(std::size_t row, const std::string& name, Number least) {
        const std::string written = text(row, name);
        Number value{};
        const char* end = written.data() + written.size();
        const auto [stopped, error] = std::from_chars(written.data(), end, value);
        if (error == std::errc{} && stopped == end && value >= least) return value;
        complain(row,
                 fmt::format("{}: expected a number >= {}, found \"{}\"", name, least, written));
        return least;
    }
    /// Whether it has these columns; says which it has not.
    bool require(const std::vector<std::string>& names) {
        bool all = !rows_.empty();
        for (const std::string& name : names) {
            if (has(name)) continue;
            if (!rows_.empty()) complain(0, "expected a column \"" + name + "\"");
            all = false;
        }
        return all;
    }
    void complain(std::size_t row, const std::string& message) {
        problems_.push_back({{file_.string(), static_cast<int>(row) + 1, 1}, "", message});
    }

  private:
    fs::path file_;
    Diagnostics& problems_;
    std::vector<std::vector<std::string>> rows_;
};

struct Request {
    std::int64_t id = 0;
    double arrived_s = 0;
    Arrival arrival;
};

/// "3 7-9" names the contents 3, 7, 8 and 9 of so many pieces of the prompt and output.
serving::ContentsRef read_contents(Table& table, std::size_t row, std::int64_t tokens_per_id) {
    auto contents = boost::intrusive_ptr<serving::TokenContents>(new serving::TokenContents);
    contents->tokens_per_id = tokens_per_id;
    std::istringstream words(table.text(row, "hash_ids"));
    for (std::string word; words >> word;) {
        const char* end = word.data() + word.size();
        std::uint64_t first = 0;
        auto [stopped, error] = std::from_chars(word.data(), end, first);
        std::uint64_t last = first;
        if (error == std::errc{} && stopped != end && *stopped == '-') {
            const auto range = std::from_chars(stopped + 1, end, last);
            stopped = range.ptr;
            error = range.ec;
        }
        if (error != std::errc{} || stopped != end || last < first || last - first > 1'000'000) {
            table.complain(row,
                           "hash_ids: expected numbers and ranges a-b, found \"" + word + "\"");
            return nullptr;
        }
        for (std::uint64_t id = first; id <= last; ++id) contents->ids.push_back(id);
    }
    return contents;
}

/// In the order in which they are handed to the engine: by arrival, then by id (as vLLM's priority
/// queue compares them, `ids_are_texts`, as texts).
std::vector<Request> read_requests(const fs::path& file, std::int64_t tokens_per_id,
                                   bool ids_are_texts, Diagnostics& problems) {
    Table table(file, problems);
    std::vector<Request> requests;
    if (!table.require({"id", "arrived_at", "num_prefill_tokens", "num_decode_tokens"})) return {};
    for (std::size_t row = 1; row <= table.size(); ++row) {
        Request request;
        request.id = table.number<std::int64_t>(row, "id", 0);
        request.arrived_s = table.number<double>(row, "arrived_at", 0);
        request.arrival.time = Time::from_seconds(request.arrived_s);
        request.arrival.prompt = Tokens{table.number<std::int64_t>(row, "num_prefill_tokens", 1)};
        request.arrival.output = Tokens{table.number<std::int64_t>(row, "num_decode_tokens", 1)};
        if (table.has("priority")) {
            request.arrival.attributes.priority =
                table.number<std::int32_t>(row, "priority", -1'000'000'000);
        }
        if (table.has("hash_ids")) {
            request.arrival.contents = read_contents(table, row, tokens_per_id);
        }
        requests.push_back(request);
    }
    std::sort(requests.begin(), requests.end(), [&](const Request& a, const Request& b) {
        if (a.arrived_s != b.arrived_s) return a.arrived_s < b.arrived_s;
        return ids_are_texts ? std::to_string(a.id) < std::to_string(b.id) : a.id < b.id;
    });
    return requests;
}

std::map<std::int64_t, ExpectedOutcome> read_results(const fs::path& file, Diagnostics& problems) {
    Table table(file, problems);
    std::map<std::int64_t, ExpectedOutcome> outcomes;
    const std::string preemptions = table.has("num_restarts") ? "num_restarts" : "num_preemptions";
    const std::string tokens =
        table.has("num_output_tokens") ? "num_output_tokens" : "num_decode_tokens";
    if (!table.require({"id", "prefill_completed_at", "completed_at", preemptions, tokens})) {
        return {};
    }
    for (std::size_t row = 1; row <= table.size(); ++row) {
        ExpectedOutcome outcome;
        outcome.id = table.text(row, "id");
        outcome.first_token_s = table.number<double>(row, "prefill_completed_at", 0);
        outcome.completed_s = table.number<double>(row, "completed_at", 0);
        outcome.preemptions = table.number<std::int64_t>(row, preemptions, 0);
        outcome.output_tokens = table.number<std::int64_t>(row, tokens, 1);
        const auto id = table.number<std::int64_t>(row, "id", 0);
        if (!outcomes.emplace(id, outcome).second) {
            table.complain(row, "the request " + outcome.id + " stands here twice");
        }
    }
    return outcomes;
}

void read_rows(const fs::path& folder, ReferenceCase& reference, Diagnostics& problems) {
    const std::vector<Request> requests =
        read_requests(folder / "requests.csv", engine_of(reference).block_size,
                      reference.ids_are_texts, problems);
    auto results = read_results(folder / "results.csv", problems);
    if (!problems.empty()) refuse(problems);
    std::vector<Arrival> arrivals;
    for (const Request& request : requests) {
        const auto outcome = results.find(request.id);
        if (outcome == results.end()) {
            throw BadCase(fmt::format("{}: expected a row for each request once, but not for {}",
                                      (folder / "results.csv").string(), request.id));
        }
        arrivals.push_back(request.arrival);
        reference.expected.push_back(outcome->second);
        results.erase(outcome);
    }
    if (!results.empty()) {
        throw BadCase(fmt::format("{}: {} is no request", (folder / "results.csv").string(),
                                  results.begin()->second.id));
    }
    reference.spec.sources.push_back(list_source(0, std::move(arrivals)));
}

/// What differs in one request; empty: nothing.
std::string difference(const serving::RequestRow& row, const ExpectedOutcome& expected) {
    if (row.outcome != serving::Outcome::completed) {
        return std::string(to_string(row.outcome)) + " (" + std::string(to_string(row.cause)) + ")";
    }
    std::string text;
    const auto add = [&text](const char* what, const std::string& got, const std::string& want) {
        text += fmt::format("{}{} {}, expected {}", text.empty() ? "" : "; ", what, got, want);
    };
    const auto add_time = [&](const char* what, Time got, double want_s) {
        if (std::abs(got.to_seconds() - want_s) <= 1e-9) return;
        add(what, fmt::format("{:.9f} s", got.to_seconds()), fmt::format("{:.9f} s", want_s));
    };
    add_time("first token at", row.first_token, expected.first_token_s);
    add_time("completed at", row.finish, expected.completed_s);
    const auto add_count = [&](const char* what, std::int64_t got, std::int64_t want) {
        if (got != want) add(what, std::to_string(got), std::to_string(want));
    };
    add_count("preemptions", row.preemptions, expected.preemptions);
    add_count("tokens", row.output_tokens, expected.output_tokens);
    return text;
}

}  // namespace

std::vector<fs::path> find_cases(const fs::path& folder) {
    if (!fs::is_directory(folder)) throw BadCase(folder.string() + ": expected a folder");
    if (fs::exists(folder / "config.json")) return {folder};
    std::vector<fs::path> cases;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (fs::exists(entry.path() / "config.json")) cases.push_back(entry.path());
    }
    if (cases.empty()) {
        throw BadCase(folder.string() + ": expected config.json here or in its subfolders");
    }
    std::sort(cases.begin(), cases.end());
    return cases;
}

ReferenceCase read_case(const fs::path& folder) {
    ReferenceCase reference;
    reference.name = fs::weakly_canonical(folder).filename().string();
    Diagnostics problems;
    Settings settings(folder / "config.json", problems);
    if (settings.has("scheduler")) {
        read_vidur(settings, reference);
    } else {
        read_vllm_v1(settings, reference);
    }
    for (const std::string& key : settings.unknown()) {
        reference.not_covered.push_back("the setting \"" + key + "\"");
    }
    // What the engine lacks may have settings of another kind.
    if (!problems.empty() && reference.not_covered.empty()) refuse(problems);
    reference.spec.name = reference.name;
    reference.spec.drain = true;
    if (reference.not_covered.empty()) read_rows(folder, reference, problems);
    return reference;
}

CaseComparison compare(const ReferenceCase& reference, bool exact_steps) {
    RunOptions options;
    options.keep_rows = true;
    options.exact_steps = exact_steps;
    const SimulationResult result = Simulation(reference.spec).run(options);
    CaseComparison comparison;
    comparison.requests = static_cast<std::int64_t>(reference.expected.size());
    if (result.rows.size() != reference.expected.size()) {
        comparison.first_difference = fmt::format("{} requests came to an end", result.rows.size());
        return comparison;
    }
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
        const ExpectedOutcome& expected = reference.expected[i];
        comparison.preemptions += result.rows[i].preemptions;
        comparison.expected_preemptions += expected.preemptions;
        const std::string differs = difference(result.rows[i], expected);
        if (differs.empty()) {
            ++comparison.equal;
        } else if (comparison.first_difference.empty()) {
            comparison.first_difference = "request " + expected.id + ": " + differs;
        }
    }
    return comparison;
}

std::string CaseComparison::text() const {
    const std::string figures =
        fmt::format("{} of {} equal, preemptions {} {} {}", equal, requests, preemptions,
                    preemptions == expected_preemptions ? "=" : "!=", expected_preemptions);
    return passed() ? figures : "FAILED, " + figures + "; first " + first_difference;
}

namespace {

/// Whether the case is covered and equal.
bool run_case(const fs::path& folder, std::ostream& out) {
    const ReferenceCase reference = read_case(folder);
    if (!reference.not_covered.empty()) {
        out << reference.name
            << ": not covered: " << fmt::format("{}", fmt::join(reference.not_covered, ", "))
            << std::endl;
        return false;
    }
    const CaseComparison comparison = compare(reference, false);
    out << reference.name << ": " << comparison.text() << std::endl;
    return comparison.passed();
}

}  // namespace

int run_cases(const fs::path& folder, std::ostream& out, std::ostream& problems) {
    bool all_equal = true;
    bool all_readable = true;
    try {
        for (const fs::path& each : find_cases(folder)) {
            try {
                all_equal = run_case(each, out) && all_equal;
            } catch (const BadCase& problem) {
                problems << problem.what() << '\n';
                all_readable = false;
            }
        }
    } catch (const BadCase& problem) {
        problems << problem.what() << '\n';
        return 2;
    }
    if (!all_readable) return 2;
    return all_equal ? 0 : 1;
}

}  // namespace headroom::tests
