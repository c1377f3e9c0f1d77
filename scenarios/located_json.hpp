/// LocatedJson: a JSON document (with // and /* */ comments) that remembers where each of its
/// values was written, by JSON pointer. Merging files moves the locations along, so a message about
/// a value from an overlay names the overlay's line.
///
///     Diagnostics problems;
///     std::optional<LocatedJson> document = read_json_file("chat.json", problems);
///     document->where("/services/chat/replicas").line;
///
/// Invariants: every value of the document has a location (that of its key, in an object); numbers
/// written as 1e3 or 10.0 are integers; a key stands once per object (a second one is reported with
/// both lines); no string has control characters but tabs and line breaks, no key has any. A syntax
/// error ends the reading with one message: what was expected, what was found. Reading is
/// O(n log n) in the size of the text; nesting deeper than 100 and pointers of more than 1000 bytes
/// are refused.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "scenarios/diagnostic.hpp"

namespace headroom::scenarios {

class LocatedJson {
  public:
    LocatedJson();  ///< an empty object, written nowhere
    LocatedJson(const LocatedJson& other);
    LocatedJson(LocatedJson&& other) noexcept;
    LocatedJson& operator=(LocatedJson other) noexcept;
    ~LocatedJson();

    [[nodiscard]] const nlohmann::json& value() const { return *value_; }
    [[nodiscard]] nlohmann::json& value() { return *value_; }

    /// Where the value at `pointer` was written, else where its nearest ancestor was.
    [[nodiscard]] Location where(std::string_view pointer) const;
    void set_location(const std::string& pointer, Location location);
    /// Forgets the locations at and below `pointer`.
    void erase_locations(const std::string& pointer);
    /// Copies the locations at and below `pointer` of `other`.
    void copy_locations(const LocatedJson& other, const std::string& pointer);

  private:
    std::unique_ptr<nlohmann::json> value_;
    std::map<std::string, Location, std::less<>> locations_;
};

/// `file` is only for the messages. Null when the text is not JSON or has duplicate keys.
[[nodiscard]] std::optional<LocatedJson> parse_json(std::string_view text, const std::string& file,
                                                    Diagnostics& diagnostics);
[[nodiscard]] std::optional<LocatedJson> read_json_file(const std::string& path,
                                                        Diagnostics& diagnostics);

/// One more token on a JSON pointer, with ~ and / escaped (RFC 6901).
[[nodiscard]] std::string join_pointer(std::string_view pointer, std::string_view token);

}  // namespace headroom::scenarios
