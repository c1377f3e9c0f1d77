#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenarios/check.hpp"
#include "scenarios/format.hpp"
#include "scenarios/merge.hpp"
#include "scenarios/schema.hpp"
#include "sim/control/scaling_policy.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/json_pointers.hpp"

namespace headroom::scenarios {
namespace {

using nlohmann::json;

bool loader_accepts(const json& document) {
    LocatedJson located;
    located.value() = document;
    Diagnostics diagnostics;
    (void)check_document(located, scenario_format(), diagnostics);
    return diagnostics.empty();
}

const SchemaValidator& validator() {
    static const SchemaValidator instance(scenario_schema());
    return instance;
}

void check_agreement(const json& document, const std::string& what) {
    const auto violation = validator().violation(document);
    INFO(what << ": the schema says " << violation.value_or("valid"));
    CHECK(loader_accepts(document) == !violation.has_value());
}

std::vector<json> library_documents() {
    std::vector<json> out;
    for (const char* name : {"quickstart", "three-cells", "closed-loop", "linear-replay"}) {
        Diagnostics diagnostics;
        const auto document = load_with_extends(
            std::string(HEADROOM_SOURCE_DIR) + "/scenarios/library/" + name + ".json", diagnostics);
        REQUIRE(document.has_value());
        out.push_back(document->value());
    }
    return out;
}

}  // namespace

TEST_CASE("Schema: accepts the library, as the loader does") {
    for (const json& document : library_documents()) {
        CHECK(loader_accepts(document));
        CHECK(validator().violation(document).value_or("") == "");
    }
}

TEST_CASE("Schema: judges every value put in every place of the library as the loader does") {
    const std::vector<json> values = {true,          -1,     1.5, "x", "1s", json::object(),
                                      json::array(), nullptr};
    for (const json& document : library_documents()) {
        for (const std::string& pointer : pointers_of(document)) {
            for (const json& value : values) {
                json changed = document;
                changed[json::json_pointer(pointer)] = value;
                check_agreement(changed, pointer + " = " + value.dump());
            }
        }
    }
}

TEST_CASE("Schema: judges missing and surplus keys of the library as the loader does") {
    for (const json& document : library_documents()) {
        for (const std::string& pointer : pointers_of(document)) {
            const json::json_pointer at(pointer);
            json changed = document;
            if (changed[at].is_object()) {
                changed[at]["no_such_key"] = 1;
                check_agreement(changed, pointer + " with a surplus key");
            }
            if (pointer.empty() || document[at.parent_pointer()].is_array()) continue;
            changed = document;
            changed[at.parent_pointer()].erase(at.back());
            check_agreement(changed, "without " + pointer);
        }
    }
}

TEST_CASE("Schema: spellings of durations and quantities are judged as the loader does") {
    const json base = library_documents().front();
    for (const char* text :
         {"1h30m", "1.5s", "90ns", "14d", "10", "10 m", "1.s", "-1s", "", "10mm"}) {
        json changed = base;
        changed["duration"] = text;
        check_agreement(changed, text);
    }
    for (const char* text :
         {"8", "500m", "1e3", "2Ki", "5.", ".5", "1P", "1K", "x", "", "-1", "1e+2"}) {
        json changed = base;
        changed["services"]["chat"]["pod"]["requests"]["cpu"] = text;
        check_agreement(changed, text);
    }
}

TEST_CASE("Schema: every registered autoscaler is a branch with its parameters and defaults") {
    const json schema = scenario_schema();
    const json& autoscaling =
        schema["properties"]["services"]["additionalProperties"]["properties"]["autoscaling"];
    std::size_t found = 0;
    std::size_t shipped = 0;
    for (const auto& [name, entry] : Registry<control::ScalingPolicy>::instance().entries()) {
        if (name.rfind("test-", 0) == 0) continue;  // of another test, which may have come later
        ++shipped;
        for (const json& branch : autoscaling["anyOf"]) {
            if (branch["title"] != name) continue;
            ++found;
            CHECK(branch["description"] == entry.help);
            for (const ParameterSpec& spec : entry.specs) {
                INFO(name << " " << spec.name);
                REQUIRE(branch["properties"].contains(spec.name));
                CHECK(branch["properties"][spec.name].value("description", "").find(spec.help) ==
                      0);
            }
            CHECK(branch["properties"].contains("phase"));
        }
    }
    CHECK(found == shipped);
    CHECK(found > 0);
    CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
}

}  // namespace headroom::scenarios
