/// Fields: the fields of one JSON object, read by name into checked values. A mistake is a
/// diagnostic with file, line and pointer; reading goes on with a harmless value, so that all
/// mistakes of a file come out in one go.
///
///     Fields fields(document, "/gpus/h100-sxm", object, diagnostics);
///     gpu.name = fields.text("name");                   // missing, or no text: a diagnostic
///     if (fields.has_optional("note")) gpu.note = fields.text("note");
///     fields.close();                                   // the fields that nobody asked for
///
/// Invariants: each name is asked for once; close() comes last and takes every name asked for as
/// known. The document, the object and the diagnostics outlive it. O(fields) a look-up at worst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/located_json.hpp"

namespace headroom::scenarios {

class Fields {
  public:
    /// Above it a double is not exact.
    static constexpr std::int64_t kLargest = std::int64_t{1} << 53;

    Fields(const LocatedJson& document, std::string pointer, const nlohmann::json& object,
           Diagnostics& diagnostics);

    [[nodiscard]] bool has(const char* name) const;
    /// No mistake so far since this object was begun.
    [[nodiscard]] bool good() const { return diagnostics_.size() == mistakes_before_; }

    std::int64_t integer(const char* name, std::int64_t low, std::int64_t high = kLargest);
    double number(const char* name, double low, const char* expectation);
    double rate(const char* name) {
        return number(name, std::numeric_limits<double>::min(), "a finite number above 0");
    }
    double amount(const char* name) { return number(name, 0.0, "a finite number of at least 0"); }
    std::string text(const char* name);
    std::string one_of(const char* name, const std::vector<std::string>& choices);
    bool boolean(const char* name);

    /// Lists; empty when anything in them is wrong, and an empty list is a mistake.
    std::vector<std::int64_t> integers(const char* name, std::int64_t low);
    std::vector<double> rates(const char* name);

    /// The fields of the nested object `name`, read by `body`.
    void nested(const char* name, const std::function<void(Fields&)>& body);
    /// The same for each object of the list `name`.
    void each(const char* name, const std::function<void(Fields&)>& body);

    const nlohmann::json* take(const char* name);
    /// A field that may be left out counts as known all the same.
    bool has_optional(const char* name);
    void close();
    /// At the field `name`, or at the object itself when it is empty.
    void complain(std::string_view name, const std::string& message);

  private:
    void complain_at(const std::string& pointer, const std::string& message);
    /// The list `name`, if it is one.
    const nlohmann::json* take_list(const char* name);

    const LocatedJson& document_;
    std::string pointer_;
    const nlohmann::json& object_;
    Diagnostics& diagnostics_;
    std::size_t mistakes_before_;
    std::vector<std::string> known_;
};

}  // namespace headroom::scenarios
