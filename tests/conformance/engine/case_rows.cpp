#include "tests/conformance/engine/case_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "tests/rig.hpp"

namespace headroom::tests {
namespace {

namespace fs = std::filesystem;
using scenarios::Diagnostics;
using serving::Arrival;

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

}  // namespace

void read_rows(const fs::path& folder, ReferenceCase& reference, Diagnostics& problems) {
    const auto& engine = *reference.spec.services[0].versions[0].engine.llm;
    const std::vector<Request> requests = read_requests(folder / "requests.csv", engine.block_size,
                                                        reference.ids_are_texts, problems);
    auto results = read_results(folder / "results.csv", problems);
    if (!problems.empty()) return;
    const std::string results_file = (folder / "results.csv").string();
    std::vector<Arrival> arrivals;
    for (const Request& request : requests) {
        const auto outcome = results.find(request.id);
        if (outcome == results.end()) {
            problems.push_back(
                {{results_file, 0, 0},
                 "",
                 fmt::format("expected a row for each request once, but not for {}", request.id)});
            continue;
        }
        arrivals.push_back(request.arrival);
        reference.expected.push_back(outcome->second);
        results.erase(outcome);
    }
    for (const auto& [id, outcome] : results) {
        problems.push_back({{results_file, 0, 0}, "", outcome.id + " is no request"});
    }
    reference.spec.sources.push_back(list_source(0, std::move(arrivals)));
}

}  // namespace headroom::tests
