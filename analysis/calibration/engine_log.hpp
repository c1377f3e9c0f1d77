/// EngineLog: what a serving engine logged of each request: arrival, first token, last token and
/// the lengths. What observe.hpp fits a profile to.
///
/// Read from CSV with a header or from JSON lines (one object a line), plain or compressed with
/// gzip or zstd; which of them is seen from the content. Fields by name, in any order; others
/// (queued_at, scheduled_at, ...) are ignored:
///
///     arrival        arrival_s        arrived_at           arrival_time
///     prompt         prompt_tokens    num_prefill_tokens   num_prompt_tokens
///     output         output_tokens    num_decode_tokens    num_generation_tokens
///     first token    first_token_s    first_token_at       first_token_time   first_token_ts
///     last token     finish_s         last_token_at        last_token_time, finished_time
///                                                          last_token_ts
///
/// The columns of names are those of requests.csv here, of Vidur-like traces, and of vLLM
/// (vllm/sequence.py RequestMetrics up to 0.9; vllm/v1/metrics/stats.py RequestStateStats and
/// FinishedRequestStats). vLLM's *_ts count on another clock than its arrival_time: they need
/// first_token_latency, which says how long after its arrival the first token came. `id` names a
/// request in messages. Rows whose `outcome` is not "completed" are left out and counted.
///
/// `prompt_hash_ids` names what the prompt's blocks of kTokensPerHashId tokens hold: whole numbers
/// and ranges, "0-3 7 4-6" (or a JSON array), equal exactly where the tokens are. What they do not
/// reach, and all outputs, are like no others. Only an engine with prefix caching looks.
///
/// Times are seconds on any clock; they come out shifted to the first arrival. Rows out of order
/// are sorted by arrival (equal ones keep their order) and `sorted` says so.
///
///     scenarios::Diagnostics problems;
///     std::optional<EngineLog> log = read_engine_log("requests.csv.gz", problems);
///
/// Mistakes, each with file:line and what was expected: missing or doubled fields (with the nearest
/// name), what is no number, negative times, fewer than one token, a first token before the
/// arrival, a last one before the first, more than 100 days between the first and last moment, more
/// hash ids than the prompt has blocks or a log may have. All of a file in one go, up to
/// kMostMistakes. O(n log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/diagnostic.hpp"
#include "sim/core/time.hpp"
#include "sim/serving/token_contents.hpp"

namespace headroom::analysis {

inline constexpr std::int64_t kTokensPerHashId = 16;

struct LoggedRequest {
    Time arrival;  ///< since the first arrival of the log
    Time first_token;
    Time finish;  ///< the last token
    std::int64_t prompt_tokens = 1;
    std::int64_t output_tokens = 1;
    std::string id;  ///< empty where the log has none
    int line = 0;
    serving::ContentsRef contents{};  ///< null: nothing is known of it

    [[nodiscard]] Duration ttft() const { return first_token - arrival; }
    [[nodiscard]] Duration e2e() const { return finish - arrival; }
};

struct EngineLog {
    static constexpr std::size_t kMostMistakes = 100;
    /// A range of ids is short however long it is: a small log must not ask for endless memory.
    static constexpr std::size_t kMostHashIds = std::size_t{1} << 25;

    std::string file;
    std::vector<LoggedRequest> requests;  ///< by arrival; at least one
    bool sorted = false;                  ///< the file was not in the order of arrivals
    std::size_t left_out = 0;             ///< rows of requests that did not complete
};

/// Nothing when there were mistakes, which are appended to `diagnostics`.
[[nodiscard]] std::optional<EngineLog> read_engine_log(const std::string& path,
                                                       scenarios::Diagnostics& diagnostics);

}  // namespace headroom::analysis
