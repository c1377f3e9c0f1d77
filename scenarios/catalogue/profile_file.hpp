/// ProfileFile: one profile of the catalogue's profiles folder: how long things take on a GPU, as
/// somebody measured it. Two kinds: `measured`, the operators of any model on one GPU, and
/// `observed`, one model's iteration time fitted to an engine's log. The format is in
/// analysis/calibration/README.md; who evaluates it is sim/serving/latency/.
///
///     Diagnostics problems;
///     std::optional<ProfileFile> profile = read_profile("h100-sxm.json", problems);
///     if (profile && profile->tables) MeasuredOperators operators(*profile->tables, gpu);
///
/// Refused, all in one go with line and pointer: another schema, unknown or missing fields, numbers
/// that are not finite or not above 0, sizes that do not ascend, times that fall while the work
/// grows, equal columns, a missing operator (lm_head, fp8 and batch_times may be missing), times
/// that the ceilings of the same file forbid (launch_work.hpp). So what comes out satisfies what
/// operator_tables.hpp asks for. Seconds, bytes/s, flop/s. O(n log n) in the points.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "scenarios/diagnostic.hpp"
#include "sim/core/time.hpp"
#include "sim/serving/latency/linear_latency.hpp"
#include "sim/serving/latency/operator_tables.hpp"
#include "sim/serving/latency/transformer.hpp"

namespace headroom::scenarios {

struct ObservedProfile {
    std::string model;  ///< id of the catalogue
    std::int64_t tensor_parallel = 1;
    serving::DType dtype = serving::DType::bf16;
    serving::DType kv_cache_dtype = serving::DType::bf16;
    serving::LinearCoefficients linear;
    Duration front_end;
    /// How the fit went, for people: an object, kept as it stands in the file. Null: none.
    std::shared_ptr<const nlohmann::json> fit;
};

struct ProfileFile {
    std::string path;                      ///< that it was read from; not a part of the content
    std::string kind;                      ///< "measured" or "observed"
    std::string gpu;                       ///< id of the catalogue
    std::string source;                    ///< where the numbers come from, in words
    double error_band = 0;                 ///< in (0, 1]: 0.1 says +-10 %
    std::optional<std::int64_t> l2_bytes;  ///< of kind measured
    std::optional<serving::OperatorTables> tables;  ///< exactly if measured
    std::optional<ObservedProfile> observed;        ///< exactly if observed
};

/// Nothing when there were mistakes, which are appended to `diagnostics`.
[[nodiscard]] std::optional<ProfileFile> read_profile(const std::string& path,
                                                      Diagnostics& diagnostics);
/// The same of a text that is to become the file `path`.
[[nodiscard]] std::optional<ProfileFile> parse_profile(std::string_view text,
                                                       const std::string& path,
                                                       Diagnostics& diagnostics);

/// The content of the file, which read_profile() takes back as it was.
[[nodiscard]] nlohmann::ordered_json to_json(const ProfileFile& profile);

/// The file's text: to_json with a column a line.
[[nodiscard]] std::string profile_text(const ProfileFile& profile);

}  // namespace headroom::scenarios
