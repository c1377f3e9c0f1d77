/// How a scenario is put together: a file, the files it `extends`, and `--set` assignments.
///
///     std::optional<LocatedJson> document = load_with_extends("zone-loss.json", diagnostics);
///     apply_set(*document, scenario_format(), "/services/chat/replicas=4", diagnostics);
///
/// `extends` names one file, relative to the file that says so; that file may extend another one, a
/// cycle is refused. The extending file is a merge patch on the extended one (RFC 7396: objects
/// merge, null removes, anything else replaces). Locations move along: a value is reported where it
/// was written last. An assignment takes JSON, else a string; null removes; it may add a key only
/// where the format has one, so that a misspelt pointer is an error, not a new entry.
/// O(size of the documents).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "scenarios/located_json.hpp"
#include "sim/core/parameter.hpp"

namespace headroom::scenarios {

/// RFC 7396, with locations.
void merge_patch(LocatedJson& target, const LocatedJson& patch);

/// The file with everything it extends merged below it, and `extends` taken out.
[[nodiscard]] std::optional<LocatedJson> load_with_extends(const std::string& path,
                                                           Diagnostics& diagnostics);

/// Merges the patch in a file into the document. False, with diagnostics, when it cannot be read or
/// is no object; a patch extends nothing.
bool apply_patch_file(LocatedJson& document, const std::string& path, Diagnostics& diagnostics);

/// Carries out "/json/pointer=value". False, with a diagnostic, when the pointer leads nowhere.
bool apply_set(LocatedJson& document, const ParameterSpec& format, std::string_view assignment,
               Diagnostics& diagnostics);

}  // namespace headroom::scenarios
