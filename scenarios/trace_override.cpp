#include "scenarios/trace_override.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "sim/core/nearest_name.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::scenarios {

namespace {

using nlohmann::json;

std::string service_of(const json& source) {
    const bool named =
        source.is_object() && source.contains("service") && source["service"].is_string();
    return named ? source["service"].get<std::string>() : std::string();
}

/// "SERVICE=FILE", unless the whole of it is a file whose name has a '='.
void split(const std::string& argument, std::string& service, std::string& file) {
    std::error_code error;
    const std::size_t equals = argument.find('=');
    file = argument;
    if (equals == std::string::npos || std::filesystem::exists(argument, error)) return;
    service = argument.substr(0, equals);
    file = argument.substr(equals + 1);
}

}  // namespace

bool override_trace(LocatedJson& document, const std::string& argument, Diagnostics& diagnostics) {
    const Location where{"--trace " + argument, 0, 0};
    const auto refuse = [&](std::string message) {
        diagnostics.push_back({where, "", std::move(message)});
        return false;
    };
    // It becomes a part of the scenario, which is JSON.
    if (find_unprintable(argument) != std::string::npos) {
        return refuse("expected a path in UTF-8 without control characters");
    }
    json& top = document.value();
    if (!top.is_object() || !top.contains("sources") || !top["sources"].is_object()) return true;
    std::string service;
    std::string file;
    split(argument, service, file);

    std::vector<std::string> replaced;
    std::vector<std::string> services;
    for (const auto& [name, source] : top["sources"].items()) {
        services.push_back(service_of(source));
        if (service.empty() || services.back() == service) replaced.push_back(name);
    }
    if (service.empty() && replaced.size() > 1) {
        return refuse("expected SERVICE=FILE, for there are " + std::to_string(replaced.size()) +
                      " sources" + did_you_mean(services.front() + "=" + file));
    }
    if (replaced.empty()) {
        return refuse("expected the name of a service with a source, found \"" + service + "\"" +
                      did_you_mean(nearest_name(service, services)));
    }

    if (top.contains("rate_scale") && replaced.size() < services.size()) {
        return refuse(
            "expected no rate_scale in the scenario, for a trace is replayed unscaled; take "
            "it out, or give every source a trace");
    }
    top.erase("rate_scale");
    const std::string kept = replaced.front();
    json entry = {{"trace", {{"file", file}}}};
    const std::string entered = service_of(top["sources"][kept]);
    if (!entered.empty()) entry["service"] = entered;
    for (const std::string& name : replaced) {
        top["sources"].erase(name);
        document.erase_locations(join_pointer("/sources", name));
    }
    top["sources"][kept] = entry;
    document.set_location(join_pointer("/sources", kept), where);
    if (top.contains("duration")) {
        for (auto& [name, source] : top["sources"].items()) {
            if (name == kept || !source.is_object() || source.contains("until")) continue;
            if (source.contains("trace") &&
                document.where(join_pointer("/sources", name)).line == 0) {
                continue;  // from another --trace
            }
            source["until"] = top["duration"];
            document.set_location(join_pointer("/sources", name) + "/until",
                                  document.where("/duration"));
        }
        top.erase("duration");
        document.erase_locations("/duration");
    }
    top["drain"] = true;
    document.set_location("/drain", where);
    return true;
}

}  // namespace headroom::scenarios
