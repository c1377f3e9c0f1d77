// The one translation unit that knows valijson.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "scenarios/schema.hpp"

namespace headroom::scenarios {

struct SchemaValidator::Parsed {
    valijson::Schema schema;
    std::string error;  ///< of the schema itself
};

SchemaValidator::SchemaValidator(const nlohmann::json& schema)
    : parsed_(std::make_unique<Parsed>()) {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    try {
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema), parsed_->schema);
    } catch (const std::exception& error) {
        parsed_->error = std::string("the schema itself: ") + error.what();
    }
}

SchemaValidator::~SchemaValidator() = default;

std::optional<std::string> SchemaValidator::violation(const nlohmann::json& document) const {
    if (!parsed_->error.empty()) return parsed_->error;
    valijson::ValidationResults results;
    valijson::Validator validator;
    const valijson::adapters::NlohmannJsonAdapter target(document);
    if (validator.validate(parsed_->schema, target, &results)) return std::nullopt;
    valijson::ValidationResults::Error error;
    std::string text = "invalid";
    while (results.popError(error)) {
        text = error.description + " at";
        for (const std::string& step : error.context) text += " " + step;
    }
    return text;
}

}  // namespace headroom::scenarios
