#include "scenarios/catalogue/fields.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/core/nearest_name.hpp"
#include "sim/core/printable_text.hpp"

namespace headroom::scenarios {

using Json = nlohmann::json;

namespace {

/// As much of a value as a message needs.
[[nodiscard]] std::string and_found(const Json& value) {
    constexpr std::size_t kShown = 200;
    return ", found " + shortened(value.dump(), kShown);
}

[[nodiscard]] bool whole_within(const Json& value, std::int64_t low, std::int64_t high) {
    return value.is_number_integer() && value.get<double>() >= static_cast<double>(low) &&
           value.get<double>() <= static_cast<double>(high);
}

[[nodiscard]] std::string whole_expectation(std::int64_t low, std::int64_t high) {
    if (low == high) return "expected " + std::to_string(low);
    return "expected a whole number from " + std::to_string(low) +
           (high == Fields::kLargest ? "" : " to " + std::to_string(high));
}

[[nodiscard]] bool finite_from(const Json& value, double low) {
    return value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() >= low;
}

}  // namespace

Fields::Fields(const LocatedJson& document, std::string pointer, const Json& object,
               Diagnostics& diagnostics)
    : document_(document),
      pointer_(std::move(pointer)),
      object_(object),
      diagnostics_(diagnostics),
      mistakes_before_(diagnostics.size()) {
    if (!object.is_object()) complain("", "expected an object");
}

bool Fields::has(const char* name) const {
    return object_.is_object() && object_.contains(name);
}

std::int64_t Fields::integer(const char* name, std::int64_t low, std::int64_t high) {
    const Json* value = take(name);
    if (value == nullptr) return low;
    if (!whole_within(*value, low, high)) {
        complain(name, whole_expectation(low, high) + and_found(*value));
        return low;
    }
    return value->get<std::int64_t>();
}

double Fields::number(const char* name, double low, const char* expectation) {
    const Json* value = take(name);
    if (value == nullptr) return low;
    if (!finite_from(*value, low)) {
        complain(name, std::string("expected ") + expectation + and_found(*value));
        return low;
    }
    return value->get<double>();
}

std::string Fields::text(const char* name) {
    const Json* value = take(name);
    if (value == nullptr) return {};
    if (!value->is_string() || value->get_ref<const std::string&>().empty()) {
        complain(name, "expected a text" + and_found(*value));
        return {};
    }
    return value->get<std::string>();
}

std::string Fields::one_of(const char* name, const std::vector<std::string>& choices) {
    const std::string given = text(name);
    for (const std::string& choice : choices) {
        if (choice == given) return given;
    }
    if (!given.empty()) {
        std::string list;
        for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
        complain(name, "expected one of " + list + ", found \"" + given + "\"" +
                           did_you_mean(nearest_name(given, choices)));
    }
    return {};
}

bool Fields::boolean(const char* name) {
    const Json* value = take(name);
    if (value != nullptr && value->is_boolean()) return value->get<bool>();
    if (value != nullptr) complain(name, "expected true or false" + and_found(*value));
    return false;
}

std::vector<std::int64_t> Fields::integers(const char* name, std::int64_t low) {
    std::vector<std::int64_t> numbers;
    const Json* list = take_list(name);
    if (list == nullptr) return numbers;
    bool right = true;
    for (std::size_t i = 0; i < list->size(); ++i) {
        const Json& value = (*list)[i];
        if (whole_within(value, low, kLargest)) {
            numbers.push_back(value.get<std::int64_t>());
            continue;
        }
        right = false;
        complain_at(join_pointer(join_pointer(pointer_, name), std::to_string(i)),
                    whole_expectation(low, kLargest) + and_found(value));
    }
    if (!right) numbers.clear();
    return numbers;
}

std::vector<double> Fields::rates(const char* name) {
    std::vector<double> numbers;
    const Json* list = take_list(name);
    if (list == nullptr) return numbers;
    bool right = true;
    for (std::size_t i = 0; i < list->size(); ++i) {
        const Json& value = (*list)[i];
        if (finite_from(value, std::numeric_limits<double>::min())) {
            numbers.push_back(value.get<double>());
            continue;
        }
        right = false;
        complain_at(join_pointer(join_pointer(pointer_, name), std::to_string(i)),
                    "expected a finite number above 0" + and_found(value));
    }
    if (!right) numbers.clear();
    return numbers;
}

void Fields::nested(const char* name, const std::function<void(Fields&)>& body) {
    const Json* value = take(name);
    if (value == nullptr) return;
    Fields inner(document_, join_pointer(pointer_, name), *value, diagnostics_);
    if (inner.good()) body(inner);
    inner.close();
}

void Fields::each(const char* name, const std::function<void(Fields&)>& body) {
    const Json* list = take(name);
    if (list == nullptr) return;
    if (!list->is_array()) return complain(name, "expected a list" + and_found(*list));
    const std::string pointer = join_pointer(pointer_, name);
    for (std::size_t i = 0; i < list->size(); ++i) {
        Fields inner(document_, join_pointer(pointer, std::to_string(i)), (*list)[i], diagnostics_);
        if (inner.good()) body(inner);
        inner.close();
    }
}

const Json* Fields::take(const char* name) {
    known_.emplace_back(name);
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(name);
    if (it != object_.end()) return &*it;
    complain("", std::string("expected a field \"") + name + "\"");
    return nullptr;
}

bool Fields::has_optional(const char* name) {
    known_.emplace_back(name);
    return has(name);
}

void Fields::close() {
    if (!object_.is_object()) return;
    for (const auto& [name, value] : object_.items()) {
        bool known = false;
        for (const std::string& k : known_) known = known || k == name;
        if (!known) complain(name, "unknown field" + did_you_mean(nearest_name(name, known_)));
    }
}

void Fields::complain(std::string_view name, const std::string& message) {
    complain_at(name.empty() ? pointer_ : join_pointer(pointer_, name), message);
}

void Fields::complain_at(const std::string& pointer, const std::string& message) {
    diagnostics_.push_back({document_.where(pointer), pointer, message});
}

const Json* Fields::take_list(const char* name) {
    const Json* list = take(name);
    if (list == nullptr) return nullptr;
    if (list->is_array() && !list->empty()) return list;
    complain(name, "expected a list of numbers" + and_found(*list));
    return nullptr;
}

}  // namespace headroom::scenarios
