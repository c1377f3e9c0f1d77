#include "scenarios/merge.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "sim/core/nearest_name.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::scenarios {

namespace {

using nlohmann::json;

/// A patch's value where the target has nothing to merge with: its nulls remove nothing.
json without_nulls(const json& value) {
    if (!value.is_object()) return value;
    json out = json::object();
    for (const auto& [key, member] : value.items()) {
        if (!member.is_null()) out[key] = without_nulls(member);
    }
    return out;
}

void merge_at(LocatedJson& target, json& value, const LocatedJson& patch, const json& change,
              const std::string& pointer) {
    if (!change.is_object() || !value.is_object()) {
        target.erase_locations(pointer);
        target.copy_locations(patch, pointer);
        value = without_nulls(change);
        return;
    }
    for (const auto& [key, member] : change.items()) {
        const std::string below = join_pointer(pointer, key);
        if (member.is_null()) {
            value.erase(key);
            target.erase_locations(below);
        } else {
            merge_at(target, value[key], patch, member, below);
        }
    }
}

std::optional<LocatedJson> load_chain(const std::string& path, std::vector<std::string>& chain,
                                      Diagnostics& diagnostics) {
    std::optional<LocatedJson> document = read_json_file(path, diagnostics);
    if (!document) return std::nullopt;
    json& value = document->value();
    if (!value.is_object() || !value.contains("extends")) return document;

    const Location where = document->where("/extends");
    const auto refuse = [&](std::string message) {
        diagnostics.push_back({where, "/extends", std::move(message)});
        return std::nullopt;
    };
    const json extends = value["extends"];
    if (!extends.is_string())
        return refuse("expected the path of a scenario file in double quotes");
    value.erase("extends");
    document->erase_locations("/extends");

    namespace fs = std::filesystem;
    const std::string base_path =
        (fs::path(path).parent_path() / extends.get<std::string>()).lexically_normal().string();
    std::error_code error;
    chain.push_back(fs::weakly_canonical(path, error).string());
    const std::string identity = fs::weakly_canonical(base_path, error).string();
    if (std::find(chain.begin(), chain.end(), identity) != chain.end()) {
        return refuse("expected a file that does not extend this one in turn, found " + base_path);
    }
    if (!fs::is_regular_file(base_path, error)) {
        return refuse("expected the path of a scenario file, relative to this one; there is no " +
                      base_path);
    }
    std::optional<LocatedJson> base = load_chain(base_path, chain, diagnostics);
    if (!base) return std::nullopt;
    merge_patch(*base, *document);
    return base;
}

/// Splits an RFC 6901 pointer into unescaped tokens; nullopt when it does not begin with '/'.
std::optional<std::vector<std::string>> split_pointer(std::string_view pointer) {
    if (pointer.empty() || pointer.front() != '/') return std::nullopt;
    std::vector<std::string> tokens;
    for (std::size_t i = 0; i < pointer.size(); ++i) {
        if (pointer[i] == '/') {
            tokens.emplace_back();
        } else if (pointer[i] == '~' && i + 1 < pointer.size() &&
                   (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
            tokens.back() += pointer[++i] == '0' ? '~' : '/';
        } else {
            tokens.back() += pointer[i];
        }
    }
    return tokens;
}

/// The description of `key` inside an object described by `spec`; null when it has no such key. The
/// alternatives of a tagged object all count: which one holds is the check's affair.
const ParameterSpec* describe(const ParameterSpec& spec, const std::string& key) {
    if (spec.type == ParameterType::map || spec.type == ParameterType::list) {
        return &spec.fields.front();
    }
    for (const ParameterSpec& field : spec.fields) {
        if (field.name == key) return &field;
    }
    for (const ParameterSpec& alternative : spec.alternatives) {
        for (const ParameterSpec& field : alternative.fields) {
            if (field.name == key) return &field;
        }
    }
    return nullptr;
}

bool is_container(const ParameterSpec* spec) {
    return spec != nullptr &&
           (spec->type == ParameterType::object || spec->type == ParameterType::map ||
            spec->type == ParameterType::tagged);
}

/// The names that could stand at this place: keys of the format, and keys that are there.
std::vector<std::string> possible_keys(const json& value, const ParameterSpec* spec) {
    std::vector<std::string> keys;
    if (spec != nullptr && spec->type != ParameterType::map) {
        for (const ParameterSpec& field : spec->fields) keys.push_back(field.name);
        if (!spec->tag.empty()) keys.push_back(spec->tag);
        for (const ParameterSpec& alternative : spec->alternatives) {
            for (const ParameterSpec& field : alternative.fields) keys.push_back(field.name);
        }
    }
    if (value.is_object()) {
        for (const auto& [key, member] : value.items()) keys.push_back(key);
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
}

/// The index an array's token means; nullopt when it means none (the end counts as one: append).
std::optional<std::size_t> array_index(const json& array, const std::string& token) {
    if (token == "-") return array.size();
    if (token.empty() || token.size() > 9 || (token.size() > 1 && token[0] == '0')) {
        return std::nullopt;
    }
    std::size_t index = 0;
    for (const char c : token) {
        if (c < '0' || c > '9') return std::nullopt;
        index = index * 10 + static_cast<std::size_t>(c - '0');
    }
    if (index > array.size()) return std::nullopt;
    return index;
}

class Assignment {
  public:
    Assignment(LocatedJson& document, std::string_view text, Diagnostics& diagnostics)
        : document_(document), diagnostics_(diagnostics) {
        const std::size_t equals = text.find('=');
        has_value_ = equals != std::string_view::npos;
        pointer_ = std::string(text.substr(0, equals));
        if (!has_value_) return;
        const std::string_view value = text.substr(equals + 1);
        is_text_ = find_unprintable(pointer_) == std::string_view::npos &&
                   find_unprintable(value, "\t\n\r") == std::string_view::npos;
        value_ = parse(value);
    }

    bool carry_out(const ParameterSpec& format) {
        if (!has_value_) return fail("", "expected /json/pointer=value, such as /seed=2");
        if (!is_text_) return fail("", "expected text in UTF-8 without control characters");
        const auto tokens = split_pointer(pointer_);
        if (!tokens) {
            std::string slashed = "/" + pointer_;
            std::replace(slashed.begin(), slashed.end(), '.', '/');
            return fail("", "expected a JSON pointer" + did_you_mean(slashed));
        }
        json* at = &document_.value();
        const ParameterSpec* spec = &format;
        std::string done;
        for (std::size_t i = 0; i < tokens->size(); ++i) {
            const std::string& token = (*tokens)[i];
            const bool last = i + 1 == tokens->size();
            std::string rest;
            for (std::size_t j = i + 1; j < tokens->size(); ++j)
                rest = join_pointer(rest, (*tokens)[j]);
            const ParameterSpec* below = spec != nullptr ? describe(*spec, token) : nullptr;
            if (at->is_array()) {
                const auto index = array_index(*at, token);
                if (!index || (*index == at->size() && !last)) {
                    return fail(done, "expected an index below " + std::to_string(at->size()) +
                                          ", found \"" + token + "\"");
                }
                done += "/" + std::to_string(*index);
                if (last) return assign_element(*at, *index, done);
                at = &(*at)[*index];
            } else if (at->is_object()) {
                const bool is_tag = spec != nullptr && token == spec->tag;
                const bool may_add =
                    (below != nullptr && (last || can_grow(*spec, below))) || is_tag;
                if (!at->contains(token) && !may_add)
                    return unknown_key(*at, spec, done, token, rest);
                done = join_pointer(done, token);
                if (last) return assign_member(*at, token, done);
                if (!at->contains(token)) {
                    (*at)[token] = json::object();
                    document_.set_location(done, where());
                }
                at = &(*at)[token];
            } else {
                return fail(done, "expected an object to set \"" + token + "\" in, found " +
                                      std::string(at->type_name()));
            }
            spec = below;
        }
        return true;
    }

  private:
    [[nodiscard]] Location where() const { return {"--set " + pointer_, 0, 0}; }
    bool fail(std::string pointer, std::string message) {
        diagnostics_.push_back({where(), std::move(pointer), std::move(message)});
        return false;
    }
    /// On the way to the last key, fields of the format may be made, entries of a map may not: a
    /// misspelt service would become a new one.
    static bool can_grow(const ParameterSpec& spec, const ParameterSpec* below) {
        return spec.type != ParameterType::map && is_container(below);
    }
    bool unknown_key(const json& object, const ParameterSpec* spec, const std::string& done,
                     const std::string& token, const std::string& rest) {
        const std::string near = nearest_name(token, possible_keys(object, spec));
        std::string message =
            "expected an existing key or one of the format, found \"" + token + "\"";
        if (!near.empty()) message += did_you_mean(join_pointer(done, near) + rest);
        return fail(done, std::move(message));
    }
    LocatedJson parse(std::string_view text) const {
        Diagnostics ignored;
        std::optional<LocatedJson> parsed = parse_json(text, "", ignored);
        if (parsed) return std::move(*parsed);
        LocatedJson out;
        out.value() = std::string(text);
        return out;
    }
    bool assign_member(json& object, const std::string& key, const std::string& pointer) {
        document_.erase_locations(pointer);
        if (value_.value().is_null()) {
            object.erase(key);
        } else {
            object[key] = value_.value();
            document_.set_location(pointer, where());
        }
        return true;
    }
    bool assign_element(json& array, std::size_t index, const std::string& pointer) {
        document_.erase_locations(pointer);
        if (index == array.size()) array.push_back(nullptr);
        array[index] = value_.value();
        document_.set_location(pointer, where());
        return true;
    }

    LocatedJson& document_;
    Diagnostics& diagnostics_;
    std::string pointer_;
    LocatedJson value_;
    bool has_value_ = false;
    bool is_text_ = false;
};

}  // namespace

void merge_patch(LocatedJson& target, const LocatedJson& patch) {
    merge_at(target, target.value(), patch, patch.value(), "");
}

std::optional<LocatedJson> load_with_extends(const std::string& path, Diagnostics& diagnostics) {
    std::vector<std::string> chain;
    return load_chain(path, chain, diagnostics);
}

bool apply_patch_file(LocatedJson& document, const std::string& path, Diagnostics& diagnostics) {
    const std::optional<LocatedJson> patch = read_json_file(path, diagnostics);
    if (!patch) return false;
    if (!patch->value().is_object()) {
        diagnostics.push_back({patch->where(""), "", "expected an object, a patch of a scenario"});
        return false;
    }
    if (patch->value().contains("extends")) {
        diagnostics.push_back({patch->where("/extends"), "/extends",
                               "expected a patch, which is merged into the scenario it is given "
                               "with and extends no file of its own"});
        return false;
    }
    merge_patch(document, *patch);
    return true;
}

bool apply_set(LocatedJson& document, const ParameterSpec& format, std::string_view assignment,
               Diagnostics& diagnostics) {
    return Assignment(document, assignment, diagnostics).carry_out(format);
}

}  // namespace headroom::scenarios
