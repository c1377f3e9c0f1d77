#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "scenarios/merge.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scenarios/temporary_folder.hpp"

namespace headroom::scenarios {
namespace {

using nlohmann::json;

LocatedJson located(const std::string& text, const std::string& file) {
    Diagnostics diagnostics;
    auto document = parse_json(text, file, diagnostics);
    REQUIRE(document.has_value());
    return *document;
}

std::string merged(const std::string& target, const std::string& patch) {
    LocatedJson document = located(target, "base.json");
    merge_patch(document, located(patch, "patch.json"));
    return document.value().dump();
}

ParameterSpec small_format() {
    ParameterSpec routing = ParameterSpec::tagged(
        "routing", "policy",
        {ParameterSpec::object("random", {}, ""),
         ParameterSpec::object("sticky", {ParameterSpec::integer("slots", 3, "")}, "")},
        "random", "");
    ParameterSpec gateway = ParameterSpec::object(
        "gateway", {ParameterSpec::integer("queue_limit", 1, "").optional_without_default()}, "");
    ParameterSpec service = ParameterSpec::object(
        "service",
        {ParameterSpec::integer("replicas", 1, ""), std::move(gateway), std::move(routing),
         ParameterSpec::list("calls", ParameterSpec::text("call", "", ""), "")},
        "");
    return ParameterSpec::object("scenario",
                                 {ParameterSpec::integer("seed", 1, ""),
                                  ParameterSpec::map("services", std::move(service), "")},
                                 "");
}

struct SetResult {
    bool good = false;
    json value;
    Location where;
    std::string message;
};

SetResult set(const std::string& assignment, const std::string& pointer = "") {
    LocatedJson document =
        located(R"({"services": {"chat": {"replicas": 2, "calls": ["a"]}}})", "f");
    Diagnostics diagnostics;
    SetResult result;
    result.good = apply_set(document, small_format(), assignment, diagnostics);
    result.value = document.value();
    result.where = document.where(pointer);
    if (!diagnostics.empty()) result.message = diagnostics.front().text();
    return result;
}

}  // namespace

TEST_CASE("MergePatch: does what the examples of RFC 7396, appendix A, say") {
    const char* cases[][3] = {
        {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
        {R"({"a":"b"})", R"({"a":null})", R"({})"},
        {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
        {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
        {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
        {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
        {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
        {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
        {R"({"a":"foo"})", R"(null)", R"(null)"},
        {R"({"a":"foo"})", R"("bar")", R"("bar")"},
        {R"({"e":null})", R"({"a":1})", R"({"a":1,"e":null})"},
        {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
        {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
    };
    for (const auto& [target, patch, expected] : cases) {
        INFO(target << " + " << patch);
        CHECK(merged(target, patch) == expected);
    }
}

TEST_CASE("MergePatch: a value is located where it was written last") {
    LocatedJson document = located("{\"a\": {\"x\": 1,\n \"y\": 2}, \"b\": 3}", "base.json");
    merge_patch(document,
                located("\n\n{\"a\": {\"y\": 5, \"z\": [7]}, \"b\": null}", "patch.json"));
    CHECK(document.where("/a/x").file == "base.json");
    CHECK(document.where("/a/y") == Location{"patch.json", 3, 8});
    CHECK(document.where("/a/z/0").file == "patch.json");
    CHECK(document.where("/a").file == "base.json");
    CHECK(document.where("/b") == document.where(""));
}

TEST_CASE("Extends: chains, relative to the file that says so") {
    const TemporaryFolder folder;
    folder.write("base.json", R"({"name": "base", "seed": 1, "list": [1, 2]})");
    folder.write("sub/middle.json", R"({"extends": "../base.json", "seed": 2, "list": [3]})");
    folder.write("top.json", "{\"extends\": \"sub/middle.json\",\n\"name\": \"top\"}");
    Diagnostics diagnostics;
    const auto document = load_with_extends(folder.path("top.json"), diagnostics);
    REQUIRE(document.has_value());
    CHECK(document->value() == json::parse(R"({"name": "top", "seed": 2, "list": [3]})"));
    CHECK(document->where("/name").line == 2);
    CHECK(document->where("/seed").file == folder.path("sub/middle.json"));
}

TEST_CASE("Extends: cycles and missing files are refused where they are written") {
    const TemporaryFolder folder;
    folder.write("a.json", "{\n\"extends\": \"b.json\"}");
    folder.write("b.json", "{\"extends\": \"./a.json\"}");
    folder.write("c.json", "{\n\n\"extends\": \"nowhere.json\"}");
    folder.write("d.json", "{\"extends\": 3}");
    Diagnostics diagnostics;
    CHECK_FALSE(load_with_extends(folder.path("a.json"), diagnostics));
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics[0].where.file == folder.path("b.json"));
    CHECK(diagnostics[0].message.find("does not extend this one in turn") != std::string::npos);
    CHECK_FALSE(load_with_extends(folder.path("c.json"), diagnostics));
    REQUIRE(diagnostics.size() == 2);
    CHECK(diagnostics[1].where.line == 3);
    CHECK_FALSE(load_with_extends(folder.path("d.json"), diagnostics));
    CHECK(diagnostics.size() == 3);
}

TEST_CASE("Set: takes JSON, else a string, and is located as an option") {
    CHECK(set("/seed=7").value["seed"] == 7);
    CHECK(set("/services/chat/replicas=10m").value["services"]["chat"]["replicas"] == "10m");
    CHECK(set("/seed={\"a\": [true]}").value["seed"]["a"][0] == true);
    CHECK(set("/seed=").value["seed"] == "");
    CHECK(set("/seed=a=b").value["seed"] == "a=b");
    CHECK(set("/seed=7", "/seed").where == Location{"--set /seed", 0, 0});
}

TEST_CASE("Set: adds keys that the format has, on the way as well, and removes with null") {
    const SetResult limit = set("/services/chat/gateway/queue_limit=5");
    CHECK(limit.value["services"]["chat"]["gateway"]["queue_limit"] == 5);
    CHECK(set("/services/chat/routing/slots=2").good);
    CHECK(set("/services/chat/routing/policy=sticky").good);
    CHECK(set("/services/new={\"replicas\": 1}").value["services"].contains("new"));
    CHECK_FALSE(set("/services/chat/replicas=null").value["services"]["chat"].contains("replicas"));
    CHECK(set("/services/chat/calls/0=b").value["services"]["chat"]["calls"] == json({"b"}));
    CHECK(set("/services/chat/calls/-=b").value["services"]["chat"]["calls"] == json({"a", "b"}));
}

TEST_CASE("Set: a pointer that leads nowhere is refused with the nearest one") {
    CHECK(set("/services/chatt/replicas=3")
              .message.find("did you mean \"/services/chat/replicas\"") != std::string::npos);
    CHECK(
        set("/services/chat/replica=3").message.find("did you mean \"/services/chat/replicas\"") !=
        std::string::npos);
    CHECK(set("/sed=3").message.find("did you mean \"/seed\"") != std::string::npos);
    CHECK(set("services.chat.replicas=3").message.find("\"/services/chat/replicas\"") !=
          std::string::npos);
    CHECK_FALSE(set("/services/chat/calls/5=b").good);
    CHECK_FALSE(set("/services/chat/replicas/deep=3").good);
    CHECK_FALSE(set("/seed").good);
    // A refused assignment changes nothing.
    CHECK_FALSE(set("/services/chatt/replicas=3").value["services"].contains("chatt"));
}

}  // namespace headroom::scenarios
