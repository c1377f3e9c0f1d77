/// The JSON Schema (draft-07) of the scenario format, generated from the same ParameterSpecs that
/// the loader checks with (format.hpp), so that a newly registered policy appears in it by itself.
///
///     std::cout << scenario_schema().dump(2);     // `headroom schema scenario`
///
/// The schema says what can be said of a form: keys, types, ranges of numbers, spellings of
/// durations and quantities, alternatives by policy name. What it cannot say (ranges of durations,
/// names that refer to each other, fields that exclude one another) only the loader checks.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "sim/core/parameter.hpp"

namespace headroom::scenarios {

[[nodiscard]] nlohmann::json scenario_schema();
/// The schema of one description.
[[nodiscard]] nlohmann::json schema_of(const ParameterSpec& spec);

/// A validator (valijson) over one schema: slow and terse, for checking that schema and loader
/// agree, not for messages to users. Building it is linear in the schema, a check in schema and
/// document.
class SchemaValidator {
  public:
    explicit SchemaValidator(const nlohmann::json& schema);
    ~SchemaValidator();
    /// The first violation found; nullopt when the document is valid.
    [[nodiscard]] std::optional<std::string> violation(const nlohmann::json& document) const;

  private:
    struct Parsed;
    std::unique_ptr<Parsed> parsed_;
};

}  // namespace headroom::scenarios
