/// Checks a JSON document against a description made of ParameterSpecs and fills in the defaults:
/// the one mechanism behind every part of the scenario format, policies' parameters included. The
/// same description yields the JSON Schema (schema.hpp), so the two agree.
///
///     Diagnostics problems;
///     Parameters scenario = check_document(document, scenario_format(), problems);
///     scenario.object("services")
///
/// All mistakes are found in one pass: wrong types, values out of range, keys that do not exist
/// (with the nearest one that does), keys that are missing. The result has every field of the
/// description; a bad value is replaced by its default, else it is "not given" as a missing one is.
/// A tagged object holds its tag, the common fields and those of the alternative, side by side.
/// O(size of the document * fields of an object).
#pragma once

#include <string>

#include "scenarios/located_json.hpp"
#include "sim/core/parameter.hpp"

namespace headroom::scenarios {

[[nodiscard]] Parameters check_document(const LocatedJson& document, const ParameterSpec& format,
                                        Diagnostics& diagnostics);

/// What a value of this kind looks like: "a whole number from 1 to 64", "one of \"a\", \"b\"".
[[nodiscard]] std::string expectation_of(const ParameterSpec& spec);

/// Whether an object of this description cannot be left out, because something inside is required.
[[nodiscard]] bool has_required(const ParameterSpec& spec);

/// `unit` of a map whose keys are names of the scenario: letters, digits, '-' and '_'.
inline constexpr const char* kNameKeys = "name";
inline constexpr const char* kNamePattern = "^[A-Za-z0-9_-]+$";

}  // namespace headroom::scenarios
