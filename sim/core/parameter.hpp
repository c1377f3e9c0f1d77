/// ParameterSpec describes one parameter of a policy, generator or reader: name, type, unit,
/// default, range and help, with nested fields where a parameter has parts. It knows no file
/// format; the scenario loader turns it into a JSON Schema, the validation with file and line, the
/// help text and `headroom policies`. Parameters holds checked values: every field of the spec is
/// present (its default filled in), so a policy's constructor reads without asking.
///
///     static ParameterSpecs parameter_specs() {
///         return {
///             ParameterSpec::integer("max_num_seqs", 256, "sequences at most").at_least(1),
///             ParameterSpec::duration("window", Duration::seconds(60), "averaging window"),
///         };
///     }
///     MyPolicy(const Parameters& p, const PolicyContext&) : seqs_(p.integer("max_num_seqs")) {}
///
/// Reading a name that the spec does not have, or as another type, is a programmer error (CHECK).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sim/core/time.hpp"

namespace headroom::inline core {

class Parameters;

enum class ParameterType {
    boolean,           ///< bool
    integer,           ///< std::int64_t
    number,            ///< double
    text,              ///< std::string
    choice,            ///< std::string, one of `choices`
    count_or_percent,  ///< std::int64_t up to kMostCount, or std::string: "25%" (IntOrString)
    duration,          ///< Duration; written "30s", "10m", "1h30m" in a scenario
    quantity,          ///< std::int64_t in `unit` (milli-units for "m"); a Kubernetes quantity in a
                       ///< scenario
    object,            ///< nested Parameters with `fields`
    list,              ///< list of values described by `fields[0]`
    map,               ///< nested Parameters: any names, each value described by `fields[0]`
    tagged,  ///< nested Parameters: `fields`, plus those of the alternative that `tag` names
};

/// A checked value. `std::monostate` stands for "not given" of an optional parameter.
struct ParameterValue {
    using List = std::vector<ParameterValue>;
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Duration,
                 std::shared_ptr<const Parameters>, std::shared_ptr<const List>>
        data;

    [[nodiscard]] bool given() const { return !std::holds_alternative<std::monostate>(data); }
};

struct ParameterSpec {
    std::string name;
    ParameterType type = ParameterType::number;
    std::string help;
    std::string unit;
    ParameterValue default_value;   ///< monostate: required, unless `optional`
    bool optional = false;          ///< may be left out without a default
    std::optional<double> minimum;  ///< durations: seconds
    std::optional<double> maximum;
    bool exclusive_minimum = false;
    std::vector<std::string> choices;
    std::vector<ParameterSpec> fields;
    std::string tag;  ///< of `tagged`: the field that names the alternative
    std::vector<ParameterSpec>
        alternatives;  ///< of `tagged`: objects; their names are the tag's values

    static ParameterSpec boolean(std::string name, bool value, std::string help);
    static ParameterSpec integer(std::string name, std::int64_t value, std::string help);
    static ParameterSpec number(std::string name, double value, std::string help);
    static ParameterSpec text(std::string name, std::string value, std::string help);
    static ParameterSpec choice(std::string name, std::vector<std::string> choices,
                                std::string value, std::string help);
    /// `value`: a percentage. at_most() bounds percentages.
    static ParameterSpec count_or_percent(std::string name, std::string value, std::string help);
    static constexpr std::int64_t kMostCount = 1'000'000;
    static ParameterSpec duration(std::string name, Duration value, std::string help);
    static ParameterSpec object(std::string name, std::vector<ParameterSpec> fields,
                                std::string help);
    static ParameterSpec list(std::string name, ParameterSpec element, std::string help);
    static ParameterSpec map(std::string name, ParameterSpec element, std::string help);
    /// `unit`: "m" for milli-units, else whole units ("bytes", "bytes/s").
    static ParameterSpec quantity(std::string name, std::int64_t value, std::string unit_name,
                                  std::string help);
    /// An empty default: the tag has to be written.
    static ParameterSpec tagged(std::string name, std::string tag,
                                std::vector<ParameterSpec> alternatives,
                                const std::string& default_alternative, std::string help);
    [[nodiscard]] const ParameterSpec* alternative(std::string_view name_of_it) const;
    /// The same kind, without a default.
    [[nodiscard]] ParameterSpec required() &&;
    [[nodiscard]] ParameterSpec optional_without_default() &&;
    [[nodiscard]] ParameterSpec at_least(double low) &&;
    [[nodiscard]] ParameterSpec above(double low) &&;
    [[nodiscard]] ParameterSpec at_most(double high) &&;
    [[nodiscard]] ParameterSpec in(std::string unit_name) &&;
};

using ParameterSpecs = std::vector<ParameterSpec>;

class Parameters {
  public:
    /// All defaults of the specs; a required parameter stays "not given".
    static Parameters defaults(const ParameterSpecs& specs);

    void set(std::string_view name, ParameterValue value);
    [[nodiscard]] const ParameterValue* find(std::string_view name) const;

    [[nodiscard]] bool given(std::string_view name) const;
    [[nodiscard]] bool boolean(std::string_view name) const;
    [[nodiscard]] std::int64_t integer(std::string_view name) const;
    [[nodiscard]] double number(std::string_view name) const;  ///< an integer value converts
    [[nodiscard]] const std::string& text(std::string_view name) const;
    [[nodiscard]] Duration duration(std::string_view name) const;
    [[nodiscard]] const Parameters& object(std::string_view name) const;
    [[nodiscard]] const ParameterValue::List& list(std::string_view name) const;

    /// In the order in which they were set.
    [[nodiscard]] const std::vector<std::pair<std::string, ParameterValue>>& values() const {
        return values_;
    }

  private:
    std::vector<std::pair<std::string, ParameterValue>> values_;
};

}  // namespace headroom::inline core
